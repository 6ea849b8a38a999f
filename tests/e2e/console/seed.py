"""A shop's desk with work on it: some forty talks of the demo shop's customers, held through the real turns and actions.

No NLU runs: each line says what it means. `shop_world` gives an empty world on the demo pack, `fill` has the customers
write and the agents work, over the hours before the world's clock.

    async with shop_world(address, folder, now=FRIDAY) as world:
        await fill(world)

`folder` is where attachments are kept.
"""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import flows
from bot import agents, conversations, database, delivery, desk, events, fetching, requests, targets, turns
from bot.channels import Media
from bot.clients import shop_file
from bot.clients.crm_demo import DemoCrm
from bot.clock import FixedClock
from bot.content import pack_folder
from bot.file_store import open_store
from bot.jobs import Jobs
from bot.models import Request
from bot.settings import Settings
from bot.talks import Stage, parse_of, read_stage
from tests.bot.world import ScriptedChannel, World

FRIDAY = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
"""Noon in Moscow, when every queue is open."""
SHOP = pack_folder("shop")


@dataclass(frozen=True)
class Talk:
    """A customer's lines: (words, intents), the last one `ago` minutes before now; then what agents do."""

    name: str
    ago: float
    lines: Sequence[tuple[str, Sequence[str]]]
    channel: str = "telegram"
    account: str | None = None
    # whose linked account it is (an id of the demo shop's customers)
    then: Callable[[Scene], Awaitable[object]] | None = None
    file: tuple[str, str] | None = None


YES = ("Да", ["affirm"])
HUMAN = ("Соедините с оператором", ["human_request"])


# -------------------------------------------------------------------------------------------------- what agents do
@dataclass
class Scene:
    """A talk that has led to a request."""

    world: World
    chat: str
    conversation: int

    @property
    def now(self) -> datetime:
        return self.world.clock.now()

    async def take(self, agent: str) -> None:
        await self.world.do(desk.take, self.world.desk, agent, now=self.now, conversation_id=self.conversation)

    async def reply(self, agent: str, text: str) -> None:
        self.world.clock.forward(seconds=40)
        await self.world.do(desk.reply, self.world.desk, agent, self.conversation, text, now=self.now)

    async def hear(self, text: str, channel: str) -> None:
        self.world.clock.forward(seconds=50)
        await self.world.say(self.chat, text, channel=channel)

    async def act(self, action: Any, agent: str, *args: object, **more: Any) -> None:
        self.world.clock.forward(seconds=60)
        first = () if action is desk.note else (self.world.desk,)
        await self.world.do(action, *first, agent, self.conversation, *args, now=self.now, **more)


def taken(agent: str, *replies: str) -> Callable[[Scene], Awaitable[object]]:
    """An agent takes it and writes."""

    async def do(scene: Scene) -> None:
        await scene.take(agent)
        for text in replies:
            await scene.reply(agent, text)

    return do


def answered(agent: str, reply: str, line: str, channel: str = "telegram") -> Callable[[Scene], Awaitable[object]]:
    """An agent takes it and writes; the customer writes back and waits."""

    async def do(scene: Scene) -> None:
        await taken(agent, reply)(scene)
        await scene.hear(line, channel)

    return do


def waiting(agent: str, reply: str, days: float = 1) -> Callable[[Scene], Awaitable[object]]:
    """An agent waits for the customer."""

    async def do(scene: Scene) -> None:
        await taken(agent, reply)(scene)
        await scene.act(desk.wait, agent, until=scene.now + timedelta(days=days))

    return do


def solved(agent: str, reply: str, category: str | None = None) -> Callable[[Scene], Awaitable[object]]:
    """An agent answers and it is solved."""

    async def do(scene: Scene) -> None:
        await taken(agent, reply)(scene)
        await scene.act(desk.resolve, agent, category=category, text="Ответили по заказу, вопрос закрыт.")

    return do


def passed(agent: str, queue: str, comment: str) -> Callable[[Scene], Awaitable[object]]:
    """An agent passes it on."""

    async def do(scene: Scene) -> None:
        await taken(agent, "Здравствуйте! Сейчас уточню и передам коллеге, который этим занимается.")(scene)
        await scene.act(desk.transfer, agent, comment, queue=queue)

    return do


def declined(agent: str, reason: str) -> Callable[[Scene], Awaitable[object]]:
    """An agent gives it back."""

    async def do(scene: Scene) -> None:
        await scene.take(agent)
        await scene.act(desk.decline, agent, reason)

    return do


async def noted(scene: Scene) -> None:
    """An agent takes it and leaves a line for colleagues."""
    await taken("anna", "Здравствуйте, Ольга! Смотрю ваш заказ, минуту.")(scene)
    await scene.act(desk.note, "anna", "Склад подтвердил: коробку помяли при погрузке, заменят без спора.")


# ------------------------------------------------------------------------------------------------------- the talks
TALKS: tuple[Talk, ...] = (
    Talk("Наталья", 138, [("Доброе утро! Обещали перезвонить вчера, звонка не было", ["case_followup"]), HUMAN], then=solved("anna", "Наталья, простите за вчерашний звонок. Посылка уже в Кирове, её можно забрать.", "case_followup")),
    Talk("Денис Корж", 124.5, [("у вас промокод ЗИМА не работает", ["promo"]), HUMAN], channel="vk", then=solved("anna", "Промокод ЗИМА действует до воскресенья на заказы от 3000 ₽. Проверьте сумму корзины.", "promo")),
    Talk("Sveta", 118.2, [("Приложение вылетает, когда открываю корзину", ["tech_issue"]), HUMAN], then=solved("ivan", "Светлана, обновите приложение до версии 5.12: там это исправлено.", "tech_issue")),
    Talk("Егор", 111, [("Где мой заказ 48303? Посылка лежит на почте?", ["order_status"]), YES, ("Это я и так вижу, позовите человека", ["order_status", "human_request"])], account="nikolay", then=waiting("anna", "Николай Ильич, посылка ждёт вас в отделении 614000. Напишите, удастся ли забрать.", 2)),
    Talk("Мила", 102.9, [("Спасибо, вопрос решился", ["thanks"]), ("Позовите оператора", ["human_request"]), ("Отменить обращение", ["cancel_request"])]),
    Talk("Кира Дроздова", 93, [("Рассрочку не одобрили, хотя лимит есть. Почему?", ["fin_installment"]), HUMAN], account="money", then=waiting("lev", "Кира Олеговна, отправил запрос в банк, ответ придёт до завтра.")),
    Talk("Аркадий", 86.7, [("хочу вернуть деньги за отменённый заказ, когда придут", ["refund_status"]), HUMAN], then=passed("anna", "refund_desk", "Отмена 12 ноября, деньги не пришли. Проверьте перевод по банку.")),
    Talk("Лена Новикова", 75.9, [("Здравствуйте, можно изменить пункт выдачи? Заказ 48331", ["order_change_address"]), YES, ("Пусть специалист поменяет", ["order_change_address", "human_request"])], account="elena", then=answered("anna", "Елена, да, поменять можно. На какой пункт перенести?", "На Гагарина 5, если можно. Там ближе к дому")),
    Talk("Гусева Инна", 72.3, [("Нужны закрывающие документы и счёт-фактура на ООО «Строймир»", ["b2b"]), HUMAN], account="stroy", then=taken("nina", "Инна Вадимовна, документы готовлю, пришлю в течение часа.")),
    Talk("Пётр С.", 66, [("Утюг не греет, второй день мучаюсь", ["return_defect"]), YES, ("Мне нужен человек, а не робот", ["return_defect", "human_request"])], account="petr", channel="vk", file=("photo", "утюг.jpg"), then=declined("ivan", "Нужен коллега, который оформляет обмены.")),
    Talk("Ольга Белова", 53.4, [("Коробка приехала мятая, сковорода с вмятиной!!! Это уже второй раз", ["return_defect"]), YES, ("Мне нужен человек, а не робот", ["return_defect", "human_request"])], account="olga", file=("photo", "скол.jpg"), then=noted),
    Talk("Глеб Фролов", 46.2, [("Когда выплата за ролики за октябрь?", ["monetization"]), HUMAN], account="author"),
    Talk("Рита", 39.9, [("Мне заблокировали аккаунт, ничего не нарушала", ["account_blocked"]), HUMAN], account="block_c"),
    Talk("Илья", 33.6, [("Прошу зачислить баллы за отзыв, обещали ещё в октябре", ["accruals"]), HUMAN], channel="vk"),
    Talk("Ирина Павлова", 26.4, [("Сколько хранится посылка в пункте выдачи?", ["delivery_terms"]), ("а если уеду на неделю?", ["not_helpful"]), YES, ("Не то. Дайте специалиста", ["delivery_terms", "human_request"])], account="irina"),
    Talk("Зоя Аркадьевна", 20.3, [("Добрый день. Мне нужен мой менеджер по поводу подарочной карты", ["human_request"])], account="zoya"),
    Talk("Alex", 19.2, [("Hello, can I change the delivery address?", ["foreign_language"]), ("operator please", ["human_request"])]),
    Talk("Виктор", 17.1, [("Какого чёрта курьер не приехал, я весь день дома просидел! Безобразие", ["complaint_courier"]), HUMAN], account="viktor"),
    Talk("Юлия Титова", 15.4, [("Сертификат на 5000 не применяется к заказу", ["promo"]), HUMAN], account="yulia"),
    Talk("Роман Б.", 14.3, [("Почему мой регион закрыт для доставки? В прошлом году возили", ["order_status"]), YES, ("Это я и так вижу, позовите человека", ["order_status", "human_request"])], account="roman", channel="vk"),
    Talk("Дарья Романова", 12.9, [("Курьер с продуктами опаздывает на сорок минут, мороженое тает", ["express_delivery"]), HUMAN], account="fresh"),
    Talk("Артём", 11.5, [("С карты списали дважды: 2990 и ещё раз 2990", ["payment_problem"]), HUMAN], account="block_f"),
    Talk("Марина Комарова", 10.1, [("Месяц назад вернула чайник, денег нет. Буду писать в Роспотребнадзор", ["legal_claim"]), HUMAN], account="marina"),
    Talk("Тимур", 9.4, [("Мне позвонили якобы от вас и попросили код из смс", ["fraud"]), HUMAN]),
    Talk("Олег Киселёв", 8.4, [("Плед не того цвета: заказывал серый, пришёл бежевый", ["return_wrong_item"]), YES, ("Позовите, пожалуйста, специалиста", ["return_wrong_item", "human_request"])], account="oleg", file=("photo", "плед.jpg")),
    Talk("Мария", 7.7, [("Где мой заказ 48213? Обещали вчера", ["order_status"]), YES, ("Это я и так вижу, позовите человека", ["order_status", "human_request"])], account="maria", channel="vk", then=answered("boris", "Мария Петровна, посылка прошла сортировку, в Туле будет завтра.", "А точно завтра? В прошлый раз тоже так говорили")),
    Talk("Света Макарова", 6.6, [("Хочу добавить к заказу прихватку, ещё не поздно?", ["order_change_items"]), YES, ("Позовите, пожалуйста, специалиста", ["order_change_items", "human_request"])], account="svetlana"),
    Talk("Константин", 5.9, [("Нужна справка для отдела полиции по заказу", ["authority_request"]), HUMAN]),
    Talk("Галина Фёдоровна", 5.2, [("Здравствуйте. Мой телефон 8 916 555-01-77, перезвоните пожалуйста, в чате мне трудно", ["human_request"]), HUMAN], account="galina"),
    Talk("Никита", 4.5, [("Где ребёнку взять подарок, обещали к заказу положить игрушку", ["return_missing_item"]), HUMAN]),
    Talk("Людмила", 3.8, [("Отмените наконец заказ, третий раз прошу!", ["order_cancel"]), YES, ("Позовите, пожалуйста, специалиста", ["order_cancel", "human_request"])], account="lyudmila"),
    Talk("Сергей Кузнецов", 3.1, [("Хочу заказать кастрюлю и набор ножей одним заказом", ["order_new"]), HUMAN], account="sergey_o", channel="vk"),
    Talk("Вера Ильина", 2.8, [("В заказе ошиблись в фамилии: я Ильина, а не Илина", ["order_change_recipient"]), YES, ("Позовите, пожалуйста, специалиста", ["order_change_recipient", "human_request"])], account="vera"),
    Talk("Дмитрий", 2.4, [("Курьер звонил, но я был на совещании. Когда привезут заказ 48323?", ["order_status"]), YES, ("Это я и так вижу, позовите человека", ["order_status", "human_request"])], account="dmitry"),
    Talk("Анна Волкова", 2.1, [("Премиум списали, хотя я отключала подписку месяц назад", ["premium_subscription"]), HUMAN], account="anna_v"),
    Talk("Кирилл", 1.8, [("Продавец не отвечает третий день, товар не отправил", ["seller_question"]), HUMAN], account="kirill"),
    Talk("Таня Орлова", 1.4, [("Когда наконец поступит товар? Жду полтора месяца", ["order_status"]), YES, ("Это я и так вижу, позовите человека", ["order_status", "human_request"])], account="tatyana", channel="vk"),
    Talk("Павел", 1, [("Карта банка не пришла, где она", ["bank_card"]), HUMAN]),
    Talk("Рената", 0.7, [("Где мой ЗАКАЗ??? Сколько можно ждать, верните деньги!!!", ["order_status"]), HUMAN]),
    Talk("Владимир Ф.", 0.3, [("Добрый день, подскажите по заказу: он всё ещё ждёт поставки?", ["order_status"]), YES, ("Это я и так вижу, позовите человека", ["order_status", "human_request"])], account="vladimir"),
)  # fmt: skip


class Messenger(ScriptedChannel):
    """Gives a picture for whatever was attached."""

    async def fetch(self, ref: str) -> AsyncIterator[bytes]:
        yield picture(400, 300, zlib.crc32(ref.encode()))


def picture(width: int, height: int, seed: int = 0) -> bytes:
    """A PNG file: a soft slope of two colours that the seed chooses."""
    one, two = (tuple(90 + (seed >> shift & 0x7F) for shift in (place, place + 7, place + 14)) for place in (0, 5))
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        for x in range(width):
            part = (x + y) / (width + height)
            rows += bytes(int(a + (b - a) * part) for a, b in zip(one, two, strict=True))

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(rows))) + chunk(b"IEND", b"")
    )


class TalkNlu:
    """Reads the lines of the talks as they are meant, and what an order number or a telephone number is by its shape."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.means: dict[str, Sequence[str]] = {}

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        named = [name for line in text.split("\n") for name in self.means.get(line, ())]
        step: dict[str, Any] = {"say": text}
        if named:
            step["as"] = list(dict.fromkeys(named))
        return parse_of(step, self._stage.usual)


# -------------------------------------------------------------------------------------------------------- the world
@asynccontextmanager
async def shop_world(address: str, folder: Path, *, now: datetime = FRIDAY) -> AsyncIterator[World]:
    """A world on the demo pack with its agents at the desk; the clock stands at `now`."""
    stage = read_stage(SHOP)
    shop = shop_file.load(SHOP / "demo" / "shop.yml", now=now, pack=stage.pack)
    pack = stage.pack.with_settings(shop.settings)
    engine = database.make_engine(address)
    sessions = database.make_sessions(engine)
    clock, nlu = FixedClock(now), TalkNlu(stage)
    crm = DemoCrm(shop, now=clock.now)
    channels: dict[str, ScriptedChannel] = {name: Messenger(name) for name in ("telegram", "vk")}
    async with Jobs(address, workers=2, stalled=1.0) as jobs:
        work = requests.Desk(pack=pack, jobs=jobs)
        post = delivery.Post(sessions=sessions, channels=channels, jobs=jobs, clock=clock)
        tools = turns.Tools(desk=work, nlu=nlu, crm=crm, clock=clock)
        files = fetching.Files(
            sessions=sessions, channels=channels, desk=work, clock=clock, store=open_store(Settings(home=folder)),
            limits=fetching.Limits.of(file_mb=20, day_mb=200),
        )  # fmt: skip
        world = World(sessions, jobs, clock, cast(Any, nlu), cast(Any, crm), work, tools, post, channels)

        async def turn(conversation_id: int) -> None:
            async with sessions.begin() as session:
                await turns.take_turn(session, tools, conversation_id)

        jobs.register("turn", turn)
        jobs.register("delivery", functools.partial(delivery.deliver, post))
        jobs.register("files", functools.partial(fetching.fetch, files))
        stop = events.listen(sessions, world.events.append)
        async with sessions.begin() as session:
            for one in shop.agents:
                await agents.save(
                    session, one.name, title=one.title, queues=one.queues, skills=one.skills, role=one.role,
                    on_shift=one.on_shift,
                )  # fmt: skip
        try:
            yield world
        finally:
            stop()
            await engine.dispose()


async def fill(world: World, talks: Sequence[Talk] = TALKS) -> None:
    """Have the customers write and the agents work, oldest first; the clock ends where it was."""
    now = world.clock.now()
    for place, talk in enumerate(talks, start=1):
        await hold(world, talk, f"{500_000 + place}", now)
    world.clock.set(now)
    async with world.sessions.begin() as session:
        await targets.fall_due(session, world.desk.pack, now)
    world.events.clear()


async def hold(world: World, talk: Talk, chat: str, now: datetime) -> None:
    """Hold one talk."""
    nlu, crm = cast(Any, world.nlu), cast(Any, world.crm)
    if talk.account is not None:
        link(crm, talk.account, talk.channel, chat)
    world.clock.set(now - timedelta(minutes=talk.ago, seconds=20 * len(talk.lines)))
    for words, intents in talk.lines:
        nlu.means[words] = intents
        files = (
            (Media(talk.file[0], talk.file[1], ref=chat, size=240_000),)
            if talk.file and (words, intents) == tuple(talk.lines[0])
            else ()
        )
        await world.say(chat, words, channel=talk.channel, name=talk.name, attachments=files)
        world.clock.forward(seconds=20)
    if talk.then is not None:
        conversation = await world.id_of(chat, talk.channel)
        async with world.sessions() as session:
            found = await requests.current(session, conversation)
        if found is not None:
            await talk.then(Scene(world, chat, conversation))


def link(crm: DemoCrm, customer: str, channel: str, chat: str) -> None:
    """Let a messenger's account be a customer's."""
    known = crm._customers[customer]
    crm._customers[customer] = known.model_copy(update={"accounts": {**known.accounts, channel: chat}})


async def next_line(world: World, talk: Talk, chat: str) -> None:
    """A customer writes now, as in `fill`: for what is to appear on an open page."""
    await hold(world, talk, chat, world.clock.now() + timedelta(minutes=talk.ago))


__all__ = ["FRIDAY", "TALKS", "Request", "Talk", "conversations", "fill", "hold", "next_line", "shop_world"]
