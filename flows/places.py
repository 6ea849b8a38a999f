"""Places in a pack: all its steps and conditions with where they stand, and problems told with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from flows.errors import Problem
from flows.known import When
from flows.pack import AnyStep, Branch, Pack
from flows.wording import near

_OWN = re.compile(
    r"^(topics?|misses|strays|down|readings|handing_to|previous_topic|topic_changed|turn\.\w+|deed\.[\w.]+|request\.\w+|setting\.\w+|told\.\w+|queue_open\.\w+|it\.[\w.]+)$"
)


def every_step(pack: Pack) -> Iterator[tuple[str, AnyStep]]:
    """All steps of flows and tables with their places: flow:name.step, table:name.row.step, and so on inside branches."""

    def inside(place: str, steps: Sequence[AnyStep]) -> Iterator[tuple[str, AnyStep]]:
        for number, step in enumerate(steps, start=1):
            here = f"{place}.{number}"
            yield here, step
            if isinstance(step, Branch):
                for at, arm in enumerate(step.branch, start=1):
                    yield from inside(f"{here}.{at}", arm.steps)

    for name, flow in pack.flows.items():
        yield from inside(f"flow:{name}", flow.steps)
    for name, table in pack.tables.items():
        for number, row in enumerate(table.rows, start=1):
            yield from inside(f"table:{name}.{number}", row.steps)


def every_when(pack: Pack) -> Iterator[tuple[str, When]]:
    """All conditions of a pack with their places."""
    for place, step in every_step(pack):
        if step.when:
            yield place, step.when
        if isinstance(step, Branch):
            yield from ((place, arm.when) for arm in step.branch)
    yield from ((f"flow:{name}", flow.hears) for name, flow in pack.flows.items() if flow.hears)
    for name, table in pack.tables.items():
        yield from ((f"table:{name}.{number}", row.when) for number, row in enumerate(table.rows, start=1))
    yield from ((f"quick:{name}", one.when) for name, one in pack.quick.items() if one.when)
    for name, fact in pack.facts.items():
        if fact.when:
            yield f"fact:{name}", fact.when
        yield from ((f"fact:{name}", case.when) for case in fact.cases or ())


def known_name(pack: Pack, name: str) -> bool:
    """Tell whether a name is a slot, a fact, a path into a source, a setting or one of the turn's own."""
    if name in pack.slots or name in pack.facts or name in pack.sources or name in pack.manifest.settings:
        return True
    root = name.split(".")[0]
    return bool(_OWN.match(name)) or ("." in name and (root in pack.sources or root in pack.facts))


def place_of(pack: Pack, place: str) -> str:
    """The file and line of a place (kind:name, with numbers of rows and steps behind dots)."""
    while place not in pack.places and "." in place:
        place = place.rpartition(".")[0]
    file, line = pack.places.get(place, ("pack.yml", 1))
    return f"{file}:{line}"


def problem(pack: Pack, place: str, text: str) -> Problem:
    kind, _, name = place.partition(":")
    name, *numbers = name.split(".") if kind in ("flow", "table") else (name,)
    row = f", row {numbers[0]}" if kind == "table" and numbers else ""
    return Problem(place_of(pack, place), f"{kind} {name!r}{row}: {text}")


def remark(pack: Pack, place: str, text: str) -> Problem:
    return replace(problem(pack, place, text), remark=True)


def near_name(pack: Pack, name: str) -> str:
    return near(name, [*pack.slots, *pack.facts, *pack.sources])
