"""Search over requests, live and over: by number, order, telephone number, name, and the words of the talk.

A telephone number is found however it is written, here and there (`firstline_phones` of migration 0004). Words are looked
for by PostgreSQL's own full text search in Russian, so that «посылку» finds «посылка» and «ёлка» finds «елка»; `pg_trgm`,
which would find misspelt ones too, is not in every PostgreSQL (the embedded one has it not). The bot's words are left out:
it says the same to everybody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, case, func, literal, select, true, union_all
from sqlalchemy import text as sql
from sqlalchemy.ext.asyncio import AsyncSession

from bot.listing import PAGE, Page, page_of, rows_of
from bot.models import LIVE, Conversation, Message, Request
from bot.sight import Scope, seen_by

NEWEST = 400
"""Of the conversations in which a word was said, and of the requests of people of a name, the newest so many are looked at."""
ENDS = "(ARRAY[right(call_phone, 10), right(call_phone, 4), right(summary #>> '{customer,phone_masked}', 4)])"
CARD = "to_tsvector('russian', coalesce(requests.summary #>> '{customer,name}', ''))"
ACCOUNT = "to_tsvector('russian', coalesce(conversations.name, ''))"
SAID = "messages.sender IN ('customer', 'agent', 'note') AND messages.press IS NULL"
NUMBERED = "messages.sender = 'customer' AND (messages.text ~ '[0-9]{2}' OR messages.contact IS NOT NULL)"
# as the indexes of migration 0004 have them, letter by letter


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What somebody looks for, in all its possible meanings."""

    text: str
    number: str | None = None
    # of a request: T-1042
    order: str | None = None
    phone: str | None = None
    # its last ten digits
    tail: str | None = None
    # the four digits that a masked number shows
    name: str | None = None
    # the beginnings of a name's parts, as a tsquery
    words: str | None = None
    # as a tsquery …
    exactly: str | None = None
    # … or as it was typed, with "quotes" and -minus

    @classmethod
    def of(cls, text: str) -> Question:
        """Read what was typed. `1042` may be a request, an order and the end of a telephone number at the same time."""
        text = " ".join(text.split())[:200]
        digits = re.sub(r"[^0-9]", "", text)
        number = re.fullmatch(r"[TТtт]?\s?[-–—]?\s?(\d{3,9})", text)
        order = re.fullmatch(r"(?:№|#|заказ\s)?\s*№?\s*([0-9A-Za-zА-Яа-я-]*[0-9][0-9A-Za-zА-Яа-я-]*)", text)
        written = re.fullmatch(r"[+0-9 ().–\-]+", text) is not None
        phone = digits[-10:] if written and 10 <= len(digits) <= 12 else None
        names = re.findall(r"[^\W\d_]{2,}", text.lower())
        words = [] if phone else re.findall(r"\w{2,}", text.lower().replace("_", " "))
        exactly = text if re.search(r'"|(^|\s)-\w', text) and not phone else None
        return cls(
            text=text, number=f"T-{number[1]}" if number else None, order=order[1] if order else None, phone=phone,
            tail=digits if written and len(digits) == 4 else None,
            name=" & ".join(f"{word}:*" for word in names) if names and not digits and len(names) <= 4 else None,
            words=" & ".join(f"{word}:*" if len(word) > 3 else word for word in words) or None,
            exactly=exactly,
        )  # fmt: skip


async def find(
    session: AsyncSession, scope: Scope, question: Question, *, customers: Sequence[str] = (), limit: int = PAGE
) -> Page:
    """Requests that a question may mean, the surest and newest first. `customers`: whose telephone number it is, as the
    CRM knows. Rows that were found by a line of the talk have it as `said`."""
    found = [one.subquery() for one in _meanings(question, scope, customers)]
    if not found:
        return Page()
    every = union_all(*(select(one) for one in found)).subquery("every")
    each = (
        select(every.c.request_id, func.min(every.c.sure).label("sure"), func.max(every.c.said).label("said"))
        .group_by(every.c.request_id)
        .subquery("each")
    )
    order = (each.c.sure, case((Request.state.in_(LIVE), 0), else_=1), Request.id.desc())
    place = func.row_number().over(order_by=order).label("place")
    chosen = (
        select(Request.id, place, each.c.said)
        .join(each, each.c.request_id == Request.id)
        .order_by(*order)
        .limit(limit + 1)
        .subquery("chosen")
    )
    return await page_of(session, rows_of(chosen).add_columns(chosen.c.said).order_by(chosen.c.place), limit)


def _meanings(question: Question, scope: Scope, customers: Sequence[str]) -> list[Select[Any]]:
    """Queries for {request_id, sure, said}, one for each meaning; `sure`: 0 is surest."""
    found: list[Select[Any]] = []

    def meaning(sure: int, condition: ColumnElement[bool]) -> None:
        found.append(_meaning(sure, scope, condition))

    if question.number:
        meaning(0, Request.number == question.number)
    if question.order:
        meaning(1, Request.orders.op("&&")([question.order]))
    if customers:
        meaning(1, Request.customer_id.in_(customers))
    if ends := [one for one in (question.phone, question.tail) if one]:
        meaning(1, _where(f"{ENDS} && CAST(:ends AS text[])", ends=ends))
    if question.phone:
        said = f"{NUMBERED} AND firstline_phones(messages.text, messages.contact) && CAST(:phones AS text[])"
        found.append(_said(1, scope, _where(said, phones=[question.phone])))
    if question.name:
        called = select(Conversation.id).where(_where(f"{ACCOUNT} @@ to_tsquery('russian', :name)", name=question.name))
        meaning(2, _where(f"{CARD} @@ to_tsquery('russian', :name)", name=question.name))
        meaning(2, Request.conversation_id.in_(called))
    if question.exactly or question.words:
        query = "websearch_to_tsquery" if question.exactly else "to_tsquery"
        said = f"{SAID} AND to_tsvector('russian', messages.text) @@ {query}('russian', :words)"
        found.append(_said(3, scope, _where(said, words=question.exactly or question.words)))
    return found


def _where(condition: str, **values: object) -> ColumnElement[bool]:
    """A condition written as SQL, so that it is the index's own."""
    return sql(condition).bindparams(**values)  # type: ignore[return-value]


def _meaning(sure: int, scope: Scope, condition: ColumnElement[bool]) -> Select[Any]:
    columns: tuple[ColumnElement[Any], ...] = (
        Request.id.label("request_id"), literal(sure).label("sure"), literal(None, Text).label("said"),
    )  # fmt: skip
    return select(*columns).where(condition, seen_by(scope)).order_by(Request.id.desc()).limit(NEWEST)


def _said(sure: int, scope: Scope, condition: ColumnElement[bool]) -> Select[Any]:
    """The newest request that may be seen of each conversation in which such a line was said."""
    newest = func.max(Message.id).label("line")
    lines = (
        select(Message.conversation_id, newest)
        .where(condition)
        .group_by(Message.conversation_id)
        .order_by(newest.desc())
        .limit(NEWEST)
        .subquery()
    )
    of_it = (
        select(Request.id)
        .where(Request.conversation_id == lines.c.conversation_id, seen_by(scope))
        .order_by(Request.id.desc())
        .limit(1)
        .lateral()
    )
    columns: tuple[ColumnElement[Any], ...] = (
        of_it.c.id.label("request_id"), literal(sure).label("sure"), Message.text.label("said"),
    )  # fmt: skip
    found: Select[Any] = select(*columns).select_from(lines.join(of_it, true()))
    return found.join(Message, Message.id == lines.c.line)
