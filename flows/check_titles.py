"""What is wrong with the titles that agents read for a pack's names; a pack without titles has its code names shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from flows.errors import Problem
from flows.match import names
from flows.pack import Collect, Pack, SetStep
from flows.places import every_step, every_when, known_name, near_name, problem, remark
from flows.titles import flow_title, known_title, table_title
from flows.wording import near

PLACE = "titles:titles.yml"


def titles_name_what_there_is(pack: Pack) -> Iterator[Problem]:
    """Titles are of flows, tables, slots, facts and settings that there are."""
    for kind, named, there in (("flow", pack.titles.flows, pack.flows), ("table", pack.titles.tables, pack.tables)):
        for name in named:
            if name not in there:
                yield problem(pack, PLACE, f"there is no {kind} {name!r}{near(name, there)}")
    for name in pack.titles.known:
        if not known_name(pack, name):
            yield problem(pack, PLACE, f"there is no value {name!r}{near_name(pack, name)}")


def what_agents_see_has_a_title(pack: Pack) -> Iterator[Problem]:
    """Flows, tables, slots that are asked for or set, and what conditions look at should have titles."""
    if not pack.titles.flows and not pack.titles.known:
        return
    for name in pack.flows:
        if flow_title(pack, name) is None:
            yield remark(pack, f"flow:{name}", "has no title in titles.yml")
    for name in pack.tables:
        if table_title(pack, name) is None:
            yield remark(pack, f"table:{name}", "has no title in titles.yml")
    steps = [step for _, step in every_step(pack)]
    seen = {step.collect for step in steps if isinstance(step, Collect)}
    seen.update(name for step in steps if isinstance(step, SetStep) for name in step.set if name in pack.slots)
    seen.update(name for place, when in every_when(pack) if not place.startswith("fact:") for name in names(when))
    for name in sorted(seen):
        if known_title(pack, name) is None:
            kind = "slot" if name in pack.slots else "fact"
            yield remark(pack, f"{kind}:{name}", "is shown to agents and has no title in titles.yml")


CHECKS: tuple[Callable[[Pack], Iterator[Problem]], ...] = (titles_name_what_there_is, what_agents_see_has_a_title)
