"""Real processes of a whole Firstline that can be started, stopped, killed and frozen: `firstline …` and PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import psutil  # type: ignore[import-untyped]
import psycopg

from bot import database
from bot.errors import FirstlineError

READY_WITHIN = 300.0
"""Seconds that a process may take until it works, on a busy machine."""
STOP_WITHIN = 60.0
WORKS = b"Firstline works"
"""What `firstline run` says when it does."""
LOOK = 0.05
"""Seconds between two looks at a process that cannot tell."""


class NotReady(FirstlineError):
    """A process did not become ready."""


async def until(holds: Callable[[], Awaitable[bool]], *, within: float = READY_WITHIN, every: float = LOOK) -> None:
    """Wait for something that another process does, which tells nobody. TimeoutError when it takes too long."""
    async with asyncio.timeout(within):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(every)


class Part(Protocol):
    """One part of the system that can fail by itself."""

    name: str

    @property
    def running(self) -> bool:
        """Whether its process is there (a frozen one is)."""
        ...

    async def start(self) -> None:
        """Start it; return when it is ready. NotReady when it does not become so."""
        ...

    async def stop(self) -> None:
        """End it in good order."""
        ...

    async def kill(self) -> None:
        """End it at once, as `kill -9` does, with all that it started."""
        ...

    def freeze(self) -> None:
        """Let it stand still: it is there and answers nothing."""
        ...

    def thaw(self) -> None:
        """Let it go on."""
        ...


def family(pid: int) -> list[psutil.Process]:
    """A process and all that it started, as far as they live."""
    try:
        head = psutil.Process(pid)
        return [head, *head.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def send_signal(processes: Iterable[psutil.Process], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may be gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)


# ------------------------------------------------------------------------------------------------------------ firstline
class Program:
    """A `firstline` process, in a process group of its own. What it says goes to a file, over all its lives."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        module: str = "bot.cli",
        works: bytes = WORKS,
    ) -> None:
        """`works`: what its output has in it when it is ready. `module`: what is run in place of the command itself."""
        self.name, self.log = name, log
        self.roles = frozenset(role for option, role in pairwise(arguments) if option == "--role")
        # none: all of them
        self._command = [sys.executable, "-m", module, *arguments]
        self._environment, self._works = dict(environment), works
        self._process: asyncio.subprocess.Process | None = None
        self._ready = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self.starts = 0
        self.exits: list[int] = []
        # status of each end

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.pid is not None

    async def start(self) -> None:
        """Start it and wait until it says that it works."""
        await self.spawn()
        await self.ready()

    async def spawn(self) -> None:
        """Start it without waiting."""
        self._ready.clear()
        self.starts += 1
        self._process = await asyncio.create_subprocess_exec(
            *self._command, env=self._environment, start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self._process), name=f"log of {self.name}")

    async def ready(self) -> None:
        """Wait until it says that it works. NotReady when it ends before, or takes too long."""
        assert self._process is not None
        process = self._process
        works, ended = asyncio.ensure_future(self._ready.wait()), asyncio.ensure_future(process.wait())
        try:
            await asyncio.wait({works, ended}, timeout=READY_WITHIN, return_when=asyncio.FIRST_COMPLETED)
        finally:
            works.cancel()
            ended.cancel()
        if not self._ready.is_set():
            raise NotReady(f"{self.name} did not start: {self.last_words()} (all of it: {self.log})")

    def last_words(self) -> str:
        """The last line of its log."""
        lines = self.log.read_text("utf-8", "replace").split("\n") if self.log.exists() else []
        return next((line.strip()[:400] for line in reversed(lines) if line.strip()), "it said nothing")

    async def stop(self) -> None:
        """SIGTERM, and wait for the end; SIGKILL when it takes too long."""
        if self._process is None or self._process.returncode is not None:
            return
        send_signal(family(self._process.pid)[:1], signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_WITHIN):
                await self._ended(self._process)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, with its whole group."""
        if self._process is None or self._process.returncode is not None:
            return
        self.shoot()
        await self._ended(self._process)

    def shoot(self) -> None:
        """SIGKILL, at this very moment, without waiting for the end."""
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def speaks_from(self, port: int) -> bool:
        """Whether a connection from this port of loopback is one of its own."""
        of_ours = family(self.pid) if self.pid is not None else []
        return any(one.laddr.port == port for process in of_ours for one in process.net_connections(kind="tcp"))

    def freeze(self) -> None:
        """SIGSTOP."""
        if self.pid is not None:
            send_signal(family(self.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        if self.pid is not None:
            send_signal(family(self.pid), signal.SIGCONT)

    async def _ended(self, process: asyncio.subprocess.Process) -> None:
        self.exits.append(await process.wait())
        if self._reading is not None:
            await self._reading

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with self.log.open("ab") as log:
            while line := await process.stdout.readline():
                log.write(line)
                log.flush()
                if self._works in line:
                    self._ready.set()


# ----------------------------------------------------------------------------------------------------------- PostgreSQL
class Postgres:
    """A PostgreSQL server of our own, in a folder. What it said to have stored is on the disk, whatever becomes of it."""

    name = "postgres"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = database.EmbeddedServer(folder)
        self.address = ""
        # of its database `postgres`; stays the same when it is started again

    @property
    def pid(self) -> int | None:
        """The server's first process."""
        try:
            pid = int((self._folder / "postmaster.pid").read_text().split("\n")[0])
        except (OSError, ValueError):
            return None
        return pid if psutil.pid_exists(pid) else None

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.pid is not None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.address = await asyncio.to_thread(self._server.start)
        await until(lambda: asyncio.to_thread(self._answers))

    def _answers(self) -> bool:
        try:
            with psycopg.connect(database.conninfo(self.address), connect_timeout=5) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    async def stop(self) -> None:
        """A fast shutdown: it ends its sessions and goes."""
        await self._end(signal.SIGINT)

    async def kill(self) -> None:
        """SIGKILL, all its processes: after it comes a recovery from the log."""
        await self._end(signal.SIGKILL)

    async def _end(self, number: signal.Signals) -> None:
        if self.pid is None:
            return
        everyone = family(self.pid)
        send_signal(everyone if number == signal.SIGKILL else everyone[:1], number)
        gone, left = await asyncio.to_thread(psutil.wait_procs, everyone, STOP_WITHIN)
        if left:
            raise NotReady(f"PostgreSQL does not end: {len(left)} of {len(gone) + len(left)} processes are left")

    def freeze(self) -> None:
        """SIGSTOP to all its processes."""
        if self.pid is not None:
            send_signal(family(self.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to all its processes."""
        if self.pid is not None:
            send_signal(family(self.pid), signal.SIGCONT)
