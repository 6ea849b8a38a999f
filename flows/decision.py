"""The values that go into a decision and come out of it.

`decide(pack, turn) -> Decision` is a function of these values alone: the same turn and the same facts always give the
same decision. Everything here is immutable and turns into JSON and back (`to_json`, `from_json`), because the state, the
parse and the decision are stored with each turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter


class Verdict(StrEnum):
    """How far the NLU trusts its own reading of a message."""

    SURE = "sure"
    AMBIGUOUS = "ambiguous"
    NOT_UNDERSTOOD = "not_understood"


@dataclass(frozen=True, slots=True)
class Reading:
    """One intent that the NLU found, with its calibrated confidence (0…1)."""

    name: str
    confidence: float
    start: int | None = None
    end: int | None = None
    # where in the text the request stands, when it is one of several


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A piece of the message that names something, with its normalised value."""

    entity: str
    value: Any
    # phone: E.164; date: ISO 8601; amount: a number; order_number: digits only; otherwise text
    text: str
    start: int = 0
    end: int = 0
    of: int | None = None
    # index into Parse.intents of the request the entity belongs to


@dataclass(frozen=True, slots=True, kw_only=True)
class Parse:
    """What the NLU read in the customer's words of one turn."""

    text: str
    mended: str = ""
    # the text with layout, transliteration and look-alike letters put right
    intents: tuple[Reading, ...] = ()
    # what to act upon, in order of mention
    ranking: tuple[Reading, ...] = ()
    # the best five readings of the whole message, whatever the thresholds say
    entities: tuple[Entity, ...] = ()
    verdict: Verdict = Verdict.SURE
    model: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A photo, file, voice message, video, sticker or place on a map that the customer sent."""

    kind: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Button:
    """A button under a reply. `value` says what a press means: see `flows.buttons`."""

    title: str
    value: str


@dataclass(frozen=True, slots=True)
class Lookup:
    """A question to one of the shop's systems; its answer comes back as a fact under this very key."""

    source: str
    # customer, orders, returns, requests, tracking, goods …: what the pack's `sources` name
    args: tuple[tuple[str, str], ...]


class Unavailable(StrEnum):
    """A system that does not answer: a fact like any other (the pack says what the customer hears)."""

    CRM = "crm"
    TRACKING = "tracking"
    NLU = "nlu"
    STORE = "store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A change asked of the CRM. The bot carries it out once per `key` and calls `decide` again with its result."""

    action: str
    args: tuple[tuple[str, str], ...]
    since: int = 0
    # Topic.since of the request that it is made for
    rules: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Idempotency key within a conversation: the request, the action and its arguments."""
        return "|".join([str(self.since), self.action, *(f"{name}={value}" for name, value in self.args)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change that the CRM was asked for in a turn, what came of it, and what its systems say since then."""

    act: Act
    result: Mapping[str, Any]
    facts: Mapping[Lookup, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Something the bot told: the rule behind it and its gist, for the agent's summary."""

    rule: str | None
    gist: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A request of the customer that is being served or was served: an intent, its words, what was told in it."""

    intent: str
    words: str
    # the customer's own words for this request
    since: int = 0
    # the turn of the conversation in which it came up
    slots: Mapping[str, Any] = field(default_factory=dict)
    # slots of scope `topic`
    said: tuple[str, ...] = ()
    # phrases already said in this topic: none is said twice
    rules: tuple[str, ...] = ()
    handoff: bool = False
    changed: bool = False
    # the CRM has made a change for it: it is not taken up again as if nothing had happened


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The question that waits for the customer's answer."""

    slot: str
    topic: int
    # index into ConversationState.open
    phrase: str
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationState:
    """All that the bot remembers of a conversation between two turns."""

    slots: Mapping[str, Any] = field(default_factory=dict)
    # slots of scope `conversation`
    open: tuple[Topic, ...] = ()
    # requests not finished yet, in the order they were mentioned
    done: tuple[Topic, ...] = ()
    # the last finished ones, newest last
    asking: Asking | None = None
    offered: str | None = None
    # what was offered last and waits for a yes or no: a button's value
    misses: int = 0
    # misses in a row (CX-09; ruling: two misses)
    strays: int = 0
    # out-of-scope and small talk in a row
    listed: tuple[str, ...] = ()
    # the list shown last whose members may be requests of their own (orders): what each button means, in its order
    choosing: bool = False
    # the last reply offered the likely readings as buttons
    counters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # counter -> times (ISO 8601) at which it was raised
    last_texts: tuple[str, ...] = ()
    # the texts of the bot's last turn (CX-06)
    last_said: tuple[str, ...] = ()
    # what it told, whatever the wording: phrase|gist
    last_said_at: tuple[str, ...] = ()
    # when, ISO 8601: each time it was told in a row
    used: Mapping[str, int] = field(default_factory=dict)
    # phrase -> the variant said last
    answered: tuple[Answered, ...] = ()
    words: tuple[str, ...] = ()
    # the customer's messages since the last request was closed, for the summary
    attachments: tuple[Attachment, ...] = ()
    promised: tuple[Mapping[str, Any], ...] = ()
    turns: int = 0
    deeds: Mapping[str, Any] = field(default_factory=dict)
    # Act.key -> {action, args, result}, in the order in which they were done

    def with_slot(self, name: str, value: Any) -> ConversationState:
        """Return the state with one conversation slot set."""
        return replace(self, slots={**self.slots, name: value})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """The customer's request that is in a human queue now."""

    number: str
    state: str
    # queued, assigned, waiting_customer, solved …
    queue: str
    place: int | None = None
    # place in the queue, 1 = next
    wait_minutes: int | None = None
    # expected wait from real figures; None when not measured
    due: str | None = None
    # ISO 8601; for a case: when the answer was promised
    is_case: bool = False
    agent: str | None = None
    # the name under which customers see the agent who has it
    call: str | None = None
    # the last four digits of the number that somebody will call
    into: str | None = None
    # number of the request in which this one goes on …
    elsewhere: str | None = None
    # … and the channel of that, when it is another chat
    mark: int | None = None
    # 1 to 5, given by the customer


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The unread messages of a customer and all that is known when they are decided upon."""

    now: datetime
    # aware
    seed: int = 0
    # chooses among the variants of a phrase
    channel: str = "telegram"
    chat: str = ""
    # the conversation's id on its channel
    name: str | None = None
    # the name the messenger shows: never proof of identity
    text: str = ""
    parse: Parse | None = None
    # None: nothing to parse (a press, a contact, a picture) or the NLU is down
    press: str | None = None
    # value of the button pressed
    stale_press: bool = False
    # a press on a button that no message has
    contact: str | None = None
    # the customer's own phone number as verified by the messenger, E.164
    attachments: tuple[Attachment, ...] = ()
    edited: bool = False
    state: ConversationState = field(default_factory=ConversationState)
    request: OpenRequest | None = None
    down: frozenset[str] = frozenset()
    # systems known not to answer: see Unavailable
    facts: Mapping[Lookup, Any] = field(default_factory=dict)
    # answers to lookups, before any change
    changes: tuple[Change, ...] = ()
    # what the CRM was asked to do in this turn, in order

    def with_facts(self, facts: Mapping[Lookup, Any]) -> Turn:
        """Return the turn with more answers from outside: of now, that is after the last change."""
        if not self.changes:
            return replace(self, facts={**self.facts, **facts})
        last = self.changes[-1]
        return replace(self, changes=(*self.changes[:-1], replace(last, facts={**last.facts, **facts})))

    def with_change(self, act: Act, result: Mapping[str, Any]) -> Turn:
        """Return the turn after a change was asked of the CRM: what its systems say is looked up again."""
        return replace(self, changes=(*self.changes, Change(act=act, result=result)))

    def with_down(self, system: str) -> Turn:
        """Return the turn knowing that a system does not answer."""
        return replace(self, down=self.down | {system})


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A message to the customer."""

    text: str
    buttons: tuple[Button, ...] = ()
    rules: tuple[str, ...] = ()
    phrases: tuple[str, ...] = ()
    ask_contact: bool = False
    # offer the messenger's own "share my number" button where there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class Handoff:
    """Passing the conversation, or a task, to people."""

    queue: str
    category: str | None = None
    # set for work for later: the request is then a case with a due time
    due: datetime | None = None
    priority: str = "normal"
    rules: tuple[str, ...] = ()
    topic: str | None = None
    # the intent that it is about: for a mere wish for people what was asked before
    since: int = 0
    # the turn of the conversation in which the question came up that is handed over; 0: this one
    orders: tuple[str, ...] = ()
    comment: str = ""
    # what an agent reads in ten seconds
    summary: Mapping[str, Any] = field(default_factory=dict)
    # the same as fields
    notice: str | None = None
    # phrase that tells the customer, rendered once the request is stored (CX-02)
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What to do now. With `lookups` or `acts` in it nothing else counts: answer them and decide again.

    Lookups are answered by `Turn.with_facts`, acts, one at a time, by `Turn.with_change`.
    """

    lookups: tuple[Lookup, ...] = ()
    acts: tuple[Act, ...] = ()
    messages: tuple[Say, ...] = ()
    handoff: Handoff | None = None
    cases: tuple[Handoff, ...] = ()
    append: str | None = None
    # to an open request: what the agent should know of this turn
    cancel_request: bool = False
    # the customer takes the open request back (CX-03)
    state: ConversationState = field(default_factory=ConversationState)
    understood: tuple[str, ...] = ()
    # intents acted upon, in order
    rules: tuple[str, ...] = ()
    unsure: bool = False
    # worth a trainer's look (BOT-02)


_STATE: TypeAdapter[ConversationState] = TypeAdapter(ConversationState)
_PARSE: TypeAdapter[Parse] = TypeAdapter(Parse)
_ADAPTERS: dict[type, TypeAdapter[Any]] = {
    ConversationState: _STATE,
    Parse: _PARSE,
    Decision: TypeAdapter(Decision),
}


def to_json(value: ConversationState | Parse | Decision) -> dict[str, Any]:
    """Turn a value into what JSON can hold."""
    dumped = _ADAPTERS[type(value)].dump_python(value, mode="json")
    assert isinstance(dumped, dict)
    return dumped


def state_from_json(data: Mapping[str, Any]) -> ConversationState:
    """Read a state back; unknown keys are an error."""
    return _STATE.validate_python(data)


def parse_from_json(data: Mapping[str, Any]) -> Parse:
    """Read a parse back (also what the NLU service answers)."""
    return _PARSE.validate_python({key: value for key, value in data.items() if key in Parse.__dataclass_fields__})
