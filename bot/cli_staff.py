"""`firstline staff …`: the accounts of the people at the desk, for whoever runs the installation."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import agents, database, planned, staff
from bot.app import desk_of
from bot.cli_support import PLAIN_WIDTH, console, go, settings_of
from bot.clock import SystemClock
from bot.content import pack_folder
from bot.database import Store
from bot.errors import AgentUnknown
from bot.jobs import Jobs
from bot.models import Agent
from bot.outside import outbox
from bot.progress import on_console
from bot.settings import Settings

app = typer.Typer(no_args_is_help=True, help="The people at the desk: their accounts and passwords.")
Name = Annotated[str, typer.Argument(help="The name they sign in with.")]
NO_QUEUES = ("admin", "trainer")
"""Roles that serve no queue unless told."""


@app.command()
def add(
    name: Name,
    title: Annotated[str | None, typer.Option(help="What customers read; default: the name.")] = None,
    role: Annotated[str, typer.Option(help=f"One of {', '.join(staff.ROLES)}.")] = "agent",
    queue: Annotated[
        list[str] | None, typer.Option(help="A queue they serve; repeat for several. Default: all.")
    ] = None,
    skill: Annotated[list[str] | None, typer.Option(help="What they know; repeat for several.")] = None,
    capacity: Annotated[int, typer.Option(help="Requests that are given to them at the same time.")] = 5,
    telegram: Annotated[str | None, typer.Option(help="Their user id in Telegram (a number).")] = None,
) -> None:
    """Add a person and print the password for their first sign-in."""
    settings = settings_of("staff")

    async def work() -> int:
        queues = list(flows.load(pack_folder(settings.pack)).queues)
        served = queue if queue is not None else [] if role in NO_QUEUES else queues
        place = staff.Place(
            title=title or name, role=role, queues=tuple(served), skills=tuple(skill or ()), capacity=capacity,
            telegram_id=telegram,
        )  # fmt: skip
        async with _store(settings) as session:
            password = await staff.add(session, name, place, doer=_doer(), queues=queues)
        _tell(settings, name, password)
        return 0

    go(work())


@app.command("list")
def show() -> None:
    """List everybody."""
    settings = settings_of("staff")

    async def work() -> int:
        async with _store(settings) as session:
            everyone, busy = await agents.everyone(session), await agents.in_hand(session)
        if not everyone:
            Console().print("Nobody yet: firstline staff add NAME", soft_wrap=True, highlight=False)
        else:
            out = Console()
            out = out if out.is_terminal else Console(width=PLAIN_WIDTH)
            out.print(_table(everyone, busy))
        return 0

    go(work())


@app.command()
def disable(name: Name) -> None:
    """Let a person in no more; what they have in hand goes back to its queues."""
    settings = settings_of("staff")

    async def work() -> int:
        pack = flows.load(pack_folder(settings.pack))
        async with _store(settings) as session:
            found, doer = (await _known(session, name)).name, _doer()
            address = session.get_bind().engine.url.render_as_string(hide_password=False)
            desk = desk_of(settings, pack, Jobs(address))  # jobs are added only, by the session
            back = await planned.end_shift(session, desk, found, now=doer.now)
            await staff.disable(session, found, doer=doer)
        _say(f"{found} cannot sign in any more and is signed out everywhere.")
        if back:
            _say(f"Back in their queues: {', '.join(one.number for one in back)}.")
        return 0

    go(work())


@app.command()
def enable(name: Name) -> None:
    """Let a disabled person in again, with the password they had."""
    settings = settings_of("staff")

    async def work() -> int:
        async with _store(settings) as session:
            found = (await _known(session, name)).name
            await staff.enable(session, found, doer=_doer())
        _say(f"{found} can sign in again.")
        return 0

    go(work())


@app.command()
def reset(name: Name) -> None:
    """Give a person a new password for one sign-in and print it; they are signed out everywhere."""
    settings = settings_of("staff")

    async def work() -> int:
        async with _store(settings) as session:
            found = await _known(session, name)
            password = await staff.reset(session, found.name, doer=_doer())
        _tell(settings, found.name, password)
        if found.disabled_at is not None:
            _say(f"But {found.name} is disabled: firstline staff enable {found.name}")
        return 0

    go(work())


# ------------------------------------------------------------------------------------------------------- parts of them
@asynccontextmanager
async def _store(settings: Settings) -> AsyncIterator[AsyncSession]:
    """A transaction on the installation's database, which is brought to the newest schema first."""
    async with Store(settings) as store:
        with on_console(console) as steps, steps.step("Database"):
            address = await store.migrated()
        engine = database.make_engine(address, size=1)
        try:
            sessions = database.make_sessions(engine)
            if settings.events_url is not None:  # the outside system is told of what changes here, too
                outbox.keep(sessions, SystemClock().now)
            async with sessions.begin() as session:
                yield session
        finally:
            await engine.dispose()


async def _known(session: AsyncSession, name: str) -> Agent:
    found = await agents.find(session, name)
    if found is None:
        names = ", ".join(agent.name for agent in await agents.everyone(session))
        raise AgentUnknown(f"There is nobody of the name {name!r}{f'; there are: {names}' if names else ' yet'}.")
    return found


def _doer() -> staff.Doer:
    return staff.Doer(now=datetime.now(UTC))


def _tell(settings: Settings, name: str, password: str) -> None:
    where = settings.desk_url or f"http://{settings.http_host}:{settings.http_port or '…'}"
    _say(f"{name} signs in with this password and then chooses another. It is shown only here:\n\n    {password}\n")
    _say(f"The desk: {where.rstrip('/').removesuffix('/desk')}/desk/ while `firstline run` or `firstline demo` works.")


def _say(text: str) -> None:
    Console().print(text, markup=False, highlight=False, soft_wrap=True)


def _table(everyone: Sequence[Agent], busy: dict[int, int]) -> Table:
    table = Table("name", "title", "role", "queues", "skills", "shift", "in hand", "sign-in")
    for one in everyone:
        enters = (
            "disabled" if one.disabled_at else "no password" if one.password is None
            else "temporary password" if one.password_temporary else "yes"
        )  # fmt: skip
        table.add_row(
            one.name, one.title, one.role, ", ".join(one.queues), ", ".join(one.skills), "on" if one.on_shift else "off",
            f"{busy.get(one.id, 0)} of {one.capacity}", enters,
        )  # fmt: skip
    return table
