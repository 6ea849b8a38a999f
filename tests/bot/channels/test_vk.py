"""What only VK has: an idempotency key, a log without confirmation, limits of keyboards, its error codes."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

import flows
from bot.channels import Kind, Media, Outgoing
from bot.channels.vk import SENDERS
from bot.errors import ChannelStopped, Rejected, RetryLater, StoreUnavailable, Unreachable
from bot.standins import faults
from bot.standins.vk import refuses
from tests.bot.channels.conftest import MemoryOffsets, VkRig, until

YES_NO = (flows.Button("Да", "yes"), flows.Button("Нет", "no"))


class TestReceiving:
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
        vk.server.replies(42, "человек из сообщества")
        vk.server.writes(42, "моё")
        await vk.received(1)
        assert vk.inbox.texts == ["моё"]

    @pytest.mark.parametrize(
        ("sent", "text"),
        [
            ({"text": "Начать", "payload": '{"command": "start"}'}, "Где заказ 48213?"),
            ({"text": "когда придёт?"}, "Где заказ 48213?\nкогда придёт?"),
            ({"text": "Где заказ 48213?"}, "Где заказ 48213?"),
            ({"text": "Привет", "ref": "order_'); DROP"}, "Привет"),
            ({"text": "Привет", "ref": "unknown_1"}, "Привет"),
        ],
    )
    async def test_a_deep_link_stands_for_its_words(self, vk: VkRig, sent: dict[str, Any], text: str) -> None:
        await vk.start()
        vk.server.writes(42, **{"ref": "order_48213", **sent})
        [update] = await vk.received(1)
        assert (update.kind, update.text) == (Kind.MESSAGE, text)

    async def test_an_app_without_buttons_is_told_of(self, vk: VkRig) -> None:
        await vk.start()
        vk.server.writes(42, "умею")
        vk.server.app = {"button_actions": ["text"], "keyboard": True, "inline_keyboard": False}
        vk.server.writes(42, "не умею")
        assert [update.no_buttons for update in await vk.received(2)] == [False, True]

    @pytest.mark.rule("CX-14")
    @pytest.mark.parametrize(
        ("sent", "read"),
        [
            (
                {"type": "audio_message", "audio_message": {"duration": 3, "link_ogg": "https://x/a.ogg"}},
                Media("voice", ref="https://x/a.ogg", mime="audio/ogg"),
            ),
            (
                {"type": "doc", "doc": {"title": "чек.pdf", "ext": "pdf", "size": 7, "url": "https://x/d"}},
                Media("file", "чек.pdf", "https://x/d", 7, "application/pdf"),
            ),
            ({"type": "sticker", "sticker": {"sticker_id": 1}}, Media("sticker")),
            (
                {"type": "graffiti", "graffiti": {"url": "https://x/g", "width": 1, "height": 1}},
                Media("photo", ref="https://x/g", mime="image/png"),
            ),
            ({"type": "video", "video": {"title": "коробка"}}, Media("video", "коробка")),
            (
                {"type": "link", "link": {"url": "https://example.org/x"}},
                Media("file", "https://example.org/x"),
            ),
            ({"type": "wall", "wall": {"id": 1}}, Media("file", "wall")),
            (
                {"type": "market", "market": {"id": 5, "owner_id": -55, "title": "Чайник"}},
                Media("file", "Чайник https://vk.com/market-55_5"),
            ),
            ({"type": "something_new"}, Media("file", "something_new")),
            ({"type": "photo", "photo": None}, Media("photo")),
        ],
    )
    async def test_media_become_attachments(self, vk: VkRig, sent: dict[str, Any], read: Media) -> None:
        await vk.start()
        vk.server.writes(42, attachments=[sent])
        [update] = await vk.received(1)
        assert update.attachments == (read,)

    async def test_a_place_and_what_is_forwarded_are_attachments_too(self, vk: VkRig) -> None:
        await vk.start()
        forwarded = {"text": "Ваш заказ отменён", "attachments": [vk.attached(b"a screenshot")], "from_id": 7}
        vk.server.writes(42, fwd_messages=[forwarded], geo={"coordinates": {"latitude": 55.7, "longitude": 37.6}})
        [update] = await vk.received(1)
        place, text, photo = update.attachments
        assert (place.name, text.name) == ("55.7, 37.6", "forwarded: Ваш заказ отменён")
        assert (photo.kind, photo.ref) == ("photo", f"{vk.server.url}/files/12.jpg")

    async def test_a_name_that_vk_does_not_tell_holds_up_nobody(self, vk: VkRig) -> None:
        vk.server.faults.add("users.get", faults.slow(5), 2)
        await vk.start()
        began = time.monotonic()
        for chat in range(42, 62):
            vk.server.writes(chat, "раз")
        await vk.received(20)
        assert time.monotonic() - began < 3
        assert vk.inbox.names == {}

    async def test_a_name_is_asked_for_once_and_goes_along_from_then_on(self, vk: VkRig) -> None:
        await vk.start()
        vk.server.writes(42, "раз")
        await until(lambda: vk.inbox.names)
        for _ in range(3):
            vk.server.writes(42, "два")
        assert [update.name for update in await vk.received(4)] == [None, *["Мария №42"] * 3]
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
        keys = {await channel._random_id(message) for message in (1, 2, 3, 2**30, 2**40)}
        assert len(keys) == 5
        assert all(-(2**31) <= key < 2**31 and key for key in keys)

    async def test_processes_that_begin_together_agree_on_the_keys(self, vk: VkRig) -> None:
        one, other = vk.make(), vk.make()
        keys = await asyncio.gather(*(channel._random_id(7) for channel in (one, other)))
        assert keys[0] == keys[1]

    async def test_answers_that_hang_hold_up_only_themselves(self, vk: VkRig) -> None:
        vk.server.faults.add("messages.send", faults.slow(5), 5)
        hanging = [asyncio.create_task(vk.send(number, "раз", chat=str(number))) for number in range(1, 6)]
        await until(lambda: vk.server.calls.count("messages.send") == 5)
        began = time.monotonic()
        await vk.send(6, "два")
        assert time.monotonic() - began < 1.5
        outcomes = await asyncio.gather(*hanging, return_exceptions=True)
        assert all(isinstance(outcome, RetryLater) for outcome in outcomes)

    async def test_more_answers_hang_than_there_are_clients(self, vk: VkRig) -> None:
        vk.server.faults.add("messages.send", faults.slow(3), SENDERS)
        hanging = [asyncio.create_task(vk.send(number, "раз", chat=str(number))) for number in range(1, SENDERS + 2)]
        outcomes = await asyncio.gather(*hanging, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes].count(str) == 1

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            (1, RetryLater), (6, RetryLater), (9, RetryLater), (10, RetryLater), (29, RetryLater), (36, RetryLater),
            (995, RetryLater), (7, Unreachable), (18, Unreachable), (917, Unreachable), (936, Unreachable), (900, Unreachable), (901, Unreachable), (902, Unreachable),
            (100, Rejected), (911, Rejected), (914, Rejected), (4242, Rejected),
            (2, ChannelStopped), (42, ChannelStopped), (203, ChannelStopped), (915, ChannelStopped),
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

    @pytest.mark.rule("CX-10")
    async def test_an_app_that_shows_no_buttons_gets_a_numbered_list(self, vk: VkRig) -> None:
        await vk.send(5, "Это вы?", buttons=YES_NO, no_buttons=True)
        [sent] = vk.server.sent
        assert (sent.text, sent.keyboard) == ("Это вы?\n\n1. Да\n2. Нет", {})

    @pytest.mark.rule("CX-10")
    async def test_it_says_whether_a_number_alone_chooses(self, vk: VkRig) -> None:
        channel, long = vk.make(), (flows.Button("а" * 41, "x"),)
        many = tuple(flows.Button(f"Заказ {n}", "x") for n in range(11))
        for buttons, no_buttons, numbered in (
            (YES_NO, False, False), (YES_NO, True, True), (long, False, True), (many, False, True), ((), True, False),
        ):  # fmt: skip
            message = Outgoing(id=1, chat="42", text="?", buttons=buttons, no_buttons=no_buttons)
            assert channel.numbers(message) is numbered


class TestWriting:
    """VK tells that a customer is writing."""

    @pytest.fixture(params=["vk", "vk_hooked"])
    def rig(self, request: pytest.FixtureRequest) -> VkRig:
        found: VkRig = request.getfixturevalue(request.param)
        return found

    async def test_it_is_passed_on_once_in_some_seconds(self, rig: VkRig) -> None:
        await rig.start()
        for _ in range(3):
            rig.server.types(42)
        rig.server.types(43)
        rig.server.types(44, "audiomessage")
        rig.server.writes(42, "вот что я писал")
        await until(lambda: "вот что я писал" in rig.inbox.texts)
        await until(lambda: len(rig.inbox.got) == 3)
        assert sorted((one.kind, one.chat) for one in rig.inbox.got) == [
            (Kind.MESSAGE, "42"), (Kind.TYPING, "42"), (Kind.TYPING, "43"),
        ]  # fmt: skip

    async def test_what_cannot_be_told_of_it_holds_up_no_message(self, rig: VkRig) -> None:
        rig.inbox.refuse = lambda update: StoreUnavailable() if update.kind is Kind.TYPING else None
        await rig.start()
        rig.server.types(42)
        rig.server.writes(42, "вот что я писал")
        await until(lambda: rig.inbox.texts == ["вот что я писал"])
        assert rig.inbox.tried == 2
