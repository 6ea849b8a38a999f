"""The customer's orders as the CRM tells them now: asked after the page is there, so that a slow CRM holds up nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import htpy as h

import flows
from bot import metrics, sizes
from bot.clients import Crm
from bot.console import times, words
from bot.errors import CrmUnavailable
from bot.models import Conversation, Request
from flows.russian import money

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the CRM knows of a customer."""

    card: Mapping[str, Any] | None
    sure: bool
    # they were identified; otherwise it is only what their account is linked to
    orders: Sequence[Mapping[str, Any]] = ()
    returns: Sequence[Mapping[str, Any]] = ()


async def ask(crm: Crm, request: Request, conversation: Conversation, *, seconds: float) -> Known:
    """The card, orders and returns of a request's customer. Raises CrmUnavailable, also when it takes too long."""
    async with _within(seconds):
        found, sure = await _card(crm, request, conversation)
        customer = request.customer_id or (found or {}).get("id")
        if customer is None:
            return Known(card=None, sure=False)
        orders, returns = await asyncio.gather(
            _fetch(crm, "orders", customer=str(customer)), _fetch(crm, "returns", customer=str(customer))
        )
        return Known(card=found, sure=sure, orders=orders or (), returns=returns or ())


async def card(
    crm: Crm, request: Request, conversation: Conversation, *, seconds: float
) -> tuple[Mapping[str, Any] | None, bool]:
    """The card of a request's customer, and whether it is surely theirs. Raises CrmUnavailable, also when it takes too long."""
    async with _within(seconds):
        return await _card(crm, request, conversation)


@asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise CrmUnavailable from None


async def _card(crm: Crm, request: Request, conversation: Conversation) -> tuple[Mapping[str, Any] | None, bool]:
    """The customer's card: found by an order of the request or by the account, and theirs for sure by its id."""
    asked = [("order", number) for number in request.orders[:1]]
    asked += [("account", f"{conversation.channel}:{conversation.chat}")]
    for key, value in asked:
        found = await _fetch(crm, "customer", **{key: value})
        if isinstance(found, Mapping) and request.customer_id in (None, found.get("id")):
            if request.customer_id is None and key == "order":
                continue  # an order's number alone says nothing about who writes
            return found, request.customer_id is not None
    return None, request.customer_id is not None


async def _fetch(crm: Crm, source: str, **args: str) -> Any:
    with metrics.crm_call("crm"):
        return sizes.bounded(await crm.fetch(flows.Lookup(source, tuple(sorted(args.items())))), system="crm")


# ------------------------------------------------------------------------------------------------------------ drawn
def place(request: Request) -> h.Element:
    """Where the orders come once the page is there."""
    address = f"/desk/requests/{request.number}/orders"
    return h.section(
        "#orders.card",
        hx_get=address,
        hx_trigger="load",
        hx_swap="none",
        aria_labelledby="orders-title",
        aria_busy="true",
    )[h.h2("#orders-title")["Заказы"], h.p(".dim")["Спрашиваем у CRM…"]]


def drawn(known: Known, request: Request, pack: flows.Pack, now: datetime) -> h.Element:
    """The orders, those that the request is about first and open."""
    if known.card is None and not known.orders:
        inside: h.Node = h.p(".dim")[
            "В CRM заказов нет." if request.customer_id else "Клиент не подтвердил, кто он, поэтому заказов не видно."
        ]
    else:
        about = set(request.orders)
        ordered = sorted(known.orders, key=lambda one: str(one.get("number")) not in about)
        few = len(ordered) == 1
        inside = [
            None if known.sure else h.p(".tag.warn")["По привязанному аккаунту, не подтверждено"],
            [_order(one, pack, now, opened=few or str(one.get("number")) in about) for one in ordered],
            h.p(".dim")["Заказов нет."] if not ordered else None,
            [_returned(one, pack, now) for one in known.returns],
        ]
    return h.section("#orders.card", aria_labelledby="orders-title")[h.h2("#orders-title")["Заказы"], inside]


def away(request: Request) -> h.Element:
    """What stands there while the CRM does not answer."""
    address = f"/desk/requests/{request.number}/orders"
    return h.section("#orders.card", aria_labelledby="orders-title")[
        h.h2("#orders-title")["Заказы"],
        h.p["CRM не отвечает. Заказ из сводки виден выше."],
        h.button(type="button", hx_get=address, hx_swap="none")["Спросить ещё раз"],
    ]


def _order(order: Mapping[str, Any], pack: flows.Pack, now: datetime, *, opened: bool) -> h.Element:
    status = words.label(pack, "status", order["status"]) if order.get("status") else order.get("status_raw") or ""
    stage = words.label(pack, "stage", order["stage"]) if order.get("stage") else None
    return h.details(".order", open=opened)[
        h.summary[h.b[f"№ {order.get('number')}"], " ", h.span(".tag")[status], " ", h.span(".dim.small")[stage]],
        h.dl(".facts")[
            [
                h.div[h.dt[name], h.dd[value]]
                for name, value in (
                    ("Оформлен", _day(order.get("ordered_at"), pack, now)),
                    ("Доставка", _delivery(order, pack)),
                    ("Трек", h.span(".mono")[order["tracking"]] if order.get("tracking") else None),
                    ("Ожидается", _day(order.get("expected_arrival"), pack, now)),
                    ("Получен", _day(order.get("bought_out_at"), pack, now)),
                    ("Получатель", order.get("recipient")),
                    ("Адрес", order.get("address")),
                    ("Состав", _items(order)),
                    ("Сумма", _money(order.get("total"))),
                    ("Заметка", order.get("note")),
                )
                if value
            ]
        ],
    ]


def _delivery(order: Mapping[str, Any], pack: flows.Pack) -> str | None:
    if not order.get("delivery"):
        return None
    point = order.get("pickup_point") or order.get("post_office") or {}
    where = point.get("address") if isinstance(point, Mapping) else None
    carrier = order.get("carrier")
    known = pack.manifest.directories.get("directory", {}).get(str(carrier), {}).get("title", carrier)
    return ", ".join(filter(None, [words.label(pack, "delivery", order["delivery"]), known, where]))


def _items(order: Mapping[str, Any]) -> h.Node:
    lines = [one for one in order.get("items") or () if isinstance(one, Mapping)]

    def told(one: Mapping[str, Any]) -> str:
        known = ", ".join(str(one[key]) for key in ("color", "colour", "size") if one.get(key))
        count = one.get("quantity") or 1
        return f"{one.get('name')}{f' ({known})' if known else ''}{f' × {count}' if count > 1 else ''}"

    return (
        h.ul[[h.li[told(one), h.span(".dim")[f" {_money(one.get('price')) or ''}"]] for one in lines]]
        if lines
        else None
    )


def _returned(one: Mapping[str, Any], pack: flows.Pack, now: datetime) -> h.Element:
    sent = _day(one.get("sent_at"), pack, now)
    return h.p(".small")[
        f"Возврат по заказу № {one.get('order')}{f', отправлен {sent}' if sent else ''}",
        [", трек ", h.span(".mono")[one["tracking"]]] if one.get("tracking") else None,
    ]


def _money(value: Any) -> str | None:
    return money(value) if isinstance(value, int | float) else None


def _day(value: Any, pack: flows.Pack, now: datetime) -> str | None:
    """A date or moment of the CRM in words; what is none as it is."""
    if not value:
        return None
    try:
        if len(str(value)) == 10:
            at = date.fromisoformat(str(value))
            moment = datetime(at.year, at.month, at.day, 12, tzinfo=pack.zone)
        else:
            moment = datetime.fromisoformat(str(value))
    except ValueError:
        return str(value)
    told = times.day(moment, pack.zone, now)
    return told[:1].lower() + told[1:]
