"""The ledger of the bench of faults: what is promised, and what happened outside of the engine while it was broken."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bot.benches.system import Said

ONCE, ANSWERED, ORDER, DOUBLED, ARRIVED = "stored once", "answered or handed over", "in order", "not doubled", "arrived"
SILENT, STUCK, RECOVERED = "bot silent beside an agent", "nothing stuck", "recovered in time"
PROMISES = (ONCE, ANSWERED, ORDER, DOUBLED, ARRIVED, SILENT, STUCK, RECOVERED)

IN_THE_CALL = 1.0
"""Seconds from a call's arrival at the messenger in which a sender that is killed cannot have written down that it was made."""
Chat = tuple[str, int]
"""Channel and chat."""


# ------------------------------------------------------------------------------------------------------------- entries
@dataclass(frozen=True, slots=True)
class Written:
    """A message that a customer has written."""

    channel: str
    chat: int
    message_id: int
    text: str
    order: str | None = None
    # what is asked for
    swapped: bool = False
    # its update came in the wrong order
    at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Taken:
    """A conversation that an agent has taken."""

    conversation: int
    since: float
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Replied:
    """A reply of an agent; no other has its text."""

    conversation: int
    text: str


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that was not kept, and with which message."""

    promise: str
    what: str


@dataclass(slots=True)
class Ledger:
    """What happened outside of the engine."""

    written: list[Written] = field(default_factory=list)
    presses: Counter[Chat] = field(default_factory=Counter)
    taken: list[Taken] = field(default_factory=list)
    replied: list[Replied] = field(default_factory=list)
    unclear: list[tuple[str, int, float]] = field(default_factory=list)
    # channel, chat, time of calls that were done, and whose answer was kept from the sender
    stopped: list[tuple[float, float]] = field(default_factory=list)
    # from when to when a process that sends was dead or stood still

    def wrote(self, written: Written) -> None:
        """A customer wrote."""
        self.written.append(written)

    def pressed(self, channel: str, chat: int) -> None:
        """A customer pressed a button."""
        self.presses[channel, chat] += 1

    def excused(self, said: Said) -> bool:
        """Whether nobody could know that this message was sent: its answer was lost, or its sender died in the call."""
        if any(
            (channel, chat) == (said.channel, said.chat) and abs(at - said.at) < 0.5
            for channel, chat, at in self.unclear
        ):
            return True
        return any(begun - IN_THE_CALL <= said.at <= ended for begun, ended in self.stopped)


def as_json(broken: Iterable[Broken]) -> list[dict[str, Any]]:
    """Broken promises for programs."""
    return [{"promise": one.promise, "what": one.what} for one in broken]
