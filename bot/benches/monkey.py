"""The monkey: kills, stops, freezes and starts again one part after another, by a seeded random, and sees how soon all is well."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import psycopg

from bot.benches import evidence
from bot.benches.ledger import Ledger
from bot.benches.people import Customer
from bot.benches.processes import Program
from bot.benches.shop import Mood
from bot.benches.system import System
from bot.benches.troubles import LONGER_THAN_A_CALL, Troubles, too_many
from bot.standins.faults import garbage, slow

log = logging.getLogger(__name__)

GIVEN_UP = 90.0
"""Seconds after which nobody waits for a recovery any more."""
CHANCE = 10.0
"""Seconds that the monkey waits for the moment it would like to strike at."""
NEXT_PROBE = 1.0
Strike = Callable[[], Awaitable[float]]
"""Does a fault, and returns when it was over (monotonic)."""
ROLES = ("receiver", "worker", "sender")


@dataclass(slots=True)
class Struck:
    """One fault, and how the system recovered from it."""

    kind: str
    begun: float
    ended: float
    # of a kill: the kill itself
    probe: float | None = None
    # seconds from then to the first right answer of somebody who asks then
    backlog: float | None = None
    # seconds from then until all that was written before it is answered

    def recovered(self, within: float) -> bool:
        """Whether all was well again in time. What has piled up while a fault lasted may take as long again to be answered:
        a messenger takes one message a second to a chat."""
        if self.probe is None or self.backlog is None:
            return False
        return self.probe <= within and self.backlog <= within + self.ended - self.begun


@dataclass(slots=True)
class Monkey:
    """Strikes one fault at a time."""

    system: System
    ledger: Ledger
    mood: Mood
    troubles: Mapping[str, Troubles]
    probes: Sequence[Customer]
    luck: random.Random
    struck: list[Struck] = field(default_factory=list)
    mending: list[asyncio.Task[None]] = field(default_factory=list)
    _next_probe: int = 0

    def kinds(self) -> dict[str, Strike]:
        """The faults that are possible here: each strikes, and returns when it was over (monotonic)."""
        own: dict[str, Strike] = {
            **{f"kill {role}": partial(self._kill, role) for role in ROLES},
            "kill in a turn": self._kill_in_turn,
            "kill in a send": self._kill_in_send,
            "kill in a fetch": self._kill_in_fetch,
            "kill everything": self._kill_everything,
            **{f"stop {role}": partial(self._stop, role) for role in ROLES},
            **{f"freeze {role}": partial(self._freeze, role) for role in ROLES},
            "CRM down": partial(self._crm, down=("crm", "tracking")),
            "CRM hangs": partial(self._crm, hang=True),
            **{f"{name} down": partial(self._messenger_down, name) for name in self.troubles},
            **{f"{name} hangs": partial(self._messenger_hangs, name) for name in self.troubles},
            **{f"{name} asks to wait": partial(self._too_many, name) for name in self.troubles},
        }
        if self.system.postgres is not None:
            own |= {
                "PostgreSQL restart": partial(self._postgres, "stop"),
                "kill PostgreSQL": partial(self._postgres, "kill"),
                "freeze PostgreSQL": self._freeze_postgres,
            }
        if self.system.nlus:
            own |= {"kill NLU": self._kill_nlu, "freeze NLU": self._freeze_nlu}
        return own

    async def play(self, until: float, kinds: Sequence[str] = ()) -> None:
        """Strike until a time (monotonic), each kind once before any comes again. `kinds`: only those, in this order, once."""
        known = self.kinds()
        deck = list(kinds)
        while time.monotonic() < until:
            if not deck:
                if kinds:
                    return
                deck = self.luck.sample(sorted(known), len(known))
            await asyncio.sleep(self.luck.uniform(1.0, 3.0))
            await self.strike(deck.pop(0), known)

    async def strike(self, kind: str, known: Mapping[str, Strike]) -> None:
        """One fault, from its begin until all is well again."""
        begun = time.monotonic()
        log.info("strikes", extra={"kind": kind})
        ended = await known[kind]()
        one = Struck(kind, begun, ended)
        self.struck.append(one)
        one.probe, one.backlog = await asyncio.gather(self._probed(ended), self._caught_up(ended))
        log.info("recovered", extra={"kind": kind, "probe": one.probe, "backlog": one.backlog})
        await self.mend()

    async def mend(self) -> None:
        """Wait until all that was started again works."""
        mending, self.mending = self.mending, []
        await asyncio.gather(*mending)

    # ------------------------------------------------------------------------------------------- processes
    def of(self, role: str) -> list[Program]:
        """The processes that have a role."""
        return [one for one in self.system.programs.values() if role in one.roles or not one.roles]

    def _shoot(self, programs: Iterable[Program]) -> float:
        """kill -9, and start again at once, as a supervisor does."""
        shot = list(programs)
        for one in shot:
            one.shoot()
        now = time.monotonic()
        self.ledger.stopped.append((now, now))
        self.mending += [asyncio.create_task(self._again(one)) for one in shot]
        return now

    @staticmethod
    async def _again(program: Program) -> None:
        await program.kill()
        await program.start()

    async def _kill(self, role: str) -> float:
        await asyncio.sleep(self.luck.uniform(0.0, 1.0))
        return self._shoot([self.luck.choice(self.of(role))])

    async def _kill_everything(self) -> float:
        """As when the machine is lost; over when it is there again, for how long it takes to start is the machine's."""
        self._shoot(self.system.programs.values())
        await self.mend()
        return time.monotonic()

    async def _kill_in_turn(self) -> float:
        self.mood.set(hang=True)
        await asyncio.sleep(self.luck.uniform(2.0, 4.0))
        shot = self._shoot([self.luck.choice(self.of("worker"))])
        self.mood.set()
        return shot

    async def _kill_in_send(self) -> float:
        channel = self.luck.choice(sorted(self.troubles))
        return await self._kill_at(lambda strike: setattr(self.troubles[channel], "at_send", strike), "sender")

    async def _kill_in_fetch(self) -> float:
        channel = self.luck.choice(sorted(self.troubles))
        return await self._kill_at(lambda strike: setattr(self.troubles[channel], "at_fetch", strike), "receiver")

    async def _kill_at(self, arm: Callable[[Callable[[int], None]], None], role: str) -> float:
        """Kill the process that makes a call, in the call; any of the role when nobody calls."""
        shot: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def strike(port: int = 0) -> None:
            if not shot.done():
                one = next((one for one in self.of(role) if one.speaks_from(port)), None)
                shot.set_result(self._shoot([one or self.luck.choice(self.of(role))]))

        arm(strike)
        await asyncio.wait({shot}, timeout=CHANCE)
        strike()
        return shot.result()

    async def _stop(self, role: str) -> float:
        """A graceful stop, as at an update: the old one ends, the new one begins."""
        one, now = self.luck.choice(self.of(role)), time.monotonic()

        async def again() -> None:
            await one.stop()
            await one.start()

        self.mending.append(asyncio.create_task(again()))
        return now

    async def _freeze(self, role: str) -> float:
        frozen, begun = self.of(role), time.monotonic()
        for one in frozen:
            one.freeze()
        await asyncio.sleep(self.luck.uniform(4.0, 7.0))
        for one in frozen:
            one.thaw()
        self.ledger.stopped.append((begun, time.monotonic()))
        return time.monotonic()

    # ------------------------------------------------------------------------------------------- PostgreSQL, NLU, CRM
    async def _postgres(self, how: str) -> float:
        assert self.system.postgres is not None
        await (self.system.postgres.kill() if how == "kill" else self.system.postgres.stop())
        await asyncio.sleep(self.luck.uniform(0.5, 4.0))
        await self.system.postgres.start()
        return time.monotonic()

    async def _freeze_postgres(self) -> float:
        assert self.system.postgres is not None
        self.system.postgres.freeze()
        await asyncio.sleep(self.luck.uniform(3.0, 6.0))
        self.system.postgres.thaw()
        return time.monotonic()

    async def _kill_nlu(self) -> float:
        one = self.luck.choice(self.system.nlus)
        await one.kill()
        now = time.monotonic()
        if len(self.system.nlus) > 1:  # the others go on
            self.mending.append(asyncio.create_task(one.start()))
            return now
        await asyncio.sleep(self.luck.uniform(2.0, 4.0))
        await one.start()
        return time.monotonic()

    async def _freeze_nlu(self) -> float:
        for one in self.system.nlus:
            one.freeze()
        await asyncio.sleep(self.luck.uniform(5.0, 12.0))
        for one in self.system.nlus:
            one.thaw()
        return time.monotonic()

    async def _crm(self, *, down: Sequence[str] = (), hang: bool = False) -> float:
        self.mood.set(down=down, hang=hang)
        await asyncio.sleep(self.luck.uniform(6.0, 9.0))
        self.mood.set()
        return time.monotonic()

    # ------------------------------------------------------------------------------------------- messengers
    async def _messenger_down(self, name: str) -> float:
        self.troubles[name].outage = garbage()
        await asyncio.sleep(self.luck.uniform(5.0, 10.0))
        self.troubles[name].outage = None
        return time.monotonic()

    async def _messenger_hangs(self, name: str) -> float:
        self.troubles[name].outage = slow(LONGER_THAN_A_CALL)
        await asyncio.sleep(self.luck.uniform(3.0, 6.0))
        self.troubles[name].outage = None
        await asyncio.sleep(LONGER_THAN_A_CALL)  # the last of the calls hang as long
        return time.monotonic()

    async def _too_many(self, name: str) -> float:
        self.troubles[name].outage = too_many(name)
        await asyncio.sleep(self.luck.uniform(3.0, 6.0))
        self.troubles[name].outage = None
        return time.monotonic()

    # ------------------------------------------------------------------------------------------- recovery
    async def _probed(self, ended: float) -> float | None:
        """Seconds until somebody who asks gets a right answer; a second later another one asks, and so on."""
        waiting: set[asyncio.Task[float]] = set()
        try:
            while time.monotonic() < ended + GIVEN_UP:
                probe = self.probes[self._next_probe % len(self.probes)]
                self._next_probe += 1
                since = len(self.system.ears.said)
                waiting.add(asyncio.create_task(probe.told(probe.ask(), since=since)))
                done, _ = await asyncio.wait(waiting, timeout=NEXT_PROBE, return_when=asyncio.FIRST_COMPLETED)
                if done:
                    return max(0.0, min(task.result() for task in done) - ended)
            return None
        finally:
            for task in waiting:
                task.cancel()

    async def _caught_up(self, ended: float) -> float | None:
        """Seconds until all that was written before the fault's end is stored, read, and answered in full."""
        before = {(one.channel, one.chat, str(one.message_id)) for one in self.ledger.written if one.at <= ended}
        while time.monotonic() < ended + GIVEN_UP:
            try:
                if await asyncio.to_thread(evidence.caught_up, self.system.address, before):
                    return max(0.0, time.monotonic() - ended)
            except psycopg.OperationalError:
                log.info("store_away")
            await asyncio.sleep(0.3)
        return None
