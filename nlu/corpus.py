"""The training and held-out messages as values: text without annotation, intent, entities, voice and group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

_ANNOTATION = re.compile(r"\[(?P<text>[^\]\[]+)\](?:\((?P<entity>[a-z_]+)\)|\{(?P<json>[^}]*)\})")
_ENTITY_IN_JSON = re.compile(r'"entity"\s*:\s*"(?P<entity>[a-z_]+)"')


@dataclass(frozen=True)
class Span:
    """An entity that a writer marked in a message."""

    entity: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Example:
    """One message with its intent (held-out messages of several: all of them, in order)."""

    text: str
    intents: tuple[str, ...]
    entities: tuple[Span, ...] = ()
    voice: str = ""
    group: str = ""
    kind: str = ""

    @property
    def intent(self) -> str:
        """The first or only intent."""
        return self.intents[0]


def read_annotated(text: str) -> tuple[str, tuple[Span, ...]]:
    """Return a message without its annotations, and the entities that they mark.

    >>> read_annotated("где [12345](order_number)?")
    ('где 12345?', (Span(entity='order_number', text='12345', start=4, end=9),))
    """
    plain: list[str] = []
    spans: list[Span] = []
    at = length = 0
    for found in _ANNOTATION.finditer(text):
        entity = found["entity"]
        if entity is None:
            in_json = _ENTITY_IN_JSON.search(found["json"])
            if in_json is None:
                continue
            entity = in_json["entity"]
        before = text[at : found.start()]
        start = length + len(before)
        plain += [before, found["text"]]
        length = start + len(found["text"])
        spans.append(Span(entity, found["text"], start, length))
        at = found.end()
    return "".join([*plain, text[at:]]), tuple(spans)


def training(folder: Path) -> list[Example]:
    """Return all training messages below `folder` (`<group>/<voice>.yml`), in a fixed order."""
    examples: list[Example] = []
    for path in sorted(folder.rglob("*.yml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for item in content.get("nlu") or []:
            for line in _lines(item.get("examples")):
                text, spans = read_annotated(line)
                if text.strip():
                    examples.append(Example(text, (item["intent"],), spans, voice=path.stem, group=path.parent.name))
    return examples


def _lines(examples: Any) -> Iterator[str]:
    for line in (examples or "").splitlines() if isinstance(examples, str) else ():
        stripped = line.strip()
        if stripped.startswith("- "):
            yield stripped[2:].strip()


def held_out(folder: Path, pattern: str) -> list[Example]:
    """Return the held-out messages of the files that fit `pattern` (`heldout_*.yml`, `multi_*.yml`, …)."""
    examples: list[Example] = []
    for path in sorted(folder.glob(pattern)):
        for item in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            text, spans = read_annotated(str(item["text"]))
            intents = tuple(item["intents"]) if "intents" in item else (item["intent"],)
            examples.append(Example(text, intents, spans, voice=path.stem, kind=str(item.get("kind", ""))))
    return examples


LONG = 15
"""Words from which a message counts as long: a story before the point."""


def obvious(path: Path) -> dict[str, re.Pattern[str]]:
    """Return the obvious words of each intent, as patterns over lower-case text (`nlu/obvious_words.yml`)."""
    words = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {
        intent: re.compile("|".join(rf"(?<!\w){re.escape(beginning)}" for beginning in beginnings))
        for intent, beginnings in words.items()
    }


def make_up(examples: Iterable[Example], words: Mapping[str, re.Pattern[str]]) -> dict[str, Any]:
    """Count messages: how many, the share of long ones, and the share that does without its intent's obvious word.

    `indirect` counts the intents in `words` only; `intents` has it for each of them. Messages in Latin letters are left
    out there: no Russian word could stand in them.
    """
    some = list(examples)
    read = [
        (one.intent, words[one.intent].search(one.text.lower().replace("ё", "е")) is None)
        for one in some
        if one.intent in words and re.search("[а-яё]", one.text.lower())
    ]
    each = {name: [without for intent, without in read if intent == name] for name in words}
    return {
        "messages": len(some),
        "long": sum(len(one.text.split()) >= LONG for one in some) / len(some),
        "indirect": sum(without for _, without in read) / len(read),
        "intents": {name: sum(found) / len(found) for name, found in each.items() if found},
    }


def unseen(examples: Iterable[Example], trained: Iterable[Example]) -> list[Example]:
    """Return the messages that no training message equals: "неа" is written by everybody, and proves nothing."""
    known = {example.text.casefold().strip() for example in trained}
    return [example for example in examples if example.text.casefold().strip() not in known]
