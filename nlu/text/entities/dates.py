"""Dates on the calendar and dates counted from today, as ISO dates.

A day without a year is the one nearest to today; a weekday looks back or ahead by the tense of the verb beside it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

from nlu.text.entities.line import Line
from nlu.text.entities.numerals import ORDINALS, UNITS_NOT_MONEY, is_money_unit, read_numeral
from nlu.text.words import grammemes, parses

_MONTHS = {
    name: number
    for number, name in enumerate(
        "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь".split(), start=1
    )
}
_MONTHS |= dict(янв=1, фев=2, февр=2, мар=3, апр=4, авг=8, сен=9, сент=9, окт=10, ноя=11, нояб=11, дек=12)
_MONTHS |= dict(marta=3, maya=5, yanvarya=1, fevralya=2, aprelya=4, iyunya=6, iyulya=7)
_WEEKDAYS = {
    name: number
    for number, name in enumerate("понедельник вторник среда четверг пятница суббота воскресенье".split())
}
_SHORT_WEEKDAYS = dict(пн=0, вт=1, ср=2, чт=3, пт=4, сб=5, вс=6)

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
        if (month := _MONTHS.get(token.lemma) or _MONTHS.get(token.norm)) and not _is_other_word(token.norm):
            _take_month(line, index, month, today)
        elif token.norm in ("числа", "число"):
            read = _day_before(line, index)
            if read:
                _take(line, _near_day(read[0], today), read[1], token.end)
    for match in _DAY_ENDING.finditer(line.text):
        following = line.after(match.end())
        if not following or following[0].lemma not in UNITS_NOT_MONEY | _MEASURED:
            _take(line, _near_day(int(match[1]), today), *match.span())


_MEASURED = frozenset("размер этаж класс сутки раз заказ товар место".split())


def _is_other_word(norm: str) -> bool:
    return norm in ("мар", "сен", "мая") and norm != "мая"


def _take(line: Line, found: date | None, start: int, end: int) -> bool:
    return found is not None and line.take("date", found.isoformat(), start, end)


def _take_dotted(line: Line, match: re.Match[str], today: date) -> None:
    day, month = int(match[1]), int(match[3])
    following = line.after(match.end())
    counted = following and following[0].start - match.end() <= 1 and (
        following[0].lemma in UNITS_NOT_MONEY - {"год", "г"} or is_money_unit(following[0].norm)
    )
    if match[4]:
        year = int(match[4]) + (2000 if len(match[4]) == 2 else 0)
        _take(line, _day(year, month, day), *match.span())
    elif match[2] != "-" and len(match[3]) == 2 and not counted and line.text[match.end() :].lstrip()[:1] not in ("%", "₽"):
        if not (match[2] == "/" and any(token.lemma in _HOUSE for token in line.before(match.start(), 3))):
            _take(line, _nearest(month, day, today), *match.span())


_HOUSE = frozenset("улица ул дом д адрес проспект переулок".split())


def _take_month(line: Line, index: int, month: int, today: date) -> None:
    """Take a month with its day and year, or alone after a preposition."""
    token = line.tokens[index]
    end, year = token.end, None
    for following in line.tokens[index + 1 : index + 2]:
        if re.fullmatch(r"(19|20)\d\d", following.norm) and following.start - token.end <= 2:
            year, end = int(following.norm), following.end
    read = _day_before(line, index)
    if read:
        found = _day(year, month, read[0]) if year else _nearest(month, read[0], today)
        if _take(line, found, read[1], end):
            _take_range_start(line, read[1], month, today)
            return
    if index == 0:
        return
    before = line.tokens[index - 1]
    if before.norm in ("в", "на") and line.adjacent(index - 1, index):
        start = before.start
    elif before.norm in ("с", "до", "к", "от", "по", "за", "ко", "со") or before.lemma in _MONTH_PARTS:
        start = before.start if before.lemma in _MONTH_PARTS else token.start
    else:
        return
    day = _MONTH_PARTS.get(before.lemma, 1)
    found = _day(year, month, min(day, 28)) if year else _nearest(month, min(day, 28), today)
    _take(line, found, start, end)


_MONTH_PARTS = {"начало": 1, "середина": 15, "конец": 28}


def _take_range_start(line: Line, position: int, month: int, today: date) -> None:
    """Take the first day of 'с 1 по 8 января'."""
    words = line.before(position, 3)
    if len(words) == 3 and words[0].norm in ("по", "до") and words[1].norm.isdigit() and words[2].norm in ("с", "от"):
        _take(line, _nearest(month, int(words[1].norm), today), words[1].start, words[1].end)


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


def _nearest(month: int, day: int, today: date) -> date | None:
    """Return the day of that month which is nearest to today."""
    days = [found for year in (-1, 0, 1) if (found := _day(today.year + year, month, day))]
    return min(days, key=lambda found: abs((found - today).days)) if days else None


def _near_day(day: int, today: date) -> date | None:
    """Return the nearest date with this day of the month."""
    months = [_months_from(today.replace(day=1), shift) for shift in (-1, 0, 1)]
    days = [found for first in months if (found := _day(first.year, first.month, day))]
    return min(days, key=lambda found: abs((found - today).days)) if days else None


def _months_from(start: date, months: int) -> date:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))


# ── Counted from today ───────────────────────────────────────────────────────────────────────────
_DAYS = {"позавчера": -2, "вчера": -1, "сегодня": 0, "завтра": 1, "послезавтра": 2, "вчерась": -1, "позавчерась": -2}
_STEPS = {
    "день": 1, "денек": 1, "сутки": 1, "неделя": 7, "неделька": 7, "недель": 7, "дня": 1, "дней": 1,
    "месяц": -1, "месяцок": -1, "год": -12, "лет": -12, "годик": -12, "полгода": -6,
}  # fmt: skip
"""Days in a unit; below zero: months."""
_LAST = frozenset("прошлый прошедший прошлой той тот том ту позапрошлый предыдущий".split())
_NEXT = frozenset("следующий след будущий ближайший следущий".split())
_THIS = frozenset("этот текущий нынешний".split())
_VAGUE = {"несколько": 3, "пара": 2, "пару": 2}


def find_relative(line: Line, today: date) -> None:
    """Find dates said from today's point of view: вчера, две недели назад, в прошлый вторник, через три дня."""
    for start, end, found in _relative(line, today):
        line.take("date", found.isoformat(), start, end)


def _relative(line: Line, today: date) -> Iterator[tuple[int, int, date]]:
    for index, token in enumerate(line.tokens):
        if token.norm in _DAYS:
            yield token.start, token.end, today + timedelta(days=_DAYS[token.norm])
        elif token.norm in ("назад", "взад", "тому"):
            yield from _ago(line, index, today)
        elif token.norm == "через":
            yield from _in_a_while(line, index, today)
        elif token.lemma in _WEEKDAYS or token.norm in _SHORT_WEEKDAYS:
            yield from _weekday(line, index, today)
        elif token.lemma in ("неделя", "месяц", "год", "выходной", "выходные"):
            yield from _period(line, index, today)
        elif token.norm in ("весной", "летом", "осенью", "зимой"):
            month = {"весной": 3, "летом": 6, "осенью": 9, "зимой": 12}[token.norm]
            yield token.start, token.end, _nearest(month, 1, today) or today
        elif (day := ORDINALS.get(token.lemma)) and token.norm.endswith(("ого", "его")):
            yield from _bare_ordinal(line, index, day, today)


def _shifted(today: date, unit: str, count: float) -> date | None:
    step = _STEPS.get(unit)
    if step is None:
        return None
    if step > 0:
        return today + timedelta(days=round(step * count))
    months = -step * count
    return _months_from(today, int(months)) + timedelta(days=round((months - int(months)) * 30))


def _ago(line: Line, index: int, today: date) -> Iterator[tuple[int, int, date]]:
    """Read backwards from 'назад': 'две недели назад', 'недели две назад', 'неделю назад'."""
    for length in (1, 2, 3):
        first = index - length
        if first < 0:
            return
        read = _span_of_time(line, first, index)
        longer = _span_of_time(line, first - 1, index) if first > 0 else None
        if read and not longer:
            found = _shifted(today, read[1], -read[0])
            if found:
                yield line.tokens[first].start, line.tokens[index].end, found
            return


def _in_a_while(line: Line, index: int, today: date) -> Iterator[tuple[int, int, date]]:
    for length in (3, 2, 1):
        last = index + length
        if last < len(line.tokens) and (read := _span_of_time(line, index + 1, last + 1)):
            found = _shifted(today, read[1], read[0])
            if found:
                yield line.tokens[index].start, line.tokens[last].end, found
            return


def _span_of_time(line: Line, first: int, stop: int) -> tuple[float, str] | None:
    """Read the words [first, stop) as a count and a unit of time, in either order."""
    words = line.tokens[first:stop]
    units = [token.lemma if token.lemma in _STEPS else token.norm for token in words]
    if len(words) == 1:
        return (1.0, units[0]) if units[0] in _STEPS else None
    if len(words) > 3:
        return None
    for unit, count_words in ((units[-1], words[:-1]), (units[0], words[1:])):
        if unit not in _STEPS:
            continue
        if len(count_words) == 1:
            said = count_words[0].norm
            if said.isdigit():
                return float(said), unit
            if range_said := re.fullmatch(r"(\d+)-(\d+)", said):
                return float(range_said[2]), unit
            if said in _VAGUE:
                return float(_VAGUE[said]), unit
        numeral = read_numeral(count_words, 0)
        if numeral and numeral.last == len(count_words) - 1:
            return numeral.value, unit
    return None


def _weekday(line: Line, index: int, today: date) -> Iterator[tuple[int, int, date]]:
    token = line.tokens[index]
    weekday = _WEEKDAYS.get(token.lemma, _SHORT_WEEKDAYS.get(token.norm, 0))
    if token.norm.endswith(("ам", "ям")) or index == 0:
        if index or token.lemma not in _WEEKDAYS:
            return
    start, hint = token.start, ""
    before = line.tokens[index - 1] if index else None
    if before and before.lemma in ("черный", "ч"):
        return
    if before and (before.lemma in _LAST | _NEXT | _THIS or before.norm in _LAST):
        start, hint = before.start, before.norm if before.norm in _LAST else before.lemma
        before = line.tokens[index - 2] if index > 1 else None
    if before and before.norm in ("в", "во"):
        start = before.start
    elif not hint and not (before and before.norm in _BEFORE_WEEKDAY) and token.norm not in _NAKED_WEEKDAYS:
        return
    past = hint in _LAST or (hint not in _NEXT | _THIS and _looks_back(line, index, before.norm if before else ""))
    ahead = (weekday - today.weekday()) % 7
    if past:
        yield start, token.end, today - timedelta(days=(7 - ahead) % 7 or 7)
    else:
        yield start, token.end, today + timedelta(days=(ahead or 7) + (7 if hint in ("следующий", "будущий") and ahead + today.weekday() < 7 and ahead else 0))


_BEFORE_WEEKDAY = frozenset("с со до к ко на по и или либо от".split())
_NAKED_WEEKDAYS = frozenset("понедельник вторник четверг пятницу субботу воскресенье воскресение".split())


def _looks_back(line: Line, index: int, preposition: str) -> bool:
    """Tell by the nearest verb whether a weekday is past."""
    if preposition in ("до", "к", "ко"):
        return False
    order = sorted(range(max(0, index - 7), min(len(line.tokens), index + 7)), key=lambda other: abs(other - index))
    for other in order:
        tags = parses(line.tokens[other].norm)[0].tag.grammemes
        if "VERB" in tags or "INFN" in tags:
            return "past" in tags
    return preposition in ("с", "со", "от")


def _period(line: Line, index: int, today: date) -> Iterator[tuple[int, int, date]]:
    """Read 'на той неделе', 'в прошлом месяце', 'в прошлом году', 'в выходные', 'до конца месяца', '2022 года'."""
    token = line.tokens[index]
    if index == 0:
        return
    before = line.tokens[index - 1]
    if token.lemma == "год":
        if before.lemma == "новый":
            yield before.start, token.end, date(today.year + 1, 1, 1)
            return
        if re.fullmatch(r"20[0-3]\d", before.norm):
            yield before.start, token.end, date(int(before.norm), 1, 1)
            return
    if token.lemma in ("выходной", "выходные"):
        if before.norm in ("в", "на"):
            ahead = (5 - today.weekday()) % 7
            past = _looks_back(line, index, before.norm)
            yield before.start, token.end, today + timedelta(days=ahead - 7 if past else ahead)
        return
    shift = -1 if before.lemma in _LAST or before.norm in _LAST else 1 if before.lemma in _NEXT else 0
    part = _MONTH_PARTS.get(before.lemma)
    if not shift and before.lemma not in _THIS and part is None:
        return
    start = before.start
    if index > 1 and line.tokens[index - 2].norm in ("в", "на", "во"):
        start = line.tokens[index - 2].start
    elif part is None and not (index > 1 and line.tokens[index - 2].norm in ("с", "со", "до", "к", "от")):
        if token.lemma != "год" and "gent" not in grammemes(token.norm):
            return
    if token.lemma == "неделя":
        monday = today - timedelta(days=today.weekday())
        yield start, token.end, monday + timedelta(days=7 * shift + (6 if part == 28 else 0))
    elif token.lemma == "месяц":
        first = _months_from(today.replace(day=1), shift)
        yield start, token.end, first if part != 28 else first.replace(day=monthrange(first.year, first.month)[1])
    else:
        yield start, token.end, date(today.year + shift, 12, 31) if part == 28 else date(today.year + shift, 1, 1)


def _bare_ordinal(line: Line, index: int, day: int, today: date) -> Iterator[tuple[int, int, date]]:
    """Read 'снимут пятого': an ordinal without the word for the day, unless it belongs to a noun."""
    token = line.tokens[index]
    start = token.start
    tens = line.tokens[index - 1].lemma if index else ""
    if tens in ("двадцать", "тридцать") and day < 10:
        day, start = day + (20 if tens == "двадцать" else 30), line.tokens[index - 1].start
    following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
    if day < 3 or following and line.adjacent(index, index + 1):
        if day < 3:
            return
        tags = parses(following.norm)[0].tag.grammemes if following else frozenset()
        if "gent" in tags and ("NOUN" in tags or "ADJF" in tags):
            return
    if index and line.tokens[index - 1].norm in ("с", "до", "к", "от", "на", "у", "без", "из", "для", "около"):
        if line.tokens[index - 1].norm in ("у", "без", "из", "для", "на", "около"):
            return
    found = _near_day(day, today)
    if found:
        yield start, token.end, found
