"""What time it is: the system's, or one that stands still (scripted conversations, tests)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time; always aware, in UTC."""

    def now(self) -> datetime: ...


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A time that moves only when it is told to."""

    def __init__(self, now: datetime) -> None:
        self._now = _utc(now)

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        """Move to a moment (aware)."""
        self._now = _utc(now)

    def forward(self, **step: float) -> datetime:
        """Move on by a timedelta's arguments (`hours=1`) and return the new time."""
        self._now += timedelta(**step)
        return self._now


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a clock needs an aware time")
    return moment.astimezone(UTC)
