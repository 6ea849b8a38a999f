"""While the shop's systems take their time (PHRASE-03 to PHRASE-05): said at once, in order, never twice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

import flows
from bot import conversations, turns
from bot.errors import DeliveryUnknown, RetryLater
from bot.models import Message, Sender
from tests.bot.world import World, make_world

SLOW = 0.2
LOOKING, LONGER = {"Ищу.", "Смотрю."}, {"Ещё немного.", "Чуть дольше."}
THANKS = "Спасибо, что подождали. Велосипед готов."


@pytest.fixture
async def shop(address: str) -> AsyncIterator[World]:
    """A world whose customers are asked for patience after a fifth of a second."""
    async with make_world(address, slow=SLOW) as made:
        yield made


async def taken(world: World) -> None:
    """Take the turn of c1 in a transaction of its own."""
    async with world.sessions.begin() as session:
        await turns.take_turn(session, world.tools, await world.id_of("c1"))


def sent(world: World) -> list[str]:
    return [one.text for one in world.channels["telegram"].sent]


@pytest.mark.rule("PHRASE-03")
async def test_the_words_go_out_while_the_turn_still_waits(shop: World) -> None:
    shop.crm.pause = 0.35
    await shop.receive(shop.incoming("c1", text="готов ли велосипед"))
    turn = asyncio.create_task(taken(shop))
    async with asyncio.timeout(10):
        while not sent(shop):  # noqa: ASYNC110  a message has no event of its own
            await asyncio.sleep(0.01)
    assert not turn.done()
    assert sent(shop)[0] in LOOKING
    await turn
    assert await shop.settle() == [THANKS]
    assert [one["rules"] for one in shop.told("message")] == [["PHRASE-03"], ["PHRASE-05", "STATE-1"]]
    looking, answer = await shop.rows(select(Message).where(Message.sender == Sender.BOT).order_by(Message.id))
    assert (looking.turn_id, looking.delivery, answer.turn_id is None) == (None, "sent", False)


async def test_a_quick_answer_needs_none_of_it(shop: World) -> None:
    assert await shop.say("c1", "готов ли велосипед") == ["Велосипед готов."]


@pytest.mark.rule("PHRASE-03")
async def test_several_short_waits_add_up(shop: World) -> None:
    shop.crm.pause = SLOW / 2
    heard = await shop.say("c1", "готов ли велосипед")
    assert heard[0] in LOOKING
    assert heard[1:] == [THANKS]


@pytest.mark.rule("PHRASE-04")
async def test_a_little_longer_is_said_in_other_words_and_not_too_often(address: str) -> None:
    async with make_world(address, slow=SLOW, again=0.5) as shop:
        shop.crm.pause = 0.9  # three lookups: looking at 0.2 s, longer each half second from 0.7 s on
        heard = await shop.say("c1", "готов ли велосипед")
    assert heard[0] in LOOKING
    assert set(heard[1:-1]) == LONGER
    assert len(heard[1:-1]) <= 2.7 / 0.5
    assert all(one != following for one, following in itertools.pairwise(heard))  # CX-06
    assert heard[-1] == THANKS


@pytest.mark.rule("PHRASE-05")
async def test_a_change_is_waited_for_like_an_answer(shop: World) -> None:
    shop.crm.pause = 0.3
    heard = await shop.say("c1", "заберите")
    assert heard[0] in LOOKING
    assert heard[-1] == "Спасибо, что подождали. Заберём завтра."


@pytest.mark.rule("PHRASE-03")
async def test_a_turn_that_is_taken_again_does_not_say_it_again(shop: World) -> None:
    shop.crm.pause = 0.3
    await shop.receive(shop.incoming("c1", text="готов ли велосипед"))
    async with shop.sessions() as session:  # killed before the commit
        await turns.take_turn(session, shop.tools, await shop.id_of("c1"))
        await session.rollback()
    assert len(sent(shop)) == 1
    shop.crm.pause = 0.0
    assert await shop.settle() == [THANKS]


async def test_what_is_still_unsent_is_not_overtaken(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.patience.OUTBOX_PAUSE", 0.1)
    await shop.say("c1", "привет")
    shop.crm.pause = 0.2
    async with shop.sessions.begin() as session:
        await conversations.say(
            session, shop.jobs, await shop.id_of("c1"), Sender.BOT, flows.Say(text="ещё не ушло"), now=shop.clock.now()
        )
    await shop.receive(shop.incoming("c1", text="готов ли велосипед"))
    await taken(shop)
    assert sent(shop) == ["Здравствуйте!"]
    assert await shop.settle() == ["ещё не ушло", "Велосипед готов."]


async def test_nothing_is_said_to_be_found_when_the_system_fails(shop: World) -> None:
    shop.crm.pause = 0.5
    shop.crm.down.add("crm")
    heard = await shop.say("c1", "готов ли велосипед")
    assert heard[0] in LOOKING
    assert heard[1] == "Система не отвечает."


@pytest.mark.parametrize(
    ("outcome", "delivery", "heard"),
    [(DeliveryUnknown(), "unknown", THANKS), (RetryLater(after=5.0), "failed", "Велосипед готов.")],
)
async def test_an_attempt_that_came_to_nothing_is_not_made_again(
    shop: World, outcome: Exception, delivery: str, heard: str
) -> None:
    shop.crm.pause = 0.2
    shop.channels["telegram"].outcomes.append(outcome)
    assert await shop.say("c1", "готов ли велосипед") == [heard]
    looking = (await shop.rows(select(Message).where(Message.sender == Sender.BOT).order_by(Message.id)))[0]
    assert (looking.delivery, looking.attempts) == (delivery, 1)


async def test_words_that_cannot_be_said_never_cost_the_answer(shop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> bool:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("bot.patience.say_at_once", fail)
    shop.crm.pause = 0.5
    assert await shop.say("c1", "готов ли велосипед") == ["Велосипед готов."]
