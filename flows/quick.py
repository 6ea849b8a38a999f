"""Quick phrases: what agents insert into their replies, filled with what is known of the customer and the order.

Like `decide`, filling asks and does not fetch: it holds lookups until their answers are among the turn's facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.decision import Lookup, Topic, Turn
from flows.facts import Needed, View
from flows.match import matches
from flows.pack import Pack
from flows.phrases import OPTIONAL, fill, placeholders


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A quick phrase as an agent sees it."""

    name: str
    title: str
    words: tuple[str, ...]
    fits: bool
    # it goes with the topic of the request
    hold: bool
    texts: tuple[str, ...]
    # variants that can be said; none: something is not known
    missing: tuple[str, ...] = ()
    # what is not known, in words for the agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Fillings:
    """All quick phrases; while there are lookups the phrases are not ready."""

    phrases: tuple[Filled, ...] = ()
    lookups: tuple[Lookup, ...] = ()


def fill_quick(pack: Pack, turn: Turn, *, topic: str | None = None, order: Mapping[str, Any] | None = None) -> Fillings:
    """Fill a pack's quick phrases: those of the topic first, what can be said before what cannot, else as in the file.

    topic: the intent that the request is about; order: what is known of the order when the shop's systems tell nothing
    """
    served = [one for one in (*turn.state.done, *turn.state.open) if one.intent == topic]
    view = View(pack, turn, turn.state, served[-1] if served else Topic(intent=topic or "", words=""))
    needed: dict[Lookup, None] = {}
    if order is not None and pack.manifest.order_fact:
        try:
            if view.quiet(pack.manifest.order_fact) is None:
                view.used[pack.manifest.order_fact] = order
        except Needed as asked:
            needed[asked.lookup] = None
    filled: list[Filled] = []
    for name, one in pack.quick.items():
        try:
            true = matches(one.when, view.quiet)
            texts = tuple(filter(None, (fill(text, view) for text in one.text))) if true else ()
            missing = () if texts else _missing(pack, view, one.text[0]) if true else (one.needs or one.title,)
        except Needed as asked:
            needed[asked.lookup] = None
            continue
        fits = topic is not None and topic in one.topics
        filled.append(
            Filled(name=name, title=one.title, words=one.words, fits=fits, hold=one.hold, texts=texts, missing=missing)
        )
    if needed:
        return Fillings(lookups=tuple(needed))
    return Fillings(phrases=tuple(sorted(filled, key=lambda one: (not one.fits, not one.texts))))


def _missing(pack: Pack, view: View, text: str) -> tuple[str, ...]:
    """What a text needs and nobody knows, by the pack's directory `labels_quick`."""
    labels = pack.manifest.directories.get("labels_quick", {})
    unknown = [name for name in placeholders(OPTIONAL.sub("", text)) if view.quiet(name) in (None, "", (), [])]
    told = [labels.get(name) or labels.get(name.split(".")[0]) or {"title": name} for name in unknown]
    return tuple(dict.fromkeys(str(one["title"]) for one in told))
