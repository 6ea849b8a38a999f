"""Working hours of queues: whether one works now, when it opens and closes, working time added up, and where a request goes.

All moments are aware. A day's hours begin on that day by the clock of their time zone and may end on the next one; a
holiday changes the hours that begin on it. Lengths are real time, so a night in which the clocks change is an hour longer
or shorter. An hour that the clock shows twice is taken the first time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flows.pack import Pack
from flows.queues import Hours, Span, holiday

HORIZON = 400
"""Days that are looked ahead: a queue that opens in none of them never opens (a problem told by `check`)."""
MIDNIGHT = time(0)
_DAY = timedelta(days=1)
Spans = Iterator[tuple[datetime, datetime]]


def is_open(pack: Pack, queue: str, now: datetime, topic: str | None = None) -> bool:
    """Tell whether a queue works at a moment, for a topic if that has its own hours. `close` itself is closed."""
    hours = _hours(pack, queue, topic)
    return _always(hours) or any(begin <= now < end for begin, end in _spans(hours, now, days=1))


def opens_at(pack: Pack, queue: str, now: datetime, topic: str | None = None) -> datetime:
    """Return the moment from which a queue works: now, if it is open."""
    return add_working(pack, queue, now, 0, topic)


def closes_at(pack: Pack, queue: str, now: datetime, topic: str | None = None) -> datetime | None:
    """Return until when an open queue works without a break; None while it is closed, and for one that has no end."""
    hours = _hours(pack, queue, topic)
    until: datetime | None = None
    if _always(hours):
        return None
    for begin, end in _spans(hours, now):
        if begin > (until or now):
            break
        if end > (until or now):
            until = end
    else:
        return None
    return until.astimezone(ZoneInfo(hours.tz)) if until else None


def add_working(pack: Pack, queue: str, start: datetime, minutes: float, topic: str | None = None) -> datetime:
    """Return the moment when a queue will have worked so many minutes from `start` on; what it is closed does not count.

    With 0 minutes it is the moment from which it works. A queue that never opens counts as always open.
    """
    hours, left, at = _hours(pack, queue, topic), timedelta(minutes=minutes), start.astimezone(UTC)
    if _always(hours):
        return (at + left).astimezone(start.tzinfo)
    for begin, end in _spans(hours, start):
        if end <= at:
            continue
        at = max(begin, at)
        if left <= end - at:
            return (at + left).astimezone(ZoneInfo(hours.tz) if at + left != start else start.tzinfo)
        left -= end - at
        at = end
    return (at + left).astimezone(start.tzinfo)


def place(pack: Pack, queue: str, now: datetime, topic: str | None = None) -> tuple[str, str | None, datetime | None]:
    """Where a request for a queue goes now: its queue, and while that is closed a case's category and the time of the
    answer (L2-16, L2-17, L2-20), unless another queue takes it."""
    if is_open(pack, queue, now, topic):
        return queue, None, None
    of = pack.queues[queue]
    if of.handoff_to and is_open(pack, of.handoff_to, now, topic):
        return of.handoff_to, None, None
    own = of.topics[topic].out_of_hours if topic in of.topics else None
    category = own or of.out_of_hours or pack.manifest.case_default
    return queue, category, add_working(pack, queue, now, of.target_minutes, topic)


def same_hours(pack: Pack, queue: str, one: str | None, other: str | None) -> bool:
    """Tell whether a queue works at the same hours for two topics."""
    return _hours(pack, queue, one) == _hours(pack, queue, other)


def never_opens(hours: Hours, now: datetime) -> bool:
    """Tell whether there is no working day ahead."""
    return not _always(hours) and next(_spans(hours, now), None) is None


def _hours(pack: Pack, queue: str, topic: str | None) -> Hours:
    if queue not in pack.queues:
        return Hours()
    of = pack.queues[queue]
    return pack.hours.get(of.topics[topic].hours if topic in of.topics else of.hours, Hours())


def _always(hours: Hours) -> bool:
    return hours.open is None and not hours.holidays and len({*hours.days}) == 7


def _spans(hours: Hours, now: datetime, days: int = HORIZON) -> Spans:
    """The working spans that may hold a moment or come after it, in order, in UTC."""
    zone = ZoneInfo(hours.tz)
    first = now.astimezone(zone).date() - _DAY
    for ahead in range(days + 1):
        day = first + ahead * _DAY
        if (span := _span(hours, day)) is not None:
            end = day if span.close > span.open else day + _DAY
            yield _moment(day, span.open, zone), _moment(end, span.close, zone)


def _span(hours: Hours, day: date) -> Span | None:
    """The hours that begin on a day."""
    own, span = holiday(hours, day)
    if own:
        return span
    if day.isoweekday() not in hours.days:
        return None
    return Span(hours.open or MIDNIGHT, hours.close or MIDNIGHT)


def _moment(day: date, clock: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, clock, zone).astimezone(UTC)
