"""The shop file: a small shop as one YAML file, read with all its mistakes named at once.

Unknown keys and wrong values are problems that name the file, the line and the allowed values. Dates may be relative to
the run's clock (`-12d`, `+3d`); once loaded, all of them are absolute.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

import flows
from bot.clients.shop import Shop, written
from bot.errors import FirstlineError
from flows.wording import sentence

Loc = tuple[int | str, ...]
"""Where in the file something stands: keys, and places in lists from 0."""


class ShopInvalid(FirstlineError):
    """The shop file cannot be used; all its problems are in `problems`."""

    def __init__(self, problems: list[flows.Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


def load(path: Path, *, now: datetime, pack: flows.Pack) -> Shop:
    """Load a shop file for a pack. Raises ShopInvalid with all problems at once.

    `now` (aware) is what relative dates count from; they are days of the pack's time zone.
    """
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        raise ShopInvalid([flows.Problem(f"{path.name}:1", f"cannot be read: {reason}")]) from error
    return loads(text, name=path.name, now=now, pack=pack)


def loads(text: str, *, name: str, now: datetime, pack: flows.Pack) -> Shop:
    """Like `load`, from a text; `name` stands for the file in problems."""
    source = _Source(name)
    data = source.read(text)
    tz = pack.zone
    shop = None
    if not source.problems:
        try:
            shop = Shop.model_validate(data, context={"now": now.astimezone(UTC), "tz": tz})
        except ValidationError as error:
            for found in error.errors():
                source.add(found["loc"], sentence(found, Shop))
        for loc, text in _references(data, pack):
            source.add(loc, text)
    if shop is None or source.problems:
        raise ShopInvalid(sorted(source.problems, key=lambda problem: int(problem.where.rpartition(":")[2])))
    return shop


class _Written(int):
    """A whole number that remembers how it was written (+7999…, 00123); see `shop.written`."""

    written: str


class _Loader(yaml.SafeLoader):
    """Keeps the writing of whole numbers."""


def _whole(loader: _Loader, node: yaml.ScalarNode) -> int:
    number = _Written(loader.construct_yaml_int(node))
    number.written = node.value
    return number


_Loader.add_constructor("tag:yaml.org,2002:int", _whole)


@dataclass
class _Source:
    """The file's text as nodes that know their lines, and what is wrong with it."""

    name: str
    root: yaml.Node | None = None
    problems: list[flows.Problem] = field(default_factory=list)

    def read(self, text: str) -> Any:
        """Return the file's data; an empty file is an empty shop."""
        loader = _Loader(text)
        try:
            self.root = loader.get_single_node()
            if self.root is None:
                return {}
            if not isinstance(self.root, yaml.MappingNode):
                self.add((), f"must be a mapping with the keys {', '.join(Shop.model_fields)}")
                return {}
            self._refuse_twice(self.root)
            return loader.construct_document(self.root)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            self.problems.append(flows.Problem(f"{self.name}:{line}", f"is no YAML: {error.problem}"))
        except (yaml.YAMLError, ValueError) as error:
            self.problems.append(flows.Problem(f"{self.name}:1", f"is no YAML: {error}"))
        finally:
            loader.dispose()
        return {}

    def add(self, loc: Loc, sentence: str) -> None:
        """Note a problem at a place of the file."""
        path = "".join(f"[{part + 1}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")
        text = f"{path}: {sentence}" if path else sentence
        self.problems.append(flows.Problem(f"{self.name}:{self._line(loc)}", text))

    def _line(self, loc: Loc) -> int:
        """Return the line of a place, or of the nearest thing around it."""
        node, line = self.root, 1
        for part in loc:
            if isinstance(node, yaml.MappingNode):
                pair = next(((key, value) for key, value in node.value if key.value == str(part)), None)
                if pair is None:
                    break
                line, node = pair[0].start_mark.line + 1, pair[1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
        return line

    def _refuse_twice(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    line = key.start_mark.line + 1
                    self.problems.append(flows.Problem(f"{self.name}:{line}", f"{key.value!r} stands here twice"))
                seen.add(str(key.value))
                self._refuse_twice(value)
        elif isinstance(node, yaml.SequenceNode):
            for member in node.value:
                self._refuse_twice(member)


# ------------------------------------------------------------------------------------------- what names point at
Found = tuple[Loc, str]


def _references(data: Any, pack: flows.Pack) -> Iterator[Found]:
    """Look in the file's data, valid or not, for names that point at nothing and for things that are there twice."""
    customers = [_text(one.get("id")) for _, one in _members(data, "customers")]
    numbers = [_text(one.get("number")) for _, one in _members(data, "orders")]
    agents = [one.get("name") for _, one in _members(data, "agents")]
    directory = pack.manifest.directories.get("directory", {})
    point_at: list[tuple[str, str, Collection[Any], str]] = [
        ("orders", "customer", customers, "customer of this file"),
        ("orders", "carrier", directory, "entry of the pack's directory"),
        ("orders", "partner", directory, "entry of the pack's directory"),
        ("returns", "order", numbers, "order of this file"),
        ("requests", "customer", customers, "customer of this file"),
        ("requests", "topic", pack.intents, "intent of the pack"),
        ("requests", "queue", pack.queues, "queue of the pack"),
    ]
    if agents:  # a file may leave the agents to the desk
        point_at.append(("customers", "manager", agents, "agent of this file"))
    for part, key, among, what in point_at:
        for loc, one in _members(data, part):
            yield from _known((*loc, key), one.get(key), among, what)
    for part, key, names in (("customers", "id", customers), ("orders", "number", numbers), ("agents", "name", agents)):
        yield from _twice(part, key, names)
    yield from _settings(data, pack)
    yield from _accounts(data)
    for loc, agent in _members(data, "agents"):
        for index, queue in enumerate(agent.get("queues") or ()):
            yield from _known((*loc, "queues", index), queue, pack.queues, "queue of the pack")
    for loc, order in _members(data, "orders"):
        packages = [_text(package.get("id")) for _, package in _members(order, "packages")]
        for (_, line), item in _members(order, "items"):
            yield from _known((*loc, "items", line, "package"), item.get("package"), packages, "package of this order")


def _members(data: Any, part: str) -> Iterator[tuple[Loc, dict[str, Any]]]:
    """Go through a list of the file's data with each member's place; what is no list of mappings has none."""
    members = data.get(part) if isinstance(data, dict) else None
    for number, member in enumerate(members if isinstance(members, list) else ()):
        if isinstance(member, dict):
            yield (part, number), member


def _settings(data: Any, pack: flows.Pack) -> Iterator[Found]:
    own = data.get("shop") if isinstance(data, dict) else None
    for name, value in (own if isinstance(own, dict) else {}).items():
        yield from _known(("shop", name), name, {*pack.manifest.settings, "name"}, "setting of the pack")
        shipped = pack.manifest.settings.get("shop_name" if name == "name" else name)
        if shipped is not None and value is not None and _kind(value) is not _kind(shipped):
            yield ("shop", name), f"{value!r} is not of the kind of the pack's value, {shipped!r}"


def _kind(value: Any) -> type:
    return bool if isinstance(value, bool) else float if isinstance(value, int | float) else type(value)


def _accounts(data: Any) -> Iterator[Found]:
    linked: set[tuple[Any, Any]] = set()
    for loc, customer in _members(data, "customers"):
        accounts = customer.get("accounts")
        for channel, chat in (accounts if isinstance(accounts, dict) else {}).items():
            if (channel, _text(chat)) in linked:
                yield (*loc, "accounts", channel), f"{chat!r} is linked to several customers"
            linked.add((channel, _text(chat)))


def _known(loc: Loc, name: Any, among: Collection[Any], what: str) -> Iterator[Found]:
    if name is not None and _text(name) not in among:
        yield (
            loc,
            f"{name!r} is no {what}; there are {', '.join(sorted({str(one) for one in among if one is not None})) or 'none'}",
        )


def _twice(part: str, key: str, names: list[Any]) -> Iterator[Found]:
    for number, name in enumerate(names):
        if name is not None and name in names[:number]:
            yield (part, number, key), f"{name!r} stands here twice"


def _text(value: Any) -> Any:
    """What a whole number or text of the file is as a name; anything else is none."""
    return written(value) if isinstance(value, int | str) else None
