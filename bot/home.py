"""The data folder of an installation (FIRSTLINE_HOME) and what lies where in it."""

from __future__ import annotations

import asyncio
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
