"""The mark after a solved request: asked once, at the right time, changed for a while, and no question is lost by it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import buttons, conversations, desk, reports
from bot.channels import Kind, Media
from bot.models import Conversation, Message, Request, RequestEvent
from tests.bot.world import World, act

pytestmark = pytest.mark.rule("KPI-03")


@pytest.fixture(params=["telegram", "vk"])
def messenger(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Customer:
    """Somebody whose question Anna has answered and solved, on one of the messengers."""

    def __init__(self, world: World, channel: str = "telegram") -> None:
        self.world, self.channel = world, channel

    async def served(self, *, replied: bool = True, resolution: str = "solved") -> Customer:
        await self.world.agent("anna", title="Анна")
        await self.say("мастера")
        await self.at_the_desk(desk.take)
        if replied:
            await self.at_the_desk(desk.reply, "Готово.")
        await self.at_the_desk(desk.resolve, resolution=resolution)
        return self

    async def asked(self) -> Customer:
        await self.served()
        await self.press("Помогло")
        return self

    async def at_the_desk(self, action: object, *args: object, name: str = "anna", **more: object) -> object:
        where = await self.world.id_of("c1", self.channel)
        now = {"now": self.world.clock.now()}
        if action is desk.take:
            return await self.world.do(action, self.world.desk, name, conversation_id=where, **now)
        return await self.world.do(action, self.world.desk, name, where, *args, **now, **more)

    async def say(self, text: str) -> list[str]:
        return await self.world.say("c1", text, channel=self.channel)

    async def press(self, title: str) -> list[str]:
        async with self.world.sessions() as session:
            payload = await buttons.payload_of(session, self.channel, "c1", title)
        return await self.world.hear(
            self.world.incoming("c1", Kind.PRESS, channel=self.channel, press=payload or "0.0")
        )

    async def offered(self) -> list[str]:
        """The buttons under the newest message."""
        return [button.title for button in self.world.channels[self.channel].sent[-1].buttons]

    async def mark(self) -> tuple[int | None, str | None]:
        request = await self.world.request()
        return request.mark, request.mark_comment


class TestAsking:
    @pytest.mark.rule("CX-10")
    async def test_who_says_that_it_helped_is_asked_in_the_same_message(self, world: World, messenger: str) -> None:
        customer = await Customer(world, messenger).served()
        assert await customer.press("Помогло") == ["Рады, что помогло T-1001.\n\nОцените T-1001."]
        assert await customer.offered() == ["1", "2", "5"]
        request = await world.request()
        assert (request.state, request.mark_asked_at, request.mark) == ("closed", world.clock.now(), None)

    async def test_who_says_nothing_is_asked_when_it_closes_by_time(self, world: World) -> None:
        await Customer(world).served()
        assert await world.pass_time(hours=24) == ["Закрыто T-1001.\n\nОцените T-1001."]
        assert await world.pass_time(days=7) == []

    async def test_whether_it_helped_is_the_only_question_at_first(self, world: World) -> None:
        customer = await Customer(world).served()
        assert await customer.offered() == ["Помогло", "Не помогло"]
        assert (await world.request()).mark_asked_at is None

    async def test_what_was_not_solved_is_not_asked_for(self, world: World) -> None:
        await Customer(world).served(resolution="not_solved")
        assert await world.pass_time(hours=24) == ["Закрыто T-1001."]

    async def test_where_nobody_wrote_a_word_nobody_is_marked(self, world: World) -> None:
        await Customer(world).served(replied=False)
        assert await world.pass_time(hours=24) == ["Закрыто T-1001."]

    async def test_a_request_taken_back_is_not_marked(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert await world.press("c1", "Отменить обращение") == ["Отменено T-1001."]

    async def test_spam_is_not_asked(self, world: World) -> None:
        await Customer(world).served()
        async with world.sessions.begin() as session:
            await session.execute(update(Conversation).values(spam_at=world.clock.now()))
        assert await world.pass_time(hours=24) == ["Закрыто T-1001."]

    async def test_what_goes_on_in_another_request_is_not_asked_for(self, world: World) -> None:
        await Customer(world).served()
        request = await world.request()
        async with world.sessions.begin() as session:
            await session.execute(update(Request).values(joined_into=request.id))
        assert await world.pass_time(hours=24) == ["Закрыто T-1001."]

    async def test_another_open_question_is_not_pushed_aside(self, world: World) -> None:
        customer = await Customer(world).served()
        async with world.sessions.begin() as session:
            conversation = await conversations.find(session, "telegram", "c1")
            kept = conversations.remembered(conversation)
            asking = {"slot": "colour", "topic": 0, "phrase": "ask_colour", "failures": 0}
            conversation.state = {**conversation.state, "asking": asking}
            assert kept.asking is None
        assert await world.pass_time(hours=24) == ["Закрыто T-1001."]
        assert await customer.mark() == (None, None)

    async def test_it_is_asked_once_even_when_the_request_comes_back(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("2")
        await customer.press("Вернуться")
        await customer.at_the_desk(desk.reply, "Теперь готово.")
        await customer.at_the_desk(desk.resolve)
        assert await customer.press("Помогло") == ["Рады, что помогло T-1001."]


class TestGiving:
    @pytest.mark.rule("CX-10")
    async def test_a_button_gives_it_and_a_few_words_may_follow(self, world: World, messenger: str) -> None:
        customer = await Customer(world, messenger).asked()
        assert await customer.press("5") == ["Спасибо за 5. Пару слов?"]
        request = await world.request()
        assert (request.mark, request.marked_at) == (5, world.clock.now())
        assert await customer.say("супер") == ["Прочитаем."]
        assert await customer.mark() == (5, "супер")

    @pytest.mark.rule("CX-10")
    async def test_it_may_be_written(self, world: World, messenger: str) -> None:
        customer = await Customer(world, messenger).asked()
        assert await customer.say("пять") == ["Спасибо за 5. Пару слов?"]

    async def test_written_with_words_nothing_more_is_asked(self, world: World) -> None:
        customer = await Customer(world).asked()
        assert await customer.say("5, супер") == ["Прочитаем."]
        assert await customer.mark() == (5, "супер")

    async def test_a_number_long_after_something_else_was_said_is_no_mark(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.say("привет")
        assert await customer.say("пять") == ["Скажите иначе?"]
        assert await customer.mark() == (None, None)

    async def test_a_low_one_offers_the_way_back_to_the_same_agent(self, world: World) -> None:
        customer = await Customer(world).asked()
        assert await customer.press("2") == ["Жаль. Что не так?"]
        assert await customer.offered() == ["Вернуться", "Пропустить"]
        world.events.clear()
        assert await customer.press("Вернуться") == ["Снова открыто T-1001."]
        request = await world.request()
        assert (request.state, request.mark, request.ended_at) == ("assigned", 2, None)
        assert world.told("inbox") == []  # a button is none of the customer's words

    async def test_words_that_say_it_is_not_solved_open_it_again(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("2")
        assert await customer.say("нет") == ["Снова открыто T-1001."]
        assert await customer.mark() == (2, "нет")

    async def test_pressed_twice_it_is_answered_once(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        assert await customer.press("5") == []

    async def test_it_can_be_changed_for_a_while(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("2")
        assert await customer.press("5") == ["Записали 5."]
        await customer.say("готов ли велосипед")
        assert await customer.press("2") == ["Жаль. Что не так?"]
        kinds = await world.rows(
            select(RequestEvent.data).where(RequestEvent.kind == "marked").order_by(RequestEvent.id)
        )
        assert kinds == [{"mark": 2, "before": None}, {"mark": 5, "before": 2}, {"mark": 2, "before": 5}]

    async def test_too_late_is_told_kindly_and_changes_nothing(self, world: World) -> None:
        customer = await Customer(world).asked()
        world.clock.forward(hours=73)
        assert await customer.press("5") == ["Оценить T-1001 уже нельзя."]
        assert await customer.mark() == (None, None)

    async def test_while_somebody_speaks_again_it_is_stored_without_more_questions(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.say("мастера")
        await customer.at_the_desk(desk.take)
        world.events.clear()
        assert await customer.press("5") == ["Записали 5."]
        assert world.told("inbox") == []

    async def test_another_customers_request_cannot_be_marked(self, world: World) -> None:
        await Customer(world).asked()
        await world.say("c2", "привет")
        async with world.sessions.begin() as session:
            forged = {"title": "5", "value": "mark:5:T-1001"}
            other = await conversations.find(session, "telegram", "c2")
            await session.execute(
                update(Message)
                .where(Message.conversation_id == other.id, Message.sender == "bot")
                .values(buttons=[forged])
            )
        assert await world.press("c2", "5") == ["Эта кнопка уже не нужна."]
        assert (await world.request()).mark is None


@pytest.mark.rule("KPI-05")
class TestWords:
    async def test_a_question_is_answered_and_is_no_comment(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        assert await customer.say("готов ли велосипед") == ["Велосипед готов."]
        assert await customer.mark() == (5, None)

    async def test_after_something_else_was_said_nothing_is_a_comment(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        await customer.say("готов ли велосипед")
        assert await customer.say("супер") == ["Скажите иначе?"]
        assert await customer.mark() == (5, None)

    async def test_an_hour_later_it_is_no_comment(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        world.clock.forward(minutes=61)
        assert await customer.say("супер") == ["Скажите иначе?"]

    async def test_who_skips_is_left_alone(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        assert await customer.press("Пропустить") == ["Хорошо."]
        assert await customer.press("Пропустить") == []
        assert await customer.say("супер") == ["Скажите иначе?"]

    async def test_a_photo_is_no_comment(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        photo = world.incoming("c1", text="супер", attachments=(Media("photo"),))
        assert "Прочитаем." not in await world.hear(photo)
        assert await customer.mark() == (5, None)

    async def test_with_the_nlu_down_nothing_is_swallowed(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        world.nlu.down = True
        assert (await customer.say("супер"))[0].startswith("Очередь T-1002")

    async def test_the_words_are_in_no_event_and_in_no_timeline(self, world: World) -> None:
        customer = await Customer(world).asked()
        await customer.press("5")
        await customer.say("супер")
        data = await world.rows(select(RequestEvent.data).where(RequestEvent.kind.like("mark%")))
        assert "супер" not in str(data)
        assert "супер" not in str(world.told("mark"))


async def test_a_pack_without_marks_asks_for_none(world: World) -> None:
    manifest = world.desk.pack.manifest.model_copy(update={"marks": None})
    object.__setattr__(world.desk, "pack", world.desk.pack.model_copy(update={"manifest": manifest}))
    customer = await Customer(world).served()
    assert await customer.press("Помогло") == ["Рады, что помогло T-1001."]


async def test_a_supervisors_task_without_a_word_closes_without_one(world: World) -> None:
    await world.agent("anna", title="Анна")
    await world.say("c1", "письмо")
    await world.take("anna", "c1")
    await act(world, desk.resolve, "anna")
    assert await world.pass_time(hours=24) == []
    assert (await world.request()).mark_asked_at is None


@pytest.mark.rule("KPI-05")
class TestFigures:
    async def test_share_and_mean_of_a_period_by_queue_and_channel(self, world: World) -> None:
        day = {"since": world.clock.now(), "until": world.clock.now() + timedelta(days=1)}
        first = await Customer(world).asked()
        await first.press("5")
        await first.say("супер")
        second = await Customer(world, "vk").asked()
        await second.press("2")
        world.clock.forward(hours=1)
        third = Customer(world)
        await third.say("мастера")
        await third.at_the_desk(desk.take)
        await third.at_the_desk(desk.reply, "Готово.")
        await third.at_the_desk(desk.resolve)
        await third.press("Помогло")
        async with world.sessions() as session:
            whole = await reports.satisfaction(session, **day)
            on_vk = await reports.satisfaction(session, **day, channel="vk")
            elsewhere = await reports.satisfaction(session, **day, queue="masters")
        assert whole == reports.Satisfaction(given=reports.Share(2, 3), mean=3.5, positive=1, comments=1)
        assert (on_vk.given, on_vk.mean) == (reports.Share(1, 1), 2.0)
        assert (elsewhere.given.value, elsewhere.mean) == (None, None)
