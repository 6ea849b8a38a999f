"""What a talk expects of a turn, held against what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import flows
from bot.errors import FirstlineError
from bot.talks import Stage, Talk, many, misnamed, stage, talk_folder
from bot.testing import Conversation, Heard, of_talk


def always(conversation: Conversation, step: Mapping[str, Any], heard: Heard) -> list[str]:
    """What must hold for every turn, whatever the talk says."""
    wrong = []
    owned = conversation.request is not None and conversation.request.state == "assigned"
    quiet = owned or step.get("edited", False)  # an edit that mends a misprint has its answer already
    if not heard.says and not quiet and {"say", "press", "contact", "attachment"} & set(step):
        wrong.append("silence: the customer got nothing")
    if conversation.decided is not None:
        turn, decision = conversation.decided
        if flows.decide(conversation.pack, turn) != decision:
            wrong.append("the same turn and facts gave another decision")
        if flows.state_from_json(flows.to_json(decision.state)) != decision.state:
            wrong.append("the state does not survive being stored")
    for say in heard.says:
        if not say.text.strip():
            wrong.append("an empty message")
        if re.search(r"[{}]|\[\[|\]\]|\bNone\b", say.text):
            wrong.append(f"an unfilled text: {say.text!r}")
        forbidden = conversation.pack.manifest.never_say
        wrong += [f"never_say /{one}/: {say.text!r}" for one in forbidden if re.search(one, plain(say.text))]
    return wrong


def check(expect: Mapping[str, Any], heard: Heard) -> list[str]:
    """Hold a turn against what the talk expects of it; the list of what is different."""
    wrong: list[str] = []

    def must(holds: bool, text: str) -> None:
        if not holds:
            wrong.append(text)

    handed = [*([heard.handoff] if heard.handoff else []), *heard.cases]
    joined = "\n".join(plain(say.text) for say in heard.says)
    for rule in many(expect.get("rules")):
        must(rule in heard.rules, f"rule {rule} missing in {list(heard.rules)}")
    for rule in many(expect.get("not_rules")):
        must(rule not in heard.rules, f"rule {rule} is there")
    for piece in many(expect.get("text")):
        must(any(plain(one) in joined for one in str(piece).split("|")), f"text lacks {piece!r}")
    for piece in many(expect.get("never")):
        must(plain(piece) not in joined, f"text has {piece!r}")
    for title in many(expect.get("buttons")):
        must(title in heard.buttons, f"button {title!r} missing in {heard.buttons}")
    must("buttons" not in expect or bool(expect["buttons"]) or not heard.buttons, f"buttons {heard.buttons}")
    for title in many(expect.get("not_buttons")):
        must(title not in heard.buttons, f"button {title!r} is there")
    for phrase in many(expect.get("phrases")):
        must(
            any(phrase in say.phrases for say in heard.says),
            f"phrase {phrase!r} not said: {[s.phrases for s in heard.says]}",
        )
    if "queue" in expect:
        queue = heard.handoff.queue if heard.handoff else None
        must(queue == expect["queue"], f"queue is {queue}, not {expect['queue']}")
    if "topic" in expect:
        topics = [one.topic for one in handed]
        must(expect["topic"] in topics, f"topics are {topics}, not {expect['topic']}")
    if "case" in expect:
        cases = [one.category for one in handed if one.category]
        must(sorted(many(expect["case"])) == sorted(cases), f"cases are {cases}")
    found: dict[str, list[str]] = {
        "priority": [one.priority for one in handed],
        "mood": [str(one.summary.get("mood")) for one in handed],
        "marks": [mark for one in handed for mark in one.marks],
        "crm": list(heard.acts),
        "understood": list(heard.understood),
    }
    for key, values in found.items():
        for value in many(expect.get(key)):
            must(value in values, f"{key} {value!r} not in {values}")
    must("crm" not in expect or bool(expect["crm"]) or not heard.acts, f"crm actions {heard.acts}")
    for key in ("why", "comment", "next_step"):
        texts = [
            str(one.comment if key == "comment" else one.summary["reason" if key == "why" else key]) for one in handed
        ]
        for piece in many(expect.get(key)):
            must(any(plain(piece) in plain(text) for text in texts), f"{key} lacks {piece!r}: {texts}")
    for key, value in (expect.get("collected") or {}).items():
        must(any(one.summary["collected"].get(key) == value for one in handed), f"collected lacks {key}: {value!r}")
    if "due" in expect:
        due = [one.due.isoformat() if one.due else None for one in handed]
        must(str(expect["due"]) in map(str, due), f"due {due}")
    if "notice" in expect:
        must(any(expect["notice"] in say.phrases for say in heard.says), f"notice {expect['notice']!r} not told")
    for piece in many(expect.get("append")):
        must(plain(piece) in plain(heard.append or ""), f"append is {heard.append!r}")
    if "asks" in expect:
        asked = heard.state.asking.slot if heard.state.asking else None
        must(asked == expect["asks"], f"asks for {asked}, not {expect['asks']}")
    if "messages" in expect:
        must(len(heard.says) == expect["messages"], f"{len(heard.says)} messages")
    if "cancelled" in expect:
        must(heard.cancelled == expect["cancelled"], f"cancelled is {heard.cancelled}")
    if "contact_button" in expect:
        must(any(say.ask_contact for say in heard.says) == expect["contact_button"], "contact button")
    for name, value in (expect.get("slots") or {}).items():
        have = heard.state.slots.get(name)
        must(have == value, f"slot {name} is {have!r}")
    return wrong


@dataclass(frozen=True, slots=True)
class Held:
    """What came of holding a talk against a pack."""

    wrong: list[flows.Problem]
    rules: set[str]
    # that occurred
    lines: list[str]
    # the transcript


def hold(
    talk: Talk,
    on: Stage | None = None,
    watch: Callable[[Conversation, Heard], None] | None = None,
    *,
    begun: Conversation | None = None,
    holds: Callable[[Conversation, Mapping[str, Any], Heard], list[str]] = always,
) -> Held:
    """Take a talk and hold each turn against what is expected of it.

    `on`: the pack to talk with instead of the talk's own. `watch` is called after each turn. `begun`: the conversation to
    go on with; `holds`: what must hold for every turn.
    """
    if talk.problems:
        return Held(list(talk.problems), set(), [])
    on = on or stage(talk_folder(talk))
    wrong = list(misnamed(on.pack, talk))
    rules: set[str] = set()
    lines: list[str] = []
    try:
        conversation = begun or of_talk(talk.data, on)
        for number, step in enumerate(talk.data["talk"], start=1):
            heard = conversation.take(step)
            said = step.get("say") or step.get("press") or step.get("contact") or step.get("attachment") or ""
            lines += [f"{number}. — {said}", *_shown(heard)]
            rules |= set(heard.rules)
            found = holds(conversation, step, heard) + check(step.get("expect") or {}, heard)
            wrong += [flows.Problem(talk.where(step), f"turn {number} ({said!r}): {one}") for one in found]
            if watch is not None:
                watch(conversation, heard)
    except (FirstlineError, flows.FlowError, ValueError) as error:
        wrong.append(flows.Problem(talk.where(), f"{talk.name}: {error}"))
    wrong += [flows.Problem(talk.where(), f"rule {rule} never occurred") for rule in talk.rules if rule not in rules]
    return Held(wrong, rules, lines)


def _shown(heard: Heard) -> list[str]:
    handed = filter(None, [heard.handoff, *heard.cases])
    said = [f"   {say.text} {[button.title for button in say.buttons] or ''} {list(say.rules)}" for say in heard.says]
    return [*said, *(f"   → {one.queue} [{one.category}] {one.comment}" for one in handed)]


def plain(text: str) -> str:
    """Lower case, ё as е, every space a plain one: how texts are compared here."""
    return re.sub(r"\s+", " ", str(text).lower().replace("ё", "е"))
