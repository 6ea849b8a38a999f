"""The real thing for end-to-end tests: the trained Rasa model behind its service, and `firstline` as a process.

Rasa's environment and the model are made once and kept in FIRSTLINE_HOME; the first run of the tests takes minutes for
that, and says so. FIRSTLINE_NLU_URL (and FIRSTLINE_NLU_TOKEN) name a service that is already there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIRSTLINE = [sys.executable, "-m", "bot.cli"]
SHOP = Path(__file__).parent / "shop.yml"
NOW = "2026-11-20T12:00:00+03:00"  # a Friday: every queue is open
PATIENCE = 180.0
"""Seconds for one scripted run on a busy machine."""


@pytest.fixture(scope="session")
def environment(nlu: Mapping[str, str], postgres: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a `firstline` that uses the tests' NLU service and PostgreSQL."""
    home = {"FIRSTLINE_HOME": str(tmp_path_factory.mktemp("home"))}
    return {**os.environ, **nlu, **home, "FIRSTLINE_DATABASE_URL": postgres}


@dataclass(frozen=True)
class Run:
    """What came out of a `chat --json`."""

    status: int
    lines: tuple[tuple[dict[str, Any], ...], ...]
    # the events of each input line, without its turn_end
    errors: str

    @property
    def events(self) -> list[dict[str, Any]]:
        return [event for line in self.lines for event in line]

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind."""
        return [event for event in self.events if event["event"] == kind]

    def rules(self) -> set[str]:
        """All rules that stand at any event."""
        return {rule for event in self.events for rule in event.get("rules", ())}


class Chat:
    """Plays lines through `firstline chat --json` as a process of its own."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def __call__(
        self, *lines: dict[str, Any] | str, options: Sequence[str] = (), shop: Path = SHOP, now: str = NOW
    ) -> Run:
        script = "".join(
            (line if isinstance(line, str) else json.dumps(line, ensure_ascii=False)) + "\n" for line in lines
        )
        done = subprocess.run(
            [*FIRSTLINE, "chat", "--json", "--shop", str(shop), "--now", now, *options], input=script.encode(),
            capture_output=True, cwd=ROOT, env=self._environment, timeout=PATIENCE, check=False,
        )  # fmt: skip
        return read(done)


@pytest.fixture(scope="session")
def chat(environment: dict[str, str]) -> Chat:
    """What plays lines."""
    return Chat(environment)


def read(done: subprocess.CompletedProcess[bytes]) -> Run:
    """Sort the output of a run by input lines."""
    lines: list[tuple[dict[str, Any], ...]] = []
    events: list[dict[str, Any]] = []
    for raw in done.stdout.decode("utf-8").splitlines():
        event = json.loads(raw)
        if event["event"] == "turn_end":
            lines.append(tuple(events))
            events = []
        else:
            events.append(event)
    assert not events, "output after the last turn_end"
    return Run(done.returncode, tuple(lines), done.stderr.decode("utf-8", "replace"))


class Conversation:
    """A `chat --json` that is talked to line by line, as a program would."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._watchdog = threading.Timer(PATIENCE, process.kill)
        self._watchdog.start()

    def __call__(self, **line: Any) -> list[dict[str, Any]]:
        """Write one line, and read until its turn_end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.process.stdin.flush()
        events: list[dict[str, Any]] = []
        while not events or events[-1]["event"] != "turn_end":
            raw = self.process.stdout.readline()
            assert raw, "the process ended"
            events.append(json.loads(raw))
        return events

    def close(self) -> int:
        """Close the input and wait for the end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        status = self.process.wait(60)
        self._watchdog.cancel()
        return status
