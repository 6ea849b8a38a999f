"""`firstline key`: what outside help desks sign in to the API with."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, audit, database
from bot.cli_support import PLAIN_WIDTH, console, go, settings_of
from bot.database import Store
from bot.outside import keys
from bot.progress import on_console

app = typer.Typer(no_args_is_help=True, help="API keys of outside help desks: add, list, disable.")
Name = Annotated[str, typer.Argument(help="What the key is called: the name of the outside system.", metavar="NAME")]
Work = Callable[[AsyncSession, datetime], Awaitable[None]]


@app.command()
def add(
    name: Name,
    agent: Annotated[str, typer.Option("--as", help="The account in whose name it works, with this account's rights.")],
    phones: Annotated[
        bool,
        typer.Option("--phones", help="It is told customers' telephone numbers in full; each time is written down."),
    ] = False,
) -> None:
    """Make a key and print it, once: only its digest is kept."""

    async def work(session: AsyncSession, now: datetime) -> None:
        key = await keys.add(session, name, agent, phones=phones, now=now)
        data = {"api_key": name, "as": agent, "phones": phones}
        await audit.note(session, at=now, agent=None, action="api_key_added", data=data)
        on_shift = (await agents.get(session, agent)).on_shift
        typer.echo(key)
        console.print(f"The key {name} works in the name of {agent}. It is not shown again.", highlight=False)
        if not on_shift:
            console.print(
                f"{agent} is off shift: the key reads, and works once POST /api/v1/shift has begun the shift.",
                highlight=False, soft_wrap=True,
            )  # fmt: skip

    _in_store("key add", work)


@app.command("list")
def list_keys() -> None:
    """List all keys: in whose name they work, and when they were used last."""

    async def work(session: AsyncSession, now: datetime) -> None:
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for title in ("name", "as", "phones", "made", "used", "disabled"):
            table.add_column(title)
        for one in await keys.everyone(session):
            moments = [_moment(moment) for moment in (one.at, one.used_at, one.disabled_at)]
            table.add_row(one.name, one.agent, "in full" if one.phones else "masked", *moments)
        Console(highlight=False, width=PLAIN_WIDTH).print(table)

    _in_store("key list", work)


@app.command()
def disable(name: Name) -> None:
    """Let a key open nothing any more, from this moment."""

    async def work(session: AsyncSession, now: datetime) -> None:
        await keys.disable(session, name, now=now)
        await audit.note(session, at=now, agent=None, action="api_key_disabled", data={"api_key": name})
        console.print(f"The key {name} is disabled.", highlight=False)

    _in_store("key disable", work)


def _moment(moment: datetime | None) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M") if moment is not None else "—"


def _in_store(command: str, work: Work) -> None:
    """Do something in one transaction of the installation's database."""

    async def run() -> int:
        settings = settings_of(command.replace(" ", "-"))
        async with contextlib.AsyncExitStack() as stack:
            with on_console(console) as steps, steps.step("Database"):
                store = await stack.enter_async_context(Store(settings))
                engine = database.make_engine(await store.migrated(), size=1)
            stack.push_async_callback(engine.dispose)
            async with database.make_sessions(engine).begin() as session:
                await work(session, datetime.now(UTC))
        return 0

    go(run())
