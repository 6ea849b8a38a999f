"""Names of people: surname, name, patronymic, in any case and order; the value is in the nominative."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from nlu.text.entities.line import Line
from nlu.text.normalise import Token
from nlu.text.words import known, parses, words_of

_ROLES = {"Surn": "surname", "Name": "name", "Patr": "patronymic"}
_SURNAME_ENDING = re.compile(
    r"(?:ов|ев|ин|ын|ский|цкий|енко|ук|юк|чук|ян|янц|швили|дзе|ич|их|ых|ец|ик|ко|ай|ук|няк)(?:а|у|ым|ом|е|ой|ою|ая|ую|ого|ому)?$"
)
_INITIALS = re.compile(r"\s*[А-Я]\.?\s?[А-Я]\.?(?![А-Яа-я])|\s*[А-Я]\.(?![А-Яа-я])")

# What stands before a person: then even an ordinary or unknown word is a name.
_INTRODUCES = words_of(
    "зовут звать зовите фамилия имя отчество фио получатель получателем представиться назваться впишите вписать "
    "внести внесите внеси пропишите записать запишите перепишите адресат имени фамилией фамилию"
)
_PEOPLE = words_of(
    "сосед соседка муж жена мама папа брат сестра сын дочь дочка внук внучка бабушка дедушка тетя дядя тетка теща "
    "свекровь мать отец подруга друг менеджер оператор сотрудник сотрудница курьер специалист консультант почтальонша "
    "почтальон начальник начальница девушка мужчина гражданин гражданка г-н госпожа господин невестка зять кум кума "
    "пристав судья майор лейтенант капитан участковый полиция продавец грузчик самый "
    "директор бухгалтер блогер блогерша мастер тезка крестник племянник племянница однофамилец уважаемый какой-то какая-то "
    "какой-нибудь некий некая любимый дорогой никакой получатель вдова"
)
_PLACE_BEFORE = words_of("в во из до под через возле около город г область")
_STREET_BEFORE = words_of("улица ул проспект пр пр-т переулок пер площадь шоссе бульвар метро станция имени им")
_NOT_PEOPLE = words_of(
    "почта россия магазин максимум роза вера любовь надежда слава лев марта май август ваш наш свет мир лада лада "
    "лига победа тайна мила маркет экспресс питер спартак марс астана флекс хатико пьеро шолом аноним венера мухтар "
    "меркурий зенит прошу внесите как не из по для барсик"
)
_NEVER_PEOPLE = words_of("почта россия магазин питер спартак марс астана флекс шолом аноним венера зенит как по из на")


def find(line: Line) -> None:
    """Find people's names: runs of name words, or one that is introduced, capital or unmistakable."""
    shouted = _is_shouted(line.text)
    index = 0
    while index < len(line.tokens):
        stop = _run_end(line, index, shouted)
        if stop > index and _is_person(line, index, stop, shouted):
            words = line.tokens[index:stop]
            end = words[-1].end
            initials = _INITIALS.match(line.text, end) if len(words) == 1 else None
            value = nominative([token.norm for token in words])
            if initials and "." in initials.group():
                end = initials.end()
                value += " " + re.sub(r"\s", "", initials.group())
            line.take("person_name", value, words[0].start, end)
        index = max(stop, index + 1)


def _is_shouted(text: str) -> bool:
    letters = [char for char in text if char.isalpha()]
    return len(letters) > 8 and sum(char.isupper() for char in letters) > 0.6 * len(letters)


@lru_cache(maxsize=50_000)
def roles(word: str) -> frozenset[str]:
    """Return what a word can be in a person's name."""
    found = {_ROLES[mark] for parse in parses(word) for mark in _ROLES if mark in parse.tag.grammemes}
    if "-" in word and all(roles(part) for part in word.split("-") if part):
        found.add("surname")
    return frozenset(found)


@lru_cache(maxsize=50_000)
def _only_a_name(word: str) -> bool:
    """Tell whether a known word has no ordinary reading."""
    return known(word) and all(
        parse.tag.grammemes & {"Name", "Surn", "Patr"} or parse.score < 0.02 for parse in parses(word)
    )


@lru_cache(maxsize=50_000)
def _likely_a_name(word: str) -> bool:
    """Tell whether a word is first of all a name."""
    return len(word) > 2 and bool(parses(word)[0].tag.grammemes & set(_ROLES))


def _is_capital(token: Token, *, shouted: bool) -> bool:
    return not shouted and token.text[:1].isupper() and not token.text[1:2].isupper()


def _run_end(line: Line, first: int, shouted: bool) -> int:
    """Return the index after the longest run of name words (three at most) from here."""
    index = first
    seen: set[str] = set()
    while index < min(first + 3, len(line.tokens)):
        token = line.tokens[index]
        if not line.free(token.start, token.end) or (index > first and not _close(line, index - 1)):
            break
        said = roles(token.norm)
        capital = _is_capital(token, shouted=shouted)
        if not said and capital and index > first and len(token.norm) > 3 and not known(token.norm):
            said = frozenset(("surname",))
        if not said and not (index == first and _introduced(line, first) and _like_surname(token, capital)):
            break
        new = said - seen or (said if index == first else frozenset())
        if index > first and not new:
            break
        lower_ok = "patronymic" in said or _only_a_name(token.norm) or bool(seen and said & {"surname", "name"})
        if index == first and not capital and "surname" in said and first + 1 < len(line.tokens):
            lower_ok = lower_ok or _only_a_name(line.tokens[first + 1].norm)
        if token.norm in _NEVER_PEOPLE or (
            not capital
            and not lower_ok
            and not (_introduced(line, first) and (not known(token.norm) or _likely_a_name(token.norm)))
        ):
            break
        lower_after_capital = index > first and not capital and _is_capital(line.tokens[first], shouted=shouted)
        if lower_after_capital and not ("patronymic" in said or _only_a_name(token.norm)):
            break
        seen |= new if len(new) == 1 else set()
        index += 1
    return index


def _close(line: Line, left: int) -> bool:
    return line.text[line.tokens[left].end : line.tokens[left + 1].start].strip(" \u00a0") == ""


def _like_surname(token: Token, capital: bool) -> bool:
    return (capital and not known(token.norm)) or (not known(token.norm) and bool(_SURNAME_ENDING.search(token.norm)))


def _introduced(line: Line, first: int) -> bool:
    """Tell whether the words before announce a name."""
    if first == 0:
        return False
    before = line.tokens[first - 1]
    if re.search(r"[.!?]", line.text[before.end : line.tokens[first].start]):
        return False
    if before.lemma in _INTRODUCES or before.norm in _INTRODUCES:
        return True
    if before.norm in ("на", "это", "как", "моя", "мое", "мне") and first > 1:
        return line.tokens[first - 2].lemma in _INTRODUCES
    return False


def _is_person(line: Line, first: int, stop: int, shouted: bool) -> bool:
    words = line.tokens[first:stop]
    said = [roles(token.norm) for token in words]
    before = line.tokens[first - 1] if first else None
    if before and before.lemma in _STREET_BEFORE and not any("patronymic" in each for each in said):
        return False
    if _introduced(line, first):
        return True
    if any("patronymic" in each for each in said):
        return len(words) > 1 or _only_a_name(words[0].norm)
    capitals = [_is_capital(token, shouted=shouted) for token in words]
    if len(words) > 1:
        first_ones = {role for each in said for role in each}
        return {"name", "surname"} <= first_ones and (all(capitals) or all(_only_a_name(token.norm) for token in words))
    return _is_single(line, first, words[0], said[0], capital=capitals[0])


def _is_single(line: Line, index: int, token: Token, said: frozenset[str], *, capital: bool) -> bool:
    """Judge one lonely word that can be a name."""
    before = line.tokens[index - 1] if index else None
    geographic = any("Geox" in parse.tag.grammemes for parse in parses(token.norm))
    if before and before.norm in _PLACE_BEFORE and (geographic or "name" not in said):
        return False
    following = line.text[token.end : token.end + 6]
    if re.match(r",?\s?\d", following) and before and before.norm in ("на", "по", "с", "у"):
        return False
    near_person = before is not None and before.lemma in _PEOPLE
    if not capital:
        return near_person and _only_a_name(token.norm)
    starts_sentence = index == 0 or line.text[: token.start].rstrip()[-1:] in ".!?\n"
    if "name" in said and (not starts_sentence or (token.lemma not in _NOT_PEOPLE and _likely_a_name(token.norm))):
        return not geographic or near_person or not starts_sentence
    if "surname" not in said:
        return False
    street = before is not None and before.norm in ("на", "по", "с") and _genitive_only(token.norm)
    if street or (starts_sentence and not near_person and not (_only_a_name(token.norm) and len(token.norm) > 4)):
        return False
    return (
        near_person
        or not geographic
        or _more_person_than_town(token.norm)
        or bool(before and before.norm in ("я", "на"))
    )


@lru_cache(maxsize=20_000)
def _more_person_than_town(word: str) -> bool:
    score = {
        mark: max((p.score for p in parses(word) if mark in p.tag.grammemes), default=0.0) for mark in ("Surn", "Geox")
    }
    return score["Surn"] >= score["Geox"]


@lru_cache(maxsize=20_000)
def _genitive_only(word: str) -> bool:
    """Tell whether 'на Гагарина' must be a street: a man's surname in the genitive of a well-known name."""
    return word in STREETS_OF_PEOPLE


STREETS_OF_PEOPLE = words_of(
    "ленина кирова гагарина пушкина лермонтова калинина горького чехова маяковского маркса фрунзе свердлова белинского "
    "чернышевского крупской щорса куйбышева дзержинского чапаева суворова кутузова ломоносова толстого тургенева гоголя "
    "некрасова островского орджоникидзе ворошилова жукова королева титова терешковой матросова космодемьянской "
    "менделеева циолковского энгельса луначарского урицкого володарского тимирязева мичурина павлова чкалова невского "
    "петровского шевченко франко попова серова репина чайковского глинки лесной мира победы"
)


# ── The nominative ───────────────────────────────────────────────────────────────────────────────
def nominative(words: list[str]) -> str:
    """Return a name in the nominative, in the order written: 'иванову марию петровну' is 'Иванова Мария Петровна'."""
    gender = _gender(words)
    return " ".join(_upright(word, gender) for word in words)


def _people_parses(word: str) -> list[Any]:
    return [parse for parse in parses(word) if parse.tag.grammemes & set(_ROLES)]


def _gender(words: list[str]) -> str | None:
    """Return the gender all words can share, by patronymic first, then by name, then by the likeliest surname."""
    for mark in ("Patr", "Name", "Surn"):
        for word in words:
            parsed = [parse for parse in parses(word) if mark in parse.tag.grammemes]
            genders = {parse.tag.gender for parse in parsed if parse.tag.gender in ("masc", "femn")}
            upright = [parse for parse in parsed if "nomn" in parse.tag.grammemes and "sing" in parse.tag.grammemes]
            if len(genders) == 1 and "ms-f" not in " ".join(str(parse.tag) for parse in parsed):
                return str(next(iter(genders)))
            if upright and mark != "Name" and len(words) == 1:
                return str(upright[0].tag.gender)
    return None


def _upright(word: str, gender: str | None) -> str:
    if "-" in word:
        return "-".join(_upright(part, gender) for part in word.split("-"))
    candidates = _people_parses(word)
    fitting = [parse for parse in candidates if gender is None or parse.tag.gender in (gender, None)] or candidates
    if any("nomn" in parse.tag.grammemes and "sing" in parse.tag.grammemes for parse in fitting):
        return word.capitalize()
    for parse in fitting:
        wanted = {"nomn", "sing"} | ({gender} if gender and "Name" not in parse.tag.grammemes else set())
        form = parse.inflect(wanted) or parse.inflect({"nomn", "sing"})
        if form:
            return str(form.word).replace("ё", "е").capitalize()
    return word.capitalize()
