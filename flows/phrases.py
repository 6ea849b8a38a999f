"""Phrases: choosing a variant and putting values in. Content holds no programs, only `{name|filter:arguments}`.

`[[ … ]]` is left out when a value inside is not known. A variant that needs an unknown value outside of brackets is not
used; when none can be used the content is at fault.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from flows.errors import ContentError
from flows.facts import SystemDown, View
from flows.pack import Pack, Phrase
from flows.russian import as_date, day, first_and_patronymic, listed, money, phone_number, plural

PLACEHOLDER = re.compile(r"\{([\w.$]+)((?:\|[^{}|]+)*)\}")
OPTIONAL = re.compile(r"\[\[(.*?)\]\]", re.S)

Filter = Callable[[Any, list[str], View], str]

FILTERS: dict[str, Filter] = {
    "plural": lambda value, forms, _: plural(float(value), *forms[:3]),
    "day": lambda value, _, view: _day(value, view),
    "time": lambda value, _, view: datetime.fromisoformat(str(value)).astimezone(view.tz).strftime("%H:%M"),
    "money": lambda value, *_: money(value),
    "name": lambda value, *_: first_and_patronymic(str(value)),
    "ending": lambda value, *_: f"{str(value)[-4:-2]}-{str(value)[-2:]}",
    "phone": lambda value, *_: phone_number(str(value)),
    "list": lambda value, *_: listed([str(one) for one in value]),
    "names": lambda value, *_: " ".join(word[:1].upper() + word[1:] for word in str(value).split()),
    "lower": lambda value, *_: str(value).lower(),
    "first": lambda value, *_: str(value)[:1].upper() + str(value)[1:],
    "short": lambda value, args, _: (
        str(value) if len(str(value)) <= int(args[0]) else str(value)[: int(args[0]) - 1] + "…"
    ),
    "label": lambda value, args, view: str(
        view.pack.manifest.directories[args[0]].get(str(value), {}).get("title", value)
    ),
    "field": lambda value, args, _: str(value.get(args[0], "")) if isinstance(value, dict) else "",
    "join": lambda value, args, _: listed([str(one.get(args[0], "")) for one in value]),
    "details": lambda value, args, _: listed([_details(one, *args) for one in value]),
}


class _Unknown(Exception):
    """A placeholder's value is not known."""


def fill(text: str, view: View, member: dict[str, Any] | None = None) -> str | None:
    """Put values into a text; None when one that is needed is not known. `member` answers `{it.…}`."""
    try:
        text = OPTIONAL.sub(lambda part: _optional(part[1], view, member), text)
        return re.sub(r"[ \t]{2,}", " ", _put(text, view, member)).strip()
    except _Unknown:
        return None


def fill_in(text: str, view: View) -> str:
    """Put values into a text for people; a dash stands for one that is not known."""
    text = OPTIONAL.sub(lambda part: _optional(part[1], view, None), text)
    return PLACEHOLDER.sub(lambda found: fill(found[0], view) or "—", text).strip()


def render(pack: Pack, name: str, view: View, seed: int, last: int | None = None) -> tuple[str, int]:
    """Say a phrase: its text and the number of the variant used.

    The first time the variant follows from the seed, then the next one each time (CX-06). Raises ContentError when no
    variant can be said.
    """
    variants = phrase(pack, name).say
    start = (seed + sum(name.encode())) % len(variants) if last is None else (last + 1) % len(variants)
    for step in range(len(variants)):
        number = (start + step) % len(variants)
        text = fill(variants[number], view)
        if text:
            return text[0].upper() + text[1:], number  # what stood before the first word may have been left out
    unknown = sorted({name for variant in variants for name in placeholders(variant) if view.quiet(name) is None})
    raise ContentError(f"phrase {name!r} cannot be said: {', '.join(unknown)} not known")


def phrase(pack: Pack, name: str) -> Phrase:
    """The phrase of a name; ContentError when there is none."""
    try:
        return pack.phrases[name]
    except KeyError:
        raise ContentError(f"there is no phrase {name!r}") from None


def placeholders(text: str) -> Sequence[str]:
    """Names of all values in a text."""
    return [found[1] for found in PLACEHOLDER.finditer(text)]


def _optional(text: str, view: View, member: dict[str, Any] | None) -> str:
    try:
        return _put(text, view, member)
    except _Unknown:
        return ""


def _put(text: str, view: View, member: dict[str, Any] | None) -> str:
    return PLACEHOLDER.sub(lambda found: _value(found[1], found[2], view, member), text)


def _value(name: str, filters: str, view: View, member: dict[str, Any] | None) -> str:
    if member is not None and name.startswith("it."):
        value: Any = member
        for key in name.split(".")[1:]:
            value = value.get(key) if isinstance(value, dict) else None
    else:
        try:
            value = view.get(name)
        except SystemDown:
            value = None
    if value is None or value in ("", (), []):
        raise _Unknown(name)
    for spec in filter(None, filters.split("|")):
        filter_name, _, arguments = spec.partition(":")
        if filter_name not in FILTERS:
            raise ContentError(f"unknown filter {filter_name!r}")
        value = FILTERS[filter_name](value, arguments.split(",") if arguments else [], view)
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else str(value).replace(".", ",")
    return str(value)


def _details(member: dict[str, Any], name: str, times: str, *more: str) -> str:
    """A member in words: its name, in brackets what else is known of it, and how many: «Халат (синий, 48) × 2»."""
    known = ", ".join(str(member[key]) for key in more if member.get(key))
    count = member.get(times) or 1
    return f"{member.get(name, '')}{f' ({known})' if known else ''}{f' × {count}' if count > 1 else ''}"


def _day(value: Any, view: View) -> str:
    date = as_date(value, view.tz)
    if date is None:
        raise _Unknown(value)
    return day(date, view.today)
