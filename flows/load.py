"""A pack's folder -> Pack. The only file here that reads the disk; every error names its file and line.

    pack.yml        the manifest
    intents.yml     groups of intents (and `entities`, which only the NLU reads)
    slots.yml       slots, facts, sources, answers      slots/*.yml, facts/*.yml   more of them
    queues.yml      queues, hours, categories
    buttons.yml     buttons that phrases name
    quick.yml       phrases that agents insert into their replies (may be missing)
    titles.yml      what agents read for the names of flows, tables, slots and facts (may be missing)
    flows/*.yml     name -> flow          tables/*.yml   name -> table          phrases/*.yml   name -> phrase

Names are unique over all files of a kind: a name defined twice is an error, never a silent win of one of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from flows.errors import PackInvalid, Problem
from flows.known import Fact, Slot, Source
from flows.manifest import Manifest
from flows.pack import STEP_KEYS, ButtonSpec, Flow, Intent, Pack, Phrase, Quick, Step, Table, Titles
from flows.queues import Category, Hours, Queue, Skill
from flows.wording import keys, near, sentence

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]
"""Where in a part something stands: keys, and places in lists from 0."""

PACKS = Path(__file__).parent / "packs"


class _Map(dict[str, Any]):
    """A mapping that knows its line and those of its keys."""

    line = 0
    lines: Mapping[str, int] = MappingProxyType({})


class _Loader(yaml.CSafeLoader):
    """Reads YAML with line numbers, and refuses a key given twice."""

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self.twice: list[tuple[int, str]] = []


def _mapping(loader: _Loader, node: yaml.MappingNode) -> _Map:
    loader.flatten_mapping(node)
    made, lines = _Map(), dict[str, int]()
    made.line, made.lines = node.start_mark.line + 1, lines
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        lines[key] = key_node.start_mark.line + 1
        if key in made:
            loader.twice.append((key_node.start_mark.line + 1, str(key)))
        made[key] = loader.construct_object(value_node, deep=True)
    return made


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_lined(text: str, name: str) -> tuple[Any, list[Problem]]:
    """Read YAML whose mappings know their line (see `line_of`), and what is wrong with it; `name` stands for the file.

    The data are None where the text is no YAML at all.
    """
    loader = _Loader(text)
    try:
        data = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        last = len(text.splitlines()) or 1  # what the end of the text lacks is told of the line behind it
        return None, [Problem(f"{name}:{min(line, last)}", f"is no YAML: {error.problem}")]
    except (yaml.YAMLError, ValueError) as error:
        return None, [Problem(f"{name}:1", f"is no YAML: {error}")]
    finally:
        loader.dispose()
    return data, [Problem(f"{name}:{line}", f"{key!r} stands here twice") for line, key in loader.twice]


def line_of(value: Any, path: Sequence[int | str] = (), default: int = 1) -> int:
    """The line of a place inside what `read_lined` read, or of the nearest thing around it whose line is known."""
    line = getattr(value, "line", 0) or default
    for part in path:
        if isinstance(value, _Map) and part in value:
            line, value = value.lines.get(str(part), line), value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            break
        line = getattr(value, "line", 0) or line
    return line


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
        "skills": reader.named("skill", "queues.yml", queues.get("skills"), Skill),
        "categories": reader.named("category", "queues.yml", queues.get("categories"), Category),
        "buttons": reader.named("button", "buttons.yml", reader.file("buttons.yml"), ButtonSpec),
        "flows": reader.many("flows", "flow", Flow),
        "tables": reader.many("tables", "table", Table),
        "phrases": reader.many("phrases", "phrase", Phrase),
        "quick": reader.named("quick", "quick.yml", reader.file("quick.yml"), Quick) if reader.has("quick.yml") else {},
        "titles": (reader.one("titles.yml", Titles, "titles") if reader.has("titles.yml") else None) or Titles(),
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

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.folder / name).is_file()

    def file(self, name: str) -> _Map:
        """Read one file; a missing or unreadable one is a problem."""
        path = self.folder / name
        try:
            text = path.read_text("utf-8")
        except OSError as error:
            self.problems.append(Problem(f"{path.name}:1", f"cannot be read: {error.strerror}"))
            return _Map()
        self.digest.update(name.encode() + text.encode())
        data, problems = read_lined(text, name)
        self.problems += problems
        if problems and data is None:
            return _Map()
        if not isinstance(data, _Map):
            self.problems.append(Problem(f"{name}:1", "must be a mapping of names"))
            return _Map()
        return data

    def one(self, name: str, model: type[M], kind: str = "manifest") -> M | None:
        """Read a file that is one model."""
        data = self.file(name)
        return self.build(name, kind, name, data, model) if data else None

    def many(self, folder: str, kind: str, model: type[M]) -> dict[str, M]:
        """Read all files of a folder, each a mapping of names to models."""
        found: dict[str, M] = {}
        for path in sorted((self.folder / folder).glob("*.yml")):
            name = f"{folder}/{path.name}"
            data = self.file(name)
            for twice in set(found) & set(data):
                first = self.places[f"{kind}:{twice}"]
                self.problems.append(
                    Problem(
                        f"{name}:{line_of(data[twice])}", f"{kind} {twice!r} stands in {first[0]}:{first[1]} already"
                    )
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
                with_group = {name: _with(_Map({**value, "group": group}), value) for name, value in members.items()}
                found |= self.named("intent", "intents.yml", with_group, Intent)
        return found

    def build(self, file: str, kind: str, name: str, value: Any, model: type[M]) -> M | None:
        """Build one model, remember its place, put what is wrong with it into words."""
        self.places[f"{kind}:{name}"] = (file, line_of(value))
        part = _Part(self, file, f"{kind}:{name}", f"{kind} {name!r}: ", value)
        return part.build(model)

    def invalid(self, file: str, line: int, what: str, error: ValidationError) -> None:
        """Put pydantic's findings about the pack as a whole into one problem each."""
        self.problems += [Problem(f"{file}:{line}", f"{what}{sentence(found, Pack)}") for found in error.errors()]


class _Part:
    """One named part of a file on its way to a model: its steps are built one by one, so that each error is of one step."""

    def __init__(self, reader: _Reader, file: str, place: str, what: str, value: Any) -> None:
        self.reader, self.file, self.place, self.what, self.value = reader, file, place, what, value

    def build(self, model: type[M]) -> M | None:
        """The model, or None when something is wrong."""
        known, value = len(self.reader.problems), self.value
        if isinstance(value, Mapping) and isinstance(value.get("steps"), list):
            value = {**value, "steps": self.steps(value["steps"], ("steps",), self.place)}
        elif isinstance(value, Mapping) and isinstance(value.get("rows"), list):
            value = {**value, "rows": [self.row(row, number) for number, row in enumerate(value["rows"]) if row]}
        made = self.model(model, value, ())
        return made if len(self.reader.problems) == known else None

    def row(self, row: Any, number: int) -> Any:
        """A table's row with its short form written out, its steps built."""
        place, loc = f"{self.place}.{number + 1}", ("rows", number)
        self.reader.places[place] = (self.file, line_of(self.value, loc))
        if not isinstance(row, Mapping):
            return row
        made = _row(row)
        given = made.get("steps")
        return {**made, "steps": self.steps(given, (*loc, "steps"), place)} if isinstance(given, list) else made

    def steps(self, steps: list[Any], loc: Loc, place: str) -> list[Step]:
        """Build steps; what is wrong with each is told with its line."""
        built = []
        for number, step in enumerate(steps):
            here, name = (*loc, number), f"{place}.{number + 1}"
            self.reader.places.setdefault(name, (self.file, line_of(self.value, here)))
            kinds = [key for key in STEP_KEYS if isinstance(step, Mapping) and key in step]
            if len(kinds) != 1:
                self.add(here, _no_step(step, kinds))
                continue
            if isinstance(arms := step.get("branch"), list):
                step = {**step, "branch": [self.arm(arm, (*here, "branch", at), f"{name}.{at + 1}") for at, arm in enumerate(arms)]}  # fmt: skip
            if (made := self.model(STEP_KEYS[kinds[0]], step, here)) is not None:
                built.append(made)
        return built

    def arm(self, arm: Any, loc: Loc, place: str) -> Any:
        inside = arm.get("steps") if isinstance(arm, Mapping) else None
        return {**arm, "steps": self.steps(inside, (*loc, "steps"), place)} if isinstance(inside, list) else arm

    def model(self, model: type[M], value: Any, loc: Loc) -> M | None:
        try:
            return TypeAdapter(model).validate_python(value)
        except ValidationError as error:
            for found in error.errors():
                self.add((*loc, *found["loc"]), sentence(found, model), shown=found["loc"])
        return None

    def add(self, loc: Loc, text: str, *, shown: Loc = ()) -> None:
        """Note what is wrong at a place of this part."""
        path = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in shown).lstrip(".")
        line = line_of(self.value, loc)
        self.reader.problems.append(Problem(f"{self.file}:{line}", f"{self.what}{f'{path}: ' if path else ''}{text}"))


def _no_step(step: Any, kinds: list[str]) -> str:
    """Why something in a list of steps is none."""
    if len(kinds) > 1:
        return f"a step does one thing, this one has {' and '.join(kinds)}: make them steps of their own"
    wrong = [str(key) for key in step if key not in ("when", "rule")] if isinstance(step, Mapping) else [str(step)]
    likely = next(filter(None, (near(key, STEP_KEYS) for key in wrong)), "")
    return f"{', '.join(wrong) or 'nothing'!r} is no step{likely}; a step has one of {', '.join(STEP_KEYS)}"


def _row(row: Any) -> Any:
    """A row whose step keys stand beside `when`, as steps in the order in which they are taken."""
    if not isinstance(row, Mapping):
        return row
    steps: list[_Map] = []
    taken: set[str] = set()
    for key, model in STEP_KEYS.items():
        if key in row:
            names = set(keys(model)) - {"rule", "when"}
            steps.append(_with(_Map({name: row[name] for name in names if name in row}), row))
            taken |= names
    rest = {name: value for name, value in row.items() if name not in taken}
    return {**rest, "steps": [*steps, *(row.get("steps") or [])]} if steps else row


def _with(made: _Map, value: Any) -> _Map:
    """A mapping made out of another one, with that one's lines."""
    made.line, made.lines = getattr(value, "line", 0), getattr(value, "lines", made.lines)
    return made
