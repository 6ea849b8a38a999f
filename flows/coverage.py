"""Proof about a table: which combinations of values no row covers, and which rows can never apply.

Every slot and fact that a table's rows speak of has a finite set of values that can make a difference: the members of an
enum, yes and no, for a number the points around each limit, and "not known". The search walks these combinations, leaving
out whatever no open row asks about any more; it is exact for the values that occur.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.known import Kind, When
from flows.match import COMPARISON, OPERATORS, holds, names
from flows.pack import Hit, Pack, Row, Table

MAX_NODES = 400_000


@dataclass(slots=True)
class Coverage:
    """What was found about a table."""

    gap: dict[str, Any] | None = None
    # a combination of values that no row covers
    dead: list[int] = field(default_factory=list)
    # rows (1 is the first) that can never apply
    complete: bool = True
    # false: too many combinations, the search was cut off
    cases: int = 0
    # combinations that were decided (those that no open row can tell apart count once)
    examples: dict[int, dict[str, Any]] = field(default_factory=dict)
    # row -> the first combination under which it applies


def cover(pack: Pack, table: Table) -> Coverage:
    """Look for a gap and for dead rows. A `collect` table has no gaps; an `open` one may have them."""
    beside = {number for number, row in enumerate(table.rows, start=1) if _applies_beside(table, row)}
    if beside and len(beside) < len(table.rows):
        return _in_two(pack, table, beside)
    if len(beside) > 1:
        return _one_by_one(pack, table)
    asked = sorted(set().union(*(names(row.when) for row in table.rows)))
    domains = {name: domain(pack, name, [row.when for row in table.rows]) for name in asked}
    search = _Search(table, domains)
    search.walk({name: value for name, value in table.over.items() if not isinstance(value, dict | list)})
    found = Coverage(complete=search.nodes < MAX_NODES, cases=search.leaves, examples=search.examples)
    if not table.open and table.hit is not Hit.COLLECT:
        found.gap = search.gap
    if found.complete:
        found.dead = [number for number in range(1, len(table.rows) + 1) if number not in search.reached]
    return found


@dataclass(frozen=True, slots=True)
class Map:
    """A table seen by two of its facts: which rows may apply for each pair of their values, whatever the others are."""

    across: str
    down: str | None
    # None: the table asks about one fact only
    columns: tuple[Any, ...]
    lines: tuple[Any, ...]
    cells: Mapping[tuple[Any, Any], tuple[int, ...]]
    # (line, column) -> numbers of rows


MAP_VALUES = 30
"""A fact with more values than this makes no map."""
MAP_CANDIDATES = 4
"""So many facts are tried beside the one that most rows ask about; the map that says most is kept."""


def draw_map(pack: Pack, table: Table) -> Map | None:
    """The map of a table whose rows compete; None where rows apply beside one another, or nothing can be laid out."""
    whens = [row.when for row in table.rows]
    if table.hit in (Hit.COLLECT, Hit.RANK):
        return None
    asked = sorted(
        set().union(*map(names, whens)), key=lambda name: (-sum(name in names(when) for when in whens), name)
    )
    domains = {name: domain(pack, name, whens) for name in asked}
    fixed = {name: value for name, value in table.over.items() if not isinstance(value, dict | list)}
    free = [name for name in asked if name not in fixed and 1 < len(domains[name]) <= MAP_VALUES]
    if not free:
        return None
    others: list[str | None] = [*free[1 : 1 + MAP_CANDIDATES]] or [None]
    maps = [_mapped(table, domains, fixed, free[0], other) for other in others]
    return min(maps, key=lambda one: sum(map(len, one.cells.values())) / len(one.cells))


def _mapped(
    table: Table, domains: Mapping[str, list[Any]], fixed: Mapping[str, Any], first: str, second: str | None
) -> Map:
    """A table by two facts, the one with more values downwards."""
    across, down = (
        (first, second) if second and len(domains[second]) > len(domains[first]) else (second or first, first)
    )
    lines = tuple(domains[down]) if second else (None,)
    cells: dict[tuple[Any, Any], tuple[int, ...]] = {}
    for line in lines:
        for column in domains[across]:
            search = _Search(table, domains)
            search.walk({**fixed, across: column, **({down: line} if second else {})})
            cells[line, column] = tuple(sorted(search.reached))
    return Map(across, down if second else None, tuple(domains[across]), lines, cells)


def _applies_beside(table: Table, row: Row) -> bool:
    """Whether a row applies whatever the other rows do: it then needs no comparing with them."""
    return table.hit is Hit.COLLECT or (table.hit is Hit.RANK and row.rank is None)


def _one_by_one(pack: Pack, table: Table) -> Coverage:
    """Rows that do not compete: each is dead or not on its own."""
    singles = [cover(pack, table.model_copy(update={"rows": (row,), "open": True})) for row in table.rows]
    dead = [number for number, single in enumerate(singles, start=1) if single.dead]
    examples = {number: single.examples[1] for number, single in enumerate(singles, start=1) if single.examples}
    complete, cases = all(single.complete for single in singles), sum(single.cases for single in singles)
    return Coverage(dead=dead, complete=complete, cases=cases, examples=examples)


def _in_two(pack: Pack, table: Table, beside: set[int]) -> Coverage:
    """A rank table: the rows with a rank compete, the others apply in addition."""
    numbered = list(enumerate(table.rows, start=1))
    found = Coverage()
    for numbers in ([n for n, _ in numbered if n not in beside], sorted(beside)):
        rows = tuple(table.rows[number - 1] for number in numbers)
        part = cover(pack, table.model_copy(update={"rows": rows}))
        found.gap = found.gap or (part.gap if beside.isdisjoint(numbers) else None)
        found.dead = sorted([*found.dead, *(numbers[number - 1] for number in part.dead)])
        found.complete = found.complete and part.complete
        found.cases += part.cases
        found.examples |= {numbers[number - 1]: example for number, example in part.examples.items()}
    return found


def domain(pack: Pack, name: str, whens: Sequence[When]) -> list[Any]:
    """The values of a slot or fact that can make a difference to these conditions, "not known" (None) among them."""
    part = pack.facts.get(name) or pack.slots.get(name)
    operands = [operand for when in whens for operand in _operands(when, name)]
    known = part is not None and getattr(part, "default", None) is not None
    unknown: list[Any] = [] if known else [None]
    kind = part.type if part else None
    if kind is Kind.BOOL or any(isinstance(one, bool) for one in operands):
        always = part is not None and getattr(part, "when", None) is not None and name in pack.facts
        return [True, False, *([] if always else unknown)]
    if kind is Kind.SET or isinstance(getattr(part, "default", None), list):
        members = sorted({str(one) for one in operands if isinstance(one, str)})
        return [(), *((one,) for one in members), tuple(members)] if members else [(), ("other",)]
    limits = [float(found[2]) for one in operands if isinstance(one, str) and (found := COMPARISON.match(one))]
    limits += [float(one) for one in operands if isinstance(one, int | float) and not isinstance(one, bool)]
    if kind is Kind.NUMBER or limits:
        return sorted({limit + step for limit in limits for step in (-1, 0, 1)}) + unknown
    values = _values(pack, name)
    said = [one for one in operands if isinstance(one, str) and not COMPARISON.match(one)]
    if values:
        return [*_different(values, said), *unknown]
    return [*dict.fromkeys(said), "·something else·", *unknown]


class _Search:
    """Walks the combinations of values."""

    def __init__(self, table: Table, domains: Mapping[str, list[Any]]) -> None:
        self.table, self.domains = table, domains
        self.nodes = 0
        self.gap: dict[str, Any] | None = None
        self.reached: set[int] = set()
        self.examples: dict[int, dict[str, Any]] = {}
        self.leaves = 0
        self.seen: set[tuple[Any, ...]] = set()

    def walk(self, known: dict[str, Any]) -> None:
        """Decide the rows under what is known so far; where some are open, try every value of a name that they ask about."""
        self.nodes += 1
        if self.nodes >= MAX_NODES:
            return
        verdicts = [partly(row.when, known) for row in self.table.rows]
        if self.table.hit is Hit.FIRST and True in verdicts:
            first = verdicts.index(True)
            verdicts = verdicts[: first + 1] + [False] * (len(verdicts) - first - 1)
        if self.table.hit is Hit.RANK:
            verdicts = self.ranked(verdicts)
        if None not in verdicts:
            self.leaf(verdicts, known)
            return
        open_rows = [row.when for row, verdict in zip(self.table.rows, verdicts, strict=True) if verdict is None]
        left = {name for when in open_rows for name in names(when)} - set(known)
        key = (
            tuple(verdicts),
            tuple(sorted((n, repr(v)) for n, v in known.items() if any(n in names(w) for w in open_rows))),
        )
        if key in self.seen:
            return
        self.seen.add(key)
        if self.table.hit is Hit.RANK:  # decide the lowest rank first: it keeps the others from deciding
            left = self.lowest(verdicts, known) or left
        name = max(sorted(left), key=lambda one: sum(one in names(when) for when in open_rows))
        for value in self.domains[name]:
            self.walk({**known, name: value})

    def lowest(self, verdicts: list[bool | None], known: Mapping[str, Any]) -> set[str]:
        """Names that are not known yet of the open row with the lowest rank."""
        rows = [row for row, verdict in zip(self.table.rows, verdicts, strict=True) if verdict is None]
        row = min(rows, key=lambda one: one.rank or 0)
        return names(row.when) - set(known)

    def ranked(self, verdicts: list[bool | None]) -> list[bool | None]:
        """Leave out the rows that a row of a lower rank, certain already, keeps from deciding."""
        ranks = [row.rank for row in self.table.rows]
        best = min(
            (rank for rank, verdict in zip(ranks, verdicts, strict=True) if verdict and rank is not None), default=None
        )
        if best is None:
            return verdicts
        return [
            False if rank is not None and rank > best else verdict
            for rank, verdict in zip(ranks, verdicts, strict=True)
        ]

    def leaf(self, verdicts: list[bool | None], known: dict[str, Any]) -> None:
        self.leaves += 1
        applying = [number for number, verdict in enumerate(verdicts, start=1) if verdict]
        if not applying:
            self.gap = self.gap or dict(known)
        match self.table.hit:
            case Hit.PRIORITY:
                rows = self.table.rows
                applying = sorted(applying, key=lambda n: (-rows[n - 1].priority, -len(rows[n - 1].when), n))[:1]
            case Hit.RANK:
                ranked = [n for n in applying if self.table.rows[n - 1].rank is not None]
                best = min((self.table.rows[n - 1].rank or 0 for n in ranked), default=None)
                applying = [n for n in applying if self.table.rows[n - 1].rank in (None, best)]
            case _:
                pass
        self.reached.update(applying)
        for number in applying:
            self.examples.setdefault(number, dict(known))


def partly(when: When, known: Mapping[str, Any]) -> bool | None:
    """Decide conditions when only some names have values: True, False, or None when it depends on the others."""
    result: bool | None = True
    for name, condition in when.items():
        if name == "any":
            arms = [partly(arm, known) for arm in condition]
            holding: bool | None = True if True in arms else None if None in arms else False
        else:
            holding = holds(condition, known[name]) if name in known else None
        if holding is False:
            return False
        result = None if holding is None else result
    return result


def _operands(when: When, name: str) -> Iterator[Any]:
    for key, condition in when.items():
        if key == "any":
            for arm in condition:
                yield from _operands(arm, name)
        elif key == name:
            yield from _leaves(condition)


def _leaves(condition: Any) -> Iterator[Any]:
    if isinstance(condition, Mapping):
        for operator, operand in condition.items():
            if operator in ("min", "max", "above", "below"):
                yield float(operand)
            elif operator in OPERATORS - {"known", "not_empty"}:
                yield from _leaves(operand)
    elif isinstance(condition, list | tuple):
        for one in condition:
            yield from _leaves(one)
    elif condition is not None:
        yield condition


def _different(values: Sequence[Any], said: Sequence[str]) -> list[Any]:
    """The values that conditions can tell apart: those they name, and one for all the others."""
    named = [value for value in values if any(value == one or str(value).startswith(one) for one in said)]
    return [*named, *[value for value in values if value not in named][:1]]


def _values(pack: Pack, name: str) -> list[Any]:
    if name == "topic":
        return [*pack.intents, "·repair·"]
    if name in pack.facts and pack.facts[name].values:
        return list(pack.facts[name].values)
    if name in pack.slots and (pack.slots[name].values or pack.slots[name].words):
        slot = pack.slots[name]
        return [*dict.fromkeys([*(slot.values or {}), *(slot.words.patterns if slot.words else {})])]
    return []
