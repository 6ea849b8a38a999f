"""The training and held-out messages as values: text without annotation, intent, entities, voice and group."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
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


def unseen(examples: Iterable[Example], trained: Iterable[Example]) -> list[Example]:
    """Return the messages that no training message equals: "неа" is written by everybody, and proves nothing."""
    known = {example.text.casefold().strip() for example in trained}
    return [example for example in examples if example.text.casefold().strip() not in known]
