"""What only VK has: an idempotency key, a log without confirmation, limits of keyboards, its error codes."""

from __future__ import annotations

import time
from typing import Any

import pytest

import flows
from bot.channels import Kind, Media
from bot.errors import ChannelStopped, Rejected, RetryLater, Unreachable
from bot.standins import faults
from bot.standins.vk import refuses
from tests.bot.channels.conftest import MemoryOffsets, VkRig, until


class TestReceiving:
    async def test_lost_history_goes_on_from_the_new_ts(self, vk: VkRig) -> None:
        vk.offsets.values["vk:55"] = "0"
        for number in range(3):
            vk.server.writes(42, f"потеряно {number}")
        vk.server.forget(2)
        await vk.start()
        await vk.received(1)
        assert vk.inbox.texts == ["потеряно 2"]

    async def test_an_old_key_is_renewed_and_nothing_is_missed(self, vk: VkRig) -> None:
        await vk.start()
        vk.server.expire_key()
        vk.server.writes(42, "раз")
        await vk.received(1)
        assert vk.inbox.texts == ["раз"]

    async def test_an_unknown_ts_starts_anew(self, vk: VkRig) -> None:
        vk.offsets.values["vk:55"] = "900"
        await vk.start()
        await until(lambda: vk.offsets.values["vk:55"] == "0")
        vk.server.writes(42, "раз")
        await vk.received(1)
        await until(lambda: vk.offsets.values["vk:55"] == "1")

    async def test_the_first_ts_is_stored_before_anything_comes(self, vk: VkRig) -> None:
        await vk.start()
        assert vk.offsets.values["vk:55"] == "0"

    async def test_a_limit_on_getting_the_server_is_waited_for(self, vk: VkRig) -> None:
        vk.server.faults.add("groups.getLongPollServer", refuses(6))
        await vk.start()
        vk.server.writes(42, "раз")
        await vk.received(1)
        assert vk.server.calls.count("groups.getLongPollServer") == 2

    @pytest.mark.parametrize("as_text", [True, False])
    async def test_a_payload_is_read_as_text_or_object(self, vk: VkRig, as_text: bool) -> None:
        await vk.start()
        await vk.send(7, "Это вы?", buttons=(flows.Button("Да", "yes"),))
        vk.server.presses(vk.server.sent[0], "Да", as_text=as_text)
        [update] = await vk.received(1)
        assert update.press == "7.0"

    async def test_a_button_of_the_text_kind_is_a_press_too(self, vk: VkRig) -> None:
        await vk.start()
        vk.server.writes(42, "Да", payload='{"press": "7.0"}')
        [update] = await vk.received(1)
        assert (update.kind, update.press) == (Kind.PRESS, "7.0")

    async def test_the_start_button_is_the_packs_words(self, vk: VkRig) -> None:
        await vk.start()
        vk.server.writes(42, "Начать", payload='{"command": "start"}')
        [update] = await vk.received(1)
        assert (update.kind, update.text) == (Kind.MESSAGE, "Здравствуйте")

    async def test_our_own_messages_are_not_the_customers(self, vk: VkRig) -> None:
        await vk.start()
        vk.server.event("message_edit", vk.server.message(42, "наше", from_id=-55, out=1))
        vk.server.event("message_reply", vk.server.message(42, "наше", from_id=-55, out=1))
        vk.server.writes(42, "моё")
        await vk.received(1)
        assert vk.inbox.texts == ["моё"]

    @pytest.mark.rule("CX-14")
    @pytest.mark.parametrize(
        ("sent", "read"),
        [
            ({"type": "audio_message", "audio_message": {"duration": 3}}, Media("voice")),
            ({"type": "doc", "doc": {"title": "чек.pdf"}}, Media("file", "чек.pdf")),
            ({"type": "sticker", "sticker": {"sticker_id": 1}}, Media("sticker")),
            ({"type": "video", "video": {"title": "коробка"}}, Media("video", "коробка")),
            (
                {"type": "link", "link": {"url": "https://example.org/x"}},
                Media("file", "https://example.org/x"),
            ),
            ({"type": "wall", "wall": {"id": 1}}, Media("file", "wall")),
            ({"type": "something_new"}, Media("file", "something_new")),
        ],
    )
    async def test_media_become_attachments(self, vk: VkRig, sent: dict[str, Any], read: Media) -> None:
        await vk.start()
        vk.server.writes(42, attachments=[sent])
        [update] = await vk.received(1)
        assert update.attachments == (read,)

    async def test_a_name_that_vk_does_not_tell_is_done_without(self, vk: VkRig) -> None:
        vk.server.faults.add("users.get", faults.garbage())
        await vk.start()
        vk.server.writes(42, "раз")
        [update] = await vk.received(1)
        assert update.name is None

    async def test_a_name_is_asked_for_once(self, vk: VkRig) -> None:
        await vk.start()
        for _ in range(3):
            vk.server.writes(42, "раз")
        await vk.received(3)
        assert vk.server.calls.count("users.get") == 1

    async def test_stopping_does_not_wait_for_the_poll(self, vk: VkRig) -> None:
        await vk.start()
        began = time.monotonic()
        await vk.stop()
        assert time.monotonic() - began < 1


class TestSending:
    async def test_a_lost_answer_never_shows_the_text_twice(self, vk: VkRig) -> None:
        vk.server.faults.add("messages.send", faults.lost())
        with pytest.raises(RetryLater):
            await vk.send(1, "раз")
        await vk.send(1, "раз")
        assert len(vk.server.sent) == 1

    async def test_a_new_process_sends_with_the_same_key(self, vk: VkRig) -> None:
        await vk.send(1, "раз")
        await vk.channel.close()
        vk.channel = vk.make()
        await vk.send(1, "раз")
        assert len(vk.server.sent) == 1

    async def test_the_messages_of_a_new_database_are_no_repetitions(self, vk: VkRig) -> None:
        await vk.send(1, "раз")
        await vk.channel.close()
        vk.offsets = MemoryOffsets()
        vk.channel = vk.make()
        await vk.send(1, "два")
        assert [message.text for message in vk.server.sent] == ["раз", "два"]

    async def test_keys_fit_into_32_bits_whatever_the_id(self, vk: VkRig) -> None:
        channel = vk.make()
        keys = {await channel._random_id(message, piece) for message in (1, 2, 3, 2**30, 2**40) for piece in (0, 1, 2)}
        assert len(keys) == 15
        assert all(-(2**31) <= key < 2**31 and key for key in keys)

    async def test_a_hanging_answer_holds_up_one_call_only_for_its_timeout(self, vk: VkRig) -> None:
        vk.server.faults.add("messages.send", faults.slow(5))
        with pytest.raises(RetryLater):
            await vk.send(1, "раз")
        await vk.send(2, "два")
        assert [message.text for message in vk.server.sent] == ["раз", "два"]

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (1, RetryLater), (9, RetryLater), (10, RetryLater), (29, RetryLater),
            (18, Unreachable), (900, Unreachable), (901, Unreachable), (902, Unreachable),
            (100, Rejected), (911, Rejected), (914, Rejected), (4242, Rejected),
            (5, ChannelStopped), (14, ChannelStopped), (15, ChannelStopped), (17, ChannelStopped), (27, ChannelStopped),
        ],
    )  # fmt: skip
    async def test_refusals_in_our_terms(self, vk: VkRig, code: int, error: type[Exception]) -> None:
        vk.server.faults.add("messages.send", refuses(code))
        with pytest.raises(error):
            await vk.send(1, "раз")


class TestKeyboard:
    async def test_up_to_six_buttons_stand_below_each_other_and_up_to_ten_in_pairs(self, vk: VkRig) -> None:
        for count, rows in ((6, 6), (7, 4), (10, 5)):
            await vk.send(count, "Что?", buttons=tuple(flows.Button(f"Ответ {n}", "x") for n in range(count)))
            assert len(vk.server.sent[-1].keyboard["buttons"]) == rows
            assert len(vk.server.sent[-1].buttons) == count

    async def test_titles_too_long_for_vk_stand_in_the_text_with_numbers_on_the_buttons(self, vk: VkRig) -> None:
        titles = ["Где мой заказ, отправленный на прошлой неделе", "Другое"]
        await vk.send(5, "О чём вы?", buttons=tuple(flows.Button(title, "x") for title in titles))
        [sent] = vk.server.sent
        assert sent.text == f"О чём вы?\n\n1. {titles[0]}\n2. {titles[1]}"
        assert sent.buttons == ["1", "2"]
        await vk.start()
        vk.server.presses(sent, "2")
        [update] = await vk.received(1)
        assert update.press == "5.1"

    async def test_more_than_ten_are_a_numbered_list(self, vk: VkRig) -> None:
        await vk.send(5, "Какой?", buttons=tuple(flows.Button(f"Заказ {n}", "x") for n in range(12)))
        [sent] = vk.server.sent
        assert sent.text.endswith("\n12. Заказ 11")
        assert sent.keyboard == {}
