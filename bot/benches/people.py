"""Customers and agents of the bench of faults: they write, press and reply by a seeded random, whatever breaks meanwhile."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy import exists, select
from sqlalchemy.exc import SQLAlchemyError

from bot import desk
from bot.app import Assistant
from bot.benches.ledger import Ledger, Replied, Taken, Written
from bot.benches.system import Said, System
from bot.errors import FirstlineError, NothingToTake
from bot.models import Message, Request

log = logging.getLogger(__name__)
T = TypeVar("T")

IT_IS_ME, HELPED = "Да, это я", "Да, помогло"
"""Buttons that these customers press."""
ASKED = ("Где заказ {}?", "Где мой заказ {}?", "Когда придёт заказ {}?", "Подскажите, где заказ {}")
SMALL_TALK = ("спасибо", "здравствуйте")
A_PERSON = "Позовите оператора"


class Customer:
    """Somebody in a chat with orders to ask for."""

    def __init__(
        self, system: System, ledger: Ledger, channel: str, chat: int, orders: Sequence[str], luck: random.Random
    ) -> None:
        self.system, self.ledger, self.channel, self.chat = system, ledger, channel, chat
        self._orders, self._asked, self._luck = orders, 0, luck
        self._presses: set[asyncio.Task[None]] = set()
        system.ears.listen(self._heard)

    # --------------------------------------------------------------------------------------- what they do
    def ask(self) -> str:
        """Ask for the next order; return its number."""
        order = self._orders[self._asked % len(self._orders)]
        self._asked += 1
        self.write(self._luck.choice(ASKED).format(order), order)
        return order

    def write(self, text: str, order: str | None = None) -> None:
        """Write a message."""
        self.ledger.wrote(
            Written(self.channel, self.chat, self.system.writes(self.channel, self.chat, text), text, order)
        )

    def swap(self) -> None:
        """Write two messages whose updates come in the wrong order."""
        texts = [(order, ASKED[0].format(order)) for order in (self._next(), self._next())]
        made = self.system.swapped(self.channel, self.chat, [text for _, text in texts])
        for number, (order, text) in zip(made, texts, strict=True):
            self.ledger.wrote(Written(self.channel, self.chat, number, text, order, swapped=True))

    def _next(self) -> str:
        self._asked += 1
        return self._orders[(self._asked - 1) % len(self._orders)]

    async def introduce(self) -> None:
        """Ask, and say who one is, so that questions are answered from then on. TimeoutError when nothing comes of it."""
        order = self.ask()
        await self.system.ears.wait(lambda said: self._mine(said) and order in said.text)

    async def told(self, order: str, *, since: int) -> float:
        """Wait for an answer that names an order; return when it came."""
        said = await self.system.ears.wait(lambda said: self._mine(said) and order in said.text, since=since)
        return said.at

    async def chat_away(self, until: float, pace: float) -> None:
        """Write now and then until a time (monotonic). `pace`: mean seconds between two messages."""
        while (pause := self._luck.expovariate(1 / pace)) + time.monotonic() < until:
            await asyncio.sleep(pause)
            match self._luck.random():
                case lot if lot < 0.55:
                    self.ask()
                case lot if lot < 0.70:  # a burst
                    for _ in range(self._luck.randint(2, 3)):
                        self.ask()
                        await asyncio.sleep(self._luck.uniform(0, 1.5))
                case lot if lot < 0.80:  # an update comes twice
                    self.ask()
                    await asyncio.sleep(self._luck.uniform(0, 1))
                    self.system.again(self.channel)
                case lot if lot < 0.85:
                    self.swap()
                case lot if lot < 0.93:
                    self.write(self._luck.choice(SMALL_TALK))
                case _:
                    self.write(A_PERSON)

    # --------------------------------------------------------------------------------------- what they hear
    def _mine(self, said: Said) -> bool:
        return said.channel == self.channel and said.chat == self.chat

    def _heard(self, said: Said) -> None:
        if not self._mine(said):
            return
        for title in (IT_IS_ME, HELPED):
            if title in said.sent.buttons:
                task = asyncio.create_task(self._press(said, title))
                self._presses.add(task)
                task.add_done_callback(self._presses.discard)

    async def _press(self, said: Said, title: str) -> None:
        await asyncio.sleep(self._luck.uniform(0.2, 1.0))
        for _ in range(2 if self._luck.random() < 0.3 else 1):  # some press twice
            self.system.presses(said, title)
            self.ledger.pressed(self.channel, self.chat)


class Agents:
    """People at the desk, in this process: they take requests, reply and resolve, and try again while the store is away."""

    def __init__(self, assistant: Assistant, ledger: Ledger, names: Sequence[str], luck: random.Random) -> None:
        """`assistant`: of the bench's own, for its sessions and its desk."""
        self._assistant, self._ledger, self._names, self._luck = assistant, ledger, names, luck
        self._replies = 0

    async def work(self, ended: asyncio.Event) -> None:
        """Work until it is said to be over and no request waits."""
        await asyncio.gather(*(self._shift(name, ended) for name in self._names))

    async def _shift(self, name: str, ended: asyncio.Event) -> None:
        while True:
            chat = await self._insist(lambda: self._take(name))
            if chat is None:
                if ended.is_set():
                    return
                await asyncio.sleep(0.5)
                continue
            taken = Taken(*chat, since=time.monotonic())
            self._ledger.taken.append(taken)
            for _ in range(self._luck.randint(1, 2)):
                await asyncio.sleep(self._luck.uniform(0.3, 2.0))
                await self._reply(name, chat)
            await asyncio.sleep(self._luck.uniform(0.3, 1.5))
            taken.until = time.monotonic()
            await self._insist(lambda: self._resolve(name, chat[0]))  # noqa: B023  awaited here

    async def _take(self, name: str) -> tuple[int] | None:
        """Take the next request; return its conversation. One that is in hand already was taken in a lost answer."""
        async with self._assistant.sessions.begin() as session:
            try:
                request = await desk.take(session, self._assistant.desk, name, now=self._assistant.clock.now())
            except NothingToTake:
                held = await session.scalar(
                    select(Request.conversation_id).where(Request.agent.has(name=name)).order_by(Request.id).limit(1)
                )
                return (held,) if held is not None else None
            return (request.conversation_id,)

    async def _reply(self, name: str, chat: tuple[int]) -> None:
        self._replies += 1
        text = f"Уже смотрю ваш вопрос, ответ {self._replies:04}."
        self._ledger.replied.append(Replied(chat[0], text))

        async def reply() -> None:
            async with self._assistant.sessions.begin() as session:
                if await session.scalar(select(exists().where(Message.text == text))):
                    return  # stored, but the answer was lost
                await desk.read(session, name, chat[0])
                await desk.reply(session, self._assistant.desk, name, chat[0], text, now=self._assistant.clock.now())

        await self._insist(reply)

    async def _resolve(self, name: str, conversation_id: int) -> None:
        async with self._assistant.sessions.begin() as session:
            await desk.resolve(session, self._assistant.desk, name, conversation_id, now=self._assistant.clock.now())

    async def _insist(self, action: Callable[[], Awaitable[T]]) -> T | None:
        """Do something, again and again while the store is away. What the desk refuses is left."""
        while True:
            try:
                return await action()
            except FirstlineError as refused:
                log.warning("desk_refused", extra={"error": type(refused).__name__})
                return None
            except (SQLAlchemyError, OSError) as error:
                log.info("store_away", extra={"error": type(error).__name__})
                await asyncio.sleep(0.5)
