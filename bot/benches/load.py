"""`firstline bench load`: customers write to the whole system at a growing rate, until the answers take too long.

The whole system is `firstline run` as a process of its own, a real NLU service and a real PostgreSQL; Telegram and VK are
the stand-ins, with the customers in the process of the bench. The answer's time counts from the moment a
customer writes to the moment the first message back arrives at the stand-in; no quiet window is waited for.

Where the time goes is put together for each message from three sources: the customers' clock (written, answered), rows of
PostgreSQL (`messages.stored_at`, `turns.at`) and the worker's log event `turn_taken`.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]
import psycopg
from rich.console import Console
from rich.table import Table

from bot import database
from bot.benches.customers import Crowd, Hand, Messengers, Written
from bot.benches.processes import family
from bot.benches.system import System
from bot.benches.turns import example_messages, machine
from bot.cli_support import put_into
from bot.content import load_content, pack_folder
from bot.progress import Steps, on_console
from bot.settings import Settings

LIMIT = 1.0
"""Seconds in which 95 of 100 answers must be there."""
GROWTH = 1.5
"""Each rate is so many times the one before, until one fails."""
REFINED = 2
"""So often the space between the last good rate and the first bad one is halved."""
WIDTH = 130
"""Columns of tables where the output is no terminal."""
PARTS = ("receive", "wait", "nlu", "decide", "store", "send")
TURN_TAKEN = re.compile(r" turn_taken .*?\bturn=(\d+) read_ms=(\d+) decide_ms=(\d+) store_ms=(\d+)")

Json = dict[str, Any]
Processes = Mapping[str, Callable[[], Sequence[psutil.Process]]]
"""Parts of a system, each with its processes now."""


# --------------------------------------------------------------------------------------------------------- one rate
@dataclass(slots=True)
class Played:
    """What came of one rate."""

    rate: float
    written: list[Written]
    cpu: dict[str, float] = field(default_factory=dict)
    # processor seconds, by part

    @property
    def delays(self) -> list[float]:
        """Seconds from message to answer."""
        return [one.answered - one.at for one in self.written if one.answered is not None]

    @property
    def good(self) -> bool:
        """Whether all was answered, and 95 of 100 in time."""
        return bool(self.written) and len(self.delays) == len(self.written) and _cuts(self.delays)[94] < LIMIT

    def figures(self) -> Json:
        """The figures of this rate; times in milliseconds."""
        cuts = _cuts(self.delays)
        return {
            "rate": round(self.rate, 2), "messages": len(self.written), "presses": sum(one.press for one in self.written),
            "customers": len({(one.channel, one.chat) for one in self.written}),
            "unanswered": len(self.written) - len(self.delays), "median_ms": _ms(cuts[49]), "p95_ms": _ms(cuts[94]),
            "p99_ms": _ms(cuts[98]), "good": self.good,
            "processor_ms_a_message": {name: _ms(used / max(1, len(self.written))) for name, used in self.cpu.items()},
        }  # fmt: skip


Play = Callable[[float], Awaitable[Played]]


async def climb(
    play: Play, *, first: float, most: float, tell: Callable[[Played], None]
) -> tuple[Played | None, list[Played]]:
    """Raise the rate until the answers take too long, then halve the space; the best good one, and all that were played."""
    played: list[Played] = []

    async def one(rate: float) -> bool:
        played.append(await play(rate))
        tell(played[-1])
        return played[-1].good

    low, high = 0.0, first
    while high <= most and await one(high):
        low, high = high, high * GROWTH
    for _ in range(REFINED if low and high <= most else 0):
        middle = math.sqrt(low * high)
        if await one(middle):
            low = middle
        else:
            high = middle
    return next((one for one in played if one.rate == low), None), played


# ---------------------------------------------------------------------------------------------------- where it goes
def parts(
    played: Played, stored: Mapping[tuple[str, str, int], tuple[float, float, int]], took: Mapping[int, Json]
) -> Json:
    """Median and mean milliseconds of each part of the answers' time.

    stored: (channel, chat, number) -> when the line was stored, when its turn began, the turn's id
    took: turn -> {nlu, decide, store} in milliseconds
    """
    spent: dict[str, list[float]] = {name: [] for name in PARTS}
    for one in played.written:
        row = stored.get((one.channel, str(one.chat), one.number))
        if one.answered is None or row is None or row[2] not in took:
            continue
        at, begun, turn = row
        inside = took[turn]
        spent["receive"].append((at - one.at) * 1000)
        spent["wait"].append((begun - at) * 1000)
        for name in ("nlu", "decide", "store"):
            spent[name].append(inside[name])
        spent["send"].append((one.answered - begun) * 1000 - sum(inside.values()))
    whole = sum(sum(times) for times in spent.values()) or 1.0
    return {
        name: {
            "messages": len(times), "mean_ms": round(statistics.fmean(times), 1) if times else None,
            "median_ms": round(statistics.median(times), 1) if times else None, "share": round(sum(times) / whole, 3),
        }
        for name, times in spent.items()
    }  # fmt: skip


def stored_lines(address: str) -> dict[tuple[str, str, int], tuple[float, float, int]]:
    """(channel, chat, how many-th line of the customer) -> when it was stored, when its turn began, the turn's id."""
    query = """
        SELECT c.channel, c.chat, row_number() OVER (PARTITION BY c.id ORDER BY m.id) - 1,
               extract(epoch FROM m.stored_at)::float8, extract(epoch FROM t.at)::float8, t.id
        FROM messages m JOIN conversations c ON c.id = m.conversation_id LEFT JOIN turns t ON t.id = m.turn_id
        WHERE m.sender = 'customer'
    """
    with psycopg.connect(database.conninfo(address)) as connection:
        rows = connection.execute(query).fetchall()
    return {(row[0], row[1], row[2]): (row[3], row[4], row[5]) for row in rows if row[5] is not None}


def turns_taken(log: Sequence[str]) -> dict[int, Json]:
    """turn -> what its parts took, in milliseconds, from a worker's log."""
    found = (TURN_TAKEN.search(line) for line in log)
    return {int(one[1]): {"nlu": int(one[2]), "decide": int(one[3]), "store": int(one[4])} for one in found if one}


def _cuts(values: Sequence[float]) -> list[float]:
    if len(values) < 2:
        return list(values) * 99 or [0.0] * 99
    return statistics.quantiles(values, n=100, method="inclusive")


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


# ------------------------------------------------------------------------------------------------------ the processes
class Meter:
    """Processor time that the parts of the system use."""

    def __init__(self, parts: Processes) -> None:
        self._parts = parts
        self._before = self._used()

    def _used(self) -> dict[str, float]:
        used = {}
        for name, processes in self._parts.items():
            used[name] = 0.0
            for process in processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = process.cpu_times()
                    used[name] += times.user + times.system
        return used | {"whole machine": _busy()}

    def read(self) -> dict[str, float]:
        """Processor seconds since the start, by part; `whole machine` has others' work, too."""
        return {name: used - self._before[name] for name, used in self._used().items()}


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def of_database(address: str) -> list[psutil.Process]:
    """PostgreSQL's processes that serve a database (on this machine)."""
    name = urlsplit(address).path.strip("/")
    found = []
    for process in psutil.process_iter(["name", "cmdline"]):
        if str(process.info["name"]).startswith("postgres") and name in " ".join(process.info["cmdline"] or ()):
            found.append(process)
    return found


def listening_on(url: str) -> list[psutil.Process]:
    """The process of this machine that listens on a URL's port, with what it started."""
    port = urlsplit(url).port
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port and one.pid:
            return family(one.pid)
    return []


def ourselves() -> list[psutil.Process]:
    """This process: the customers and the stand-ins."""
    return [psutil.Process()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What is played."""

    first: float = 2.0
    # messages a second to begin with
    most: float = 60.0
    seconds: float = 20.0
    # of each rate
    seed: int = 1
    processes: int = 1
    # `firstline run`

    def shortened(self) -> Options:
        """A run that shows that everything works, and how fast nothing."""
        return replace(self, first=2.0, most=2.0 * GROWTH, seconds=4.0)


async def load(
    settings: Settings, console: Console, *, options: Options, as_json: bool, into: Path | None = None
) -> int:
    """Run the bench and print its figures, or put them between a file's marks `load`."""
    with on_console(console) as steps:
        figures = await measure(settings, steps, options)
    show({"machine": machine(), "firstline": figures}, as_json=as_json, into=into)
    return 0


def texts_of(settings: Settings) -> list[str]:
    """What customers write: first messages that no model was trained on."""
    content = load_content(settings.pack, settings.shop_file, now=datetime.now(UTC))
    return example_messages(pack_folder(settings.pack), content.shop)


async def measure(settings: Settings, steps: Steps, options: Options) -> Json:
    """The figures of the whole system."""
    programs = {f"firstline-{number}": ("run",) for number in range(1, options.processes + 1)}
    with tempfile.TemporaryDirectory(prefix="firstline-bench-") as folder:
        async with System(
            settings, steps, folder=Path(folder), programs=programs,
            environment={"FIRSTLINE_QUIET_SECONDS": "0", "FIRSTLINE_LOG": "text"},
        ) as system:  # fmt: skip
            crowd = Crowd(texts_of(settings), seed=options.seed)
            best, played = await climbed(crowd, Messengers(system, crowd.known), _processes(system), options, steps)
            log = [
                line for one in system.programs.values() for line in one.log.read_text("utf-8", "replace").split("\n")
            ]
            shown = best or played[0]
            where = {"rate": round(shown.rate, 2), **parts(shown, stored_lines(system.address), turns_taken(log))}
    return figures_of(best, played) | {"where": where}


def figures_of(best: Played | None, played: Sequence[Played]) -> Json:
    """The figures of all rates that were played."""
    return {
        "messages_a_second": round(best.rate, 1) if best else None, "limit_s": LIMIT, "rates": [one.figures() for one in played]
    }  # fmt: skip


def _processes(system: System) -> Processes:
    """The parts of a system whose processor time is measured."""
    return {
        "firstline": lambda: [
            one for program in system.programs.values() if program.pid for one in family(program.pid)
        ],
        "nlu": lambda: [one for url in system.nlu_urls for one in listening_on(url)],
        "postgresql": lambda: of_database(system.address),
        "customers": ourselves,
    }


async def climbed(
    crowd: Crowd, hand: Hand, processes: Processes, options: Options, steps: Steps
) -> tuple[Played | None, list[Played]]:
    """Warm up, then `climb`."""
    with steps.step("Customers write, more and more of them") as step:

        async def play(rate: float) -> Played:
            meter = Meter(processes)
            written = await crowd.play(hand, rate, options.seconds)
            return Played(rate, written, meter.read())

        def tell(one: Played) -> None:
            step.update(f"{one.rate:.1f} messages a second: 95 % within {_cuts(one.delays)[94]:.2f} s")

        step.update("warming up")
        await crowd.play(hand, options.first, min(5.0, options.seconds))
        return await climb(play, first=options.first, most=options.most, tell=tell)


# -------------------------------------------------------------------------------------------------------------- output
def show(figures: Json, *, as_json: bool, into: Path | None = None) -> None:
    """Print the figures for people or as JSON, or put them between a file's marks."""
    out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH, file=io.StringIO() if into else None)
    if as_json:
        out.print(json.dumps(figures, ensure_ascii=False), markup=False, soft_wrap=True)
        return
    size = figures["machine"]
    out.print(f"on {size['cores']} cores, {size['memory_gib']} GiB ({size['processor']})")
    for name in ("firstline", "rasa"):
        if name in figures:
            _print_one(out, name, figures[name])
    if into is not None and isinstance(out.file, io.StringIO):
        lines = "\n".join(line.rstrip() for line in out.file.getvalue().split("\n"))
        put_into(into, "load", f"```text\n{lines.strip()}\n```")


def _print_one(out: Console, name: str, figures: Json) -> None:
    best = figures["messages_a_second"]
    said = (
        f"{best:.1f} messages a second with 95 % of the answers within {figures['limit_s']:g} s" if best else "too slow"
    )
    out.print(f"\n[bold]{name}: {said}[/]")
    shown = list(figures["rates"][0]["processor_ms_a_message"])
    table = Table(
        "messages/s",
        "messages",
        "presses",
        "median ms",
        "95 % ms",
        "99 % ms",
        "unanswered",
        *shown,
        box=None,
        header_style="dim",
    )
    for one in sorted(figures["rates"], key=lambda one: float(one["rate"])):
        table.add_row(
            f"{one['rate']:.1f}", str(one["messages"]), str(one["presses"]), f"{one['median_ms']:.0f}", f"{one['p95_ms']:.0f}",
            f"{one['p99_ms']:.0f}", str(one["unanswered"]), *(f"{one['processor_ms_a_message'][part]:.0f}" for part in shown),
        )  # fmt: skip
    out.print(table)
    if "where" in figures:
        where = dict(figures["where"])
        table = Table(
            f"at {where.pop('rate'):.1f} messages/s", "median ms", "mean ms", "share", box=None, header_style="dim"
        )
        for part, one in where.items():
            table.add_row(part, f"{one['median_ms']}", f"{one['mean_ms']}", f"{one['share']:.0%}")
        out.print(table)
