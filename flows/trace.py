"""What a decision looked at on its way, kept only when somebody asks (`flows.explain`); a run without a trace does nothing here.

The trace is a tree: requests, in them the flows that were gone through, in those the steps; a table's step holds its rows,
a branch its arms, each with the conditions that were looked at and the values they had then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from flows.errors import ContentError
from flows.known import When
from flows.match import matches
from flows.pack import STEP_KEYS, AnyStep, Branch, Hit, Pack, Step, TableStep
from flows.tables import hits

if TYPE_CHECKING:
    from flows.facts import View


class Went(StrEnum):
    """What became of a flow, a step, a row or an arm."""

    TAKEN = "taken"
    SKIPPED = "skipped"
    # a condition did not hold
    BEATEN = "beaten"
    # its conditions hold, but another row goes before it
    UNTRIED = "untried"
    # it was decided before its turn came


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition of a step, row or arm, and the value it met."""

    name: str
    wants: Any
    value: Any = None
    holds: bool | None = None
    # None: it was not looked at, for one before it had failed


@dataclass(slots=True, kw_only=True)
class Node:
    """A part of the content that a decision came to."""

    kind: str
    # request, flow, step, row, arm, phrase
    name: str
    # intent; flow; kind of step (say, table …); number of the row or arm; phrase
    where: str = ""
    # file:line
    went: Went = Went.TAKEN
    rules: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    detail: dict[str, Any] = field(default_factory=dict)
    inside: list[Node] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in order."""
        yield self
        for one in self.inside:
            yield from one.walk()


class Trace:
    """Gathers what a decision looks at."""

    def __init__(self, pack: Pack) -> None:
        self.pack = pack
        self.requests: list[Node] = []
        self.heard: dict[str, Any] = {}
        self.down: list[str] = []
        # systems that did not answer
        self._views: list[View] = []
        self._open: list[Node] = []
        self._blocks: list[tuple[str, Sequence[AnyStep]]] = []
        # place and steps of what is being gone through
        self._places = dict(_blocks(pack))

    # ------------------------------------------------------------------------------------------------ told by a run
    @contextmanager
    def serving(self, intent: str, flow: str, slots: Mapping[str, Any]) -> Iterator[Node]:
        """A request is served by a flow."""
        node = Node(
            kind="request", name=intent, where=self.where(f"flow:{flow}"), detail={"flow": flow, "slots": dict(slots)}
        )
        self.requests.append(node)
        with self._within(node):
            yield node

    @contextmanager
    def through(self, steps: Sequence[AnyStep]) -> Iterator[None]:
        """A list of steps is gone through: a flow's, a row's or an arm's."""
        place = self._places.get(id(steps))
        if place is None:
            yield
            return
        kind, _, name = place.partition(":")
        if kind == "flow" and "." not in name:
            node = Node(kind="flow", name=name, where=self.where(place))
        else:
            owner, number = name.rsplit(".", 1)
            is_row = kind == "table" and "." not in owner
            detail = {"table": owner} if is_row else {}
            node = Node(kind="row" if is_row else "arm", name=number, where=self.where(place), detail=detail)
        self._put(node)
        self._blocks.append((place, steps))
        try:
            with self._within(node):
                yield
        finally:
            self._blocks.pop()

    @contextmanager
    def taking(self, step: AnyStep, view: View) -> Iterator[None]:
        """A step is taken."""
        node = self._step(step, view, Went.TAKEN)
        try:
            with self._within(node):
                yield
        finally:
            if isinstance(step, TableStep):
                node.inside = self.rows(step.table, view, node.inside)
            elif isinstance(step, Branch):
                node.inside = self._arms(step, view, node)

    def skipped(self, step: AnyStep, view: View) -> None:
        """A step is left out: its condition does not hold."""
        self._step(step, view, Went.SKIPPED)

    def said(self, name: str, text: str, variant: int, rules: Sequence[str], *, question: bool) -> None:
        """A phrase is said."""
        phrase = self.pack.phrases[name]
        detail = {"text": text, "variant": variant + 1, "of": len(phrase.say), "question": question}
        node = Node(kind="phrase", name=name, where=self.where(f"phrase:{name}"), rules=tuple(rules), detail=detail)
        self._put(node)

    def asked(self, name: str, view: View) -> None:
        """A table was asked outside of any flow (the priority of a request)."""
        inside = self.rows(name, view)
        self.requests.append(Node(kind="table", name=name, where=self.where(f"table:{name}"), inside=inside))

    def rows(self, name: str, view: View, taken: Sequence[Node] = ()) -> list[Node]:
        """The rows of a table that was asked: which held, which did not and why, which were not reached."""
        self._see(view)
        table, gone = self.pack.tables[name], {node.name: node for node in taken if node.kind == "row"}
        try:
            applied = {hit.number for hit in hits(table, view.used.get)}
        except ContentError:
            applied = set()
        last = min(applied, default=len(table.rows)) if table.hit is Hit.FIRST else len(table.rows)
        found = []
        for number, row in enumerate(table.rows, start=1):
            here = self.where(f"table:{name}.{number}")
            node = gone.get(str(number)) or Node(kind="row", name=str(number), where=here, detail={"table": name})
            node.rules, node.went = row.rule, Went.TAKEN if number in applied else Went.UNTRIED
            if number <= last:
                node.conditions = looked_at(row.when, view.used)
                if number not in applied:
                    node.went = Went.BEATEN if all(one.holds for one in node.conditions) else Went.SKIPPED
            found.append(node)
        return found

    # ------------------------------------------------------------------------------------------------ asked afterwards
    @property
    def used(self) -> dict[str, Any]:
        """Slots and facts that were asked for, each with the value it had last."""
        return {name: value for view in self._views for name, value in view.used.items()}

    def where(self, place: str) -> str:
        """File and line of a place."""
        while place not in self.pack.places and "." in place:
            place = place.rpartition(".")[0]
        file, line = self.pack.places.get(place, ("", 0))
        return f"{file}:{line}" if file else ""

    # ------------------------------------------------------------------------------------------------------- inside
    @contextmanager
    def _within(self, node: Node) -> Iterator[None]:
        self._open.append(node)
        try:
            yield
        finally:
            self._open.pop()

    def _put(self, node: Node) -> None:
        (self._open[-1].inside if self._open else self.requests).append(node)

    def _see(self, view: View) -> None:
        if all(view is not one for one in self._views):
            self._views.append(view)

    def _step(self, step: AnyStep, view: View, went: Went) -> Node:
        self._see(view)
        place, steps = self._blocks[-1] if self._blocks else ("", ())
        number = next((at for at, one in enumerate(steps, start=1) if one is step), 0)
        node = Node(
            kind="step", name=kind_of(step), where=self.where(f"{place}.{number}"), went=went, rules=step.rule,
            conditions=looked_at(step.when or {}, view.used), detail=_detail(step),
        )  # fmt: skip
        self._put(node)
        return node

    def _arms(self, step: Branch, view: View, node: Node) -> list[Node]:
        gone = {one.name: one for one in node.inside if one.kind == "arm"}
        found, decided = [], False
        for number, arm in enumerate(step.branch, start=1):
            made = gone.get(str(number)) or Node(kind="arm", name=str(number), where=node.where)
            made.conditions = () if decided else looked_at(arm.when, view.used)
            made.went = (
                Went.UNTRIED if decided else Went.TAKEN if all(one.holds for one in made.conditions) else Went.SKIPPED
            )
            decided = decided or made.went is Went.TAKEN
            found.append(made)
        return found


def kind_of(step: Step) -> str:
    """The key that makes a step what it is: say, table, collect …"""
    return next(key for key, model in STEP_KEYS.items() if isinstance(step, model))


def looked_at(when: When, used: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Conditions with the values that they met, in order; those after the first that failed were not looked at."""
    found: list[Condition] = []
    for name, wants in when.items():
        failed = any(not one.holds for one in found)
        if name == "any":
            arms = [looked_at(arm, used) for arm in wants]
            met = {one.name: one.value for arm in arms for one in arm if one.holds is not None}
            holding = any(all(one.holds for one in arm) for arm in arms)
            found.append(
                Condition(name=name, wants=wants)
                if failed
                else Condition(name=name, wants=wants, value=met, holds=holding)
            )
        elif failed or name not in used:
            found.append(Condition(name=name, wants=wants))
        else:
            found.append(
                Condition(name=name, wants=wants, value=brief(used[name]), holds=matches({name: wants}, used.get))
            )
    return tuple(found)


def brief(value: Any) -> Any:
    """A value that can be shown: of an object its number, name or id, of a list of objects those of each."""
    if isinstance(value, Mapping):
        return next(
            (value[key] for key in ("number", "name", "full_name", "id") if value.get(key)), f"{{{len(value)}}}"
        )
    if isinstance(value, list | tuple | set | frozenset):
        return [brief(one) for one in value]
    return value


def _detail(step: AnyStep) -> dict[str, Any]:
    """What a step says of itself, without its conditions and what is inside."""
    data = step.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return {key: value for key, value in data.items() if key not in ("when", "rule", "branch")}


def _blocks(pack: Pack) -> Iterator[tuple[int, str]]:
    """Every list of steps of a pack by its identity, with its place."""

    def inside(place: str, steps: Sequence[AnyStep]) -> Iterator[tuple[int, str]]:
        if steps:
            yield id(steps), place
        for number, step in enumerate(steps, start=1):
            if isinstance(step, Branch):
                for at, arm in enumerate(step.branch, start=1):
                    yield from inside(f"{place}.{number}.{at}", arm.steps)

    for name, flow in pack.flows.items():
        yield from inside(f"flow:{name}", flow.steps)
    for name, table in pack.tables.items():
        for number, row in enumerate(table.rows, start=1):
            yield from inside(f"table:{name}.{number}", row.steps)
