"""The NLU client on a fake wire: what it sends, what it reads, and that every trouble has one name."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

import flows
from bot.clients.nlu import MAX_ANSWER, MAX_TEXT, HttpNlu
from bot.errors import NluUnavailable

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANSWER = {
    "text": "где заказ 48213 и когда вернёте деньги",
    "mended": "где заказ 48213 и когда вернете деньги",
    "intents": [
        {"name": "order_status", "confidence": 0.97, "start": 0, "end": 15},
        {"name": "refund_status", "confidence": 0.91, "start": 18, "end": 38},
    ],
    "ranking": [{"name": "order_status", "confidence": 0.97}],
    "entities": [{"entity": "order_number", "value": "48213", "text": "48213", "start": 10, "end": 15, "of": 0}],
    "verdict": "sure",
    "model": "nlu-1a2b",
    "something_new": [1, 2],
}


def client(answer: Callable[[httpx.Request], Any], **options: Any) -> HttpNlu:
    return HttpNlu("http://nlu.test", transport=httpx.MockTransport(answer), **options)


async def test_a_parse() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=ANSWER)

    parse = await client(answer, token="secret").parse(str(ANSWER["text"]), now=NOW)
    assert seen[0].url.path == "/parse"
    assert seen[0].headers["Authorization"] == "Bearer secret"
    assert json.loads(seen[0].content) == {"text": ANSWER["text"], "now": "2026-11-20T12:00:00+00:00"}
    assert [(one.name, one.start, one.end) for one in parse.intents] == [
        ("order_status", 0, 15),
        ("refund_status", 18, 38),
    ]
    assert parse.entities == (flows.Entity(entity="order_number", value="48213", text="48213", start=10, end=15, of=0),)
    assert (parse.verdict, parse.model, parse.mended) == (flows.Verdict.SURE, "nlu-1a2b", ANSWER["mended"])


async def test_what_the_service_leaves_out_has_defaults() -> None:
    parse = await client(lambda request: httpx.Response(200, json={"verdict": "not_understood"})).parse("ыы", now=NOW)
    assert (parse.text, parse.intents, parse.verdict) == ("ыы", (), flows.Verdict.NOT_UNDERSTOOD)


@pytest.mark.rule("CX-19")
async def test_a_very_long_message_is_read_at_its_beginning_and_kept_whole() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert len(json.loads(request.content)["text"]) == MAX_TEXT
        return httpx.Response(200, json=ANSWER)

    parse = await client(answer).parse("я" * 50_000, now=NOW)
    assert len(parse.text) == 50_000


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={"error": "The message could not be read."}),
        httpx.Response(503, json={"error": "The model is still loading."}),
        httpx.Response(401, json={"error": "The bearer token is missing or wrong."}),
        httpx.Response(404),
        httpx.Response(302, headers={"Location": "http://elsewhere.test"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[ANSWER]),
        httpx.Response(200, json={"verdict": "perhaps"}),
        httpx.Response(200, json={"intents": [{"name": "x"}]}),
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.ReadTimeout("slow"),
        httpx.RemoteProtocolError("garbage"),
    ],
    ids=lambda answer: answer.__class__.__name__ + str(getattr(answer, "status_code", "")),
)
async def test_every_trouble_is_nlu_unavailable(answer: httpx.Response | Exception) -> None:
    def wire(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    with pytest.raises(NluUnavailable) as trouble:
        await client(wire).parse("где заказ", now=NOW)
    assert "где заказ" not in str(trouble.value)


async def test_a_service_that_trickles_is_given_up() -> None:
    async def wire(request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(5)
        return httpx.Response(200, json=ANSWER)

    nlu = HttpNlu("http://nlu.test", timeout=0.05, transport=httpx.MockTransport(wire))
    with pytest.raises(NluUnavailable):
        await nlu.parse("где заказ", now=NOW)


async def test_nobody_listening_over_the_real_wire() -> None:
    nlu = HttpNlu("http://127.0.0.1:9")
    with pytest.raises(NluUnavailable):
        await nlu.parse("где заказ", now=NOW)
    await nlu.close()


async def test_the_model_in_use() -> None:
    assert await client(lambda request: httpx.Response(200, json={"ready": True, "model": "nlu-1"})).model() == "nlu-1"


async def test_an_answer_without_end_is_not_read_to_its_end() -> None:
    given = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal given
        while True:
            given += 65_536
            yield b" " * 65_536

    with pytest.raises(NluUnavailable, match="too much"):
        await client(lambda request: httpx.Response(200, content=endless())).parse("да", now=NOW)
    assert given <= MAX_ANSWER + 2 * 65_536


async def test_an_answer_of_nothing_but_brackets_is_no_answer() -> None:
    with pytest.raises(NluUnavailable):
        await client(lambda request: httpx.Response(200, content=b"[" * 500_000)).parse("да", now=NOW)
