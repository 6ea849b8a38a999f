"""Talks: conversations written in YAML, each turn with its meaning and what is expected of it.

The format stands in tests/dialogues/README.md; what a talk leaves out (who the customer is, what the order is like, which
data are seen by their shape) is the pack's own: `demo/talk.yml` in its folder. `bot.testing` takes talks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

import flows
from bot.content import pack_folder
from bot.errors import FirstlineError
from flows.load import line_of, read_lined
from flows.wording import near, none_of, sentence

KEYS = ("name", "rules", "shows", "now", "pack", "channel", "known", "shop", "slots", "cannot", "talk", "note")
TURN_KEYS = (
    "say", "as", "entities", "verdict", "ranking", "press", "contact", "attachment", "edited", "down", "clock", "request",
    "asked", "expect",
)  # fmt: skip
EXPECT_KEYS = (
    "rules", "not_rules", "text", "never", "buttons", "not_buttons", "queue", "case", "priority", "why", "comment", "next_step",
    "notice", "append", "crm", "asks", "phrases", "messages", "understood", "slots", "mood", "due", "marks", "cancelled",
    "collected", "contact_button", "topic",
)  # fmt: skip
PLACE = ("tests", "dialogues")
"""Where the talks of a checkout are."""


class TalkInvalid(FirstlineError):
    """A talk cannot be read; all that is wrong is in `problems`."""

    def __init__(self, problems: list[flows.Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


# ------------------------------------------------------------------------------------------ what talks leave out
class Shape(BaseModel):
    """Data that a message shows by their look alone."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entity: str
    pattern: str
    value: Literal["text", "digits", "phone"] = "text"


class Usual(BaseModel):
    """What holds in talks with a pack unless they say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    now: datetime = datetime(2026, 11, 20, 9, tzinfo=UTC)
    customer: dict[str, Any] | None = None
    order: dict[str, Any] = {}
    known: dict[str, Any] = {}
    # slots that say that the customer is who the card says
    plain: dict[str, str] = {}
    # message -> intent
    shapes: tuple[Shape, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """A pack to talk with, and what is usual there."""

    pack: flows.Pack
    usual: Usual = field(default_factory=Usual)


def read_stage(folder: Path) -> Stage:
    """The stage of a pack's folder. Raises PackInvalid, or TalkInvalid for its demo/talk.yml."""
    path = folder / "demo" / "talk.yml"
    return Stage(flows.load(folder), _usual(path) if path.is_file() else Usual())


stage = lru_cache(maxsize=8)(read_stage)
"""The same, read once: for tests, whose packs do not change meanwhile."""


def _usual(path: Path) -> Usual:
    data, problems = read_lined(path.read_text("utf-8"), f"demo/{path.name}")
    if not problems:
        try:
            return Usual.model_validate(data)
        except ValidationError as error:
            for found in error.errors():
                where = f"demo/{path.name}:{line_of(data, found['loc'])}"
                problems.append(flows.Problem(where, f"{'.'.join(map(str, found['loc']))}: {sentence(found, Usual)}"))
    raise TalkInvalid(problems)


# ------------------------------------------------------------------------------------------------ reading talks
@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation of a YAML file."""

    file: str
    name: str
    data: Mapping[str, Any]
    problems: tuple[flows.Problem, ...] = ()
    # why it cannot be taken

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(self.data.get("rules", ()))

    def where(self, step: Any = None) -> str:
        """File and line of the talk, or of one of its turns."""
        return f"{self.file}:{line_of(step, default=line_of(self.data))}"


def talks_of(folder: Path, name: str) -> list[Talk]:
    """A pack's talks: those in its folder `talks`; else those of the checkout (tests/dialogues) that are with a pack of this name."""
    if (folder / "talks").is_dir():
        return list(talks(folder / "talks"))
    checkouts = [parent.joinpath(*PLACE) for parent in (*folder.resolve().parents, Path.cwd())]
    place = next((place for place in checkouts if place.is_dir()), None)
    return [talk for talk in talks(place) if talk.data.get("pack", "shop") == name] if place else []


def talks(place: Path) -> Iterator[Talk]:
    """All talks of a file or folder: a file holds one or a list of them. Of an unreadable one `problems` tell why."""
    for path in sorted(place.rglob("*.yml")) if place.is_dir() else [place]:
        file = shown(path)
        try:
            data, problems = read_lined(path.read_text("utf-8"), file)
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            data, problems = None, [flows.Problem(f"{file}:1", f"cannot be read: {reason}")]
        if problems:  # one bad file is one failing test, not the end of all of them
            yield Talk(file, "is YAML", {"talk": []}, tuple(problems))
        if data is not None:
            yield from (_talk(file, one) for one in (data if isinstance(data, list) else [data]))


def shown(path: Path) -> str:
    """A path as it is shown: from here, where it is below."""
    whole = path.resolve()
    return str(whole.relative_to(Path.cwd()) if whole.is_relative_to(Path.cwd()) else whole)


def _talk(file: str, data: Any) -> Talk:
    wrong = [flows.Problem(f"{file}:{line}", text) for line, text in _misshapen(data)]
    if wrong:
        return Talk(file, str(data.get("name", "")) if isinstance(data, Mapping) else "", {"talk": []}, tuple(wrong))
    return Talk(file, str(data["name"]), data)


def _misshapen(talk: Any) -> Iterator[tuple[int, str]]:
    """What is wrong with the shape of a talk, with lines."""
    if not isinstance(talk, Mapping):
        yield line_of(talk), f"a talk must be a mapping with the keys {', '.join(KEYS)}"
        return
    yield from _unknown(talk, KEYS, "a talk")
    yield from ((line_of(talk), f"a talk needs {key}") for key in ("name", "talk") if key not in talk)
    steps = talk.get("talk") or ()
    if not isinstance(steps, list) or not all(isinstance(step, Mapping) for step in steps):
        yield line_of(talk, ("talk",)), "talk must be a list of turns"
        return
    for step in steps:
        yield from _unknown(step, TURN_KEYS, "a turn")
        expected = step.get("expect") or {}
        if isinstance(expected, Mapping):
            yield from _unknown(expected, EXPECT_KEYS, "expect")
        else:
            yield line_of(step, ("expect",)), "expect must be a mapping"


def _unknown(part: Mapping[str, Any], allowed: Sequence[str], what: str) -> Iterator[tuple[int, str]]:
    for key in part:
        if key not in allowed:
            yield (
                line_of(part, (key,)),
                f"{what} has no {key!r}{near(str(key), allowed)}; it may have {', '.join(allowed)}",
            )


def misnamed(pack: flows.Pack, talk: Talk) -> Iterator[flows.Problem]:
    """Names in a talk that the pack does not have: a misprint there would make an expectation that always holds."""
    for step in talk.data["talk"]:
        expected = step.get("expect") or {}
        intents = [one if isinstance(one, str) else next(iter(one), "") for one in many(step.get("as"))]
        cases = [category for category in many(expected.get("case")) if category not in pack.categories]
        named: list[tuple[str, str, Iterable[Any], Iterable[str]]] = [
            ("as", "intent", [*intents, *many(step.get("ranking"))], pack.intents),
            ("expect", "phrase", [*many(expected.get("phrases")), *many(expected.get("notice"))], pack.phrases),
            ("expect", "queue", many(expected.get("queue")), pack.queues),
            ("expect", "intent", many(expected.get("topic")), pack.intents),
            ("expect", "category", cases, pack.categories),
            ("expect", "slot", [*many(expected.get("asks")), *(expected.get("slots") or {})], pack.slots),
        ]
        for key, kind, names, there in named:
            line = line_of(step, (key,), line_of(talk.data))
            for name in names:
                if name not in there:
                    yield flows.Problem(f"{talk.file}:{line}", f"there is no {kind} {name!r}{none_of(name, there)}")


def shop_text(data: Mapping[str, Any], usual: Usual) -> str:
    """The shop file of a talk: what the talk leaves out is the usual customer's and order's."""
    customers = data.get("customers", [usual.customer] if usual.customer else [])
    first = {"customer": customers[0]["id"]} if customers else {}
    filled = {
        **data,
        "customers": customers,
        "orders": [{**usual.order, **first, **order} for order in data.get("orders") or ()],
        "requests": [{**first, **request} for request in data.get("requests") or ()],
    }
    return str(yaml.safe_dump(_plain(filled), allow_unicode=True))


def _plain(value: Any) -> Any:
    """Data as plain dictionaries and lists, which any YAML writer knows."""
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def talk_folder(talk: Talk | Mapping[str, Any]) -> Path:
    """The folder of the pack that a talk is with."""
    data = talk.data if isinstance(talk, Talk) else talk
    return pack_folder(str(data.get("pack", "shop")))


# ---------------------------------------------------------------------------------------------- reading a turn
def parse_of(step: Mapping[str, Any], usual: Usual) -> flows.Parse:
    """The reading that the talk gives a message: its intents as written, entities as written or by their shape."""
    text = str(step["say"])
    said = usual.plain.get(text.lower())
    intents = [_reading(one, text) for one in many(step.get("as", said))]
    verdict = flows.Verdict(step.get("verdict", "sure" if intents else "not_understood"))
    ranking = tuple(flows.Reading(name, 0.5 - 0.1 * place) for place, name in enumerate(step.get("ranking", ())))
    entities = [*_given(step.get("entities"), text), *_shaped(text, usual.shapes)]
    taken: list[flows.Entity] = []
    for entity in entities:
        clear = all(entity.end <= one.start or entity.start >= one.end for one in taken)
        if clear or entity.end == 0:
            taken.append(entity)
    return flows.Parse(
        text=text, mended=text, intents=tuple(intents), ranking=ranking or tuple(intents), verdict=verdict,
        entities=tuple(replace(one, of=_of(one, intents)) for one in taken), model="talk",
    )  # fmt: skip


def _reading(one: Any, text: str) -> flows.Reading:
    """An intent by its name, or as {intent: the words of the message that carry it}."""
    if isinstance(one, str):
        return flows.Reading(one, 0.95)
    ((name, clause),) = one.items()
    start = text.index(clause)
    return flows.Reading(name, 0.95, start, start + len(clause))


def _given(entities: Any, text: str) -> list[flows.Entity]:
    pairs = (
        entities.items()
        if isinstance(entities, Mapping)
        else [(k, v) for one in entities or () for k, v in one.items()]
    )
    found = []
    for name, value in pairs:
        written = str(value)
        if isinstance(value, list):  # [value, words of the message]
            value, written = value
        start = text.find(written)
        end = start + len(written) if start >= 0 else 0
        found.append(flows.Entity(entity=name, value=value, text=written, start=max(start, 0), end=end))
    return found


def _shaped(text: str, shapes: Iterable[Shape]) -> list[flows.Entity]:
    found = []
    for shape in shapes:
        for match in re.finditer(shape.pattern, text):
            digits = re.sub(r"\D", "", match[0])
            value = {"text": match[0], "digits": digits, "phone": f"+7{digits[1:]}"}[shape.value]
            found.append(
                flows.Entity(entity=shape.entity, value=value, text=match[0], start=match.start(), end=match.end())
            )
    return found


def _of(entity: flows.Entity, intents: Sequence[flows.Reading]) -> int:
    for number, reading in enumerate(intents):
        if reading.start is not None and reading.end is not None and reading.start <= entity.start < reading.end:
            return number
    return 0


def moment(value: Any, base: datetime) -> datetime:
    """A moment: ISO 8601, or relative to the clock (+3d, -2h, +15m)."""
    if value is None:
        return base
    if isinstance(value, datetime):
        return value
    if match := re.fullmatch(r"([+-]\d+)([dhm])", str(value)):
        unit = {"d": "days", "h": "hours", "m": "minutes"}[match[2]]
        return base + timedelta(**{unit: int(match[1])})
    return datetime.fromisoformat(str(value))


def many(value: Any) -> list[Any]:
    """A list of what is one or many."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]
