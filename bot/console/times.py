"""Moments by the shop's clock, as the desk tells them, and sizes of files."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

_MONTHS = (
    "января", "февраля", "марта", "апреля", "мая", "июня", "июля", "августа", "сентября", "октября", "ноября", "декабря",
)  # fmt: skip


def day(moment: datetime, tz: ZoneInfo, now: datetime) -> str:
    """A day: «Сегодня», «Вчера», «18 ноября», another year's with the year."""
    date, today = moment.astimezone(tz).date(), now.astimezone(tz).date()
    if (today - date).days in (0, 1):
        return ("Сегодня", "Вчера")[(today - date).days]
    return f"{date.day} {_MONTHS[date.month - 1]}{f' {date.year}' if date.year != today.year else ''}"


def clock(moment: datetime, tz: ZoneInfo) -> str:
    """A time of the day: «12:05»."""
    return moment.astimezone(tz).strftime("%H:%M")


def day_and_time(moment: datetime, tz: ZoneInfo, now: datetime) -> str:
    """A moment in words: «сегодня, 12:05», «18 ноября, 12:05»."""
    told = day(moment, tz, now)
    return f"{told[:1].lower()}{told[1:]}, {clock(moment, tz)}"


def size(count: int | None) -> str:
    """A file's size: «1,4 МБ»."""
    if count is None:
        return ""
    if count < 1024 * 1024:
        return f"{max(1, round(count / 1024))} КБ"
    return f"{count / 1024 / 1024:.1f} МБ".replace(".", ",")
