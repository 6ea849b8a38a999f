"""What a pack knows: what the customer tells (slots), where facts come from (sources), what follows from them (facts).

Parts of a pack like all content (`flows.pack`): frozen, unknown keys refused. `flows.facts` gives them their meaning.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

When = dict[str, Any]
"""Conditions over slots and facts, all of which must hold; `flows.match` is their language."""


def _one_or_many(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Names = Annotated[tuple[str, ...], BeforeValidator(_one_or_many)]
"""One name or a list of them."""


class Part(BaseModel):
    """Base of all content: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


# ---------------------------------------------------------------------------------------------- slots and facts
class Kind(StrEnum):
    """The type of a slot's or fact's value."""

    TEXT = "text"
    BOOL = "bool"
    NUMBER = "number"
    DATE = "date"
    ENUM = "enum"
    SET = "set"
    LIST = "list"
    OBJECT = "object"


class Scope(StrEnum):
    """How long a slot is kept: with the conversation, or with one request of the customer."""

    CONVERSATION = "conversation"
    TOPIC = "topic"


class Words(Part):
    """Read a value out of the customer's words: the first entry one of whose patterns occurs gives the value."""

    patterns: dict[Any, Names]
    # value -> regular expressions, matched without case and with ё as е at word beginnings
    within: Literal["turn", "topic", "all"] = "topic"
    # this turn's text, all words of the request, or all words of the conversation


class Captured(Part):
    """Read a piece out of the customer's words: the first group of the last match, case ignored."""

    pattern: str
    within: Literal["turn", "topic", "all"] = "topic"


class Slot(Part):
    """Something the customer tells. Filled by a `collect` step's answer, by an entity, by words or by a button."""

    type: Kind = Kind.TEXT
    scope: Scope = Scope.TOPIC
    entity: Names | None = None
    # entities that fill it
    values: dict[str, Names] | None = None
    # enum: value -> patterns in an answer to the question (titles of buttons included)
    words: Words | None = None
    # fills it unasked
    anywhere: bool = False
    # filled by its entity in any message, not only in an answer to the question for it
    aside: bool = False
    # of use only within the request that tells it: alone it puts no earlier request right
    each: bool = False
    # two values in one message make two requests (orders 1 and 2), where it is filled `anywhere`
    along: Names = ()
    # other slots that an answer to the question for it may fill too (name and phone in one message)
    free: bool = False
    # any text is an answer to the question for it
    min_words: int = 1
    # fewer are no answer («Карпенко», where the whole name is asked)
    story: bool = False
    # free, and told at length: what sounds like another request is part of it, but for `urgent` ones and questions
    pattern: str | None = None
    # a text that is an answer (regular expression; group 1 or the whole match is the value)
    private: bool = False
    # left out of the summary's `collected`


class Source(Part):
    """Where a fact object comes from: one of the shop's systems, asked with slots and facts as arguments."""

    lookup: str
    args: dict[str, str] = Field(alias="with", default_factory=dict)
    # argument -> slot or fact; the source is unknown until each of them is known
    of: Literal["crm", "tracking", "store"] = "crm"
    optional: bool = False
    # true: when its system does not answer, the values are unknown and the flow goes on


class Case(Part):
    """One line of a derived fact: the first whose conditions hold gives the value."""

    when: When = Field(default_factory=dict)
    value: Any = None
    take: str | None = None
    # a slot or fact whose value is taken instead


class ListQuery(Part):
    """A question to a list of objects. In `where`, a key is a member's field and a text `$name` is a slot or fact.

    The key `it` is the member itself, where the list holds plain values (colours, sizes).
    """

    of: str
    among: When = Field(default_factory=dict)
    # the members that count at all; the others are left out first
    where: When = Field(default_factory=dict)


class Text2(Part):
    """Two texts to compare, forgivingly."""

    said: str
    known: str


class Recent(Part):
    """How often a counter was raised in the last hours."""

    counter: str
    hours: float


class Mention(Part):
    """Members of a list that the customer's words of the request name, endings forgiven; the best named ones only.

    Members are objects with a `field`, or plain values (colours, sizes).
    """

    of: str
    field: str = "name"
    within: Literal["turn", "topic", "all"] = "topic"


class Entry(Part):
    """A field of an entry of one of the pack's `directories`, chosen by a slot or fact."""

    table: str
    key: str
    field: str


class Fact(Part):
    """Something known from a system or derived from other facts. Exactly one way to get it is given."""

    type: Kind = Kind.TEXT
    values: tuple[Any, ...] = ()
    # enum: all the values it may have
    default: Any = None
    optional: bool = False
    # true: when a system does not answer, the value is the default and the flow goes on
    path: str | None = Field(alias="from", default=None)
    # dotted path into a source, e.g. order.status; also turn.*, request.*, queue.*
    cases: tuple[Case, ...] | None = None
    when: When | None = None
    # bool: true when the conditions hold, else false
    days_since: str | None = None
    # whole calendar days from a date to today
    hours_since: str | None = None
    # number: hours from a moment to now, parts of them too
    plus_days: tuple[str, int | str] | None = None
    # a date and a number of days (or a setting's name)
    sum_of: Names | None = None
    # number: these together
    month_of: str | None = None
    # `current` or `previous`: the calendar month of a date against today's
    count: ListQuery | None = None
    leading: ListQuery | None = None
    # how many members from the beginning of the list satisfy `where`
    pick: ListQuery | None = None
    # the only member that satisfies `where`; none or several: unknown
    last: ListQuery | None = None
    # the last member that satisfies `where`
    those: ListQuery | None = None
    # list: the members that satisfy `where`
    every: ListQuery | None = None
    # bool: the list is not empty and all members satisfy `where`
    same_name: Text2 | None = None
    # bool: the name said is the name known: endings, misprints, order and a missing patronymic forgiven
    same_place: Text2 | None = None
    nothing_new: Text2 | None = None
    # bool: what was said holds no word or number that the known text lacks
    recent: Recent | None = None
    words: Words | None = None
    captured: Captured | None = None
    # text
    mentioned: Mention | None = None
    # list: the members that the customer names
    entry: Entry | None = None
    known: Names | None = None
    # bool: all of these are known

    @model_validator(mode="after")
    def _one_way(self) -> Fact:
        ways = [name for name in FACT_WAYS if getattr(self, name) is not None]
        if len(ways) != 1:
            raise ValueError(f"a fact needs exactly one of {', '.join(FACT_WAYS)}; this one has {ways or 'none'}")
        return self


FACT_WAYS = (
    "path", "cases", "when", "days_since", "hours_since", "plus_days", "sum_of", "month_of", "count", "leading", "pick", "last", "those", "every",
    "same_name", "same_place", "nothing_new", "recent", "words", "captured", "mentioned", "entry", "known",
)  # fmt: skip
