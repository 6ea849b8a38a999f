"""Replay: saved conversations against changed content, and every answer that would be another one.

Three kinds are replayed: talks in YAML (in memory, with both packs), lines of `firstline chat --json` (with the real parts
and both packs), and the turns that an installation has stored (with what was read and known then; what was said then is the
old answer).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import flows
from bot.errors import FirstlineError
from bot.stored import StoredTurn, Unreadable, again
from bot.talks import Stage, Talk
from bot.testing import Conversation, Heard, of_talk


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a turn: what the customer reads, what people get, what the CRM is asked."""

    texts: tuple[str, ...] = ()
    buttons: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    queue: str | None = None
    priority: str | None = None
    cases: tuple[str, ...] = ()
    crm: tuple[str, ...] = ()
    comment: str = ""
    # what people read with what they get
    error: str | None = None
    # why there is no answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A turn whose answer would be another one, or cannot be told."""

    conversation: str
    where: str
    # file:line, line of the input, or the stored turn's number
    turn: int
    said: str
    before: Answer
    after: Answer | None
    needs: tuple[str, ...] = ()
    # what the changed pack asks for and was not known then

    @property
    def changed(self) -> tuple[str, ...]:
        """What is different: texts, buttons, rules …"""
        if self.after is None:
            return ("needs",)
        old, new = asdict(self.before), asdict(self.after)
        return tuple(name for name in old if old[name] != new[name])


@dataclass
class Replayed:
    """The sum of a replay."""

    conversations: int = 0
    turns: int = 0
    differences: list[Difference] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """How many turns differ in what."""
        kinds = [kind for one in self.differences for kind in one.changed]
        return {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)}


Told = Callable[[int, int | None], None]
"""Told how many conversations or turns are done, of how many."""


# --------------------------------------------------------------------------------------------------------- talks
def replay_talks(talks: Sequence[Talk], old: Stage, new: Stage, told: Told = lambda done, of: None) -> Replayed:
    """Take talks with both packs."""
    found = Replayed()
    for number, talk in enumerate(talks, start=1):
        if talk.problems:
            found.unreadable += [str(problem) for problem in talk.problems]
            continue
        found.conversations += 1
        before, after = _begun(talk, old), _begun(talk, new)
        for turn, step in enumerate(talk.data["talk"], start=1):
            was, would = _taken(before, step), _taken(after, step)
            if was is None and would is None:
                continue
            found.turns += 1
            _compare(
                found,
                was or Answer(),
                would or Answer(),
                conversation=talk.name,
                where=talk.where(step),
                turn=turn,
                said=said_in(step),
            )
        told(number, len(talks))
    return found


def _begun(talk: Talk, on: Stage) -> Conversation | str:
    try:
        return of_talk(talk.data, on)
    except (FirstlineError, flows.FlowError) as error:
        return str(error)


def _taken(conversation: Conversation | str, step: Mapping[str, Any]) -> Answer | None:
    """What a turn comes to; None when nothing is said in it."""
    if isinstance(conversation, str):
        return Answer(error=conversation)
    try:
        heard = conversation.take(step)
    except (FirstlineError, flows.FlowError, KeyError) as error:
        return Answer(error=f"{type(error).__name__}: {error}")
    return answer_of(heard) if conversation.decided is not None else None


def answer_of(heard: Heard) -> Answer:
    """What came of a turn of a conversation in memory."""
    handed = [one for one in (heard.handoff, *heard.cases) if one is not None]
    return Answer(
        texts=tuple(say.text for say in heard.says), buttons=tuple(heard.buttons), rules=_rules(heard.rules),
        queue=heard.handoff.queue if heard.handoff else None, priority=heard.handoff.priority if heard.handoff else None,
        cases=tuple(str(one.category) for one in heard.cases), crm=heard.acts,
        comment="\n\n".join(one.comment for one in handed),
    )  # fmt: skip


def said_in(step: Mapping[str, Any]) -> str:
    """What a customer does in a turn of a talk or an input line, in words."""
    if "press" in step:
        return f"[{step['press']}]"
    attached = step.get("attachment")
    words = step.get("say") or step.get("text") or step.get("edit") or step.get("contact") or ""
    return " ".join(filter(None, [str(words), f"({attached['kind']})" if attached else ""]))


def _rules(rules: Iterable[str]) -> tuple[str, ...]:
    """Rules in one order: which of them come first is no difference."""
    return tuple(sorted(set(rules)))


def _compare(found: Replayed, before: Answer, after: Answer, **turn: Any) -> None:
    if before != after:
        found.differences.append(Difference(before=before, after=after, **turn))


# -------------------------------------------------------------------------------------------------- stored turns
def replay_stored(past: StoredTurn | Unreadable, pack: flows.Pack, found: Replayed, seen: dict[str, int]) -> None:
    """Decide upon one stored turn again and note what would be different; `seen` counts the turns of each conversation."""
    if isinstance(past, Unreadable):
        found.unreadable.append(past.why)
        return
    seen[past.conversation] = seen.get(past.conversation, 0) + 1
    found.conversations, found.turns = len(seen), found.turns + 1
    turn: dict[str, Any] = {
        "conversation": past.conversation, "where": f"turn {past.id}", "turn": seen[past.conversation],
        "said": past.turn.text or (f"[{past.turn.press}]" if past.turn.press else "(…)"),
    }  # fmt: skip
    before = _decided(past.decision, past.acts, past.error)
    try:
        decision, given, needs = again(pack, past)
    except flows.FlowError as error:
        _compare(found, before, Answer(error=str(error)), **turn)
        return
    if decision is None:
        found.differences.append(Difference(before=before, after=None, needs=needs, **turn))
        return
    _compare(found, before, _decided(decision, tuple(change.act.action for change in given.changes)), **turn)


def _decided(decision: flows.Decision, acts: tuple[str, ...], error: str | None = None) -> Answer:
    handed = [one for one in (decision.handoff, *decision.cases) if one is not None]
    return Answer(
        texts=tuple(say.text for say in decision.messages),
        buttons=tuple(button.title for say in decision.messages for button in say.buttons),
        rules=_rules([*decision.rules, *(rule for one in handed for rule in one.rules)]),
        queue=decision.handoff.queue if decision.handoff else None,
        priority=decision.handoff.priority if decision.handoff else None,
        cases=tuple(str(one.category) for one in decision.cases), crm=acts,
        comment="\n\n".join(one.comment for one in handed), error=error,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------ lines of `chat --json`
Lines = Sequence[bytes]
Played = Sequence[Sequence[Mapping[str, Any]]]
"""For each input line the events that followed from it."""


def compare_played(lines: Lines, old: Played, new: Played) -> Replayed:
    """Compare what came of the same input lines with two packs."""
    found, turns = Replayed(), dict[str, int]()
    for number, (line, was, would) in enumerate(zip(lines, old, new, strict=True), start=1):
        told = line_of_input(line)
        who = str(told.get("chat") or told.get("agent") or "")
        if told.get("chat") and "agent" not in told:
            turns[who] = turns.get(who, 0) + 1
            found.turns += 1
        for chat in dict.fromkeys(str(event.get("chat") or who) for event in (*was, *would)):
            _compare(
                found, _played(was, chat, who), _played(would, chat, who), conversation=chat, where=f"line {number}",
                turn=turns.get(chat, 0), said=said_in(told) if "chat" in told and "agent" not in told else json.dumps(told, ensure_ascii=False),
            )  # fmt: skip
    found.conversations = len(turns)
    return found


def line_of_input(line: bytes) -> Mapping[str, Any]:
    """An input line as data; a malformed one is empty."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _played(events: Iterable[Mapping[str, Any]], chat: str, who: str) -> Answer:
    """What a chat got out of the events of one input line."""
    own = [event for event in events if str(event.get("chat") or who) == chat]
    said = [event for event in own if event.get("event") == "message"]
    handed = [event for event in own if event.get("event") in ("handoff", "case")]
    handoff = next((event for event in handed if event["event"] == "handoff"), None)
    wrong = [
        str(event.get("message") or event.get("why")) for event in own if event.get("event") in ("error", "refused")
    ]
    return Answer(
        texts=tuple(str(event["text"]) for event in said),
        buttons=tuple(str(title) for event in said for title in event.get("buttons") or ()),
        rules=_rules(str(rule) for event in (*said, *handed) for rule in event.get("rules") or ()),
        queue=str(handoff["queue"]) if handoff else None, priority=str(handoff["priority"]) if handoff else None,
        cases=tuple(str(event["category"]) for event in handed if event["event"] == "case"),
        crm=tuple(f"{event['action']}{'' if event.get('ok') else ' (не вышло)'}" for event in own if event.get("event") == "crm"),
        comment="\n\n".join(str(event["comment"]) for event in handed), error="; ".join(wrong) or None,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- as JSON
def as_json(found: Replayed) -> Iterator[dict[str, Any]]:
    """One object a difference, then the sum."""
    for one in found.differences:
        yield {**asdict(one), "changed": list(one.changed)}
    yield {
        "conversations": found.conversations, "turns": found.turns, "differ": len(found.differences),
        "counts": found.counts(), "unreadable": found.unreadable,
    }  # fmt: skip
