"""The outcome of a turn: what was decided is stored together with everything that it asks for.

Requests first, then the words: no customer hears of a request that does not exist (CX-02).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, events, guesses, labels, metrics, requests, timeline
from bot.deciding import Tools
from bot.errors import AlreadyJoined, RequestGone, StoreUnavailable
from bot.models import Conversation, Message, Request, Sender, State, TurnRow
from bot.timeline import Desk

log = logging.getLogger(__name__)

_TURN: TypeAdapter[flows.Turn] = TypeAdapter(flows.Turn)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A turn, and what was decided upon it."""

    lines: list[Message]
    # the customer's, as they were stored
    turn: flows.Turn
    # with all facts that the decision rests on
    decision: flows.Decision
    waiting: Request | None = None
    # the request that waited in a queue meanwhile (ruling 16)
    error: str | None = None
    # class of what went wrong inside
    ms: int = 0
    waited: bool = False
    # the customer was asked for patience meanwhile


async def store(session: AsyncSession, tools: Tools, conversation: Conversation, outcome: Outcome) -> int:
    """Store a turn with what explains it, carry its decision out, and keep what a trainer should see; return its id."""
    turn, decision = outcome.turn, outcome.decision
    read = flows.to_json(turn.parse) if turn.parse else None
    row = TurnRow(
        conversation_id=conversation.id, at=turn.now, parse=read, facts=_facts(turn), error=outcome.error,
        ms=outcome.ms, given=_TURN.dump_python(replace(turn, parse=None, facts={}, changes=()), mode="json"),
        rules=list(decision.rules), decision=flows.to_json(decision),
        pack=f"{tools.pack.manifest.name}@{tools.pack.version}", model=turn.parse.model if turn.parse else "",
    )  # fmt: skip
    session.add(row)
    await session.flush()
    for line in outcome.lines:
        line.turn_id, line.read_at = row.id, turn.now
    await _carry_out(session, tools, conversation, outcome, row)
    await guesses.note(session, tools.pack, turn, decision.state)
    metrics.TURNS.labels(conversation.channel, _came_of(outcome)).inc()
    if read is not None:
        reasons = [name for name, holds in (("unsure", decision.unsure), ("handoff", decision.handoff)) if holds]
        for reason in reasons:
            await labels.collect(session, row.id, conversation.id, turn.text, reason, now=turn.now, read=read)
    return row.id


# ------------------------------------------------------------------------------------------------- carrying it out
async def _carry_out(
    session: AsyncSession, tools: Tools, conversation: Conversation, outcome: Outcome, row: TurnRow
) -> None:
    """Store requests first, then the words: no customer hears of a request that does not exist (CX-02)."""
    turn, decision, waiting = outcome.turn, outcome.decision, outcome.waiting
    desk, now, state, messages = tools.desk, turn.now, decision.state, decision.messages
    opened: Request | None = None
    tasks: list[Request] = []
    stored = True
    if conversation.spam_at is not None and (decision.handoff is not None or decision.cases):
        log.info("spam_not_handed_over", extra={"conversation": conversation.id})
        messages = () if decision.cases else messages
        state = _as_if_not_handed_over(turn, state)
        decision = replace(decision, handoff=None, cases=())
    if decision.handoff is not None or decision.cases:
        try:
            opened, tasks = await _store_requests(session, desk, conversation, outcome)
        except StoreUnavailable:
            stored = False
            state = _as_if_not_handed_over(turn, state)
            messages = () if decision.cases else messages
    if outcome.waited and tools.patience is not None:
        messages = tools.patience.thanks(turn, messages)
    conversation.state = flows.to_json(state)
    for said in messages:
        await conversations.say(
            session, desk.jobs, conversation.id, Sender.BOT, said, now=now, turn_id=row.id,
            request_id=waiting.id if waiting else None,
        )  # fmt: skip
    if not stored:
        queue = decision.handoff.queue if decision.handoff else decision.cases[0].queue
        store_down = tools.pack.manifest.notices.store_down
        await timeline.notify(session, desk, conversation, store_down, None, now=now, queue=queue)
    if opened is not None and decision.handoff is not None:
        await requests.belong(session, opened, outcome.lines)
        await requests.announce(session, desk, conversation, opened, decision.handoff.notice, now=now)
    if tasks:
        await _tell_numbers(session, desk, conversation, tasks, outcome)
    if decision.cancel_request:
        try:
            await requests.cancel(session, desk, conversation, now=now)
        except (RequestGone, AlreadyJoined):
            log.info("nothing_to_cancel", extra={"conversation": conversation.id})
    elif waiting is not None:
        before = len(turn.state.answered)
        answered = [asdict(one) for one in decision.state.answered[before:]]
        await requests.append(
            session, desk, waiting, outcome.lines, now=now, why=decision.append, answered=answered
        )  # fmt: skip
        if outcome.error is not None:
            await requests.announce(session, desk, conversation, waiting, None, now=now)


def _came_of(outcome: Outcome) -> str:
    """What came of a turn, in one word (metrics)."""
    if outcome.error is not None:
        return "error"
    if outcome.decision.handoff is not None:
        return "handed_over"
    return "added" if outcome.waiting is not None else "answered"


async def _store_requests(
    session: AsyncSession, desk: Desk, conversation: Conversation, outcome: Outcome
) -> tuple[Request | None, list[Request]]:
    """Store the handoff and the tasks of a decision, all or none; return their requests."""
    turn, decision = outcome.turn, outcome.decision
    if flows.Unavailable.STORE in turn.down:
        raise StoreUnavailable
    point, opened, tasks = events.mark(session), None, []
    try:
        async with session.begin_nested():
            if decision.handoff is not None:
                old = await requests.current(session, conversation.id)
                if old is not None and old.state == State.SOLVED:
                    await requests.close(session, desk, conversation, old, None, now=turn.now)
                metrics.HANDOFFS.labels(metrics.label(decision.handoff.queue), "handoff").inc()
                opened = await requests.open_request(
                    session, desk, conversation, decision.handoff, now=turn.now, card=_card(turn, decision.handoff),
                    asked_at=await _raised_at(session, conversation, outcome),
                )  # fmt: skip
            for case in decision.cases:
                metrics.HANDOFFS.labels(metrics.label(case.queue), "case").inc()
                tasks.append(await requests.open_request(session, desk, conversation, case, now=turn.now, task=True))
    except DBAPIError as error:
        if store_failed(error):
            raise
        events.forget_since(session, point)
        log.exception("request_not_stored", extra={"conversation": conversation.id})
        raise StoreUnavailable from error
    return opened, tasks


async def _raised_at(session: AsyncSession, conversation: Conversation, outcome: Outcome) -> datetime:
    """When the customer wrote the message that raised what is handed over: the first on this topic (ESC-05, AMB-01)."""
    now, handoff = outcome.lines[0].at, outcome.decision.handoff
    since = handoff.since if handoff else 0
    if not 0 < since <= outcome.turn.state.turns:
        return now
    turn = (
        select(TurnRow.id)
        .where(
            TurnRow.conversation_id == conversation.id, TurnRow.given["state"]["turns"].as_integer() == since - 1
        )
        .order_by(TurnRow.id.desc())
        .limit(1)
    )  # fmt: skip
    first = await session.scalar(select(func.min(Message.at)).where(Message.turn_id == turn.scalar_subquery()))
    return min(first, now) if first is not None else now


async def _tell_numbers(
    session: AsyncSession, desk: Desk, conversation: Conversation, tasks: Sequence[Request], outcome: Outcome
) -> None:
    """Tell the numbers of work that goes beside the answers, in one line, and until when it is done (CX-13).

    The time is left out where a phrase of this turn has promised another one.
    """
    due = {task.due for task in tasks if task.due is not None}
    new = outcome.decision.state.promised[len(outcome.turn.state.promised) :]
    promised = {datetime.fromisoformat(one["due"]) for one in new if one.get("due")}
    seen = flows.OpenRequest(
        number=", ".join(task.number for task in tasks), state="", queue=tasks[0].queue, is_case=True,
        due=max(due).isoformat() if promised <= due else None,
    )  # fmt: skip
    await timeline.tell_customer(
        session, desk, conversation, desk.pack.manifest.notices.noted, seen, now=outcome.turn.now, request_id=tasks[0].id
    )  # fmt: skip


def _as_if_not_handed_over(turn: flows.Turn, state: flows.ConversationState) -> flows.ConversationState:
    """The state after a handoff that could not be stored: what the next try needs is still there."""
    words = (*turn.state.words, turn.text) if turn.text.strip() else turn.state.words
    return replace(
        state, words=words, answered=turn.state.answered, promised=turn.state.promised,
        attachments=(*turn.state.attachments, *turn.attachments),
    )  # fmt: skip


def _card(turn: flows.Turn, handoff: flows.Handoff) -> Mapping[str, Any] | None:
    """The customer's card, if the turn has looked it up: of who is identified, else of who the account is linked to.

    Whose account it is decides about the place in the queue (VIP-01) before anybody is identified; it shows nothing.
    """
    identified = (handoff.summary.get("customer") or {}).get("id")
    linked = ("account", f"{turn.channel}:{turn.chat}")
    for key, answer in turn.facts.items():
        if key.source == "customer" and isinstance(answer, Mapping):
            if identified is not None and answer.get("id") == identified:
                return answer
            if identified is None and linked in tuple(key.args):
                return answer
    return None


def _facts(turn: flows.Turn) -> list[dict[str, Any]]:
    """Facts as stored with the turn: what was known, each change, and what was known after it."""
    told = _answers(turn.facts)
    for change in turn.changes:
        told.append({"act": change.act.key, "result": dict(change.result)})
        told += _answers(change.facts)
    return told


def _answers(facts: Mapping[flows.Lookup, Any]) -> list[dict[str, Any]]:
    return [{"source": key.source, "args": dict(key.args), "answer": answer} for key, answer in facts.items()]


def store_failed(error: Exception) -> bool:
    """Whether the database itself failed, not what was asked of it: then the lines stay unread and the job comes again."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or isinstance(error, OperationalError | InterfaceError)
    return isinstance(error, SQLAlchemyError) and not isinstance(error, StatementError)  # a value that cannot be stored
