"""`firstline bench desk`: a hundred agents' pages open over a thousand requests, on one process.

The process is a real `firstline run --role console` over a real PostgreSQL; the agents are HTTP clients with a sign-in and a
WebSocket each, of which some have a request open and the others the queue. The customers write from the process of the
bench, so what the pages show has come through the database. A message is seen when the last of the pages it concerns has
been sent it.
"""

from __future__ import annotations

import asyncio
import contextlib
import html
import io
import json
import os
import random
import re
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
from rich.console import Console
from rich.table import Table
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

import flows
from bot import agents, conversations, database, jobs, passwords
from bot.benches.processes import Program
from bot.benches.system import free_port
from bot.benches.turns import example_messages, machine
from bot.channels import Incoming, Kind
from bot.cli_support import put_into
from bot.content import load_content, pack_folder
from bot.database import Store
from bot.models import Conversation, Message, Request, Sender, State
from bot.progress import Steps, on_console
from bot.settings import Settings

WIDTH = 110
"""Columns of tables where the output is no terminal."""
OPENS_LIMIT, SEEN_LIMIT = 1.0, 0.5
"""Seconds: how soon the queue is there, and a new message on the pages that it concerns."""
READING = 20
"""Of so many agents in a hundred, each has a request of their own open."""
LINES = 8
"""Lines of each conversation."""
PATIENCE = 20.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How large it is."""

    pages: int = 100
    requests: int = 1000
    seconds: float = 30.0
    # how long customers write
    rate: float = 2.0
    # messages a second, half of them on requests that are open on a page
    seed: int = 1


# --------------------------------------------------------------------------------------------------------- the shop
@dataclass(slots=True)
class Filled:
    """What stands in the database."""

    people: list[str] = field(default_factory=list)
    read: dict[str, tuple[str, str]] = field(default_factory=dict)
    # agent -> number and chat of the request that they read
    waiting: list[str] = field(default_factory=list)
    # chats whose request waits in a queue


async def fill(
    sessions: database.Sessions, pack: flows.Pack, texts: Sequence[str], password: str, options: Options
) -> Filled:
    """Agents on shift, and open requests with their conversations."""
    filled, dice, now = Filled(), random.Random(options.seed), datetime.now(UTC)
    queues, intents = list(pack.queues), list(pack.intents)
    digest = await passwords.digest(password)
    async with sessions.begin() as session:
        for number in range(options.pages):
            name = f"agent-{number:03}"
            agent = await agents.save(session, name, title=f"Специалист {number}", queues=queues, on_shift=True)
            agent.password = digest
            filled.people.append(name)
        readers = filled.people[: max(1, options.pages * READING // 100)]
        of = {agent.name: agent.id for agent in await agents.everyone(session)}
        for number in range(options.requests):
            chat, opened = f"bench-{number}", now - timedelta(seconds=dice.uniform(10, 7200))
            conversation = Conversation(
                channel=dice.choice(("telegram", "vk")), chat=chat, name="Анна", created_at=opened
            )
            session.add(conversation)
            await session.flush()
            said = dice.choices(texts, k=LINES)
            session.add_all(_line(conversation.id, place, text, opened) for place, text in enumerate(said))
            reader = readers[number] if number < len(readers) else None
            request = Request(
                number=f"T-{100000 + number}", conversation_id=conversation.id, task=False, queue=dice.choice(queues),
                priority=dice.choice(("normal", "normal", "normal", "high", "urgent")), topic=dice.choice(intents),
                state=State.ASSIGNED if reader else State.QUEUED, agent_id=of[reader] if reader else None,
                read_by=of[reader] if reader else None, talking=bool(reader), spoken=bool(reader), orders=["48213"],
                marks=[], rules=[], comment=said[0], opened_at=opened, queued_place=1, taken_at=opened if reader else None,
                summary={"topic": None, "wants": said[0], "customer": {"name": "Анна Петровна"}},
                target_at=opened + timedelta(minutes=10),
            )  # fmt: skip
            session.add(request)
            if reader:
                conversation.owner = "agent"
                filled.read[reader] = (request.number, f"{conversation.channel}:{chat}")
            else:
                filled.waiting.append(f"{conversation.channel}:{chat}")
    return filled


def _line(conversation: int, place: int, text: str, opened: datetime) -> Message:
    sender = Sender.CUSTOMER if place % 2 == 0 else Sender.BOT
    return Message(
        conversation_id=conversation, sender=sender, at=opened + timedelta(seconds=place), text=text,
        read_at=opened if sender == Sender.CUSTOMER else None, delivery=None if sender == Sender.CUSTOMER else "sent",
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the pages
class Page:
    """An agent's browser: a sign-in, a page, and what its socket is sent."""

    def __init__(self, base: str, name: str) -> None:
        self.name, self.client = name, httpx.AsyncClient(base_url=base, timeout=60, follow_redirects=True)
        self.opened: list[float] = []
        self.bytes = 0
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._wanted: dict[str, asyncio.Future[float]] = {}

    async def sign_in(self, password: str) -> None:
        """Sign in as a person does."""
        page = await self.client.get("/desk/sign-in")
        token = re.search(r'name="form_token"[^>]*value="([^"]*)"', page.text)
        form = {"name": self.name, "password": password, "form_token": token[1] if token else ""}
        origin = str(self.client.base_url).rstrip("/")
        (await self.client.post("/desk/sign-in", data=form, headers={"Origin": origin})).raise_for_status()

    async def open(self, path: str) -> str:
        """Open a page; how long it took stands in `opened`."""
        begun = time.perf_counter()
        answer = await self.client.get(path)
        self.opened.append(time.perf_counter() - begun)
        answer.raise_for_status()
        return answer.text

    async def stay(self, path: str) -> None:
        """Open a page and keep it open."""
        text = await self.open(path)
        live = re.search(r'data-live="([^"]+)"', text)
        assert live is not None, f"{path} is no page that changes by itself"
        base = str(self.client.base_url).rstrip("/")
        cookies = "; ".join(f"{one.name}={one.value}" for one in self.client.cookies.jar)
        self._socket = await connect(
            base.replace("http", "ws", 1) + html.unescape(live[1]), additional_headers={"Cookie": cookies, "Origin": base},
            max_size=None,
        )  # fmt: skip
        await asyncio.wait_for(self._socket.recv(), PATIENCE)
        self._reading = asyncio.create_task(self._read(self._socket))

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for told in socket:
                text, now = str(told), time.perf_counter()
                self.bytes += len(text.encode())
                for word, seen in self._wanted.items():
                    if word in text and not seen.done():
                        seen.set_result(now)

    async def seen(self, word: str) -> float:
        """Wait until the page is sent a word; when that was (perf_counter)."""
        wanted = self._wanted[word] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.wait_for(wanted, PATIENCE)
        finally:
            del self._wanted[word]

    async def close(self) -> None:
        """Close the page."""
        if self._socket is not None:
            await self._socket.close()
        if self._reading is not None:
            await self._reading
        await self.client.aclose()


# ----------------------------------------------------------------------------------------------------------- measuring
async def measure(settings: Settings, steps: Steps, options: Options) -> Json:
    """The figures; times in milliseconds."""
    content = load_content(settings.pack, settings.shop_file, now=datetime.now(UTC))
    with tempfile.TemporaryDirectory(prefix="firstline-bench-") as folder:
        async with Store(settings) as store, store.throwaway() as address:
            engine = database.make_engine(address)
            sessions = database.make_sessions(engine)
            with steps.step("Requests and agents"):
                password = secrets.token_urlsafe(16)
                texts = example_messages(pack_folder(settings.pack), content.shop)
                filled = await fill(sessions, content.pack, texts, password, options)
            port = free_port()
            environment = _environment(settings, address, port, Path(folder))
            program = Program(
                "desk", ("run", "--role", "console"), environment=environment, log=Path(folder) / "desk.log"
            )
            pages = [Page(f"http://127.0.0.1:{port}", name) for name in filled.people]
            try:
                with steps.step("The desk"):
                    await program.start()
                assert program.pid is not None
                async with jobs.Jobs(address) as work:
                    return await _played(program.pid, sessions, work, pages, filled, password, options, steps)
            finally:
                await asyncio.gather(*(page.close() for page in pages), return_exceptions=True)
                await program.stop()
                await engine.dispose()


async def _played(
    pid: int,
    sessions: database.Sessions,
    work: jobs.Jobs,
    pages: Sequence[Page],
    filled: Filled,
    password: str,
    options: Options,
    steps: Steps,
) -> Json:
    process, dice = psutil.Process(pid), random.Random(options.seed)
    with steps.step("Agents sign in and open their pages") as step:
        for done, page in enumerate(pages, start=1):
            await page.sign_in(password)
            at = filled.read.get(page.name)
            await page.stay(f"/desk/requests/{at[0]}" if at else "/desk/")
            step.update(done=done, of=len(pages))
    readers = [page for page in pages if page.name in filled.read]
    watchers = [page for page in pages if page.name not in filled.read]
    memory, cpu, begun = process.memory_info().rss, _cpu(process), time.monotonic()
    seen: dict[str, list[float]] = {"request": [], "queue": []}
    again: list[float] = []
    with steps.step("Customers write") as step:
        while time.monotonic() - begun < options.seconds:
            started = time.monotonic()
            word = secrets.token_hex(6)
            reader = dice.choice(readers)
            seen["request"].append(await _written(sessions, work, filled.read[reader.name][1], word, [reader]))
            word = secrets.token_hex(6)
            seen["queue"].append(await _opened(sessions, dice.choice(filled.waiting), word, watchers))
            page = dice.choice(watchers)
            await page.open("/desk/")
            again.append(page.opened[-1])
            step.update(f"{len(again)} of each")
            await asyncio.sleep(max(0.0, 2 / options.rate - (time.monotonic() - started)))
    took = time.monotonic() - begun
    return {
        "pages": len(pages), "requests": options.requests, "seconds": round(took, 1), "rate": options.rate,
        "queue_opens_ms": _figures(again), "first_opens_ms": _figures([page.opened[0] for page in watchers]),
        "message_seen_ms": _figures(seen["request"]), "request_seen_by_all_ms": _figures(seen["queue"]),
        "processor_share": round((_cpu(process) - cpu) / took, 2), "memory_mib": round(memory / 2**20),
        "limits_s": {"opens": OPENS_LIMIT, "seen": SEEN_LIMIT},
    }  # fmt: skip


async def _written(sessions: database.Sessions, work: jobs.Jobs, chat: str, word: str, pages: Sequence[Page]) -> float:
    """A customer writes; seconds until the last of the pages was sent it."""
    channel, _, name = chat.partition(":")
    waits = [asyncio.create_task(page.seen(word)) for page in pages]
    await asyncio.sleep(0)
    incoming = Incoming(
        channel=channel, chat=name, external_id=word, kind=Kind.MESSAGE, at=datetime.now(UTC), text=f"А сейчас где? {word}",
        message_id=word,
    )  # fmt: skip
    begun = time.perf_counter()
    async with sessions.begin() as session:
        await conversations.receive(session, work, incoming)
    return max(await asyncio.gather(*waits)) - begun


async def _opened(sessions: database.Sessions, chat: str, word: str, pages: Sequence[Page]) -> float:
    """A request comes to the head of its queue; seconds until the last page that shows the queue was sent it."""
    channel, _, name = chat.partition(":")
    waits = [asyncio.create_task(page.seen(word)) for page in pages]
    await asyncio.sleep(0)
    begun = time.perf_counter()
    async with sessions.begin() as session:
        request = await _request_of(session, channel, name)
        request.priority, request.vip = "urgent", True
        request.opened_at = datetime.now(UTC) - timedelta(days=1)
        request.summary = {**request.summary, "wants": f"Где посылка? {word}"}
        request.comment = f"Где посылка? {word}"
    return max(await asyncio.gather(*waits)) - begun


async def _request_of(session: AsyncSession, channel: str, chat: str) -> Request:
    found = await session.scalars(
        select(Request).join(Conversation).where(Conversation.channel == channel, Conversation.chat == chat).limit(1)
    )
    return found.one()


def _environment(settings: Settings, address: str, port: int, folder: Path) -> dict[str, str]:
    """What the process is told: of this one's own settings nothing but the pack."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")}
    return {
        **others, "PYTHONUNBUFFERED": "1", "FIRSTLINE_HOME": str(folder / "home"), "FIRSTLINE_PACK": settings.pack,
        "FIRSTLINE_DATABASE_URL": address, "FIRSTLINE_HTTP_PORT": str(port),
    }  # fmt: skip


def _cpu(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def _figures(seconds: Sequence[float]) -> Json:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else list(seconds) * 99
    return {
        "count": len(seconds), "median": round(cuts[49] * 1000), "p95": round(cuts[94] * 1000), "most": round(max(seconds) * 1000)
    }  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- output
async def desk(settings: Settings, console: Console, *, options: Options, as_json: bool, into: Path | None) -> int:
    """Run the bench and print its figures, or put them between a file's marks `desk`. 1 when a limit does not hold."""
    with on_console(console) as steps:
        figures = {"machine": machine(), **await measure(settings, steps, options)}
    out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH, file=io.StringIO() if into else None)
    if as_json:
        out.print(json.dumps(figures, ensure_ascii=False), markup=False, soft_wrap=True)
    else:
        _print(out, figures)
    if into is not None and isinstance(out.file, io.StringIO):
        lines = "\n".join(line.rstrip() for line in out.file.getvalue().split("\n"))
        put_into(into, "desk", f"```text\n{lines.strip()}\n```")
    slow = (
        figures["queue_opens_ms"]["p95"] > OPENS_LIMIT * 1000 or figures["message_seen_ms"]["p95"] > SEEN_LIMIT * 1000
    )
    return int(slow)


def _print(out: Console, figures: Json) -> None:
    size = figures["machine"]
    out.print(
        f"{figures['pages']} pages open over {figures['requests']} requests, {figures['rate']:g} changes a second for "
        f"{figures['seconds']} s, on {size['cores']} cores, {size['memory_gib']} GiB ({size['processor']})"
    )
    table = Table("", "times", "median ms", "95 % ms", "most ms", box=None, header_style="dim")
    for name, title in (
        ("first_opens_ms", "the queue opens, page after page"),
        ("queue_opens_ms", "the queue opens while all are open"),
        ("message_seen_ms", "a message is seen on the request's page"),
        ("request_seen_by_all_ms", "a request is seen on the last queue page"),
    ):
        one = figures[name]
        table.add_row(title, str(one["count"]), str(one["median"]), str(one["p95"]), str(one["most"]))
    out.print(table)
    out.print(f"the process: {figures['processor_share']:.0%} of one core, {figures['memory_mib']} MiB")
