"""What customers wrote while nobody listened is read from VK's dialogues: once, in order, and only theirs."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from bot.channels import Kind
from bot.standins import faults
from bot.standins.vk import refuses
from tests.bot.channels.conftest import VkRig, until


def away(vk: VkRig, **ago: float) -> int:
    """Let the last sign of life be so long ago; return that moment, in VK's time."""
    moment = datetime.now(UTC) - timedelta(**ago)
    vk.offsets.values["vk:55:listened"] = moment.isoformat()
    return int(moment.timestamp())


async def caught_up(vk: VkRig, count: int) -> list[str]:
    await vk.start()
    vk.server.writes(99, "последнее")
    await until(lambda: "последнее" in vk.inbox.texts, 30)
    assert len(vk.inbox.got) == count + 1
    return vk.inbox.texts[:-1]


class TestLostHistory:
    async def test_events_that_vk_no_longer_has_are_read_from_the_dialogues(self, vk: VkRig) -> None:
        vk.offsets.values["vk:55"] = "0"
        away(vk, minutes=5)
        for number in range(3):
            vk.server.writes(42, f"потеряно {number}")
        vk.server.forget(2)
        await vk.start()
        await until(lambda: len({update.external_id for update in vk.inbox.got}) == 3)
        assert list(dict.fromkeys(vk.inbox.texts)) == ["потеряно 0", "потеряно 1", "потеряно 2"]
        await until(lambda: vk.offsets.values["vk:55"] == "3")

    async def test_so_it_is_when_even_the_place_is_lost(self, vk: VkRig) -> None:
        vk.offsets.values["vk:55"] = "900"
        away(vk, minutes=5)
        vk.server.writes(42, "потеряно")
        await vk.start()
        await until(lambda: "потеряно" in vk.inbox.texts)

    async def test_the_place_moves_only_when_all_is_read(self, vk: VkRig) -> None:
        vk.offsets.values["vk:55"] = "0"
        away(vk, minutes=5)
        vk.server.writes(42, "потеряно")
        vk.server.forget(1)
        vk.inbox.refuse = lambda update: OSError("the store is away")
        await vk.start()
        await until(lambda: vk.inbox.tried >= 3)
        assert vk.offsets.values["vk:55"] == "0"
        await vk.stop()
        vk.inbox.refuse = lambda update: None
        await vk.start()
        await until(lambda: "потеряно" in vk.inbox.texts)


class TestLongOutage:
    async def test_dialogues_are_read_from_the_last_sign_of_life_on_oldest_first(self, vk: VkRig) -> None:
        began = away(vk, hours=40)
        for minute in range(250):  # more than one answer of VK's holds
            vk.server.message(42, f"строка {minute}", date=began + minute * 60)
        vk.server.message(43, "и я", date=began + 60)
        texts = await caught_up(vk, 251)
        assert [text for text in texts if text != "и я"] == [f"строка {minute}" for minute in range(250)]

    async def test_what_was_said_before_is_left_alone(self, vk: VkRig) -> None:
        began = away(vk, hours=40)
        vk.server.message(42, "давно отвечено", date=began - 3600)
        vk.server.message(42, "пока никого не было", date=began + 3600)
        vk.server.message(43, "год назад", date=began - 365 * 86400)
        assert await caught_up(vk, 1) == ["пока никого не было"]

    async def test_messages_older_than_receipts_are_left_alone(self, vk: VkRig) -> None:
        began = away(vk, days=60)
        vk.server.message(42, "слишком давно", date=began + 3600)
        vk.server.message(42, "на днях", date=int(time.time()) - 86400)
        assert await caught_up(vk, 1) == ["на днях"]

    async def test_the_first_start_answers_nobody_from_the_past(self, vk: VkRig) -> None:
        vk.server.message(42, "до нас")
        assert await caught_up(vk, 0) == []

    async def test_a_short_break_is_left_to_the_events(self, vk: VkRig) -> None:
        away(vk, minutes=1)
        vk.server.message(42, "это есть в событиях")
        assert await caught_up(vk, 0) == []
        assert "messages.getConversations" not in vk.server.calls

    async def test_only_customers_are_read_and_nothing_that_a_person_has_answered(self, vk: VkRig) -> None:
        began = away(vk, hours=5)
        vk.server.message(42, "человек уже ответил", date=began + 60)
        vk.server.message(42, "ответ", date=began + 70, from_id=-55, out=1, admin_author_id=7)
        vk.server.message(42, "а это новое", date=began + 80)
        vk.server.message(42, "ответ бота", date=began + 90, from_id=-55, out=1, random_id=5)
        vk.server.message(2_000_000_001, "беседа", date=began + 100, from_id=42)
        assert await caught_up(vk, 1) == ["а это новое"]

    async def test_a_changed_message_and_a_text_button_are_read_too(self, vk: VkRig) -> None:
        began = away(vk, hours=5)
        vk.server.message(42, "исправлено", date=began + 60, update_time=began + 70)
        vk.server.message(43, "Да", date=began + 80, payload='{"press": "7.0"}')
        await vk.start()
        got = await vk.received(3)
        kinds = {(update.chat, update.kind, update.text) for update in got}
        assert kinds == {("42", Kind.MESSAGE, "исправлено"), ("42", Kind.EDIT, "исправлено"), ("43", Kind.PRESS, "Да")}

    async def test_limits_are_waited_for_and_a_dialogue_that_vk_hides_is_left_out(self, vk: VkRig) -> None:
        began = away(vk, hours=5)
        for chat in (42, 43):
            vk.server.message(chat, f"из {chat}", date=began + chat)
        vk.server.faults.add("messages.getConversations", refuses(6))
        vk.server.faults.add("messages.getConversations", faults.garbage(200))
        vk.server.faults.add("messages.getHistory", refuses(917))
        assert await caught_up(vk, 1) == ["из 42"]

    async def test_after_catching_up_the_next_start_reads_events_only(self, vk: VkRig) -> None:
        began = away(vk, hours=5)
        vk.server.message(42, "раз", date=began + 60)
        await caught_up(vk, 1)
        await until(
            lambda: (
                datetime.now(UTC) - datetime.fromisoformat(vk.offsets.values["vk:55:listened"]) < timedelta(minutes=1)
            )
        )
        await vk.stop()
        vk.server.calls.clear()
        await vk.start()
        assert "messages.getConversations" not in vk.server.calls
