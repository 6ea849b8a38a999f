"""Fields of the desk's forms: a label for each, what was entered kept, an error said at the field it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import htpy as h

OTHER = "other"
"""The choice behind which something is entered by hand."""
MORNING, EVENING = time(10), time(18)
_MONTHS = ("янв", "фев", "мар", "апр", "мая", "июн", "июл", "авг", "сен", "окт", "ноя", "дек")


class FieldWrong(Exception):
    """What was entered cannot be: a sentence, and the field that it is about."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field, self.sentence = field, sentence


@dataclass(frozen=True, slots=True)
class Filled:
    """What somebody has entered in a form, and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def sent(self) -> bool:
        """Whether the form was sent already."""
        return bool(self.values)

    def value(self, name: str, default: str = "") -> str:
        """What stands in a field."""
        return self.values.get(name, "") if self.sent else default


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several."""

    value: str
    title: str
    more: str = ""
    # said beside it, in small letters
    disabled: bool = False


# ------------------------------------------------------------------------------------------------------------ fields
def text_area(
    filled: Filled, name: str, label: str, *, required: bool = False, hint: str = "", first: bool = False
) -> h.Element:
    """Several lines of text."""
    return h.label[
        label,
        h.textarea(
            name=name, rows="3", required=required, maxlength="4000", placeholder=hint or None,
            **_state(filled, name, first=first),
        )[filled.value(name)],
        _error(filled, name),
    ]  # fmt: skip


def text_line(
    filled: Filled, name: str, label: str, *, default: str = "", required: bool = False, hint: str = "",
    kind: str = "text", first: bool = False, choices: str | None = None,
) -> h.Element:  # fmt: skip
    """One line of text. choices: id of a datalist."""
    return h.label[
        label,
        h.input(
            type=kind, name=name, value=filled.value(name, default), required=required, maxlength="500", list=choices,
            placeholder=hint or None, autocomplete="off", **_state(filled, name, first=first),
        ),
        _error(filled, name),
    ]  # fmt: skip


def select(
    filled: Filled, name: str, label: str, groups: Sequence[tuple[str, Sequence[Choice]]], *, first: bool = False
) -> h.Element:
    """One of many, in groups; nothing is chosen beforehand."""
    chosen = filled.value(name)
    return h.label[
        label,
        h.select(name=name, required=True, **_state(filled, name, first=first))[
            h.option(value="", selected=not chosen)["Выберите…"],
            [
                h.optgroup(label=title)[
                    [
                        h.option(value=one.value, selected=one.value == chosen, disabled=one.disabled)[
                            f"{one.title} · {one.more}" if one.more else one.title
                        ]
                        for one in choices
                    ]
                ]
                for title, choices in groups
                if choices
            ],
        ],
        _error(filled, name),
    ]


def choices(
    filled: Filled, name: str, legend: str, offered: Iterable[Choice], *, default: str = "", other: h.Node = None,
    first: bool = False,
) -> h.Element:  # fmt: skip
    """One of a few, each to be seen. other: the field that belongs to the last one."""
    chosen = filled.value(name, default)
    error = filled.errors.get(name)
    focus = first if not filled.errors else bool(error) and not (other is not None and chosen == OTHER)
    return h.fieldset(
        ".choices", aria_invalid="true" if error else None, aria_describedby=f"{name}-error" if error else None
    )[
        h.legend[legend],
        [
            h.label(".choice")[
                h.input(
                    type="radio", name=name, value=one.value, checked=one.value == chosen, disabled=one.disabled,
                    autofocus=focus and one.value == chosen,
                ),
                h.span[one.title, h.small(".dim")[f" {one.more}"] if one.more else None],
            ]
            for one in offered
        ],
        other,
        _error(filled, name),
    ]  # fmt: skip


def tick(filled: Filled, name: str, label: str, *, default: bool = False) -> h.Element:
    """Yes or no."""
    checked = filled.values.get(name) == "1" if filled.sent else default
    return h.div[
        h.label(".choice")[
            h.input(type="checkbox", name=name, value="1", checked=checked, **_state(filled, name)), h.span[label]
        ],
        _error(filled, name),
    ]


def moments(
    filled: Filled, legend: str, offered: Iterable[Choice], *, zone: ZoneInfo, first: bool = False
) -> h.Element:
    """A moment: one of a few, or one of one's own by the shop's clock. Read it with `read_moment`."""
    offers = list(offered)
    own = h.input(
        type="datetime-local",
        name="when_other",
        value=filled.value("when_other"),
        aria_label="Своя дата и время",
        **beside(filled, "when_other", "when"),
    )
    return choices(
        filled, "when", f"{legend} ({clock_name(zone)})", [*offers, Choice(OTHER, "Другое время")],
        default=offers[0].value if offers else OTHER, other=own, first=first,
    )  # fmt: skip


def beside(filled: Filled, name: str, choice: str) -> dict[str, str | bool | None]:
    """How a field stands that belongs to the last of some choices: an error of these is its own when it is chosen."""
    wrong = next((one for one in (name, choice) if one in filled.errors), "")
    if wrong == choice and filled.value(choice) != OTHER:
        wrong = ""
    return {
        "aria_invalid": "true" if wrong else None, "aria_describedby": f"{wrong}-error" if wrong else None,
        "autofocus": bool(wrong),
    }  # fmt: skip


def _state(filled: Filled, name: str, *, first: bool = False) -> dict[str, str | bool | None]:
    error = name in filled.errors
    return {
        "aria_invalid": "true" if error else None, "aria_describedby": f"{name}-error" if error else None,
        "autofocus": error or (first and not filled.errors),
    }  # fmt: skip


def _error(filled: Filled, name: str) -> h.Node:
    error = filled.errors.get(name)
    return h.p(".field-error", id=f"{name}-error", role="alert")[error] if error else None


# ------------------------------------------------------------------------------------------------------------- times
def read_moment(values: Mapping[str, str], zone: ZoneInfo) -> datetime | None:
    """The moment that was chosen (aware); None for the choice without one. FieldWrong when it is none."""
    chosen = values.get("when", "")
    if chosen == "":
        return None
    if chosen == OTHER:
        chosen = values.get("when_other", "")
    try:
        moment = datetime.fromisoformat(chosen)
    except ValueError:
        raise FieldWrong("when", "Укажите дату и время.") from None
    return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment


def soon(now: datetime, zone: ZoneInfo) -> list[Choice]:
    """Usual moments from now on: this evening, tomorrow morning, in three days."""
    here = now.astimezone(zone)
    evening = datetime.combine(here.date(), EVENING, zone)
    morning = datetime.combine(here.date() + timedelta(days=1), MORNING, zone)
    offered = [(evening, "Сегодня вечером"), (morning, "Завтра утром"), (morning + timedelta(days=2), "Через 3 дня")]
    return [
        Choice(moment.isoformat(), title, told(moment, now, zone).removeprefix("завтра "))
        for moment, title in offered
        if moment > now + timedelta(hours=1)
    ]


def told(moment: datetime, now: datetime, zone: ZoneInfo) -> str:
    """A moment in few words: «18:00», «завтра 10:00», «24 ноя 10:00»."""
    here, today = moment.astimezone(zone), now.astimezone(zone).date()
    days = (here.date() - today).days
    day = {0: "", 1: "завтра "}.get(days, f"{here.day} {_MONTHS[here.month - 1]} ")
    return f"{day}{here:%H:%M}"


def clock_name(zone: ZoneInfo) -> str:
    """By which clock times are meant."""
    return "по Москве" if zone.key == "Europe/Moscow" else f"время: {zone.key.rpartition('/')[2].replace('_', ' ')}"
