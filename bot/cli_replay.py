"""`firstline replay`: saved conversations against a changed pack, and every answer that would be another one."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

import flows
from bot import replay_view, replaying
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
from bot.content import load_content, pack_folder
from bot.errors import SettingsInvalid
from bot.programs import nlu_that_reads
from bot.progress import Steps, on_console
from bot.replay import Replayed, as_json, compare_played, replay_talks
from bot.settings import Settings
from bot.talks import Talk, read_stage


def replay(
    source: Annotated[
        str,
        typer.Argument(
            help="Talks (YAML, a file or folder), lines of `chat --json` (JSONL), or `store`: the stored turns."
        ),
    ],
    pack: PackName = None,
    base: Annotated[
        str | None, typer.Option(help="The pack to compare with; by default the usual one, or what is committed.")
    ] = None,
    shop: ShopFile = None,
    now: Now = None,
    since: Annotated[
        str | None, typer.Option(help="Of the stored turns those since a moment, or of the last days: 7d.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Of the stored turns only the newest so many.")] = None,
    show: Annotated[
        bool, typer.Option("--show", help="Only print the conversations as a customer sees them, in Markdown.")
    ] = False,
    read: Annotated[
        bool, typer.Option("--nlu", help="With --show: the NLU reads the messages of talks, not the talk.")
    ] = False,
    into: Into = None,
    answers_as_json: AsJson = False,
) -> None:
    """Run saved conversations against a changed pack and list every answer that would differ. Status 1 when one does."""
    settings = settings_of("replay")

    async def work() -> int:
        wanted = _Wanted(settings, source, pack, shop, clock(now))
        if show:
            shown = "\n".join([text async for text in _shown(wanted, read=read)])
            typer.echo(shown) if into is None else put_into(into, "dialogues", shown)
            return 0
        with on_console(console) as steps:
            found = await _found(wanted, base, steps, since=_since(since, wanted.now), limit=limit)
        _tell(found, everything_as_json=answers_as_json)
        return 1 if found.differences or found.unreadable else 0

    go(work())


class _Wanted:
    """What is replayed, and with which pack. SettingsInvalid when there is no such thing."""

    def __init__(self, settings: Settings, source: str, pack: str | None, shop: Path | None, now: datetime) -> None:
        self.settings, self.shop, self.now = settings, shop, now
        self.folder = pack_folder(pack or settings.pack)
        self.path = None if source == replaying.STORE else Path(source)
        if self.path is not None and not self.path.exists():
            raise SettingsInvalid(
                f"There is no {source}: a file or folder of talks, a JSONL file, or `{replaying.STORE}`."
            )
        self.lines = replaying.lines_of(self.path) if self.path else None
        self.talks: list[Talk] = replaying.talks_in(self.path) if self.path and self.lines is None else []


async def _found(
    wanted: _Wanted, base: str | None, steps: Steps, *, since: datetime | None, limit: int | None
) -> Replayed:
    settings = wanted.settings
    if wanted.path is None:
        content = load_content(str(wanted.folder), wanted.shop or settings.shop_file, now=wanted.now)
        with steps.step("Stored turns") as step:
            return await replaying.replay_store(settings, content.pack, step, since=since, limit=limit)
    with replaying.base_folder(base, wanted.folder, settings.pack) as other:
        if wanted.lines is not None:
            async with nlu_that_reads(settings, steps) as nlu:
                with steps.step("Conversations"):
                    runs = replaying.played(
                        settings, nlu, [other, wanted.folder], wanted.lines, shop=wanted.shop, now=wanted.now
                    )
                    old, new = [one async for one in runs]
            return compare_played(wanted.lines, old, new)
        with steps.step("Talks") as step:
            before, after = read_stage(other), read_stage(wanted.folder)
            return await asyncio.to_thread(
                replay_talks, wanted.talks, before, after, lambda done, of: step.update(done=done, of=of)
            )


def _tell(found: Replayed, *, everything_as_json: bool) -> None:
    if everything_as_json:
        for line in as_json(found):
            typer.echo(json.dumps(line, ensure_ascii=False))
    else:
        replay_view.show(found, Console(highlight=False, width=None if sys.stdout.isatty() else PLAIN_WIDTH))


async def _shown(wanted: _Wanted, *, read: bool) -> AsyncIterator[str]:
    """Conversations as a customer sees them, each as Markdown."""
    if wanted.path is None:
        raise SettingsInvalid("--show prints talks and lines of `chat --json`; stored conversations are in the desk.")
    settings = wanted.settings
    if wanted.lines is not None:
        with on_console(console) as steps:
            async with nlu_that_reads(settings, steps) as nlu:
                runs = replaying.played(settings, nlu, [wanted.folder], wanted.lines, shop=wanted.shop, now=wanted.now)
                (only,) = [one async for one in runs]
        pack = flows.load(wanted.folder)
        for chat, lines in replay_view.played_said(pack, wanted.lines, only).items():
            yield "\n".join(replay_view.markdown(chat, lines))
        return
    parses = await _read(wanted) if read else {}
    on = read_stage(wanted.folder)
    for talk in wanted.talks:
        if talk.problems:
            fail("\n".join(map(str, talk.problems)))
        said = await asyncio.to_thread(lambda talk=talk: list(replay_view.talk_said(talk, on, parses)))  # type: ignore[misc]
        yield "\n".join(replay_view.markdown(talk.name, said))


async def _read(wanted: _Wanted) -> dict[str, flows.Parse]:
    """How the NLU reads each message of the talks."""
    texts = dict.fromkeys(str(step["say"]) for talk in wanted.talks for step in talk.data["talk"] if step.get("say"))
    with on_console(console) as steps:
        async with nlu_that_reads(wanted.settings, steps) as nlu:
            return {text: await nlu.parse(text, now=wanted.now) for text in texts}


def _since(text: str | None, now: datetime) -> datetime | None:
    """A moment, or so many days before now (7d)."""
    if text is not None and (days := re.fullmatch(r"(\d+)d", text)):
        return now - timedelta(days=int(days[1]))
    return clock(text, option="--since") if text is not None else None
