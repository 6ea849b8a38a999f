"""Both messengers, each with its stand-in server, behind one set of words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import web

from bot.channels import Channel, HookAnswer, Incoming, Kind, Outgoing
from bot.channels.polling import Pause
from bot.channels.telegram import TelegramChannel
from bot.channels.vk import VkChannel
from bot.standins import faults
from bot.standins import telegram as telegram_server
from bot.standins import vk as vk_server
from bot.standins.telegram import TelegramServer
from bot.standins.vk import VkServer

LINKS = {"order": "Где заказ {}?"}
COMMANDS = {"start": "Здравствуйте", "operator": "Позовите оператора"}


class MemoryOffsets:
    """Offsets that outlive a channel, as the database's do."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    async def load(self, key: str) -> str | None:
        return self.values.get(key)

    async def save(self, key: str, value: str) -> None:
        self.values[key] = value

    async def settle(self, key: str, value: str) -> str:
        return self.values.setdefault(key, value)


class Inbox:
    """What was received, and what `receive` is to fail with before it takes anything."""

    def __init__(self) -> None:
        self.got: list[Incoming] = []
        self.names: dict[str, str | None] = {}
        # what customers are called, as it became known
        self.tried = 0
        self.failures: list[Exception] = []
        self.refuse: Callable[[Incoming], Exception | None] = lambda update: None

    async def receive(self, update: Incoming) -> None:
        if update.name is not None:
            self.names[update.chat] = update.name
        if update.kind is Kind.OTHER and update.message_id is None and update.name is not None:
            return
        self.tried += 1
        if self.failures:
            raise self.failures.pop(0)
        if (error := self.refuse(update)) is not None:
            raise error
        self.got.append(update)

    @property
    def texts(self) -> list[str]:
        return [update.text for update in self.got]


async def until(true: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for something that other tasks bring about."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  servers and channels have no event for each thing that is waited for
            await asyncio.sleep(0.005)


class Door:
    """Our own HTTP server, which a messenger calls: hands each call to the channel that is there now."""

    def __init__(self, rig: Rig) -> None:
        self._rig, self.url = rig, ""
        self.answers: list[HookAnswer] = []

    async def __aenter__(self) -> Door:
        app = web.Application()
        app.router.add_post("/hooks/{name}", self._called)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _called(self, request: web.Request) -> web.Response:
        if self._rig.channel is None or request.match_info["name"] != self._rig.name:
            return web.Response(status=404)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await self._rig.channel.hook(headers, await request.read(), self._rig.inbox.receive)
        self.answers.append(answer)
        return web.Response(status=answer.status, text=answer.text, headers=dict(answer.headers))


class Rig:
    """A channel between a stand-in server and an inbox."""

    name = ""

    def __init__(self, *, hooked: bool = False) -> None:
        self.hooked = hooked
        # the messenger calls us, instead of being asked
        self.door = Door(self)
        self.watch = 60.0
        # seconds between two looks at whether the messenger still calls us
        self.offsets, self.inbox = MemoryOffsets(), Inbox()
        self.channel: Any = None
        self.server: Any = None
        self._running: asyncio.Task[None] | None = None

    def make(self) -> Channel:
        raise NotImplementedError

    async def start(self) -> None:
        """Start the channel, as a new process would."""
        self.channel = self.make()
        self._running = asyncio.create_task(self.channel.run(self.inbox.receive))
        await until(lambda: self.running.done() or (self.listens() if self.hooked else self._polls()))

    @property
    def public_url(self) -> str | None:
        return self.door.url if self.hooked else None

    def listens(self) -> bool:
        """Whether the messenger's server calls us."""
        raise NotImplementedError

    async def stop(self) -> None:
        """Stop it, and forget all that was only in memory."""
        if self._running is not None:
            self._running.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await self._running
            self._running = None
        if self.channel is not None:
            await self.channel.close()
            self.channel = None

    @property
    def running(self) -> asyncio.Task[None]:
        assert self._running is not None
        return self._running

    def _polls(self) -> bool:
        return bool({"getUpdates", "a_check"} & set(self.server.calls))

    async def send(self, message: int, text: str, *, chat: str = "42", **more: Any) -> str:
        if self.channel is None:
            self.channel = self.make()
        sent: str = await self.channel.send(Outgoing(id=message, chat=chat, text=text, **more))
        return sent

    async def received(self, count: int) -> list[Incoming]:
        await until(lambda: len(self.inbox.got) >= count)
        return self.inbox.got

    # what the servers call by different names
    SEND = POLL = ""

    def too_many(self, times: int = 1) -> None:
        raise NotImplementedError

    def block(self, chat: int, *, blocked: bool = True) -> None:
        raise NotImplementedError

    def novelty(self) -> None:
        """An update of a kind that nobody knows."""
        raise NotImplementedError

    def writes_in_group(self, text: str) -> None:
        raise NotImplementedError

    def photo(self, caption: str) -> None:
        """A photo whose bytes are `a photo`."""
        raise NotImplementedError

    def album(self, caption: str) -> None:
        """Two photos, `one` and `another`, sent together."""
        raise NotImplementedError

    def begins(self, parameter: str) -> None:
        """The customer follows a link and presses the messenger's start button."""
        raise NotImplementedError

    def typed(self) -> list[int]:
        """The chats in which "is typing" was shown."""
        raise NotImplementedError

    UPLOADS: tuple[str, ...] = ()
    # the calls by which a photo goes out before anything is certain, in order; the last one sends it

    def files(self) -> list[tuple[str, str, bytes, str]]:
        """The files that customers got: photo or file, name, bytes, words beside it."""
        raise NotImplementedError


class TelegramRig(Rig):
    name = "telegram"
    SEND, POLL = "sendMessage", "getUpdates"
    server: TelegramServer

    def make(self) -> TelegramChannel:
        return TelegramChannel(
            self.server.token, self.offsets, api_base=self.server.url, commands=COMMANDS,
            contact_title="Отправить мой номер", poll_seconds=5, pause=lambda: Pause(0.01, 0.05),
            public_url=self.public_url, deep_links=LINKS,
        )  # fmt: skip

    def listens(self) -> bool:
        return bool(self.server.hook.url)

    def too_many(self, times: int = 1) -> None:
        self.server.faults.add(self.SEND, telegram_server.too_many(3), times)

    def block(self, chat: int, *, blocked: bool = True) -> None:
        self.server.blocks(chat, blocked=blocked)

    def novelty(self) -> None:
        self.server.update(novelty={"what": "nobody knows"})
        self.server.update(message={**self.server.message(42), "chat": {"id": 42, "type": "hologram"}})

    def writes_in_group(self, text: str) -> None:
        message = self.server.message(42, text=text)
        self.server.update(message={**message, "chat": {"id": -100, "type": "supergroup", "title": "Чат"}})

    def photo(self, caption: str) -> None:
        self.server.writes(42, caption=caption, **self._picture(b"a photo"))

    def _picture(self, content: bytes) -> dict[str, Any]:
        kept = self.server.keeps(content, f"photos/{len(content)}.jpg")
        return {"photo": [{**kept, "width": 9, "height": 9}]}

    def album(self, caption: str) -> None:
        self.server.sends_album(42, self._picture(b"one"), self._picture(b"another"), caption=caption)

    def begins(self, parameter: str) -> None:
        self.server.writes(42, f"/start {parameter}")

    def typed(self) -> list[int]:
        return [chat for chat, what in self.server.actions if what == "typing"]

    UPLOADS = ("sendPhoto",)

    def files(self) -> list[tuple[str, str, bytes, str]]:
        kinds = {"photo": "photo", "document": "file"}
        return [(kinds[one.kind], one.name, one.data, one.text) for one in self.server.sent if one.kind in kinds]


class VkRig(Rig):
    name = "vk"
    SEND, POLL = "messages.send", "a_check"
    server: VkServer

    def make(self) -> VkChannel:
        return VkChannel(
            self.server.token, self.offsets, api_base=self.server.url, commands=COMMANDS, poll_seconds=5,
            call_seconds=2.0, pause=lambda: Pause(0.01, 0.05), public_url=self.public_url, deep_links=LINKS,
            watch_seconds=self.watch,
        )  # fmt: skip

    def listens(self) -> bool:
        return "vk:55:listened" in self.offsets.values and any(
            one.status == "ok" for one in self.server.callbacks.servers.values()
        )

    def too_many(self, times: int = 1) -> None:
        self.server.faults.add(self.SEND, vk_server.refuses(6), times)

    def block(self, chat: int, *, blocked: bool = True) -> None:
        self.server.denies(chat, denied=blocked)

    def novelty(self) -> None:
        self.server.event("market_order_new", {"id": 1})
        self.server.event("message_new", {"message": {"text": "a shape that nobody knows"}})

    def writes_in_group(self, text: str) -> None:
        self.server.event("message_new", {"message": self.server.message(2_000_000_001, text, from_id=42)})

    def photo(self, caption: str) -> None:
        self.server.writes(42, caption, attachments=[self.attached(b"a photo")])

    def album(self, caption: str) -> None:
        self.server.writes(42, caption, attachments=[self.attached(b"one"), self.attached(b"another")])

    def begins(self, parameter: str) -> None:
        self.server.writes(42, "Начать", payload='{"command": "start"}', ref=parameter)

    def typed(self) -> list[int]:
        return self.server.typing

    UPLOADS = ("photos.getMessagesUploadServer", "upload photo", "photos.saveMessagesPhoto", "messages.send")

    def files(self) -> list[tuple[str, str, bytes, str]]:
        kinds = {"photo": "photo", "doc": "file"}
        found = [(one.uploaded, one.text) for one in self.server.sent if one.uploaded is not None]
        return [(kinds[one.kind], one.name, one.data, text) for one, text in found]

    def attached(self, content: bytes) -> dict[str, Any]:
        """A photo as VK tells of it, in two sizes."""
        name = f"{len(content)}.jpg"
        sizes = [
            {"type": "s", "url": self.server.file(f"small-{name}", b"small"), "width": 75, "height": 50},
            {"type": "x", "url": self.server.file(name, content), "width": 604, "height": 400},
        ]
        return {"type": "photo", "photo": {"id": 1, "sizes": sizes}}


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramRig]:
    rig = TelegramRig()
    async with TelegramServer() as rig.server:
        yield rig
        await rig.stop()


@pytest.fixture
async def vk() -> AsyncIterator[VkRig]:
    rig = VkRig()
    async with VkServer() as rig.server:
        yield rig
        await rig.stop()


@pytest.fixture
async def vk_hooked() -> AsyncIterator[VkRig]:
    rig = VkRig(hooked=True)
    async with rig.door, VkServer() as rig.server:
        rig.server.callbacks.hurry = 0.01
        yield rig
        await rig.stop()


@pytest.fixture
async def telegram_hooked() -> AsyncIterator[TelegramRig]:
    rig = TelegramRig(hooked=True)
    async with rig.door, TelegramServer() as rig.server:
        rig.server.hook.scale = 0.01
        yield rig
        await rig.stop()


@pytest.fixture(params=["telegram", "telegram_hooked", "vk", "vk_hooked"])
def rig(request: pytest.FixtureRequest) -> Rig:
    """Each messenger in turn, both asked for its updates and calling us with them."""
    found: Rig = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["telegram", "vk"])
def polling(request: pytest.FixtureRequest) -> Rig:
    """Each messenger in turn, asked for its updates."""
    found: Rig = request.getfixturevalue(request.param)
    return found


__all__ = ["COMMANDS", "Inbox", "MemoryOffsets", "Rig", "TelegramRig", "VkRig", "faults", "until"]
