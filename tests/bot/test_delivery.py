"""The outbox: in order, once, and honest about what became of each message."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

import flows
from bot import conversations, delivery, desk, pace, turns
from bot.channels import Kind, Outgoing
from bot.errors import ChannelStopped, DeliveryUnknown, Rejected, RetryLater, Unreachable
from bot.models import Conversation, Message, Sender
from tests.bot.world import World, act


async def outbox(world: World) -> list[tuple[str, str | None]]:
    lines = await world.rows(select(Message).where(Message.delivery.is_not(None)).order_by(Message.id))
    return [(one.text, one.delivery) for one in lines]


async def again(world: World, seconds: float) -> list[str]:
    """Deliver once more after some time."""
    world.clock.forward(seconds=seconds)
    before = len(world.channels["telegram"].sent)
    await delivery.deliver(world.post, await world.id_of("c1"))
    return [one.text for one in world.channels["telegram"].sent[before:]]


BOTH = ["Велосипед готов.", "Чиним два дня."]


class TestOrder:
    async def test_a_message_that_must_wait_holds_up_those_behind_it(self, world: World) -> None:
        world.channels["telegram"].outcomes = [RetryLater(after=30)]
        assert await world.say("c1", "готов и сроки") == []
        assert await again(world, 29) == []
        assert await again(world, 1) == BOTH
        assert await outbox(world) == [(text, "sent") for text in BOTH]

    async def test_one_chat_does_not_hold_up_another(self, world: World) -> None:
        world.channels["telegram"].outcomes = [RetryLater(after=30)]
        await world.say("c1", "привет")
        assert await world.say("c2", "привет") == ["Здравствуйте!"]

    async def test_two_deliveries_at_once_send_each_message_once(self, world: World) -> None:
        for chat in ("c1", "c2", "c3"):
            world.crm.bicycles[f"telegram:{chat}"] = {"state": "ready"}
            await world.receive(world.incoming(chat, text="готов и сроки"))
        await asyncio.gather(world.jobs.run_until_idle(), world.jobs.run_until_idle())
        for chat in ("c1", "c2", "c3"):
            assert [one.text for one in world.channels["telegram"].sent if one.chat == chat] == BOTH


class TestTrouble:
    async def test_an_unclear_attempt_is_repeated_once(self, world: World) -> None:
        world.channels["telegram"].outcomes = [DeliveryUnknown(), DeliveryUnknown()]
        await world.say("c1", "готов и сроки")
        assert await again(world, 3) == ["Чиним два дня."]
        assert await outbox(world) == [("Велосипед готов.", "unknown"), ("Чиним два дня.", "sent")]
        first = world.channels["telegram"].attempts[0]
        assert world.channels["telegram"].attempts.count(first) == 2

    async def test_what_may_have_been_sent_before_an_agent_came_is_not_called_refused(self, world: World) -> None:
        world.channels["telegram"].outcomes = [DeliveryUnknown()]
        await world.say("c1", "готов и сроки")
        async with world.sessions.begin() as session:
            await session.execute(update(Conversation).values(owner="agent"))
        assert await again(world, 3) == []
        assert await outbox(world) == [("Велосипед готов.", "unknown"), ("Чиним два дня.", "refused")]

    async def test_an_error_that_nobody_foresaw_is_unclear_too(self, world: World) -> None:
        world.channels["telegram"].outcomes = [RuntimeError("?")]
        await world.say("c1", "привет")
        assert await again(world, 3) == ["Здравствуйте!"]

    async def test_a_sender_killed_in_the_call_counts_as_unclear(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "SETTLED", 0.0)
        await world.say("c1", "привет")
        async with world.sessions.begin() as session:
            await session.execute(update(Message).where(Message.sender == "bot").values(delivery="sending"))
        assert await again(world, 0) == ["Здравствуйте!"]
        async with world.sessions.begin() as session:
            await session.execute(update(Message).where(Message.sender == "bot").values(delivery="sending"))
        assert await again(world, 0) == []
        assert await outbox(world) == [("Здравствуйте!", "unknown")]

    async def test_an_attempt_that_may_be_under_way_is_left_alone(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "SETTLED", 0.0)
        await world.say("c1", "готов и сроки")
        until = world.clock.now() + timedelta(seconds=5)
        async with world.sessions.begin() as session:
            pending = update(Message).where(Message.sender == "bot").values(delivery="pending")
            await session.execute(pending)
            first = select(Message.id).where(Message.sender == "bot").order_by(Message.id).limit(1)
            begun = update(Message).where(Message.id == first.scalar_subquery())
            await session.execute(begun.values(delivery="sending", retry_at=until))
        assert await again(world, 0) == []
        assert await again(world, 4) == []
        assert await again(world, 1) == BOTH

    async def test_after_a_start_of_postgresql_who_was_cut_off_may_write_first(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "SETTLED", 1e9)
        await world.say("c1", "привет")
        async with world.sessions.begin() as session:
            await session.execute(update(Message).where(Message.sender == "bot").values(delivery="sending"))
        assert await again(world, 0) == []
        monkeypatch.setattr(delivery, "SETTLED", 0.0)
        assert await again(world, 0) == ["Здравствуйте!"]

    async def test_what_came_of_an_attempt_is_written_down_when_the_store_is_back(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(delivery, "STORE_PAUSE", 0.01)
        record, failures = delivery._record, [OperationalError("", {}, Exception()) for _ in range(3)]

        async def away(*given: Any) -> bool:
            if failures:
                raise failures.pop()
            return await record(*given)

        monkeypatch.setattr(delivery, "_record", away)
        assert await world.say("c1", "готов и сроки") == BOTH
        assert failures == []
        assert await outbox(world) == [(text, "sent") for text in BOTH]

    async def test_where_the_messenger_knows_repetitions_a_message_is_sent_until_it_is_clear(
        self, world: World
    ) -> None:
        world.channels["telegram"].repeats_safely = True
        world.channels["telegram"].outcomes = [DeliveryUnknown() for _ in range(5)]
        await world.say("c1", "привет")
        for _ in range(4):
            assert await again(world, 3) == []
        assert await again(world, 3) == ["Здравствуйте!"]

    async def test_a_rejected_text_does_not_hold_up_the_next(self, world: World) -> None:
        world.channels["telegram"].outcomes = [Rejected()]
        assert await world.say("c1", "готов и сроки") == ["Чиним два дня."]
        assert await outbox(world) == [("Велосипед готов.", "failed"), ("Чиним два дня.", "sent")]
        assert world.told("message")[0]["text"] == "Чиним два дня."

    async def test_a_stopped_channel_keeps_its_messages(self, world: World) -> None:
        world.channels["telegram"].outcomes = [ChannelStopped()]
        assert await world.say("c1", "привет") == []
        assert await again(world, 60) == ["Здравствуйте!"]

    async def test_a_channel_that_is_not_set_up_fails_plainly(self, world: World) -> None:
        del world.channels["vk"]
        await world.receive(world.incoming("c1", text="привет", channel="vk"))
        await world.jobs.run_until_idle()
        assert await outbox(world) == [("Здравствуйте!", "failed")]


class TestPace:
    async def test_what_comes_too_fast_waits_in_the_outbox(self, world: World) -> None:
        world.post.paces["telegram"] = pace.Limits(seconds=0.001, burst=100, chat_seconds=60, chat_burst=1)
        assert await world.say("c1", "готов и сроки") == BOTH[:1]
        assert await world.say("c2", "привет") == ["Здравствуйте!"]
        assert await outbox(world) == [(BOTH[0], "sent"), (BOTH[1], "pending"), ("Здравствуйте!", "sent")]
        del world.post.paces["telegram"]
        assert await again(world, 0) == BOTH[1:]

    async def test_a_short_wait_is_waited_for(self, world: World) -> None:
        world.post.paces["telegram"] = pace.Limits(seconds=0.2, burst=1)
        begun = asyncio.get_running_loop().time()
        assert await world.say("c1", "готов и сроки") == BOTH
        assert asyncio.get_running_loop().time() - begun >= 0.2

    async def test_a_bot_told_to_wait_sends_nothing_to_anybody(self, world: World) -> None:
        world.post.paces["telegram"] = pace.Limits(seconds=0.001, burst=100)
        world.channels["telegram"].outcomes = [RetryLater(after=60, of="channel")]
        assert await world.say("c1", "привет") == []
        assert await world.say("c2", "привет") == []
        assert world.channels["telegram"].attempts.count(1) <= 1
        assert len(world.channels["telegram"].attempts) == 1


class TestTheEnd:
    async def test_a_process_that_ends_leaves_the_rest_to_another(self, world: World) -> None:
        send = world.channels["telegram"].send

        async def last(message: Outgoing) -> str:
            world.jobs.stopping = True
            return await send(message)

        world.channels["telegram"].send = last  # type: ignore[method-assign]
        await world.receive(world.incoming("c1", text="готов и сроки"))
        async with world.sessions.begin() as session:
            await turns.take_turn(session, world.tools, await world.id_of("c1"))
        assert await delivery.deliver(world.post, await world.id_of("c1")) == 1
        world.jobs.stopping = False
        world.channels["telegram"].send = send  # type: ignore[method-assign]
        assert await world.settle() == BOTH[1:]


class TestLongTexts:
    async def test_emojis_count_as_messengers_count_them(self, world: World) -> None:
        await world.say("c1", "привет")
        async with world.sessions.begin() as session:
            said = flows.Say(text="🎉" * 3000)
            await conversations.say(
                session, world.jobs, await world.id_of("c1"), Sender.BOT, said, now=world.clock.now()
            )
        assert await world.settle() == ["🎉" * 2048, "🎉" * 952]

    async def test_a_long_text_is_several_messages_with_the_buttons_under_the_last(self, world: World) -> None:
        await world.say("c1", "привет")
        text = "\n\n".join(f"Абзац {number}. " + "Слово " * 150 for number in range(12))
        button = flows.Button("Да", "yes")
        async with world.sessions.begin() as session:
            said = flows.Say(text=text, buttons=(button,), rules=("CX-01",))
            last = await conversations.say(
                session, world.jobs, await world.id_of("c1"), Sender.BOT, said, now=world.clock.now()
            )
        before = len(world.channels["telegram"].sent)
        await world.jobs.run_until_idle()
        sent = world.channels["telegram"].sent[before:]
        assert len(sent) >= 3
        assert all(len(one.text) <= 4096 for one in sent)
        assert " ".join(" ".join(one.text for one in sent).split()) == " ".join(text.split())
        assert [one.buttons for one in sent] == [()] * (len(sent) - 1) + [(button,)]
        assert sent[-1].id == last.id


class TestBlocked:
    async def test_nothing_is_sent_to_whoever_blocked_us_until_they_return(self, world: World) -> None:
        world.channels["telegram"].outcomes = [Unreachable()]
        assert await world.say("c1", "готов и сроки") == []
        assert [state for _, state in await outbox(world)] == ["failed", "failed"]
        assert await world.say("c1", "привет") == ["Здравствуйте!"]

    async def test_block_and_unblock_are_states_not_messages(self, world: World) -> None:
        await world.say("c1", "привет")
        assert await world.hear(world.incoming("c1", Kind.BLOCKED)) == []
        (conversation,) = await world.rows(select(Conversation))
        assert conversation.blocked_at is not None
        assert await world.hear(world.incoming("c1", Kind.UNBLOCKED)) == []
        (conversation,) = await world.rows(select(Conversation))
        assert conversation.blocked_at is None


class TestWhatIsSent:
    async def test_buttons_and_the_stored_id_go_along(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        (sent,) = world.channels["telegram"].sent
        (row,) = await world.rows(select(Message).where(Message.sender == "bot"))
        assert (sent.id, sent.chat) == (row.id, "c1")
        assert [one.title for one in sent.buttons] == ["Готов ли велосипед", "Позвать мастера"]
        assert row.message_id == f"m{row.id}"


@pytest.mark.rule("CX-03")
class TestButtonsThatAreOver:
    @pytest.fixture
    def withdrawn(self, world: World) -> list[tuple[str, str]]:
        """What is taken away from the customer's screen: the words above the buttons, and the messenger's id."""
        object.__setattr__(world.post, "cancel", world.desk.pack.cancels)
        gone: list[tuple[str, str]] = []

        async def withdraw(message: Outgoing, sent: str) -> None:
            gone.append((message.text, sent))

        world.channels["telegram"].withdraw = withdraw  # type: ignore[method-assign]
        return gone

    async def test_once_an_agent_has_joined_nothing_offers_to_take_the_request_back(
        self, world: World, withdrawn: list[tuple[str, str]]
    ) -> None:
        await world.agent("anna", title="Анна")
        await world.say("c1", "мастера")
        offer = world.channels["telegram"].sent[-1]
        assert withdrawn == []
        await world.take("anna")
        assert withdrawn == [("Очередь T-1001, место 1.", f"m{offer.id}")]
        await act(world, desk.wait, "anna")
        assert len(withdrawn) == 1
        assert await world.press("c1", "Отменить обращение") == ["Ждём вас T-1001."]  # pressed just before it went

    async def test_back_in_the_queue_it_is_offered_again_and_goes_again(
        self, world: World, withdrawn: list[tuple[str, str]]
    ) -> None:
        await world.agent("anna", title="Анна")
        await world.say("c1", "мастера")
        await world.take("anna")
        await act(world, desk.decline, "anna", "не моё")
        assert world.channels["telegram"].sent[-1].buttons[0].title == "Отменить обращение"
        await world.take("anna")
        assert [text for text, _ in withdrawn] == ["Очередь T-1001, место 1.", "Ответит другой мастер T-1001."]

    async def test_other_buttons_and_old_messages_stay(self, world: World, withdrawn: list[tuple[str, str]]) -> None:
        await world.agent("anna", title="Анна")
        await world.say("c1", "мастера")
        world.clock.forward(hours=25)
        await world.say("c1", "загадка?")
        await world.take("anna")
        assert "Очередь T-1001, место 1." not in [text for text, _ in withdrawn]
