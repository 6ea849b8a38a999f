"""Commands for those who write the scripts: explain, draw, replay. No Python is needed; what is wrong is told with file and line."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import flows
from bot import checking, explaining, pages
from bot import rules as all_rules
from bot.cli_replay import replay
from bot.cli_support import (
    PLAIN_WIDTH,
    AsJson,
    Into,
    Now,
    PackName,
    ShopFile,
    clock,
    console,
    fail,
    go,
    put_into,
    settings_of,
)
from bot.content import pack_folder
from bot.errors import SettingsInvalid
from bot.explain_view import ExplainView
from bot.programs import nlu_that_reads
from bot.progress import on_console
from bot.talks import shown, talks_of
from bot.talks import talks as talks_in
from flows.draw import mermaid
from flows.explain import explanation_json
from flows.svg import svg
from flows.wording import near


def add(app: typer.Typer) -> None:
    """Put these commands beside the others."""
    app.command()(check)
    app.command()(explain)
    app.command()(draw)
    app.command()(replay)


def check(
    packs: Annotated[list[str] | None, typer.Argument(help="Packs; by default the configured one.")] = None,
    pack: Annotated[list[str] | None, typer.Option("--pack", help="Another pack, by name or folder.")] = None,
    talks: Annotated[
        Path | None,
        typer.Option(help="Talks to hold the pack against; by default its own, or the checkout's tests/dialogues."),
    ] = None,
    no_talks: Annotated[bool, typer.Option("--no-talks", help="Look at the content alone.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Remarks count as problems.")] = False,
    rules: Annotated[bool, typer.Option("--rules", help="Only count the specification's rules by family.")] = False,
    into: Into = None,
) -> None:
    """Show everything that is wrong with a pack's content, with file and line; hold its talks and name what none comes to.

    Status 1 when there are problems. Remarks are worth a look and change nothing.
    """
    if rules:
        try:
            table = "\n".join(all_rules.markdown(all_rules.families()))
        except SettingsInvalid as error:
            fail(error)
        typer.echo(table) if into is None else put_into(into, "rules", table)
        return
    names = [*(packs or []), *(pack or [])] or [settings_of("check").pack]
    try:
        folders = [pack_folder(name) for name in names]
        if talks is not None and not talks.exists():
            raise SettingsInvalid(f"--talks: there is no {talks}")
    except SettingsInvalid as error:
        fail(error)
    wrong = 0
    for folder in folders:
        found = _checked(folder, talks, rehearsed=not no_talks)
        for problem in found:
            typer.echo(problem)
        wrong += sum(strict or not problem.remark for problem in found)
    raise typer.Exit(1 if wrong else 0)


def _checked(folder: Path, place: Path | None, *, rehearsed: bool) -> list[flows.Problem]:
    """What is found in a pack, places as paths; a line of figures where nothing is wrong."""
    found = [_placed(problem, folder) for problem in checking.problems_of(folder)]
    if any(not problem.remark for problem in found):
        return found
    pack, held = flows.load(folder), ""
    said = [] if not rehearsed else list(talks_in(place)) if place else talks_of(folder, pack.manifest.name)
    if said:
        with on_console(console) as steps, steps.step("Talks") as step:
            done = checking.rehearse(folder, said, lambda number, of: step.update(done=number, of=of))
        found += [*done.wrong, *(_placed(one, folder) for one in done.untried)]
        held = f", {len(said)} talks held"
    if all(problem.remark for problem in found):
        counts = f"{len(pack.flows)} flows, {len(pack.tables)} tables, {len(pack.phrases)} phrases{held}"
        typer.echo(f"{pack.manifest.name}: no problems in {counts}{f'; {len(found)} remarks' if found else ''}")
    return found


def _placed(problem: flows.Problem, folder: Path) -> flows.Problem:
    """A problem with the path to its file from here."""
    return replace(problem, where=f"{shown(folder)}/{problem.where}")


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
                async with nlu_that_reads(settings, shown) as nlu:
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


class Format(StrEnum):
    """How something is drawn."""

    MERMAID = "mermaid"
    SVG = "svg"
    HTML = "html"


def draw(
    name: Annotated[str | None, typer.Argument(metavar="FLOW|TABLE", help="A flow or a table of the pack.")] = None,
    form: Annotated[
        Format | None,
        typer.Option("--format", help="mermaid or svg (flows), html; by default by the file's ending, else html."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to write; by default to standard output.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Pages of the whole pack, with an index, into the folder -o.")
    ] = False,
    pack: PackName = None,
) -> None:
    """Draw a flow as a picture, or a table as a page with the proof that every case has a row."""
    try:
        drawn = flows.load(pack_folder(pack or settings_of("draw").pack))
    except (SettingsInvalid, flows.PackInvalid) as error:
        fail(error)
    if everything:
        _draw_all(drawn, output)
        return
    if name is None:
        fail("give a FLOW or TABLE, or --all")
    endings = {".svg": Format.SVG, ".mmd": Format.MERMAID, ".md": Format.MERMAID}
    form = form or (endings.get(output.suffix) if output else None) or Format.HTML
    text = _drawn(drawn, name, form)
    if output is None:
        typer.echo(text, nl=False)
        return
    _write(output, text)
    console.print(f"Written: {output}", highlight=False)


def _drawn(pack: flows.Pack, name: str, form: Format) -> str:
    kinds = [kind for kind, there in (("flow", pack.flows), ("table", pack.tables)) if name in there]
    if not kinds:
        fail(f"There is no flow or table {name!r}{near(name, [*pack.flows, *pack.tables])}")
    if form is Format.HTML:
        return pages.drawing(pack, kinds[0], name)
    if "flow" not in kinds:
        fail(f"{name!r} is a table: it is drawn as a page, --format html")
    return svg(pack, name) if form is Format.SVG else mermaid(pack, name)


def _draw_all(pack: flows.Pack, folder: Path | None) -> None:
    if folder is None:
        fail("--all needs a folder: -o FOLDER")
    if folder.exists() and not folder.is_dir():
        fail(f"{folder} is no folder")
    with on_console(console) as steps, steps.step("Pages") as step:
        try:
            count = pages.write_site(pack, folder, step.update)
        except OSError as error:
            fail(f"{folder} cannot be written: {error.strerror}")
    console.print(f"{count} pages; begin with {folder / 'index.html'}", highlight=False)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        fail(f"{path} cannot be written: {error.strerror}")
