"""Health: whether a process lives, and whether it can do its role's work, with each part named."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import database, signs
from bot.jobs import Jobs
from bot.web import health
from tests.bot.web.conftest import HookChannel, Served

GONE = "postgresql://nobody@127.0.0.1:1/nothing"


async def ready(http: httpx.AsyncClient) -> tuple[int, dict[str, Any]]:
    answer = await http.get("/health/ready")
    return answer.status_code, answer.json()["parts"]


class TestLive:
    async def test_a_process_lives_whatever_is_down(self, served: Served) -> None:
        engine = database.make_engine(GONE)
        async with served(engine=engine) as http:
            answer = await http.get("/health/live")
            assert (answer.status_code, answer.json()["status"]) == (200, "ok")
        await engine.dispose()


class TestReady:
    async def test_each_part_is_named(self, served: Served) -> None:
        async with served(roles={"console"}) as http:
            status, parts = await ready(http)
        assert status == 200
        assert set(parts) == {"store", "schema", "nlu", "crm", "channels", "jobs", "outbox", "queues", "hooks"}
        assert parts["store"] == {"ok": True, "needed": True}
        assert parts["schema"]["revision"] == database.revisions()[0]

    async def test_without_the_store_no_role_is_ready(self, served: Served) -> None:
        engine = database.make_engine(GONE)
        for role in ("receiver", "worker", "sender", "console"):
            async with served(engine=engine, roles={role}) as http:
                status, parts = await ready(http)
            assert status == 503, role
            assert not parts["store"]["ok"]
            assert "nobody" not in str(parts)
        await engine.dispose()

    async def test_an_old_schema_is_not_ready_a_newer_one_is(self, served: Served, engine: AsyncEngine) -> None:
        for revision, status in (("0001", 503), ("9999", 200)):
            async with engine.begin() as connection:
                await connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": revision})
            async with served(roles={"console"}) as http:
                got, parts = await ready(http)
            assert got == status, parts["schema"]

    async def test_one_nlu_service_is_enough_and_only_for_who_needs_it(self, served: Served, address: str) -> None:
        models: dict[str, str | None] = {"http://u:secret@nlu-1:5005": "m1", "http://nlu-2:5005": None}

        async def nlu() -> dict[str, str | None]:
            return models

        async with (
            Jobs(address) as jobs,
            served(roles={"worker"}, nlu=nlu) as worker,
            served(roles={"receiver"}, nlu=nlu) as receiver,
        ):

            async def nothing(_: int) -> None:
                return

            jobs.register("turn", nothing)
            work = asyncio.create_task(jobs.run())
            async with asyncio.timeout(20):
                while not (await ready(worker))[1]["jobs"]["ok"]:  # noqa: ASYNC110  workers tell nobody
                    await asyncio.sleep(0.05)
            status, parts = await ready(worker)
            assert status == 200
            assert parts["nlu"]["addresses"]["http://nlu-1:5005"] == {"ok": True, "model": "m1"}
            assert parts["nlu"]["addresses"]["http://nlu-2:5005"]["ok"] is False
            assert "secret" not in str(parts)
            models["http://u:secret@nlu-1:5005"] = None
            assert (await ready(worker))[0] == 503
            status, parts = await ready(receiver)
            assert (status, parts["nlu"]["ok"], parts["nlu"]["needed"]) == (200, False, False)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def test_work_that_nobody_does_is_seen(self, served: Served) -> None:
        async with served(roles={"sender"}) as http:
            status, parts = await ready(http)
        assert (status, parts["jobs"]["ok"], parts["jobs"]["workers"]) == (503, False, 0)

    async def test_a_silent_crm_is_shown_and_does_not_count(self, served: Served) -> None:
        signs.bad(signs.CRM, "tracking", "does not answer")
        async with served(roles={"receiver"}) as http:
            status, parts = await ready(http)
        assert status == 200
        assert parts["crm"]["systems"]["tracking"]["why"] == "does not answer"


class TestChannels:
    @pytest.fixture
    def channels(self) -> dict[str, HookChannel]:
        return {"telegram": HookChannel()}

    async def test_a_refused_token_is_not_ready(self, served: Served, channels: dict[str, HookChannel]) -> None:
        async with served(roles={"receiver"}, channels=channels) as http:
            assert (await ready(http))[0] == 200
            signs.bad(signs.CHANNEL, "telegram", "Telegram refuses the token.", refused=True)
            status, parts = await ready(http)
            assert (status, parts["channels"]["each"]["telegram"]["why"]) == (503, "Telegram refuses the token.")
            signs.good(signs.CHANNEL, "telegram")
            assert (await ready(http))[0] == 200

    async def test_a_messenger_that_does_not_answer_for_long_is_not_ready(
        self, served: Served, channels: dict[str, HookChannel]
    ) -> None:
        long_ago = datetime.now(UTC) - timedelta(seconds=health.SILENT_SECONDS + 5)
        signs.listens("telegram", listening=True)
        sign = signs.of(signs.CHANNEL, "telegram")
        async with served(roles={"receiver"}, channels=channels) as http:
            assert (await ready(http))[0] == 200
            sign.listening = sign.good = long_ago
            assert (await ready(http))[0] == 503
            signs.listens("telegram", listening=False)
            assert (await ready(http))[0] == 200  # another process asks now
        signs.listens("telegram", listening=True)
        sign.listening = sign.good = long_ago
        async with served(roles={"receiver"}, channels=channels, webhooks=True) as http:
            assert (await ready(http))[0] == 200  # nobody writes at night
            signs.bad(signs.CHANNEL, "telegram", "does not reach us")
            status, parts = await ready(http)
            assert (status, parts["channels"]["each"]["telegram"]["why"]) == (503, "does not reach us")
            sign.listening = datetime.now(UTC)
            assert (await ready(http))[0] == 200  # it has just begun


class TestHooks:
    async def test_events_that_are_not_taken_for_long_or_given_up_are_told(
        self, served: Served, engine: AsyncEngine
    ) -> None:
        row = "INSERT INTO hooks (key, event, body, at, attempts, given_up_at) VALUES (:key, 'request.opened', '{}', now() - :age, 1, :over)"
        async with served(roles={"sender"}) as http:
            assert (await ready(http))[1]["hooks"] == {
                "ok": True, "needed": False, "waiting": 0, "oldest_s": 0.0, "given_up": 0
            }  # fmt: skip
            async with engine.begin() as connection:
                await connection.execute(text(row), {"key": "a", "age": timedelta(minutes=10), "over": None})
            _, parts = await ready(http)
            assert (parts["hooks"]["ok"], parts["hooks"]["waiting"], parts["hooks"]["given_up"]) == (False, 1, 0)
            assert parts["hooks"]["why"] == "events are not taken"
            async with engine.begin() as connection:
                await connection.execute(text("DELETE FROM hooks"))
                given = {"key": "b", "age": timedelta(days=3), "over": datetime.now(UTC)}
                await connection.execute(text(row), given)
            signs.bad(signs.HOOKS, signs.EVENTS, "answers 410: it wants no events any more", refused=True)
            _, parts = await ready(http)
            assert (parts["hooks"]["ok"], parts["hooks"]["waiting"], parts["hooks"]["given_up"]) == (False, 0, 1)
            assert parts["hooks"]["why"].startswith("answers 410")
            metrics = (await http.get("/metrics")).text
        assert "firstline_hooks_given_up 1.0" in metrics
        assert "firstline_hooks_length 0.0" in metrics
