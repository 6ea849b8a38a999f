"""`firstline chat --json`: a whole shop's day on lines of JSON, with the real parts and a clock of its own.

Each run has an empty store that is gone afterwards. Nothing is mocked but the channel: a message is delivered by being
written to standard output. One input line is read, everything that follows from it is done, its output is flushed, then
the next line is read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import buttons, conversations, desk, events, planned, scripted, sweep
from bot.app import Assistant
from bot.channels import Channel, Incoming, Kind, Media, Outgoing, Receive
from bot.clients import Nlu
from bot.clock import Clock, SystemClock
from bot.errors import NluUnavailable, NotFound, Refused
from bot.scripted import AgentLine, ClockLine, CustomerLine, DownLine, Emit, LineInvalid

log = logging.getLogger(__name__)


class RunClock(Clock):
    """The clock of a run: stands still from a given moment, or goes with real time; both can be moved forward."""

    def __init__(self, start: datetime | None = None) -> None:
        self._still, self._ahead, self._system = start, timedelta(0), SystemClock()

    def now(self) -> datetime:
        return self._still if self._still is not None else self._system.now() + self._ahead

    def move(self, to: datetime) -> None:
        """Move forward. LineInvalid for a moment that is over."""
        if to < self.now():
            raise LineInvalid(f"The clock only moves forward; it is {self.now().isoformat()}.")
        if self._still is not None:
            self._still = to
        else:
            self._ahead += to - self.now()


class SwitchedNlu:
    """An `Nlu` that can be made not to answer."""

    def __init__(self, nlu: Nlu) -> None:
        self._nlu = nlu
        self.down = False

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        """Read the words of one turn."""
        if self.down:
            raise NluUnavailable
        return await self._nlu.parse(text, now=now)


class ScriptChannel(Channel):
    """A messenger that delivers at once; what it delivers is told by the store's events."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def run(self, receive: Receive) -> None:
        """Nothing comes by itself: the script brings it."""

    async def send(self, message: Outgoing) -> str:
        """Deliver a message."""
        return f"s{message.id}"


class Switches:
    """What does not answer in this run."""

    def __init__(self, nlu: SwitchedNlu) -> None:
        self._nlu = nlu
        self._down: frozenset[str] = frozenset()

    def __call__(self) -> frozenset[str]:
        return self._down

    def set(self, assistant: Assistant, systems: frozenset[str]) -> None:
        """Say which systems do not answer from now on."""
        self._down = systems
        self._nlu.down = "nlu" in systems
        assistant.crm.set_down(systems & {"crm", "tracking"})


class _Chat:
    """What the script has to remember of a customer's side of a chat."""

    def __init__(self, channel: str, name: str | None) -> None:
        self.channel, self.name = channel, name
        self.last_message: str | None = None


class Lines(Protocol):
    """Where input lines come from."""

    def __call__(self) -> Awaitable[bytes]: ...


class Script:
    """Plays input lines against an assistant."""

    def __init__(self, assistant: Assistant, clock: RunClock, switches: Switches, emit: Emit) -> None:
        self._assistant, self._clock, self._switches, self._emit = assistant, clock, switches, emit
        self._zone = assistant.content.pack.zone
        self._chats: dict[str, _Chat] = {}
        self._in_hand: dict[str, str] = {}
        # agent -> chat of the request they took last
        self._updates = 0
        self.malformed = 0
        for name in ("telegram", "vk"):
            assistant.add(ScriptChannel(name))
        switches.set(assistant, frozenset(assistant.content.shop.down))
        self._stop = events.listen(assistant.sessions, self._heard)

    def close(self) -> None:
        """Stop listening."""
        self._stop()

    async def play(self, lines: Callable[[], Awaitable[bytes]], *, strict: bool = False) -> int:
        """Play all lines and return the exit status: 2 when one was malformed (`strict`: and stop there)."""
        number = 0
        while raw := await lines():
            number += 1
            if not raw.strip():
                continue
            begun = time.perf_counter()
            try:
                await self._do(scripted.read(raw))
            except LineInvalid as wrong:
                self.malformed += 1
                self._emit({"event": "error", "line": number, "message": str(wrong)})
            self._emit({"event": "turn_end", "ms": round((time.perf_counter() - begun) * 1000, 1)})
            if self.malformed and strict:
                break
        return 2 if self.malformed else 0

    def _heard(self, told: events.Event) -> None:
        if told["event"] == "inbox" and "transcript" in told:
            self._in_hand[told["agent"]] = told["chat"]
        if (made := scripted.line(told, zone=self._zone)) is not None:
            self._emit(made)

    async def _do(self, line: scripted.InputLine) -> None:
        match line:
            case CustomerLine():
                await self._customer(line)
            case AgentLine():
                await self._agent(line)
            case ClockLine():
                self._clock.move(line.clock)
                async with self._assistant.sessions.begin() as session:
                    await sweep.sweep(session, self._assistant.desk, self._clock.now())
            case DownLine():
                self._switches.set(self._assistant, frozenset(line.down))
        await self._assistant.settle()

    # -------------------------------------------------------------------------------------------------- the customer
    async def _customer(self, line: CustomerLine) -> None:
        chat = self._chats.get(line.chat)
        if chat is None:
            chat = _Chat(line.channel or "telegram", line.name)
        elif line.channel not in (None, chat.channel):
            raise LineInvalid(f"The chat {line.chat!r} is on {chat.channel}; a chat stays on its channel.")
        chat.name = line.name if line.name is not None else chat.name
        what = await self._what(line, chat)
        self._chats[line.chat] = chat
        self._updates += 1
        incoming = Incoming(
            channel=chat.channel, chat=line.chat, external_id=f"u{self._updates}", at=self._clock.now(), name=chat.name,
            **what,
        )  # fmt: skip
        if incoming.kind is Kind.MESSAGE:
            chat.last_message = incoming.message_id
        await self._assistant.receive(incoming, turn=not line.more)

    async def _what(self, line: CustomerLine, chat: _Chat) -> dict[str, Any]:
        """What an input line is as an update of the messenger."""
        if line.press is not None:
            async with self._assistant.sessions() as session:
                found = await buttons.payload_of(session, chat.channel, line.chat, line.press)
            return {"kind": Kind.PRESS, "press": found or "", "text": line.press}
        if line.edit is not None:
            if chat.last_message is None:
                raise LineInvalid(f"In the chat {line.chat!r} there is no message to edit.")
            return {"kind": Kind.EDIT, "text": line.edit, "message_id": chat.last_message}
        if line.contact is not None:
            if chat.channel != "telegram":
                raise LineInvalid("Only Telegram has a button that shares the customer's own number.")
            return {"kind": Kind.CONTACT, "contact": line.contact}
        attached = (Media(line.attachment.kind, line.attachment.name),) if line.attachment else ()
        number = f"m{self._updates + 1}"
        return {"kind": Kind.MESSAGE, "text": line.text or "", "attachments": attached, "message_id": number}

    # ------------------------------------------------------------------------------------------------------ the agent
    async def _agent(self, line: AgentLine) -> None:
        if line.category is not None and line.category not in self._assistant.content.pack.intents:
            raise LineInvalid(f"category: {line.category!r} is no intent of the pack")
        chat = line.chat
        if chat is None and line.do not in ("take", "shift_on", "shift_off"):
            chat = self._in_hand.get(line.agent)
            if chat is None:
                raise LineInvalid(f"{line.do} needs a chat")
        try:
            async with self._assistant.sessions.begin() as session:
                await self._at_the_desk(session, line, chat)
        except (Refused, NotFound) as why:
            self._emit({"agent": line.agent, "event": "refused", "chat": chat, "why": str(why)})

    async def _at_the_desk(self, session: AsyncSession, line: AgentLine, chat: str | None) -> None:
        work, now, who = self._assistant.desk, self._clock.now(), line.agent
        if line.do == "shift_on":
            await desk.shift_on(session, who, desk=work)
            return
        if line.do == "shift_off":
            await planned.end_shift(session, work, who, now=now)
            return
        where = None
        if chat is not None:
            known = self._chats.get(chat)
            where = (await conversations.find(session, known.channel if known else "telegram", chat)).id
        if line.do == "take":
            await desk.take(session, work, who, now=now, conversation_id=where)
            return
        assert where is not None  # `_agent` has seen to it
        match line.do:
            case "reply":
                await desk.reply(session, work, who, where, line.text, now=now)
            case "note":
                await desk.note(session, who, where, line.text, now=now)
            case "decline":
                await desk.decline(session, work, who, where, line.text, now=now)
            case "transfer":
                await desk.transfer(session, work, who, where, line.text, now=now, queue=line.queue, to=line.to)
            case "wait":
                await desk.wait(session, work, who, where, now=now, until=line.until)
            case "resolve":
                await desk.resolve(
                    session,
                    work,
                    who,
                    where,
                    now=now,
                    resolution=line.resolution,
                    category=line.category,
                    text=line.text,
                )
