"""What only Telegram has: contacts, commands, its error answers, and no idempotency key."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from typing import Any

import pytest
from aiohttp import web

import flows
from bot.channels import Kind
from bot.channels.telegram import TelegramChannel
from bot.errors import ChannelStopped, DeliveryUnknown, Rejected, RetryLater, SettingsInvalid, Unreachable
from bot.standins import faults
from bot.standins.telegram import odd_shape, refuses, too_many
from flows.load import PACKS
from tests.bot.channels.conftest import MemoryOffsets, TelegramRig, until


class TestContacts:
    @pytest.mark.rule("ID-10")
    async def test_ones_own_number_is_verified(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.shares(42, "79161234567")
        [update] = await telegram.received(1)
        assert (update.kind, update.contact, update.text) == (Kind.CONTACT, "+79161234567", "")

    @pytest.mark.parametrize(
        "card",
        [
            {"owner": 99},
            {"forward_origin": {"type": "hidden_user", "date": 1, "sender_user_name": "x"}},
            {"via_bot": {"id": 7, "is_bot": True, "first_name": "x"}},
        ],
    )
    async def test_somebody_elses_or_a_forwarded_card_is_a_number_that_was_typed(
        self, telegram: TelegramRig, card: dict[str, Any]
    ) -> None:
        await telegram.start()
        telegram.server.shares(42, "+7 916 123-45-67", **card)
        [update] = await telegram.received(1)
        assert (update.kind, update.contact, update.text) == (Kind.MESSAGE, None, "+79161234567")

    async def test_asking_for_the_number_brings_a_key_that_shares_it(self, telegram: TelegramRig) -> None:
        await telegram.send(1, "Ваш номер?", ask_contact=True, buttons=(flows.Button("Позвать специалиста", "x"),))
        [contact, specialist] = telegram.server.sent[0].keys
        assert contact == {"text": "Отправить мой номер", "request_contact": True}
        assert specialist["text"] == "Позвать специалиста"
        await telegram.send(2, "Спасибо.")
        assert telegram.server.sent[1].markup == {"remove_keyboard": True}


class TestReceiving:
    @pytest.mark.rule("CX-01")
    @pytest.mark.parametrize(
        ("sent", "read"),
        [
            ("/operator", "Позовите оператора"),
            ("/START@lavka_bot campaign_7", "Здравствуйте"),
            ("/unknown", "/unknown"),
        ],
    )
    async def test_commands_are_the_packs_words(self, telegram: TelegramRig, sent: str, read: str) -> None:
        await telegram.start()
        telegram.server.writes(42, sent)
        [update] = await telegram.received(1)
        assert (update.kind, update.text) == (Kind.MESSAGE, read)

    async def test_a_deep_link_asks_for_its_order_and_proves_nothing(self, telegram: TelegramRig) -> None:
        telegram.channel = TelegramChannel(
            telegram.server.token, telegram.offsets, api_base=telegram.server.url, poll_seconds=5,
            commands={"start": "Здравствуйте"}, deep_links={"order": "Где заказ {}?"},
        )  # fmt: skip
        telegram.make = lambda: telegram.channel  # type: ignore[method-assign]
        await telegram.start()
        telegram.server.writes(42, "/start order_48213")
        telegram.server.writes(42, "/start spring_sale")
        linked, plain = await telegram.received(2)
        assert (linked.kind, linked.text, linked.contact) == (Kind.MESSAGE, "Где заказ 48213?", None)
        assert plain.text == "Здравствуйте"

    async def test_after_a_quiet_week_telegram_counts_anew(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.begin_anew(900_000)
        telegram.server.writes(42, "до")
        await telegram.received(1)
        await until(lambda: telegram.server.waiting == [])
        telegram.server.begin_anew(5000)
        for number in range(3):
            telegram.server.writes(42, f"после {number}")
        await telegram.received(4)
        assert telegram.inbox.texts == ["до", "после 0", "после 1", "после 2"]
        await until(lambda: telegram.server.waiting == [])
        assert telegram.offsets.values == {"telegram:1000": "5003"}

    async def test_a_batch_is_taken_in_by_rising_numbers_so_that_no_offset_stands_above_what_is_not_stored(
        self, telegram: TelegramRig
    ) -> None:
        async def backwards(request: web.Request, answer: faults.Answer) -> web.StreamResponse:
            response = await answer()
            assert isinstance(response, web.Response)
            body = json.loads(response.text or "{}")
            return web.json_response({**body, "result": body["result"][::-1]})

        telegram.server.faults.add("getUpdates", backwards)
        for text in ("раз", "два", "три"):
            telegram.server.writes(42, text)
        await telegram.start()
        await telegram.received(3)
        assert telegram.inbox.texts == ["раз", "два", "три"]

    async def test_an_older_process_that_still_polls_is_outwaited(self, telegram: TelegramRig) -> None:
        words = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
        telegram.server.faults.add("getUpdates", refuses(409, words), 5)
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)
        assert telegram.server.calls.count("getUpdates") >= 6
        assert "deleteWebhook" not in telegram.server.calls

    async def test_one_who_blocks_us_does_not_hold_up_the_others(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.blocks(42)
        telegram.server.writes(43, "я здесь")
        await telegram.received(2)
        with pytest.raises(Unreachable):
            await telegram.send(1, "раз", chat="42")
        await telegram.send(2, "два", chat="43")
        telegram.server.blocks(42, blocked=False)
        got = await telegram.received(3)
        await telegram.send(3, "три", chat="42")
        assert [(one.chat, one.kind) for one in got] == [
            ("42", Kind.BLOCKED), ("43", Kind.MESSAGE), ("42", Kind.UNBLOCKED),
        ]  # fmt: skip
        assert [(one.chat, one.text) for one in telegram.server.sent] == [(43, "два"), (42, "три")]

    async def test_numbers_of_another_bot_do_not_collide(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.writes(42, "раз")
        [update] = await telegram.received(1)
        assert update.external_id == "1000:7001"

    async def test_a_webhook_is_taken_away(self, telegram: TelegramRig) -> None:
        telegram.server.webhook = "https://example.org/hook"
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)
        assert telegram.server.webhook == ""

    async def test_a_limit_on_polling_is_waited_for(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("getUpdates", too_many(1))
        begun = time.monotonic()
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)
        assert time.monotonic() - begun >= 1.0
        assert telegram.server.calls.count("getUpdates") <= 3

    async def test_what_was_stored_is_confirmed_to_telegram(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)
        await until(lambda: telegram.server.waiting == [])


class TestSending:
    async def test_a_message_that_may_be_out_already_is_not_repeated_into_an_outage(
        self, telegram: TelegramRig
    ) -> None:
        telegram.server.faults.add("getMe", faults.garbage())
        with pytest.raises(RetryLater):
            await telegram.send(1, "Здравствуйте!", doubtful=True)
        assert telegram.server.sent == []
        await telegram.send(1, "Здравствуйте!", doubtful=True)
        assert [sent.text for sent in telegram.server.sent] == ["Здравствуйте!"]

    async def test_a_lost_answer_leaves_open_whether_it_was_sent(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("sendMessage", faults.lost())
        with pytest.raises(DeliveryUnknown):
            await telegram.send(1, "раз")
        assert len(telegram.server.sent) == 1

    async def test_the_seconds_of_a_429_are_kept(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("sendMessage", too_many(17))
        with pytest.raises(RetryLater) as later:
            await telegram.send(1, "раз")
        assert later.value.after == 17

    async def test_an_answer_of_a_new_shape_still_tells_that_it_was_sent(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("sendMessage", odd_shape())
        assert await telegram.send(1, "раз") == str(telegram.server.sent[0].message_id)

    @pytest.mark.parametrize(
        ("code", "description", "error"),
        [
            (403, "Forbidden: bot was blocked by the user", Unreachable),
            (403, "Forbidden: user is deactivated", Unreachable),
            (403, "Forbidden: bot can't initiate conversation with a user", Unreachable),
            (400, "Bad Request: chat not found", Unreachable),
            (400, "Bad Request: user not found", Unreachable),
            (400, "Bad Request: PEER_ID_INVALID", Unreachable),
            (400, "Bad Request: INPUT_USER_DEACTIVATED", Unreachable),
            (400, "Bad Request: can't parse entities", Rejected),
            (400, "Bad Request: message is too long", Rejected),
            (413, "Request Entity Too Large", Rejected),
            (404, "Not Found", ChannelStopped),
            (401, "Unauthorized", ChannelStopped),
            (409, "Conflict", RetryLater),
            (429, "Too Many Requests", RetryLater),
            (500, "Internal Server Error: restart", RetryLater),
            (500, "Internal Server Error", DeliveryUnknown),
            (502, "Bad Gateway", DeliveryUnknown),
            (418, "I'm a teapot", DeliveryUnknown),
        ],
    )
    async def test_refusals_in_our_terms(
        self, telegram: TelegramRig, code: int, description: str, error: type[Exception]
    ) -> None:
        telegram.server.faults.add("sendMessage", refuses(code, description))
        with pytest.raises(error) as caught:
            await telegram.send(1, "раз")
        assert type(caught.value) is error
        assert telegram.server.sent == []

    async def test_a_chat_that_has_moved_is_no_customers(self, telegram: TelegramRig) -> None:
        moved = {"ok": False, "error_code": 400, "description": "Bad Request: group chat was upgraded"}
        telegram.server.faults.add("sendMessage", faults.says({**moved, "parameters": {"migrate_to_chat_id": -5}}, 400))
        with pytest.raises(Rejected):
            await telegram.send(1, "раз")

    async def test_an_answer_that_takes_too_long_leaves_open_whether_it_was_sent(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("sendMessage", faults.slow(30))
        telegram.channel = hasty(telegram)
        with pytest.raises(DeliveryUnknown):
            await telegram.send(1, "раз")
        assert len(telegram.server.sent) == 1

    async def test_a_line_that_never_comes_about_has_sent_nothing(self, telegram: TelegramRig) -> None:
        """As when packets to Telegram vanish: the message may wait for as long as it takes."""
        silent = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1")
        port = silent.sockets[0].getsockname()[1]
        telegram.channel = hasty(telegram, base=f"https://127.0.0.1:{port}")  # no TLS ever answers here
        with pytest.raises(RetryLater):
            await telegram.send(1, "раз")
        silent.close()

    async def test_no_error_tells_the_token(self, telegram: TelegramRig) -> None:
        async def goes_round(request: web.Request, answer: faults.Answer) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(str(request.url))  # aiohttp's TooManyRedirects names the address

        telegram.server.faults.add("sendMessage", goes_round, 50)
        with pytest.raises(DeliveryUnknown) as caught:
            await telegram.send(1, "раз")
        assert telegram.server.calls.count("sendMessage") > 1
        assert "stand-in-token" not in "".join(traceback.format_exception(caught.value))

    async def test_a_chat_that_is_no_number_is_rejected(self, telegram: TelegramRig) -> None:
        with pytest.raises(Rejected):
            await telegram.send(1, "раз", chat="terminal")

    async def test_a_button_with_a_long_title_has_a_short_payload(self, telegram: TelegramRig) -> None:
        title = "Где заказ и когда вернут деньги за прошлый, который я отправила месяц назад"
        await telegram.send(123456789, "О чём вы?", buttons=(flows.Button(title, "intent:refund_status"),))
        assert telegram.server.sent[0].buttons == [title]

    async def test_a_text_that_fits_comes_in_one_piece_and_a_longer_one_not_at_all(self, telegram: TelegramRig) -> None:
        await telegram.send(1, "а" * 4096)
        assert [len(message.text) for message in telegram.server.sent] == [4096]
        with pytest.raises(Rejected):
            await telegram.send(2, "а" * 4097)
        assert telegram.server.calls.count("sendMessage") == 1

    async def test_as_many_buttons_as_telegram_takes(self, telegram: TelegramRig) -> None:
        await telegram.send(2**62, "Какой?", buttons=tuple(flows.Button(f"Заказ {n}", "x") for n in range(100)))
        assert len(telegram.server.sent[0].buttons) == 100
        assert len(telegram.server.sent[0].markup["inline_keyboard"][99][0]["callback_data"]) <= 64
        await telegram.send(5, "Какой?", buttons=tuple(flows.Button("Заказ " * 100, "x") for _ in range(120)))
        assert len(telegram.server.sent[1].buttons) == 100


class TestTyping:
    async def test_it_is_shown(self, telegram: TelegramRig) -> None:
        telegram.channel = telegram.make()
        await telegram.channel.typing("42")
        assert telegram.server.actions == [(42, "typing")]

    @pytest.mark.parametrize(
        "fault",
        [
            refuses(403, "Forbidden: bot was blocked by the user"), refuses(500, "Internal Server Error"),
            refuses(401, "Unauthorized"), faults.garbage(), faults.garbage(200), faults.lost(), faults.says([]),
        ],
    )  # fmt: skip
    async def test_it_never_fails(self, telegram: TelegramRig, fault: faults.Fault) -> None:
        telegram.channel = telegram.make()
        telegram.server.faults.add("sendChatAction", fault)
        await telegram.channel.typing("42")
        await telegram.channel.typing("no chat")
        await telegram.channel.typing("43")
        assert (43, "typing") in telegram.server.actions

    async def test_it_never_fails_when_telegram_is_away(self, telegram: TelegramRig) -> None:
        telegram.channel = telegram.make()
        await telegram.server.__aexit__()
        await telegram.channel.typing("42")

    async def test_when_telegram_has_enough_there_is_none_and_messages_go_on(self, telegram: TelegramRig) -> None:
        telegram.channel = telegram.make()
        telegram.server.faults.add("sendChatAction", too_many(30))
        for _ in range(3):
            await telegram.channel.typing("42")
        assert telegram.server.calls.count("sendChatAction") == 1
        await telegram.send(1, "раз")
        assert len(telegram.server.sent) == 1


class TestProfile:
    async def test_the_packs_words_fit_and_are_shown(self, telegram: TelegramRig) -> None:
        words = flows.load(PACKS / "shop").manifest.settings
        telegram.make = lambda: TelegramChannel(  # type: ignore[method-assign]
            telegram.server.token, telegram.offsets, api_base=telegram.server.url, poll_seconds=5,
            commands=words["commands"], description=words["description"], short_description=words["short_description"],
        )  # fmt: skip
        await telegram.start()
        await until(lambda: telegram.server.short_description)
        assert [one["command"] for one in telegram.server.commands] == ["start", "help", "operator"]
        assert telegram.server.description == words["description"]
        await telegram.stop()

        await telegram.start()
        await until(lambda: telegram.server.calls.count("getMyShortDescription") == 2)
        sets = [call for call in telegram.server.calls if call.startswith("setMy")]
        assert sets == ["setMyCommands", "setMyDescription", "setMyShortDescription"]

    async def test_what_has_changed_is_set_again(self, telegram: TelegramRig) -> None:
        telegram.server.commands = [{"command": "start", "description": "Старое"}]
        await telegram.start()
        await until(lambda: len(telegram.server.commands) == 2)
        assert telegram.server.commands[0] == {"command": "start", "description": "Здравствуйте"}
        assert "setMyDescription" not in telegram.server.calls

    @pytest.mark.parametrize("fault", [too_many(600), faults.garbage(), faults.slow(5)])
    async def test_trouble_with_it_holds_up_nothing(self, telegram: TelegramRig, fault: faults.Fault) -> None:
        telegram.server.faults.add("getMyCommands", fault)
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)


async def test_presses_are_acknowledged_before_the_end(telegram: TelegramRig) -> None:
    await telegram.start()
    await telegram.send(12, "Это вы?", buttons=(flows.Button("Да", "yes"),))
    telegram.server.faults.add("answerCallbackQuery", faults.slow(0.2))
    press = telegram.server.presses(telegram.server.sent[0], "Да")
    await telegram.received(1)
    await telegram.stop()
    assert telegram.server.answered == [press]


def hasty(telegram: TelegramRig, base: str | None = None) -> TelegramChannel:
    """A channel without patience."""
    return TelegramChannel(
        telegram.server.token, telegram.offsets, api_base=base or telegram.server.url, call_seconds=1.0
    )


def test_a_token_that_is_none_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_TELEGRAM_TOKEN"):
        TelegramChannel("not a token", MemoryOffsets())
