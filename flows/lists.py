"""A list that was shown (of the customer's orders): its members named by their place, «второй», «оба», «первый и третий»."""

from __future__ import annotations

from typing import Literal

from flows.answers import told_each
from flows.decision import Asking, ConversationState, Turn
from flows.facts import View, occurs
from flows.pack import Pack
from flows.phrases import fill, phrase

PLACES: tuple[Literal["first", "second", "third", "fourth"], ...] = ("first", "second", "third", "fourth")
BOTH = 2
MOST_WORDS_OF_A_PLACE = 4
MOST_WORDS_WITH_A_PLACE = 10


def spoken(turn: Turn) -> str:
    """The words of a turn, put right."""
    return turn.parse.mended if turn.parse and turn.parse.mended else turn.text


def only_place(text: str) -> bool:
    """Tell whether a text is so short that a place in it is all it says: «а второй?»."""
    return len(text.split()) <= MOST_WORDS_OF_A_PLACE


def places_said(pack: Pack, text: str, listed: int) -> list[int]:
    """The places in a list of so many members that a text names, from 0."""
    if occurs(pack.answers.get("all", ()), text) or (listed == BOTH and occurs(pack.answers.get("both", ()), text)):
        return list(range(listed))
    named = [place for place, name in enumerate(PLACES) if occurs(pack.answers.get(name, ()), text)]
    return [place for place in named if place < listed]


def offered(pack: Pack, turn: Turn, state: ConversationState, asking: Asking) -> list[str]:
    """The answers that the list shown with a question offers, in its order."""
    question = phrase(pack, asking.phrase)
    if question.each is None or question.each_value is None:
        return []
    view = View(pack, turn, state)
    presses = [fill(question.each_value, view, member) or "" for member in view.quiet(question.each) or ()]
    start = f"slot:{asking.slot}="
    return [press.removeprefix(start) for press in presses if press.startswith(start)]


def one_of(pack: Pack, turn: Turn, state: ConversationState, asking: Asking) -> str | None:
    """The only member of the offered list that an answer names by its place («второй», «2»)."""
    text = spoken(turn)
    if not only_place(text) or "?" in text:
        return None
    members = offered(pack, turn, state, asking)
    places = places_said(pack, text, len(members))
    return members[places[0]] if len(places) == 1 else None


def several_of(pack: Pack, turn: Turn, state: ConversationState, asking: Asking) -> list[object]:
    """What an answer names, when it may name several (`each`): two numbers, or members of the offered list («оба»)."""
    if not pack.slots[asking.slot].each:
        return []
    told_here = [slots[asking.slot] for slots in told_each(pack, turn) if asking.slot in slots]
    if len(told_here) > 1:
        return told_here
    members = offered(pack, turn, state, asking) if only_place(spoken(turn)) else []
    return [members[place] for place in places_said(pack, spoken(turn), len(members))]


def of_last_list(pack: Pack, state: ConversationState, text: str) -> list[dict[str, object]]:
    """What a text names by its place in the list shown last, each as a slot and its value: «а первый отмените»."""
    listed = [press.removeprefix("slot:").partition("=") for press in state.listed]
    if not listed or len(text.split()) > MOST_WORDS_WITH_A_PLACE:
        return []
    return [{listed[place][0]: listed[place][2]} for place in places_said(pack, text, len(listed))]
