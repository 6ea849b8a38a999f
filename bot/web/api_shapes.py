"""The API's shapes: what outside systems send and get. What comes in refuses unknown keys.

Field names are part of the API: one that is published stays.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from bot.files import Attached
from bot.masking import mask
from bot.models import Conversation, State
from bot.outside import reading
from bot.outside.keys import Caller
from bot.outside.reading import Found, Line

PRINTED = r"^[^\x00]*[^\s\x00][^\x00]*$"
"""Something is said: not blank, and nothing that PostgreSQL cannot keep."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=PRINTED)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PRINTED)]
Number = Annotated[str, StringConstraints(pattern=r"^T-[0-9]{1,15}$", max_length=17)]
Cursor = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$", max_length=18)]
Moment = Annotated[AwareDatetime, BeforeValidator(lambda given: _moment(given))]
Priority = Literal["low", "normal", "high", "urgent"]
SenderName = Literal["customer", "bot", "system", "agent", "note"]


_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _moment(given: object) -> object:
    """RFC 3339 only: pydantic itself would take a number for seconds since 1970."""
    if not isinstance(given, str) or not _MOMENT.fullmatch(given):
        raise ValueError("must be a moment like 2026-12-01T09:00:00+03:00")
    return given


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Out(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True, populate_by_name=True)


# ------------------------------------------------------------------------------------------------------- what comes in
class Filters(_In):
    """Which requests are listed. Several values of one filter: any of them; several filters: all of them."""

    state: list[State] = Field(default=[], max_length=6, description="States; repeat for several.")
    queue: list[Name] = Field(default=[], max_length=50, description="Queues; repeat for several.")
    priority: list[Priority] = Field(default=[], max_length=4, description="Priorities; repeat for several.")
    channel: Name | None = Field(default=None, description="telegram or vk.")
    agent: Name | None = Field(default=None, description="Who has it in hand, by account name.")
    customer: Name | None = Field(default=None, description="The customer's id in the shop's CRM.")
    changed_since: Moment | None = Field(
        default=None, description="Only what has changed since: to catch up after a time without events."
    )
    cursor: Cursor | None = Field(default=None, description="`next` of the page before.")
    limit: int = Field(default=50, ge=1, le=100, description="Requests on a page.")


class LineFilters(_In):
    """Which lines of a transcript are given."""

    cursor: Cursor | None = Field(default=None, description="`earlier` of the lines before.")
    limit: int = Field(default=100, ge=1, le=500, description="Lines at once.")


class Reply(_In):
    """Words for the customer."""

    text: Words = Field(description="What the customer reads, with line breaks, without markup.")


class Note(_In):
    """Words for colleagues only."""

    text: Words = Field(description="What colleagues read; the customer never does.")


class Resolve(_In):
    """How a request ends."""

    resolution: Literal["solved", "not_solved"] = Field(
        default="solved", description="The customer is asked whether it helped, or told that it is not solved."
    )
    category: Name | None = Field(default=None, description="The intent that it was about, if it was another one.")
    text: Words | None = Field(default=None, description="The solution, for colleagues.")


class ToQueue(_In):
    """Passing a request on to a queue."""

    queue: Name = Field(description="Name of a queue of the shop's content.")
    comment: Words = Field(description="What the next one has to know.")
    category: Name | None = Field(default=None, description="Of an escalation; by default the request's topic.")
    reason: Name | None = Field(default=None, description="Of an escalation; by default the queue's own.")


class ToAgent(_In):
    """Passing a request on to a colleague who is on shift."""

    agent: Name = Field(description="The colleague's account name.")
    comment: Words = Field(description="What the next one has to know.")


class Wait(_In):
    """Waiting for the customer."""

    until: Moment | None = Field(
        default=None,
        description="At most until then, three months ahead at the most; by default the time for coming back.",
    )


class Shift(_In):
    """Whether the key's agent works now."""

    on_shift: bool = Field(description="false: what they have in hand goes back to its queue.")


# ------------------------------------------------------------------------------------------------------ what goes out
class Customer(_Out):
    """Whose request it is."""

    name: str | None = Field(description="What the messenger calls them: no proof of identity.")
    id: str | None = Field(description="Their id in the shop's CRM, once they are identified.")


class RequestShort(_Out):
    """A request as it stands now."""

    number: str = Field(description="What the customer is told.")
    state: State
    queue: str
    priority: Priority
    topic: str | None = Field(description="The intent that it is about.")
    category: str | None = Field(description="Of a case: its kind.")
    due: datetime | None = Field(description="Of a case: by when it was promised.")
    task: bool = Field(description="Work beside the talk: the bot goes on talking with the customer.")
    vip: bool
    channel: str
    customer: Customer
    agent: str | None = Field(description="Who has it in hand, by account name.")
    orders: list[str] = Field(description="Numbers of the orders that it is about.")
    opened_at: datetime
    target_at: datetime | None = Field(description="By when a person is to have answered first.")
    taken_at: datetime | None
    answered_at: datetime | None
    wait_until: datetime | None
    solved_at: datetime | None
    ended_at: datetime | None
    resolution: str | None
    overdue: bool = Field(description="The promised time has passed.")
    breached: bool = Field(description="The target for the first answer was missed.")
    mark: int | None = Field(description="1 to 5, by the customer.")


class AttachmentOut(_Out):
    """A file of a line."""

    id: int | None = Field(description="None: there are no bytes to be had (a sticker).")
    kind: str = Field(description="photo, voice, video, file …")
    name: str | None = Field(description="What the sender calls it: never a path.")
    state: Literal["waiting", "kept", "refused", "lost", "none"] = Field(description="Only what is kept can be had.")
    size: int | None = Field(description="Bytes.")
    mime: str | None


class LineOut(_Out):
    """A line of the transcript."""

    id: int
    at: datetime
    sender: SenderName = Field(alias="from", description="A note is for colleagues only.")
    agent: str | None = Field(description="The agent's name as the customer reads it.")
    text: str
    edited: bool
    delivery: Literal["pending", "sending", "sent", "failed", "refused", "unknown"] | None = Field(
        description="Of a line to the customer: whether it has reached the messenger."
    )
    attachments: list[AttachmentOut]


class RequestFull(RequestShort):
    """A request with all that an agent is shown: summary and comment first, then the transcript."""

    comment: str = Field(description="The summary in a few lines, in the shop's words.")
    summary: dict[str, Any] = Field(description="The summary as fields.")
    transcript: list[LineOut] = Field(description="The newest 200 lines of the conversation, in order.")
    earlier: str | None = Field(description="Cursor of older lines; None: these are all.")


class Requests(_Out):
    """A page of requests, the newest first."""

    requests: list[RequestShort]
    next: str | None = Field(description="Cursor of the next page; None: this is the last.")


class Lines(_Out):
    """Lines of a transcript, in order."""

    lines: list[LineOut]
    earlier: str | None = Field(description="Cursor of older lines; None: there are none.")


class Said(_Out):
    """What was said, and the request as it stands now."""

    line: LineOut
    request: RequestShort


class ShiftOut(_Out):
    """The key's agent."""

    agent: str
    on_shift: bool


class Wrong(_Out):
    """A part of a call that is not valid."""

    place: str = Field(description="Where: body.text, query.limit, header.Idempotency-Key …")
    text: str


class Problem(_Out):
    """Why a call was refused (RFC 9457)."""

    type: str = Field(description="Stays the same for the same kind of problem: programs go by it.")
    title: str = Field(description="The kind of problem, for people.")
    status: int
    detail: str = Field(description="What is the matter, for people.")
    errors: list[Wrong] | None = Field(default=None, description="What is not valid, all at once.")


# --------------------------------------------------------------------------------------------------- from what is stored
def short(found: Found) -> RequestShort:
    """A request as it stands now."""
    return RequestShort(**_of(found))


def full(found: Found, lines: list[Line], earlier: int | None, caller: Caller) -> RequestFull:
    """A request with all that an agent is shown."""
    request = found.request
    return RequestFull(
        **_of(found), comment=mask(request.comment), summary=reading.discreet_data(request.summary),
        transcript=[line_out(one, caller) for one in lines], earlier=cursor(earlier),
    )  # fmt: skip


def line_out(line: Line, caller: Caller) -> LineOut:
    """A line as this caller is told it."""
    told = line if caller.phones else reading.discreet(line)
    return LineOut(
        id=told.id, at=told.at, sender=told.sender, agent=told.name, text=told.text, edited=told.edited,
        delivery=told.delivery, attachments=[_attachment(one) for one in told.attachments],
    )  # fmt: skip


def cursor(last: int | None) -> str | None:
    """What asks for the page after a row."""
    return None if last is None else str(last)


def _attachment(one: Attached | dict[str, Any]) -> AttachmentOut:
    if isinstance(one, dict):
        return AttachmentOut(
            id=None, kind=one.get("kind") or "file", name=one.get("name"), state="none", size=None, mime=None
        )
    return AttachmentOut(id=one.id, kind=one.kind, name=one.name, state=one.state.value, size=one.size, mime=one.mime)


def _of(found: Found) -> dict[str, Any]:
    request, conversation = found.request, found.conversation
    return {
        **{name: getattr(request, name) for name in _SAME},
        "channel": conversation.channel, "customer": _customer(request.customer_id, conversation), "agent": found.agent,
        "overdue": request.overdue_at is not None, "breached": request.breached_at is not None,
    }  # fmt: skip


def _customer(customer_id: str | None, conversation: Conversation) -> Customer:
    return Customer(name=conversation.name, id=customer_id)


_SAME = (
    "number", "state", "queue", "priority", "topic", "category", "due", "task", "vip", "orders", "opened_at", "target_at",
    "taken_at", "answered_at", "wait_until", "solved_at", "ended_at", "resolution", "mark",
)  # fmt: skip
"""Fields that are called here as in the store."""
