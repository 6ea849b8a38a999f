"""Signs of life: when this process last heard of what lies outside, and what was wrong the last time.

Kept in memory for the health page; nothing decides by them. The names are few: channels, systems of the shop, addresses.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime

CHANNEL, CRM, HOOKS, DESK = "channel", "crm", "hooks", "telegram_desk"
"""Kinds of what lies outside."""
EVENTS = "events"
"""The outside system that is told of requests."""


@dataclass(slots=True)
class Sign:
    """What is known of one of them."""

    good: datetime | None = None
    # when it last did what was asked
    bad: datetime | None = None
    # when it last did not
    why: str | None = None
    # what was wrong then, in our words
    refused: bool = False
    # it does not accept us (a token): somebody has to look
    listening: datetime | None = None
    # since when this process asks it for news, or keeps its webhook; None: it does not

    @property
    def well(self) -> bool:
        """Whether the last time was good; so far nothing was wrong counts as good."""
        return self.bad is None or (self.good is not None and self.good >= self.bad)


_seen: dict[str, dict[str, Sign]] = defaultdict(dict)


def of(kind: str, name: str) -> Sign:
    """The sign of one of a kind."""
    return _seen[kind].setdefault(name, Sign())


def seen(kind: str) -> dict[str, Sign]:
    """All of a kind that this process has had to do with."""
    return dict(_seen[kind])


def good(kind: str, name: str) -> None:
    """It has done what was asked: fetched, called us, answered."""
    sign = of(kind, name)
    sign.good, sign.refused = datetime.now(UTC), False


def bad(kind: str, name: str, why: str, *, refused: bool = False) -> None:
    """It has not. `why`: in our words, without what a customer wrote and without secrets."""
    sign = of(kind, name)
    sign.bad, sign.why, sign.refused = datetime.now(UTC), why, refused


def listens(name: str, *, listening: bool) -> None:
    """This process begins to fetch a channel's news, or leaves that to another."""
    of(CHANNEL, name).listening = datetime.now(UTC) if listening else None


def forget() -> None:
    """Begin anew (tests)."""
    _seen.clear()
