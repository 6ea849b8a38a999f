"""`firstline nlu …`: train, evaluate, parse and serve the NLU by hand."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

import flows
from bot import cli_support, nlu_environment, nlu_service, programs
from bot.clients import Nlu
from bot.home import Home
from bot.progress import on_console
from bot.scripted import dump

app = typer.Typer(no_args_is_help=True, help="Train, evaluate, try and serve the NLU.")
ANY = {"allow_extra_args": True, "ignore_unknown_options": True}


@app.command()
def train(force: Annotated[bool, typer.Option("--force", help="Train even if the model exists.")] = False) -> None:
    """Train the model, unless there is one for the present content."""
    settings = cli_support.settings_of("nlu")

    async def work() -> int:
        home = Home(settings.home)
        with on_console(cli_support.console) as steps:
            python = await nlu_environment.ensure(home, steps)
            typer.echo(await nlu_service.train(home, python, steps, force=force))
        return 0

    cli_support.go(work())


@app.command(context_settings=ANY)
def evaluate(context: typer.Context) -> None:
    """Measure the model on the held-out set and by cross-validation (options go to nlu's own evaluation)."""
    settings = cli_support.settings_of("nlu")

    async def work() -> int:
        home = Home(settings.home)
        with on_console(cli_support.console) as steps:
            python = await nlu_environment.ensure(home, steps)
            await nlu_service.train(home, python, steps)
        return await nlu_service.evaluate(home, python, *context.args)

    cli_support.go(work())


@app.command()
def parse(
    text: Annotated[str | None, typer.Argument(help="A message.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help='Read lines {"text": "…"}, write one reading each.')] = False,
) -> None:
    """Show what the NLU reads in a message; with --jsonl in each line of standard input."""
    settings = cli_support.settings_of("nlu")
    if jsonl == (text is not None):
        cli_support.fail("give either a TEXT or --jsonl")

    async def work() -> int:
        with on_console(cli_support.console) as steps:
            async with programs.nlu_client(settings, steps) as nlu:
                if text is None:
                    return await read_lines(nlu, programs.read_line, programs.write_line)
                show(await nlu.parse(text, now=datetime.now(UTC)), Console(highlight=False))
        return 0

    cli_support.go(work())


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on; loopback by default.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 lets the system choose.")] = 0,
) -> None:
    """Run the NLU service until stopped; other commands on this machine use it meanwhile."""
    settings = cli_support.settings_of("nlu-serve")

    async def work() -> int:
        with on_console(cli_support.console) as steps:
            context = nlu_service.serving(Home(settings.home), steps, lasting=True, host=host, port=port)
            service = await context.__aenter__()
        try:
            typer.echo(f"FIRSTLINE_NLU_URL={service.url}\nFIRSTLINE_NLU_TOKEN={service.token}")
            cli_support.console.print(f"Serving {service.model}. Ctrl-C ends it.", highlight=False)
            await asyncio.Event().wait()
        finally:
            await context.__aexit__(None, None, None)
        return 0

    cli_support.go(work())


# ------------------------------------------------------------------------------------------------------------- readings
async def read_lines(nlu: Nlu, lines: Callable[[], Awaitable[bytes]], emit: Callable[[dict[str, Any]], None]) -> int:
    """Read each line's text and write one line each, in order; 2 when a line was malformed."""
    status, number = 0, 0
    while raw := await lines():
        number += 1
        if not raw.strip():
            continue
        try:
            line = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict) or not isinstance(line.get("text"), str):
            emit({"event": "error", "line": number, "message": 'The line must be a JSON object with a "text".'})
            status = 2
            continue
        emit({**line, **reading(await nlu.parse(line["text"], now=datetime.now(UTC)))})
    return status


def reading(parse: flows.Parse) -> dict[str, Any]:
    """A parse with the keys of the contract (`chat_json.md`), in its order."""
    return {
        "text": parse.text,
        "intents": [_named(one) for one in parse.intents],
        "ranking": [_named(one) for one in parse.ranking],
        "entities": [
            {
                "entity": one.entity,
                "value": one.value,
                "text": one.text,
                "start": one.start,
                "end": one.end,
                "of": (one.of or 0) if parse.intents else None,
            }
            for one in parse.entities
        ],
        "verdict": parse.verdict.value,
        "model": parse.model,
    }


def _named(one: flows.Reading) -> Mapping[str, Any]:
    return {"name": one.name, "confidence": one.confidence}


def show(parse: flows.Parse, console: Console) -> None:
    """A parse for people; as JSON where the output is no terminal."""
    if not sys.stdout.isatty():
        console.print(dump(reading(parse)), markup=False, soft_wrap=True)
        return
    console.print(f"[bold]{parse.verdict.value}[/]  ({parse.model})")
    table = Table("acted on", "intent", "confidence", box=None, header_style="dim")
    acted = {one.name for one in parse.intents}
    for one in [*parse.intents, *(one for one in parse.ranking if one.name not in acted)]:
        table.add_row("✓" if one.name in acted else "", one.name, f"{one.confidence:.3f}")
    console.print(table)
    if parse.entities:
        table = Table("entity", "value", "as written", "of", box=None, header_style="dim")
        for entity in parse.entities:
            table.add_row(entity.entity, str(entity.value), entity.text, str(entity.of or 0))
        console.print(table)
