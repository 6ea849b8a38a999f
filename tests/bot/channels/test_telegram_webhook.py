"""Telegram brings its updates itself: a webhook that is set, looked after and removed, and answered after the store."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

import flows
from bot import signs
from bot.channels import HookAnswer, Kind
from bot.channels.polling import POISON_TRIES, Pause
from bot.channels.telegram import KINDS, TelegramChannel
from bot.channels.telegram_webhook import NOT_REACHED, NOT_SET, PATH, SECRET_HEADER
from bot.errors import ChannelStopped, StoreUnavailable
from bot.standins import faults
from bot.standins.loopback import LoopbackServer
from bot.standins.telegram import TelegramServer, refuses, too_many
from tests.bot.channels.conftest import COMMANDS, TelegramRig, until


class Public(LoopbackServer):
    """Our own side of the webhook: one or several processes behind one address."""

    def __init__(self, rig: HookRig) -> None:
        super().__init__()
        self._rig = rig
        self.answers: list[HookAnswer] = []

    def routes(self, app: web.Application) -> None:
        app.router.add_post(PATH, self._take)

    async def _take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = await self._rig.next_process().hook(headers, await request.read(), self._rig.inbox.receive)
        self.answers.append(answer)
        return web.Response(status=answer.status, text=answer.text, headers=answer.headers)


class HookRig(TelegramRig):
    """A channel with a public address, between the stand-in server and an inbox."""

    def __init__(self) -> None:
        super().__init__()
        self.public = Public(self)
        self.others: list[TelegramChannel] = []
        # processes that only answer the webhook
        self.check_seconds = 60.0
        self._turn = 0

    def make(self) -> TelegramChannel:
        return TelegramChannel(
            self.server.token, self.offsets, api_base=self.server.url, public_url=self.public.url + "/",
            commands=COMMANDS, check_seconds=self.check_seconds, call_seconds=3.0, pause=lambda: Pause(0.01, 0.05),
        )  # fmt: skip

    def next_process(self) -> TelegramChannel:
        self._turn += 1
        processes = [self.channel, *self.others]
        found: TelegramChannel = processes[self._turn % len(processes)]
        return found

    def _polls(self) -> bool:
        return bool(self.server.hook.url)

    async def call(self, body: bytes | str, **headers: str) -> int:
        """Call the webhook as anybody can; return the status."""
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.public.url + PATH, data=body, headers=headers) as response,
        ):
            return response.status

    def secret(self) -> dict[str, str]:
        return {SECRET_HEADER: self.server.hook._secret}


@pytest.fixture
async def hooked() -> AsyncIterator[HookRig]:
    rig = HookRig()
    async with TelegramServer() as rig.server, rig.public:
        rig.server.hook.scale = 0.01
        yield rig
        await rig.stop()
        for channel in rig.others:
            await channel.close()


class TestReceiving:
    async def test_updates_come_without_asking(self, hooked: HookRig) -> None:
        await hooked.start()
        hooked.server.writes(42, "раз")
        hooked.server.writes(42, "два")
        hooked.server.writes(43, "три")
        await hooked.received(3)
        assert [update.text for update in hooked.inbox.got if update.chat == "42"] == ["раз", "два"]
        await until(lambda: hooked.server.waiting == [])
        assert "getUpdates" not in hooked.server.calls

    async def test_what_waited_before_the_start_comes_first(self, hooked: HookRig) -> None:
        for number in range(5):
            hooked.server.writes(42, f"строка {number}")
        await hooked.start()
        await hooked.received(5)
        assert hooked.inbox.texts == [f"строка {number}" for number in range(5)]

    async def test_it_is_taken_only_when_it_is_stored(self, hooked: HookRig) -> None:
        hooked.inbox.failures = [StoreUnavailable(), OSError("gone"), StoreUnavailable()]
        await hooked.start()
        number = hooked.server.update(message=hooked.server.message(42, text="не потеряйся"))
        hooked.server.writes(42, "и я")
        await hooked.received(2)
        assert hooked.inbox.texts == ["не потеряйся", "и я"]
        await until(lambda: len(hooked.server.hook.attempts) == 5)
        assert hooked.server.hook.attempts[:4] == [(number, 503)] * 3 + [(number, 200)]
        assert hooked.public.answers[0].headers["Retry-After"] == "3"

    async def test_a_lost_answer_brings_the_update_again_with_the_same_id(self, hooked: HookRig) -> None:
        hooked.server.hook.lost_answers = 1
        await hooked.start()
        hooked.server.writes(42, "раз")
        first, second = await hooked.received(2)
        assert first.external_id == second.external_id == "1000:7001"

    async def test_polling_and_webhook_name_an_update_alike(self, hooked: HookRig, telegram: TelegramRig) -> None:
        await hooked.start()
        hooked.server.writes(42, "раз")
        await telegram.start()
        telegram.server.writes(42, "раз")
        [brought], [fetched] = await hooked.received(1), await telegram.received(1)
        assert brought.external_id == fetched.external_id

    async def test_several_processes_agree_on_the_secret(self, hooked: HookRig) -> None:
        hooked.others = [hooked.make(), hooked.make()]
        await hooked.start()
        for number in range(6):
            hooked.server.writes(42, f"строка {number}")
        await hooked.received(6)
        assert hooked.inbox.texts == [f"строка {number}" for number in range(6)]
        assert {status for _, status in hooked.server.hook.attempts} == {200}
        assert hooked.server.calls.count("setWebhook") == 1

    async def test_unknown_kinds_and_other_chats_do_not_stop_it(self, hooked: HookRig) -> None:
        await hooked.start()
        hooked.novelty()
        hooked.writes_in_group("не вам")
        hooked.server.writes(42, "я здесь")
        await hooked.received(1)
        assert hooked.inbox.texts == ["я здесь"]
        await until(lambda: hooked.server.waiting == [])

    @pytest.mark.rule("CX-10")
    async def test_a_press_is_acknowledged_once_it_is_stored(self, hooked: HookRig) -> None:
        hooked.inbox.failures = [StoreUnavailable()]
        await hooked.start()
        await hooked.send(12, "Это вы?", buttons=(flows.Button("Да", "yes"),))
        press = hooked.server.presses(hooked.server.sent[0], "Да")
        [update] = await hooked.received(1)
        assert (update.kind, update.press) == (Kind.PRESS, "12.0")
        await until(lambda: hooked.server.answered == [press])
        assert hooked.server.calls.count("answerCallbackQuery") == 1


class TestPoison:
    async def test_an_update_that_can_never_be_stored_holds_up_its_chat_only_for_a_while(self, hooked: HookRig) -> None:
        hooked.inbox.refuse = lambda update: ValueError("poison") if update.text == "яд" else None
        await hooked.start()
        poison = hooked.server.update(message=hooked.server.message(42, text="яд"))
        hooked.server.writes(42, "вода")
        hooked.server.writes(43, "другой чат")
        await hooked.received(2)
        assert sorted(hooked.inbox.texts) == ["вода", "другой чат"]
        tries = [status for number, status in hooked.server.hook.attempts if number == poison]
        assert tries == [500] * (POISON_TRIES - 1) + [200]

    async def test_what_fails_now_and_then_is_not_left_out(self, hooked: HookRig) -> None:
        errors: list[Exception] = [ValueError("odd"), StoreUnavailable()]
        hooked.inbox.failures = errors * (POISON_TRIES - 1)
        await hooked.start()
        hooked.server.writes(42, "дождалась")
        await hooked.received(1)
        assert hooked.inbox.texts == ["дождалась"]


class TestCalls:
    async def test_who_does_not_know_the_secret_is_refused(self, hooked: HookRig) -> None:
        await hooked.start()
        body = json.dumps({"update_id": 1, "message": hooked.server.message(42, text="чужое")})
        assert await hooked.call(body) == 401
        assert await hooked.call(body, **{SECRET_HEADER: "guessed"}) == 403
        assert await hooked.call(body, **{SECRET_HEADER: "пароль".encode().decode("latin-1")}) == 403
        assert hooked.inbox.tried == 0
        assert await hooked.call(body, **hooked.secret()) == 200
        assert hooked.inbox.texts == ["чужое"]

    @pytest.mark.parametrize(
        "body", [b"", b"\xff\xfe", b"not json", b"[]", b'"text"', b"{}", b'{"update_id": "1"}', b"[" * 100_000]
    )
    async def test_what_is_no_update_is_told_so(self, hooked: HookRig, body: bytes) -> None:
        await hooked.start()
        assert await hooked.call(body, **hooked.secret()) == 400
        assert hooked.inbox.tried == 0

    async def test_without_a_public_address_there_is_no_webhook(self, telegram: TelegramRig) -> None:
        telegram.channel = telegram.make()
        answer = await telegram.channel.hook({}, b"{}", telegram.inbox.receive)
        assert answer.status == 404


class TestKeeping:
    async def test_it_is_set_with_all_it_needs(self, hooked: HookRig) -> None:
        await hooked.start()
        assert hooked.server.webhook == hooked.public.url + PATH
        assert hooked.server.hook.info()["allowed_updates"] == KINDS
        assert len(hooked.server.hook._secret) == 64
        assert hooked.server.token not in hooked.server.hook._secret

    async def test_at_the_end_it_is_removed_and_what_waits_is_kept(
        self, hooked: HookRig, telegram: TelegramRig
    ) -> None:
        hooked.inbox.refuse = lambda update: StoreUnavailable()
        await hooked.start()
        hooked.server.writes(42, "в последний момент")
        await until(lambda: hooked.inbox.tried > 0)
        await hooked.stop()
        assert hooked.server.webhook == ""

        telegram.server = hooked.server
        await telegram.start()
        await telegram.received(1)
        assert telegram.inbox.texts == ["в последний момент"]
        await telegram.stop()

    async def test_the_end_does_not_wait_for_a_telegram_that_is_away(self, hooked: HookRig) -> None:
        await hooked.start()
        hooked.server.faults.add("deleteWebhook", faults.garbage())
        hooked.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hooked.running

    @pytest.mark.parametrize("foreign", ["", "https://example.org/hook"])
    async def test_one_that_was_taken_away_is_set_again(self, hooked: HookRig, foreign: str) -> None:
        hooked.check_seconds = 0.02
        await hooked.start()
        await hooked.server.hook.stop()
        hooked.server.webhook = foreign
        hooked.server.writes(42, "раз")
        await hooked.received(1)
        assert hooked.server.webhook == hooked.public.url + PATH

    async def test_one_that_is_ours_is_left_alone(self, hooked: HookRig) -> None:
        hooked.check_seconds = 0.01
        await hooked.start()
        await until(lambda: hooked.server.calls.count("getWebhookInfo") >= 5)
        assert hooked.server.calls.count("setWebhook") == 1

    async def test_the_trouble_that_telegram_has_with_it_is_logged_once_and_without_customers(
        self, hooked: HookRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        hooked.inbox.failures = [StoreUnavailable()]
        await hooked.start()
        hooked.server.writes(42, "личное")
        await hooked.received(1)
        for _ in range(2):
            hooked.channel._webhook._ours(await hooked.channel._bot.get_webhook_info())
        told = [record for record in caplog.records if record.message == "telegram_webhook_failing"]
        assert [record.__dict__["why"] for record in told] == ["Wrong response from the webhook: 503"]
        assert "личное" not in caplog.text
        assert "личное" not in str([record.__dict__ for record in caplog.records])

    async def test_health_knows_whether_telegram_reaches_us(self, hooked: HookRig) -> None:
        signs.forget()
        seen = signs.of(signs.CHANNEL, "telegram")
        hooked.check_seconds = 0.01
        hooked.server.faults.add("setWebhook", refuses(400, "Bad Request: bad webhook: Failed to resolve host"))
        hooked.inbox.failures = [StoreUnavailable() for _ in range(3)]
        await hooked.start()
        await until(lambda: seen.why == NOT_SET)
        await until(lambda: seen.well)
        hooked.server.writes(42, "раз")
        await until(lambda: seen.why == NOT_REACHED)
        await hooked.received(1)
        await until(lambda: seen.well)

    @pytest.mark.parametrize(
        "fault",
        [
            refuses(400, "Bad Request: bad webhook: Failed to resolve host"), too_many(0), too_many(1),
            faults.garbage(), faults.garbage(200), faults.lost(), refuses(500, "Internal Server Error"),
        ],
    )  # fmt: skip
    async def test_setting_it_is_tried_until_it_is_done(self, hooked: HookRig, fault: faults.Fault) -> None:
        hooked.server.faults.add("setWebhook", fault)
        await hooked.start()
        await until(lambda: hooked.server.calls.count("setWebhook") == 2)
        hooked.server.writes(42, "раз")
        await hooked.received(1)

    @pytest.mark.parametrize("when", ["at once", "later"])
    async def test_a_refused_token_stops_the_channel(self, hooked: HookRig, when: str) -> None:
        hooked.check_seconds = 0.01
        if when == "at once":
            hooked.server.refuses_token = True
        await hooked.start()
        hooked.server.refuses_token = True
        with pytest.raises(ChannelStopped):
            await asyncio.wait_for(hooked.running, 10)
