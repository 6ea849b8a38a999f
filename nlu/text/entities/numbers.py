"""Tracking numbers, phones and order numbers: told apart by shape and by the words around, the longest first."""

from __future__ import annotations

import re

import phonenumbers

from nlu.text.entities.line import Line
from nlu.text.entities.numerals import UNITS_NOT_MONEY, is_money_unit
from nlu.text.words import words_of

_REGION = "RU"
_DIGITS = re.compile(r"\d")

# ── Tracking numbers ─────────────────────────────────────────────────────────────────────────────
_UPU = re.compile(
    r"(?<![A-Za-zА-Яа-я\d])(?P<kind>[A-Za-zА-Яа-я]{2})[ -]?(?P<digits>\d(?:[ -]?\d){8})[ -]?"
    r"(?P<country>[A-Za-zА-Яа-я]{2})(?![A-Za-zА-Яа-я\d])"
)
_FOURTEEN = re.compile(r"(?<![\d+])\d(?:[ \u00a0-]?\d){13}(?!\d)")
_LONG_RUN = re.compile(r"(?<![\d+])\d{10,20}(?!\d)")
_TO_LATIN = dict(zip("АВСЕНКМОРТХУЛГИЦЗДЯ", "ABCEHKMOPTXYLGICZDR", strict=True))
_TRACKING_WORDS = words_of("трек трэк треку тречек track trek trak шпи отслеживание отслеживаться отследить")


def find_tracking(line: Line) -> None:
    """Find postal numbers: two letters, nine digits, two letters; or 14 digits; or what is called a track."""
    for match in _UPU.finditer(line.text):
        country = _latin(match["country"])
        value = (
            _latin(match["kind"]) + "".join(_DIGITS.findall(match["digits"])) + ("RU" if country == "PY" else country)
        )
        if value.isascii():
            line.take("tracking_number", value, *match.span())
    for match in _FOURTEEN.finditer(line.text):
        groups = re.findall(r"\d+", match.group())
        if len(groups) == 1 or max(map(len, groups)) <= 6:
            line.take("tracking_number", "".join(groups), *match.span())
    for match in _LONG_RUN.finditer(line.text):
        called = any(token.lemma in _TRACKING_WORDS for token in line.before(match.start(), 3))
        if called or len(match.group()) > 13:
            line.take("tracking_number", match.group(), *match.span())


def _latin(letters: str) -> str:
    return "".join(_TO_LATIN.get(char, char) for char in letters.upper())


# ── Phones ───────────────────────────────────────────────────────────────────────────────────────
_GAP = r"[\s\u00a0()./–—-]{0,3}"
_RUSSIAN = re.compile(rf"(?<![\w+])(?:\+\s?)?[78](?:{_GAP}\d){{10}}(?!\d)")
_ABROAD = re.compile(rf"\+\s?[1-9](?:{_GAP}\d){{7,14}}")
_MOBILE = re.compile(rf"(?<![\d+№#-])\(?9\d{{2}}(?:{_GAP}\d){{7}}(?!\d)")
_AREA_CODE = re.compile(r"(?<![\d+№#-])\(?[348]\d{2,3}\)?[\s-]\d{2,3}-?\d{2}-?\d{2}(?![\d-])")
_CALLED_PHONE = re.compile(r"(?<![\w+-])\d{10,13}(?!\d)")
_PHONE_LEMMAS = words_of(
    "телефон номер тел моб мобильный сотовый звонить позвонить перезвонить набирать набрать звонок вацап whatsapp вотсап "
    "смс связь аккаунт профиль контакт симка сим-карта городской домашний"
)
_ORDER_LEMMAS = words_of("заказ заказик посылка отправление покупка возврат накладная заявка zakaz")


def find_phones(line: Line) -> None:
    """Find phone numbers in any usual writing; those of other countries with a plus."""
    for match in _ABROAD.finditer(line.text):
        _take_longest(line, match)
    for match in _RUSSIAN.finditer(line.text):
        digits = "".join(_DIGITS.findall(match.group()))
        _take_phone(line, "+7" + digits[1:], *match.span())
    for match in _MOBILE.finditer(line.text):
        if not _named_order(line, match.start()):
            start = match.start() + (match.group()[0] == "(" and ")" not in match.group())
            _take_phone(line, "+7" + "".join(_DIGITS.findall(match.group())), start, match.end())
    for match in _AREA_CODE.finditer(line.text):
        digits = "".join(_DIGITS.findall(match.group()))
        if len(digits) == 10 and _near_phone(line, match.start()) and not _named_order(line, match.start()):
            _take_phone(line, "+7" + digits, *match.span())
    for match in _CALLED_PHONE.finditer(line.text):
        if _near_phone(line, match.start(), but="номер"):
            digits = match.group()
            _take_phone(line, "+7" + digits if len(digits) == 10 else "+" + digits, *match.span())


def _near_phone(line: Line, position: int, but: str = "") -> bool:
    return any(token.lemma in _PHONE_LEMMAS and token.lemma != but for token in line.before(position, 3))


def _take_longest(line: Line, match: re.Match[str]) -> None:
    """Take as many digits after a plus as make a valid number: what follows may be another number."""
    places = [match.start() + digit.end() for digit in _DIGITS.finditer(match.group())]
    for end in reversed(places[7:]):
        if line.text[end : end + 1].isdigit():
            continue
        value = "+" + "".join(_DIGITS.findall(line.text[match.start() : end]))
        if _take_phone(line, value, match.start(), end, valid=True):
            return
    _take_phone(line, "+" + "".join(_DIGITS.findall(match.group())), *match.span())


def _take_phone(line: Line, value: str, start: int, end: int, *, valid: bool = False) -> bool:
    try:
        number = phonenumbers.parse(value, _REGION)
    except phonenumbers.NumberParseException:
        return False
    right = phonenumbers.is_valid_number(number) if valid else phonenumbers.is_possible_number(number)
    if not right or (value.startswith("+7") and value[2] not in "345678 9"):
        return False
    return line.take("phone", phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164), start, end)


def _named_order(line: Line, position: int) -> bool:
    words = line.before(position, 2)
    return any(token.lemma in _ORDER_LEMMAS for token in words) or line.text[:position].rstrip()[-1:] in ("№", "#")


# ── Order numbers ────────────────────────────────────────────────────────────────────────────────
_NUMBER = re.compile(r"(?<![\d.,:/+*-])(?<!\d )\d+(?:[-–]\d+)*(?![\d*])")
_GROUPS = re.compile(r"(?<![\d.,:/+*-])\d{1,5}(?:[ \u00a0]\d{2,5})+(?![\d.,:/-]?\d)")
_LOCAL_PHONE = re.compile(r"\d{1,3}-\d\d-\d\d")
_SIGN = re.compile(r"(?:№|#|\bN[o]?\.?)\s*$", re.IGNORECASE)
_CUES = _ORDER_LEMMAS | words_of("номер номерок nomer ном бронь")
_NOT_ORDER_BEFORE = words_of(
    "размер рост артикул арт код дом д кв квартира корпус офис подъезд этаж пин pin карта карточка модель год "
    "штрихкод сертификат промокод цифра вес объем страница стр каталог пункт статья договор счет обращение тикет инн "
    "огрн бик кпп паспорт серия полис версия ошибка участок error балл"
)
_STREET = words_of("улица ул проспект пр пр-т переулок пер шоссе бульвар б-р набережная наб площадь проезд мкр")
_PRICE_BEFORE = words_of(
    "стоить цена сумма стоимость оплатить заплатить платить списать вернуть перевести потратить рубль "
    "баланс скидка долг лимит примерно всего итого купон доплатить внести ущерб кредит наложка оценка получка зарплата "
    "пенсия чек выплата внести комиссия минимум счет"
)
_CANCELS = words_of("отменить отменять аннулировать снять снимать перекинуть выслать отправить")
_REPAID = words_of("вернуть возвратить возвращать возврат деньги")
_TIME_UNITS = words_of("день месяц неделя год час раз минута сутки человек")


def find_orders(line: Line) -> None:
    """Find order numbers: 4 to 10 digits, dashes inside, blanks inside only where an order is spoken of."""
    for match in _GROUPS.finditer(line.text):
        digits = "".join(_DIGITS.findall(match.group()))
        whole = all(len(group) < 4 for group in match.group().split())
        distance = _cue_distance(line, match.start())
        round_sum = digits.endswith("0") or _costs(line, match.start())
        near = distance == 1 or (whole and not round_sum and (distance > 1 or _cancels(line, match.start())))
        if 4 <= len(digits) <= 10 and near and not _measured(line, match.end(), long=True):
            line.take("order_number", digits, *match.span())
    for match in _NUMBER.finditer(line.text):
        digits = "".join(_DIGITS.findall(match.group()))
        if 4 <= len(digits) <= 10 and line.free(*match.span()) and _is_order(line, match, digits):
            line.take("order_number", digits, *match.span())


def _is_order(line: Line, match: re.Match[str], digits: str) -> bool:
    """Judge a number by its shape, by what follows and by what is said before it."""
    start, end = match.span()
    dashed = "-" in match.group() or "–" in match.group()
    if _measured(line, end, long=dashed or len(digits) > 4) or re.match(r"[.,:/]\d", line.text[end : end + 2]):
        return False
    if _LOCAL_PHONE.fullmatch(match.group()) and _near_phone(line, start):
        return False
    cue = _cue_distance(line, start)
    if cue == 1:
        return not (len(digits) == 4 and _paid_for(line, start))
    if line.text[start - 1 : start].isalpha() or line.text[end : end + 1].isalpha():
        return False
    before = [token.lemma for token in line.before(start, 2)]
    if dashed and len(digits) >= 6 and max(map(len, re.findall(r"\d+", match.group()))) > 2:
        return not (before and before[0] in _NOT_ORDER_BEFORE - {"балл", "карточка", "счет", "цифра"})
    if (before and before[0] in _NOT_ORDER_BEFORE) or any(lemma in _STREET for lemma in before):
        return False
    if dashed and all(len(group) < 4 for group in re.findall(r"\d+", match.group())) and not cue:
        return len(digits) >= 6
    if len(digits) == 4:
        return bool(cue) and digits[:2] not in ("19", "20") and not _costs(line, start) and before[:1] != ["от"]
    if len(digits) > 5 and not digits.endswith("000"):
        return True
    if before[:1] == ["за"] and not digits.endswith("00") and _repaid(line, start):
        return True
    return not _costs(line, start, 4 if digits.endswith("00") else 2)


def _repaid(line: Line, position: int) -> bool:
    """Tell whether money for something comes back: in 'когда вернёте за 39112' that is an order, not its price."""
    return any(token.lemma in _REPAID for token in line.before(position, 4))


def _cue_distance(line: Line, position: int) -> int:
    """Return how many words back an order or number is spoken of (1 is right before), 0 if not."""
    if _SIGN.search(line.text[max(0, position - 4) : position]):
        return 0 if any(token.lemma in _NOT_ORDER_BEFORE for token in line.before(position)) else 1
    words = line.before(position, 5)
    for distance, token in enumerate(words, start=1):
        if token.lemma in _NOT_ORDER_BEFORE or token.lemma in _PHONE_LEMMAS - _CUES:
            return 0
        if token.lemma in _CUES:
            if token.lemma.startswith("ном") and any(other.lemma in _NOT_ORDER_BEFORE for other in words[:distance]):
                return 0
            return 1 if distance == 1 and token.lemma != "возврат" else 2
    return 0


def _cancels(line: Line, position: int) -> bool:
    return any(token.lemma in _CANCELS for token in line.before(position, 3))


def _measured(line: Line, end: int, *, long: bool = False) -> bool:
    """Tell whether a unit follows the number: it is a sum, a count, a size or a share."""
    if re.match(r"\s*[%₽$€°*]", line.text[end : end + 4]):
        return True
    following = line.after(end, 1)
    if not following or following[0].start - end > 2 or line.text[end : following[0].start].strip():
        return False
    word = following[0]
    if long and word.lemma in _TIME_UNITS:
        return False
    return is_money_unit(word.norm) or word.lemma in UNITS_NOT_MONEY


def _costs(line: Line, position: int, reach: int = 4) -> bool:
    """Tell whether a number stands where a price would."""
    return any(token.lemma in _PRICE_BEFORE for token in line.before(position, reach))


def _paid_for(line: Line, position: int) -> bool:
    """Tell 'заплатила за посылку 1780' from 'заказ 1780'."""
    before = line.before(position, 3)
    return len(before) == 3 and before[1].norm in ("за", "на") and before[2].lemma in _PRICE_BEFORE
