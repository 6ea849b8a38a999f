"""How what an agent writes in a topic is read: words for the customer, a note, or a command with what stands behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Does(StrEnum):
    """What an agent wants."""

    REPLY = "reply"
    NOTE = "note"
    TAKE = "take"
    BACK = "back"
    TRANSFER = "transfer"
    WAIT = "wait"
    RESOLVE = "resolve"
    HELP = "help"
    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"
    # a command that there is not: never the customer's
    NOBODYS = "nobodys"
    # another bot's command


@dataclass(frozen=True, slots=True)
class Order:
    """What an agent wants, and the words that go with it."""

    does: Does
    words: str = ""


MENU = {
    "take": "Взять обращение (в общей теме: следующее)",
    "note": "Заметка для коллег, клиент её не увидит",
    "transfer": "Передать: /transfer очередь или имя, комментарий",
    "resolve": "Завершить: /resolve и решение для коллег",
    "wait": "Ждать клиента: /wait 3ч или /wait 25.11 14:00",
    "back": "Вернуть в очередь: /back причина",
    "on": "Начать смену",
    "off": "Закончить смену",
    "help": "Что здесь можно делать",
}
"""Commands as Telegram's menu shows them."""
_SAME = {
    "взять": Does.TAKE, "заметка": Does.NOTE, "передать": Does.TRANSFER, "решено": Does.RESOLVE, "ждать": Does.WAIT,
    "вернуть": Does.BACK, "помощь": Does.HELP, "start": Does.HELP,
}  # fmt: skip
_COMMAND = re.compile(r"/(?P<name>[A-Za-zА-Яа-яЁё0-9_]{1,32})(?:@(?P<bot>\w+))?(?:\s+(?P<rest>.*))?", re.DOTALL)
_NOTE = "//"


def read(text: str, *, bot: str = "") -> Order:
    """Read what was written. `bot`: our name in Telegram; a command that names another is not for us."""
    text = text.strip()
    if text.startswith(_NOTE):
        return Order(Does.NOTE, text.removeprefix(_NOTE).strip())
    if not text.startswith("/"):
        return Order(Does.REPLY, text)
    found = _COMMAND.fullmatch(text)
    if found is None:
        return Order(Does.UNKNOWN)
    if found["bot"] and bot and found["bot"].lower() != bot.lower():
        return Order(Does.NOBODYS)
    name, rest = found["name"].lower(), (found["rest"] or "").strip()
    known = _SAME.get(name) or (Does(name) if name in MENU else Does.UNKNOWN)
    return Order(known, rest)


NOT_SOLVED = re.compile(r"(?:не решено|нет)\b[\s.,:;—–-]*", re.IGNORECASE)
"""How words behind /resolve begin that say that the matter was not solved."""

_HOURS = re.compile(r"(\d{1,3})\s*(?:ч|час\w*|h)?\.?", re.IGNORECASE)
_DAY = re.compile(r"(\d{1,2})\.(\d{1,2})(?:\.(\d{4}))?(?:\s+(\d{1,2}):(\d{2}))?")


def moment(words: str, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The moment that `3ч`, `25.11` or `25.11 14:00` mean (without a time: noon); None when they mean none.

    now: aware; zone: the shop's clock. A day without a year is the next one of that name.
    """
    words = words.strip()
    if hours := _HOURS.fullmatch(words):
        return now + timedelta(hours=int(hours[1])) if int(hours[1]) else None
    day = _DAY.fullmatch(words)
    if day is None:
        return None
    local = now.astimezone(zone)
    try:
        wanted = local.replace(
            year=int(day[3] or local.year), month=int(day[2]), day=int(day[1]), hour=int(day[4] or 12),
            minute=int(day[5] or 0), second=0, microsecond=0,
        )  # fmt: skip
        if wanted < local and day[3] is None and wanted.date() != local.date():
            wanted = wanted.replace(year=local.year + 1)
    except ValueError:
        return None
    return wanted
