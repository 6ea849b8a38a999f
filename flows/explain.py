"""explain(pack, turn): why the bot said this. What was read, looked up, tried, hit and said, as one value.

The same turn and facts give the same explanation, so a turn that was stored can be explained later. The value turns into
JSON (`explanation_json`) for the desk and for `firstline explain --json`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from flows.decide import decide
from flows.decision import Decision, Lookup, Parse, Turn, Unavailable
from flows.known import FACT_WAYS
from flows.match import names
from flows.pack import Hit, Pack
from flows.phrases import placeholders
from flows.trace import Node, Trace, Went, brief


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A slot or fact that the decision used, with its value and where it comes from."""

    name: str
    value: Any
    kind: str
    # slot, fact, path (into what a system told), setting, own (of the turn itself)
    how: str = ""
    # of a fact: the way it is got (from order.status, cases, words …)
    where: str = ""
    # file:line
    matters: bool = False
    # a condition of what was taken, or of a row that failed before the one that hit, or a phrase that was said names it


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question to a system of the shop, and its answer."""

    source: str
    args: Mapping[str, str]
    answer: Any = None
    down: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A change that the CRM was asked for, and what came of it."""

    action: str
    args: Mapping[str, str]
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """How the message was taken: what it asks for, or what question it answers."""

    asked: str | None = None
    # the slot that the bot had asked for
    answered: bool = False
    # the message answers it
    missed: bool = False
    # it was not understood
    requests: tuple[Mapping[str, Any], ...] = ()
    # new requests: {intent, words, slots}
    talk: tuple[str, ...] = ()
    # flows of small talk and repair


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """All that stands behind a decision."""

    pack: str
    # name@version of the content
    at: datetime
    channel: str
    chat: str
    text: str
    press: str | None = None
    parse: Parse | None = None
    heard: Heard
    asked: tuple[Asked, ...] = ()
    done: tuple[Done, ...] = ()
    requests: tuple[Node, ...] = ()
    # what was served, in order, with everything that was tried
    facts: tuple[Known, ...] = ()
    decision: Decision

    def nodes(self, kind: str) -> Iterator[Node]:
        """All nodes of a kind (flow, step, row, arm, phrase), in the order in which they were come to."""
        return (node for request in self.requests for node in request.walk() if node.kind == kind)

    def tables(self) -> dict[str, list[Node]]:
        """The rows of each table that was asked; of one asked several times the last time."""
        steps = {
            node.detail["table"]: node.inside for node in self.nodes("step") if node.name == "table" and node.inside
        }
        return steps | {node.name: node.inside for node in self.requests if node.kind == "table"}


def explain(pack: Pack, turn: Turn) -> Explanation:
    """Decide upon a turn and keep what was looked at. Where facts are still missing, the decision says which."""
    trace = Trace(pack)
    decision = decide(pack, turn, trace)
    heard = trace.heard
    asking = turn.state.asking
    return Explanation(
        pack=f"{pack.manifest.name}@{pack.version}", at=turn.now, channel=turn.channel, chat=turn.chat, text=turn.text,
        press=turn.press, parse=turn.parse,
        heard=Heard(
            asked=asking.slot if asking else None, answered=heard.get("answered", False), missed=heard.get("missed", False),
            requests=tuple({key: one[key] for key in ("intent", "words", "slots")} for one in heard.get("topics", ())),
            talk=tuple(heard.get("dialogue", ())),
        ),
        asked=tuple(_asked(turn)),
        done=tuple(Done(action=one.act.action, args=dict(one.act.args), result=one.result) for one in turn.changes),
        requests=tuple(trace.requests), facts=tuple(_known(pack, trace)), decision=decision,
    )  # fmt: skip


def explanation_json(explanation: Explanation) -> dict[str, Any]:
    """An explanation as what JSON can hold; the state that the conversation is left in is no part of it."""
    made: dict[str, Any] = _ADAPTER.dump_python(explanation, mode="json")
    made["decision"].pop("state")
    return made


def _asked(turn: Turn) -> Iterator[Asked]:
    for facts in (turn.facts, *(change.facts for change in turn.changes)):
        for lookup, answer in facts.items():
            if isinstance(lookup, Lookup):
                down = isinstance(answer, Unavailable)
                yield Asked(source=lookup.source, args=dict(lookup.args), answer=None if down else answer, down=down)


def _known(pack: Pack, trace: Trace) -> Iterator[Known]:
    """The slots and facts that were used, but for whole objects of the shop's systems."""
    mattered = set(_mattered(pack, trace.requests))
    for name, value in sorted(trace.used.items()):
        if name in pack.sources or isinstance(value, Mapping):
            continue
        kind, how, place = _origin(pack, name)
        where = trace.where(place) if place else ""
        yield Known(name=name, value=brief(value), kind=kind, how=how, where=where, matters=name in mattered)


def _origin(pack: Pack, name: str) -> tuple[str, str, str]:
    """The kind of a name, the way its value is got, and the place where it is described."""
    if name in pack.slots:
        return "slot", "", f"slot:{name}"
    if name in pack.facts:
        fact = pack.facts[name]
        way = next(way for way in FACT_WAYS if getattr(fact, way) is not None)
        return "fact", f"from {fact.path}" if fact.path else way, f"fact:{name}"
    if name.removeprefix("setting.") in pack.manifest.settings:
        return "setting", "", "manifest:pack.yml"
    path = "." in name and name.split(".")[0] in {*pack.sources, *pack.facts}
    return "path" if path else "own", "", ""


def _mattered(pack: Pack, requests: Iterable[Node]) -> Iterator[str]:
    for node in (node for request in requests for node in request.walk()):
        stops = node.kind == "row" and pack.tables[str(node.detail["table"])].hit is Hit.FIRST
        if node.went is Went.TAKEN or (stops and node.went is Went.SKIPPED):
            yield from (
                name for one in node.conditions if one.holds is not None for name in names({one.name: one.wants})
            )
        if node.kind == "phrase":
            yield from (name for text in pack.phrases[node.name].say for name in placeholders(text))


_ADAPTER: TypeAdapter[Explanation] = TypeAdapter(Explanation)
