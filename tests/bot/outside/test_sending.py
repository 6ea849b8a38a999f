"""Sending: signed, in order, until it is taken or given up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from bot import signs, turns
from bot.errors import SettingsInvalid
from bot.jobs import HOOKS
from bot.models import Hook
from bot.outside import sending, signing
from bot.outside.sending import Outside, address_of, pause
from bot.settings import Settings
from tests.bot.outside.conftest import KEY, SECRET, Receiver
from tests.bot.world import World

DOWN = httpx.ConnectError("no route to my-secret-host")


async def again(world: World, seconds: float) -> None:
    """Let time pass and do the jobs that were to wait for it."""
    world.clock.forward(seconds=seconds)
    async with world.sessions.begin() as session:
        await session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
    await world.jobs.run_until_idle()


async def first(world: World) -> Hook:
    hook = (await world.rows(select(Hook).order_by(Hook.id)))[0]
    assert isinstance(hook, Hook)
    return hook


class TestSignature:
    async def test_a_call_is_signed_by_the_standard(self, told: World, receiver: Receiver) -> None:
        await told.say("c1", "мастера")
        call = receiver.calls[0]
        assert call.method == "POST"
        assert call.headers["content-type"] == "application/json"
        identity, moment = call.headers["webhook-id"], call.headers["webhook-timestamp"]
        assert identity == (await first(told)).key
        assert int(moment) == int(told.clock.now().timestamp())
        signed = f"{identity}.{moment}.".encode() + call.content
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert call.headers["webhook-signature"] == f"v1,{expected}"

    def test_the_standards_own_example(self) -> None:
        """The test vector of the reference libraries."""
        key = signing.key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        made = signing.headers(
            key, "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}', now=datetime.fromtimestamp(1614265330, UTC)
        )  # fmt: skip
        assert made["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

    async def test_an_attempt_that_is_repeated_has_the_same_id_and_body_but_its_own_moment(
        self, told: World, receiver: Receiver
    ) -> None:
        receiver.answers = [httpx.Response(500)]
        await told.say("c1", "мастера")
        await again(told, 10)
        one, two = receiver.calls[:2]
        assert one.headers["webhook-id"] == two.headers["webhook-id"]
        assert one.content == two.content
        assert int(two.headers["webhook-timestamp"]) == int(one.headers["webhook-timestamp"]) + 10
        assert one.headers["webhook-signature"] != two.headers["webhook-signature"]


class TestOrder:
    async def test_what_is_not_taken_holds_up_what_comes_after_it(self, told: World, receiver: Receiver) -> None:
        receiver.answers = [DOWN]
        await told.say("c1", "мастера")
        await told.agent("anna")
        await told.take("anna")
        assert receiver.types() == ["opened"]
        await again(told, 10)
        assert receiver.types() == ["opened", "opened", "message", "message", "assigned", "message"]

    async def test_another_conversation_is_not_held_up(self, told: World, receiver: Receiver) -> None:
        receiver.answers = [DOWN]
        await told.say("c1", "мастера")
        await told.say("c2", "мастера")
        assert receiver.types("T-1002") == ["opened", "message", "message"]

    async def test_when_it_takes_events_again_all_that_waits_goes_out(self, told: World, receiver: Receiver) -> None:
        receiver.answers = [DOWN, DOWN]
        await told.say("c1", "мастера")
        await told.say("c2", "мастера")
        told.clock.forward(seconds=6)
        async with told.sessions.begin() as session:  # the job of the first only
            await session.execute(
                text(
                    "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE id = (SELECT min(id) FROM procrastinate_jobs)"
                )
            )
            await session.execute(
                text(
                    "UPDATE hooks SET retry_at = retry_at + interval '1 hour' WHERE id = (SELECT max(id) FROM hooks WHERE attempts > 0)"
                )
            )
        await told.jobs.run_until_idle()
        assert receiver.types("T-1001") == ["opened", "opened", "message", "message"]
        assert receiver.types("T-1002") == ["opened", "opened", "message", "message"]


class TestRetries:
    def test_pauses_grow_up_to_an_hour(self) -> None:
        pauses = [pause(number) for number in range(1, 12)]
        for pause_s, usual in zip(pauses, [5, 15, 45, 135, 405, 1215, 3600, 3600, 3600, 3600, 3600], strict=True):
            assert usual * 0.9 <= pause_s <= usual * 1.1

    @pytest.mark.parametrize("status", [307, 401, 404, 503])
    async def test_after_three_days_an_event_is_given_up(self, told: World, receiver: Receiver, status: int) -> None:
        receiver.answers = [
            httpx.Response(status, headers={"Location": "https://elsewhere.example"}) for _ in range(90)
        ]
        await told.say("c1", "мастера")
        for _ in range(9):
            await again(told, 8 * 3600 - 1)
        hook = await first(told)
        assert (hook.given_up_at, hook.attempts, hook.error) == (None, 10, f"status {status}")
        await again(told, 4000)
        hook = await first(told)
        assert (hook.given_up_at, hook.attempts) == (told.clock.now(), 11)
        assert {str(one.url) for one in receiver.calls} == {"https://help.example.ru/hooks"}  # no redirect was followed

    async def test_an_event_that_is_refused_itself_is_given_up_soon_and_the_next_goes_on(
        self, told: World, receiver: Receiver
    ) -> None:
        receiver.answers = [httpx.Response(422) for _ in range(sending.REFUSED_ATTEMPTS)]
        await told.say("c1", "мастера")
        for _ in range(sending.REFUSED_ATTEMPTS - 1):
            await again(told, 500)
        assert receiver.types() == ["opened"] * 5 + ["message", "message"]
        assert (await first(told)).error == "status 422"

    async def test_a_receiver_that_is_gone_is_not_asked_again_for_the_same(
        self, told: World, receiver: Receiver
    ) -> None:
        receiver.answers = [httpx.Response(410) for _ in range(3)]
        await told.say("c1", "мастера")
        assert receiver.types() == ["opened", "message", "message"]
        assert all(one.given_up_at is not None for one in await told.rows(select(Hook)))
        assert signs.of(signs.HOOKS, signs.EVENTS).refused

    async def test_a_receiver_that_asks_to_wait_is_given_the_time(self, told: World, receiver: Receiver) -> None:
        receiver.answers = [httpx.Response(429, headers={"Retry-After": "120"})]
        await told.say("c1", "мастера")
        assert (await first(told)).retry_at == told.clock.now() + timedelta(seconds=120)
        await again(told, 119)
        assert len(receiver.calls) == 1
        await again(told, 1)
        assert len(receiver.calls) == 4

    async def test_a_process_that_stops_leaves_the_rest_to_another(self, told: World, receiver: Receiver) -> None:
        told.jobs.stopping = True
        await told.receive(told.incoming("c1", text="мастера"))
        async with told.sessions.begin() as session:
            await turns.take_turn(session, told.tools, await told.id_of("c1"))
        outside = told.jobs._app.tasks[HOOKS]
        await outside(conversation_id=await told.id_of("c1"))
        assert receiver.calls == []
        told.jobs.stopping = False
        await told.jobs.run_until_idle()
        assert receiver.types() == ["opened", "message", "message"]


class TestDiscretion:
    async def test_neither_words_nor_addresses_nor_answers_are_logged(
        self, told: World, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver.answers = [httpx.Response(500, text="database password is swordfish"), DOWN, httpx.Response(410)]
        with caplog.at_level(logging.INFO):
            await told.say("c1", "мастера")
            await again(told, 10)
            await again(told, 60)
        lines = [str(vars(one)) for one in caplog.records if one.name == "bot.outside.sending"]
        assert len(lines) == 3
        for word in ("swordfish", "my-secret-host", "мастера", "help.example.ru"):
            assert all(word not in line for line in lines)
        hook = await first(told)
        assert hook.error == "status 410"

    async def test_a_body_is_never_read(self, told: World, receiver: Receiver) -> None:
        async def endless() -> object:
            while True:
                yield b"x" * 65536

        receiver.answers = [httpx.Response(200, content=endless())]
        await told.say("c1", "мастера")
        assert (await first(told)).sent_at is not None


class TestSettings:
    @pytest.mark.parametrize(
        "url", ["https://help.example.ru/hooks", "http://localhost:9/x", "http://10.0.0.7/x", "http://helpdesk:8000/"]
    )
    def test_addresses_that_are_taken(self, url: str) -> None:
        assert address_of(url) == url

    @pytest.mark.parametrize(
        "url", ["http://help.example.ru/", "ftp://x/", "help.example.ru", "https://me:pw@help.example.ru/"]
    )
    def test_addresses_that_are_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match="must"):
            address_of(url)

    @pytest.mark.parametrize("secret", [None, "short", "whsec_" + base64.b64encode(b"x" * 23).decode(), "не base64"])
    async def test_without_a_good_secret_nothing_starts(self, world: World, secret: str | None) -> None:
        settings = Settings(
            _env_file=None, events_url="https://help.example.ru/x", events_secret=SecretStr(secret) if secret else None
        )  # type: ignore[call-arg]
        with pytest.raises(SettingsInvalid, match="FIRSTLINE_EVENTS_SECRET: must be whsec_") as told:
            Outside.of(settings, sessions=world.sessions, work=world.jobs, clock=world.clock)
        assert secret is None or secret not in str(told.value)

    async def test_with_both_it_is_told(self, world: World) -> None:
        settings = Settings(_env_file=None, events_url="https://help.example.ru/x", events_secret=SecretStr(SECRET))  # type: ignore[call-arg]
        made = Outside.of(settings, sessions=world.sessions, work=world.jobs, clock=world.clock)
        assert made is not None
        await made.close()
