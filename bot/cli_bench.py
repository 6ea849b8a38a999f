"""`firstline bench …`: measure, and break on purpose. The benches themselves are loaded when they are asked for."""

from __future__ import annotations

from typing import Annotated

import typer

from bot.cli_support import AsJson, Into, console, go, settings_of

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


First = Annotated[float, typer.Option(min=0.1, help="Messages a second to begin with.")]
Most = Annotated[float, typer.Option(min=0.1, help="Messages a second at which to stop.")]
Seconds = Annotated[float, typer.Option(min=1, help="How long each rate is played.")]
Seed = Annotated[int, typer.Option(help="Chooses the moments and the words.")]
Short = Annotated[bool, typer.Option("--short", help="Two rates, a few seconds each: does it work at all?")]


@app.command()
def load(
    first: First = 2.0,
    most: Most = 60.0,
    seconds: Seconds = 20.0,
    seed: Seed = 1,
    processes: Annotated[int, typer.Option(min=1, help="`firstline run` processes.")] = 1,
    short: Short = False,
    as_json: AsJson = False,
    into: Into = None,
) -> None:
    """Messages a second of the whole system while 95 % of the answers come within a second, and where the time goes."""
    from bot.benches import load

    options = load.Options(first=first, most=most, seconds=seconds, seed=seed, processes=processes)
    options = options.shortened() if short else options
    go(load.load(settings_of("bench"), console, options=options, as_json=as_json, into=into))


@app.command()
def desk(
    pages: Annotated[int, typer.Option(min=1, help="Agents' pages that are open.")] = 100,
    requests: Annotated[int, typer.Option(min=1, help="Open requests.")] = 1000,
    seconds: Seconds = 30.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Changes a second that pages show.")] = 2.0,
    seed: Seed = 1,
    as_json: AsJson = False,
    into: Into = None,
) -> None:
    """How soon the queue opens and a new message is seen, with many pages open on one process."""
    from bot.benches import desk

    options = desk.Options(pages=pages, requests=requests, seconds=seconds, rate=rate, seed=seed)
    go(desk.desk(settings_of("bench"), console, options=options, as_json=as_json, into=into))


@app.command()
def faults(
    minutes: Annotated[float, typer.Option(min=0.5, help="How long customers write and things fail.")] = 10.0,
    seed: Annotated[int, typer.Option(help="Of the random: the same seed plays the same customers and faults.")] = 0,
    customers: Annotated[int, typer.Option(min=1, help="Customers, half in each messenger.")] = 12,
    nlu: Annotated[int, typer.Option(min=0, help="NLU services to start and kill; 0: those configured, by gates.")] = 2,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A fault; each given is played once, in order.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Kill processes, stop PostgreSQL, let messengers misbehave while customers write: nothing lost, nothing doubled."""
    from bot.benches.faults import Plan
    from bot.benches.faults import faults as play

    plan = Plan(seconds=minutes * 60, seed=seed, customers=customers, nlu=nlu, kinds=only or ())
    go(play(settings_of("bench"), console, plan, as_json=as_json))


@app.command()
def rasa(
    first: First = 2.0,
    most: Most = 60.0,
    seconds: Seconds = 20.0,
    seed: Seed = 1,
    short: Short = False,
    as_json: AsJson = False,
    into: Into = None,
) -> None:
    """The same for Firstline and for Rasa's own full server, one after the other: the same messages, machine and model."""
    from bot.benches import load, rasa

    options = load.Options(first=first, most=most, seconds=seconds, seed=seed)
    options = options.shortened() if short else options
    go(rasa.beside(settings_of("bench"), console, options=options, as_json=as_json, into=into))
