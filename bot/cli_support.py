"""What all commands share: settings, errors as sentences, an orderly end."""

from __future__ import annotations

import asyncio
import signal
import warnings
from collections.abc import Coroutine
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

import flows
from bot import home
from bot import settings as all_settings
from bot.clients.shop_file import ShopInvalid
from bot.errors import FirstlineError, SettingsInvalid
from bot.settings import Settings

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


def settings_of(name: str, *, to_stderr: bool = False, **changes: Any) -> Settings:
    """Read the settings, make the data folder, send the log where it belongs."""
    try:
        settings = all_settings.load()
        settings = settings.model_copy(update={key: value for key, value in changes.items() if value is not None})
        place = home.Home(settings.home).make()
    except FirstlineError as error:
        fail(error)
    if to_stderr:
        home.log_to_stderr()
    else:
        home.log_to_file(place, name)
    return settings


def go(work: Coroutine[Any, Any, int]) -> NoReturn:
    """Run a command to its end; Ctrl-C and SIGTERM end it in good order."""
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

    def stop(number: int) -> None:
        if not stopped:
            stopped.append(number)
            main.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number)
    try:
        return await main
    except asyncio.CancelledError:
        if not stopped:
            raise
        return 128 + stopped[0]
