"""pack.yml as values: the pack's name and settings, and which of its flows, phrases, facts and tables the engine uses.

Parts of a pack like all content (`flows.pack`): frozen, unknown keys refused.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from flows.known import Names, Part


class Repair(Part):
    """The flows for what goes wrong: all of them content like any other."""

    not_understood: str
    ambiguous: str
    nlu_down: str
    crm_down: str
    no_answer: str
    stale_press: str
    attachment: str
    empty: str
    same_again: str
    waiting: str
    contact: str


class Notices(Part):
    """Phrases that the system tells beside the bot's answers: states of the request, and what waiting needs."""

    queued: str
    queued_case: str
    noted: str
    # number and term of work for later that goes beside an answer
    assigned: str
    in_hand: str
    # whose the request is: to a press or a question for its state while a person has it
    transferred: str
    declined: str
    waiting_customer: str
    call_back: str | None = None
    # a call at a time that the customer has named; none: they are told nothing of it
    joined: str | None = None
    # the request goes on in another one of theirs
    solved: str
    not_solved: str
    # its agent has ended it without a solution
    helped: str
    # the customer says that the solution helped
    reopened: str
    cancelled: str
    closed: str
    store_down: str
    searching: str
    # the shop's systems take longer than a few seconds …
    searching_longer: str
    # … and still do a minute later …
    found: str
    # … what the answer begins with then
    reading: str
    # an agent needs a moment to read what was said so far
    file_kind: str
    # an attachment was not kept: such files are not taken …
    file_too_big: str
    # … it is larger than the setting `file_mb` …
    file_day_full: str
    # … the customer has sent too much today …
    file_lost: str
    # … the messenger does not give it out
    opened: str | None = None
    # the queue works again: to those who have waited since it was closed
    together: str
    # the customer writes so much that it is read together when the minute is over


class Marks(Part):
    """The mark 1 to 5 asked after a solved request, and the words that a customer may add (KPI-03, KPI-05).

    Buttons of these phrases mean `mark:1` … `mark:5`, `mark:skip` and `mark:back`; the engine adds the request's number.
    """

    ask: str
    # phrase with the five buttons; stands behind the words that a request is closed
    thanks: str
    # the mark is given: asks for a few words, with `mark:skip` …
    sorry: str
    # … and after a low one offers to go back to the matter, with `mark:back`
    noted: str
    # the bare answer: the mark was changed, or somebody speaks with the customer again
    commented: str
    skipped: str
    over: str
    # a press after `hours`
    low: int = 2
    # marks up to this are low
    hours: float = 72
    # so long a mark may be given and changed
    comment_minutes: float = 60
    # what is written later is no comment
    typed: dict[int, str] = Field(default_factory=dict)
    # mark -> pattern of a whole message that means it
    skips: Names = ()
    # patterns of a whole message that says no to the question
    opinions: Names = ()
    # patterns of words that judge how one was served: a short message with them is a comment, however it is read
    matters: Names = ()
    # patterns of words about the shop's business, and of wishes: with them it is not
    comment_intents: Names = ()
    # what is surely read as nothing but these may be a comment
    service_intents: Names = ()
    # so may what wavers between these
    refusing_intents: Names = ()
    back_intents: Names = ()
    # the matter is not solved after all

    @property
    def phrases(self) -> tuple[str, ...]:
        """Names of all its phrases."""
        return self.ask, self.thanks, self.sorry, self.noted, self.commented, self.skipped, self.over


class Manifest(Part):
    """pack.yml: the pack's name and settings and what the engine needs to know by name."""

    name: str
    title: str
    settings: dict[str, Any] = Field(default_factory=dict)
    before: str
    # flow run ahead of each guarded flow
    after: str | None = None
    # flow run when a request is answered, and before it is handed over (`handing_to` is then the queue)
    later: str | None = None
    # fact: the category that makes a handoff work for later (a callback); not known: it is live
    later_by: str | None = None
    # fact: the day at whose end that work is due, if that is later than its category's hours
    repair: Repair
    notices: Notices
    marks: Marks | None = None
    # none: no marks are asked for
    specialist: str
    # the button that calls a person
    cancel: str | None = None
    # the button that takes a request back: stands under each notice while the request waits (CX-03)
    queue_default: str
    case_default: str
    queue_priority: tuple[str, ...]
    priority: str
    # table that gives a request's priority (sets `priority`)
    mood: str
    # fact: calm, upset, angry, threat
    summary: dict[str, str]
    # words of the summary comment: key -> text with placeholders
    order_fact: str | None = None
    # fact with the snapshot objects for the summary (a list)
    customer_fact: str | None = None
    # fact: the card of whoever is identified
    account_fact: str | None = None
    # fact: the card that the account leads to before that; for agents, marked as not confirmed, never for customers
    directories: dict[str, dict[str, dict[str, Any]]] = Field(default_factory=dict)
    never_say: tuple[str, ...] = ()
    # regular expressions that no text to a customer may match
