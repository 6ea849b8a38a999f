"""At the edge of each page of an agent: what is about to be done and can be undone, and what they are told."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import htpy as h
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.console.live import EVERYWHERE, View
from bot.console.parts import Parts
from bot.console.seat import Seat
from bot.console.shell import form_token
from bot.desk import news
from bot.live import Change
from bot.models import Planned, Request

DOING = {
    "decline": "возвращаем в очередь", "transfer": "передаём", "resolve": "завершаем", "wait": "ждём клиента",
    "spam": "отмечаем как спам", "join": "объединяем", "open_case": "создаём задачу", "call_back": "записываем звонок",
    "called": "отмечаем звонок", "prioritise": "меняем приоритет",
}  # fmt: skip
"""Actions while they can be undone, by the name of the function in `bot.desk`."""


async def fragment(session: AsyncSession, seat: Seat) -> h.Element:
    """What stands there now."""
    found = await session.execute(
        select(Planned, Request.number)
        .join(Request, Request.id == Planned.request_id)
        .where(Planned.agent_id == seat.id, Planned.state == "planned")
        .order_by(Planned.id)
    )
    told = await news.unseen(session, seat.id)
    return h.div("#news", role="status", aria_live="polite")[
        [_planned(seat, row, number) for row, number in found.all()],
        [_told(seat, row, request.number) for row, request in told],
    ]


def _planned(seat: Seat, row: Planned, number: str) -> h.Element:
    address = f"/desk/requests/{number}/undo"
    return h.div(".toast.note", id=f"planned-{row.id}")[
        h.span[f"{number}: {DOING.get(row.action, 'выполняем')}…"],
        h.form(method="post", action=address, hx_post=address, hx_swap="none")[
            form_token(seat), h.button(data_key="z", data_key_title="Отменить действие")["Отменить"]
        ],
    ]  # fmt: skip


def _told(seat: Seat, row: Planned, number: str) -> h.Element:
    address = f"/desk/news/{row.id}/seen"
    return h.div(class_=f"toast {'bad' if row.state == news.REFUSED else 'note'}", id=f"news-{row.id}")[
        h.span[row.why, " ", h.a(href=f"/desk/requests/{number}")["Открыть"]],
        h.form(method="post", action=address, hx_post=address, hx_swap="none")[
            form_token(seat), h.button(".plain.close", aria_label="Закрыть")["✕"]
        ],
    ]  # fmt: skip


class NewsView(View):
    """The edge of all pages of one person."""

    def __init__(self, parts: Parts, seat: Seat) -> None:
        self.key: Hashable = ("news", seat.id, seat.form_token)
        self._parts, self._seat = parts, seat

    def concerns(self, change: Change) -> bool:
        """Whether a change is about what this person is told or has planned."""
        return change.kind == "planned" and change.agent == self._seat.id

    async def fragments(self) -> Sequence[h.Element]:
        """The edge as it is now."""
        async with self._parts.sessions() as session:
            return [await fragment(session, self._seat)]


async def _make(parts: Parts, seat: Seat, query: Mapping[str, str]) -> NewsView:
    return NewsView(parts, seat)


EVERYWHERE.append(_make)
