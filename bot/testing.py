"""Talks: conversations written in YAML and held against the shipped pack, without NLU, database or messenger.

What each turn means is written in the talk (`as`, `entities`); the shop's systems answer from the talk's own `shop`. The
format stands in tests/dialogues/README.md.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

import flows
from bot.clients.crm_demo import DemoCrm
from bot.clients.shop_file import loads, with_settings
from bot.errors import CrmActionUnknown, CrmUnavailable

FOLDER = Path(__file__).parent.parent / "tests" / "dialogues"
NOW = datetime.fromisoformat("2026-11-20T12:00:00+03:00")
MAX_ROUNDS = 60
KEYS = {"name", "rules", "shows", "now", "pack", "channel", "known", "shop", "slots", "cannot", "talk", "note"}
TURN_KEYS = {
    "say", "as", "entities", "verdict", "ranking", "press", "contact", "attachment", "edited", "down", "clock", "request", "expect",
}  # fmt: skip
EXPECT_KEYS = {
    "rules", "not_rules", "text", "never", "buttons", "not_buttons", "queue", "case", "priority", "why", "comment", "next_step",
    "notice", "append", "crm", "asks", "phrases", "messages", "understood", "slots", "mood", "due", "marks", "cancelled",
    "collected", "contact_button",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Talk:
    """One conversation of a YAML file."""

    file: str
    name: str
    data: Mapping[str, Any]

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(self.data.get("rules", ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came out of a turn, as the customer and the desk see it."""

    says: tuple[flows.Say, ...] = ()
    # what the customer is shown, the system's notice included
    handoff: flows.Handoff | None = None
    cases: tuple[flows.Handoff, ...] = ()
    acts: tuple[str, ...] = ()
    state: flows.ConversationState = field(default_factory=flows.ConversationState)
    append: str | None = None
    cancelled: bool = False
    understood: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join(say.text for say in self.says)

    @property
    def buttons(self) -> list[str]:
        return [button.title for say in self.says for button in say.buttons]


def talks(folder: Path = FOLDER) -> Iterator[Talk]:
    """All talks of a folder: a file holds one or a list of them."""
    for path in sorted(folder.rglob("*.yml")):
        try:
            data = yaml.safe_load(path.read_text("utf-8"))
        except yaml.YAMLError as error:  # one bad file is one failing test, not the end of all of them
            yield Talk(str(path.relative_to(folder)), "is YAML", {"error": str(error), "talk": []})
            continue
        for one in data if isinstance(data, list) else [data]:
            unknown = set(one) - KEYS
            assert not unknown, f"{path}: unknown keys {sorted(unknown)}"
            yield Talk(str(path.relative_to(folder)), str(one["name"]), one)


MARIA = {
    "id": "maria", "full_name": "Иванова Мария Петровна", "phones": ["+79990001234"], "settlement": "Тула", "accounts": {"telegram": "c1"},
}  # fmt: skip
ORDER = {
    "number": "48213", "ordered_at": "-5d", "delivery": "post", "address": "300000, Тула, ул. Садовая, 5, кв. 12",
    "items": [{"name": "Сковорода 28 см", "price": 2990}], "delivery_price": 300,
}  # fmt: skip


def shop_text(data: Mapping[str, Any]) -> str:
    """The shop file of a talk: what the talk leaves out is Maria's and her order's."""
    customers = data.get("customers", [MARIA])
    first = {"customer": customers[0]["id"]} if customers else {}
    filled = {
        **data,
        "customers": customers,
        "orders": [{**ORDER, **first, **order} for order in data.get("orders") or ()],
        "requests": [{**first, **request} for request in data.get("requests") or ()],
    }
    return str(yaml.safe_dump(filled, allow_unicode=True))


class Conversation:
    """A conversation in memory: what a worker keeps between turns."""

    def __init__(self, talk: Mapping[str, Any]) -> None:
        shop = talk.get("shop") or {}
        pack = flows.load_shipped(talk.get("pack", "shop"))
        self.now = _moment(talk.get("now"), NOW)
        loaded = loads(shop_text(shop), name="shop", now=self.now, pack=pack)
        self.pack = with_settings(pack, loaded)
        self.crm = DemoCrm(loaded, now=lambda: self.now)
        self.channel = talk.get("channel", "telegram")
        self.cannot = frozenset(talk.get("cannot") or ())
        self.chat = "c1"
        self.down: set[str] = set(shop.get("down") or ())
        slots = {**({"name_confirmed": True} if talk.get("known") else {}), **(talk.get("slots") or {})}
        self.state = flows.ConversationState(slots=slots)
        self.request: flows.OpenRequest | None = None
        self.shown: list[flows.Say] = []
        self.number = 1000
        self.turns = 0

    def take(self, step: Mapping[str, Any]) -> Heard:
        """Take one turn and give what came of it."""
        unknown = set(step) - TURN_KEYS
        assert not unknown, f"unknown keys of a turn: {sorted(unknown)}"
        if "down" in step:
            self.down = set(step["down"] or ())
        if "clock" in step:
            self.now = _moment(step["clock"], self.now)
        if "request" in step:
            self.request = self.set_request(step["request"])
        if not {"say", "press", "contact", "attachment"} & set(step):
            return Heard(state=self.state)
        turn = self.turn(step)
        decision, acts = self.decide(turn)
        heard = self.store(turn, decision, acts)
        self.turns += 1
        self.shown += heard.says
        return heard

    def set_request(self, data: Mapping[str, Any] | None) -> flows.OpenRequest | None:
        """What people did with the request meanwhile: another state, gone (null), or one from before the talk."""
        if data is None:
            return None
        before = self.request or flows.OpenRequest(number="T-1000", state="queued", queue="general", place=1)
        return replace(before, **data)

    def turn(self, step: Mapping[str, Any]) -> flows.Turn:
        text = str(step.get("say", ""))
        press, stale = None, False
        if "press" in step:
            found = [button for say in reversed(self.shown) for button in say.buttons if button.title == step["press"]]
            press, stale = (found[0].value, False) if found else (None, True)
        attachment = step.get("attachment")
        attachments = (flows.Attachment(attachment["kind"], attachment.get("name")),) if attachment else ()
        return flows.Turn(
            now=self.now, seed=self.turns, channel=self.channel, chat=self.chat, text=text,
            parse=parse_of(step) if text.strip() and "nlu" not in self.down else None,
            press=press, stale_press=stale, contact=step.get("contact"), attachments=attachments,
            edited=bool(step.get("edited")), state=self.state, request=self.request,
            down=frozenset(self.down & {"nlu", "store"}),
        )  # fmt: skip

    def decide(self, turn: flows.Turn) -> tuple[flows.Decision, tuple[str, ...]]:
        """The loop of a turn: look up what the decision asks for, do what it wants done, decide again."""
        acts: list[str] = []
        for _ in range(MAX_ROUNDS):
            decision = flows.decide(self.pack, turn)
            if not decision.lookups and not decision.acts:
                assert flows.decide(self.pack, turn) == decision, "the same turn and facts gave another decision"
                return decision, tuple(acts)
            for lookup in decision.lookups:
                try:
                    turn = turn.with_facts({lookup: self.fetch(lookup)})
                except CrmUnavailable as down:
                    turn = turn.with_down(down.system)
            for act in decision.acts:
                acts.append(act.action)
                turn = turn.with_change(act, self.act(act))
        raise AssertionError(f"no decision after {MAX_ROUNDS} rounds: {decision}")

    def act(self, act: flows.Act) -> Mapping[str, Any]:
        self.crm.set_down(self.down)
        if act.action in self.cannot:
            return {"ok": False, "unsupported": True}
        try:
            return asyncio.run(self.crm.act(act, key=act.key))
        except CrmUnavailable:
            return {"ok": False, "unavailable": True}
        except CrmActionUnknown:
            return {"ok": False, "unsupported": True}

    def fetch(self, lookup: flows.Lookup) -> Any:
        self.crm.set_down(self.down - ({"crm"} if lookup.source == "requests" else set()))
        return asyncio.run(self.crm.fetch(lookup))

    def store(self, turn: flows.Turn, decision: flows.Decision, acts: tuple[str, ...]) -> Heard:
        """Keep the state (through JSON, as the store does) and open the request of a handoff."""
        self.state = flows.state_from_json(flows.to_json(decision.state))
        assert self.state == decision.state, "the state does not survive being stored"
        says = list(decision.messages)
        notices = self.pack.manifest.notices
        if decision.cancel_request and self.request is not None:
            says.append(flows.notice(self.pack, notices.cancelled, self.request, turn))
            self.request = None
        if decision.handoff is not None:
            says.append(self.open(turn, decision.handoff))
        rules = [*decision.rules, *(rule for say in says for rule in say.rules)]
        for handed in [*([decision.handoff] if decision.handoff else []), *decision.cases]:
            rules += handed.rules
        return Heard(
            says=tuple(says), handoff=decision.handoff, cases=decision.cases, acts=acts, state=self.state,
            append=decision.append, cancelled=decision.cancel_request, understood=decision.understood,
            rules=tuple(dict.fromkeys(rules)),
        )  # fmt: skip

    def open(self, turn: flows.Turn, handoff: flows.Handoff) -> flows.Say:
        notices = self.pack.manifest.notices
        if "store" in self.down:
            return flows.notice(
                self.pack, notices.store_down, flows.OpenRequest(number="T-0", state="lost", queue=handoff.queue), turn
            )
        self.number += 1
        self.request = flows.OpenRequest(
            number=f"T-{self.number}", state="queued", queue=handoff.queue, place=1, is_case=handoff.category is not None,
            due=handoff.due.isoformat() if handoff.due else None,
        )  # fmt: skip
        usual = notices.queued_case if handoff.category else notices.queued
        return flows.notice(self.pack, handoff.notice or usual, self.request, turn)


# ---------------------------------------------------------------------------------------------- reading a turn
SHAPES = {
    "tracking_number": r"\b(?:\d{14}|[A-Z]{2}\d{9}[A-Z]{2})\b",
    "phone": r"(?:\+7|\b8)[\s(-]*\d{3}[\s)-]*\d{3}[\s-]*\d{2}[\s-]*\d{2}\b",
    "order_number": r"(?:№\s*)?\b\d{4,7}\b",
    "person_name": r"^[А-ЯЁ][а-яё-]+ [А-ЯЁ][а-яё-]+(?: [А-ЯЁ][а-яё-]+)?$",
}
PLAIN = {"да": "affirm", "да.": "affirm", "нет": "deny", "нет.": "deny"}


def parse_of(step: Mapping[str, Any]) -> flows.Parse:
    """The reading that the talk gives a message: its intents as written, entities as written or by their shape."""
    text = str(step["say"])
    intents = [_reading(one, text) for one in step.get("as", [PLAIN[text.lower()]] if text.lower() in PLAIN else [])]
    verdict = flows.Verdict(step.get("verdict", "sure" if intents else "not_understood"))
    ranking = tuple(flows.Reading(name, 0.5 - 0.1 * place) for place, name in enumerate(step.get("ranking", ())))
    entities = [*_given(step.get("entities"), text), *_shaped(text)]
    taken: list[flows.Entity] = []
    for entity in entities:
        clear = all(entity.end <= one.start or entity.start >= one.end for one in taken)
        if clear or entity.end == 0:
            taken.append(entity)
    return flows.Parse(
        text=text, mended=text, intents=tuple(intents), ranking=ranking or tuple(intents), verdict=verdict,
        entities=tuple(replace(one, of=_of(one, intents)) for one in taken), model="talk",
    )  # fmt: skip


def _reading(one: Any, text: str) -> flows.Reading:
    """An intent by its name, or as {intent: the words of the message that carry it}."""
    if isinstance(one, str):
        return flows.Reading(one, 0.95)
    ((name, clause),) = one.items()
    start = text.index(clause)
    return flows.Reading(name, 0.95, start, start + len(clause))


def _given(entities: Any, text: str) -> list[flows.Entity]:
    pairs = (
        entities.items()
        if isinstance(entities, Mapping)
        else [(k, v) for one in entities or () for k, v in one.items()]
    )
    found = []
    for name, value in pairs:
        written = str(value)
        if isinstance(value, list):  # [value, words of the message]
            value, written = value
        start = text.find(written)
        end = start + len(written) if start >= 0 else 0
        found.append(flows.Entity(entity=name, value=value, text=written, start=max(start, 0), end=end))
    return found


def _shaped(text: str) -> list[flows.Entity]:
    found = []
    for name, shape in SHAPES.items():
        for match in re.finditer(shape, text):
            value = match[0]
            if name == "phone":
                value = "+7" + re.sub(r"\D", "", value)[1:]
            elif name == "order_number":
                value = re.sub(r"\D", "", value)
            found.append(flows.Entity(entity=name, value=value, text=match[0], start=match.start(), end=match.end()))
    return found


def _of(entity: flows.Entity, intents: Sequence[flows.Reading]) -> int:
    for number, reading in enumerate(intents):
        if reading.start is not None and reading.end is not None and reading.start <= entity.start < reading.end:
            return number
    return 0


def _moment(value: Any, base: datetime) -> datetime:
    """A moment: ISO 8601, or relative to the clock (+3d, -2h, +15m)."""
    if value is None:
        return base
    if isinstance(value, datetime):
        return value
    if match := re.fullmatch(r"([+-]\d+)([dhm])", str(value)):
        unit = {"d": "days", "h": "hours", "m": "minutes"}[match[2]]
        return base + timedelta(**{unit: int(match[1])})
    return datetime.fromisoformat(str(value))


# ---------------------------------------------------------------------------------------------- what is expected
def check_always(pack: flows.Pack, conversation: Conversation, step: Mapping[str, Any], heard: Heard) -> list[str]:
    """What must hold for every turn, whatever the talk says."""
    wrong = []
    owned = conversation.request is not None and conversation.request.state == "assigned"
    if not heard.says and not owned and {"say", "press", "contact", "attachment"} & set(step):
        wrong.append("silence: the customer got nothing")
    for say in heard.says:
        if not say.text.strip():
            wrong.append("an empty message")
        if re.search(r"[{}]|\[\[|\]\]|\bNone\b", say.text):
            wrong.append(f"an unfilled text: {say.text!r}")
        wrong += [
            f"never_say /{one}/: {say.text!r}" for one in pack.manifest.never_say if re.search(one, plain(say.text))
        ]
    return wrong


def check(expect: Mapping[str, Any], heard: Heard) -> list[str]:
    """Hold a turn against what the talk expects of it; the list of what is different."""
    unknown = set(expect) - EXPECT_KEYS
    assert not unknown, f"unknown keys of expect: {sorted(unknown)}"
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


def hold(talk: Talk) -> tuple[list[str], set[str], list[str]]:
    """Hold a talk: what went wrong, the rules that occurred, and the transcript."""
    if "error" in talk.data:
        return [talk.data["error"]], set(), []
    conversation = Conversation(talk.data)
    wrong: list[str] = []
    rules: set[str] = set()
    lines: list[str] = []
    for number, step in enumerate(talk.data["talk"], start=1):
        heard = conversation.take(step)
        said = step.get("say") or step.get("press") or step.get("contact") or step.get("attachment") or ""
        lines.append(f"{number}. — {said}")
        lines += [f"   {say.text} {[b.title for b in say.buttons] or ''} {list(say.rules)}" for say in heard.says]
        lines += [
            f"   → {one.queue} [{one.category}] {one.comment}" for one in filter(None, [heard.handoff, *heard.cases])
        ]
        rules |= set(heard.rules)
        found = check_always(conversation.pack, conversation, step, heard) + check(step.get("expect") or {}, heard)
        wrong += [f"turn {number} ({said!r}): {one}" for one in found]
    wrong += [f"rule {rule} never occurred" for rule in talk.rules if rule not in rules]
    return wrong, rules, lines


def many(value: Any) -> list[Any]:
    """A list of what is one or many."""
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def plain(text: str) -> str:
    """Lower case, ё as е, every space a plain one: how texts are compared here."""
    return re.sub(r"\s+", " ", str(text).lower().replace("ё", "е"))
