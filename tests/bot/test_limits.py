"""What one customer may send, how much of it is kept, and how often somebody may guess who a number belongs to."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

import flows
from bot import conversations, guesses, sizes
from bot.channels import Incoming, Kind, Media
from bot.errors import CrmUnavailable
from bot.limits import Limits
from bot.models import Message
from tests.bot.world import START, World

FEW, MANY = 3, 6
"""Messages a minute, and an hour."""
TOGETHER = "Прочитаю всё вместе."


@pytest.fixture
def hold(world: World) -> Limits:
    return Limits(pack=world.desk.pack, a_minute=FEW, an_hour=MANY)


async def write(world: World, hold: Limits, *texts: str, kind: Kind = Kind.MESSAGE, **more: Any) -> None:
    for one in texts:
        await world.receive(world.incoming("c1", kind, text=one, **more), hold=hold)


async def lines(world: World) -> list[Message]:
    return await world.rows(select(Message).where(Message.sender == "customer").order_by(Message.id))


async def minute_passes(world: World, *, minutes: int = 1) -> None:
    """What was stored is so much older, and what waits is due."""
    async with world.sessions.begin() as session:
        await session.execute(text(f"UPDATE messages SET stored_at = stored_at - interval '{minutes} minutes'"))
        await session.execute(text(f"UPDATE paces SET at = at - interval '{minutes} minutes'"))
        await session.execute(text("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at IS NOT NULL"))


class TestFlood:
    async def test_what_is_above_a_minutes_limit_is_stored_and_read_together_later(
        self, world: World, hold: Limits
    ) -> None:
        for number in range(FEW):
            await write(world, hold, "привет")
            assert await world.settle() != [], number
        await write(world, hold, "сроки", "мастера")
        assert await world.settle() == [TOGETHER]
        assert len(await lines(world)) == FEW + 2
        assert [line.text for line in await lines(world) if line.read_at is None] == ["сроки", "мастера"]
        await minute_passes(world)
        world.nlu.texts.clear()
        await world.settle()
        assert world.nlu.texts == ["сроки\nмастера"]
        assert (await world.request()).number == "T-1001"

    async def test_the_customer_hears_of_it_once_an_hour(self, world: World, hold: Limits) -> None:
        hold = Limits(pack=world.desk.pack, a_minute=2, an_hour=100)
        for _ in range(3):
            await write(world, hold, "привет", "привет", "привет", "привет")
            await world.settle()
            await minute_passes(world)
            await world.settle()
        assert [one.text for one in world.channels["telegram"].sent].count(TOGETHER) == 1
        await minute_passes(world, minutes=60)
        await write(world, hold, "привет", "привет", "привет")
        await world.settle()
        assert [one.text for one in world.channels["telegram"].sent].count(TOGETHER) == 2

    async def test_others_are_answered_at_once_meanwhile(self, world: World, hold: Limits) -> None:
        await write(world, hold, *["привет"] * (FEW + 2))
        await world.settle()
        await world.receive(world.incoming("c2", text="привет"), hold=hold)
        assert await world.settle("c2") == ["Здравствуйте!"]

    async def test_what_is_above_an_hours_limit_is_left_out(self, world: World, hold: Limits) -> None:
        await write(world, hold, *[f"слово {number}" for number in range(MANY + 5)])
        assert [line.text for line in await lines(world)] == [f"слово {number}" for number in range(MANY)]
        await minute_passes(world, minutes=61)
        await write(world, hold, "снова")
        assert len(await lines(world)) == MANY + 1

    async def test_an_update_left_out_does_not_come_again(self, world: World, hold: Limits) -> None:
        await write(world, hold, *["слово"] * MANY)
        update = world.incoming("c1", text="лишнее")
        assert await world.receive(update, hold=hold) is None
        await minute_passes(world, minutes=61)
        assert await world.receive(update, hold=hold) is None
        assert len(await lines(world)) == MANY

    async def test_presses_count(self, world: World, hold: Limits) -> None:
        for _ in range(MANY + 3):
            await world.receive(world.incoming("c1", Kind.PRESS, press="0.0"), hold=hold)
        assert len(await lines(world)) == MANY
        assert TOGETHER in await world.settle()

    async def test_edits_count_those_of_unread_lines_too(self, world: World, hold: Limits) -> None:
        await write(world, hold, "первый", message_id="m1")
        for number in range(MANY + 3):
            await write(world, hold, f"правка {number}", kind=Kind.EDIT, message_id="m1")
        assert [line.text for line in await lines(world)] == [f"правка {MANY - 1}"]

    async def test_a_block_is_noticed_above_any_limit(self, world: World, hold: Limits) -> None:
        await write(world, hold, *["слово"] * (MANY + 1))
        await world.receive(world.incoming("c1", Kind.BLOCKED), hold=hold)
        async with world.sessions() as session:
            assert (await conversations.find(session, "telegram", "c1")).blocked_at is not None

    async def test_while_a_person_speaks_the_bot_says_nothing_of_it(self, joined: World) -> None:
        hold = Limits(pack=joined.desk.pack, a_minute=FEW, an_hour=100)
        joined.channels["telegram"].sent.clear()
        await write(joined, hold, *["письмо"] * (FEW + 3))
        await joined.settle()
        assert TOGETHER not in [one.text for one in joined.channels["telegram"].sent]
        assert len(await lines(joined)) == FEW + 4


class TestSizes:
    def update(self, **fields: Any) -> Incoming:
        return sizes.trimmed(
            Incoming(**{"channel": "vk", "chat": "1", "external_id": "1", "kind": Kind.MESSAGE, "at": START, **fields})
        )

    def test_what_has_a_usual_size_stays_as_it_is(self) -> None:
        media = Media("file", "чек.pdf", "ref", 10, "application/pdf")
        fields = {"text": "ж" * sizes.TEXT, "name": "Мария", "press": "12345.7", "attachments": (media,), "album": "a"}
        update = self.update(**fields)
        assert {name: getattr(update, name) for name in fields} == fields

    def test_a_text_is_cut_and_says_so(self) -> None:
        text = self.update(text="ж" * 100_000).text
        assert len(text) == sizes.TEXT
        assert text.endswith("ж […]")

    def test_names_are_cut_and_cannot_turn_the_words_around_them(self) -> None:
        assert len(str(self.update(name="я" * 5000).name)) == sizes.NAME
        assert self.update(name="Анна\nОператор\u202e").name == "Анна Оператор"
        [media] = self.update(attachments=(Media("file", "photo\u202egpj.exe"),)).attachments
        assert media.name == "photogpj.exe"

    def test_attachments_are_so_many_and_no_more(self) -> None:
        update = self.update(attachments=tuple(Media("photo", None, f"r{number}") for number in range(500)))
        assert len(update.attachments) == sizes.ATTACHMENTS

    def test_what_fits_no_column_is_fitted(self) -> None:
        [media] = self.update(attachments=(Media("v" * 90, "n" * 900, "r" * 9000, 10**12, "m" * 900),)).attachments
        assert media == Media("v" * 20, "n" * 200, None, sizes.FILE_BYTES, "m" * 100)

    def test_a_long_id_stays_different_from_others(self) -> None:
        one, two = (self.update(external_id="i" * 5000 + end).external_id for end in "ab")
        assert one != two
        assert len(one) == len(two) == 64

    def test_a_payload_that_is_not_ours_is_a_button_that_is_no_more(self) -> None:
        assert len(str(self.update(kind=Kind.PRESS, press="1" * 5000).press)) == sizes.PRESS

    async def test_all_of_it_can_be_stored(self, world: World) -> None:
        long = "ж" * 200_000
        media = tuple(Media(long, long, long, 10**15, long) for _ in range(100))
        await world.receive(world.incoming("c" * 9000, text=long, name=long, attachments=media, album=long))
        [line] = await lines(world)
        assert len(line.text) == sizes.TEXT
        assert len(line.attachments) == sizes.ATTACHMENTS

    def test_an_answer_of_the_shops_systems_has_a_limit(self) -> None:
        orders = [{"number": "1", "items": [{"name": "утюг"}]}] * 500
        assert sizes.bounded(orders, system="crm") is orders
        assert sizes.bounded(None, system="crm") is None
        for much in ("x" * 2_000_000, [["x"]] * 600_000, {"orders": [{"comment": "ж" * 1000}] * 2000}):
            with pytest.raises(CrmUnavailable):
                sizes.bounded(much, system="crm")


def asked(**args: str) -> flows.Lookup:
    return flows.Lookup("customer", tuple(args.items()))


@pytest.mark.rule("CX-20")
class TestGuesses:
    @pytest.fixture
    async def guessed(self, world: World) -> World:
        await world.say("c1", "привет")
        return world

    async def guess(self, world: World, lookup: flows.Lookup, times: int, *, counter: str = "wrong_guess") -> None:
        state = flows.ConversationState(counters={counter: (world.clock.now().isoformat(),)})
        turn = flows.Turn(now=world.clock.now(), facts={lookup: None})
        async with world.sessions.begin() as session:
            for _ in range(times):
                await guesses.note(session, world.desk.pack, turn, state)

    async def too_many(self, world: World, lookup: flows.Lookup, chat: str = "c1") -> bool:
        async with world.sessions() as session:
            return await guesses.too_many(session, await world.id_of(chat), lookup, now=world.clock.now())

    async def test_a_number_that_was_guessed_at_too_often_belongs_to_nobody_for_a_while(self, guessed: World) -> None:
        phone = asked(phone="+79161234567")
        await self.guess(guessed, phone, guesses.AT_ONCE - 1)
        assert not await self.too_many(guessed, phone)
        await self.guess(guessed, phone, 1)
        assert await self.too_many(guessed, phone)
        assert not await self.too_many(guessed, asked(phone="+79161234568"))
        guessed.clock.forward(hours=1, minutes=1)
        assert not await self.too_many(guessed, phone)

    async def test_it_holds_over_all_chats_and_for_orders_too(self, guessed: World) -> None:
        await guessed.say("c2", "привет")
        order = asked(order="48213")
        await self.guess(guessed, order, guesses.AT_ONCE)
        assert await self.too_many(guessed, order, "c1")
        assert await self.too_many(guessed, order, "c2")

    async def test_who_goes_on_guessing_locks_it_for_a_day_at_the_most(self, guessed: World) -> None:
        order = asked(order="48213")
        await self.guess(guessed, order, 500)
        guessed.clock.forward(hours=14)
        assert await self.too_many(guessed, order)
        guessed.clock.forward(hours=2)
        assert not await self.too_many(guessed, order)

    async def test_whose_own_number_it_is_finds_the_card(self, guessed: World) -> None:
        phone = asked(phone="+79161234567")
        await self.guess(guessed, phone, guesses.AT_ONCE)
        await guessed.hear(guessed.incoming("c2", Kind.CONTACT, contact="+79161234567"))
        assert not await self.too_many(guessed, phone, "c2")
        assert await self.too_many(guessed, phone, "c1")

    async def test_a_turn_that_guesses_nothing_counts_nothing(self, guessed: World) -> None:
        phone = asked(phone="+79161234567")
        await self.guess(guessed, phone, 50, counter="apologised")
        assert not await self.too_many(guessed, phone)

    async def test_the_table_holds_no_numbers(self, guessed: World) -> None:
        await self.guess(guessed, asked(phone="+79161234567", order="48213"), 1)
        async with guessed.sessions() as session:
            keys = list((await session.execute(text("SELECT key FROM paces"))).scalars())
        assert len(keys) == 2
        assert not any("79161234567" in key or "48213" in key for key in keys)
