"""The long-running commands, each from nothing to its end: demo, run, chat, chat --json.

Whatever is started here is stopped here, in the opposite order, however the command ends. The NLU service and the database
start side by side.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bot import conversations, events, nlu_service, staff
from bot.app import Assistant
from bot.chat import RunClock, Script, SwitchedNlu, Switches
from bot.clients.nlu import NluServices
from bot.content import Content, load_content
from bot.database import Store
from bot.errors import DeliveryFailed, FirstlineError, NluUnavailable, SettingsInvalid
from bot.home import Home
from bot.live import Live
from bot.messengers import messengers
from bot.progress import Steps, on_console
from bot.roles import EVERYTHING, Role
from bot.scripted import dump
from bot.settings import Settings

if TYPE_CHECKING:
    from bot import console, web

log = logging.getLogger(__name__)

DEMO_QUIET = 0.3
"""Seconds: in a terminal one writes a line at a time."""


# ------------------------------------------------------------------------------------------------------ parts of them
@contextlib.asynccontextmanager
async def nlu_client(settings: Settings, steps: Steps, *, lasting: bool = False) -> AsyncIterator[NluServices]:
    """A client of the NLU: of the services that are configured, of one that runs already, or of one started for us."""
    async with contextlib.AsyncExitStack() as stack:
        if settings.nlu_url is not None:
            token = settings.nlu_token.get_secret_value() if settings.nlu_token else None
            client = NluServices.at(settings.nlu_url, token=token, timeout=settings.nlu_timeout)
        else:
            home = Home(settings.home).make()
            service = await stack.enter_async_context(nlu_service.serving(home, steps, lasting=lasting))
            client = NluServices.at(service.url, token=service.token, timeout=settings.nlu_timeout)
        stack.push_async_callback(client.close)
        try:
            await client.model()
        except NluUnavailable as down:  # the pack knows what to say meanwhile
            log.warning("nlu_down", extra={"why": str(down)})
        yield client


@contextlib.asynccontextmanager
async def nlu_that_reads(settings: Settings, steps: Steps) -> AsyncIterator[NluServices]:
    """Like `nlu_client`, for what makes no sense without a reading. Raises NluUnavailable."""
    async with nlu_client(settings, steps) as nlu:
        await nlu.model()
        yield nlu


@contextlib.asynccontextmanager
async def started(
    settings: Settings, steps: Steps, *, lasting: bool, scratch: bool, reads: bool = True
) -> AsyncIterator[tuple[NluServices, str]]:
    """The NLU and the database, started side by side. `scratch`: an empty database that is gone afterwards.

    `reads`: whether anything is going to be read; otherwise no NLU service is asked for or started.
    """
    nlu_parts, store_parts = contextlib.AsyncExitStack(), contextlib.AsyncExitStack()

    async def database() -> str:
        with steps.step("PostgreSQL") as step:
            store = await store_parts.enter_async_context(Store(settings))
            if scratch:
                return await store_parts.enter_async_context(store.throwaway())
            step.update("bringing the schema up to date")
            return await store.migrated()

    async with store_parts, nlu_parts:
        try:
            async with asyncio.TaskGroup() as group:
                client = (
                    nlu_client(settings, steps, lasting=lasting) if reads else contextlib.nullcontext(NluServices([]))
                )
                nlu = group.create_task(nlu_parts.enter_async_context(client), name="nlu")
                address = group.create_task(database(), name="database")
        except BaseExceptionGroup as several:
            raise first_error(several) from None
        yield nlu.result(), address.result()


def first_error(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error of a group that is one of ours, else the first of all."""
    found: list[BaseException] = []
    for error in group.exceptions:
        found.append(first_error(error) if isinstance(error, BaseExceptionGroup) else error)
    return next((error for error in found if isinstance(error, FirstlineError)), found[0])


# ----------------------------------------------------------------------------------------------------- demo, run, chat
async def demo(settings: Settings, console: Console) -> int:
    """Set everything up, then talk in the terminal; what is said stays in the data folder."""
    now = datetime.now(UTC)
    content = load_content(settings.pack, settings.shop_file, now=now)
    async with contextlib.AsyncExitStack() as stack:
        with on_console(console) as steps:
            nlu, address = await stack.enter_async_context(started(settings, steps, lasting=True, scratch=False))
            with steps.step("Demo shop and worker") as step:
                assistant = Assistant(address, content, nlu, settings=settings, quiet=DEMO_QUIET)
                assistant.connect()
                await stack.enter_async_context(assistant)
                step.update(f"{len(content.shop.customers)} customers, {len(content.shop.orders)} orders")
                page = await stack.enter_async_context(_served(assistant, nlu, any_port=True))
        console.print(f"The desk: {page}/desk/", highlight=False, soft_wrap=True)
        await _say_how_to_enter(assistant, console)
        await _talk(assistant)
    return 0


async def run(settings: Settings, console: Console, *, roles: Collection[Role] = EVERYTHING) -> int:
    """Work without a terminal, with the channels whose tokens are set, until stopped."""
    content = load_content(settings.pack, settings.shop_file, now=datetime.now(UTC))
    async with contextlib.AsyncExitStack() as stack:
        with on_console(console) as steps:
            thinks = Role.WORKER in roles
            parts = started(settings, steps, lasting=True, scratch=False, reads=thinks)
            nlu, address = await stack.enter_async_context(parts)
            assistant = Assistant(address, content, nlu, settings=settings, roles=roles)
            assistant.connect()
            await stack.enter_async_context(assistant)
            page = await stack.enter_async_context(_served(assistant, nlu if thinks else None))
        if not assistant.channels:
            console.print("No channel: set FIRSTLINE_TELEGRAM_TOKEN or FIRSTLINE_VK_TOKEN to connect a messenger.")
        names = ", ".join(assistant.channels) or "no channels"
        does = "" if set(roles) == EVERYTHING else f" as {', '.join(sorted(role.value for role in roles))}"
        desk = f"; the desk: {page}/desk/" if Role.CONSOLE in roles else ""
        console.print(
            f"Firstline works{does} ({names}; {page}/health/ready{desk}). Ctrl-C ends it.",
            highlight=False,
            soft_wrap=True,
        )
        if Role.CONSOLE in roles:
            await _say_how_to_enter(assistant, console)
        log.info(
            "started",
            extra={
                "channels": list(assistant.channels),
                "pack": content.pack.version,
                "roles": sorted(role.value for role in roles),
            },
        )
        gc.collect()
        gc.freeze()  # the content stays as long as the process; a look through it would hold all else up for a third of a second
        await assistant.run()
    return 0


@contextlib.asynccontextmanager
async def _served(assistant: Assistant, nlu: NluServices | None, *, any_port: bool = False) -> AsyncIterator[str]:
    """Serve a process's HTTP side for the time of a block; its address. any_port: where the settings' is taken."""
    from bot.web import make_app, serving  # FastAPI takes time that a scripted talk need not wait for

    settings, roles = assistant.settings, assistant.roles
    async with contextlib.AsyncExitStack() as stack:
        desk = await stack.enter_async_context(_desk(assistant)) if Role.CONSOLE in roles else None
        app = make_app(_parts(assistant, nlu, desk))
        try:
            address = await stack.enter_async_context(serving(app, settings.http_host, settings.http_port))
        except SettingsInvalid:
            if not any_port:
                raise
            address = await stack.enter_async_context(serving(app, settings.http_host, 0))
        yield address


async def _say_how_to_enter(assistant: Assistant, console: Console) -> None:
    """While nobody at all can sign in at the desk: the command that changes this."""
    if assistant.settings.oidc_issuer is not None:
        return
    async with assistant.sessions() as session:
        people = await staff.nobody_enters(session)
    if people is None:
        return
    offered = [*people[:1], *[one for one in people[1:] if one.role == "admin"][:1]]
    ways = [f"`firstline staff reset {one.name}` ({one.role})" for one in offered]
    how = " or ".join(ways) or "`firstline staff add NAME --role admin`"
    console.print(f"Nobody can sign in at the desk yet: {how} prints a password.", highlight=False, soft_wrap=True)


@contextlib.asynccontextmanager
async def _desk(assistant: Assistant) -> AsyncIterator[console.Parts]:
    """What the desk's pages need of a process, which hears of changes for the time of the block."""
    from bot.console import Parts

    async with Live(assistant.address) as live:
        yield Parts(
            sessions=assistant.sessions, desk=assistant.desk, live=live, clock=assistant.clock, crm=assistant.tools.crm,
            files=assistant.files.store, settings=assistant.settings, channels=assistant.channels,
            attention=assistant.tools.attention,
        )  # fmt: skip


def _parts(assistant: Assistant, nlu: NluServices | None, desk: console.Parts | None = None) -> web.Parts:
    """What the pages of health and metrics, the webhooks and the desk need of a process."""
    from bot.web import Parts

    settings = assistant.settings

    return Parts(
        roles=assistant.roles, engine=assistant.engine, channels=assistant.channels,
        receive=assistant.receive if Role.RECEIVER in assistant.roles else None, nlu=nlu.models if nlu is not None else None,
        webhooks=settings.public_url is not None, stalled=settings.stalled_seconds,
        console=desk,
    )  # fmt: skip


async def channels(settings: Settings, console: Console) -> int:
    """Ask each messenger whose token it is; the exit status is 1 when one does not accept it."""
    content = load_content(settings.pack, settings.shop_file, now=datetime.now(UTC))
    found = [channel for channel, _ in messengers(settings, content.pack, conversations.StoredOffsets(None))]
    if not found:
        raise SettingsInvalid("No channel: set FIRSTLINE_TELEGRAM_TOKEN or FIRSTLINE_VK_TOKEN to connect a messenger.")
    status = 0
    for channel in found:
        try:
            told = await channel.about()
        except DeliveryFailed as error:
            told, status = str(error), 1
        finally:
            await channel.close()
        console.print(f"{channel.name}: {told}", markup=False, highlight=False, soft_wrap=True)
    if settings.telegram_desks:
        from bot import forum
        from bot.forum.groups import groups

        groups(settings.telegram_desks, content.pack)  # names of queues that there are not
        for told, works in await forum.about(settings):
            status = status if works else 1
            console.print(told, markup=False, highlight=False, soft_wrap=True)
    return status


async def chat(
    settings: Settings, console: Console, *, shop: Path | None, now: datetime | None, pack: str | None
) -> int:
    """Talk in the terminal, with an empty store that is gone afterwards."""
    clock = RunClock(now)
    content = load_content(pack or settings.pack, shop or settings.shop_file, now=clock.now())
    async with contextlib.AsyncExitStack() as stack:
        with on_console(console) as steps:
            nlu, address = await stack.enter_async_context(started(settings, steps, lasting=False, scratch=True))
            assistant = Assistant(address, content, nlu, settings=settings, clock=clock, quiet=0.0)
            await stack.enter_async_context(assistant)
        await _talk(assistant)
    return 0


async def _talk(assistant: Assistant) -> None:
    from bot.terminal_talk import TerminalTalk  # prompt_toolkit is half a second that scripted talks need not wait for

    talk = TerminalTalk(assistant.content, assistant.clock, taken=frozenset(assistant.channels), read=read_line)
    assistant.add(talk.channel)
    stop = events.listen(assistant.sessions, talk.heard)
    talk.greet()
    try:
        await assistant.run(until=talk.channel)
    finally:
        stop()


# --------------------------------------------------------------------------------------------------------- chat --json
async def chat_json(
    settings: Settings,
    console: Console,
    *,
    shop: Path | None,
    now: datetime | None,
    pack: str | None,
    strict: bool,
) -> int:
    """Play the script on standard input; return the exit status."""
    clock = RunClock(now)
    content: Content = load_content(pack or settings.pack, shop or settings.shop_file, now=clock.now())
    with on_console(console) as steps:
        async with started(settings, steps, lasting=False, scratch=True) as (client, address):
            nlu = SwitchedNlu(client)
            switches = Switches(nlu)
            async with Assistant(
                address, content, nlu, settings=settings, clock=clock, quiet=0.0, down=switches
            ) as assistant:
                script = Script(assistant, clock, switches, write_line)
                try:
                    return await script.play(read_line, strict=strict)
                finally:
                    script.close()


def write_line(event: events.Event) -> None:
    """Write an output line, at once."""
    sys.stdout.buffer.write(dump(event).encode("utf-8") + b"\n")
    sys.stdout.buffer.flush()


class StandardInput:
    """Lines of standard input, read as bytes when they are asked for. A pending read never holds up the end."""

    def __init__(self) -> None:
        self._rest = b""

    async def __call__(self) -> bytes:
        """The next line with its end, empty at the end of the input."""
        while b"\n" not in self._rest and (more := await in_thread(lambda: os.read(0, 65536))):
            self._rest += more
        line, end, self._rest = self._rest.partition(b"\n")
        return line + end


read_line = StandardInput()


async def in_thread(read: Callable[[], bytes]) -> bytes:
    """Call something that blocks, in a thread that does not hold up the end of the program."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[bytes] = loop.create_future()

    def settle(result: bytes | BaseException) -> None:
        if not done.done():
            done.set_exception(result) if isinstance(result, BaseException) else done.set_result(result)

    def work() -> None:
        try:
            result: bytes | BaseException = read()
        except Exception as error:
            result = error
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(settle, result)

    threading.Thread(target=work, daemon=True, name="input").start()
    return await done
