"""A running Firstline whose customers and agents are in the stand-in Telegram: the real channel, the real store, the real desk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from obstore.store import LocalStore
from pydantic import SecretStr
from sqlalchemy import select, update

from bot import conversations, fetching, signs
from bot.channels import Incoming, Kind
from bot.channels.polling import Pause
from bot.channels.telegram import TelegramChannel
from bot.file_store import FileStore
from bot.forum import FORUM, TelegramDesks, topics
from bot.forum.calls import Show
from bot.models import Agent, ForumTopic, ForumUpdate, Message
from bot.settings import Settings
from bot.standins.telegram import TelegramServer
from bot.standins.telegram_forum import ForumGroup, Topic
from tests.bot.channels.conftest import MemoryOffsets
from tests.bot.world import World, make_world

GROUP, MASTERS = -1001000, -1002000
ANNA, BORIS, STRANGER = 501, 502, 777


async def until(true: Callable[[], Any], seconds: float = 40.0, *, what: Callable[[], Any] | None = None) -> None:
    """Wait for something that the tasks bring about."""
    try:
        async with asyncio.timeout(seconds):
            while not true():  # noqa: ASYNC110  server and tasks have no event for each thing that is waited for
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"it did not come: {what() if what else true}") from None


@dataclass
class Rig:
    """The process and the messenger."""

    world: World
    server: TelegramServer
    desks: TelegramDesks
    channel: TelegramChannel
    folder: Path
    make: Callable[[], TelegramDesks]
    tasks: list[asyncio.Task[Any]] = field(default_factory=list)

    async def receive(self, incoming: Incoming) -> None:
        async with self.world.sessions.begin() as session:
            if incoming.kind is Kind.DESK:
                await self.desks.take_in(session, incoming)
            else:
                await conversations.receive(session, self.world.jobs, incoming)

    def start(self, *, shows: bool = True) -> None:
        """Receive, do jobs, and keep the topics."""
        self.tasks = [
            asyncio.create_task(self.channel.run(self.receive)), asyncio.create_task(self.world.jobs.run(every=30.0)),
        ]  # fmt: skip
        if shows:
            self.show()

    def show(self) -> None:
        self.showing = asyncio.create_task(self.desks.run())
        self.tasks.append(self.showing)

    async def hide(self) -> None:
        """End the process that keeps the topics, wherever it is."""
        self.showing.cancel()
        await asyncio.gather(self.showing, return_exceptions=True)
        self.tasks.remove(self.showing)

    async def stop(self) -> None:
        for task in self.tasks:
            task.cancel()
        for task in self.tasks:
            with suppress(asyncio.CancelledError):
                await task

    # ------------------------------------------------------------------------------------------------ what is seen
    @property
    def group(self) -> ForumGroup:
        return self.server.groups[GROUP]

    async def topic(self, name: str = "T-1001", group: int = GROUP) -> Topic:
        """The topic of a request, once it is there and its card is pinned."""

        def there() -> bool:
            return any(
                name in one.name and one.pinned and not one.deleted for one in self.server.groups[group].topics.values()
            )

        await until(there, what=lambda: [vars(one) for one in self.server.groups[group].topics.values()])
        return self.server.groups[group].topic(name)

    async def reads(self, *words: str, thread: int | None, group: int = GROUP) -> str:
        """Wait until all of these stand in a topic; all that stands there."""

        def text() -> str:
            return "\n".join(self.server.groups[group].said(thread))

        await until(lambda: all(one in text() for one in words), what=text)
        return text()

    async def hears(self, words: str, chat: int = 42) -> None:
        """Wait until a customer has got a message with these words."""
        await until(
            lambda: any(words in one.text for one in self.server.sent if one.chat == chat),
            what=lambda: [one.text for one in self.server.sent],
        )

    async def quiet(self) -> None:
        """Wait until all is done: no update waits, nothing is to be sent to a customer, nothing is to be shown."""
        async with asyncio.timeout(30):
            while await self._busy():  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async def _busy(self) -> bool:
        if self.server.waiting:
            return True
        open_answer = ForumUpdate.answer.is_not(None) & ForumUpdate.answered_at.is_(None)
        showing = self.showing in self.tasks
        left = ForumUpdate.done_at.is_(None) | open_answer if showing else ForumUpdate.done_at.is_(None)
        unsaid = Message.delivery.in_(("pending", "sending")) | Message.read_at.is_(None) & (
            Message.sender == "customer"
        )
        async with self.world.sessions() as session:  # what is planned here is thrown away with it
            if await session.scalar(select(ForumUpdate.id).where(left).limit(1)):
                return True
            if await session.scalar(select(Message.id).where(unsaid).limit(1)):
                return True
            show = Show(
                pack=self.world.desk.pack, store=self.desks.forum.store, now=self.world.clock.now, sessions=self.world.sessions,
            )  # fmt: skip
            for group in self.desks.forum.groups.values() if showing else ():
                for request in await topics.concerned(session, group):
                    if await topics.plan(session, show, group, request) is not None:
                        return True
        return False

    async def card(self, topic: Topic, group: int = GROUP) -> Any:
        """The pinned message of a topic."""
        return next(one for one in self.server.groups[group].posts if one.message_id == topic.pinned[-1])

    async def row(self, request: int | None = None) -> ForumTopic:
        async with self.world.sessions() as session:
            return (await session.scalars(select(ForumTopic).order_by(ForumTopic.request_id))).first()  # type: ignore[return-value]

    async def agent(self, name: str, telegram: int | None, *queues: str, **more: Any) -> None:
        await self.world.agent(name, *queues, **more)
        async with self.world.sessions.begin() as session:
            await session.execute(
                update(Agent).where(Agent.name == name).values(telegram_id=str(telegram) if telegram else None)
            )


@asynccontextmanager
async def make_rig(
    address: str, folder: Path, *, a_minute: int = 6000, groups: dict[int, list[str]] | None = None
) -> AsyncIterator[Rig]:
    signs.forget()
    async with make_world(address) as world, TelegramServer() as server:
        settings = Settings(
            home=folder, telegram_token=SecretStr(server.token), telegram_api_base=server.url,
            telegram_desks=groups or {GROUP: ["desk"]}, telegram_desk_per_minute=a_minute, _env_file=None,  # type: ignore[call-arg]
        )  # fmt: skip
        for chat in settings.telegram_desks:
            server.has_group(chat, "Поддержка")
        channel = TelegramChannel(
            server.token, MemoryOffsets(), api_base=server.url, poll_seconds=5, pause=lambda: Pause(0.01, 0.05),
            desks=settings.telegram_desks,
        )  # fmt: skip
        world.channels["telegram"] = channel  # type: ignore[assignment]
        (folder / "files").mkdir(exist_ok=True)
        files = fetching.Files(
            sessions=world.sessions, channels=world.channels, desk=world.desk, clock=world.clock,
            store=FileStore(lambda: LocalStore(folder / "files"), folder=folder / "files"),
            limits=fetching.Limits.of(file_mb=20, day_mb=200, days=180),
        )  # fmt: skip
        world.jobs.register("files", lambda conversation: fetching.fetch(files, conversation))

        def make() -> TelegramDesks:
            made = TelegramDesks.of(
                settings, address=address, sessions=world.sessions, desk=world.desk, clock=world.clock, files=files
            )
            assert made is not None
            return made

        rig = Rig(world, server, make(), channel, folder, make)
        world.jobs.register(FORUM, lambda chat: rig.desks.obey(chat))
        try:
            yield rig
        finally:
            await rig.stop()
            await rig.desks.close()
            await channel.close()


@pytest.fixture
async def rig(address: str, tmp_path: Path) -> AsyncIterator[Rig]:
    """All of it, running; Anna and Boris are on shift."""
    async with make_rig(address, tmp_path) as made:
        await made.agent("anna", ANNA, title="Анна")
        await made.agent("boris", BORIS, title="Борис")
        made.start()
        yield made
