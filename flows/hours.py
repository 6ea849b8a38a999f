"""Working hours of queues: whether one is open now, and when it opens next."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flows.pack import Hours, Pack


def is_open(pack: Pack, queue: str, now: datetime) -> bool:
    """Tell whether a queue works at a moment (aware). `close` itself is already closed."""
    return _open_at(_hours(pack, queue), now)


def opens_at(pack: Pack, queue: str, now: datetime) -> datetime:
    """Return the moment from which a queue works: now, if it is open."""
    hours = _hours(pack, queue)
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


def _hours(pack: Pack, queue: str) -> Hours:
    return pack.hours.get(pack.queues[queue].hours, Hours()) if queue in pack.queues else Hours()


def _open_at(hours: Hours, now: datetime) -> bool:
    if hours.open is None or hours.close is None:
        return True
    local = now.astimezone(ZoneInfo(hours.tz))
    clock, day = local.time(), local.isoweekday()
    if hours.open < hours.close:
        return day in hours.days and hours.open <= clock < hours.close
    yesterday = 7 if day == 1 else day - 1
    return (day in hours.days and clock >= hours.open) or (yesterday in hours.days and clock < hours.close)
