"""Requests in a list, as one sees them: the row of the queue page and of search, alike on all lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

import htpy as h

import flows
from bot.console import words
from bot.console.shell import ago, left
from bot.listing import Row
from bot.masking import mask
from bot.models import IN_HAND, LIVE, Sender, State
from bot.queues import skills_wanted

LINE = 240
"""Characters of the customer's words that a row shows at the most."""
ANSWER_MINUTES = 5
"""After so long without an answer a customer in talk with an agent is shown as waiting too long."""


def request_rows(id: str, rows: Iterable[h.Node]) -> h.Element:
    """A list of rows; its rows change one by one."""
    return h.ul(id=id, class_="requests", data_row="li")[rows]


def order_of(id: str, rows: Sequence[Row]) -> h.Element:
    """Which rows a list has, in order: for pages that have the list already."""
    return h.ul(id=id, data_rows=" ".join(_id(row) for row in rows))


def address(row: Row) -> str:
    """The page of a request."""
    return f"/desk/requests/{row.number}"


def request_row(
    pack: flows.Pack,
    row: Row,
    *,
    lacking: frozenset[str] = frozenset(),
    found: Sequence[str] = (),
    late: bool = False,
    own: bool = False,
    takes: bool = True,
) -> h.Element:
    """One request. `lacking`: skills that others have and the reader has not; `found`: words to be marked; `late`: tell how
    long after its time it was answered; `own`: the reader's, so it need not be said whose; `takes`: the reader takes requests."""
    wanted = sorted(lacking & skills_wanted(pack, row.topic, row.marks)) if lacking else []
    kind = f"request {row.priority}{' unread' if row.unanswered else ''}"
    when, what = _lateness(row, row.target_at) if late and row.target_at else _when(pack, row)
    line = row.said or (row.last_text if row.unanswered else None) or row.wants
    return h.li(id=_id(row), class_=kind)[
        h.div(".when")[when, h.span(".label")[what]],
        h.div(".what")[
            h.a(".open", href=address(row))[_marked(_line(line), found) or words.topic(pack, row.topic)],
            h.div(".meta")[_tags(pack, row, wanted), h.span(".topic")[words.topic(pack, row.topic)], _orders(row)],
        ],
        h.div(".who")[
            h.span(".name")[h.span[_marked(row.customer or row.name or "Имя не указано", found)], _vip(row)],
            words.channel(row.channel),
        ],
        h.div(".where")[h.span(".queue")[words.queue(pack, row.queue)], h.span(".number")[row.number]],
        h.div(".do")[None if own else _do(row, take=takes and not wanted)],
    ]


# ------------------------------------------------------------------------------------------------------------ cells
def _id(row: Row) -> str:
    return f"r-{row.id}"


def _when(pack: flows.Pack, row: Row) -> tuple[h.Node, h.Node]:
    """The one time that counts now, and what it is."""
    if row.state == State.QUEUED:
        return _waits(pack, row)
    if row.state == State.ASSIGNED:
        last = row.last_at or row.taken_at or row.opened_at
        if row.unanswered:
            return _since(last, late=ANSWER_MINUTES), "клиент ждёт"
        return _since(last), "ответ дан" if row.last_from == Sender.AGENT else "в работе"
    if row.state == State.WAITING_CUSTOMER:
        return _at(row.wait_until) if row.wait_until else None, "ждём клиента до"
    said = words.RESOLUTIONS.get(row.resolution or "") if row.state != State.CANCELLED else None
    return _at(row.ended or row.opened_at), said or words.STATES[row.state]


def _lateness(row: Row, target: datetime) -> tuple[h.Node, h.Node]:
    """How long after its time the first answer came."""
    done = row.answered_at or (row.ended if row.state not in LIVE else None)
    if done is None:
        return _since(target, late=0), "ещё без ответа"
    told = "ответ опоздал" if row.answered_at else "без ответа"
    return h.span(".lasted.late")[words.lasted(done - target)], told


def _waits(pack: flows.Pack, row: Row) -> tuple[h.Node, h.Node]:
    again = "ждёт снова" if row.taken_at else "ждёт"
    if row.category:
        return _since(row.opened_at), left(row.due.isoformat()) if row.due else again
    if row.answered_at is not None:
        return _since(row.opened_at), again
    if row.target_at is not None:  # the time that is late is the target's
        return _since(row.opened_at), [h.span(".visually-hidden")["Первый ответ: "], left(row.target_at.isoformat())]
    minutes = pack.queues[row.queue].target_minutes if row.queue in pack.queues else None
    return _since(row.opened_at, late=minutes), again


def _since(moment: datetime, *, late: int | None = None) -> h.Element:
    return ago(moment.isoformat(), late_after=late)


def _at(moment: datetime) -> h.Element:
    return h.time(datetime=moment.isoformat(), data_at=moment.isoformat())


def _tags(pack: flows.Pack, row: Row, wanted: Sequence[str]) -> h.Node:
    feels = words.mood(pack, row.mood)
    return [
        h.span(class_=f"tag {'bad' if row.priority == 'urgent' else 'warn'}")[words.PRIORITIES[row.priority]]
        if row.priority in ("urgent", "high")
        else None,
        h.span(".tag.dim")[words.PRIORITIES["low"]] if row.priority == "low" else None,
        h.span(".tag.case")[words.category(pack, row.category)] if row.category else None,
        h.span(class_=f"tag mood {'bad' if row.mood in ('angry', 'threat') else 'warn'}")[feels] if feels else None,
        h.span(".tag.vip")[f"Закреплено: {row.manager}"]
        if row.manager and row.claim_until and row.state == State.QUEUED
        else None,
        h.span(".tag")[
            "Нужен навык: ", ", ".join(pack.skills[name].title if name in pack.skills else name for name in wanted)
        ]
        if wanted
        else None,
    ]


def _vip(row: Row) -> h.Node:
    return h.span(".tag.vip")["VIP"] if row.vip else None


def _orders(row: Row) -> h.Node:
    return h.span(".order")["Заказ ", ", ".join(row.orders)] if row.orders else None


def _do(row: Row, *, take: bool) -> h.Node:
    if row.state == State.QUEUED and take:
        return h.button(
            ".take", type="button", hx_post=f"{address(row)}/take", hx_swap="none", aria_label=f"Взять {row.number}"
        )["Взять"]
    if row.state in IN_HAND and row.agent:
        return h.span(".agent")[row.agent]
    if row.state == State.SOLVED and row.agent:
        return h.span(".agent.dim")[row.agent]
    if row.mark is not None:
        return h.span(".mark", aria_label=f"Оценка {row.mark} из 5")[
            "★" * row.mark, h.span(".dim")["★" * (5 - row.mark)]
        ]
    return h.span(".agent.dim")[row.agent] if row.agent else None


# ------------------------------------------------------------------------------------------------------------- words
def _line(text: str | None) -> str:
    line = " ".join(mask(text or "").split())
    return line if len(line) <= LINE else line[:LINE].rsplit(" ", 1)[0] + "…"


def _marked(text: str, found: Sequence[str]) -> h.Node:
    """The text with the words that were looked for marked: those that begin alike."""
    stems = [re.escape(word[: max(3, len(word) - 2)]) for word in found if len(word) > 2 or word.isdigit()]
    if not stems or not text:
        return text
    parts = re.split(rf"(?i)\b((?:{'|'.join(stems)})\w*)", text)
    return [h.mark[part] if place % 2 else part for place, part in enumerate(parts)]
