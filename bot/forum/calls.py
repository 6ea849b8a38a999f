"""The next call to Telegram for a request's topic: what it does, how urgent it is, what remembers that it was made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import flows
from bot.database import Sessions
from bot.file_store import FileStore
from bot.forum.api import Api
from bot.models import ForumTopic, Request
from bot.queues import PRIORITIES


class Pace(StrEnum):
    """What Telegram counts together."""

    MESSAGES = "messages"
    TOPICS = "topics"
    NONE = "none"


class Step(StrEnum):
    """What a call does."""

    CREATE = "create"
    REOPEN = "reopen"
    CARD = "card"
    PIN = "pin"
    LINES = "lines"
    FILE = "file"
    REACT = "react"
    EDIT = "edit"
    RENAME = "rename"
    CLOSE = "close"
    ANSWER = "answer"


RANKS = {
    Step.REACT: 0, Step.ANSWER: 1, Step.PIN: 2, Step.CARD: 2, Step.REOPEN: 3, Step.LINES: 4, Step.CREATE: 5, Step.FILE: 6,
    Step.EDIT: 7, Step.RENAME: 8, Step.CLOSE: 9,
}  # fmt: skip
"""What goes first when Telegram's pace does not let all go."""

Call = Callable[[Api], Awaitable[str | None]]
Keep = Callable[[ForumTopic, str | None, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The next call for a request's topic, and how the row remembers that it was made."""

    step: Step
    request: int
    call: Call
    keep: Keep
    # gets the row, what the call returned, and the time
    order: tuple[Any, ...] = ()
    # among those of the same rank

    @property
    def pace(self) -> Pace:
        """Which of Telegram's limits it counts for."""
        if self.step in (Step.CREATE, Step.REOPEN, Step.PIN, Step.RENAME, Step.CLOSE):
            return Pace.TOPICS
        return Pace.NONE if self.step is Step.REACT else Pace.MESSAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What showing needs besides the session."""

    pack: flows.Pack
    store: FileStore
    now: Callable[[], datetime]
    sessions: Sessions


def urgency(request: Request) -> tuple[Any, ...]:
    """What sorts calls of the same rank: VIPs first, then by priority, then as the requests came."""
    return not request.vip, PRIORITIES.get(request.priority, 2), request.id


async def no_result(call: Awaitable[None]) -> None:
    """Make a call that returns nothing."""
    await call
