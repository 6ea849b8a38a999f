"""`firstline bench turns`: many conversations at once through the whole pipeline, and where the time goes.

Real are the NLU service, PostgreSQL, the jobs, the pack and the demo shop's CRM; the messenger delivers at once. Each
customer writes, waits for the reply, and writes again; latency is from storing the message to the delivery of the first
reply to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import platform
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table
from sqlalchemy import select

import flows
from bot.app import Assistant
from bot.channels import Channel, Incoming, Kind, Outgoing, Receive
from bot.clients import Nlu
from bot.clients.shop import Shop
from bot.content import load_content, pack_folder
from bot.errors import FirstlineError
from bot.models import TurnRow
from bot.programs import started
from bot.progress import on_console
from bot.settings import Settings

PATIENCE = 120.0
"""Seconds that a customer of the bench waits for a reply."""


class BenchFailed(FirstlineError):
    """Some of the bench's messages were never answered."""


@dataclass(slots=True)
class Times:
    """Seconds spent, by what they were spent on."""

    spent: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measure a block."""
        begun = time.perf_counter()
        try:
            yield
        finally:
            self.spent[name].append(time.perf_counter() - begun)


class _TimedNlu:
    def __init__(self, nlu: Nlu, times: Times) -> None:
        self._nlu, self._times = nlu, times

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        with self._times.measure("nlu"):
            return await self._nlu.parse(text, now=now)


class _Customers(Channel):
    """The messenger of the bench: wakes the customer whose reply has come."""

    name = "telegram"

    def __init__(self) -> None:
        self.waiting: dict[str, asyncio.Future[float]] = {}
        self.replies = 0

    async def run(self, receive: Receive) -> None:
        """The customers write by themselves."""

    async def send(self, message: Outgoing) -> str:
        self.replies += 1
        reply = self.waiting.get(message.chat)
        if reply is not None and not reply.done():
            reply.set_result(time.perf_counter())
        return str(message.id)


class _TimedAssistant(Assistant):
    """A worker whose turns are measured."""

    times: Times

    async def _take_turn(self, conversation_id: int) -> None:
        with self.times.measure("turn"):
            await super()._take_turn(conversation_id)

    async def _deliver(self, conversation_id: int) -> None:
        with self.times.measure("delivery"):
            await super()._deliver(conversation_id)


async def turns(settings: Settings, console: Console, *, conversations: int, messages: int, as_json: bool) -> int:
    """Run the bench in an empty database and print its figures."""
    content = load_content(settings.pack, settings.shop_file, now=datetime.now(UTC))
    texts = example_messages(pack_folder(settings.pack), content.shop)
    times, customers = Times(), _Customers()
    async with contextlib.AsyncExitStack() as stack:
        with on_console(console) as steps:
            client, address = await stack.enter_async_context(started(settings, steps, lasting=False, scratch=True))
            worker = _TimedAssistant(address, content, _TimedNlu(client, times), settings=settings, quiet=0.0)
            worker.times = times
            worker.add(customers)
            await stack.enter_async_context(worker)
            with steps.step(f"{conversations} conversations, {messages} messages each") as step:
                running = asyncio.create_task(worker.run())
                begun = time.perf_counter()
                talks = [
                    _talk(worker, customers, f"bench-{number}", texts[number % len(texts) :] + texts, messages)
                    for number in range(conversations)
                ]
                latencies: list[float] = []
                for done in asyncio.as_completed(talks):
                    latencies += await done
                    step.update("messages answered", done=len(latencies), of=conversations * messages)
                took = time.perf_counter() - begun
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                times.spent["deciding"] = await _deciding(worker)
    if len(latencies) < conversations * messages:
        raise BenchFailed
    figures = summary(latencies, took, times, conversations=conversations)
    print_figures(figures, as_json=as_json)
    return 0


async def _talk(worker: Assistant, customers: _Customers, chat: str, texts: Sequence[str], count: int) -> list[float]:
    """One customer: writes, waits for the first reply, writes the next; the latencies in seconds."""
    taken: list[float] = []
    for number, text in enumerate(texts[:count]):
        reply = customers.waiting[chat] = asyncio.get_running_loop().create_future()
        incoming = Incoming(
            channel="telegram", chat=chat, external_id=f"{chat}:{number}", kind=Kind.MESSAGE, at=datetime.now(UTC), text=text,
            message_id=str(number),
        )  # fmt: skip
        begun = time.perf_counter()
        with worker_times(worker).measure("receive"):
            await worker.receive(incoming)
        try:
            async with asyncio.timeout(PATIENCE):
                taken.append(await reply - begun)
        except TimeoutError:
            return taken
    return taken


def worker_times(worker: Assistant) -> Times:
    """The times of a measured worker."""
    assert isinstance(worker, _TimedAssistant)
    return worker.times


async def _deciding(worker: Assistant) -> list[float]:
    """Seconds that deciding took in each turn, lookups included, as stored with the turns."""
    async with worker.sessions() as session:
        return [ms / 1000 for ms in await session.scalars(select(TurnRow.ms))]


def example_messages(folder: Path, shop: Shop) -> list[str]:
    """What the customers write: first messages of the held-out set where it is there, else questions about orders."""
    texts: list[str] = []
    for path in sorted((folder.parents[2] / "nlu" / "tests").glob("heldout*.yml")):
        for one in yaml.safe_load(path.read_text("utf-8")) or ():
            texts.append(re.sub(r"\[([^\]]+)\]\(\w+\)", r"\1", one["text"]))  # [words](entity) -> words
    return texts or [f"где мой заказ {order.number}?" for order in shop.orders] or ["Здравствуйте!"]


# -------------------------------------------------------------------------------------------------------------- figures
def summary(latencies: Sequence[float], took: float, times: Times, *, conversations: int) -> dict[str, Any]:
    """The figures, times in milliseconds."""
    cuts = statistics.quantiles(latencies, n=100, method="inclusive") if len(latencies) > 1 else list(latencies) * 99
    where = {
        name: {"count": len(spent), "median_ms": _ms(statistics.median(spent)), "share_of_turns": None}
        for name, spent in times.spent.items()
    }
    in_turns = sum(times.spent["turn"]) or 1.0
    for name in ("nlu", "deciding"):
        if name in where:
            where[name]["share_of_turns"] = round(sum(times.spent[name]) / in_turns, 2)
    return {
        "machine": machine(),
        "conversations": conversations,
        "messages": len(latencies),
        "seconds": round(took, 1),
        "turns_per_second": round(len(latencies) / took, 1),
        "latency_ms": {"median": _ms(cuts[49]), "p95": _ms(cuts[94]), "p99": _ms(cuts[98])},
        "where": where,
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def machine() -> dict[str, Any]:
    """The size of this machine."""
    return {"cores": os.cpu_count(), "memory_gib": _memory(), "processor": platform.machine()}


def _memory() -> int | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
    except (ValueError, OSError):
        return None


def print_figures(figures: dict[str, Any], *, as_json: bool) -> None:
    """Print the figures for people, or as JSON."""
    out = Console(highlight=False)
    if as_json:
        out.print(json.dumps(figures, ensure_ascii=False), markup=False, soft_wrap=True)
        return
    machine, latency = figures["machine"], figures["latency_ms"]
    out.print(
        f"{figures['messages']} messages of {figures['conversations']} conversations in {figures['seconds']} s "
        f"on {machine['cores']} cores, {machine['memory_gib']} GiB ({machine['processor']})"
    )
    out.print(f"[bold]{figures['turns_per_second']} turns a second[/]")
    out.print(f"reply after: median {latency['median']} ms, 95 % {latency['p95']} ms, 99 % {latency['p99']} ms")
    table = Table("part", "calls", "median ms", "share of turns", box=None, header_style="dim")
    for name, one in figures["where"].items():
        share = "" if one["share_of_turns"] is None else f"{one['share_of_turns']:.0%}"
        table.add_row(name, str(one["count"]), f"{one['median_ms']}", share)
    out.print(table)
