"""Dates that name a day or a month, as ISO dates; a day without a year is the one nearest to today."""

from __future__ import annotations

import re
from calendar import monthrange
from datetime import date

from nlu.text.entities.line import Line
from nlu.text.entities.numerals import ORDINALS, UNITS_NOT_MONEY, is_money_unit
from nlu.text.words import words_of

_MONTHS = {
    "январь": 1, "февраль": 2, "март": 3, "апрель": 4, "май": 5, "июнь": 6, "июль": 7, "август": 8, "сентябрь": 9,
    "октябрь": 10, "ноябрь": 11, "декабрь": 12, "янв": 1, "фев": 2, "февр": 2, "апр": 4, "авг": 8, "сент": 9, "окт": 10,
    "ноя": 11, "нояб": 11, "дек": 12, "marta": 3, "maya": 5, "yanvarya": 1, "fevralya": 2, "aprelya": 4, "iyunya": 6,
    "iyulya": 7,
}  # fmt: skip

_ISO = re.compile(r"(?<!\d)(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DOTTED = re.compile(r"(?<![\d.,/])(\d{1,2})([./-])(\d{1,2})(?:\2(\d{4}|\d{2}))?(?![\d/-]|[.,]\d)")
_DAY_ENDING = re.compile(r"(?<![\d.,/-])(\d{1,2})\s?-?(го|е|ое|ого|ому|му)(?!\w)", re.IGNORECASE)


def find_calendar(line: Line, today: date) -> None:
    """Find dates that name a day: 2025-11-15, 15.11, 15 ноября, пятнадцатого мая, 25-го, 14 числа."""
    for match in _ISO.finditer(line.text):
        _take(line, _day(int(match[1]), int(match[2]), int(match[3])), *match.span())
    for match in _DOTTED.finditer(line.text):
        _take_dotted(line, match, today)
    for index, token in enumerate(line.tokens):
        if month := _MONTHS.get(token.lemma) or _MONTHS.get(token.norm):
            _take_month(line, index, month, today)
        elif token.norm in ("числа", "число"):
            read = _day_before(line, index)
            if read:
                _take(line, near_day(read[0], today), read[1], token.end)
    for match in _DAY_ENDING.finditer(line.text):
        following = line.after(match.end())
        if not following or following[0].lemma not in UNITS_NOT_MONEY | _MEASURED:
            _take(line, near_day(int(match[1]), today), *match.span())


_MEASURED = words_of("размер этаж класс сутки раз заказ товар место")


def _take(line: Line, found: date | None, start: int, end: int) -> bool:
    return found is not None and line.take("date", found.isoformat(), start, end)


def _take_dotted(line: Line, match: re.Match[str], today: date) -> None:
    day, month = int(match[1]), int(match[3])
    following = line.after(match.end())
    counted = (
        following
        and following[0].start - match.end() <= 1
        and (following[0].lemma in UNITS_NOT_MONEY - {"год", "г"} or is_money_unit(following[0].norm))
    )
    if match[4]:
        year = int(match[4]) + (2000 if len(match[4]) == 2 else 0)
        _take(line, _day(year, month, day), *match.span())
        return
    address = match[2] == "/" and any(token.lemma in _HOUSE for token in line.before(match.start(), 3))
    share = line.text[match.end() :].lstrip()[:1] in ("%", "₽")
    if match[2] != "-" and len(match[3]) == 2 and not (counted or share or address):
        _take(line, nearest(month, day, today), *match.span())


_HOUSE = words_of("улица ул дом д адрес проспект переулок")


def _take_month(line: Line, index: int, month: int, today: date) -> None:
    """Take a month with its day and year, or alone after a preposition."""
    token = line.tokens[index]
    end, year = token.end, None
    for following in line.tokens[index + 1 : index + 2]:
        if re.fullmatch(r"(19|20)\d\d", following.norm) and following.start - token.end <= 2:
            year, end = int(following.norm), following.end
    read = _day_before(line, index)
    if read:
        found = _day(year, month, read[0]) if year else nearest(month, read[0], today)
        if _take(line, found, read[1], end):
            _take_range_start(line, read[1], month, today)
            return
    if index == 0:
        return
    before = line.tokens[index - 1]
    if before.norm in ("в", "на") and line.adjacent(index - 1, index):
        start = before.start
    elif before.norm in ("с", "до", "к", "от", "по", "за", "ко", "со") or before.lemma in MONTH_PARTS:
        start = before.start if before.lemma in MONTH_PARTS else token.start
    else:
        return
    day = MONTH_PARTS.get(before.lemma, 1)
    found = _day(year, month, min(day, 28)) if year else nearest(month, min(day, 28), today)
    _take(line, found, start, end)


MONTH_PARTS = {"начало": 1, "середина": 15, "конец": 28}


def _take_range_start(line: Line, position: int, month: int, today: date) -> None:
    """Take the first day of 'с 1 по 8 января'."""
    words = line.before(position, 3)
    if len(words) == 3 and words[0].norm in ("по", "до") and words[1].norm.isdigit() and words[2].norm in ("с", "от"):
        _take(line, nearest(month, int(words[1].norm), today), words[1].start, words[1].end)


def _day_before(line: Line, index: int) -> tuple[int, int] | None:
    """Read the day right before a word: '15', '15-го', 'пятнадцатого', 'двадцать пятого'; its value and start."""
    if index == 0:
        return None
    match = re.search(r"(?<![\d.,])(\d{1,2})\s?-?(?:го|е|ое|ого)?\s*$", line.text[: line.tokens[index].start])
    if match:
        return (int(match[1]), match.start()) if 1 <= int(match[1]) <= 31 else None
    before = line.tokens[index - 1]
    day = ORDINALS.get(before.lemma)
    if day is None or not line.adjacent(index - 1, index):
        return None
    start = before.start
    if day < 10 and index > 1 and line.tokens[index - 2].lemma in ("двадцать", "тридцать"):
        day += 20 if line.tokens[index - 2].lemma == "двадцать" else 30
        start = line.tokens[index - 2].start
    return day, start


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def nearest(month: int, day: int, today: date) -> date | None:
    """Return the day of that month which is nearest to today."""
    days = [found for year in (-1, 0, 1) if (found := _day(today.year + year, month, day))]
    return min(days, key=lambda found: abs((found - today).days)) if days else None


def near_day(day: int, today: date) -> date | None:
    """Return the nearest date with this day of the month."""
    months = [months_from(today.replace(day=1), shift) for shift in (-1, 0, 1)]
    days = [found for first in months if (found := _day(first.year, first.month, day))]
    return min(days, key=lambda found: abs((found - today).days)) if days else None


def months_from(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
