"""What a CRM tells of a shop, in the words of `flows`: JSON-like facts with absolute dates (ISO 8601).

A client of a real CRM answers with these very keys.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from decimal import Decimal
from typing import Any

from bot.clients.shop import RAW, Contact, Customer, Good, Order
from flows.russian import plain


def card_view(customer: Customer) -> dict[str, Any]:
    """A customer's card as facts."""
    return {
        "id": customer.id,
        "full_name": customer.full_name,
        "phones": list(customer.phones),
        "settlement": customer.settlement,
        "flags": list(customer.flags),
        "loyalty_card": customer.loyalty_card,
        "manager": customer.manager,
        "bank_user": None if customer.bank_user is None else "yes" if customer.bank_user else "no",
        "block": customer.block.model_dump() if customer.block else None,
        "accrual_required": customer.accrual_required,
    }


def order_view(
    order: Order,
    customer: Customer,
    *,
    note: str | None = None,
    cancel_attempt: str | None = None,
    gone: Collection[str] = (),
) -> dict[str, Any]:
    """An order as facts. `status` is None and `status_known` false for a status that the spec does not have.

    `gone`: names of goods that have run out; a line of the order tells whether it is `in_stock`.
    """
    known = not order.status.startswith(RAW)
    stage = (order.stage or "none") if order.status == "exported" else None
    recipient = order.recipient or customer.full_name
    # what came by post or courier may have been bought out unseen by the CRM: None; what never arrived was not
    bought_out = True if order.bought_out_at else None if stage == "arrived" else False
    return {
        "number": order.number,
        "customer": order.customer,
        "status": order.status if known else None,
        "status_known": known,
        "status_raw": None if known else order.status.removeprefix(RAW).strip(),
        "status_after_change": order.status_after_change,
        "ordered_at": order.ordered_at.isoformat(),
        "delivery": order.delivery,
        "delivery_price": None if order.delivery_price is None else number(order.delivery_price),
        "delivery_term_days": order.delivery_term_days,
        "stage": stage,
        "tracking": order.tracking,
        "post_office": order.post_office.model_dump() if order.post_office else None,
        "carrier": order.carrier,
        "pickup_point": order.pickup_point.model_dump() if order.pickup_point else None,
        "expected_arrival": iso(order.expected_arrival),
        "recipient": recipient,
        "name_fields_updated": plain(recipient) == plain(customer.full_name),
        "address": order.address,
        "items": [
            {**item.model_dump(), "price": number(item.price), "in_stock": item.name not in gone}
            for item in order.items
        ],
        "total": number(total(order)),
        "paid_by": order.payment,
        "fully_prepaid": order.fully_prepaid,
        "cancel_reason": order.cancel_reason,
        "cancel_attempt": cancel_attempt,
        "cancel_succeeds": order.cancel_succeeds,
        "clarify": order.clarify.model_dump() if order.clarify else None,
        "partner": order.partner,
        "bought_out": bought_out,
        "bought_out_at": iso(order.bought_out_at),
        "packages": [package.model_dump() for package in order.packages],
        "company": order.company,
        "note": note,
    }


def contact_view(contact: Contact) -> dict[str, Any]:
    """An earlier request as facts."""
    return {
        **contact.model_dump(include={"number", "topic", "order", "queue", "state", "solution", "agent"}),
        "at": iso(contact.at),
        "due": iso(contact.due),
    }


def good_view(good: Good) -> dict[str, Any]:
    """Something that can be ordered, as facts."""
    return {
        "name": good.name,
        "price": None if good.price is None else number(good.price),
        "in_stock": good.in_stock,
        "colors": list(good.colors),
        "sizes": list(good.sizes),
        "brief": good.brief,
    }


def tracking_view(order: Order) -> dict[str, Any]:
    """What the carrier tells of an order's parcel."""
    return {"expected_arrival": iso(order.expected_arrival), "bought_out_at": iso(order.bought_out_at)}


def total(order: Order) -> Decimal:
    """What is to be paid, delivery included."""
    lines = sum((item.price * item.quantity for item in order.items), Decimal(0))
    return order.total if order.total is not None else lines + (order.delivery_price or Decimal(0))


def number(value: Decimal) -> int | float:
    """A sum as JSON has it."""
    return int(value) if value == value.to_integral() else float(value)


def iso(value: date | None) -> str | None:
    """A date or time as text."""
    return value.isoformat() if value else None
