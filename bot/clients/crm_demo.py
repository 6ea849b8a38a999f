"""A CRM over a shop file: what the demo shop, dialogue tests and `firstline chat` ask.

What it is told to change holds for the rest of the run only. A deployment with a CRM of its own writes a client with
these same answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, get_args
from zoneinfo import ZoneInfo

from pydantic import ValidationError

import flows
from bot.clients.shop import Customer, Delivery, Item, Order, Shop
from bot.clients.shop_views import card_view, contact_view, good_view, iso, number, order_view, total, tracking_view
from bot.errors import CrmActionUnknown, CrmUnavailable
from flows.russian import plain, same_name

_NEVER_CANCELLED = frozenset(
    {
        "cancelled", "cancelled_ff", "called_off", "cancel_requested", "link_broken", "returned_post",
        "returned_customer", "handed_to_partner",
    }
)  # fmt: skip
_NEVER_SET = frozenset({"called_off", "happy_call", "happy_call_refused"})
# ACTION-24: staff set these, never the bot
Result = Mapping[str, Any]


class DemoCrm:
    """The `Crm` of a shop file."""

    def __init__(self, shop: Shop, *, now: Callable[[], datetime], timezone: str = "Europe/Moscow") -> None:
        self._now, self._tz = now, ZoneInfo(timezone)
        self._customers = {customer.id: customer for customer in shop.customers}
        self._orders = {order.number: order for order in shop.orders}
        self._shop = shop
        self._attempts: dict[str, str] = {}
        # order -> what became of an attempt to cancel it: done, failed
        self._notes: dict[str, str] = {}
        self._done: dict[str, Result] = {}
        # key of an act -> its result
        self._down: frozenset[str] = frozenset(shop.down)
        self._acts: dict[str, Callable[[Mapping[str, str]], Result]] = {
            "calculate_delivery": self._calculate_delivery,
            "cancel_order": self._cancel_order,
            "confirm_order": self._confirm_order,
            "create_order": self._create_order,
            "edit_data": self._edit_data,
            "edit_items": self._edit_items,
            "reissue_order": self._reissue_order,
            "return_to_status": self._return_to_status,
            "set_customer_name": self._set_customer_name,
            "set_postponed_note": self._set_postponed_note,
        }
        self.actions = frozenset(self._acts)

    def set_down(self, systems: Collection[str]) -> None:
        """Say which systems do not answer from now on; `crm` and `tracking` are this client's."""
        self._down = frozenset(systems)

    # ---------------------------------------------------------------------------------------------- lookups
    async def fetch(self, lookup: flows.Lookup) -> Any:
        """Answer a lookup; see `bot.clients.Crm`."""
        args = dict(lookup.args)
        system = "tracking" if lookup.source == "tracking" else "crm"
        if system in self._down:
            raise CrmUnavailable(system=system)
        match lookup.source:
            case "customer":
                found = self._customer(args)
                return card_view(found) if found else None
            case "orders":
                mine = [order for order in self._orders.values() if order.customer == args.get("customer")]
                return [self._order_view(order) for order in sorted(mine, key=lambda order: order.ordered_at)[::-1]]
            case "returns":
                return [
                    {"order": back.order, "sent_at": iso(back.sent_at), "tracking": back.tracking}
                    for back in self._shop.returns
                    if back.order in self._orders and self._orders[back.order].customer == args.get("customer")
                ]
            case "requests":
                mine_before = [
                    one for one in self._shop.requests if one.customer and one.customer == args.get("customer")
                ]
                return [contact_view(contact) for contact in mine_before]
            case "tracking":
                sent = next((order for order in self._orders.values() if order.tracking == args.get("number")), None)
                return tracking_view(sent) if sent and sent.tracking else None
            case "goods":
                return [good_view(good) for good in self._shop.goods]
        raise CrmActionUnknown(f"The demo CRM has no lookup {lookup.source!r}.")

    def _customer(self, args: Mapping[str, str]) -> Customer | None:
        """Find a customer by the one argument given. Several fit: nobody, for a guess would show a stranger's card."""
        everybody = list(self._customers.values())
        if account := args.get("account"):
            channel, _, chat = account.partition(":")
            found = [one for one in everybody if one.accounts.get(channel) == chat]  # type: ignore[call-overload]
        elif phone := args.get("phone"):
            found = [one for one in everybody if _digits(phone) in map(_digits, one.phones)]
        elif named := args.get("order"):
            order = self._orders.get(named)
            found = [self._customers[order.customer]] if order else []
        else:
            said = args.get("full_name", "")
            found = [one for one in everybody if same_name(said, one.full_name)]
            exactly = [one for one in found if set(plain(said).split()) <= set(plain(one.full_name).split())]
            found = exactly or found
        return found[0] if len(found) == 1 else None

    def _order_view(self, order: Order) -> dict[str, Any]:
        customer = self._customers[order.customer]
        return order_view(
            order,
            customer,
            note=self._notes.get(order.number),
            cancel_attempt=self._attempts.get(order.number),
            gone=self._gone,
        )

    # ---------------------------------------------------------------------------------------------- changes
    async def act(self, act: flows.Act, *, key: str) -> Result:
        """Make a change, once per key; see `bot.clients.Crm`. `ok` is false, with a `why`, when the CRM refuses."""
        name = act.action.removeprefix("crm.")
        if name not in self._acts:
            raise CrmActionUnknown(f"The demo CRM has no action {act.action!r}.")
        if key not in self._done:
            if "crm" in self._down:
                raise CrmUnavailable(system="crm")
            args = dict(act.args)
            if name not in ("create_order", "set_customer_name") and self._named(args) is None:
                return {"ok": False, "why": "no_such_order"}
            self._done[key] = self._acts[name](args)
        return self._done[key]

    def _named(self, args: Mapping[str, str]) -> Order | None:
        return self._orders.get(args.get("order_number") or args.get("order") or "")

    def _order(self, args: Mapping[str, str]) -> Order:
        order = self._named(args)
        assert order is not None  # `act` has looked
        return order

    def _put(self, order: Order, **changes: Any) -> Result:
        self._orders[order.number] = changed = order.model_copy(update=changes)
        return {"ok": True, "order": order.number, "status": changed.status}

    def _cancel_order(self, args: Mapping[str, str]) -> Result:
        order = self._order(args)
        succeeds = order.cancel_succeeds
        if succeeds is None:
            succeeds = order.status not in _NEVER_CANCELLED and not _under_way(order)
        self._attempts[order.number] = "done" if succeeds else "failed"
        if not succeeds:
            return {"ok": False, "order": order.number, "status": order.status, "why": "not_accepted"}
        return self._put(order, status="cancelled", cancel_reason="customer")

    def _confirm_order(self, args: Mapping[str, str]) -> Result:
        order = self._order(args)
        self._attempts.pop(order.number, None)
        return self._put(order, status=order.status_after_change or "buffer", cancel_reason=None)

    def _return_to_status(self, args: Mapping[str, str]) -> Result:
        order, status = self._order(args), args.get("status", "")
        if status in _NEVER_SET:
            return {"ok": False, "order": order.number, "status": order.status, "why": "never_set"}
        return self._put(order, status=status or order.status)

    def _edit_data(self, args: Mapping[str, str]) -> Result:
        order = self._order(args)
        if _under_way(order):  # kept in the customer's card for later orders; the parcel goes where it goes
            return {"ok": True, "order": order.number, "status": order.status}
        changes: dict[str, Any] = {"address": args.get("address", order.address)}
        if args.get("full_name") and order.name_updates:
            changes["recipient"] = args["full_name"]
        if (delivery := args.get("delivery")) is not None:
            if delivery not in get_args(Delivery):
                return {"ok": False, "order": order.number, "why": "no_such_delivery"}
            changes["delivery"] = delivery
        if phone := args.get("phone"):
            customer = self._customers[order.customer]
            self._customers[customer.id] = customer.model_copy(update={"phones": (phone, *customer.phones)})
        return self._put(order, status=order.status_after_change or order.status, **changes)

    def _edit_items(self, args: Mapping[str, str]) -> Result:
        order = self._order(args)
        items = self._basket(args, order.items)
        if not items or items == order.items:
            return {"ok": False, "order": order.number, "why": "no_items" if not items else "nothing_changes"}
        if missing := self._out_of_stock([item for item in items if item not in order.items]):
            return {"ok": False, "order": order.number, "why": "out_of_stock", "items": missing}
        return self._put(order, items=items, total=None, status=order.status_after_change or order.status)

    def _calculate_delivery(self, args: Mapping[str, str]) -> Result:
        """What the order would come to with changes that are only thought of, by the way asked for or the usual one."""
        order = self._order(args)
        items = self._basket(args, order.items)
        if not items or args.get("delivery", order.delivery) not in get_args(Delivery):
            return {"ok": False, "order": order.number, "why": "no_items" if not items else "no_such_delivery"}
        thought_of = order if items == order.items else order.model_copy(update={"items": items, "total": None})
        return {
            "ok": True,
            "order": order.number,
            "delivery": args.get("delivery", order.delivery),
            "delivery_price": number(order.delivery_price or Decimal(0)),
            "term_days": order.delivery_term_days,
            "total": number(total(thought_of)),
        }

    def _set_postponed_note(self, args: Mapping[str, str]) -> Result:
        order = self._order(args)
        self._notes[order.number] = args.get("text", "")
        return {"ok": True, "order": order.number, "status": order.status}

    def _set_customer_name(self, args: Mapping[str, str]) -> Result:
        """Correct the name on the card and in those of the customer's orders that take it over."""
        order = self._named(args)
        customer = self._customers.get(args.get("customer") or (order.customer if order else ""))
        if customer is None or not args.get("full_name"):
            return {"ok": False, "why": "no_such_customer" if customer is None else "no_name"}
        name = args["full_name"]
        self._customers[customer.id] = customer.model_copy(update={"full_name": name})
        for one in [one for one in self._orders.values() if one.customer == customer.id]:
            # an order keeps the old name when it does not take over corrections, or is with the carrier already
            keeps = not one.name_updates or (one.status == "exported" and one.stage in ("line_haul", "arrived"))
            recipient = (one.recipient or customer.full_name) if keeps else name
            self._orders[one.number] = one.model_copy(update={"recipient": recipient})
        return {"ok": True, "customer": customer.id, "full_name": name}

    def _create_order(self, args: Mapping[str, str]) -> Result:
        """A new order: of the goods in `items`, or of those of the order it is made after, with changes."""
        model, customer = self._named(args), self._customers.get(args.get("customer", ""))
        if customer is None:
            return {"ok": False, "why": "no_such_customer"}
        if model is not None and not args.get("items"):
            return self._anew(model, args)
        delivery = args.get("delivery", "post")
        if delivery not in get_args(Delivery):
            return {"ok": False, "why": "no_such_delivery"}
        items = self._items(args.get("items", ""), ())
        if not items:
            return {"ok": False, "why": "no_items"}
        return self._place(customer, items, delivery=delivery, address=args.get("address"))

    def _reissue_order(self, args: Mapping[str, str]) -> Result:
        return self._anew(self._order(args), args)

    def _anew(self, order: Order, args: Mapping[str, str]) -> Result:
        items = self._basket(args, order.items)
        if not items:
            return {"ok": False, "why": "no_items"}
        return self._place(
            self._customers[order.customer],
            items,
            delivery=args.get("delivery") or order.delivery,
            address=args.get("address") or order.address,
            delivery_price=order.delivery_price,
            delivery_term_days=order.delivery_term_days,
            pickup_point=order.pickup_point,
        )

    def _place(self, customer: Customer, items: tuple[Item, ...], **data: Any) -> Result:
        if missing := self._out_of_stock(items):
            return {"ok": False, "why": "out_of_stock", "items": missing}
        new = str(max([int(one) for one in self._orders if one.isdecimal()], default=10000) + 1)
        today = self._now().astimezone(self._tz).date()
        order = Order.model_construct(
            **{name: one.get_default(call_default_factory=True) for name, one in Order.model_fields.items()}
            | {"number": new, "customer": customer.id, "status": "buffer", "ordered_at": today, "items": items}
            | data
        )
        self._orders[new] = order
        return {"ok": True, "new_order": new, "status": order.status, "total": number(total(order))}

    def _basket(self, args: Mapping[str, str], known: tuple[Item, ...]) -> tuple[Item, ...] | None:
        """The lines of an order after a change: `items` whole, or `add`, `remove`, and `item` with `color`, `size`, `good`."""
        if args.get("items"):
            return self._items(args["items"], known)
        dropped = {item.name for item in known if item.name in args.get("remove", "")}
        kept = [item for item in known if item.name not in dropped]
        wanted: dict[str, Any] = {key: args[key] for key in ("color", "size") if args.get(key)}
        if args.get("good"):
            wanted |= {"name": args["good"], "price": self._price(args["good"])}
        changed = [item.model_copy(update=wanted) if item.name == args.get("item") else item for item in kept]
        added = [Item(name=args["add"], price=self._price(args["add"]))] if args.get("add") else []
        return (*changed, *added) or None

    def _price(self, name: str) -> Decimal:
        return next((good.price or Decimal(0) for good in self._shop.goods if good.name == name), Decimal(0))

    def _items(self, text: str, known: Collection[Item]) -> tuple[Item, ...] | None:
        """Read the lines of an order: a JSON list of {name, quantity, size, color …}, or one line's name.

        None when that is no list of lines.
        """
        try:
            lines = json.loads(text)
        except ValueError:
            lines = [{"name": text.strip()}] if text.strip() else []
        prices = {good.name: good.price or Decimal(0) for good in self._shop.goods}
        prices |= {item.name: item.price for item in known}
        try:
            return tuple(Item.model_validate({"price": prices.get(line["name"], 0), **line}) for line in lines)
        except (TypeError, LookupError, ValidationError):
            return None

    def _out_of_stock(self, items: Collection[Item]) -> list[str]:
        return [item.name for item in items if item.name in self._gone]

    @property
    def _gone(self) -> set[str]:
        return {good.name for good in self._shop.goods if not good.in_stock}


def _under_way(order: Order) -> bool:
    return order.status == "exported" and order.stage in ("line_haul", "arrived")


def _digits(phone: str) -> str:
    return "".join(filter(str.isdigit, phone))
