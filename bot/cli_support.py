"""What all commands share: settings, errors as sentences, an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import warnings
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

import flows
from bot import home, logs
from bot import settings as all_settings
from bot.clients.shop_file import ShopInvalid
from bot.errors import FirstlineError, SettingsInvalid
from bot.scripted import moment
from bot.settings import Settings

ShopFile = Annotated[Path | None, typer.Option("--shop", help="Shop data (YAML) instead of the demo shop.")]
PackName = Annotated[str | None, typer.Option("--pack", help="Name of a shipped pack, or a pack's folder.")]
Now = Annotated[str | None, typer.Option("--now", help="The clock, ISO 8601 with offset.")]
Into = Annotated[
    Path | None, typer.Option("--into", help="Put it into this file, between its marks, instead of printing it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
PLAIN_WIDTH = 130
"""Columns of tables and trees where the output is no terminal."""
SAME_SIGNAL = 0.5
"""Seconds in which a second signal is the first one, come by another way: a terminal and `uv` both pass Ctrl-C on."""
console = Console(stderr=True)
WRONG_USAGE = (str, SettingsInvalid, ShopInvalid, flows.PackInvalid)
warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
# said by platformdirs for each process of root; nothing of ours lies there


def fail(error: Exception | str) -> NoReturn:
    """Print an error as a sentence and end with status 1; 2 when what was given to the command is wrong."""
    text = " ".join(str(error).split()) if isinstance(error, FirstlineError) else str(error)
    problems = getattr(error, "problems", None)
    if problems:
        text = "\n".join(str(problem) for problem in problems)
    console.print(Text(f"firstline: {text}"), soft_wrap=True)
    raise typer.Exit(2 if isinstance(error, WRONG_USAGE) else 1)


def clock(now: str | None, *, option: str = "--now") -> datetime:
    """The moment that an option gives, or this one."""
    try:
        return moment(now) if now is not None else datetime.now(UTC)
    except ValueError as error:
        fail(f"{option}: {error}")


def put_into(path: Path, part: str, text: str) -> None:
    """Put a text between the marks `<!-- part:begin -->` and `<!-- part:end -->` of a file, which stay."""
    begin, end = f"<!-- {part}:begin -->", f"<!-- {part}:end -->"
    try:
        whole = path.read_text("utf-8")
        if begin not in whole or end not in whole:
            fail(f"{path} has no place for this: the lines {begin} and {end}")
        head, _, rest = whole.partition(begin)
        path.write_text(f"{head}{begin}\n{text.strip()}\n{end}{rest.partition(end)[2]}", "utf-8")
    except OSError as error:
        fail(f"{path}: {error.strerror}")


def settings_of(name: str, *, to_stderr: bool = False, **changes: Any) -> Settings:
    """Read the settings, make the data folder, send the log where it belongs."""
    try:
        settings = all_settings.load()
        settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
        place = home.Home(settings.home).make()
    except FirstlineError as error:
        fail(error)
    as_json = settings.log == "json"
    if to_stderr:
        logs.to_stderr(as_json=as_json)
        if settings.sentry_dsn is not None:
            from bot import trouble  # only what runs for long tells Sentry

            trouble.watch(settings.sentry_dsn.get_secret_value())
    else:
        logs.to_file(place.logs, name, as_json=as_json)
    return settings


def go(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command to its end; Ctrl-C and SIGTERM end it in good order, a second one at once."""
    try:
        status = asyncio.run(_stoppable(work))
    except (FirstlineError, flows.FlowError) as error:
        fail(error)
    except BrokenPipeError:
        status = 1
    raise typer.Exit(status)


async def _stoppable(work: Coroutine[Any, Any, int]) -> int:
    loop, main = asyncio.get_running_loop(), asyncio.ensure_future(work)
    stopped: list[int] = []
    begun = 0.0

    def stop(number: int) -> None:
        nonlocal begun
        if not stopped:
            stopped.append(number)
            begun = time.monotonic()
            main.cancel()
        elif time.monotonic() - begun > SAME_SIGNAL:
            os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await main
    except asyncio.CancelledError:
        if not stopped:
            raise
        return 128 + stopped[0]
