"""Small parts of pages: links, rules, phrases with their placeholders, steps in words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

import htpy as h

import flows
from flows.draw import leads_to
from flows.pack import AnyStep, Branch, Collect, SayStep, SetStep
from flows.words import condition_parts, condition_text, targets, texts, verb

Links = Callable[[str, str], str | None]
"""Address of a flow, table, phrase or row (kind, name); None where it has no page."""
_PIECES = re.compile(r"(\{[^{}]+\}|\[\[|\]\])")


class Linker:
    """A pack with the addresses of its parts."""

    def __init__(self, pack: flows.Pack, to: Links) -> None:
        self.pack, self.to = pack, to

    def named(self, kind: str, name: str) -> h.Node:
        """A name, as a link where there is a page."""
        address, shown = self.to(kind, name), name
        if kind == "row":
            table, _, number = name.rpartition(".")
            shown = f"{table}, строка {number}"
        return h.a(".code", href=address)[shown] if address else h.code[shown]

    @cached_property
    def _callers(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        blocks = [(("flow", name), flow.steps) for name, flow in self.pack.flows.items()]
        blocks += [(("table", name), row.steps) for name, table in self.pack.tables.items() for row in table.rows]
        for owner, steps in blocks:
            for target in leads_to(self.pack, steps):
                if owner not in found.setdefault(target, []):
                    found[target].append(owner)
        return found

    def callers(self, kind: str, name: str) -> h.Node:
        """What leads to a flow or table."""
        there = self._callers.get((kind, name), [])
        if not there:
            return None
        names = [self.named(*one) for one in there]
        return h.p(".small.dim")["Сюда ведут: ", [part for one in names for part in (one, " ")]]


def rules(names: Iterable[str]) -> h.Node:
    """Rule ids."""
    return [h.span(".rule")[name] for name in names]


def pills(facts: Sequence[tuple[str, str]]) -> h.Node:
    """Short facts side by side: text and kind (good, bad or nothing)."""
    return h.ul(".pills")[[h.li(class_=kind)[text] for text, kind in facts]] if facts else None


def said(text: str) -> h.Node:
    """A phrase's text: placeholders marked, what may be left out underlined with dashes."""
    parts: list[h.Node] = []
    optional = False
    for piece in _PIECES.split(text):
        if piece in ("[[", "]]"):
            optional = piece == "[["
        elif piece.startswith("{"):
            name, _, filters = piece[1:-1].partition("|")
            parts.append(
                h.span(".value", title=f"{{{piece[1:-1]}}}")[
                    filters.rpartition(",")[2] if filters.startswith("plural") else name
                ]
            )
        elif piece:
            parts.append(
                h.span(".maybe", title="опускается, если значение внутри неизвестно")[piece] if optional else piece
            )
    return parts


def conditions(pack: flows.Pack, when: Mapping[str, Any]) -> h.Node:
    """Conditions, each on its line."""
    told = [condition_parts(pack, name, wants) for name, wants in when.items()]
    return h.ul(".when")[[h.li[h.span(".about")[about, " "] if about else None, wants] for about, wants in told]]


def steps(links: Linker, body: Sequence[AnyStep]) -> h.Node:
    """Steps in words, one below the other; a row may have none, or only set nothing."""
    if all(isinstance(step, SetStep) and not step.set for step in body):
        return h.span(".dim")["ничего не делает, сценарий идёт дальше"]
    return h.ol(".steps")[[h.li[_step(links, step)] for step in body]]


def _step(links: Linker, step: AnyStep) -> h.Node:
    pack = links.pack
    asked = (
        h.div(".if")["если ", "; ".join(condition_text(pack, name, wants) for name, wants in step.when.items())]
        if step.when
        else None
    )
    if isinstance(step, Branch):
        arms = [
            h.div[
                h.div(".if")[
                    "если " if arm.when else "иначе", "; ".join(condition_text(pack, *one) for one in arm.when.items())
                ],
                steps(links, arm.steps),
            ]
            for arm in step.branch
        ]
        return h.div[asked, arms]
    kind = {"table": "table", "call": "flow"}.get(next(iter(step.model_fields_set & {"table", "call"}), ""), "")
    what: h.Node = links.named(kind, targets(step)) if kind else h.code[targets(step)] if targets(step) else None
    if isinstance(step, SayStep):
        what = [part for name in step.say for part in (links.named("phrase", name), " ")]
    head = h.div[h.span(".verb")[verb(step)], " ", what, " ", rules(step.rule)]
    if isinstance(step, SayStep):
        words: h.Node = [phrase(links, name) for name in step.say]
    elif isinstance(step, Collect):
        words = [h.div(".small.dim")["вопрос: ", links.named("phrase", step.ask)], phrase(links, step.ask)]
    else:
        words = [h.blockquote[[h.p[said(text)] for text in told]] for told in (texts(pack, step),) if told]
    return h.div[asked, head, words]


def phrase(links: Linker, name: str) -> h.Node:
    """The words of a phrase, all variants, with its buttons."""
    spoken = links.pack.phrases.get(name)
    if spoken is None:
        return None
    titles = [
        links.pack.buttons[one].title
        if isinstance(one, str) and one in links.pack.buttons
        else getattr(one, "title", str(one))
        for one in spoken.buttons
    ]
    if spoken.each:
        titles.insert(0, f"по кнопке на каждый: {spoken.each}")
    return h.blockquote[
        [h.p[said(text)] for text in spoken.say],
        h.div(".buttons")[[h.span[title] for title in titles]] if titles else None,
    ]
