"""uvicorn as one task among others of a process, on a socket of our own."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from fastapi import FastAPI

from bot.errors import SettingsInvalid

log = logging.getLogger(__name__)

GRACE_SECONDS = 8
"""For calls that are in hand at the end: a webhook is answered within less."""


class _Server(uvicorn.Server):
    """A server that leaves the signals to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@contextlib.asynccontextmanager
async def serving(app: FastAPI, host: str, port: int) -> AsyncIterator[str]:
    """Serve an app for the time of a block; its address, "http://127.0.0.1:8080". Port 0: any free one.

    Raises SettingsInvalid when the address cannot be had. Ends after the calls that are in hand.
    """
    listener = _listen(host, port)
    address = _address(listener)
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, proxy_headers=False,
        timeout_graceful_shutdown=GRACE_SECONDS, timeout_keep_alive=30, limit_concurrency=500,
    )  # fmt: skip
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http")
    try:
        await _started(server, task)
        log.info("http_listens", extra={"address": address})
        yield address
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        listener.close()


async def _started(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            task.result()
            raise RuntimeError("The HTTP server ended before it had begun.")
        await asyncio.sleep(0.01)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=512)
    except OSError as error:
        raise SettingsInvalid(_why(error, host, port)) from error


def _why(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is taken by another program; FIRSTLINE_HTTP_PORT names another (0: any free one)."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} of {host} is not ours to use; FIRSTLINE_HTTP_PORT names another (above 1023)."
    return f"Nothing can listen on {host}, port {port} ({error.strerror}); see FIRSTLINE_HTTP_HOST and FIRSTLINE_HTTP_PORT."


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
