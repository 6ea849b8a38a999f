"""Small things about Russian text that content and facts need: endings, dates, money, names compared forgivingly."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_decimal
from rapidfuzz.distance import DamerauLevenshtein

_WORD = re.compile(r"[а-яa-z\d]+")


def plain(text: str) -> str:
    """Lower case, ё as е: the form in which the customer's words are compared with patterns."""
    return text.lower().replace("ё", "е")


def plural(number: float, one: str, few: str, many: str) -> str:
    """Choose the form of a noun that goes with a number: 1 день, 2 дня, 5 дней, 1,5 дня."""
    if number != int(number):
        return few
    last_two, last = abs(int(number)) % 100, abs(int(number)) % 10
    if 11 <= last_two <= 14 or last in (0, 5, 6, 7, 8, 9):
        return many
    return one if last == 1 else few


def as_date(value: object, tz: ZoneInfo) -> date | None:
    """Read a date out of a date, a time or ISO text, as of the pack's time zone."""
    if isinstance(value, datetime):
        return value.astimezone(tz).date() if value.tzinfo else value.date()
    if isinstance(value, date):
        return value
    if isinstance(value, str) and value:
        try:
            return as_date(datetime.fromisoformat(value), tz) if "T" in value else date.fromisoformat(value)
        except ValueError:
            return None
    return None


def day(value: date, today: date) -> str:
    """A date as people say it: 5 марта; with the year when it is not this one."""
    text = format_date(value, "d MMMM", locale="ru")
    return text if value.year == today.year else f"{text} {value.year} года"


def money(value: Decimal | float | int) -> str:
    """A sum in roubles: 1 490 ₽, 99,50 ₽."""
    whole = Decimal(str(value)).quantize(Decimal("0.01"))
    text = format_decimal(whole, format="#,##0" if whole == whole.to_integral() else "#,##0.00", locale="ru")
    return f"{text} ₽"


def phone_number(value: str) -> str:
    """A phone number as people read it: +7 916 123-45-67; another country's is left as it is."""
    digits = re.sub(r"\D", "", value)
    if len(digits) == 11 and digits[0] in "78":
        return f"+7 {digits[1:4]} {digits[4:7]}-{digits[7:9]}-{digits[9:]}"
    return value


def first_and_patronymic(full_name: str) -> str:
    """Мария Петровна out of Иванова Мария Петровна (surname, name, patronymic)."""
    parts = full_name.split()
    return " ".join(parts[1:3]) if len(parts) > 1 else full_name


def listed(items: Sequence[str]) -> str:
    """а, б и в."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} и {items[-1]}" if items else ""


def same_name(said: str, known: str) -> bool:
    """Tell whether a name that was said is the known one (surname, name, patronymic).

    Endings, misprints and the order of the words are forgiven, and a missing patronymic; surname and name must be there.
    """
    said_words, known_words = _WORD.findall(plain(said)), _WORD.findall(plain(known))
    if len(said_words) < 2 or len(known_words) < 2:
        return False
    needed = known_words[:2]
    return all(any(_alike(one, word) for one in said_words) for word in needed) and (
        len(said_words) < 3 or len(known_words) < 3 or any(_alike(one, known_words[2]) for one in said_words)
    )


def same_place(said: str, known: str) -> bool:
    """Tell whether the settlement that was said is the known one, in any case and with or without г., село …"""
    known_words = [word for word in _WORD.findall(plain(known)) if len(word) > 2]
    said_words = _WORD.findall(plain(said))
    return bool(known_words) and all(any(_alike(one, word) for one in said_words) for word in known_words)


def nothing_new(said: str, known: str) -> bool:
    """Tell whether a text holds no word or number that the known one lacks: an address told again, in part or whole."""
    return set(_WORD.findall(plain(said))) <= set(_WORD.findall(plain(known)))


def how_named(name: str, text: str) -> int:
    """Count the words of a name (of goods, say) that a text has, in any case: «где мои сковородки» names Сковорода 28 см."""
    said = _telling_words(text)
    if not _telling_words(name):  # a size: 46, XL
        words = set(_WORD.findall(plain(text)))
        return int(bool(short := _WORD.findall(plain(name))) and words.issuperset(short))
    return sum(
        any(
            one == word or (not (one + word).isascii() and (_alike(one, word) or _same_stem(one, word))) for one in said
        )
        for word in _telling_words(name)
    )


def _telling_words(text: str) -> list[str]:
    """Words of four letters and more, numbers of three digits and more (of which none stands for another)."""
    return [word for word in _WORD.findall(plain(text)) if len(word) > 3 or (len(word) == 3 and word.isdigit())]


def _same_stem(one: str, other: str) -> bool:
    """Tell whether two words begin alike for at least five letters and end within four: сковородки, сковорода."""
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return same >= 5 and max(len(one), len(other)) - same <= 4


def _alike(one: str, other: str) -> bool:
    """Tell whether two words are the same but for an ending or a misprint."""
    shorter, longer = sorted((one, other), key=len)
    if len(shorter) < 3:
        return one == other
    if len(longer) - len(shorter) <= 2 and shorter[: max(3, len(shorter) - 2)] == longer[: max(3, len(shorter) - 2)]:
        return True
    return len(shorter) >= 4 and DamerauLevenshtein.distance(one, other) <= (1 if len(longer) < 8 else 2)
