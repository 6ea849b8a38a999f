"""The outbox: in order, once, and honest about what became of each message."""

from __future__ import annotations

import asyncio

from sqlalchemy import select, update

from bot import delivery
from bot.channels import Kind
from bot.errors import ChannelStopped, DeliveryUnknown, Rejected, RetryLater, Unreachable
from bot.models import Conversation, Message
from tests.bot.world import World


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

    async def test_an_error_that_nobody_foresaw_is_unclear_too(self, world: World) -> None:
        world.channels["telegram"].outcomes = [RuntimeError("?")]
        await world.say("c1", "привет")
        assert await again(world, 3) == ["Здравствуйте!"]

    async def test_a_worker_killed_in_the_call_counts_as_unclear(self, world: World) -> None:
        await world.say("c1", "привет")
        async with world.sessions.begin() as session:
            await session.execute(update(Message).where(Message.sender == "bot").values(delivery="sending"))
        assert await again(world, 0) == ["Здравствуйте!"]
        async with world.sessions.begin() as session:
            await session.execute(update(Message).where(Message.sender == "bot").values(delivery="sending"))
        assert await again(world, 0) == []
        assert await outbox(world) == [("Здравствуйте!", "unknown")]

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
