"""The command `firstline`: reads the command line, starts what it asks for, puts errors into one sentence.

Exit status: 0 done, 1 an error, 2 wrong usage (options, settings, a pack or shop file with mistakes, malformed lines in
`chat --json`), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console

from bot import cli_bench, cli_keys, cli_nlu, cli_scripts, cli_staff, programs
from bot.cli_support import PackName, ShopFile, clock, console, go, settings_of
from bot.database import Store
from bot.progress import on_console
from bot.roles import EVERYTHING, Role

app = typer.Typer(
    name="firstline", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False,
    help="A shop's first line of support in Telegram and VK.",
)  # fmt: skip
app.add_typer(cli_nlu.app, name="nlu")
app.add_typer(cli_staff.app, name="staff")
cli_scripts.add(app)
app.add_typer(cli_bench.app, name="bench")
app.add_typer(cli_keys.app, name="key")


# ------------------------------------------------------------------------------------------------------------ commands
@app.command()
def demo(shop: ShopFile = None, pack: PackName = None) -> None:
    """Set everything up, then talk to the bot in this terminal."""
    go(programs.demo(settings_of("demo", shop_file=shop, pack=pack), console))


@app.command()
def run(
    role: Annotated[
        list[Role] | None,
        typer.Option("--role", help="What this process does; repeat for several. Default: all of it."),
    ] = None,
) -> None:
    """Work for the messengers whose tokens are set, without a terminal. Any number of processes share one database."""
    go(programs.run(settings_of("run", to_stderr=True), console, roles=frozenset(role or EVERYTHING)))


@app.command()
def channels() -> None:
    """Ask each messenger whose token it is and how messages come."""
    go(programs.channels(settings_of("channels"), Console()))


@app.command()
def chat(
    as_json: Annotated[bool, typer.Option("--json", help="One event a line, in and out.")] = False,
    shop: ShopFile = None,
    now: Annotated[str | None, typer.Option(help="The clock of the run, ISO 8601 with offset.")] = None,
    pack: PackName = None,
    strict: Annotated[bool, typer.Option("--strict", help="With --json: stop at the first malformed line.")] = False,
) -> None:
    """Talk to the assistant, from an empty store that is gone afterwards."""
    settings, at = settings_of("chat"), clock(now) if now is not None else None
    if as_json:
        go(programs.chat_json(settings, console, shop=shop, now=at, pack=pack, strict=strict))
    go(programs.chat(settings, console, shop=shop, now=at, pack=pack))


@app.command()
def migrate() -> None:
    """Bring the database to the newest schema."""

    async def work() -> int:
        with on_console(console) as steps, steps.step("Database"):
            async with Store(settings_of("migrate")) as store:
                await store.migrated()
        print("The database has the newest schema.")
        return 0

    go(work())


def _version(wanted: bool) -> None:
    if wanted:
        print(f"firstline {version('firstline')}")
        raise typer.Exit


@app.callback()
def top(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """A shop's first line of support in Telegram and VK."""


def main() -> None:
    """Entry point."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    app()


if __name__ == "__main__":
    main()
