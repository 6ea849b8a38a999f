"""What `firstline replay` needs around a replay: the sources it reads, the two packs, the real parts for `chat --json` lines."""

from __future__ import annotations

import contextlib
import io
import subprocess
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import flows
from bot import database
from bot.app import Assistant
from bot.chat import RunClock, Script, SwitchedNlu, Switches
from bot.clients import Nlu
from bot.content import Content, load_content, pack_folder
from bot.database import Store
from bot.errors import SettingsInvalid
from bot.events import Event
from bot.progress import Step
from bot.replay import Lines, Played, Replayed, replay_stored
from bot.settings import Settings
from bot.stored import stored_turns
from bot.talks import Talk, talks

STORE = "store"
"""Name of the source that is the installation's own database."""


# ------------------------------------------------------------------------------------------------------- the packs
@contextlib.contextmanager
def base_folder(base: str | None, changed: Path, usual: str) -> Iterator[Path]:
    """The folder of the pack to compare with: `base`, else the usual pack; of the usual pack itself what is committed.

    Raises SettingsInvalid when there is nothing to compare with.
    """
    if base is not None:
        yield pack_folder(base)
        return
    other = pack_folder(usual)
    if other.resolve() != changed.resolve():
        yield other
        return
    with tempfile.TemporaryDirectory(prefix="firstline-base-") as folder:
        yield committed(changed, Path(folder))


def committed(folder: Path, into: Path) -> Path:
    """Lay out a pack's folder as it is committed. SettingsInvalid when it is in no git checkout."""
    try:
        packed = subprocess.run(
            ["git", "-C", str(folder), "archive", "--format=tar", "HEAD", "."], check=True, capture_output=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        raise SettingsInvalid(
            f"{folder} is compared with itself: it is not under git, so nobody knows what it was. "
            "--base names a pack's folder to compare with, or --pack a changed copy."
        ) from None
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(into, filter="data")
    if not (into / "pack.yml").is_file():
        raise SettingsInvalid(f"{folder} has not been committed yet; --base names a pack's folder to compare with.")
    return into


# ----------------------------------------------------------------------------------------------------- the sources
def lines_of(path: Path) -> Lines | None:
    """Lines of `chat --json`, when a file holds those; None for talks."""
    if path.is_dir() or path.suffix not in (".jsonl", ".json"):
        return None
    return [line for line in path.read_bytes().split(b"\n") if line.strip()]


def talks_in(path: Path) -> list[Talk]:
    """The talks of a file or folder. SettingsInvalid when there are none."""
    found = list(talks(path))
    if not found:
        raise SettingsInvalid(f"In {path} there are no talks (*.yml).")
    return found


# -------------------------------------------------------------------------------------------------- stored turns
async def replay_store(
    settings: Settings, pack: flows.Pack, step: Step, *, since: datetime | None, limit: int | None
) -> Replayed:
    """Decide upon the installation's stored turns again."""
    found, seen = Replayed(), dict[str, int]()
    async with Store(settings) as store:
        engine = database.make_engine(await store.migrated(), size=2)
        try:
            async with database.make_sessions(engine)() as session:
                async for past in stored_turns(session, since=since, limit=limit):
                    replay_stored(past, pack, found, seen)
                    step.update(done=found.turns)
        finally:
            await engine.dispose()
    return found


# ------------------------------------------------------------------------------------------ lines of `chat --json`
class RememberedNlu:
    """An `Nlu` that reads each text once: both packs get the same reading."""

    def __init__(self, nlu: Nlu) -> None:
        self._nlu = nlu
        self._read: dict[tuple[str, datetime], flows.Parse] = {}

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        """Read the words of one turn."""
        if (text, now) not in self._read:
            self._read[text, now] = await self._nlu.parse(text, now=now)
        return self._read[text, now]


async def play(settings: Settings, store: Store, nlu: Nlu, content: Content, lines: Lines, now: datetime) -> Played:
    """Play lines with a pack, from an empty database; return the events of each line."""
    clock, switched = RunClock(now), SwitchedNlu(nlu)
    switches, events = Switches(switched), list[Event]()
    waiting = [*lines, b""]

    async def next_line() -> bytes:
        line = waiting.pop(0)
        return line + b"\n" if line else b""

    async with store.throwaway() as address, Assistant(
        address, content, switched, settings=settings, clock=clock, quiet=0.0, down=switches
    ) as assistant:  # fmt: skip
        script = Script(assistant, clock, switches, events.append)
        try:
            await script.play(next_line)
        finally:
            script.close()
    return _by_line(events)


def _by_line(events: Sequence[Event]) -> list[list[dict[str, Any]]]:
    made: list[list[dict[str, Any]]] = [[]]
    for event in events:
        if event.get("event") == "turn_end":
            made.append([])
        else:
            made[-1].append(dict(event))
    return made[:-1]


async def played(
    settings: Settings, nlu: Nlu, folders: Sequence[Path], lines: Lines, *, shop: Path | None, now: datetime
) -> AsyncIterator[Played]:
    """Play lines with several packs, one after another."""
    remembered = RememberedNlu(nlu)
    async with Store(settings) as store:
        for folder in folders:
            content = load_content(str(folder), shop or settings.shop_file, now=now)
            yield await play(settings, store, remembered, content, lines, now)
