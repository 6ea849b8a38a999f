"""Everything that can be found wrong with a pack's folder: its content, its demo shop, its talks, what no talk comes to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import flows
from bot.clients import shop_file
from bot.expectations import hold
from bot.talks import Stage, Talk, TalkInvalid, read_stage
from bot.testing import Conversation, Heard
from flows.check import check
from flows.places import place_of
from flows.trace import Trace, Went

Told = Callable[[int, int], None]
"""Told how many talks were held, of how many."""


def problems_of(folder: Path) -> list[flows.Problem]:
    """All problems of a pack's folder, its demo shop included; places are relative to the folder."""
    try:
        pack = flows.load(folder)
    except flows.PackInvalid as invalid:
        return invalid.problems
    found = check(pack)
    shop = folder / "demo" / "shop.yml"
    if shop.is_file():
        try:
            shop_file.load(shop, now=datetime.now(UTC), pack=pack)
        except shop_file.ShopInvalid as invalid:
            found += [flows.Problem(f"demo/{problem.where}", problem.text) for problem in invalid.problems]
    try:
        read_stage(folder)
    except TalkInvalid as invalid:
        found += invalid.problems
    return found


@dataclass
class Reached:
    """What of a pack's content some conversations came to."""

    flows: set[str] = field(default_factory=set)
    rows: set[tuple[str, int]] = field(default_factory=set)
    phrases: set[str] = field(default_factory=set)

    def watch(self, conversation: Conversation, heard: Heard) -> None:
        """Note what a turn came to."""
        self.phrases |= {name for say in heard.says for name in say.phrases}
        if conversation.decided is None:
            return
        trace = Trace(conversation.pack)
        flows.decide(conversation.pack, conversation.decided[0], trace)
        for node in (node for request in trace.requests for node in request.walk()):
            if node.kind == "flow":
                self.flows.add(node.name)
            elif node.kind == "row" and node.went is Went.TAKEN:
                self.rows.add((str(node.detail["table"]), int(node.name)))
            elif node.kind == "phrase":
                self.phrases.add(node.name)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What came of holding all talks."""

    wrong: list[flows.Problem]
    untried: list[flows.Problem]
    # remarks on content that no talk comes to; places are relative to the pack's folder


def rehearse(folder: Path, all_talks: Sequence[Talk], told: Told = lambda done, of: None) -> Rehearsed:
    """Hold talks against a pack that has no problems."""
    on, reached, wrong = read_stage(folder), Reached(), list[flows.Problem]()
    for number, talk in enumerate(all_talks, start=1):
        wrong += hold(talk, on, reached.watch).wrong
        told(number, len(all_talks))
    return Rehearsed(wrong, sorted(_untried(on, reached)))


def _untried(on: Stage, reached: Reached) -> Iterator[flows.Problem]:
    pack = on.pack
    marks = pack.manifest.marks
    by_desk = {*pack.manifest.notices.model_dump(exclude_none=True).values(), *(marks.phrases if marks else ())}
    for name in pack.flows:
        if name not in reached.flows:
            yield _remark(pack, f"flow:{name}", f"flow {name!r}: no talk comes to it")
    for name, table in pack.tables.items():
        for number, row in enumerate(table.rows, start=1):
            if (name, number) not in reached.rows:
                rules = f" ({', '.join(row.rule)})" if row.rule else ""
                yield _remark(
                    pack, f"table:{name}.{number}", f"table {name!r}, row {number}{rules}: no talk comes to it"
                )
    for name in pack.phrases:
        if name not in reached.phrases | by_desk:
            yield _remark(pack, f"phrase:{name}", f"phrase {name!r}: no talk comes to it")


def _remark(pack: flows.Pack, place: str, text: str) -> flows.Problem:
    return flows.Problem(place_of(pack, place), text, remark=True)
