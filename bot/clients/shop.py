"""A small shop as values: what a CRM would know of customers, orders, returns and agents.

The keys and codes are those of the shop file (`bot.clients.shop_file` reads it). Validation needs a context
{"now": aware, "tz": ZoneInfo}: dates relative to the run's clock (`-12d`, `+3d`) become absolute there.
"""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, get_args

import phonenumbers
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

Status = Literal[
    "new", "cart", "postponed", "buffer", "exported", "cancelled", "cancelled_ff", "manual_check", "confirmed",
    "supervisor_check", "checked", "returned_post", "returned_customer", "closed_region", "called_off",
    "cancel_requested", "link_broken", "happy_call", "happy_call_refused", "handed_to_partner",
]  # fmt: skip
STATUSES: tuple[str, ...] = get_args(Status)
RAW = "raw:"
# begins a status that the CRM has and the spec does not
Delivery = Literal["post", "post_courier", "courier", "pickup"]
Flag = Literal[
    "vip", "do_not_contact", "b2b", "premium", "monetization", "express", "flex", "classifieds", "bank", "insurance"
]
System = Literal["crm", "tracking", "nlu", "store"]
_RELATIVE = re.compile(r"([+-]\d{1,5})d")


# ------------------------------------------------------------------------------------------------------ values
def _status(value: Any) -> Any:
    if isinstance(value, str) and (value in STATUSES or (value.startswith(RAW) and value[len(RAW) :].strip())):
        return value
    raise ValueError(f"{value!r} is none of {', '.join(STATUSES)}, or raw:… for another status of the CRM")


def _day(value: Any, info: ValidationInfo) -> Any:
    """A day, in the shop's time zone: a date, a time, ISO 8601 text, or days from the run's clock."""
    if value is None:
        return None
    moment = _moment(value, info)
    return moment.astimezone(_context(info)["tz"]).date() if isinstance(moment, datetime) else moment


def _context(info: ValidationInfo) -> dict[str, Any]:
    assert info.context is not None, "a shop is validated with the context {now, tz}"
    return dict(info.context)


def _moment(value: Any, info: ValidationInfo) -> Any:
    if value is None:
        return None
    context = _context(info)
    if isinstance(value, str):
        if found := _RELATIVE.fullmatch(value.strip()):
            return context["now"] + timedelta(days=int(found[1]))
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError:
            value = None
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=context["tz"])
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=context["tz"])
    raise ValueError("is no date: write 2026-11-20, 2026-11-20T12:00:00+03:00, or days from now: -12d, +3d")


def written(value: Any) -> Any:
    """Take a number without quotes for the text that it was written as (`shop_file` keeps that)."""
    return getattr(value, "written", str(value)) if isinstance(value, int) and not isinstance(value, bool) else value


def _phone(value: Any) -> Any:
    try:
        number = phonenumbers.parse(str(written(value)), "RU")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError(f"{value!r} is no phone number: write it like +79990001234")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Text = Annotated[str, BeforeValidator(written)]
Phone = Annotated[str, BeforeValidator(_phone)]
StatusText = Annotated[str, BeforeValidator(_status)]


class _Part(BaseModel):
    """Base of the file's parts: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Block(_Part):
    """A block of the customer's account."""

    by: Literal["security", "fraud"]
    reason_noted: bool = True
    conflict: bool = False


class Customer(_Part):
    """A customer's card."""

    id: Text
    full_name: str = Field(min_length=1)
    # surname, name, patronymic
    phones: tuple[Phone, ...] = ()
    settlement: str | None = None
    accounts: dict[Literal["telegram", "vk"], Text] = Field(default_factory=dict)
    # channel -> chat that is linked to this customer
    flags: tuple[Flag, ...] = ()
    loyalty_card: bool | None = None
    manager: str | None = None
    bank_user: bool | None = None
    block: Block | None = None
    accrual_required: bool = False


class Place(_Part):
    """A post office or pick-up point."""

    name: str
    address: str | None = None
    km: float | None = None
    # from the customer's address


class Item(_Part):
    """A line of an order; a set is one line, a gift a line of its own."""

    name: str
    quantity: int = Field(default=1, ge=1)
    price: Decimal = Decimal(0)
    # of one piece, roubles
    size: Text | None = None
    color: str | None = None
    gift: bool = False
    card: bool = False
    set: bool = False
    package: Text | None = None


class Clarify(_Part):
    """What staff want to learn from the customer; the comment is never shown to customers."""

    about: Literal["size", "color", "address", "phone", "recipient", "other"]
    comment: str | None = None


class Package(_Part):
    """A part of an order with a delivery of its own."""

    id: Text
    kind: Literal["standard", "express", "ds_mini", "flex"]
    interval_minutes: int | None = None
    warehouse: str | None = None


class Order(_Part):
    """An order."""

    number: Text
    customer: Text
    status: StatusText
    status_after_change: Status | None = None
    ordered_at: Day
    delivery: Delivery
    delivery_price: Decimal | None = None
    stage: Literal["none", "line_haul", "arrived"] | None = None
    # for exported
    tracking: Text | None = None
    expected_arrival: Day | None = None
    carrier: str | None = None
    post_office: Place | None = None
    pickup_point: Place | None = None
    recipient: str | None = None
    name_updates: bool = True
    # whether the order takes over a corrected name of the customer
    address: str | None = None
    items: tuple[Item, ...] = ()
    total: Decimal | None = None
    # with delivery; the sum of the lines and the delivery if absent
    delivery_term_days: int | None = None
    payment: Literal["on_delivery", "card", "bank_account", "installment", "prepaid"] | None = None
    fully_prepaid: bool = False
    cancel_reason: Literal["customer", "other"] | None = None
    clarify: Clarify | None = None
    partner: str | None = None
    bought_out_at: Day | None = None
    cancel_succeeds: bool | None = None
    packages: tuple[Package, ...] = ()
    company: bool = False


class Return(_Part):
    """Goods sent back."""

    order: Text | None = None
    sent_at: Day | None = None
    tracking: Text | None = None


class Good(_Part):
    """Something that can be ordered or swapped."""

    name: str
    price: Decimal | None = None
    in_stock: bool = True
    colors: tuple[str, ...] = ()
    sizes: tuple[Text, ...] = ()
    brief: str | None = None


class Contact(_Part):
    """An earlier request of a customer."""

    number: Text | None = None
    customer: Text | None = None
    topic: str | None = None
    order: Text | None = None
    queue: str | None = None
    state: Literal[
        "queued", "assigned", "transferred", "waiting_customer", "solved", "reopened", "cancelled", "closed"
    ] | None = None  # fmt: skip
    solution: str | None = None
    at: Moment | None = None
    due: Moment | None = None
    agent: str | None = None


class Agent(_Part):
    """A person at the desk."""

    name: str
    title: str | None = None
    queues: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    on_shift: bool = False
    role: Literal["agent", "supervisor", "trainer", "admin"] = "agent"


class Shop(_Part):
    """The whole file."""

    shop: dict[str, Any] = Field(default_factory=dict)
    # settings of the pack by their names; `name` is `shop_name`
    customers: tuple[Customer, ...] = ()
    orders: tuple[Order, ...] = ()
    returns: tuple[Return, ...] = ()
    goods: tuple[Good, ...] = ()
    requests: tuple[Contact, ...] = ()
    agents: tuple[Agent, ...] = ()
    down: tuple[System, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """The pack's settings that the shop sets."""
        return {"shop_name" if name == "name" else name: value for name, value in self.shop.items()}
