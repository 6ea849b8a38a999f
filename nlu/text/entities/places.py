"""Places: towns, villages, regions, streets and postal codes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from nlu.text.entities.line import Line
from nlu.text.entities.names import STREETS_OF_PEOPLE, roles
from nlu.text.normalise import Token
from nlu.text.words import grammemes, known, parses, words_of

_POSTCODE = re.compile(r"(?<![\d.,/-])\d{6}(?![\d-])")
_CODE_WORDS = words_of("индекс почта отделение опс почтамт офис связь ошс")
_STREET_WORDS = words_of(
    "улица ул проспект пр-т просп пр переулок пер шоссе бульвар б-р набережная наб площадь проезд микрорайон мкр "
    "тупик аллея квартал"
)
_TOWN_WORDS = words_of(
    "город г гор село деревня дер поселок посёлок пос пгт станица хутор аул станция районный рп снт слобода"
)
_REGION_WORDS = words_of("область обл край район р-н республика округ")
_PREPOSITIONS = words_of("в во из до на по под через из-под с со к ко около возле для")
_CITY_SLANG = {
    "питер": "Санкт-Петербург", "спб": "Санкт-Петербург", "мск": "Москва", "екб": "Екатеринбург", "нск": "Новосибирск",
    "ебург": "Екатеринбург", "нижний": "Нижний Новгород", "ростов": "Ростов", "крым": "Крым", "мо": "Московская область",
    "кмв": "Кавказские Минеральные Воды", "дпр": "ДНР", "днр": "ДНР", "лнр": "ЛНР", "подмосковье": "Подмосковье",
}  # fmt: skip
_NOT_PLACES = words_of(
    "россия почта земля интернет телеграм телеграмм вк ватсап вконтакте сбербанк банк рф роспотребнадзор прокуратура "
    "суд гугл ютуб сбп яндекс озон авито инстаграм приложение союз европа гвардия пункт магазин сдэк боксберри "
    "мир виза элита сплит нива мерси газа бабушкин восток запад юг север лента мила гранат премиум адлер-м спорт хлоя байкал-сервис мегафон"
)
_NOT_STREETS = words_of(
    "другой новый старый главный соседний правильный неправильный неверный прежний нужный перекрытый"
)
_HOUSE = re.compile(
    r",?\s*(?:(?:д|дом|стр|корп|корпус|к|кв|квартира|уч|участок|офис|оф)\.?\s*)?\d{1,4}(?:\s?[/-]\s?\d{1,3})?\s?[а-гА-Г]?(?![\w%])"
    r"(?!\s?(?:руб|р\b|дн|раз|шт|числ|час|январ|феврал|март|апрел|ма[йя]|июн|июл|авг|сент|окт|нояб|дек|[:.]\d))",
)

_FLAT = re.compile(r",?\s*(?:корп|корпус|стр|строение|подъезд|кв|квартира|офис|оф)\.?\s*\d{1,4}(?!\d)")


def find_postcodes(line: Line) -> None:
    """Find postal codes: six digits beside a word of the post or a place."""
    for match in _POSTCODE.finditer(line.text):
        before = [token.lemma for token in line.before(match.start(), 2)]
        following = line.after(match.end())
        near_place = bool(following) and following[0].start - match.end() <= 2 and _looks_like_town(following[0])
        around = {token.lemma for token in [*line.before(match.start(), 8), *following]}
        spoken = bool(_CODE_WORDS & set(before)) or ("индекс" in around and before[:1] not in (["заказ"], ["номер"]))
        if spoken or (near_place and not {"заказ", "номер", "посылка"} & set(before)):
            line.take("place", match.group(), *match.span())


def _looks_like_town(token: Token) -> bool:
    return (token.text[:1].isupper() and bool(geographic(token.norm))) or token.lemma in _TOWN_WORDS


def find_marked(line: Line) -> None:
    """Find places with their word: 'ул. Садовая 5', 'деревня Сосновка', 'Тверская область', 'на Ленина 14'."""
    for index, token in enumerate(line.tokens):
        if token.norm == "улиц":
            continue
        if token.lemma in _STREET_WORDS or token.norm in _STREET_WORDS:
            _take_named(line, index, street=True)
        elif token.lemma in _TOWN_WORDS or token.norm in _TOWN_WORDS:
            _take_named(line, index, street=False)
        elif token.lemma in _REGION_WORDS or token.norm in _REGION_WORDS:
            _take_region(line, index)
        elif token.norm in STREETS_OF_PEOPLE and token.text[:1].isupper():
            before = line.tokens[index - 1].norm if index else ""
            if before in ("на", "по", "с", "у") or _HOUSE.match(line.text, token.end):
                _take_with_house(line, token.start, token.end)
        elif _is_street_adjective(token) or ("surname" in roles(token.norm) and token.text[:1].isupper()):
            _take_bare_street(line, index)


def _take_bare_street(line: Line, index: int) -> None:
    """Take 'на Садовой', 'Лесная 8', 'на Баумана, 14': a street without its word."""
    token = line.tokens[index]
    on = bool(index) and line.tokens[index - 1].norm in ("на", "по")
    house = _HOUSE.match(line.text, token.end)
    adjective = _is_street_adjective(token)
    if house and (on or (adjective and "," not in house.group())):
        _take_with_house(line, token.start, token.end)
    elif on and adjective and not roles(token.norm):
        following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
        noun = following and line.adjacent(index, index + 1) and "NOUN" in parses(following.norm)[0].tag.grammemes
        if not noun:
            line.take("place", token.text, token.start, token.end)


def _take_with_house(line: Line, start: int, end: int) -> None:
    house = _HOUSE.match(line.text, end)
    end = house.end() if house else end
    while flat := _FLAT.match(line.text, end):
        end = flat.end()
    line.take("place", line.text[start:end].strip(" ,"), start, end)


def _is_street_adjective(token: Token) -> bool:
    return token.text[:1].isupper() and token.norm.endswith(("ая", "ой", "ую")) and len(token.norm) > 5


def _take_named(line: Line, index: int, *, street: bool) -> None:
    """Take a street or settlement word with the capital words after it (or the adjective before: 'Лесная улица')."""
    token = line.tokens[index]
    names: list[Token] = []
    for position in range(index + 1, min(index + 4, len(line.tokens))):
        following = line.tokens[position]
        gap = line.text[line.tokens[position - 1].end : following.start].strip(" \"'«»\u00a0")
        if (gap != "" and not (gap == "." and len(token.norm) <= 4 and not names)) or not (
            following.text[:1].isupper() or _small_name(line, position, index, street=street)
        ):
            break
        if following.lemma in _REGION_WORDS or roles(following.norm) == {"patronymic"}:
            break
        names.append(following)
        if not following.text[:1].isupper():
            break
    short = len(token.norm) <= 3
    if names:
        if street:
            _take_with_house(line, token.start, names[-1].end)
        else:
            start = names[0].start if token.lemma in ("город", "г", "гор") or short else token.start
            value = " ".join([_town(name.norm) or name.text for name in names])
            line.take("place", value, start, names[-1].end)
    elif (
        street and index and line.tokens[index - 1].text[:1].isupper() and not short and line.adjacent(index - 1, index)
    ):
        _take_with_house(line, line.tokens[index - 1].start, token.end)


def _small_name(line: Line, position: int, index: int, *, street: bool) -> bool:
    """Tell whether a word in lower case right after 'улица' or 'город' can be its name."""
    token = line.tokens[position]
    if position != index + 1 or line.tokens[index].norm in ("пр", "г", "пос", "станция", "поселок"):
        return False
    if street:
        tags = parses(token.norm)[0].tag.grammemes
        adjective = "ADJF" in tags and "femn" in tags and "Apro" not in tags and token.lemma not in _NOT_STREETS
        return token.norm in STREETS_OF_PEOPLE or (adjective and len(token.norm) > 5)
    return bool(geographic(token.norm)) or (not known(token.norm) and token.norm.isalpha() and len(token.norm) > 3)


def _take_region(line: Line, index: int) -> None:
    if not index or not line.adjacent(index - 1, index):
        following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
        if line.tokens[index].lemma == "республика" and following and following.text[:1].isupper():
            line.take("place", f"республика {following.text}", line.tokens[index].start, following.end)
        return
    before, token = line.tokens[index - 1], line.tokens[index]
    if "ADJF" not in grammemes(before.norm) or not re.search(r"(ск|цк)\w{2,3}$", before.norm):
        return
    gender = parses(token.lemma)[0].tag.gender
    adjective = next(parse for parse in parses(before.norm) if "ADJF" in parse.tag.grammemes)
    upright = adjective.inflect({"nomn", "sing", gender} if gender else {"nomn", "sing"})
    value = f"{(upright.word if upright else before.text).capitalize()} {token.lemma}"
    line.take("place", value, before.start, token.end)


def find(line: Line) -> None:
    """Find towns, regions and countries by name, in any case."""
    for index, token in enumerate(line.tokens):
        if token.norm in _CITY_SLANG and (token.text[:1].isupper() or token.norm not in ("нижний", "мо")):
            if token.norm != "нижний" or (index and line.tokens[index - 1].norm in ("в", "из", "до")):
                line.take("place", _CITY_SLANG[token.norm], token.start, token.end)
            continue
        if token.lemma in _NOT_PLACES or len(token.norm) < 3 or not token.norm[0].isalpha():
            continue
        before = line.tokens[index - 1] if index else None
        preposition = bool(before and before.norm in _PREPOSITIONS and line.adjacent(index - 1, index))
        if _is_town(line, index, preposition=preposition):
            _take_town(line, index)


def _is_town(line: Line, index: int, *, preposition: bool) -> bool:
    token = line.tokens[index]
    capital = token.text[:1].isupper() and not (token.text.isupper() and len(token.text) < 6)
    found = geographic(token.norm)
    if capital:
        if found and "Geox" not in parses(token.norm)[0].tag.grammemes:
            first = index == 0 or line.text[: token.start].rstrip()[-1:] in ".!?\n"
            return not first and (preposition or found[0].score > 0.3)
        if found:
            return preposition or found[0].score > 0.3 or not roles(token.norm)
        place_preposition = preposition and line.tokens[index - 1].norm in ("в", "во", "из", "до")
        following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
        return place_preposition and _unlike_anything(token, following)
    if not found or len(token.norm) < 4:
        return False
    inside = preposition and line.tokens[index - 1].norm in ("в", "во", "из", "до")
    return found[0].score > 0.9 or (inside and found[0].score >= 0.4)


def _unlike_anything(token: Token, following: Token | None) -> bool:
    """Tell whether a capital word after 'в', 'из', 'до' can only be a name of a place we do not know."""
    letters = token.text.replace("-", "")
    if not letters.isalpha() or letters.isascii() or token.text.isupper():
        return False
    if "ADJF" in parses(token.norm)[0].tag.grammemes:
        return following is not None and following.text[:1].isupper() and following.start - token.end <= 1
    return not known(token.norm)


def _take_town(line: Line, index: int) -> None:
    """Take a town with a capital adjective before or a capital word after it: 'Верхняя Тура', 'Вышний Волочёк'."""
    token = line.tokens[index]
    start, end = token.start, token.end
    value = _town(token.norm) or token.text
    if token.text[:1].isupper() and _is_adjective(token):
        following = line.tokens[index + 1] if index + 1 < len(line.tokens) else None
        if _is_capital_beside(line, following, index) and following and not roles(following.norm) - {"surname"}:
            end, value = following.end, f"{token.text} {following.text}"
    before = line.tokens[index - 1] if index else None
    if end == token.end and before and _is_capital_beside(line, before, index - 1) and _is_adjective(before):
        start, value = before.start, f"{before.text} {token.text}"
    line.take("place", value, start, end)


def _is_adjective(token: Token) -> bool:
    return "ADJF" in parses(token.norm)[0].tag.grammemes


def _is_capital_beside(line: Line, token: Token | None, left: int) -> bool:
    """Tell whether a free word with a capital stands right beside; `left` is the index of the left one of the two."""
    return (
        token is not None
        and token.text[:1].isupper()
        and line.adjacent(left, left + 1)
        and line.free(token.start, token.end)
    )


@lru_cache(maxsize=50_000)
def geographic(word: str) -> tuple[Any, ...]:
    """Return the parses of a word as a place, the likeliest first."""
    if "-" in word and known(word):
        return tuple(parse for parse in parses(word) if parse.tag.grammemes & {"Geox"})
    return tuple(parse for parse in parses(word) if "Geox" in parse.tag.grammemes) if known(word) else ()


@lru_cache(maxsize=20_000)
def _town(word: str) -> str | None:
    """Return a town's name in the nominative, with its capitals."""
    found = geographic(word)
    if not found:
        return None
    if any("nomn" in parse.tag.grammemes for parse in found):
        upright = word
    else:
        form = found[0].inflect({"nomn"})
        upright = form.word if form else found[0].normal_form
    small = {"на", "в", "де", "ла"}
    return "-".join(part if part in small else part.capitalize() for part in upright.replace("ё", "е").split("-"))
