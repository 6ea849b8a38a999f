"""Calls of the API before any work is done: keys, limits, what is not valid, and what is repeated."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, update

from bot import desk, metrics
from bot.models import Agent, ApiCall, ApiKey, Audit, Message
from bot.outside import calls, keys
from bot.web import api_gate
from tests.bot.web.api_calls import Client, HelpDesk, help_desk, kind
from tests.bot.world import World


class TestOnce:
    async def test_a_repeated_call_is_answered_the_same_and_done_once(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/take")
        first = await anna.post("/requests/T-1001/reply", "one", text="Иду")
        again = await anna.post("/requests/T-1001/reply", "one", text="Иду")
        assert (again.status_code, again.json()) == (200, first.json())
        assert ("idempotency-replayed" in first.headers, again.headers["idempotency-replayed"]) == (False, "true")
        assert [one.text for one in world.channels["telegram"].sent].count("Иду") == 1
        assert len(await world.rows(select(Audit).where(Audit.action == "reply"))) == 1

    async def test_a_refusal_is_remembered_too(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        refused = await anna.post("/requests/T-1001/reply", "one", text="Иду")
        await anna.post("/requests/T-1001/take")
        again = await anna.post("/requests/T-1001/reply", "one", text="Иду")
        assert kind(again) == kind(refused) == (409, "not-your-request")
        assert again.headers["idempotency-replayed"] == "true"

    async def test_another_call_under_the_same_key_is_refused(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/take")
        await anna.post("/requests/T-1001/reply", "one", text="Иду")
        assert kind(await anna.post("/requests/T-1001/reply", "one", text="Бегу")) == (409, "call-differs")
        assert kind(await anna.post("/requests/T-1001/note", "one", text="Иду")) == (409, "call-differs")

    async def test_the_same_key_of_another_system_is_another_call(
        self, helpdesk: HelpDesk, anna: Client, world: World
    ) -> None:
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        assert (await anna.post("/requests/T-1001/take", "one")).status_code == 200
        async with helpdesk.as_("boris") as boris:
            assert (await boris.post("/requests/T-1002/take", "one")).status_code == 200

    async def test_a_call_in_hand_is_not_begun_again(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/take")
        (key,) = await world.rows(select(ApiKey.name))
        call = calls.Call(api_key=key, key="one", said="")
        async with world.sessions.begin() as session:
            assert await session.scalar(select(func.pg_try_advisory_xact_lock(call.lock)))
            busy = await anna.post("/requests/T-1001/reply", "one", text="Иду")
        assert (kind(busy), busy.headers["retry-after"]) == ((409, "call-in-hand"), "1")
        assert (await anna.post("/requests/T-1001/reply", "one", text="Иду")).status_code == 200

    async def test_many_repetitions_at_once_do_it_once(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/take")
        headers = {"Idempotency-Key": "one"}
        answers = await asyncio.gather(
            *(anna.http.post("/requests/T-1001/reply", json={"text": "Иду"}, headers=headers) for _ in range(8))
        )
        assert {one.status_code for one in answers} <= {200, 409}
        assert len(await world.rows(select(Message).where(Message.text == "Иду"))) == 1

    async def test_what_fails_inside_is_not_remembered(
        self, anna: Client, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/take")

        async def broken(*_: object, **__: object) -> None:
            raise RuntimeError("тайное слово")

        with monkeypatch.context() as patched:
            patched.setattr(desk, "reply", broken)
            failed = await anna.post("/requests/T-1001/reply", "one", text="Иду")
        assert kind(failed) == (500, "firstline-error")
        assert "тайное" not in failed.text
        assert (await anna.post("/requests/T-1001/reply", "one", text="Иду")).status_code == 200

    async def test_answers_are_forgotten_after_two_days(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/take")
        async with world.sessions.begin() as session:
            await calls.forget(session, now=world.clock.now() + timedelta(days=2))
            assert len((await session.scalars(select(ApiCall))).all()) == 1
            await calls.forget(session, now=world.clock.now() + timedelta(days=2, seconds=1))
            assert (await session.scalars(select(ApiCall))).all() == []


class TestGate:
    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer flk_guess", "Basic flk_x", "Bearer \xe9"])
    async def test_without_a_key_nothing_is_told(self, helpdesk: HelpDesk, header: str | None) -> None:
        headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
        async with httpx.AsyncClient(base_url=f"{helpdesk.address}/api/v1", trust_env=False) as http:
            for method, path in (("GET", "/requests"), ("GET", "/nowhere"), ("POST", "/requests/T-1/take")):
                answer = await http.request(method, path, headers=headers, content=b"{")
                assert kind(answer) == (401, "key-refused"), path
                assert answer.headers["www-authenticate"] == "Bearer"
            assert (await http.get("/openapi.json")).status_code == 200

    async def test_a_disabled_key_and_the_key_of_a_disabled_agent_open_nothing(
        self, helpdesk: HelpDesk, anna: Client, world: World
    ) -> None:
        (name,) = await world.rows(select(ApiKey.name))
        async with helpdesk.as_("boris") as boris:
            assert (await boris.get("/requests")).status_code == 200
            async with world.sessions.begin() as session:
                await keys.disable(session, name, now=world.clock.now())
                await session.execute(update(Agent).where(Agent.name == "boris").values(disabled_at=world.clock.now()))
            assert kind(await anna.get("/requests")) == (401, "key-refused")
            assert kind(await boris.get("/requests")) == (401, "key-refused")

    async def test_the_key_itself_is_stored_nowhere(self, helpdesk: HelpDesk, world: World) -> None:
        key = await helpdesk.key("anna")
        (row,) = await world.rows(select(ApiKey))
        assert key.startswith("flk_")
        assert len(key) > 40
        assert key not in str(vars(row))

    async def test_who_calls_too_often_is_told_when_to_come_again(
        self, world: World, address: str, tmp_path: Path
    ) -> None:
        await world.agent("anna")
        await world.agent("boris")
        async with help_desk(world, address, tmp_path, api_per_minute=20) as slow, slow.as_("anna") as anna:
            answers = [await anna.get("/requests") for _ in range(3)]
            assert [one.status_code for one in answers] == [200, 200, 429]
            assert kind(answers[2]) == (429, "too-many-calls")
            assert 1 <= int(answers[2].headers["retry-after"]) <= 3
            async with slow.as_("boris") as boris:
                assert (await boris.get("/requests")).status_code == 200

    async def test_a_body_that_is_too_large_is_refused(self, anna: Client) -> None:
        answer = await anna.post("/requests/T-1/reply", text="x" * api_gate.BODY_BYTES)
        assert kind(answer) == (413, "call-too-large")

    async def test_a_body_that_never_ends_is_not_waited_for(
        self, helpdesk: HelpDesk, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(api_gate, "BODY_SECONDS", 0.2)
        key = await helpdesk.key("anna")
        host, port = helpdesk.address.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = f"POST /api/v1/shift HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 9\r\n\r\n{{"
        writer.write(head.encode())
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408")

    async def test_all_that_is_not_valid_is_told_at_once_without_its_value(self, anna: Client) -> None:
        answer = await anna.post("/requests/T-1001/transfer", queue="", comment="тайное", more=1)
        assert kind(answer) == (422, "call-invalid")
        assert {"body.ToQueue.queue", "body.ToQueue.more"} <= {one["place"] for one in answer.json()["errors"]}
        assert "тайное" not in answer.text
        for path, params in (("/requests", {"colour": "red"}), ("/requests", {"limit": 0}), ("/requests/7", {})):
            assert kind(await anna.get(path, **params)) == (422, "call-invalid")
        without = await anna.http.post("/requests/T-1001/take")
        assert (kind(without), without.json()["errors"][0]["place"]) == (
            (422, "call-invalid"),
            "header.Idempotency-Key",
        )

    @pytest.mark.parametrize("text", ["", " \n", "a\x00b", "\ud800"])
    async def test_words_that_cannot_be_said_are_refused(self, anna: Client, text: str) -> None:
        headers = {"Idempotency-Key": "x", "Content-Type": "application/json"}
        answer = await anna.http.post("/requests/T-1001/reply", content=json.dumps({"text": text}), headers=headers)
        assert kind(answer) == (422, "call-invalid")

    async def test_other_addresses_and_methods_are_told_as_problems(self, anna: Client) -> None:
        assert kind(await anna.get("/nowhere")) == (404, "not-found")
        answer = await anna.http.delete("/requests/T-1001")
        assert (kind(answer), answer.headers["allow"]) == ((405, "method-not-allowed"), "GET")

    async def test_calls_are_counted_without_numbers(self, anna: Client) -> None:
        await anna.get("/requests/T-4711")
        text = metrics.generate_latest(metrics.REGISTRY).decode()
        assert 'firstline_api_calls_total{operation="getRequest",status="404"}' in text
        assert "4711" not in text

    async def test_an_address_with_a_line_break_is_no_hole(self, anna: Client) -> None:
        assert kind(await anna.get("/requests/T-1%0A/lines")) == (422, "call-invalid")

    @pytest.mark.parametrize("moment", ["1", "0.5", "2026-11-18", "2026-11-18T09:00:00", "tomorrow"])
    async def test_moments_have_an_offset(self, anna: Client, moment: str) -> None:
        assert kind(await anna.get("/requests", changed_since=moment)) == (422, "call-invalid")
        assert kind(await anna.post("/requests/T-1/wait", until=moment)) == (422, "call-invalid")
