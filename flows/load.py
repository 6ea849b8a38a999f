"""A pack's folder -> Pack. The only file here that reads the disk; every error names its file and line.

    pack.yml        the manifest
    intents.yml     groups of intents (and `entities`, which only the NLU reads)
    slots.yml       slots, facts, sources, answers      slots/*.yml, facts/*.yml   more of them
    queues.yml      queues, hours, categories
    buttons.yml     buttons that phrases name
    flows/*.yml     name -> flow          tables/*.yml   name -> table          phrases/*.yml   name -> phrase

Names are unique over all files of a kind: a name defined twice is an error, never a silent win of one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from flows.errors import PackInvalid, Problem
from flows.pack import (
    STEP_KEYS,
    ButtonSpec,
    Category,
    Fact,
    Flow,
    Hours,
    Intent,
    Manifest,
    Pack,
    Phrase,
    Queue,
    Slot,
    Source,
    Table,
)  # fmt: skip

M = TypeVar("M", bound=BaseModel)

PACKS = Path(__file__).parent / "packs"


class _Map(dict[str, Any]):
    """A mapping that knows its line."""

    line = 0


class _Loader(yaml.SafeLoader):
    """Reads YAML with line numbers, and refuses a key given twice."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.twice: list[tuple[int, str]] = []


def _mapping(loader: _Loader, node: yaml.MappingNode) -> _Map:
    loader.flatten_mapping(node)
    made = _Map()
    made.line = node.start_mark.line + 1
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in made:
            loader.twice.append((key_node.start_mark.line + 1, str(key)))
        made[key] = loader.construct_object(value_node, deep=True)
    return made


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


@lru_cache(maxsize=8)
def load_shipped(name: str) -> Pack:
    """Load a pack that ships with Firstline by its name."""
    return load(PACKS / name)


def load(folder: Path) -> Pack:
    """Load a pack. Raises PackInvalid with all problems at once."""
    reader = _Reader(folder)
    manifest = reader.one("pack.yml", Manifest)
    slots = reader.file("slots.yml")
    queues = reader.file("queues.yml")
    parts: dict[str, Any] = {
        "manifest": manifest,
        "intents": reader.intents(),
        "slots": reader.named("slot", "slots.yml", slots.get("slots"), Slot) | reader.many("slots", "slot", Slot),
        "facts": reader.named("fact", "slots.yml", slots.get("facts"), Fact) | reader.many("facts", "fact", Fact),
        "sources": reader.named("source", "slots.yml", slots.get("sources"), Source),
        "answers": slots.get("answers", {}),
        "queues": reader.named("queue", "queues.yml", queues.get("queues"), Queue),
        "hours": reader.named("hours", "queues.yml", queues.get("hours"), Hours),
        "categories": reader.named("category", "queues.yml", queues.get("categories"), Category),
        "buttons": reader.named("button", "buttons.yml", reader.file("buttons.yml"), ButtonSpec),
        "flows": reader.many("flows", "flow", Flow),
        "tables": reader.many("tables", "table", Table),
        "phrases": reader.many("phrases", "phrase", Phrase),
    }
    if not reader.problems:
        try:
            return Pack(**parts, version=reader.digest.hexdigest()[:12], places=reader.places)
        except ValidationError as error:
            reader.invalid("pack.yml", 1, "", error)
    raise PackInvalid(sorted(reader.problems))


class _Reader:
    """Reads a pack's files, remembers where each thing stands, and gathers what is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.problems: list[Problem] = []
        self.places: dict[str, tuple[str, int]] = {}
        self.digest = hashlib.sha256()

    def file(self, name: str) -> _Map:
        """Read one file; a missing or unreadable one is a problem."""
        path = self.folder / name
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            self.problems.append(Problem(f"{path.name}:1", f"cannot be read: {error.strerror}"))
            return _Map()
        self.digest.update(name.encode() + text.encode())
        loader = _Loader(text)
        try:
            data = loader.get_single_data()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(Problem(f"{name}:{line}", f"is no YAML: {error.problem}"))
            return _Map()
        finally:
            loader.dispose()
        self.problems += [Problem(f"{name}:{line}", f"{key!r} stands here twice") for line, key in loader.twice]
        if not isinstance(data, _Map):
            self.problems.append(Problem(f"{name}:1", "must be a mapping of names"))
            return _Map()
        return data

    def one(self, name: str, model: type[M]) -> M | None:
        """Read a file that is one model."""
        data = self.file(name)
        return self.build(name, "manifest", name, data, model) if data else None

    def many(self, folder: str, kind: str, model: type[M]) -> dict[str, M]:
        """Read all files of a folder, each a mapping of names to models."""
        found: dict[str, M] = {}
        for path in sorted((self.folder / folder).glob("*.yml")):
            name = f"{folder}/{path.name}"
            data = self.file(name)
            for twice in set(found) & set(data):
                first = self.places[f"{kind}:{twice}"]
                self.problems.append(
                    Problem(f"{name}:{_line(data[twice])}", f"{kind} {twice!r} stands in {first[0]}:{first[1]} already")
                )
            found |= self.named(kind, name, data, model)
        return found

    def named(self, kind: str, file: str, data: Any, model: type[M]) -> dict[str, M]:
        """Build the models of a mapping of names."""
        built = {name: self.build(file, kind, str(name), value, model) for name, value in (data or {}).items()}
        return {str(name): value for name, value in built.items() if value is not None}

    def intents(self) -> dict[str, Intent]:
        """Read the inventory: groups of intents."""
        found: dict[str, Intent] = {}
        for group, members in self.file("intents.yml").items():
            if group != "entities":
                with_group = {name: _with(value, group=group) for name, value in members.items()}
                found |= self.named("intent", "intents.yml", with_group, Intent)
        return found

    def build(self, file: str, kind: str, name: str, value: Any, model: type[M]) -> M | None:
        """Build one model, remember its place, put what is wrong with it into words."""
        line = _line(value)
        self.places[f"{kind}:{name}"] = (file, line)
        try:
            unfolded = self.unfold(file, f"{kind}:{name}", value)
            return TypeAdapter(model).validate_python(unfolded)
        except ValidationError as error:
            self.invalid(file, line, f"{kind} {name!r}: ", error)
        return None

    def unfold(self, file: str, place: str, value: Any) -> Any:
        """Write out the short forms of rows (a step's keys beside `when`) and remember the rows' places."""
        if isinstance(value, Mapping) and "rows" in value:
            rows = value["rows"] or []
            for number, row in enumerate(rows, start=1):
                self.places[f"{place}.{number}"] = (file, _line(row) or _line(value))
            return {**value, "rows": [_row(row) for row in rows if row]}
        return value

    def invalid(self, file: str, line: int, what: str, error: ValidationError) -> None:
        """Put pydantic's findings into one problem each."""
        for found in error.errors():
            path = ".".join(str(part) for part in found["loc"] if not (isinstance(part, str) and part[:1].isupper()))
            text = f"{what}{path}: {found['msg']}" if path else f"{what}{found['msg']}"
            self.problems.append(Problem(f"{file}:{line}", text))


def _row(row: Any) -> Any:
    """A row whose step keys stand beside `when`, as steps in the order in which they are taken."""
    if not isinstance(row, Mapping):
        return row
    steps, taken = [], set()
    for key, model in STEP_KEYS.items():
        if key in row:
            names = {field.alias or name for name, field in model.model_fields.items()} - {"rule", "when"}
            steps.append({name: row[name] for name in names if name in row})
            taken |= names
    rest = {name: value for name, value in row.items() if name not in taken}
    return {**rest, "steps": [*steps, *(row.get("steps") or [])]} if steps else row


def _with(value: _Map, **more: Any) -> _Map:
    made = _Map({**value, **more})
    made.line = value.line
    return made


def _line(value: Any) -> int:
    return getattr(value, "line", 0) or 1
