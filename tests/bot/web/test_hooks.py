"""Webhooks: answered only after the store, within limits, and never lost to whatever goes wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from bot import signs
from bot.channels import Incoming
from bot.web import hooks
from tests.bot.web.conftest import HookChannel, Inbox, Served


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def http(served: Served, inbox: Inbox) -> AsyncIterator[httpx.AsyncClient]:
    async with served(channels={"telegram": HookChannel()}, receive=inbox) as client:
        yield client


async def unfinished(http: httpx.AsyncClient, chunks: bytes) -> bytes:
    """Send a call whose body does not come to its end; the answer, read until the server closes."""
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    writer.write(b"POST /hooks/telegram HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    finally:
        writer.close()


class TestAnswer:
    async def test_what_is_stored_is_answered_with_the_channels_words(
        self, http: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        answer = await http.post("/hooks/telegram", content="secret 7 где заказ".encode())
        assert (answer.status_code, answer.content) == (200, b"ok")
        assert [one.text for one in inbox.got] == ["где заказ"]
        assert signs.of(signs.CHANNEL, "telegram").good is not None

    async def test_header_names_reach_the_channel_in_lower_case(self, served: Served, inbox: Inbox) -> None:
        channel = HookChannel()
        async with served(channels={"telegram": channel}, receive=inbox) as http:
            await http.post("/hooks/telegram", content=b"secret 7 x", headers={"X-Telegram-Bot-Api-Secret-Token": "s"})
        assert channel.headers[0]["x-telegram-bot-api-secret-token"] == "s"

    async def test_a_wrong_secret_is_refused_and_is_no_sign_of_the_messenger(
        self, http: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        assert (await http.post("/hooks/telegram", content=b"guess 7 x")).status_code == 403
        assert inbox.tried == 0
        assert signs.of(signs.CHANNEL, "telegram").good is None

    async def test_other_paths_methods_and_channels_are_not_there(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/hooks/viber", content=b"secret 7 x")).status_code == 404
        assert (await http.get("/hooks/telegram")).status_code == 405
        for path in ("/docs", "/redoc", "/openapi.json", "/"):
            assert (await http.get(path)).status_code == 404

    async def test_nothing_tells_what_serves(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/hooks/telegram", content=b"secret 7 x")
        assert "server" not in answer.headers
        assert "x-powered-by" not in answer.headers

    async def test_a_process_that_does_not_receive_asks_to_come_again(self, served: Served) -> None:
        async with served(roles={"worker"}, channels={"telegram": HookChannel()}) as http:
            answer = await http.post("/hooks/telegram", content=b"secret 7 x")
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0


class TestLimits:
    async def test_a_body_that_is_too_large_is_refused(self, http: httpx.AsyncClient, inbox: Inbox) -> None:
        answer = await http.post("/hooks/telegram", content=b"secret 7 " + b"x" * hooks.BODY_BYTES)
        assert answer.status_code == 413
        assert inbox.tried == 0

    async def test_a_body_without_a_length_is_refused_before_its_end(
        self, http: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        piece = b"3e8\r\n" + b"x" * 1000 + b"\r\n"
        answer = await unfinished(http, piece * (hooks.BODY_BYTES // 1000 + 1))
        assert answer.startswith(b"HTTP/1.1 413")
        assert inbox.tried == 0

    async def test_a_store_that_takes_too_long_is_not_waited_for(
        self, http: httpx.AsyncClient, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hooks, "SECONDS", 0.2)

        async def hang(_: Incoming) -> None:
            await asyncio.sleep(600)

        inbox.act = hang
        answer = await http.post("/hooks/telegram", content=b"secret 7 x")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]

    async def test_a_body_that_never_ends_is_not_waited_for(
        self, http: httpx.AsyncClient, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(hooks, "SECONDS", 0.2)
        answer = await unfinished(http, b"7\r\nsecret \r\n")
        assert answer.startswith(b"HTTP/1.1 503")
        assert inbox.tried == 0


class TestFailures:
    async def test_while_the_store_is_away_the_messenger_is_asked_to_come_again(
        self, http: httpx.AsyncClient, inbox: Inbox
    ) -> None:
        async def away(_: Incoming) -> None:
            raise OperationalError("INSERT", {"text": "мои слова"}, Exception("gone"))

        inbox.act = away
        answer = await http.post("/hooks/telegram", content=b"secret 7 x")
        assert (answer.status_code, answer.content) == (503, b"")
        inbox.act = None
        assert (await http.post("/hooks/telegram", content=b"secret 7 x")).status_code == 200
        assert len(inbox.got) == 1

    async def test_a_call_that_the_channel_cannot_read_is_an_error_and_no_more(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/hooks/telegram", content=b"\xff")
        assert (answer.status_code, answer.content) == (500, b"")
        assert (await http.get("/health/live")).status_code == 200
