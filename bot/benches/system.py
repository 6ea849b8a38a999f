"""A whole Firstline as real processes: stand-in messengers here, `firstline run` beside us, a real PostgreSQL, real NLU services.

async with System(settings, steps, folder=folder, programs=ROLES) as system:
    system.writes("telegram", 1001, "Где заказ 50001?")
    async with asyncio.timeout(10):
        said = await system.ears.wait(lambda said: said.chat == 1001)
    await system.part("worker-1").kill()
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from bot import database, nlu_environment, nlu_service
from bot.benches.nlu_parts import Gate, Nlu
from bot.benches.processes import Part, Postgres, Program, until
from bot.database import Store
from bot.home import Home
from bot.progress import Steps
from bot.settings import Settings
from bot.standins import telegram as telegram_standin
from bot.standins import vk as vk_standin

ONE = {"firstline": ("run",)}
"""The programs of a small installation: one process for everything."""
VK_APP = {"button_actions": ["text", "callback", "open_link"], "inline_keyboard": True, "keyboard": True}
S = TypeVar("S")


# ------------------------------------------------------------------------------------------------- what customers hear
@dataclass(frozen=True, slots=True)
class Said:
    """A message that has reached a customer."""

    number: int
    # place among all of them, from 0
    channel: str
    chat: int
    text: str
    at: float
    # time.monotonic()
    sent: Any
    # as the stand-in keeps it: its buttons can be pressed


class Ears:
    """Everything that reaches the customers of both messengers, in order, with its time."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self._waiting: list[tuple[Callable[[Said], bool], asyncio.Future[Said]]] = []
        self._listeners: list[Callable[[Said], None]] = []

    def listen(self, heard: Callable[[Said], None]) -> None:
        """Have `heard` called with each message as it comes."""
        self._listeners.append(heard)

    def hear(self, channel: str, chat: int, text: str, sent: Any) -> None:
        """A message has come."""
        said = Said(len(self.said), channel, chat, text, time.monotonic(), sent)
        self.said.append(said)
        for heard in self._listeners:
            heard(said)
        for fits, future in self._waiting:
            if not future.done() and fits(said):
                future.set_result(said)

    async def wait(self, fits: Callable[[Said], bool], *, since: int = 0) -> Said:
        """The first message that fits, among those from number `since` on and those to come."""
        for said in self.said[since:]:
            if fits(said):
                return said
        future: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        self._waiting.append((fits, future))
        try:
            return await future
        finally:
            self._waiting.remove((fits, future))


class _Outbox(list[S], Generic[S]):
    """A stand-in's list of what was sent, that tells of each."""

    def __init__(self, heard: Callable[[S], None]) -> None:
        super().__init__()
        self._heard = heard

    def append(self, sent: S) -> None:
        super().append(sent)
        self._heard(sent)


# ----------------------------------------------------------------------------------------------------------- the system
def free_port() -> int:
    """A port of loopback on which nothing listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class System:
    """A whole Firstline. Use as an asynchronous context manager; everything works when it has been entered."""

    def __init__(
        self,
        settings: Settings,
        steps: Steps,
        *,
        folder: Path,
        programs: Mapping[str, Sequence[str]] = ONE,
        module: str = "bot.cli",
        shop_file: Path | None = None,
        own_postgres: bool = False,
        own_nlu: int = 0,
        gates: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started yet.

        settings: of this process; the database and the NLU service are taken from them
        folder: for data and logs; a server that runs as another user must be able to enter it
        programs: name -> arguments of `firstline`
        module: what is run in place of `bot.cli`
        own_postgres: a server of its own in the folder, which can be stopped and killed
        own_nlu: so many NLU services of its own, which can be killed; 0: the settings' one
        gates: where the NLU services are not its own, a gate before each, which can be shut
        environment: more variables for the programs
        """
        self.settings, self._steps, self.folder = settings, steps, folder
        self._wanted, self._module, self._shop_file = programs, module, shop_file
        self._own_postgres, self._own_nlu, self._gates = own_postgres, own_nlu, gates
        self._more = dict(environment or {})
        self.telegram, self.vk = telegram_standin.TelegramServer(), vk_standin.VkServer()
        self.ears = Ears()
        self.telegram.sent = _Outbox(lambda sent: self.ears.hear("telegram", sent.chat, sent.text, sent))
        self.vk.sent = _Outbox(lambda sent: self.ears.hear("vk", sent.peer, sent.text, sent))
        self.programs: dict[str, Program] = {}
        self.postgres: Postgres | None = None
        self.nlus: list[Nlu | Gate] = []
        self.address = ""
        # of the database
        self.nlu_urls: list[str] = []
        self.ports: dict[str, int] = {}
        # of each program's health and metrics

    # ------------------------------------------------------------------------------------------- its life
    async def __aenter__(self) -> Self:
        self._stack = contextlib.AsyncExitStack()
        async with self._stack:
            await self._stack.enter_async_context(self.telegram)
            await self._stack.enter_async_context(self.vk)
            with self._steps.step("PostgreSQL"):
                self.address = await self._stack.enter_async_context(self._database())
            nlu = await self._stack.enter_async_context(self._nlu())
            self.nlu_urls = nlu["FIRSTLINE_NLU_URL"].split(",")
            (self.folder / "logs").mkdir(exist_ok=True)
            for name, arguments in self._wanted.items():
                self.ports[name] = free_port()
                self.programs[name] = Program(
                    name, arguments, environment=self._environment(nlu, self.ports[name]),
                    log=self.folder / "logs" / f"{name}.log", module=self._module,
                )  # fmt: skip
            self._stack.push_async_callback(self._stop)
            with self._steps.step(f"{len(self.programs)} Firstline processes"):
                await asyncio.gather(*(one.start() for one in self.programs.values()))
                await until(self._listening)
            self._stack = self._stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _listening(self) -> bool:
        """Whether both messengers were asked for news: VK's first answer is what its log begins with."""
        return "getUpdates" in self.telegram.calls and "a_check" in self.vk.calls

    async def _stop(self) -> None:
        for part in self.parts():
            part.thaw()
        await asyncio.gather(*(one.stop() for one in self.programs.values()))

    @contextlib.asynccontextmanager
    async def _database(self) -> AsyncIterator[str]:
        if not self._own_postgres:
            async with Store(self.settings) as store, store.throwaway() as address:
                yield address
            return
        self.postgres = Postgres(self.folder / "postgres")
        await self.postgres.start()
        try:
            yield await asyncio.to_thread(database.create_database, self.postgres.address, prefix="firstline_bench")
        finally:
            self.postgres.thaw()
            await self.postgres.stop()

    @contextlib.asynccontextmanager
    async def _nlu(self) -> AsyncIterator[dict[str, str]]:
        """Environment variables that name the NLU services."""
        if not self._own_nlu and self.settings.nlu_url is not None:
            token = self.settings.nlu_token.get_secret_value() if self.settings.nlu_token else ""
            async with self._gated(self.settings.nlu_url) as url:
                yield {"FIRSTLINE_NLU_URL": url, "FIRSTLINE_NLU_TOKEN": token}
            return
        home, token = Home(self.settings.home).make(), secrets.token_urlsafe(32)
        python = await nlu_environment.ensure(home, self._steps)
        model = await nlu_service.train(home, python, self._steps)
        own = Home(self.folder / "nlu").make()  # a service of the installation's that runs already is not to be killed
        own.models.symlink_to(home.models)
        async with contextlib.AsyncExitStack() as stack:
            with self._steps.step("NLU services"):
                for number in range(1, max(1, self._own_nlu) + 1):
                    service = nlu_service.NluService(own, python, model)
                    service.token = token
                    self.nlus.append(Nlu(f"nlu-{number}", await stack.enter_async_context(service)))
            yield {"FIRSTLINE_NLU_URL": ",".join(one.url for one in self.nlus), "FIRSTLINE_NLU_TOKEN": token}

    @contextlib.asynccontextmanager
    async def _gated(self, urls: str) -> AsyncIterator[str]:
        """The addresses by which services that are not ours are reached, through gates if those are wanted."""
        if not self._gates:
            yield urls
            return
        gates = [Gate(f"nlu-{number}", url.strip()) for number, url in enumerate(urls.split(","), start=1)]
        self.nlus += gates
        for gate in gates:
            await gate.start()
        try:
            yield ",".join(gate.url for gate in gates)
        finally:
            for gate in gates:
                await gate.stop()

    def _environment(self, nlu: Mapping[str, str], port: int) -> dict[str, str]:
        """What a program is told: of this process's own settings nothing but the pack."""
        others = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")}
        shop = {"FIRSTLINE_SHOP_FILE": str(self._shop_file)} if self._shop_file else {}
        return {
            **others, **nlu, **shop, "PYTHONUNBUFFERED": "1", "FIRSTLINE_HOME": str(self.folder / "home"),
            "FIRSTLINE_PACK": self.settings.pack, "FIRSTLINE_DATABASE_URL": self.address,
            "FIRSTLINE_HTTP_PORT": str(port),
            "FIRSTLINE_TELEGRAM_TOKEN": self.telegram.token, "FIRSTLINE_TELEGRAM_API_BASE": self.telegram.url,
            "FIRSTLINE_VK_TOKEN": self.vk.token, "FIRSTLINE_VK_API_BASE": self.vk.url, **self._more,
        }  # fmt: skip

    # ---------------------------------------------------------------------------------------- its parts
    def parts(self) -> Iterator[Part]:
        """All parts that can be started and stopped by themselves."""
        yield from self.programs.values()
        yield from self.nlus
        if self.postgres is not None:
            yield self.postgres

    def part(self, name: str) -> Part:
        """A part by its name."""
        return next(part for part in self.parts() if part.name == name)

    # ---------------------------------------------------------------------------------------- its customers
    def writes(self, channel: str, chat: int, text: str) -> int:
        """A customer writes; return the messenger's number of the message."""
        if channel == "telegram":
            return int(self.telegram.writes(chat, text)["message_id"])
        return int(self.vk.writes(chat, text)["conversation_message_id"])

    def swapped(self, channel: str, chat: int, texts: Sequence[str]) -> list[int]:
        """A customer writes several messages whose updates come in the opposite order; return the messages' numbers."""
        if channel == "telegram":
            made = [self.telegram.message(chat, text=text) for text in texts]
            for message in reversed(made):
                self.telegram.update(message=message)
            return [int(message["message_id"]) for message in made]
        made = [self.vk.message(chat, text) for text in texts]
        for message in reversed(made):
            self.vk.event("message_new", {"message": message, "client_info": VK_APP})
        return [int(message["conversation_message_id"]) for message in made]

    def again(self, channel: str) -> None:
        """The messenger offers its last update once more: Telegram one that was confirmed already."""
        if channel == "vk":
            self.vk.again()
        elif not self.telegram.waiting:
            self.telegram.again()

    def presses(self, said: Said, title: str) -> None:
        """A customer presses a button under a message."""
        if said.channel == "telegram":
            self.telegram.presses(said.sent, title)
        else:
            self.vk.presses(said.sent, title)
