"""Reading an answer to a question out of a turn, and what the customer told without being asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from flows.decision import Entity, Turn
from flows.facts import occurs, read_words
from flows.known import Kind, Slot
from flows.pack import Pack
from flows.russian import plain

AFFIRM, DENY = "affirm", "deny"
"""Names of the inventory's two plain answers."""


def answer(pack: Pack, turn: Turn, name: str) -> Any:
    """Return the value that the turn gives to the slot that was asked for, or None when it is no answer to it."""
    value = _answer(pack, turn, name)
    return None if isinstance(value, str) and len(value.split()) < pack.slots[name].min_words else value


def _answer(pack: Pack, turn: Turn, name: str) -> Any:
    slot = pack.slots[name]
    if (value := _from_press(pack, turn, name)) is not None:
        return value
    if slot.entity and turn.contact and "phone" in slot.entity:
        return turn.contact
    if slot.entity and (found := _entity(turn, slot)) is not None:
        return found.value
    text = _text(turn)
    if slot.values and (value := _among(slot.values, text)) is not None:
        return value
    if slot.words and (value := read_words(slot.words, text)) is not None:
        return value
    if slot.pattern and (match := re.search(slot.pattern, plain(text))):
        return match[1] if match.re.groups else match[0]
    if slot.type is Kind.BOOL and (value := yes_or_no(pack, turn)) is not None:
        return value
    if slot.type is Kind.NUMBER and (match := re.search(r"\d+(?:[.,]\d+)?", text)):
        return float(match[0].replace(",", "."))
    return text.strip() if slot.free and re.search(r"\w", text) else None


def yes_or_no(pack: Pack, turn: Turn) -> bool | None:
    """Read a plain yes or no; None when it is neither."""
    if turn.press in ("yes", "no"):
        return turn.press == "yes"
    if bare(turn):
        return None
    text = _text(turn)
    if occurs(pack.answers["unsure"], text):
        return None
    read = {reading.name for reading in turn.parse.intents} if turn.parse else set()
    if read & {AFFIRM, DENY} and not {AFFIRM, DENY} <= read:
        return AFFIRM in read
    if occurs(pack.answers["no"], text):
        return False
    return True if occurs(pack.answers["yes"], text) else None


def bare(turn: Turn) -> bool:
    """Tell whether a message is nothing but data: an order number, a phone. Then its reading as a yes means nothing."""
    text = turn.text
    for entity in turn.parse.entities if turn.parse else ():
        text = text.replace(entity.text, " ")
    number = re.fullmatch(r"[\W\d]*\d[\W\d]*", turn.text) is not None
    return number or (text != turn.text and re.search(r"\w", text) is None)


def told(pack: Pack, turn: Turn, request: int | None = None, *, along: Sequence[str] = ()) -> dict[str, Any]:
    """Slots that the turn's entities fill unasked; with `request`, only entities of that request or of none.

    `along` names slots that may be filled now though not `anywhere`: those that go with the question asked.
    """
    found: dict[str, Any] = {}
    for entity in turn.parse.entities if turn.parse else ():
        if request is not None and entity.of not in (None, request):
            continue
        for name, slot in pack.slots.items():
            open_to_it = slot.anywhere or name in along
            if open_to_it and slot.entity and entity.entity in slot.entity and name not in found:
                found[name] = entity.value
    return found


def told_each(pack: Pack, turn: Turn, request: int | None = None) -> list[dict[str, Any]]:
    """Like `told`, once for each value of a slot that is marked `each`: one request about each of two orders."""
    first = told(pack, turn, request)
    found = [first]
    for name in (name for name in first if pack.slots[name].each):
        for entity in turn.parse.entities if turn.parse else ():
            of_this = request is None or entity.of in (None, request)
            known = {slots[name] for slots in found}
            if of_this and entity.entity in (pack.slots[name].entity or ()) and entity.value not in known:
                found.append({**first, name: entity.value})
    return found


def by_its_words_only(pack: Pack, turn: Turn, name: str, value: Any) -> bool:
    """Tell whether a text is an answer only because nearly any text is: no entity, listed value or yes and no gave it."""
    slot, text = pack.slots[name], _text(turn)
    if slot.entity and _entity(turn, slot) is not None:
        return False
    if slot.values and _among(slot.values, text) is not None:
        return False
    return slot.pattern is not None or (slot.free and value == text.strip())


def only_an_answer(turn: Turn, value: Any) -> bool:
    """Tell whether a message says hardly more than the answer itself (so that it asks nothing new)."""
    text = _text(turn)
    for entity in turn.parse.entities if turn.parse else ():
        text = text.replace(entity.text, " ")
    words = re.findall(r"\w+", text)
    return "?" not in text and len(words) <= (3 if not isinstance(value, str) or value != _text(turn).strip() else 200)


def _text(turn: Turn) -> str:
    return turn.parse.mended if turn.parse and turn.parse.mended else turn.text


def _from_press(pack: Pack, turn: Turn, name: str) -> Any:
    if turn.press is None or not turn.press.startswith(f"slot:{name}="):
        return None
    return pressed_value(pack, name, turn.press.split("=", 1)[1])


def pressed_value(pack: Pack, name: str, raw: str) -> Any:
    """The value that a button's `slot:name=raw` gives."""
    return {"true": True, "false": False}.get(raw, raw) if pack.slots[name].type is Kind.BOOL else raw


def _entity(turn: Turn, slot: Slot) -> Entity | None:
    entities = turn.parse.entities if turn.parse else ()
    return next((entity for kind in slot.entity or () for entity in entities if entity.entity == kind), None)


def _among(values: dict[str, tuple[str, ...]], text: str) -> str | None:
    return next((value for value, patterns in values.items() if occurs(patterns, text)), None)
