"""Actions that can be undone: for a few seconds they are only planned, then a job does them.

Nothing is told to the customer before. What can be refused is refused when it is planned: the action is rehearsed in a
savepoint that is rolled back. When its time has come it may have become impossible after all; then the agent is told why
(`bot.desk.news`). The row is what counts, not the job: `recover` finds rows whose job was lost.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, desk, events
from bot.desk import shift
from bot.desk.hands import lock_all
from bot.errors import CustomerWrote, FirstlineError, NothingToUndo, PlannedAlready
from bot.jobs import PLANNED, Jobs
from bot.models import Agent, Message, Planned, Request, Sender
from bot.sentences import broken, not_done
from bot.timeline import Desk

log = logging.getLogger(__name__)

TIMES = ("until", "due", "at")
"""Arguments that are moments; stored as ISO 8601."""
LOST = timedelta(seconds=3)
"""A row so long past its time has lost its job."""


@dataclass(frozen=True, slots=True)
class Action:
    """An action of the desk that can be undone."""

    do: Callable[..., Awaitable[Any]]
    ends: bool = False
    # the agent has nothing more to do with the request afterwards
    unheard: bool = False
    # not done when the customer has written meanwhile


ACTIONS: Mapping[str, Action] = {
    "decline": Action(desk.decline, ends=True),
    "transfer": Action(desk.transfer, ends=True),
    "resolve": Action(desk.resolve, ends=True, unheard=True),
    "wait": Action(desk.wait, unheard=True),
    "spam": Action(desk.spam, ends=True, unheard=True),
    "join": Action(desk.join),
    "open_case": Action(desk.open_case),
    "call_back": Action(desk.call_back),
    "called": Action(desk.called, ends=True, unheard=True),
    "prioritise": Action(desk.prioritise),
}
"""By the name of the function in `bot.desk`."""


# --------------------------------------------------------------------------------------------------------- planning
async def plan(
    session: AsyncSession,
    work: Desk,
    agent_name: str,
    action: str,
    request: Request,
    *,
    now: datetime,
    undo: timedelta,
    **args: Any,
) -> Planned:
    """Plan an action on a request; without time for undoing it is done at once. Refused like the action itself.

    Where another action on the request is planned already: one after which the agent goes on with the request is done
    now; one that gives it away or ends it has to be undone first (`PlannedAlready`).
    """
    given = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in args.items()}
    request_id, conversation_id = request.id, request.conversation_id
    agent_id = (await agents.get(session, agent_name)).id
    await lock_all(session, [conversation_id, *await _others(session, given)])
    before = await _waiting(session, request_id)
    if before is not None:
        if ACTIONS[before.action].ends:
            raise PlannedAlready
        await _settle(session, work, before, now)
    row = Planned(
        request_id=request_id, agent_id=agent_id, action=action, args=given, at=now, due=now + undo,
        last_id=await _newest(session, conversation_id), state="planned",
    )  # fmt: skip
    if undo > timedelta(0):
        await _rehearse(session, work, agent_name, conversation_id, row, now)
    else:
        await _do(session, work, agent_name, conversation_id, row, now)
        row.state = "done"
    session.add(row)
    await session.flush()
    if row.state == "planned":
        await work.jobs.add(session, PLANNED, conversation_id, delay=undo.total_seconds())
    return row


async def _rehearse(
    session: AsyncSession, work: Desk, agent_name: str, conversation_id: int, row: Planned, now: datetime
) -> None:
    """Do an action and take all of it back; raises what it raises."""
    point = events.mark(session)
    async with session.begin_nested() as savepoint:
        await _do(session, work, agent_name, conversation_id, row, now)
        await savepoint.rollback()
    events.forget_since(session, point)


async def undo(session: AsyncSession, agent_id: int, request_id: int) -> Planned:
    """Let an agent's planned action on a request be none. NothingToUndo once it is done."""
    row = await _waiting(session, request_id)
    if row is None or row.agent_id != agent_id:
        raise NothingToUndo
    row.state = "undone"
    await session.flush()
    return row


async def pending(session: AsyncSession, request_id: int) -> Planned | None:
    """The action on a request that is about to be done."""
    return await session.scalar(select(Planned).where(Planned.request_id == request_id, Planned.state == "planned"))


# ------------------------------------------------------------------------------------------------------------ doing
async def do_due(session: AsyncSession, work: Desk, conversation_id: int, now: datetime) -> float | None:
    """Do what is due in a conversation; return the seconds until the next is, None when nothing else is planned."""
    rows = await _of_conversation(session, conversation_id)
    due = [row for row in rows if row.due <= now]
    await lock_all(session, await _touched(session, due))
    await _do_all(session, work, due, now)
    return min(((row.due - now).total_seconds() for row in rows if row not in due), default=None)


async def end_shift(session: AsyncSession, work: Desk, agent_name: str, *, now: datetime) -> list[Request]:
    """End somebody's shift, whoever ends it: what they have just decided is done at once, not lost with the shift; what they
    still work on goes back to its queue, and is returned."""
    agent = await agents.lock(session, agent_name)
    decided = select(Planned).where(Planned.agent_id == agent.id, Planned.state == "planned")
    rows = (await session.scalars(decided.order_by(Planned.due, Planned.id))).all()
    held = await shift.worked_on(session, agent)
    await lock_all(session, {*held.values(), *await _touched(session, rows)})
    await _do_all(session, work, rows, now)
    return await shift.stop(session, work, agent, held, now=now)


async def recover(session: AsyncSession, jobs: Jobs, *, now: datetime) -> int:
    """Add jobs for what is past its time: a job may have been lost, the rows are not. Returns the number added."""
    left = (
        select(Request.conversation_id)
        .join(Planned, Planned.request_id == Request.id)
        .where(Planned.state == "planned", Planned.due < now - LOST)
    )
    found = (await session.scalars(left.distinct().order_by(Request.conversation_id))).all()
    added = 0
    for conversation_id in await jobs.missing(session, PLANNED, found):
        added += await jobs.add(session, PLANNED, conversation_id)
    return added


async def _touched(session: AsyncSession, rows: Sequence[Planned]) -> set[int]:
    """The conversations that planned actions touch."""
    touched: set[int] = set()
    for row in rows:
        request = await session.get(Request, row.request_id)
        touched |= {request.conversation_id} if request else set()
        touched |= {*await _others(session, row.args)}
    return touched


async def _do_all(session: AsyncSession, work: Desk, rows: Sequence[Planned], now: datetime) -> None:
    """Do planned actions in order; their conversations are locked."""
    for row in rows:
        again = await _waiting(session, row.request_id)
        if again is not None and again.id == row.id:  # not undone or done meanwhile
            await _settle(session, work, again, now)


async def _settle(session: AsyncSession, work: Desk, row: Planned, now: datetime) -> None:
    """Do a planned action, or tell the agent why not. Its conversation is locked."""
    agent = await session.get_one(Agent, row.agent_id)
    request = await session.get_one(Request, row.request_id)
    name, number, conversation_id = agent.name, request.number, request.conversation_id
    point = events.mark(session)
    try:
        async with session.begin_nested():
            await _do(session, work, name, conversation_id, row, now)
        row.state = "done"
    except SQLAlchemyError:
        raise
    except Exception as error:
        events.forget_since(session, point)
        row.state = "refused"
        if isinstance(error, FirstlineError) and error.status < 500:
            row.why = not_done(number, error)
        else:
            row.why = broken(number)
            log.exception("planned_failed", extra={"planned": row.id, "action": row.action})
    await session.flush()


async def _do(
    session: AsyncSession, work: Desk, agent_name: str, conversation_id: int, row: Planned, now: datetime
) -> None:
    action = ACTIONS[row.action]
    if action.unheard and await _newest(session, conversation_id) > row.last_id:
        raise CustomerWrote
    args = {key: datetime.fromisoformat(value) if key in TIMES and value else value for key, value in row.args.items()}
    await action.do(session, work, agent_name, conversation_id, now=now, request_id=row.request_id, **args)


# ---------------------------------------------------------------------------------------------------------- finding
async def _waiting(session: AsyncSession, request_id: int) -> Planned | None:
    """The planned action on a request, locked: whoever undoes it or does it comes first."""
    return await session.scalar(
        select(Planned)
        .where(Planned.request_id == request_id, Planned.state == "planned")
        .with_for_update()
        .execution_options(populate_existing=True)
    )


async def _of_conversation(session: AsyncSession, conversation_id: int) -> Sequence[Planned]:
    found = await session.scalars(
        select(Planned)
        .join(Request, Request.id == Planned.request_id)
        .where(Request.conversation_id == conversation_id, Planned.state == "planned")
        .order_by(Planned.due, Planned.id)
    )
    return found.all()


async def _others(session: AsyncSession, args: Mapping[str, Any]) -> list[int]:
    """Conversations that an action touches besides its own: that of the request to be joined."""
    number = args.get("other")
    if not number:
        return []
    found = await session.scalars(select(Request.conversation_id).where(Request.number == str(number).strip().upper()))
    return list(found)


async def _newest(session: AsyncSession, conversation_id: int) -> int:
    """The newest line that the customer wrote; a press of a button is none of their words."""
    newest = await session.scalar(
        select(func.max(Message.id)).where(
            Message.conversation_id == conversation_id, Message.sender == Sender.CUSTOMER, Message.press.is_(None),
            ~Message.stale_press,
        )
    )  # fmt: skip
    return int(newest or 0)
