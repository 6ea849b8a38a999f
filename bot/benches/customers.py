"""The customers of a load bench: they write at a given rate, however long the answers take, and press buttons.

They and the stand-in messengers live in the bench's own process, apart from the processes that are measured.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import httpx

from bot.benches.system import Said, System

MESSAGES = 4
"""So many messages has a customer; then another one comes."""
PAUSE = 6.0
"""Seconds at least between two messages of one customer."""
PRESSES = 0.4
"""Share of the messages that are presses, where the last answer has buttons."""
PATIENCE = 30.0
"""Seconds that answers are waited for after the last message."""
FIRST_CHAT = 1000


@dataclass(slots=True)
class Written:
    """A message or press of a customer. Times are seconds of the Unix epoch."""

    channel: str
    chat: int
    number: int
    # which of the customer's messages it is, from 0
    press: bool
    at: float
    answered: float | None = None


@dataclass(slots=True)
class Customer:
    """Who writes: what they wrote, and the last answer as far as it has buttons."""

    channel: str
    chat: int
    written: list[Written] = field(default_factory=list)
    buttons: Any = None

    def hears(self, buttons: Any) -> None:
        """An answer has come, to all that waits for one. `buttons`: what `Hand.presses` needs, None when it has none."""
        now = time.time()
        for one in self.written:
            if one.answered is None:
                one.answered = now
        self.buttons = buttons


class Hand(Protocol):
    """What customers write with."""

    @property
    def channels(self) -> Sequence[str]:
        """The names of the channels, which customers take in turn."""
        ...

    def writes(self, customer: Customer, text: str) -> None:
        """Write a message."""
        ...

    def presses(self, customer: Customer, random: Random) -> None:
        """Press a button of the customer's last answer."""
        ...


class Messengers:
    """Telegram and VK: the stand-ins of a `System`."""

    channels = ("telegram", "vk")

    def __init__(self, system: System, known: dict[tuple[str, int], Customer]) -> None:
        """`known`: where the customers are."""
        self._system = system

        def heard(said: Said) -> None:
            known[said.channel, said.chat].hears(said if said.sent.buttons else None)

        system.ears.listen(heard)

    def writes(self, customer: Customer, text: str) -> None:
        """Write a message."""
        self._system.writes(customer.channel, customer.chat, text)

    def presses(self, customer: Customer, random: Random) -> None:
        """Press a button."""
        self._system.presses(customer.buttons, random.choice(customer.buttons.sent.buttons))


class RasaRest:
    """The REST channel of a Rasa server. Its buttons carry what Rasa reads as an intent without parsing."""

    channels = ("rasa",)

    def __init__(self, http: httpx.AsyncClient, url: str) -> None:
        self._http, self._url = http, url
        self._posts: set[asyncio.Task[None]] = set()

    def writes(self, customer: Customer, text: str) -> None:
        """Write a message."""
        self._post(customer, text)

    def presses(self, customer: Customer, random: Random) -> None:
        """Press a button."""
        self._post(customer, random.choice(customer.buttons)["payload"])

    def _post(self, customer: Customer, text: str) -> None:
        task = asyncio.create_task(self._exchange(customer, text))
        self._posts.add(task)
        task.add_done_callback(self._posts.discard)

    async def _exchange(self, customer: Customer, text: str) -> None:
        body = {"sender": f"bench-{customer.chat}", "message": text}
        try:
            answers = (await self._http.post(f"{self._url}/webhooks/rest/webhook", json=body)).json()
        except (httpx.HTTPError, ValueError):
            return
        if answers:
            customer.hears(answers[-1].get("buttons"))


class Crowd:
    """All customers of a bench. The same seed: the same moments, and the same words in the same order."""

    def __init__(self, texts: Sequence[str], *, seed: int) -> None:
        self.known: dict[tuple[str, int], Customer] = {}
        self._moments, self._random = Random(seed), Random(seed)
        # the moments are the same whatever the answers are; presses hang on these
        self._texts = _shuffled(texts, Random(seed))
        self._chats = itertools.count(FIRST_CHAT)
        self._here: deque[Customer] = deque()
        # who will write again, the longest silent first

    async def play(self, hand: Hand, rate: float, seconds: float) -> list[Written]:
        """Let messages come at random moments, `rate` a second in the mean, for some seconds; then wait for the answers."""
        written: list[Written] = []
        begun, due = time.monotonic(), 0.0
        while (due := due + self._moments.expovariate(rate)) < seconds:
            await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
            written.append(self._next(hand))
        until = time.monotonic() + PATIENCE
        while any(one.answered is None for one in written) and time.monotonic() < until:  # noqa: ASYNC110  looks once in a while
            await asyncio.sleep(0.05)
        return written

    def _next(self, hand: Hand) -> Written:
        """The next message: of the customer who is silent for the longest, or of a new one."""
        if self._here and self._here[0].written[-1].at + PAUSE < time.time():
            customer = self._here.popleft()
        else:
            chat = next(self._chats)
            customer = Customer(hand.channels[chat % len(hand.channels)], chat)
            self.known[customer.channel, chat] = customer
        press = customer.buttons is not None and self._random.random() < PRESSES
        written = Written(customer.channel, customer.chat, len(customer.written), press, time.time())
        customer.written.append(written)
        if press:
            hand.presses(customer, self._random)
            customer.buttons = None
        else:
            hand.writes(customer, next(self._texts))
        if len(customer.written) < MESSAGES:
            self._here.append(customer)
        return written


def _shuffled(texts: Sequence[str], random: Random) -> Iterator[str]:
    """The texts without end, in another order each time."""
    while True:
        yield from random.sample(texts, len(texts))
