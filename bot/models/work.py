"""Tables of people's work: agents, and the customers' matters with them.

A request's timeline (`request_events`) is what happened, its columns are where it stands now.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Boolean, CheckConstraint, ForeignKey, Identity, Index, Sequence
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from bot.models.base import Base
from bot.models.talk import Conversation

REQUEST_NUMBERS = Sequence("request_numbers", start=1001, metadata=Base.metadata)


class State(StrEnum):
    """Where a request stands."""

    QUEUED = "queued"
    ASSIGNED = "assigned"
    WAITING_CUSTOMER = "waiting_customer"
    SOLVED = "solved"
    CANCELLED = "cancelled"
    CLOSED = "closed"


IN_HAND = (State.ASSIGNED, State.WAITING_CUSTOMER)
"""States in which a request is an agent's."""
LIVE = (State.QUEUED, *IN_HAND)
"""States in which people still have work with a request."""


class Request(Base):
    """The customer's matter with people: a handoff, or a task for later."""

    __tablename__ = "requests"
    __table_args__ = (
        CheckConstraint(
            "state IN ('queued', 'assigned', 'waiting_customer', 'solved', 'cancelled', 'closed')", name="state"
        ),
        CheckConstraint("priority IN ('low', 'normal', 'high', 'urgent')", name="priority"),
        CheckConstraint(
            "(state IN ('assigned', 'waiting_customer')) = (agent_id IS NOT NULL)", name="agent_when_assigned"
        ),
        CheckConstraint("NOT talking OR state IN ('assigned', 'waiting_customer')", name="talking_when_assigned"),
        CheckConstraint("(category IS NULL) OR (due IS NOT NULL)", name="case_has_due"),
        CheckConstraint("mark BETWEEN 1 AND 5", name="mark"),
        Index(
            "uq_requests_one_live_handoff", "conversation_id", unique=True,
            postgresql_where=sql("NOT task AND state IN ('queued', 'assigned', 'waiting_customer', 'solved')"),
        ),
        Index("ix_requests_waiting", "queue", "opened_at", postgresql_where=sql("state = 'queued'")),
        Index("ix_requests_live", "state", "queue", postgresql_where=sql("state IN ('queued', 'assigned', 'waiting_customer')")),
        Index(
            "ix_requests_ended", sql("coalesce(ended_at, solved_at, opened_at) DESC"),
            postgresql_where=sql("state IN ('solved', 'cancelled', 'closed')"),
        ),
        Index("ix_requests_breached", "breached_at", postgresql_where=sql("breached_at IS NOT NULL")),
        Index("ix_requests_orders", "orders", postgresql_using="gin"),
        Index("ix_requests_name", sql("to_tsvector('russian', coalesce(summary #>> '{customer,name}', ''))"), postgresql_using="gin"),
        Index(
            "ix_requests_phone",
            sql("(ARRAY[right(call_phone, 10), right(call_phone, 4), right(summary #>> '{customer,phone_masked}', 4)])"),
            postgresql_using="gin",
        ),
        Index("ix_requests_target", "target_at", postgresql_where=sql("answered_at IS NULL AND ended_at IS NULL")),
        Index("ix_requests_target_at", "target_at", postgresql_where=sql("target_at IS NOT NULL")),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    # told to the customer: T-1001
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    task: Mapped[bool]
    # work beside the talk: the bot goes on talking. Otherwise the conversation itself was handed over
    talking: Mapped[bool] = mapped_column(default=False)
    # its agent speaks with the customer: the conversation is the agent's, the bot is silent
    spoken: Mapped[bool] = mapped_column(default=False)
    # an agent has spoken with the customer in it at some time: a reply reopens it (CX-07)
    category: Mapped[str | None]
    # a case's kind; with it goes a due time
    due: Mapped[datetime | None]
    queue: Mapped[str]
    priority: Mapped[str]
    state: Mapped[str]
    topic: Mapped[str | None]
    customer_id: Mapped[str | None] = mapped_column(index=True)
    # the CRM's id
    orders: Mapped[list[str]]
    marks: Mapped[list[str]]
    rules: Mapped[list[str]]
    comment: Mapped[str]
    summary: Mapped[dict[str, Any]]
    vip: Mapped[bool] = mapped_column(default=False)
    manager: Mapped[str | None]
    # agent with the first claim …
    claim_until: Mapped[datetime | None]
    # … until then
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id"), index=True)
    last_agent_id: Mapped[int | None] = mapped_column(ForeignKey("agents.id"))
    # who had it last: gets it back when the customer returns (CX-07)
    opened_at: Mapped[datetime]
    queued_place: Mapped[int]
    # place in the queue when it was opened: the measure of expected waits
    taken_at: Mapped[datetime | None]
    # the first time
    answered_at: Mapped[datetime | None]
    # first reply of a person
    asked_at: Mapped[datetime | None]
    # while an agent has it: since when the question stands, the clock of passing it on (ESC-05)
    spoken_since: Mapped[bool] = mapped_column(default=False)
    # an agent has written since then: the customer's next message raises another question
    transfer_seconds: Mapped[float | None]
    # of the last transfer to a queue: from the question until it was stored …
    in_time: Mapped[bool | None]
    # … and whether that was within the pack's limit
    escalated: Mapped[bool] = mapped_column(default=False)
    # the mark Escalation: it was passed to another line (ESC-08)
    escalation_reason: Mapped[str | None]
    read_by: Mapped[int | None] = mapped_column(ForeignKey("agents.id"))
    # who was shown summary, comment and transcript last: only they may reply (L2-10)
    asked_again: Mapped[int] = mapped_column(default=0)
    # questions of agents whose answer was on record (L2-12)
    wait_until: Mapped[datetime | None]
    solved_at: Mapped[datetime | None]
    close_at: Mapped[datetime | None]
    # a solved request closes then
    overdue_at: Mapped[datetime | None]
    # when it was noticed that the due time has passed
    ended_at: Mapped[datetime | None]
    resolution: Mapped[str | None]
    resolved_category: Mapped[str | None]
    solution: Mapped[str | None]
    target_at: Mapped[datetime | None]
    # by when a person has to have answered first (the queue's target, in its working hours)
    warned_at: Mapped[datetime | None]
    # the desk was warned that this is near …
    breached_at: Mapped[datetime | None]
    # … and that it has passed without an answer
    waits_for_opening: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # it came while the queue was closed, and its customer is told when that opens
    call_phone: Mapped[str | None]
    # a promised call: the number, E.164; when is `due`
    joined_into: Mapped[int | None] = mapped_column(ForeignKey("requests.id"))
    # it goes on in this request of the same customer
    mark: Mapped[int | None]
    # 1 to 5, by the customer
    mark_asked_at: Mapped[datetime | None]
    marked_at: Mapped[datetime | None]
    mark_comment: Mapped[str | None]

    conversation: Mapped[Conversation] = relationship(lazy="raise")
    agent: Mapped[Agent | None] = relationship(lazy="raise", foreign_keys=[agent_id])

    @property
    def is_case(self) -> bool:
        """Tell whether it is work for later with a due time."""
        return self.category is not None


class RequestEvent(Base):
    """The timeline of a request: what happened, when, by whom."""

    __tablename__ = "request_events"
    __table_args__ = (Index("ix_request_events_agent_at", "agent", "at", postgresql_where=sql("agent IS NOT NULL")),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    # opened, appended, assigned, replied, noted, declined, transferred, waiting_customer, resumed, solved, reopened …
    agent: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'::jsonb"))


LEADERS = ("supervisor", "admin")
"""Roles that lead others: they see everybody's work, decide about all queues, and may step in."""
WORKING = ("agent", *LEADERS)
"""Roles that take requests."""


class Agent(Base):
    """A person at the desk."""

    __tablename__ = "agents"
    __table_args__ = (CheckConstraint("role IN ('agent', 'supervisor', 'trainer', 'admin')", name="role"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    title: Mapped[str]
    # what the customer reads
    queues: Mapped[list[str]] = mapped_column(default=list)
    skills: Mapped[list[str]] = mapped_column(default=list)
    role: Mapped[str] = mapped_column(default="agent")
    on_shift: Mapped[bool] = mapped_column(Boolean, default=False)
    capacity: Mapped[int] = mapped_column(default=5, server_default=sql("5"))
    # requests at the same time that are given to them by the system; they may take more by hand
    seen_at: Mapped[datetime | None]
    # the last sign of life of a page of theirs; None while on shift: they work without a browser
    away_at: Mapped[datetime | None]
    # when their shift was ended for them, because all their pages were closed: it goes on if they come back soon
    password: Mapped[str | None]
    # argon2 digest; None: they cannot sign in with one
    password_temporary: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # set by somebody else: to be changed at the first sign-in
    disabled_at: Mapped[datetime | None]
    telegram_id: Mapped[str | None] = mapped_column(unique=True)
    # who they are in a Telegram desk
    quiet: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # no sound at a new request

    @property
    def leads(self) -> bool:
        """Whether they lead others."""
        return self.role in LEADERS

    @property
    def works(self) -> bool:
        """Whether they take requests; a trainer only reads."""
        return self.role in WORKING
