"""A small world for tests of the store: the real database and jobs, the mini pack, stand-ins for what is outside."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import agents, buttons, conversations, database, delivery, desk, events, requests, sweep, turns
from bot.channels import Channel, Incoming, Kind, Outgoing, Receive
from bot.clock import FixedClock
from bot.desk import giving
from bot.errors import CrmUnavailable, NluUnavailable
from bot.jobs import Jobs
from bot.models import Message, Request
from bot.patience import Patience

MINI = Path(__file__).parent.parent / "packs" / "mini"
START = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)  # a Wednesday, 12:00 in Moscow

INTENTS = {
    "готов ли велосипед": ["repair_state"], "заберите": ["pickup"], "нужна деталь": ["spare_part"], "напишите": ["letter"], "письмо": ["letter"],
    "передайте": ["message"], "покраска": ["advice"], "письмо со сроком": ["slow_letter"],
    "что с обращением": ["my_request"], "загадка": ["riddle"], "мастера": ["person"], "отмена": ["cancel_request"],
    "привет": ["hello"], "спасибо": ["thanks"], "да": ["affirm"], "нет": ["deny"], "сроки": ["terms"], "готов и сроки": ["repair_state", "terms"],
    "готов и письмо": ["repair_state", "letter"],
    "безобразие, мастера": ["person"],
}  # fmt: skip


class ScriptedNlu:
    """Reads the phrases above and nothing else."""

    def __init__(self) -> None:
        self.down = False
        self.texts: list[str] = []
        self.pause = 0.0

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        self.texts.append(text)
        await asyncio.sleep(self.pause)
        if self.down:
            raise NluUnavailable
        names = [name for line in text.lower().split("\n") for name in INTENTS.get(line, ())]
        read = tuple(flows.Reading(name, 0.9) for name in dict.fromkeys(names))
        verdict = flows.Verdict.SURE if read else flows.Verdict.NOT_UNDERSTOOD
        return flows.Parse(text=text, intents=read, verdict=verdict, model="scripted")


class ScriptedCrm:
    """Knows a bicycle for each account, and books pick-ups once per key."""

    actions = frozenset({"book_pickup"})

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.bicycles: dict[str, Any] = {"telegram:c1": {"state": "ready"}}
        self.riders: dict[str, Any] = {}
        self.done: dict[str, Mapping[str, Any]] = {}
        self.asked: list[str] = []
        self.pause = 0.0
        # seconds that each answer takes

    async def fetch(self, lookup: flows.Lookup) -> Any:
        await asyncio.sleep(self.pause)
        if "crm" in self.down:
            raise CrmUnavailable(system="crm")
        account = dict(lookup.args).get("account", "")
        return {"customer": self.riders, "bicycle": self.bicycles}.get(lookup.source, {}).get(account)

    async def act(self, act: flows.Act, *, key: str) -> Mapping[str, Any]:
        await asyncio.sleep(self.pause)
        if "crm" in self.down:
            raise CrmUnavailable(system="crm")
        self.asked.append(key)
        return self.done.setdefault(key, {"ok": True})


class ScriptedChannel(Channel):
    """Keeps what is sent; `outcomes` are raised first, one for each attempt."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sent: list[Outgoing] = []
        self.attempts: list[int] = []
        self.outcomes: list[Exception] = []
        self.typed: list[str] = []
        # chats that were shown that an answer is being written

    async def run(self, receive: Receive) -> None:
        raise NotImplementedError

    async def send(self, message: Outgoing) -> str:
        self.attempts.append(message.id)
        if self.outcomes:
            raise self.outcomes.pop(0)
        self.sent.append(message)
        return f"m{message.id}"

    async def typing(self, chat: str) -> None:
        self.typed.append(chat)


@dataclass
class World:
    """One running Firstline without its edges."""

    sessions: database.Sessions
    jobs: Jobs
    clock: FixedClock
    nlu: ScriptedNlu
    crm: ScriptedCrm
    desk: requests.Desk
    tools: turns.Tools
    post: delivery.Post
    channels: dict[str, ScriptedChannel]
    events: list[events.Event] = field(default_factory=list)
    down: set[str] = field(default_factory=set)
    updates: int = 0

    # ------------------------------------------------------------------------------------------- the customer's side
    def incoming(self, chat: str, kind: Kind = Kind.MESSAGE, *, channel: str = "telegram", **more: Any) -> Incoming:
        """An update of the messenger."""
        self.updates += 1
        fields = {"external_id": str(self.updates), "at": self.clock.now(), "message_id": f"in{self.updates}", **more}
        return Incoming(channel=channel, chat=chat, kind=kind, **fields)

    async def receive(self, incoming: Incoming, **more: Any) -> Message | None:
        """Take an update in, and nothing more."""
        async with self.sessions.begin() as session:
            return await conversations.receive(session, self.jobs, incoming, **more)

    async def say(self, chat: str, text: str, **more: Any) -> list[str]:
        """The customer writes; returns what they hear until all is quiet."""
        return await self.hear(self.incoming(chat, text=text, **more))

    async def press(self, chat: str, title: str) -> list[str]:
        """The customer presses the newest button of a title."""
        async with self.sessions() as session:
            payload = await buttons.payload_of(session, "telegram", chat, title)
        return await self.hear(self.incoming(chat, Kind.PRESS, press=payload or "0.0"))

    async def hear(self, incoming: Incoming) -> list[str]:
        await self.receive(incoming)
        return await self.settle(incoming.chat, incoming.channel)

    async def settle(self, chat: str = "c1", channel: str = "telegram") -> list[str]:
        """Do all jobs; returns what the chat heard meanwhile."""
        before = len(self.channels[channel].sent)
        await self.jobs.run_until_idle()
        return [one.text for one in self.channels[channel].sent[before:] if one.chat == chat]

    async def pass_time(self, **step: float) -> list[str]:
        """Move the clock and do what falls due; returns what chat c1 hears."""
        self.clock.forward(**step)
        async with self.sessions.begin() as session:
            await sweep.sweep(session, self.desk, self.clock.now())
        return await self.settle()

    # ---------------------------------------------------------------------------------------------- the agents' side
    async def agent(self, name: str, *queues: str, on_shift: bool = True, **more: Any) -> None:
        """Have an agent at the desk."""
        async with self.sessions.begin() as session:
            await agents.save(session, name, queues=queues or ("desk",), on_shift=on_shift, **more)

    async def do(self, action: Any, *args: Any, **more: Any) -> Any:
        """Carry out an action of the desk in a transaction of its own, and deliver what it says."""
        async with self.sessions.begin() as session:
            result = await action(session, *args, **more)
        await self.jobs.run_until_idle()
        return result

    async def take(self, name: str, chat: str | None = None) -> Request:
        conversation_id = await self.id_of(chat) if chat else None
        request = await self.do(desk.take, self.desk, name, now=self.clock.now(), conversation_id=conversation_id)
        assert isinstance(request, Request)
        return request

    # -------------------------------------------------------------------------------------------------------- looking
    async def id_of(self, chat: str, channel: str = "telegram") -> int:
        async with self.sessions() as session:
            return (await conversations.find(session, channel, chat)).id

    async def request(self, number: str = "T-1001") -> Request:
        from sqlalchemy import select

        async with self.sessions() as session:
            return (await session.scalars(select(Request).where(Request.number == number))).one()

    async def transcript(self, chat: str = "c1") -> list[tuple[str, str]]:
        async with self.sessions() as session:
            lines = await conversations.transcript(session, await self.id_of(chat))
        return [(line["from"], line["text"]) for line in lines]

    def told(self, event: str) -> list[events.Event]:
        """The events of a kind, in order."""
        return [one for one in self.events if one["event"] == event]

    def states(self) -> list[str]:
        return [one["state"] for one in self.told("state")]

    async def rows(self, query: Any) -> list[Any]:
        async with self.sessions() as session:
            return list((await session.scalars(query)).all())


@functools.cache
def mini() -> flows.Pack:
    """The small pack, read once."""
    return flows.load(MINI)


@asynccontextmanager
async def make_world(
    address: str, *, slow: float | None = None, again: float = 60.0, pack: flows.Pack | None = None, **more: Any
) -> AsyncIterator[World]:
    """Wire a world on an empty database. `slow`, `again`: when customers are asked for patience; `pack`: not the mini one."""
    engine = database.make_engine(address)
    sessions = database.make_sessions(engine)
    clock, nlu, crm = FixedClock(START), ScriptedNlu(), ScriptedCrm()
    channels = {name: ScriptedChannel(name) for name in ("telegram", "vk")}
    async with Jobs(address, workers=4, stalled=1.0) as jobs:
        work = requests.Desk(pack=pack or mini(), jobs=jobs)
        down: set[str] = set()
        post = delivery.Post(sessions=sessions, channels=channels, jobs=jobs, clock=clock)
        if slow is not None:
            more["patience"] = Patience(post=post, pack=work.pack, slow=slow, again=again)
        tools = turns.Tools(desk=work, nlu=nlu, crm=crm, clock=clock, down=lambda: frozenset(down), **more)
        world = World(sessions, jobs, clock, nlu, crm, work, tools, post, channels, down=down)

        async def turn(conversation_id: int) -> None:
            async with sessions.begin() as session:
                await turns.take_turn(session, tools, conversation_id)

        async def give(_: int) -> None:
            await giving.give_all(sessions, work, clock)

        jobs.register("turn", turn)
        jobs.register("give", give)
        jobs.register("delivery", functools.partial(delivery.deliver, post))
        stop = events.listen(sessions, world.events.append)
        try:
            yield world
        finally:
            stop()
            await engine.dispose()


async def act(world: World, action: Any, name: str, *args: object, chat: str = "c1", **more: object) -> Any:
    """An action of an agent in a chat."""
    first = () if action in (desk.note, desk.read) else (world.desk,)
    more = more if action is desk.read else {"now": world.clock.now(), **more}
    return await world.do(action, *first, name, await world.id_of(chat), *args, **more)


async def heard(world: World) -> list[str]:
    """Every message to customers since the events were cleared."""
    return [one["text"] for one in world.told("message")]


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait for something that a worker in the background brings about."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  what is waited for has no event of its own
            await asyncio.sleep(0.05)


DAY = timedelta(days=1)

__all__ = ["DAY", "MINI", "START", "AsyncSession", "World", "act", "heard", "make_world", "until"]
