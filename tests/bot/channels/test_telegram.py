"""What only Telegram has: contacts, commands, its error answers, and no idempotency key."""

from __future__ import annotations

from typing import Any

import pytest

import flows
from bot.channels import Kind
from bot.channels.telegram import TelegramChannel
from bot.errors import ChannelStopped, DeliveryUnknown, Rejected, RetryLater, SettingsInvalid, Unreachable
from bot.standins import faults
from bot.standins.telegram import odd_shape, refuses, too_many
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
    async def test_the_menu_shows_the_commands(self, telegram: TelegramRig) -> None:
        await telegram.start()
        await until(lambda: telegram.server.commands)
        assert [command["command"] for command in telegram.server.commands] == ["start", "operator"]

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
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)

    async def test_what_was_stored_is_confirmed_to_telegram(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.writes(42, "раз")
        await telegram.received(1)
        await until(lambda: telegram.server.waiting == [])


class TestSending:
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
            (403, "Forbidden: user is deactivated", Unreachable),
            (400, "Bad Request: chat not found", Unreachable),
            (400, "Bad Request: can't parse entities", Rejected),
            (404, "Not Found", ChannelStopped),
            (401, "Unauthorized", ChannelStopped),
            (500, "Internal Server Error", DeliveryUnknown),
            (413, "Request Entity Too Large", Rejected),
        ],
    )
    async def test_refusals_in_our_terms(
        self, telegram: TelegramRig, code: int, description: str, error: type[Exception]
    ) -> None:
        telegram.server.faults.add("sendMessage", refuses(code, description))
        with pytest.raises(error):
            await telegram.send(1, "раз")

    async def test_a_chat_that_is_no_number_is_rejected(self, telegram: TelegramRig) -> None:
        with pytest.raises(Rejected):
            await telegram.send(1, "раз", chat="terminal")

    async def test_a_button_with_a_long_title_has_a_short_payload(self, telegram: TelegramRig) -> None:
        title = "Где заказ и когда вернут деньги за прошлый, который я отправила месяц назад"
        await telegram.send(123456789, "О чём вы?", buttons=(flows.Button(title, "intent:refund_status"),))
        assert telegram.server.sent[0].buttons == [title]


def test_a_token_that_is_none_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_TELEGRAM_TOKEN"):
        TelegramChannel("not a token", MemoryOffsets())
