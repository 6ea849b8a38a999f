"""Sums of money: '1 500р', '2к', 'полторы тысячи', and bare numbers where only a price can stand."""

from __future__ import annotations

import re

from nlu.text.entities.line import Line
from nlu.text.entities.numerals import (
    UNITS_NOT_MONEY,
    is_currency,
    is_money_unit,
    multiplier,
    read_numeral,
)

_PLAIN = re.compile(r"(?<![\d.,:/-])(?<!\d )(\d{1,3}(?:[ \u00a0.]\d{3})+|\d+)(?:[.,](\d{1,2}))?(?![\d])")
_NOT_MONEY_NEXT = frozenset("раз извинение год лет день месяц причина мелочь человек штука очко чертов благодарность".split())


def find_marked(line: Line) -> None:
    """Find sums with a unit: rubles, thousands, signs of currency; in digits or in words."""
    for match in _PLAIN.finditer(line.text):
        value = _value(match)
        if line.text[match.end() :].lstrip()[:1] in ("₽", "$", "€"):
            end = line.text.index(line.text[match.end() :].lstrip()[0], match.end()) + 1
            line.take("amount", _tidy(value), match.start(), end)
            continue
        found = _units(line, match.end(), value)
        if found:
            line.take("amount", _tidy(found[0]), match.start(), found[1])
    _find_in_words(line)


def _value(match: re.Match[str]) -> float:
    whole = float(re.sub(r"[^\d]", "", match[1]))
    return whole + float("0." + match[2]) if match[2] else whole


def _units(line: Line, end: int, value: float) -> tuple[float, int] | None:
    """Read the units after a number in digits: 'тыс руб', 'к', 'рублей 50 копеек'."""
    index = line.index_at(end)
    if index >= len(line.tokens) or line.text[end : line.tokens[index].start].strip(" .\u00a0"):
        return None
    token = line.tokens[index]
    glued = token.start == end
    factor = multiplier(token)
    if factor and token.norm != "штука" and token.lemma != "штука" and (len(token.norm) > 1 or glued or token.norm == "т"):
        value, end = value * factor, token.end
        index += 1
        following = line.tokens[index] if index < len(line.tokens) else None
        if token.norm == "т" and not (following and following.norm in ("р", "руб")):
            return None
        if following and line.adjacent(index - 1, index) and is_currency(following.norm):
            end = following.end
        elif following and following.lemma in UNITS_NOT_MONEY | _NOT_MONEY_NEXT:
            return None
        return value, end
    if not is_currency(token.norm) or token.norm in ("r", "p") and not glued:
        return None
    if token.norm.startswith("коп"):
        value = value / 100
    return value, token.end


def _find_in_words(line: Line) -> None:
    index = 0
    while index < len(line.tokens):
        numeral = read_numeral(line.tokens, index)
        if numeral is None:
            index += 1
            continue
        index = numeral.last + 1
        following = line.tokens[index] if index < len(line.tokens) else None
        currency = following is not None and is_currency(following.norm)
        start, end = line.tokens[numeral.first].start, line.tokens[numeral.last].end
        if currency and following:
            value = numeral.value / 100 if following.norm.startswith("коп") else numeral.value
            line.take("amount", _tidy(value), start, following.end)
        elif following and (following.lemma in UNITS_NOT_MONEY or following.lemma in _NOT_MONEY_NEXT):
            continue
        elif numeral.thousands and (numeral.words > 1 or _priced(line, start)):
            line.take("amount", _tidy(numeral.value), start, end)
        elif numeral.value >= 100 and _priced(line, start):
            line.take("amount", _tidy(numeral.value), start, end)


# A bare number after these is a price.
_PRICE_LEMMAS = frozenset(
    "стоить цена сумма стоимость оплатить заплатить платить списать списаться снять сняться вернуть перевести потратить "
    "баланс скидка долг лимит всего итого купон доплатить внести списание зачислить начислить возврат переплата штраф "
    "отдать взять доплата остаток минус задолженность счет остаться оплата висеть сертификат накопить заработать "
    "комиссия ценник чек минимум вывести прислать вернуться выйти насчитать обойтись наложка прийти не".split()
) - {"не", "прийти", "прислать"}
_PRICE_LINKS = frozenset("на в за по до от с ровно целый аж около где-то примерно еще уже все мой мне я вы там было".split())
_SMALLEST_BARE = 50
_LARGEST_BARE = 999_999


def find_bare(line: Line) -> None:
    """Find numbers without a unit that stand where a price does: 'за 4500', 'списали 199', 'на балансе 1200'."""
    for match in _PLAIN.finditer(line.text):
        value = _value(match)
        if not _SMALLEST_BARE <= value <= _LARGEST_BARE or not line.free(*match.span()):
            continue
        if _counted(line, match.end()) or _is_part(line, *match.span()):
            continue
        if _priced(line, match.start()):
            line.take("amount", _tidy(value), *match.span())


def _counted(line: Line, end: int) -> bool:
    if re.match(r"\s*[%°*]|-\w|:\d", line.text[end : end + 3]):
        return True
    following = line.after(end)
    return bool(following) and following[0].start - end <= 1 and following[0].lemma in UNITS_NOT_MONEY


def _is_part(line: Line, start: int, end: int) -> bool:
    """Tell whether letters touch the number."""
    return line.text[start - 1 : start].isalpha() or line.text[end : end + 1].isalpha()


def _priced(line: Line, start: int) -> bool:
    """Tell whether the words before speak of a price."""
    words = line.before(start, 4)
    if not words:
        return False
    if words[0].norm == "за" and start - words[0].end <= 1:
        return True
    for token in words:
        if token.lemma in _PRICE_LEMMAS:
            return True
        if token.norm not in _PRICE_LINKS and token.lemma not in _PRICE_LINKS:
            return False
    return False


def _tidy(value: float) -> int | float:
    """Return whole sums as int."""
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
