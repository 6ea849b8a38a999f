"""The desk's words for what stands in codes: titles of the pack, and short Russian for the rest."""

from __future__ import annotations

from datetime import timedelta

import htpy as h
from markupsafe import Markup

import flows

PRIORITIES = {"urgent": "Срочно", "high": "Важно", "normal": "Обычное", "low": "Не спешит"}
STATES = {
    "queued": "ждёт специалиста", "assigned": "в работе", "waiting_customer": "ждём клиента", "solved": "решено",
    "cancelled": "отменено", "closed": "закрыто",
}  # fmt: skip
RESOLUTIONS = {"solved": "решено", "not_solved": "не решено", "spam": "спам", "joined": "объединено"}
CHANNELS = {"telegram": "Telegram", "vk": "ВКонтакте", "terminal": "Терминал"}
_ICONS = {
    "telegram": "M21.9 4.3 18.7 19.6c-.2 1.1-.9 1.3-1.8.8l-5-3.7-2.4 2.3c-.3.3-.5.5-1 .5l.4-5.1 9.2-8.3c.4-.4-.1-.6-.6-.2"
    "L6.2 13.1l-4.9-1.5c-1-.3-1.1-1 .2-1.5L20.6 2.7c.9-.3 1.6.2 1.3 1.6z",
    "vk": "M12.8 18C6.2 18 2.4 13.5 2.3 6h3.3c.1 5.5 2.5 7.8 4.4 8.3V6h3.1v4.7c1.9-.2 3.9-2.3 4.6-4.7h3.1a9.2 9.2 0 0 1-4.2 6"
    " 9.5 9.5 0 0 1 5 6h-3.4c-.7-2.3-2.6-4-5.1-4.3V18z",
}  # fmt: skip


def plural(n: int, one: str, few: str, many: str) -> str:
    """The word's form for a number: 1 обращение, 2 обращения, 5 обращений."""
    last, two = n % 10, n % 100
    return one if last == 1 and two != 11 else few if 2 <= last <= 4 and not 12 <= two <= 14 else many


def requests(n: int) -> str:
    """A number of requests."""
    return f"{n} {plural(n, 'обращение', 'обращения', 'обращений')}"


def lasted(time: timedelta) -> str:
    """How long something took, as the pages themselves tell it: 40 с, 12 мин, 3 ч 5 мин, 2 дня."""
    seconds = max(0, round(time.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 60:
        return f"{seconds} с"
    if minutes < 60:
        return f"{minutes} мин"
    if hours < 24:
        return f"{hours} ч {minutes % 60} мин" if minutes % 60 else f"{hours} ч"
    return f"{days} {plural(days, 'день', 'дня', 'дней')}"


def channel(name: str) -> h.Element:
    """A messenger: its sign and its name."""
    path = _ICONS.get(name, "M4 4h16v12H9l-5 5z")
    drawn = Markup(f'<svg viewBox="0 0 24 24" aria-hidden="true"><path d="{path}" fill="currentColor"/></svg>')
    return h.span(class_=f"channel {name}")[drawn, CHANNELS.get(name, name)]


def topic(pack: flows.Pack, intent: str | None) -> str:
    """What a request is about."""
    known = pack.intents.get(intent) if intent else None
    return (known.title or known.what) if known else intent or "Без темы"


def queue(pack: flows.Pack, name: str) -> str:
    """A queue's title."""
    return pack.queues[name].title if name in pack.queues else name


def category(pack: flows.Pack, name: str) -> str:
    """A kind of case."""
    return pack.categories[name].title if name in pack.categories else name


def mood(pack: flows.Pack, code: str | None) -> str | None:
    """How the customer feels, when that is worth telling."""
    if code in (None, "", "calm"):
        return None
    return label(pack, "mood", str(code))


def label(pack: flows.Pack, directory: str, code: object) -> str:
    """A code in the pack's words for agents."""
    return str(pack.manifest.directories.get(f"labels_{directory}", {}).get(str(code), {}).get("title", code))
