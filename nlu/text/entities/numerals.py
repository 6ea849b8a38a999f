"""Numbers as customers write them, in digits and in words, and the units that tell what they count."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nlu.text.normalise import Token
from nlu.text.words import words_of

_CARDINALS: dict[str, int] = {
    "ноль": 0, "один": 1, "два": 2, "три": 3, "четыре": 4, "пять": 5, "шесть": 6, "семь": 7, "восемь": 8,
    "девять": 9, "десять": 10, "одиннадцать": 11, "двенадцать": 12, "тринадцать": 13, "четырнадцать": 14,
    "пятнадцать": 15, "шестнадцать": 16, "семнадцать": 17, "восемнадцать": 18, "девятнадцать": 19, "двадцать": 20,
    "тридцать": 30, "сорок": 40, "пятьдесят": 50, "шестьдесят": 60, "семьдесят": 70, "восемьдесят": 80,
    "девяносто": 90, "сто": 100, "двести": 200, "триста": 300, "четыреста": 400, "пятьсот": 500, "шестьсот": 600,
    "семьсот": 700, "восемьсот": 800, "девятьсот": 900,
}  # fmt: skip
_SPOKEN = {
    "две": 2, "двух": 2, "трех": 3, "пару": 2, "пара": 2, "пол": 0.5, "пятьсот": 500, "пятсот": 500, "шестсот": 600,
    "сотка": 100, "сотню": 100, "сотня": 100, "сотку": 100, "пол-": 0.5, "полсотни": 50, "пятихатка": 500,
    "пятихатку": 500, "пятьдесят": 50, "писят": 50, "полтинник": 50, "двадцатка": 20, "тыща": 1000,
}  # fmt: skip
_MULTIPLIERS = {"тысяча": 1000, "тыща": 1000, "тыс": 1000, "т": 1000, "к": 1000, "k": 1000, "кк": 1_000_000,
                "миллион": 1_000_000, "млн": 1_000_000, "лям": 1_000_000, "косарь": 1000, "штука": 1000, "тыр": 1000,
                "тр": 1000}  # fmt: skip
_SPOKEN_MULTIPLIERS = {"тыщ": 1000, "тыщи": 1000, "тыщу": 1000, "тысяч": 1000, "тыщами": 1000, "тысячи": 1000}
_ONE_AND_A_HALF = frozenset(("полтора", "полторы", "полутора"))

ORDINALS: dict[str, int] = {
    "первый": 1, "второй": 2, "третий": 3, "четвертый": 4, "пятый": 5, "шестой": 6, "седьмой": 7, "восьмой": 8,
    "девятый": 9, "десятый": 10, "одиннадцатый": 11, "двенадцатый": 12, "тринадцатый": 13, "четырнадцатый": 14,
    "пятнадцатый": 15, "шестнадцатый": 16, "семнадцатый": 17, "восемнадцатый": 18, "девятнадцатый": 19,
    "двадцатый": 20, "тридцатый": 30,
}  # fmt: skip

_MONEY_UNITS = words_of(
    "р руб рубль рублик rub rubley rublei rubles ruble roubles r копейка коп копеек копейки доллар "
    "евро тенге бакс баксов деревянный p целковый"
)
UNITS_NOT_MONEY = words_of(
    "день дня дней сутки неделя месяц год лет г гг час ч минута мин секунда сек раз штука шт пара упаковка пачка "
    "коробка комплект человек метр м см мм км кг гр грамм г килограмм л литр мл вт ватт вольт мач гб мб тб дюйм размер "
    "градус процент балл бонус бонусный балловый страница этаж квартира кв кусок рулон предмет мешок мг очко очки "
    "балл б mah товар позиция просмотр подписчик лайк зритель километр верста глазок охват ватт пункт вещь заказ посылка звонок сообщение смс цифра знак символ число"
) - {"заказ", "посылка"}


def is_money_unit(norm: str) -> bool:
    """Tell whether a word is a unit of money: 'рублей', 'руб', 'р', 'тыщ', 'к'."""
    return (
        norm in _MONEY_UNITS
        or norm.startswith(("рубл", "руп", "копе", "тысяч", "тыщ", "косар", "тенге"))
        or (norm in _MULTIPLIERS and norm not in ("т", "штука"))
    )


def is_currency(norm: str) -> bool:
    """Tell whether a word names a currency, not only thousands."""
    return norm in _MONEY_UNITS or norm.startswith(("рубл", "руп", "копе", "тенге"))


def cardinal(token: Token) -> float | None:
    """Return the number a word says: 'пять', 'двух', 'пару'."""
    return _SPOKEN.get(token.norm, _CARDINALS.get(token.lemma))


def multiplier(token: Token) -> int | None:
    """Return the factor a word says: 'тысяч', 'к', 'млн'."""
    return _SPOKEN_MULTIPLIERS.get(token.norm) or _MULTIPLIERS.get(token.norm) or _MULTIPLIERS.get(token.lemma)


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number said in words: tokens `first` to `last` (included) say `value`."""

    value: float
    first: int
    last: int
    thousands: bool
    """Whether the word for thousand occurs in it."""
    words: int


def read_numeral(tokens: Sequence[Token], first: int) -> Numeral | None:
    """Read a number in words that starts at a token: 'две тысячи триста', 'полторы тысячи', 'три двести' (3200)."""
    total, group, index, thousands, last_size = 0.0, 0.0, first, False, 10_000.0
    while index < len(tokens):
        token = tokens[index]
        number = cardinal(token)
        if token.norm in _ONE_AND_A_HALF:
            group, last_size = 1.5, 1
        elif number is not None:
            size = 100 if number >= 100 else 10 if number >= 10 else 1
            if size >= last_size or (last_size == 10 and 10 <= group % 100 < 20):
                if size != 100 or thousands or not 0 < group < 100:
                    break
                total, group, thousands = group * 1000, 0.0, True
            group, last_size = group + number, size
        elif token.norm in ("сотни", "сотен") and 0 < group < 10:
            group, last_size = group * 100, 100
        elif (
            token.norm == "с"
            and index > first
            and tokens[index + 1 : index + 2]
            and tokens[index + 1].norm == "половиной"
        ):
            group, index = group + 0.5, index + 1
        elif (factor := multiplier(token)) and len(token.norm) > 2 and not thousands and token.lemma != "штука":
            total, group, thousands, last_size = (group or 1) * factor, 0.0, True, 10_000.0
        else:
            break
        index += 1
    if index == first:
        return None
    return Numeral(total + group, first, index - 1, thousands, index - first)
