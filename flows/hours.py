"""Working hours of queues: whether one is open now, when it opens next, and where a request goes that comes for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flows.pack import Hours, Pack


def is_open(pack: Pack, queue: str, now: datetime, topic: str | None = None) -> bool:
    """Tell whether a queue works at a moment (aware), for a topic if that has its own hours. `close` itself is closed."""
    return _open_at(_hours(pack, queue, topic), now)


def opens_at(pack: Pack, queue: str, now: datetime, topic: str | None = None) -> datetime:
    """Return the moment from which a queue works: now, if it is open."""
    hours = _hours(pack, queue, topic)
    if _open_at(hours, now) or hours.open is None:
        return now
    local = now.astimezone(ZoneInfo(hours.tz))
    for ahead in range(15):
        moment = (local + timedelta(days=ahead)).replace(
            hour=hours.open.hour, minute=hours.open.minute, second=hours.open.second, microsecond=0
        )
        if moment > local and moment.isoweekday() in hours.days:
            return moment
    return now


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
    return queue, category, opens_at(pack, queue, now, topic) + timedelta(minutes=of.target_minutes)


def _hours(pack: Pack, queue: str, topic: str | None) -> Hours:
    if queue not in pack.queues:
        return Hours()
    of = pack.queues[queue]
    return pack.hours.get(of.topics[topic].hours if topic in of.topics else of.hours, Hours())


def _open_at(hours: Hours, now: datetime) -> bool:
    if hours.open is None or hours.close is None:
        return True
    local = now.astimezone(ZoneInfo(hours.tz))
    clock, day = local.time(), local.isoweekday()
    if hours.open < hours.close:
        return day in hours.days and hours.open <= clock < hours.close
    yesterday = 7 if day == 1 else day - 1
    return (day in hours.days and clock >= hours.open) or (yesterday in hours.days and clock < hours.close)
