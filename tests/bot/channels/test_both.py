"""What holds for every messenger (CX-10), over HTTP against its stand-in server."""

from __future__ import annotations

import pytest

import flows
from bot.channels import Kind, Outgoing
from bot.channels.polling import POISON_TRIES
from bot.errors import ChannelStopped, DeliveryFailed, Rejected, RetryLater, StoreUnavailable, Unreachable
from bot.standins import faults
from tests.bot.channels.conftest import COMMANDS, Rig, until

YES_NO = (flows.Button("Да", "yes"), flows.Button("Нет", "no"))


@pytest.mark.rule("CX-10")
class TestReceiving:
    async def test_a_message_comes_with_its_chat_text_and_name(self, rig: Rig) -> None:
        await rig.start()
        rig.server.writes(42, "где заказ 48213")
        [update] = await rig.received(1)
        assert (update.channel, update.chat, update.kind, update.text) == (
            rig.name,
            "42",
            Kind.MESSAGE,
            "где заказ 48213",
        )
        await until(lambda: rig.inbox.names.get("42") == "Мария №42")
        assert update.at.tzinfo is not None

    async def test_messages_keep_their_order(self, rig: Rig) -> None:
        await rig.start()
        for number in range(20):
            rig.server.writes(42, f"строка {number}")
        await rig.received(20)
        assert rig.inbox.texts == [f"строка {number}" for number in range(20)]

    async def test_a_message_that_could_not_be_stored_comes_again(self, rig: Rig) -> None:
        rig.inbox.failures = [StoreUnavailable(), OSError("gone"), StoreUnavailable()]
        await rig.start()
        rig.server.writes(42, "не потеряйся")
        await rig.received(1)
        assert rig.inbox.texts == ["не потеряйся"]
        assert rig.inbox.tried == 4

    async def test_the_offset_moves_only_after_the_message_is_stored(self, polling: Rig) -> None:
        polling.inbox.refuse = lambda update: StoreUnavailable()
        await polling.start()
        before = dict(polling.offsets.values)
        polling.server.writes(42, "ещё не записано")
        await until(lambda: polling.inbox.tried >= 3)
        assert polling.offsets.values == before

    async def test_a_message_that_was_not_stored_when_it_ended_comes_to_the_next(self, rig: Rig) -> None:
        rig.inbox.refuse = lambda update: StoreUnavailable()
        await rig.start()
        rig.server.writes(42, "ещё не записано")
        await until(lambda: rig.inbox.tried >= 3)
        await rig.stop()

        rig.inbox.refuse = lambda update: None
        await rig.start()
        await rig.received(1)
        assert set(rig.inbox.texts) == {"ещё не записано"}
        assert len({update.external_id for update in rig.inbox.got}) == 1

    async def test_after_a_restart_it_goes_on_where_it_was(self, rig: Rig) -> None:
        await rig.start()
        rig.server.writes(42, "до")
        await rig.received(1)
        await until(lambda: rig.hooked or rig.offsets.values)
        await rig.stop()
        rig.server.writes(42, "пока никого не было")
        await rig.start()
        rig.server.writes(42, "после")
        await until(lambda: "после" in rig.inbox.texts)
        assert list(dict.fromkeys(rig.inbox.texts)) == ["до", "пока никого не было", "после"]
        assert len({update.external_id for update in rig.inbox.got}) == 3

    async def test_a_repeated_update_has_the_same_external_id(self, rig: Rig) -> None:
        await rig.start()
        rig.server.writes(42, "один раз")
        await rig.received(1)
        rig.server.writes(42, "другой")
        await rig.received(2)
        rig.server.again()
        got = await rig.received(3)
        assert got[-1].external_id == got[1].external_id != got[0].external_id

    async def test_an_edit_names_the_message_it_changes(self, rig: Rig) -> None:
        await rig.start()
        message = rig.server.writes(42, "где заказ 48213")
        rig.server.edits(message, "где заказ 48214")
        first, second = await rig.received(2)
        assert (second.kind, second.text) == (Kind.EDIT, "где заказ 48214")
        assert second.message_id == first.message_id

    async def test_a_photo_comes_with_its_caption_and_its_bytes(self, rig: Rig) -> None:
        await rig.start()
        rig.photo("вот коробка")
        [update] = await rig.received(1)
        [photo] = update.attachments
        assert (update.kind, update.text, photo.kind) == (Kind.MESSAGE, "вот коробка", "photo")
        assert b"".join([piece async for piece in rig.channel.fetch(photo.ref or "")]) == b"a photo"

    async def test_what_is_sent_together_is_known_to_belong_together(self, rig: Rig) -> None:
        await rig.start()
        rig.album("обе стороны")
        await until(lambda: sum(len(update.attachments) for update in rig.inbox.got) == 2)
        got = rig.inbox.got
        assert len(got) == 1 or len({update.album for update in got} - {None}) == 1
        assert [update.text for update in got if update.text] == ["обе стороны"]
        refs = [one.ref or "" for update in got for one in update.attachments]
        assert [b"".join([piece async for piece in rig.channel.fetch(ref)]) for ref in refs] == [b"one", b"another"]

    async def test_an_attachment_that_nobody_has_is_rejected(self, rig: Rig) -> None:
        await rig.start()
        with pytest.raises(Rejected):
            await anext(aiter(rig.channel.fetch("https://files.example/no-such-file")))

    async def test_a_deep_link_stands_for_the_packs_words(self, rig: Rig) -> None:
        await rig.start()
        rig.begins("order_48213")
        rig.begins("nobody_knows")
        await rig.received(2)
        assert rig.inbox.texts == ["Где заказ 48213?", COMMANDS["start"]]

    async def test_a_command_stands_for_the_packs_words(self, rig: Rig) -> None:
        await rig.start()
        rig.server.writes(42, "/operator")
        rig.server.writes(42, "/operator\nзаказ не пришёл")
        await rig.received(2)
        assert sorted(rig.inbox.texts) == [COMMANDS["operator"], f"{COMMANDS['operator']}\nзаказ не пришёл"]

    async def test_no_customer_waits_for_another(self, rig: Rig) -> None:
        await rig.start()
        for chat in range(50, 80):
            rig.server.writes(chat, f"я {chat}")
        await rig.received(30)
        assert {(update.chat, update.text) for update in rig.inbox.got} == {
            (str(chat), f"я {chat}") for chat in range(50, 80)
        }

    async def test_a_customer_who_blocks_and_comes_back_is_told_of(self, rig: Rig) -> None:
        await rig.start()
        rig.block(42)
        rig.block(42, blocked=False)
        assert [update.kind for update in await rig.received(2)] == [Kind.BLOCKED, Kind.UNBLOCKED]

    async def test_unknown_kinds_and_other_chats_do_not_stop_it(self, rig: Rig) -> None:
        await rig.start()
        rig.novelty()
        rig.writes_in_group("не вам")
        rig.server.writes(42, "я здесь")
        await rig.received(1)
        assert rig.inbox.texts == ["я здесь"]

    async def test_an_update_that_can_never_be_stored_is_left_out_in_the_end(self, rig: Rig) -> None:
        rig.inbox.refuse = lambda update: ValueError("poison") if update.text == "яд" else None
        await rig.start()
        rig.server.writes(42, "яд")
        rig.server.writes(43, "вода")
        await rig.received(1)
        assert rig.inbox.texts == ["вода"]
        await until(lambda: rig.inbox.tried == POISON_TRIES + 1)
        assert rig.inbox.texts == ["вода"]

    async def test_the_loop_survives_what_is_no_answer(self, polling: Rig) -> None:
        polling.server.faults.add(polling.POLL, faults.garbage(), 2)
        polling.server.faults.add(polling.POLL, faults.garbage(200))
        polling.server.faults.add(polling.POLL, faults.lost())
        await polling.start()
        polling.server.writes(42, "всё равно дошло")
        await polling.received(1)
        assert polling.inbox.texts == ["всё равно дошло"]

    async def test_it_stops_when_the_token_is_refused(self, rig: Rig) -> None:
        rig.server.refuses_token = True
        await rig.start()
        with pytest.raises(ChannelStopped):
            await rig.running

    async def test_characters_that_no_store_takes_are_left_out(self, rig: Rig) -> None:
        await rig.start()
        rig.server.writes(42, "а\x00б")
        [update] = await rig.received(1)
        assert update.text == "аб"


@pytest.mark.rule("CX-10")
class TestButtons:
    async def test_a_press_comes_with_the_payload_of_the_button_and_is_answered(self, rig: Rig) -> None:
        await rig.start()
        await rig.send(12, "Это вы?", buttons=YES_NO)
        assert rig.server.sent[-1].buttons == ["Да", "Нет"]
        press = rig.server.presses(rig.server.sent[-1], "Нет")
        [update] = await rig.received(1)
        assert (update.kind, update.press, update.chat) == (Kind.PRESS, "12.1", "42")
        await until(lambda: rig.server.answered == [press])

    async def test_a_double_press_comes_twice_as_two_updates(self, rig: Rig) -> None:
        await rig.start()
        await rig.send(12, "Это вы?", buttons=YES_NO)
        presses = {rig.server.presses(rig.server.sent[-1], "Да") for _ in range(2)}
        first, second = await rig.received(2)
        assert first.press == second.press == "12.0"
        assert first.external_id != second.external_id
        await until(lambda: set(rig.server.answered) == presses)

    async def test_a_press_that_can_no_longer_be_answered_is_no_harm(self, rig: Rig) -> None:
        await rig.start()
        await rig.send(12, "Это вы?", buttons=YES_NO)
        press = rig.server.presses(rig.server.sent[-1], "Да")
        rig.server._presses.discard(press)
        rig.server.writes(42, "и ещё")
        update, _ = await rig.received(2)
        assert update.press == "12.0"


class TestTyping:
    async def test_the_customer_sees_that_an_answer_is_made(self, polling: Rig) -> None:
        await polling.start()
        await polling.channel.typing("42")
        await until(lambda: polling.typed() == [42])

    async def test_it_is_an_ornament_that_fails_silently(self, polling: Rig) -> None:
        polling.channel = polling.make()
        polling.server.refuses_token = True
        await polling.channel.typing("42")
        await polling.channel.typing("nonsense")
        await polling.server.__aexit__()
        await polling.channel.typing("42")
        assert polling.typed() == []


class TestSending:
    async def test_a_text_is_sent_and_its_id_returned(self, polling: Rig) -> None:
        sent = await polling.send(1, "Ваш заказ в пути.")
        assert [message.text for message in polling.server.sent] == ["Ваш заказ в пути."]
        assert sent == str(polling.server.sent[0].message_id)

    async def test_too_fast_is_later(self, polling: Rig) -> None:
        polling.too_many()
        with pytest.raises(RetryLater) as later:
            await polling.send(1, "быстро")
        assert later.value.after >= 1
        await polling.send(1, "быстро")
        assert len(polling.server.sent) == 1

    async def test_too_fast_for_long_is_not_waited_for_without_end(self, polling: Rig) -> None:
        polling.too_many(times=50)
        for _ in range(3):
            with pytest.raises(RetryLater):
                await polling.send(1, "быстро")
        assert polling.server.calls.count(polling.SEND) == 3

    async def test_a_customer_who_has_blocked_us_is_unreachable(self, polling: Rig) -> None:
        polling.block(42)
        with pytest.raises(Unreachable):
            await polling.send(1, "вы тут?")

    async def test_an_empty_text_is_rejected(self, polling: Rig) -> None:
        with pytest.raises(Rejected):
            await polling.send(1, "  ")

    async def test_a_refused_token_stops_the_channel(self, polling: Rig) -> None:
        polling.server.refuses_token = True
        with pytest.raises(ChannelStopped):
            await polling.send(1, "раз")

    async def test_a_messenger_that_is_away_is_tried_later(self, polling: Rig) -> None:
        polling.channel = polling.make()
        await polling.server.__aexit__()
        with pytest.raises(RetryLater):
            await polling.send(1, "раз")

    async def test_what_is_no_answer_is_a_delivery_failure(self, polling: Rig) -> None:
        for fault in (faults.garbage(), faults.garbage(200), faults.says({"what": 1}), faults.says([], 500)):
            polling.server.faults.add(polling.SEND, fault)
            with pytest.raises(DeliveryFailed):
                await polling.send(1, "раз")
        assert polling.server.sent == []


@pytest.mark.rule("CX-03")
class TestWithdrawing:
    async def test_the_buttons_go_and_the_words_stay(self, polling: Rig) -> None:
        message = Outgoing(id=5, chat="42", text="Вы в очереди.", buttons=(flows.Button("Отменить обращение", "x"),))
        sent = await polling.send(5, message.text, buttons=message.buttons)
        assert polling.server.sent[-1].buttons == ["Отменить обращение"]
        await polling.channel.withdraw(message, sent)
        assert (polling.server.sent[-1].text, polling.server.sent[-1].buttons) == ("Вы в очереди.", [])
        assert len(polling.server.sent) == 1

    async def test_what_cannot_be_taken_away_is_no_harm(self, polling: Rig) -> None:
        message = Outgoing(id=5, chat="42", text="Вы в очереди.")
        await polling.send(5, message.text)
        for sent in ("999", "no number"):
            await polling.channel.withdraw(message, sent)
        polling.server.refuses_token = True
        await polling.channel.withdraw(message, "1")
        await polling.server.__aexit__()
        await polling.channel.withdraw(message, "1")
        assert [one.text for one in polling.server.sent] == ["Вы в очереди."]
