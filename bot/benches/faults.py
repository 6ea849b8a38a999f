"""`firstline bench faults`: customers write while everything that can fail does, and then it is counted what came of it.

Real processes, real PostgreSQL, real NLU services; the messengers are stand-ins, the shop's systems a double that can be told
to hang. What is promised: each message is stored once, and answered or handed over; a conversation keeps its order; no
message to a customer is doubled, but for Telegram's one unavoidable window (a call whose answer was lost, or whose sender died
in it), which is counted apart; an agent's replies neither, and the bot is silent beside an agent; nothing is stuck; 15 seconds
after a fault who asks is answered again, and what waited is (what has piled up in a long one may take as long again).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import random
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from bot.app import Assistant
from bot.benches import evidence, ledger, shop
from bot.benches.ledger import RECOVERED, Broken, Ledger
from bot.benches.monkey import Monkey, Struck
from bot.benches.people import Agents, Customer
from bot.benches.processes import until
from bot.benches.sums import Sums, add_up, diary
from bot.benches.system import System
from bot.benches.troubles import Troubles
from bot.clients.nlu import HttpNlu
from bot.content import load_content
from bot.errors import FirstlineError
from bot.progress import Steps, on_console
from bot.settings import Settings

log = logging.getLogger(__name__)

RECOVERY = 15.0
"""Seconds in which all is well again after a fault."""
INTRODUCED_WITHIN = 120.0
IDLE_WITHIN = 180.0
"""Seconds after the last fault in which all work is done, on a busy machine."""
LATE = 5.0
"""Seconds in which a second copy of the last message would come."""
PROBES, AGENTS, ORDERS = 4, 2, 12
PROGRAMS: Mapping[str, Sequence[str]] = {
    "receiver": ("run", "--role", "receiver"),
    "worker": ("run", "--role", "worker"),
    "sender": ("run", "--role", "sender"),
    "everything": ("run",),
}
"""An installation in which every part is there twice."""

AT_EACH_PART = ("kill receiver", "kill in a turn", "kill in a send", "kill PostgreSQL", "kill NLU", "telegram down")
"""One fault at each part: the short form."""


class NobodyAnswers(FirstlineError):
    """The system did not work before anything was broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is played."""

    seconds: float
    seed: int = 0
    customers: int = 12
    pace: float = 6.0
    # mean seconds between two messages of one customer
    programs: Mapping[str, Sequence[str]] = field(default_factory=lambda: PROGRAMS)
    nlu: int = 2
    # NLU services of the bench's own; 0: those of the settings, behind gates that can be shut
    kinds: Sequence[str] = ()
    # faults, each once in this order; none given: all of them, again and again
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    plan: Plan
    sums: Sums
    struck: list[Struck]
    troubles: int
    # calls that went wrong now and then
    seconds: float
    folder: Path

    @property
    def broken(self) -> list[Broken]:
        """Promises that were not kept."""
        slow = [
            Broken(RECOVERED, f"{one.kind}: probe {_seconds(one.probe)}, all answered {_seconds(one.backlog)}")
            for one in self.struck
            if not one.recovered(RECOVERY)
        ]
        return [*self.sums.broken, *slow]


async def faults(settings: Settings, console: Console, plan: Plan, *, as_json: bool) -> int:
    """Play, print the figures; exit status 1 when a promise was broken."""
    folder = scratch()
    with on_console(console) as steps:
        outcome = await play(settings, steps, plan, folder)
    show(outcome, as_json=as_json)
    if outcome.broken:
        console.print(f"Logs of all processes: {folder / 'logs'}", highlight=False)
        return 1
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    return 0


def scratch() -> Path:
    """A folder for one run, which the embedded PostgreSQL's own user may enter."""
    folder = Path(tempfile.mkdtemp(prefix="firstline-faults-"))
    folder.chmod(0o755)
    return folder


async def play(settings: Settings, steps: Steps, plan: Plan, folder: Path) -> Outcome:
    """Start everything, break it for a while, let it come to rest, and add up."""
    luck = random.Random(plan.seed)
    accounts = [(("telegram", "vk")[one % 2], 1001 + one) for one in range(plan.customers + PROBES)]
    orders = shop.write(folder / "shop.json", accounts, orders=ORDERS, agents=AGENTS)
    mood, book = shop.Mood(folder / "mood.json"), Ledger()
    mood.set()
    system = System(
        settings, steps, folder=folder, programs=plan.programs, module="bot.benches.shop", shop_file=folder / "shop.json",
        own_postgres=True, own_nlu=plan.nlu, gates=True, environment={shop.MOOD: str(mood.path), **plan.environment},
    )  # fmt: skip
    troubles = {name: Troubles(name, book, random.Random(luck.random())) for name in ("telegram", "vk")}
    system.telegram.faults, system.vk.faults = troubles["telegram"], troubles["vk"]
    async with system:
        people = [
            Customer(system, book, *account, orders[account], random.Random(luck.random())) for account in accounts
        ]
        with steps.step("Customers introduce themselves"):
            await _introduced(people)
        customers, probes = people[PROBES:], people[:PROBES]
        monkey = Monkey(system, book, mood, troubles, probes, random.Random(luck.random()))
        async with _desk(settings, system, folder / "shop.json") as assistant:
            agents = Agents(assistant, book, [f"agent-{one}" for one in range(1, AGENTS + 1)], luck)
            ended, begun = asyncio.Event(), time.monotonic()
            desk = asyncio.create_task(agents.work(ended), name="agents")
            with steps.step("Faults") as step:
                last = begun + plan.seconds
                writing = [asyncio.create_task(one.chat_away(last, plan.pace)) for one in customers]
                for one in troubles.values():
                    one.now_and_then = True
                await monkey.play(last, plan.kinds)
                for task in writing:
                    task.cancel()
                await asyncio.gather(*writing, return_exceptions=True)
                for one in troubles.values():
                    one.now_and_then = False
                step.update(f"{len(monkey.struck)} faults")
            with steps.step("Coming to rest"):
                ended.set()
                await asyncio.wait({desk}, timeout=IDLE_WITHIN)
                desk.cancel()
                await asyncio.gather(desk, return_exceptions=True)
                stuck = await _at_rest(system.address)
        await asyncio.sleep(LATE)
        stored = await asyncio.to_thread(evidence.lines, system.address)
        (folder / "logs" / "happened.jsonl").write_text(diary(book, stored, system.ears, begun), "utf-8")
        sums = add_up(book, stored, system.ears)
        sums.broken += stuck
        return Outcome(
            plan, sums, monkey.struck, sum(one.counted for one in troubles.values()), time.monotonic() - begun, folder
        )


async def _introduced(people: Sequence[Customer]) -> None:
    try:
        async with asyncio.timeout(INTRODUCED_WITHIN):
            await asyncio.gather(*(one.introduce() for one in people))
    except TimeoutError as error:
        raise NobodyAnswers from error


@contextlib.asynccontextmanager
async def _desk(settings: Settings, system: System, shop_file: Path) -> AsyncIterator[Assistant]:
    """The agents' side of the same database, in this process; it reads nothing and sends nothing."""
    nlu = HttpNlu("http://127.0.0.1:9")
    content = load_content(settings.pack, shop_file, now=datetime.now(UTC))
    try:
        async with Assistant(system.address, content, nlu, settings=settings) as assistant:
            yield assistant
    finally:
        await nlu.close()


async def _at_rest(address: str) -> list[Broken]:
    """Wait until nothing is left to do; what is left all the same."""

    async def rests() -> bool:
        try:
            return await asyncio.to_thread(evidence.unfinished, address) == (0, 0, 0)
        except psycopg.OperationalError:
            return False

    with contextlib.suppress(TimeoutError):
        await until(rests, within=IDLE_WITHIN, every=0.5)
    return await asyncio.to_thread(evidence.stuck, address)


# -------------------------------------------------------------------------------------------------------------- figures
def figures(outcome: Outcome) -> dict[str, Any]:
    """The figures, times in seconds."""
    sums, plan = outcome.sums, outcome.plan
    return {
        "seed": plan.seed,
        "customers": plan.customers,
        "seconds": round(outcome.seconds),
        "processes": len(plan.programs),
        "faults": len(outcome.struck),
        "calls_gone_wrong": outcome.troubles,
        "messages": {
            "written": sums.written, "pressed": sums.presses, "stored": sums.stored, "answered": sums.answered,
            "naming_the_order": sums.named, "with_people": sums.handed_over,
        },
        "to_customers": {
            "delivered": sums.delivered, "agents_replies": sums.replies, "repeated_in_telegrams_window": len(sums.repeated)
        },
        "recovery": recoveries(outcome.struck),
        "broken": ledger.as_json(outcome.broken),
    }  # fmt: skip


def recoveries(struck: Sequence[Struck]) -> dict[str, dict[str, Any]]:
    """How soon all was well again, by kind of fault and over all."""
    by_kind: dict[str, list[Struck]] = defaultdict(list)
    for one in struck:
        by_kind[one.kind].append(one)
    kinds = {**dict(sorted(by_kind.items())), "all": list(struck)}
    return {
        kind: {
            "faults": len(those),
            "probe": _spread([one.probe for one in those]),
            "all_answered": _spread([one.backlog for one in those]),
        }
        for kind, those in kinds.items()
        if those
    }


def _spread(seconds: Sequence[float | None]) -> dict[str, float | None]:
    """Median and longest; None where nobody waited any longer."""
    known = [one for one in seconds if one is not None]
    if len(known) < len(seconds):
        return {"median": None, "max": None}
    return {"median": round(statistics.median(known), 1), "max": round(max(known), 1)}


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f} s"


def show(outcome: Outcome, *, as_json: bool) -> None:
    """Print the figures for people, or as JSON."""
    out, told = Console(highlight=False), figures(outcome)
    if as_json:
        out.print(json.dumps(told, ensure_ascii=False), markup=False, soft_wrap=True)
        return
    messages, sent = told["messages"], told["to_customers"]
    out.print(
        f"{told['faults']} faults in {told['seconds']} s, {told['calls_gone_wrong']} calls of the messengers gone wrong "
        f"besides; {told['customers']} customers, {told['processes']} processes, seed {told['seed']}"
    )
    out.print(
        f"written {messages['written']} and pressed {messages['pressed']}, stored {messages['stored']}: answered "
        f"{messages['answered']} ({messages['naming_the_order']} name the order), with people {messages['with_people']}"
    )
    out.print(
        f"to customers {sent['delivered']}, agents' replies {sent['agents_replies']}; twice in Telegram's unavoidable window: "
        f"{sent['repeated_in_telegrams_window']}"
    )
    table = Table(
        "fault", "times", "right answer after, s", "max", "all answered after, s", "max", box=None, header_style="dim"
    )
    for kind, one in told["recovery"].items():
        cells = [one[what][which] for what in ("probe", "all_answered") for which in ("median", "max")]
        table.add_row(kind, str(one["faults"]), *("never" if cell is None else f"{cell:.1f}" for cell in cells))
    out.print(table)
    if not outcome.broken:
        out.print("[bold green]Every promise was kept.[/]")
    for one in outcome.broken:
        out.print(f"[bold red]broken:[/] {one.promise}:", end=" ")
        out.print(one.what, markup=False)
