"""Agents' files on their way to customers: the same on every messenger (CX-10), over HTTP against its stand-in server."""

from __future__ import annotations

import pytest

import flows
from bot.channels import MOST_CAPTION, OutFile
from bot.errors import ChannelStopped, DeliveryFailed, Rejected, RetryLater, Unreachable
from bot.standins import faults
from bot.standins import telegram as telegram_server
from bot.standins import vk as vk_server
from tests.bot.channels.conftest import Rig, TelegramRig, VkRig
from tests.bot.files.test_kinds import JPEG, PDF

PHOTO = OutFile(name="полка.jpg", kind="photo", mime="image/jpeg", data=JPEG)
FILE = OutFile(name="Чек № 5.pdf", kind="file", mime="application/pdf", data=PDF)


@pytest.mark.rule("CX-10")
class TestBoth:
    async def test_a_file_comes_with_its_name_its_bytes_and_its_words(self, polling: Rig) -> None:
        sent = await polling.send(1, "Ваш чек", file=FILE)
        assert polling.files() == [("file", "Чек № 5.pdf", PDF, "Ваш чек")]
        assert sent == str(polling.server.sent[-1].message_id)

    async def test_a_photo_is_shown_and_needs_no_words(self, polling: Rig) -> None:
        await polling.send(1, "", file=PHOTO)
        assert polling.files() == [("photo", "полка.jpg", JPEG, "")]

    async def test_the_longest_caption_is_taken(self, polling: Rig) -> None:
        await polling.send(1, "я" * MOST_CAPTION, file=FILE)
        assert polling.files()[0][3] == "я" * MOST_CAPTION

    async def test_a_picture_that_the_messenger_does_not_show_goes_as_a_file(self, polling: Rig) -> None:
        odd = OutFile(name="полка.jpg", kind="photo", mime="image/jpeg", data=b"broken" + JPEG)
        await polling.send(1, "Вот", file=odd)
        assert polling.files() == [("file", "полка.jpg", odd.data, "Вот")]

    async def test_many_megabytes_go_through(self, polling: Rig) -> None:
        big = OutFile(name="акт.pdf", kind="file", mime="application/pdf", data=PDF + bytes(20 * 2**20))
        await polling.send(1, "", file=big)
        assert len(polling.files()[0][2]) == len(big.data)

    async def test_what_no_messenger_takes_is_rejected(self, polling: Rig) -> None:
        with pytest.raises(Rejected):
            await polling.send(1, "", file=OutFile(name="пусто.pdf", kind="file", mime="application/pdf", data=b""))
        assert polling.server.sent == []

    async def test_a_customer_who_has_blocked_us_is_unreachable(self, polling: Rig) -> None:
        polling.block(42)
        with pytest.raises(Unreachable):
            await polling.send(1, "", file=PHOTO)

    async def test_a_refused_token_stops_the_channel(self, polling: Rig) -> None:
        polling.server.refuses_token = True
        with pytest.raises(ChannelStopped):
            await polling.send(1, "", file=PHOTO)

    async def test_a_messenger_that_is_away_is_tried_later(self, polling: Rig) -> None:
        polling.channel = polling.make()
        await polling.server.__aexit__()
        with pytest.raises(RetryLater):
            await polling.send(1, "", file=PHOTO)

    async def test_what_is_no_answer_is_a_failure_at_every_step_and_the_next_try_sends_it_once(
        self, polling: Rig
    ) -> None:
        for call in polling.UPLOADS:
            for fault in (faults.garbage(), faults.garbage(200), faults.says({"what": 1}), faults.says([], 500)):
                polling.server.faults.add(call, fault)
                with pytest.raises(DeliveryFailed) as failed:
                    await polling.send(1, "", file=PHOTO)
                assert not isinstance(failed.value, Rejected | ChannelStopped | Unreachable)
        assert polling.files() == []
        await polling.send(1, "", file=PHOTO)
        assert polling.files() == [("photo", "полка.jpg", JPEG, "")]


class TestTelegram:
    async def test_too_fast_is_later(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("sendDocument", telegram_server.too_many(3))
        with pytest.raises(RetryLater) as later:
            await telegram.send(1, "", file=FILE)
        assert (later.value.after, later.value.of) == (3, "chat")

    async def test_a_large_picture_goes_as_a_file(self, telegram: TelegramRig) -> None:
        large = OutFile(name="план.jpg", kind="photo", mime="image/jpeg", data=JPEG + bytes(11 * 2**20))
        await telegram.send(1, "", file=large)
        assert [one[0] for one in telegram.files()] == ["file"]
        assert telegram.server.calls.count("sendPhoto") == 0

    async def test_dimensions_that_it_refuses_are_no_reason_to_send_nothing(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add("sendPhoto", telegram_server.refuses(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
        await telegram.send(1, "", file=PHOTO)
        assert [one[0] for one in telegram.files()] == ["file"]

    async def test_another_refusal_is_one(self, telegram: TelegramRig) -> None:
        telegram.server.faults.add(
            "sendPhoto", telegram_server.refuses(400, "Bad Request: message caption is too long")
        )
        with pytest.raises(Rejected):
            await telegram.send(1, "", file=PHOTO)
        assert telegram.server.sent == []

    async def test_no_error_tells_the_token(self, telegram: TelegramRig) -> None:
        telegram.channel = telegram.make()
        await telegram.server.__aexit__()
        with pytest.raises(DeliveryFailed) as failed:
            await telegram.send(1, "", file=PHOTO)
        assert "stand-in-token" not in f"{failed.value!r} {failed.value.__cause__!r} {failed.value.__context__!r}"


class TestVk:
    async def test_sent_again_it_is_shown_once(self, vk: VkRig) -> None:
        vk.server.faults.add("messages.send", faults.lost())
        with pytest.raises(RetryLater):
            await vk.send(7, "Ваш чек", file=FILE)
        await vk.send(7, "Ваш чек", file=FILE)
        assert vk.files() == [("file", "Чек № 5.pdf", PDF, "Ваш чек")]

    async def test_a_token_without_the_right_to_files_holds_up_no_texts(self, vk: VkRig) -> None:
        vk.server.rights = {"messages", "manage"}
        with pytest.raises(Rejected, match="right"):
            await vk.send(1, "", file=FILE)
        await vk.send(2, "Файл не дошёл, вот ссылка.")
        assert [one.text for one in vk.server.sent] == ["Файл не дошёл, вот ссылка."]

    async def test_a_missing_right_is_told_to_the_operator(self, vk: VkRig) -> None:
        vk.server.rights = {"messages", "manage", "photos"}
        vk.channel = vk.make()
        assert "docs" in await vk.channel.about()

    async def test_a_document_that_it_does_not_take_is_rejected(self, vk: VkRig) -> None:
        with pytest.raises(Rejected, match="bad_file"):
            await vk.send(1, "", file=OutFile(name="чек.exe", kind="file", mime="application/pdf", data=PDF))

    async def test_too_many_calls_are_later_at_every_step(self, vk: VkRig) -> None:
        for call in ("docs.getMessagesUploadServer", "docs.save"):
            vk.server.faults.add(call, vk_server.refuses(6))
            with pytest.raises(RetryLater):
                await vk.send(1, "", file=FILE)
        await vk.send(1, "", file=FILE)
        assert len(vk.files()) == 1

    async def test_bytes_go_to_no_address_without_encryption(self, vk: VkRig) -> None:
        answer = {"response": {"upload_url": "http://elsewhere.example/upload"}}
        vk.server.faults.add("docs.getMessagesUploadServer", faults.says(answer))
        with pytest.raises(Rejected, match="safe"):
            await vk.send(1, "", file=FILE)


@pytest.mark.rule("KPI-03")
async def test_five_marks_stand_side_by_side_and_may_be_pressed(polling: Rig) -> None:
    await polling.start()
    marks = tuple(flows.Button(str(mark), f"mark:{mark}:T-1001") for mark in range(1, 6))
    await polling.send(12, "Оцените", buttons=marks)
    sent = polling.server.sent[-1]
    rows = sent.markup["inline_keyboard"] if polling.name == "telegram" else sent.keyboard["buttons"]
    assert [len(row) for row in rows] == [5]
    polling.server.presses(sent, "4")
    [update] = await polling.received(1)
    assert update.press == "12.3"


@pytest.mark.rule("KPI-03")
async def test_an_app_without_buttons_is_shown_no_list_of_bare_numbers(vk: VkRig) -> None:
    marks = tuple(flows.Button(str(mark), f"mark:{mark}:T-1001") for mark in range(1, 6))
    await vk.send(12, "Оцените от 1 до 5", buttons=marks, no_buttons=True)
    assert (vk.server.sent[-1].text, vk.server.sent[-1].buttons) == ("Оцените от 1 до 5", [])
