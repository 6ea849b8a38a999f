"""`firstline bench …`: measure, and break on purpose. The benches themselves are loaded when they are asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli_support import AsJson, console, go, settings_of

app = typer.Typer(no_args_is_help=True, help="Measure.")


@app.command()
def turns(
    conversations: Annotated[int, typer.Option(min=1, help="Conversations that write at the same time.")] = 50,
    messages: Annotated[int, typer.Option(min=1, help="Messages of each.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Measure whole turns, with the real NLU and PostgreSQL: turns a second, latency, where the time goes."""
    from bot.benches import turns

    go(turns.turns(settings_of("bench"), console, conversations=conversations, messages=messages, as_json=as_json))
