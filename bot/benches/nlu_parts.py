"""NLU services as parts of a system that can fail: our own, as processes, and others', behind gates."""

from __future__ import annotations

import asyncio
import logging
import signal
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

from bot.benches.processes import family, send_signal, until
from bot.nlu_service import NluService, healthy

log = logging.getLogger(__name__)


class Nlu:
    """An NLU service of our own, which starts its process again by itself when it dies."""

    def __init__(self, name: str, service: NluService) -> None:
        self.name, self._service = name, service

    @property
    def url(self) -> str:
        """Where it answers."""
        return self._service.url

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self._service.pid is not None and psutil.pid_exists(self._service.pid)

    async def start(self) -> None:
        """Wait until it is ready: the service has begun to start its process by itself."""
        await until(lambda: healthy(self.url, self._service.model))

    async def stop(self) -> None:
        """SIGTERM to its process."""
        self._signal(signal.SIGTERM)

    async def kill(self) -> None:
        """SIGKILL to its process."""
        self._signal(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP to its process: calls hang."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT to its process."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._service.pid is not None:
            send_signal(family(self._service.pid), number)


class Gate:
    """The way to an NLU service that is not ours to kill: shut, the service is gone for those who come by it."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self._behind = name, urlsplit(url)
        self._port = 0
        self._server: asyncio.Server | None = None
        self._open = asyncio.Event()
        self._open.set()
        self._ways: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """Where those who come by it find the service."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def running(self) -> bool:
        """Whether anybody is let in."""
        return self._server is not None

    async def start(self) -> None:
        """Open it, at the same port as before."""
        self._server = await asyncio.start_server(self._comes, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Shut it, and throw out who is in."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for way in list(self._ways):
            way.transport.abort()

    async def kill(self) -> None:
        """The same: nobody knocks before."""
        await self.stop()

    def freeze(self) -> None:
        """Let everybody wait inside."""
        self._open.clear()

    def thaw(self) -> None:
        """Let them go on."""
        self._open.set()

    async def _comes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ways.add(writer)
        try:
            there, back = await asyncio.open_connection(self._behind.hostname, self._behind.port)
            self._ways.add(back)
            try:
                await asyncio.gather(self._carry(reader, back), self._carry(there, writer))
            finally:
                self._ways.discard(back)
                back.close()
        except OSError:
            log.info("way_lost")
        finally:
            self._ways.discard(writer)
            writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(65536):
            await self._open.wait()
            writer.write(piece)
            await writer.drain()
        writer.close()
