"""Escalation: the form with which a part of the work on a request is closed, and the clock of passing it on.

For the customer it is one conversation: nothing of the form is told, number and history stay (ESC-08). One procedure for
all queues, only the reason differs (AMB-02).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import flows
from bot.errors import CategoryMissing, CommentMissing, EscalationNotOffered, ReasonMissing, ResolutionUnknown
from bot.models import IN_HAND, Request

RESOLUTIONS = ("solved", "not_solved")


# ------------------------------------------------------------------------------------------------------------ the form
@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """How somebody ends their part of a request: the form of the desk, filled in."""

    resolution: str
    # solved, not_solved
    category: str | None = None
    # what it was about
    escalation: bool = False
    # the mark Escalation: another line takes it from here
    reason: str | None = None
    # of the escalation: it follows from the queue (ESC-10)
    comment: str = ""
    # for whoever takes over; for a solution: what it was

    def check(self) -> None:
        """Refuse what the form does not offer: only Not solved opens escalation (ESC-09), and it needs all the rest."""
        if self.resolution not in RESOLUTIONS:
            raise ResolutionUnknown
        if not self.escalation:
            return
        if self.resolution != "not_solved":
            raise EscalationNotOffered
        for field, missing in (
            (self.category, CategoryMissing), (self.reason, ReasonMissing), (self.comment, CommentMissing)
        ):  # fmt: skip
            if not (field or "").strip():
                raise missing


def passing(
    pack: flows.Pack,
    queue: str,
    comment: str,
    *,
    category: str | None,
    reason: str | None = None,
    resolution: str = "not_solved",
) -> Closing:
    """The form of passing a request on to a queue. To any line but the general one it is an escalation.

    What is left out follows from the queue: its reason (ESC-10), and its name for a category that nobody knows.
    """
    target = pack.queues[queue]
    return Closing(
        resolution=resolution, category=category or target.title, escalation=queue != pack.manifest.queue_default,
        reason=reason or target.reason or target.title, comment=comment,
    )  # fmt: skip


def record(request: Request, form: Closing) -> dict[str, Any]:
    """Write the form into the request; return what its timeline keeps of it."""
    request.resolution, request.resolved_category = form.resolution, form.category
    request.escalated, request.escalation_reason = form.escalation, form.reason if form.escalation else None
    return asdict(form)


# ----------------------------------------------------------------------------------------------------------- the clock
class Mark(StrEnum):
    """How the desk shows a running clock."""

    FINE = "fine"
    WARN = "warn"
    OVERDUE = "overdue"


@dataclass(frozen=True, slots=True)
class Running:
    """The clock of a request in hand."""

    seconds: float
    mark: Mark


def running(pack: flows.Pack, request: Request, now: datetime) -> Running | None:
    """How long the question has stood with its agent, should they pass it on; None while nobody has it.

    ESC-05: a warning from 120 s on, overdue from 180 s on (settings of the pack); nothing is ever cancelled for it.
    """
    if request.state not in IN_HAND or request.asked_at is None:
        return None
    seconds = max(0.0, (now - request.asked_at).total_seconds())
    warn, limit = limits(pack)
    return Running(seconds, Mark.OVERDUE if seconds >= limit else Mark.WARN if seconds >= warn else Mark.FINE)


def limits(pack: flows.Pack) -> tuple[float, float]:
    """Seconds from which a transfer is urgent, and from which it is late."""
    settings = pack.manifest.settings
    return float(settings.get("escalation_warn_seconds", 120)), float(settings.get("escalation_seconds", 180))


def start(request: Request, at: datetime) -> None:
    """A question stands with an agent from now on: they have got it, or the customer asks another one (AMB-01)."""
    request.asked_at, request.spoken_since = at, False


def stop(pack: flows.Pack, request: Request, now: datetime) -> dict[str, Any]:
    """The transfer is stored: keep how long it took (KPI-08); return what the timeline keeps of it."""
    if request.asked_at is None:
        return {}
    seconds = max(0.0, (now - request.asked_at).total_seconds())
    request.transfer_seconds, request.in_time = seconds, seconds <= limits(pack)[1]
    request.asked_at = None
    return {"seconds": seconds, "in_time": request.in_time}
