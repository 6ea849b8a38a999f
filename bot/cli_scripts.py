"""Commands for those who write the scripts: explain, draw, replay. No Python is needed; what is wrong is told with file and line."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bot import explaining
from bot.cli_support import console, fail, go, settings_of
from bot.explain_view import ExplainView
from bot.programs import nlu_client
from bot.progress import on_console
from bot.scripted import moment
from flows.explain import explanation_json

ShopFile = Annotated[Path | None, typer.Option("--shop", help="Shop data (YAML) instead of the demo shop.")]
PackName = Annotated[str | None, typer.Option("--pack", help="Name of a shipped pack, or a pack's folder.")]
Now = Annotated[str | None, typer.Option("--now", help="The clock, ISO 8601 with offset.")]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
PLAIN_WIDTH = 130
"""Columns where the output is no terminal."""


def add(app: typer.Typer) -> None:
    """Put these commands beside the others."""
    app.command()(explain)


def explain(
    texts: Annotated[list[str], typer.Argument(help='Messages of one customer in order; "[Title]" presses a button.')],
    shop: ShopFile = None,
    chat: Annotated[
        str | None, typer.Option(help="The customer's chat; by default one that the shop file links.")
    ] = None,
    channel: Annotated[str, typer.Option(help="telegram or vk.")] = "telegram",
    now: Now = None,
    read_as: Annotated[
        list[str] | None,
        typer.Option("--as", help="Intents of a message instead of the NLU's reading (a,b); once for each message."),
    ] = None,
    known: Annotated[bool, typer.Option("--known", help="The customer has confirmed who they are.")] = False,
    pack: PackName = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the steps left out and the rows that did not fit.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Why the bot answers as it does: what is read, looked up, tried and said for messages of a customer."""
    settings = settings_of("explain")

    async def work() -> int:
        at = clock(now)
        asked = explaining.prepare(
            pack or settings.pack, shop or settings.shop_file, now=at, channel=channel, chat=chat, known=known
        )
        steps = explaining.steps_of(asked, texts, read_as or [])
        if any("parse" not in step and "as" not in step and "press" not in step for step in steps):
            with on_console(console) as shown:
                async with nlu_client(settings, shown) as nlu:
                    steps = await explaining.read(nlu, steps, now=at)
        out = Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH)
        view = ExplainView(asked.pack, out, everything=everything)
        for step, heard, one in await asyncio.to_thread(lambda: list(explaining.explained(asked, steps))):
            if as_json:
                typer.echo(json.dumps(explanation_json(one), ensure_ascii=False))
            else:
                notices = heard.says[len(one.decision.messages) :]
                view.show(one, said=f"[{step['press']}]" if "press" in step else None, notices=notices)
        return 0

    go(work())


def clock(now: str | None) -> datetime:
    """The moment of --now, or this one."""
    try:
        return moment(now) if now is not None else datetime.now(UTC)
    except ValueError as error:
        fail(f"--now: {error}")
