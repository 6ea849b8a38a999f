"""Sums of money: '1 500р', '2к', 'полторы тысячи', and bare numbers where only a price can stand."""

from __future__ import annotations

import re

from nlu.text.entities.line import Line
from nlu.text.entities.numerals import ORDINALS, UNITS_NOT_MONEY, is_currency, multiplier, read_numeral
from nlu.text.words import grammemes, parses, words_of

_PLAIN = re.compile(r"(?<![\d.,:/-])(?<!\d )(\d{1,3}(?:[ \u00a0.]\d{3})+|\d+)(?:[.,](\d{1,2}))?(?![\d])")
_NOT_MONEY_NEXT = words_of("раз извинение год лет день месяц причина мелочь человек штука очко чертов благодарность")


def find_marked(line: Line) -> None:
    """Find sums with a unit: rubles, thousands, signs of currency; in digits or in words."""
    for match in _PLAIN.finditer(line.text):
        value = _value(match)
        if line.text[match.end() :].lstrip()[:1] in ("₽", "$", "€"):
            end = line.text.index(line.text[match.end() :].lstrip()[0], match.end()) + 1
            line.take("amount", _tidy(value), match.start(), end)
            continue
        found = _units(line, match.start(), match.end(), value)
        if found:
            line.take("amount", _tidy(found[0]), match.start(), found[1])
    _find_in_words(line)


def _value(match: re.Match[str]) -> float:
    whole = float(re.sub(r"[^\d]", "", match[1]))
    return whole + float("0." + match[2]) if match[2] else whole


def _units(line: Line, start: int, end: int, value: float) -> tuple[float, int] | None:
    """Read the units after a number in digits: 'тыс руб', 'к', 'рублей 50 копеек'."""
    index = line.index_at(end)
    if index >= len(line.tokens) or line.text[end : line.tokens[index].start].strip(" .\u00a0"):
        return None
    token = line.tokens[index]
    glued = token.start == end
    factor = multiplier(token)
    if (
        factor
        and token.norm != "штука"
        and token.lemma != "штука"
        and (len(token.norm) > 1 or glued or token.norm == "т")
    ):
        value, end = value * factor, token.end
        index += 1
        following = line.tokens[index] if index < len(line.tokens) else None
        if token.norm == "т" and not (following and following.norm in ("р", "руб")):
            return None
        if following and line.adjacent(index - 1, index) and is_currency(following.norm):
            end = following.end
        elif _counts_things(line, line.index_at(start), end) or _named_before(line, start):
            return None
        return value, end
    if not is_currency(token.norm) or (token.norm in ("r", "p") and not glued):
        return None
    if token.norm.startswith("коп"):
        value = value / 100
    return value, token.end


def _find_in_words(line: Line) -> None:
    index = 0
    while index < len(line.tokens):
        numeral = read_numeral(line.tokens, index)
        if numeral is None:
            if is_currency(line.tokens[index].norm) and len(line.tokens[index].norm) > 3:
                _take_inverted(line, index)
            index += 1
            continue
        index = numeral.last + 1
        following = line.tokens[index] if index < len(line.tokens) else None
        start, end = line.tokens[numeral.first].start, line.tokens[numeral.last].end
        if following and is_currency(following.norm):
            value = numeral.value / 100 if following.norm.startswith("коп") else numeral.value
            line.take("amount", _tidy(value), start, following.end)
        elif _counts_things(line, numeral.first, end):
            continue
        elif numeral.value >= 100 and ((numeral.thousands and numeral.words > 1) or _priced(line, start)):
            line.take("amount", _tidy(numeral.value), start, end)


def _take_inverted(line: Line, index: int) -> None:
    """Take 'рублей двести': about two hundred."""
    numeral = read_numeral(line.tokens, index + 1)
    if numeral and numeral.value >= 10:
        line.take("amount", _tidy(numeral.value), line.tokens[index].start, line.tokens[numeral.last].end)


# Words that make a bare number near them a price.
_PRICE_LEMMAS = words_of(
    "стоить цена сумма стоимость оплатить заплатить платить списать списаться снять сняться вернуть вернуться перевести "
    "потратить баланс скидка долг лимит всего итого купон доплатить внести списание зачислить начислить переплата штраф "
    "отдать отдавать доплата остаток минус задолженность остаться оплата сертификат накопить заработать комиссия ценник "
    "чек минимум вывести вывод выйти насчитать обойтись наложка кошелек пополнить положить выплата недостача удержать "
    "вычесть высчитать страховка плата подписка рубль деньги премия взнос платеж уйти уходить улетать убегать тянуть "
    "слететь пропасть полагаться порог взять предоплата налог депозит требовать ущерб оценить моральный выписка акт "
    "минималка начисление прилететь капать накапать набежать доход предложить оценочный номинал вместо наличка касса "
    "возвратить дойти прийти вычет кэшбэк закинуть корзина покупка дорогой дешевый дешевле дорого тариф доставка стать "
    "быть показать висеть лежать аванс разница перечислить пересчитать кредитка банкомат пополнять отправить сбережение "
    "заработок стоимостной прайс подешеветь подорожать нал наличные зарплата пенсия"
)
_PRICE_LINKS = words_of("за на по от до с вместо из минус почти ровно целый эти те мои ваши минимум максимум")
_NOT_PRICE_BEFORE = words_of(
    "размер рост код артикул арт дом квартира кв этаж подъезд корпус год страница стр ошибка версия модель индекс номер "
    "каталог отделение офис пункт статья возраст подпись в к карта линия школа автобус глава кабинет серия заказ № n ip "
    "посылка группа домофон участок"
) - {"карта", "пункт"}
_SMALLEST_BARE, _LARGEST_BARE = 90, 999_999
_REACH = 6


def find_bare(line: Line) -> None:
    """Find numbers without a unit where only a price can stand: 'за 4500', 'списали 199', 'телевизор 21 990'."""
    for match in _PLAIN.finditer(line.text):
        value = _value(match)
        if not _SMALLEST_BARE <= value <= _LARGEST_BARE and not (match[2] and len(match[2]) == 2):
            continue
        if not line.free(*match.span()) or _touches_word(line, *match.span()) or _spelled_unit(line, match.end()):
            continue
        index = line.index_at(match.start())
        if _counts_things(line, index, match.end()):
            continue
        spaced = bool(re.search(r"[ \u00a0]\d{3}$", match[1])) and value >= 1000
        if _named_before(line, match.start(), but_in=spaced) or _points_near(line, match.start()):
            continue
        year = match[1].isdigit() and 2010 <= value <= 2035
        if spaced or _priced(line, match.start(), surely=year):
            line.take("amount", _tidy(value), *match.span())


def _named_before(line: Line, start: int, *, but_in: bool = False) -> bool:
    """Tell whether the word before says what the number is: a size, a code, a house."""
    before = line.before(start)
    if not before or (but_in and before[0].norm == "в"):
        return False
    return before[0].norm in _NOT_PRICE_BEFORE or before[0].lemma in _NOT_PRICE_BEFORE


def _points_near(line: Line, start: int) -> bool:
    """Tell whether bonus points are spoken of, not money."""
    return any(token.lemma in ("балл", "бонус") for token in line.before(start, _REACH))


def _spelled_unit(line: Line, end: int) -> bool:
    return re.match(r"\s*[%°*+]|-\w|:\d|[xх]\d", line.text[end : end + 3]) is not None


def _touches_word(line: Line, start: int, end: int) -> bool:
    """Tell whether letters or number signs touch the number."""
    return (
        bool(re.search(r"[^\W\d_]|[№#*]\s?$", line.text[max(0, start - 1) : start]))
        or line.text[end : end + 1].isalpha()
    )


def _counts_things(line: Line, first: int, end: int) -> bool:
    """Tell whether the number counts things: 'сто вёрст', '1000 просмотров', 'просмотров 40 тысяч'."""
    before = line.tokens[first - 1] if first else None
    if before and before.lemma in UNITS_NOT_MONEY and before.lemma not in ("цифра", "месяц", "год", "раз", "день"):
        return "gent" in grammemes(before.norm) and "plur" in grammemes(before.norm)
    following = line.after(end)
    if not following or line.text[end : following[0].start].strip():
        return False
    word = following[0]
    if word.lemma in UNITS_NOT_MONEY or word.lemma in _NOT_MONEY_NEXT or word.lemma in ORDINALS:
        return True
    best = parses(word.norm)[0].tag.grammemes
    return {"NOUN", "gent", "plur"} <= best and word.lemma not in ("деньги", "мой")


def _priced(line: Line, start: int, *, surely: bool = False) -> bool:
    """Tell whether the words around speak of a price; `surely`: right before."""
    words = line.before(start, 1 if surely else _REACH)
    if not words:
        return any(token.lemma in _PRICE_LEMMAS for token in line.after(start, 4))
    if words[0].norm == "за" and not surely:
        return True
    if any(token.lemma in _PRICE_LEMMAS for token in words):
        return True
    return not surely and words[0].norm in _PRICE_LINKS and any(token.lemma in _PRICE_LEMMAS for token in line.tokens)


def _tidy(value: float) -> int | float:
    """Return whole sums as int."""
    rounded = round(value, 2)
    return int(rounded) if rounded == int(rounded) else rounded
