"""The HTTP server of a process: its address, its port, its end."""

from __future__ import annotations

import asyncio
import signal
import socket

import httpx
import pytest
from fastapi import FastAPI

from bot.errors import SettingsInvalid
from bot.web import serving


def app() -> FastAPI:
    made = FastAPI()

    @made.get("/slow")
    async def slow() -> str:
        begun.set()
        await asyncio.sleep(0.3)
        return "done"

    begun = asyncio.Event()
    made.state.begun = begun
    return made


async def test_port_0_is_any_free_port_and_is_told() -> None:
    async with serving(app(), "127.0.0.1", 0) as one, serving(app(), "127.0.0.1", 0) as two:
        assert one != two
        async with httpx.AsyncClient(trust_env=False) as http:
            assert (await http.get(f"{one}/slow")).json() == "done"


async def test_a_taken_port_is_one_sentence_that_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=rf"^Port {port} .*FIRSTLINE_HTTP_PORT"):
            async with serving(app(), "127.0.0.1", port):
                pass


async def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_HTTP_HOST"):
        async with serving(app(), "192.0.2.1", 8080):
            pass
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_HTTP_HOST"):
        async with serving(app(), "no such host", 8080):
            pass


async def test_the_port_is_free_again_at_once() -> None:
    async with serving(app(), "127.0.0.1", 0) as address:
        port = int(address.rpartition(":")[2])
    async with serving(app(), "127.0.0.1", port):
        pass


async def test_a_call_in_hand_is_answered_before_the_end() -> None:
    made = app()
    async with httpx.AsyncClient(trust_env=False) as http:
        async with serving(made, "127.0.0.1", 0) as address:
            call = asyncio.create_task(http.get(f"{address}/slow"))
            await made.state.begun.wait()
        assert (await call).json() == "done"


async def test_the_programs_own_signal_handlers_stay() -> None:
    before = signal.getsignal(signal.SIGTERM)
    async with serving(app(), "127.0.0.1", 0):
        assert signal.getsignal(signal.SIGTERM) is before
