"""A turn: the customer's unread lines, what is decided upon them, and all of it stored in one transaction.

Never a stuck conversation: what goes wrong while deciding hands the conversation to people; what goes wrong with the store
leaves the lines unread, and the job comes again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import takewhile
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, events, files, marks, metrics, requests, timeline
from bot.deciding import Tools as Tools
from bot.deciding import decide, to_people
from bot.errors import NluUnavailable
from bot.models import Conversation, Message, Request, Sender
from bot.outcome import Outcome, store, store_failed
from bot.patience import waited
from bot.timeline import tell_of

log = logging.getLogger(__name__)

READ_TOGETHER = 10
"""So many lines are one turn at most: what was written during a long outage is answered in portions."""
LONGEST_BURST = 5
"""A burst is waited for at most this many quiet windows."""
YES = "affirm"
HELPED = (YES, "thanks", "goodbye")
"""Intents that leave a solved request solved; a pack's setting `helped_intents` replaces them."""


class Back(Enum):
    """What a customer's line says of a request that was solved."""

    HELPED = auto()
    # it may be closed
    NOTHING = auto()
    # thanks, an old button: the bot answers, the time for coming back runs on
    REOPEN = auto()


# ------------------------------------------------------------------------------------------------------- the turn
async def take_turn(session: AsyncSession, tools: Tools, conversation_id: int) -> int:
    """Answer the unread lines of a conversation that are read together; return how many they were. Twice does no harm.

    What is left (words after a press) is a turn of its own, in a transaction of its own.
    """
    conversation = await conversations.lock(session, conversation_id)
    if conversation is None:
        return 0
    lines = await conversations.unread(session, conversation_id)
    if not lines:
        return 0
    now = tools.clock.now()
    if tools.quiet and (rest := _still_coming(lines, tools.quiet, await _stored_now(session))) > 0:
        await tools.desk.jobs.turn(session, conversation_id, delay=rest)
        return 0
    first = _together(lines)
    with metrics.TURN_SECONDS.labels(conversation.channel).time():
        await _serve_safely(session, tools, conversation, first, now)
    if len(first) < len(lines):
        await tools.desk.jobs.turn(session, conversation_id)
    return len(first)


async def _stored_now(session: AsyncSession) -> datetime:
    """The time by the clock that says when lines were stored."""
    now: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return now


def _still_coming(lines: Sequence[Message], quiet: timedelta, now: datetime) -> float:
    """Seconds to wait for the rest of a burst; 0 when it is over, has lasted long, or a button was pressed."""
    if any(line.press is not None or line.stale_press or line.contact for line in lines):
        return 0.0
    stored = [line.stored_at for line in lines]
    if now - min(stored) >= quiet * LONGEST_BURST:
        return 0.0
    return (quiet - (now - max(stored))).total_seconds()


def _together(lines: Sequence[Message]) -> list[Message]:
    """The first lines that are read together: written ones up to a press, or a press, which counts once if repeated."""

    def pressed(line: Message) -> tuple[str | None, bool]:
        return line.press, line.stale_press

    return list(takewhile(lambda line: pressed(line) == pressed(lines[0]), lines))[:READ_TOGETHER]


async def _serve_safely(
    session: AsyncSession, tools: Tools, conversation: Conversation, lines: list[Message], now: datetime
) -> None:
    """Serve a group of lines; when anything but the connection fails, undo it and hand the conversation to people."""
    point, conversation_id, ids = events.mark(session), conversation.id, [line.id for line in lines]
    try:
        async with session.begin_nested():
            await _serve(session, tools, conversation, lines, now)
        return
    except Exception as caught:
        if store_failed(caught):
            raise
        error = caught
    log.error("turn_undone", extra={"conversation": conversation_id}, exc_info=error)
    events.forget_since(session, point)
    again = await conversations.lock(session, conversation_id)
    assert again is not None
    lines = [line for line in await conversations.unread(session, again.id) if line.id in ids]
    turn = _given(again, lines, now, tools.down())
    live = await requests.live(session, again.id, now=now)
    if live.talking is not None:  # a person is there already
        await requests.heard(session, tools.desk, again, live.talking, lines, now=now)
        _read_by_now(lines, now)
        return
    if (waiting := live.waiting) is not None:
        turn = replace(turn, request=await timeline.describe(session, waiting, now=now))
    decision = to_people(tools.pack, turn)
    made = Outcome(lines=lines, turn=turn, decision=decision, waiting=waiting, error=type(error).__name__)
    await store(session, tools, again, made)


async def _serve(
    session: AsyncSession, tools: Tools, conversation: Conversation, lines: list[Message], now: datetime
) -> None:
    """One group of lines: to the agent who speaks with the customer, back to a solved request, or to the bot."""
    live = await requests.live(session, conversation.id, now=now)
    missing = await files.not_kept(session, lines)
    turn = _given(conversation, lines, now, tools.down(), missing)
    came, marked = await marks.pressed(session, tools.desk, conversation, turn.press, now=now)
    if came is not marks.Came.NOTHING:
        await _of_a_mark(session, tools, conversation, lines, turn, came, marked)
        return
    if live.talking is not None:
        await _to_agent(session, tools, conversation, lines, turn, live.talking)
        return
    if missing and not (turn.text.strip() or turn.attachments or turn.contact):  # the customer was told of that already
        _read_by_now(lines, now)
        return
    async with tools.attention.shown(conversation.channel, conversation.chat):
        await _to_bot(session, tools, conversation, lines, turn, live)


async def _to_bot(
    session: AsyncSession,
    tools: Tools,
    conversation: Conversation,
    lines: list[Message],
    turn: flows.Turn,
    live: requests.Live,
) -> None:
    """The bot answers, unless what was said belongs to a solved request."""
    begun, now = time.perf_counter(), turn.now
    turn, notices = await _read(tools, turn), tools.pack.manifest.notices
    read_ms = _ms_since(begun)
    came, marked = await marks.heard(session, tools.desk, conversation, turn, lines)
    if came is not marks.Came.NOTHING:
        await _of_a_mark(session, tools, conversation, lines, turn, came, marked)
        return
    if live.solved is not None:
        last = await conversations.last_said(session, conversation.id)
        asked = last is not None and last.sender == Sender.SYSTEM and last.request_id == live.solved.id
        back = _back(tools.pack, turn, live.solved, asked=asked)
        if back is not Back.NOTHING:
            _read_by_now(lines, now)
        if back is Back.REOPEN:
            await requests.reopen(session, tools.desk, conversation, live.solved, lines, now=now)
            return
        if back is Back.HELPED:
            await requests.close(session, tools.desk, conversation, live.solved, notices.helped, now=now)
            return
    await _answer(session, tools, conversation, lines, turn, live.waiting, read_ms=read_ms)


async def _of_a_mark(
    session: AsyncSession,
    tools: Tools,
    conversation: Conversation,
    lines: list[Message],
    turn: flows.Turn,
    came: marks.Came,
    request: Request | None,
) -> None:
    """A mark was given, or words about it: all is said. Whoever goes back to the matter has it opened again (CX-07)."""
    _read_by_now(lines, turn.now)
    if came is marks.Came.BACK and request is not None:
        words = [] if turn.press is not None else lines
        await requests.reopen(session, tools.desk, conversation, request, words, now=turn.now)


async def _to_agent(
    session: AsyncSession,
    tools: Tools,
    conversation: Conversation,
    lines: list[Message],
    turn: flows.Turn,
    request: Request,
) -> None:
    """A person speaks with the customer and reads what they write; the bot is silent but for states (ruling 16).

    A button is none of the customer's words: the agent is not shown it, the customer hears who is at it (CX-03, CX-19).
    """
    _read_by_now(lines, turn.now)
    pressed = turn.press is not None or turn.stale_press
    if not pressed:
        await requests.heard(session, tools.desk, conversation, request, lines, now=turn.now)
    if pressed or await _asks_for_state(tools, turn):
        await requests.tell_state(session, tools.desk, conversation, request, now=turn.now)


async def _asks_for_state(tools: Tools, turn: flows.Turn) -> bool:
    """Whether the customer surely asks for nothing but the state of the request (the pack's setting `state_intents`)."""
    intents = set(tools.pack.manifest.settings.get("state_intents", ()))
    return bool(intents) and _only(await _read(tools, turn), intents)


def _read_by_now(lines: Sequence[Message], now: datetime) -> None:
    for line in lines:
        line.read_at = now


def _given(
    conversation: Conversation,
    lines: Sequence[Message],
    now: datetime,
    down: frozenset[str],
    missing: Collection[tuple[int, int]] = (),
) -> flows.Turn:
    """The turn as it is given: the lines' words, press, contact and attachments.

    `missing`: attachments that are known not to be kept; nobody says that they were received (CX-14).
    """
    texts = [line.text for line in lines if line.text.strip() and line.press is None and not line.stale_press]
    contacts = [line.contact for line in lines if line.contact]
    attachments = [
        flows.Attachment(one["kind"], one.get("name"))
        for line in lines
        for place, one in enumerate(line.attachments)
        if (line.id, place) not in missing
    ]
    return flows.Turn(
        now=now, seed=timeline.seed(conversation), channel=conversation.channel, chat=conversation.chat,
        name=conversation.name, text="\n".join(texts), press=lines[0].press, stale_press=lines[0].stale_press,
        contact=contacts[-1] if contacts else None, attachments=tuple(attachments),
        edited=any(line.edited for line in lines), state=conversations.remembered(conversation),
        down=down & {flows.Unavailable.STORE.value},
    )  # fmt: skip


async def _read(tools: Tools, turn: flows.Turn) -> flows.Turn:
    """The turn with the NLU's reading of its words."""
    if not turn.text.strip():
        return turn
    try:
        return replace(turn, parse=await tools.nlu.parse(turn.text, now=turn.now))
    except NluUnavailable:
        log.warning("nlu_down")
        return turn.with_down(flows.Unavailable.NLU)


def _only(turn: flows.Turn, intents: Collection[str]) -> bool:
    """Whether a turn's words surely say nothing but some of these intents."""
    read = turn.parse
    sure = read is not None and read.verdict is flows.Verdict.SURE and not turn.attachments
    return sure and read is not None and bool(read.intents) and {one.name for one in read.intents} <= set(intents)


def _back(pack: flows.Pack, turn: flows.Turn, solved: Request, *, asked: bool) -> Back:
    """What a customer's line says of a solved request (CX-07). `asked`: whether it helped was asked just before."""
    helped = set(pack.manifest.settings.get("helped_intents", HELPED))
    if turn.press is not None:
        kind, _, value = turn.press.partition(":")
        if turn.press == "yes" or (kind == "intent" and value in helped):
            return Back.HELPED
        return Back.NOTHING if kind == "flow" else Back.REOPEN
    said = turn.text.strip() or turn.contact or any(one.kind != "sticker" for one in turn.attachments)
    if turn.stale_press or not said:
        return Back.NOTHING
    if not _only(turn, helped):
        return Back.REOPEN
    yes = turn.parse is not None and YES in {one.name for one in turn.parse.intents}
    if not asked or not yes:
        return Back.NOTHING
    return Back.HELPED if solved.resolution == "solved" else Back.REOPEN


# ------------------------------------------------------------------------------------------------------- deciding
async def _answer(
    session: AsyncSession,
    tools: Tools,
    conversation: Conversation,
    lines: list[Message],
    turn: flows.Turn,
    waiting: Request | None,
    *,
    read_ms: int,
) -> None:
    """Decide, and store the decision with everything that it asks for. `read_ms`: what reading the words took."""
    begun = time.perf_counter()
    if waiting is not None:
        turn = replace(turn, request=await timeline.describe(session, waiting, now=turn.now))
    if turn.parse is not None:
        tell_of(session, conversation, "understood", **_understood(turn.parse))
    error: str | None = None
    patience = tools.patience
    watched = tools if patience is None else replace(tools, crm=patience.watch(tools.crm, turn, conversation.id, lines))
    try:
        decision, turn = await decide(session, watched, conversation, turn)
    except SQLAlchemyError:
        raise
    except Exception as caught:  # whatever is wrong inside, the customer must not wait for nobody
        error = type(caught).__name__
        log.exception("turn_failed", extra={"conversation": conversation.id, "error": error})
        decision = to_people(tools.pack, turn)
    decided = time.perf_counter()
    ms = int((decided - begun) * 1000)
    made = Outcome(
        lines=lines, turn=turn, decision=decision, waiting=waiting, error=error, ms=ms,
        waited=patience is not None and await waited(session, conversation.id, lines),
    )  # fmt: skip
    turn_id = await store(session, tools, conversation, made)
    took = {"read_ms": read_ms, "decide_ms": ms, "store_ms": _ms_since(decided)}
    log.info("turn_taken", extra={"conversation": conversation.id, "turn": turn_id, **took})


def _ms_since(begun: float) -> int:
    return round((time.perf_counter() - begun) * 1000)


def _understood(parse: flows.Parse) -> dict[str, Any]:
    """What the NLU made of the turn, as listeners are told it."""
    return {
        "intents": [{"name": one.name, "confidence": one.confidence} for one in parse.intents],
        "entities": [{"entity": one.entity, "value": one.value, "text": one.text} for one in parse.entities],
    }
