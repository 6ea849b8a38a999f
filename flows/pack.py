"""A pack as values: what a shop's (or any other firm's) first line knows and does, read from YAML.

The models refuse unknown keys, so a typo in content is an error with a place. Every part of a pack is frozen; nothing in
here decides anything: `facts`, `match`, `tables`, `steps` and `phrases` give these shapes their meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from flows.known import Fact, Names, Part, Slot, Source, When
from flows.manifest import Manifest
from flows.queues import Category, Hours, Queue, Skill


# ---------------------------------------------------------------------------------------------- steps
class Step(Part):
    """One step of a flow or of a table's row. `when` and `rule` may stand on any of them."""

    when: When | None = None
    rule: Names = ()


class Collect(Step):
    """Ask for a slot unless it is known, and wait for the answer."""

    collect: str
    ask: str
    # the phrase that asks
    attempts: int = 2
    # answers that do not fit before `otherwise`
    otherwise: str | None = None
    # flow that takes over then (default: the repair flow `no_answer`)


class SayStep(Step):
    """Say phrases, one paragraph each."""

    say: Names
    apart: bool = False
    # as a message of its own (something to copy)


class TableStep(Step):
    """Decide by a table and do what the row that hits says."""

    table: str


class BranchArm(Part):
    """Steps under a condition."""

    when: When = Field(default_factory=dict)
    steps: tuple[AnyStep, ...]


class Branch(Step):
    """Do the first arm whose conditions hold; the last arm has none."""

    branch: tuple[BranchArm, ...]


class Call(Step):
    """Do another flow's steps here."""

    call: str
    alone: bool = False
    # a guard: what it says stands in place of the answer, so the rules around the call are not counted for it


class SetStep(Step):
    """Set slots: to a value, to another slot's or fact's (`$name`), or to nothing (null)."""

    set: dict[str, Any]


class Count(Step):
    """Raise a counter; facts of kind `recent` read it."""

    count: str


class ActStep(Step):
    """Ask the CRM for a change, once; what its systems say is looked up anew for the steps after it.

    The change has to be the customer's wish: a question goes before it, and no question after a change that was made.
    """

    act: str
    args: dict[str, str] = Field(alias="with", default_factory=dict)
    # argument -> text with placeholders; left out when a value in it is not known
    result: str | None = None
    # slot that tells what came of it: done, refused, unsupported (the CRM cannot do that), unavailable
    take: dict[str, str] = Field(default_factory=dict)
    # slot -> key of the CRM's answer
    changes: bool = True
    # false: the CRM only works something out; nothing is looked up anew


class HandoffStep(Step):
    """Hand the conversation to a human queue. Ends the request for the bot."""

    handoff: str
    # a queue, or $fact that names one
    why: str
    # why a person is needed: for the agent, Russian
    next_step: str | None = None
    # what the script prescribes to the agent
    notice: str | None = None
    # phrase told once stored; default: the pack's notices
    urgency: str | None = None
    # priority of the request; default: the pack's table
    category: str | None = None
    mark: Names = ()
    goes_on: bool = False
    # the bot still asks what people will need: the request is stored now, the answers are added to it


class CaseStep(Step):
    """Create work for later: a task or an inquiry. The bot goes on talking."""

    case: str
    # a category of the pack
    queue: str | None = None
    # default: the category's
    why: str
    next_step: str | None = None
    due_hours: float | None = None


class Stop(Step):
    """This request is answered; leave the rest of the flow out."""

    stop: Literal[True]


class Special(Step):
    """Something the engine itself does: `cancel_request`, `close`, `forget` (open questions), `repeat` (the question)."""

    do: Literal["cancel_request", "close", "forget", "repeat", "previous"]


AnyStep = (
    Collect | SayStep | TableStep | Branch | Call | SetStep | Count | ActStep | HandoffStep | CaseStep | Stop | Special
)
STEP_KEYS: dict[str, type[Step]] = {
    "set": SetStep, "count": Count, "act": ActStep, "say": SayStep, "case": CaseStep, "handoff": HandoffStep,
    "collect": Collect, "call": Call, "table": TableStep, "branch": Branch, "stop": Stop, "do": Special,
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- tables and flows
class Hit(StrEnum):
    """Hit policy of a table: which of the matching rows apply."""

    FIRST = "first"
    PRIORITY = "priority"
    # highest `priority`, then most conditions, then the first in the file
    RANK = "rank"
    # lowest `rank` decides; matching rows without rank apply in addition
    COLLECT = "collect"
    # all, in the order of the file
    UNIQUE = "unique"
    # exactly one may match


class Row(Part):
    """A row: conditions, and the steps to take. One-step rows write the step's keys beside `when`."""

    rule: Names = ()
    when: When = Field(default_factory=dict)
    priority: int = 0
    rank: int | None = None
    steps: tuple[AnyStep, ...] = ()
    note: str | None = None


class Table(Part):
    """A decision table."""

    hit: Hit
    rows: tuple[Row, ...]
    open: bool = False
    # true: no row need match, the flow goes on
    over: When = Field(default_factory=dict)
    # what is certain when the table is asked (for the check of gaps)
    note: str | None = None


class Flow(Part):
    """What is done for an intent, or a piece of it that others call."""

    intents: Names = ()
    about: str = ""
    # for people: what this flow is for
    guarded: bool = True
    # run the pack's `before` flow first
    dialogue: bool = False
    # small talk and repair: no request of its own, never kept open
    beside: str | None = None
    # flow that is run instead when the turn has requests too: said in one message with the first answer (a greeting)
    urgent: bool = False
    # a request that is heard even in the middle of an answer (a person, a claim, a theft)
    stray: bool = False
    # leads nowhere: the built-in `strays` counts such turns in a row
    hears: When | None = None
    # a message that fits is this flow's, whatever the NLU reads in it: words that mean nothing without the talk before
    matter: bool = True
    # false: only asks for people: those who get the request read what was asked before as its topic
    steps: tuple[AnyStep, ...]


# ---------------------------------------------------------------------------------------------- phrases
class ButtonSpec(Part):
    """A button: its title, and what a press means (`intent:x`, `slot:name=value`, `flow:x`, `yes`, `no`)."""

    title: str
    value: str


class Phrase(Part):
    """What the customer reads: variants of one content. `[[ … ]]` is left out when a value inside is unknown."""

    say: Names
    rule: Names = ()
    convey: tuple[str, ...] = ()
    # placeholders each variant must hold
    buttons: tuple[str | ButtonSpec, ...] = ()
    # names of the pack's buttons, or a button; `$list` fields make one a member
    gist: str | None = None
    # for the agent's summary: what was told, in a few words
    promise: str | None = None
    # for the summary: what the customer was told to expect
    promise_hours: float | None = None
    ask_contact: bool = False
    offer: str | None = None
    # what a plain yes to this phrase means: a button's value
    each: str | None = None
    # list fact: one button for each member
    each_title: str | None = None
    each_value: str | None = None


class Quick(Part):
    """A phrase that an agent puts into a reply by a few letters (quick.yml); placeholders and `[[ … ]]` as in phrases."""

    title: str
    text: Names
    # variants: one that was said last is not said again
    topics: Names = ()
    # intents that it goes with: it stands first for them
    words: Names = ()
    # further words by which it is found
    hold: bool = False
    # asks the customer for patience, and is sent by one click (L2-11)
    when: When = Field(default_factory=dict)
    # what must hold for it to be true …
    needs: str | None = None
    # … and what agents read is lacking when it does not


class Titles(Part):
    """What agents read for a pack's names (titles.yml); `flows.titles` tells what stands for one that has none."""

    flows: dict[str, str] = Field(default_factory=dict)
    tables: dict[str, str] = Field(default_factory=dict)
    known: dict[str, str] = Field(default_factory=dict)
    # slots, facts, settings, what the talk itself tells
    fields: dict[str, str] = Field(default_factory=dict)
    # keys of what the shop's systems tell
    systems: dict[str, str] = Field(default_factory=dict)
    # lookups: what is asked of them
    entities: dict[str, str] = Field(default_factory=dict)
    codes: dict[str, str] = Field(default_factory=dict)
    # values without a label of their own


class Intent(Part):
    """An intent of the inventory."""

    what: str
    neighbour: str | None = Field(alias="not", default=None)
    title: str | None = None
    # on the button of `which of these`
    group: str = ""


class Pack(Part):
    """The whole of it."""

    manifest: Manifest
    intents: dict[str, Intent]
    slots: dict[str, Slot]
    facts: dict[str, Fact]
    sources: dict[str, Source]
    queues: dict[str, Queue]
    hours: dict[str, Hours]
    skills: dict[str, Skill] = Field(default_factory=dict)
    categories: dict[str, Category]
    buttons: dict[str, ButtonSpec]
    answers: dict[
        Literal["yes", "no", "unsure", "question", "first", "second", "third", "fourth", "both", "all"], Names
    ]
    # patterns of a plain yes, no and "I do not know", and of a question
    flows: dict[str, Flow]
    tables: dict[str, Table]
    phrases: dict[str, Phrase]
    quick: dict[str, Quick] = Field(default_factory=dict)
    titles: Titles = Field(default_factory=Titles)
    version: str = ""
    # content hash
    places: dict[str, tuple[str, int]] = Field(default_factory=dict)
    # "table:order_status.3" -> (file, line)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(str(self.manifest.settings.get("timezone", "Europe/Moscow")))

    @property
    def cancels(self) -> str | None:
        """Value of the button that takes a request back."""
        return self.buttons[self.manifest.cancel].value if self.manifest.cancel else None

    def flow_for(self, intent: str) -> str | None:
        """Name of the flow that an intent starts."""
        return next((name for name, flow in self.flows.items() if intent in flow.intents), None)

    def with_settings(self, settings: Mapping[str, Any]) -> Pack:
        """Return the pack with other settings put over its own."""
        told = {**self.manifest.settings, **settings}
        return self.model_copy(update={"manifest": self.manifest.model_copy(update={"settings": told})})


BranchArm.model_rebuild()
Branch.model_rebuild()
Row.model_rebuild()
Flow.model_rebuild()
