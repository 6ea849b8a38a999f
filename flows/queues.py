"""Human queues as a pack has them: when they work, who is wanted there, how requests come to agents, how soon they answer.

Values only, read from queues.yml; `flows.hours` counts with the hours.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, time
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, Field, field_validator, model_validator

from flows.known import Names, Part

CLOSED = "closed"
_DAY = r"(?:(\d{4})-)?(\d{2})-(\d{2})"
_DAYS = re.compile(rf"{_DAY}(?:\.\.{_DAY})?")
_SPAN = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_LEAP = 2000


# ---------------------------------------------------------------------------------------------------------- holidays
@dataclass(frozen=True, slots=True)
class Days:
    """A day or several in a row: of one year, or of every year. Yearly ones may reach over New Year."""

    first: date
    last: date
    yearly: bool
    # the dates' year says nothing

    def has(self, day: date) -> bool:
        """Tell whether a day is one of them."""
        if not self.yearly:
            return self.first <= day <= self.last
        here = (day.month, day.day)
        first, last = (self.first.month, self.first.day), (self.last.month, self.last.day)
        return first <= here <= last if first <= last else here >= first or here <= last

    @property
    def rank(self) -> tuple[bool, int]:
        """What sorts them: what is said of one year stands before what holds every year, fewer days before more."""
        return self.yearly, (self.last - self.first).days % 366


@dataclass(frozen=True, slots=True)
class Span:
    """Hours of a day; an end that is not after the beginning is on the next day."""

    open: time
    close: time


@lru_cache(maxsize=1024)
def days_of(text: object) -> Days:
    """Read `2026-12-31`, `01-01` (every year), `01-01..01-08` or `2027-05-01..2027-05-03`. ValueError with a sentence."""
    found = _DAYS.fullmatch(str(text))
    if found is None:
        raise ValueError(
            f"{str(text)!r} is no day: write 2026-12-31, 01-01 for every year, or two of them with .. between"
        )
    year, month, day, year2, month2, day2 = found.groups()
    several = month2 is not None
    if several and (year is None) != (year2 is None):
        raise ValueError(f"{text}: both days with their year, or none")
    first = _date(year, month, day, text)
    last = _date(year2, month2, day2, text) if several else first
    if year is not None and last < first:
        raise ValueError(f"{text}: the last day is before the first")
    return Days(first, last, yearly=year is None)


def _date(year: str | None, month: str, day: str, text: object) -> date:
    number = int(year) if year else _LEAP
    if not number or not 1 <= int(month) <= 12 or not 1 <= int(day) <= monthrange(number, int(month))[1]:
        raise ValueError(f"{text}: there is no such day")
    return date(number, int(month), int(day))


@lru_cache(maxsize=1024)
def span_of(text: object) -> Span | None:
    """Read `10:00-16:00`, or None for `closed`. ValueError with a sentence."""
    if text == CLOSED:
        return None
    found = _SPAN.fullmatch(str(text))
    hours = [int(one) for one in found.groups()] if found else []
    if not hours or (hours[0], hours[1]) >= (24, 0) or (hours[2], hours[3]) > (24, 0):
        raise ValueError(f"{str(text)!r} is neither {CLOSED} nor hours like 10:00-16:00")
    return Span(time(hours[0], hours[1]), time(hours[2] % 24, hours[3]))


def _texts(value: object) -> object:
    """YAML makes a date of 2026-12-31: a text again."""
    return {str(key): one for key, one in value.items()} if isinstance(value, Mapping) else value


# ------------------------------------------------------------------------------------------------------------- hours
class Hours(Part):
    """Working hours of a queue; `close` not after `open` means over midnight; none: round the clock."""

    tz: str = "Europe/Moscow"
    open: time | None = None
    close: time | None = None
    days: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7)
    # Monday is 1
    holidays: Annotated[dict[str, str], BeforeValidator(_texts)] = Field(default_factory=dict)
    # days (`days_of`) -> `closed`, or the hours of these days (`span_of`): they stand before `days`

    @field_validator("tz")
    @classmethod
    def _there(cls, tz: str) -> str:
        try:
            ZoneInfo(tz)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(
                f"there is no time zone {tz!r}: write one like Europe/Moscow or Asia/Yekaterinburg"
            ) from None
        return tz

    @field_validator("days")
    @classmethod
    def _of_the_week(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        if wrong := [day for day in days if not 1 <= day <= 7]:
            raise ValueError(f"{wrong[0]} is no day of the week: 1 is Monday, 7 is Sunday")
        return days

    @field_validator("holidays")
    @classmethod
    def _readable(cls, holidays: dict[str, str]) -> dict[str, str]:
        for days, hours in holidays.items():
            days_of(days)
            span_of(hours)
        return holidays

    @model_validator(mode="after")
    def _both(self) -> Hours:
        if (self.open is None) != (self.close is None):
            raise ValueError("open and close go together")
        return self


class TopicHours(Part):
    """Hours of one topic within a queue: people who know it may work at other times than the queue's."""

    hours: str
    out_of_hours: str | None = None
    # category of the case that replaces a handoff while closed (default: the queue's)


# ------------------------------------------------------------------------------------------------------------ queues
class Assign(StrEnum):
    """How requests come to agents."""

    PULL = "pull"
    # they take the next one
    LEAST_LOADED = "least_loaded"
    # the system gives it to whoever has the least in hand, measured by their capacity


class Queue(Part):
    """A human queue."""

    title: str
    takes: str = ""
    reason: str | None = None
    # reason of the escalation as the desk shows it
    hours: str = "always"
    out_of_hours: str | None = None
    # category of the case that replaces a handoff while closed (default: the pack's)
    handoff_to: str | None = None
    # another queue while closed, instead of a case
    topics: dict[str, TopicHours] = Field(default_factory=dict)
    # intent -> hours of its own in this queue (L2-20)
    assign: Assign = Assign.PULL
    target_minutes: int = Field(default=10, gt=0)
    # working minutes until a person's first reply
    warn_share: float = Field(default=0.8, gt=0, le=1)
    # part of these minutes after which the desk is warned


class Skill(Part):
    """What some agents can do: requests on these topics or with these marks go to them while one of them is on shift.

    A mark wants the skill of its own name without being listed.
    """

    title: str
    topics: tuple[str, ...] = ()
    marks: Names = ()


class Category(Part):
    """A kind of case: work for later with a due time."""

    title: str
    queue: str
    due_hours: float = 24
    priority: str = "normal"


def holiday(hours: Hours, day: date) -> tuple[bool, Span | None]:
    """Whether a day (of the hours' time zone) has hours of its own, and which; None: closed."""
    own: list[tuple[Any, str]] = [(days, of) for text, of in hours.holidays.items() if (days := days_of(text)).has(day)]
    if not own:
        return False, None
    return True, span_of(min(own, key=lambda one: one[0].rank)[1])
