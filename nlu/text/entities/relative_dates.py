"""Dates said from today's point of view, as ISO dates: вчера, две недели назад, в прошлый вторник, через три дня.

A weekday looks back or ahead by the tense of the verb beside it.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta

from nlu.text.entities.dates import MONTH_PARTS, months_from, near_day
from nlu.text.entities.line import Line
from nlu.text.entities.numerals import ORDINALS, UNITS_NOT_MONEY, is_money_unit, read_numeral
from nlu.text.normalise import Token
from nlu.text.words import grammemes, parses, words_of

_WEEKDAYS = {
    "понедельник": 0, "вторник": 1, "среда": 2, "четверг": 3, "пятница": 4, "суббота": 5, "воскресенье": 6,
    "воскресение": 6,
}  # fmt: skip
_SHORT_WEEKDAYS = {"пн": 0, "вт": 1, "ср": 2, "чт": 3, "пт": 4, "сб": 5, "вс": 6}
_DAYS = {"позавчера": -2, "вчера": -1, "сегодня": 0, "завтра": 1, "послезавтра": 2, "вчерась": -1, "позавчерась": -2}
_STEPS = {
    "день": 1, "денек": 1, "сутки": 1, "неделя": 7, "неделька": 7, "недель": 7, "дня": 1, "дней": 1,
    "месяц": -1, "месяцок": -1, "год": -12, "лет": -12, "годик": -12, "полгода": -6,
}  # fmt: skip
"""Days in a unit; below zero: months."""
_LAST = words_of("прошлый прошедший прошлой той тот том ту позапрошлый предыдущий")
_NEXT = words_of("следующий след будущий ближайший следущий")
_THIS = words_of("этот текущий нынешний")
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
            if _looks_back(line, index, ""):
                yield token.start, token.end, _last_first(month, today)
        elif re.fullmatch(r"20[12]\d", token.norm) and index and line.tokens[index - 1].norm == "в":
            if not line.text[token.end :].lstrip()[:1].isalpha() or not _measured_after(line, index):
                yield line.tokens[index - 1].start, token.end, date(int(token.norm), 1, 1)
        elif (day := ORDINALS.get(token.lemma)) and token.norm.endswith(("ого", "его")):
            yield from _bare_ordinal(line, index, day, today)


def _last_first(month: int, today: date) -> date:
    """Return the first of the last such month."""
    return date(today.year - (month > today.month), month, 1)


def _measured_after(line: Line, index: int) -> bool:
    following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
    return following is not None and (following.lemma in UNITS_NOT_MONEY or is_money_unit(following.norm))


def _shifted(today: date, unit: str, count: float) -> date | None:
    step = _STEPS.get(unit)
    if step is None:
        return None
    if step > 0:
        return today + timedelta(days=round(step * count))
    months = -step * count
    return months_from(today, int(months)) + timedelta(days=round((months - int(months)) * 30))


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
    if token.norm.endswith(("ам", "ям")) or (index == 0 and token.lemma not in _WEEKDAYS):
        return
    start, hint = token.start, ""
    before = line.tokens[index - 1] if index else None
    if before and before.lemma in ("черный", "ч"):
        return
    if before and (before.lemma in _NEXT | _THIS or _is_last(before)):
        start, hint = before.start, "прошлый" if _is_last(before) else before.lemma
        before = line.tokens[index - 2] if index > 1 else None
    if before and before.norm in ("в", "во"):
        start = before.start
    elif not hint and not (before and before.norm in _BEFORE_WEEKDAY):
        around = [word.norm for word in line.tokens[max(0, index - 2) : index]]
        if token.norm not in _NAKED_WEEKDAYS or "сегодня" in around:
            return
    past = hint in _LAST or (hint not in _NEXT | _THIS and _looks_back(line, index, before.norm if before else ""))
    ahead = (weekday - today.weekday()) % 7
    if past:
        shift = ahead - 7
    elif hint in _NEXT:
        shift = weekday - today.weekday() + 7
    else:
        shift = ahead or 7
    yield start, token.end, today + timedelta(days=shift)


def _is_last(token: Token) -> bool:
    return token.lemma in _LAST or token.norm in _LAST or token.norm.startswith("прошл")


_BEFORE_WEEKDAY = words_of("с со до к ко на по и или либо от")
_NAKED_WEEKDAYS = words_of("понедельник вторник четверг пятницу субботу воскресенье воскресение")


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
    shift = -1 if _is_last(before) else 1 if before.lemma in _NEXT else 0
    part = MONTH_PARTS.get(before.lemma)
    if not shift and before.lemma not in _THIS and part is None:
        return
    start = before.start
    if index > 1 and line.tokens[index - 2].norm in ("в", "на", "во"):
        start = line.tokens[index - 2].start
    bound = index > 1 and line.tokens[index - 2].norm in ("в", "на", "во", "с", "со", "до", "к", "от")
    if not bound and part is None and token.lemma != "год" and "gent" not in grammemes(token.norm):
        return
    if token.lemma == "неделя":
        monday = today - timedelta(days=today.weekday())
        yield start, token.end, monday + timedelta(days=7 * shift + (6 if part == 28 else 0))
    elif token.lemma == "месяц":
        first = months_from(today.replace(day=1), shift)
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
    if day < 3 or (
        index
        and line.tokens[index - 1].norm
        in ("у", "без", "из", "для", "на", "около", "пол", "тысячи", "сорок", "пятьдесят", "шестьдесят")
    ):
        return
    if following and line.adjacent(index, index + 1):
        tags = parses(following.norm)[0].tag.grammemes
        if "gent" in tags and ("NOUN" in tags or "ADJF" in tags):
            return
    found = near_day(day, today)
    if found:
        yield start, token.end, found
