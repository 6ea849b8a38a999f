"""Marks: after a solved request the customer is asked once for a mark from 1 to 5, and may add a few words (KPI-03, KPI-05).

The question stands behind the words that the request is closed, so there is one question at a time: first whether it
helped, then the mark, then the words. What counts as words is the pack's (`flows.remark`); anything else that the customer
writes is answered as ever. A mark can be changed for some time.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations
from bot.models import LIVE, Conversation, Message, Request, Sender, State
from bot.timeline import Desk, log_event, notify, tell_of

SKIP, BACK = "skip", "back"
LONGEST_COMMENT = 2000


class Came(Enum):
    """What came of a press or of words."""

    NOTHING = auto()
    # they are none of ours: to be answered like any other
    TAKEN = auto()
    BACK = auto()
    # the customer goes back to the matter: the request is to be opened again


# ---------------------------------------------------------------------------------------------------------- asking
async def question(
    session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, *, now: datetime
) -> str | None:
    """The phrase that asks for the mark of a request that is being closed, or None; it counts as asked then.

    Asked once a request, when a person has written to the customer and solved it. Not of spam, not of what goes on in
    another request, and not while something else is asked or another request waits or is in hand.
    """
    asks = desk.pack.manifest.marks
    if asks is None or request.mark_asked_at is not None or request.mark is not None:
        return None
    served = request.answered_at is not None and request.resolution == "solved" and request.joined_into is None
    if not served or conversation.spam_at is not None or conversations.remembered(conversation).asking is not None:
        return None
    if await _another(session, request):
        return None
    request.mark_asked_at = now
    await log_event(session, request, "mark_asked", now)
    return asks.ask


async def _another(session: AsyncSession, request: Request) -> bool:
    """Whether the customer has another request that waits, is in hand or is just solved, or an agent who speaks in one."""
    others = select(Request.id).where(
        Request.conversation_id == request.conversation_id, Request.id != request.id,
        Request.state.in_((*LIVE, State.SOLVED)), ~Request.task | Request.talking,
    )  # fmt: skip
    return await session.scalar(others.limit(1)) is not None


# -------------------------------------------------------------------------------------------------------- pressing
async def pressed(
    session: AsyncSession, desk: Desk, conversation: Conversation, press: str | None, *, now: datetime
) -> tuple[Came, Request | None]:
    """Take a press of one of our buttons (`mark:5:T-1001`); with it the request, when it is one of this conversation."""
    asks = desk.pack.manifest.marks
    what, _, number = (press or "").removeprefix(flows.MARK).partition(":")
    if asks is None or press is None or not press.startswith(flows.MARK) or not number:
        return Came.NOTHING, None
    request = await session.scalar(
        select(Request).where(Request.number == number, Request.conversation_id == conversation.id)
    )
    if request is None or request.mark_asked_at is None:
        return Came.NOTHING, None
    if now > request.mark_asked_at + timedelta(hours=asks.hours):
        await notify(session, desk, conversation, asks.over, request, now=now)
        return Came.TAKEN, request
    match what:
        case "skip":
            await _skip(session, desk, conversation, request, now)
        case "back":
            return (Came.BACK if await _may_go_back(session, request) else Came.NOTHING), request
        case _ if what in "12345":
            await give(session, desk, conversation, request, int(what), now=now)
        case _:
            return Came.NOTHING, None
    return Came.TAKEN, request


async def give(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    request: Request,
    mark: int,
    *,
    now: datetime,
    comment: str | None = None,
) -> None:
    """Store a mark, the first or another, and thank for it; the first time a few words are asked for."""
    asks = desk.pack.manifest.marks
    assert asks is not None
    before = request.mark
    if before != mark:
        request.mark, request.marked_at = mark, now
        await log_event(session, request, "marked", now, data={"mark": mark, "before": before})
        tell_of(session, conversation, "mark", request=request.number, mark=mark)
    if comment:
        await _keep(session, request, comment, now)
    last = await conversations.last_said(session, conversation.id)
    if before == mark and _is_ours(last, request) and not _asks_for_mark(last):
        return  # pressed twice: the answer to it stands there already
    alone = request.state in LIVE or await _another(session, request)
    worse = mark <= asks.low and (before is None or before > asks.low)
    if alone or comment or (before is not None and not worse):
        phrase = asks.commented if comment and not alone else asks.noted
    else:
        phrase = asks.sorry if mark <= asks.low else asks.thanks
    await notify(session, desk, conversation, phrase, request, now=now)


async def _skip(session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, now: datetime) -> None:
    """No words are wanted. Said once, and only while they are asked for."""
    last = await conversations.last_said(session, conversation.id)
    if _is_ours(last, request) and (_asks_for_words(last) or _asks_for_mark(last)):
        asks = desk.pack.manifest.marks
        assert asks is not None
        await notify(session, desk, conversation, asks.skipped, request, now=now)


async def _may_go_back(session: AsyncSession, request: Request) -> bool:
    return request.state in (State.SOLVED, State.CLOSED) and not await _another(session, request)


# --------------------------------------------------------------------------------------------------------- writing
async def heard(
    session: AsyncSession, desk: Desk, conversation: Conversation, turn: flows.Turn, lines: list[Message]
) -> tuple[Came, Request | None]:
    """Take what was written to our question, if nothing else was said since and the words are an answer to it.

    The mark may be written too («пять», «5, всё отлично»). What is commented belongs to the request.
    """
    asks, now = desk.pack.manifest.marks, turn.now
    last = await conversations.last_said(session, conversation.id)
    if asks is None or last is None or last.request_id is None or last.sender != Sender.SYSTEM:
        return Came.NOTHING, None
    for_words, for_mark = _asks_for_words(last), _asks_for_mark(last)
    lasts = timedelta(minutes=asks.comment_minutes) if for_words else timedelta(hours=asks.hours)
    if not (for_words or for_mark) or now > last.at + lasts:
        return Came.NOTHING, None
    found = flows.remark(desk.pack, turn, for_words=for_words)
    if found is None:
        return Came.NOTHING, None
    request = await session.get_one(Request, last.request_id)
    if found.back:
        if not await _may_go_back(session, request):
            return Came.NOTHING, None
        await _keep(session, request, found.comment or "", now)
        return Came.BACK, request
    for line in lines:
        line.request_id = request.id
    if found.mark is not None:
        await give(session, desk, conversation, request, found.mark, now=now, comment=found.comment)
    elif found.declined:
        await _skip(session, desk, conversation, request, now)
    else:
        await _keep(session, request, found.comment or "", now)
        await notify(session, desk, conversation, asks.commented, request, now=now)
    return Came.TAKEN, request


async def _keep(session: AsyncSession, request: Request, comment: str, now: datetime) -> None:
    """Keep the words; the timeline knows that there are some, not which."""
    if comment.strip():
        said = [request.mark_comment, comment.strip()]
        request.mark_comment = "\n".join(filter(None, said))[:LONGEST_COMMENT]
        await log_event(session, request, "mark_commented", now)


def _is_ours(last: Message | None, request: Request) -> bool:
    return last is not None and last.sender == Sender.SYSTEM and last.request_id == request.id


def _asks_for_mark(last: Message | None) -> bool:
    return _has(last, f"{flows.MARK}5:")


def _asks_for_words(last: Message | None) -> bool:
    return _has(last, f"{flows.MARK}{SKIP}:")


def _has(last: Message | None, value: str) -> bool:
    return last is not None and any(one["value"].startswith(value) for one in last.buttons)
