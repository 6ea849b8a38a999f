"""The tables. Invariants are constraints with names; relationships are never loaded by accident.

A `message` without audience (sender `note`) is internal. A `request` is the customer's matter with people: its timeline
(`request_events`) is what happened, its columns are where it stands now.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    MetaData,
    Sequence,
    Text,
    UniqueConstraint,
)
from sqlalchemy import text as sql
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=CONVENTION)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads it off the class
        str: Text,
        int: BigInteger,
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[dict[str, Any]]: JSONB,
        list[str]: ARRAY(Text),
    }


REQUEST_NUMBERS = Sequence("request_numbers", start=1001, metadata=Base.metadata)


class Owner(StrEnum):
    """Who speaks with the customer."""

    BOT = "bot"
    AGENT = "agent"


class Sender(StrEnum):
    """Who said a line. A note is for agents only."""

    CUSTOMER = "customer"
    BOT = "bot"
    SYSTEM = "system"
    AGENT = "agent"
    NOTE = "note"


class Delivery(StrEnum):
    """Where an outgoing message stands."""

    PENDING = "pending"
    SENDING = "sending"
    # an attempt was begun; its result is not known yet
    SENT = "sent"
    FAILED = "failed"
    REFUSED = "refused"
    # the bot's, but an agent owns the conversation
    UNKNOWN = "unknown"
    # two attempts, and the messenger never said whether it was sent


class State(StrEnum):
    """Where a request stands."""

    QUEUED = "queued"
    ASSIGNED = "assigned"
    WAITING_CUSTOMER = "waiting_customer"
    SOLVED = "solved"
    CANCELLED = "cancelled"
    CLOSED = "closed"


LIVE = (State.QUEUED, State.ASSIGNED, State.WAITING_CUSTOMER)
"""States in which people still have work with a request."""


class Conversation(Base):
    """One customer on one channel: what the bot remembers, and who owns it."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("channel", "chat"),
        CheckConstraint("owner IN ('bot', 'agent')", name="owner"),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    channel: Mapped[str]
    chat: Mapped[str]
    # the conversation's id on its channel
    name: Mapped[str | None]
    # the name the messenger shows: no proof of identity
    owner: Mapped[str] = mapped_column(default=Owner.BOT, server_default=Owner.BOT)
    state: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'::jsonb"))
    # flows.ConversationState as JSON
    blocked_at: Mapped[datetime | None]
    # the customer has blocked us since
    created_at: Mapped[datetime]


class Receipt(Base):
    """An update of a messenger that was taken in: the guard against taking it twice."""

    __tablename__ = "receipts"

    channel: Mapped[str] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)


class Message(Base):
    """A line of the transcript, said by anyone; outgoing ones are at the same time the outbox."""

    __tablename__ = "messages"
    __table_args__ = (
        CheckConstraint("sender IN ('customer', 'bot', 'system', 'agent', 'note')", name="sender"),
        CheckConstraint(
            "delivery IS NULL OR delivery IN ('pending', 'sending', 'sent', 'failed', 'refused', 'unknown')",
            name="delivery",
        ),
        CheckConstraint(
            "(sender IN ('bot', 'system', 'agent')) = (delivery IS NOT NULL)", name="delivery_when_outgoing"
        ),
        Index("ix_messages_conversation_id_id", "conversation_id", "id"),
        Index(
            "ix_messages_unread", "conversation_id", "id",
            postgresql_where=sql("sender = 'customer' AND read_at IS NULL"),
        ),
        Index(
            "ix_messages_outbox", "conversation_id", "id", postgresql_where=sql("delivery IN ('pending', 'sending')")
        ),
        Index("ix_messages_conversation_id_message_id", "conversation_id", "message_id"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    sender: Mapped[str]
    at: Mapped[datetime]
    # when it was said, by the messenger's clock or ours
    stored_at: Mapped[datetime] = mapped_column(server_default=sql("now()"))
    # by PostgreSQL's clock
    text: Mapped[str] = mapped_column(default="")
    message_id: Mapped[str | None]
    # the messenger's own id
    attachments: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'::jsonb"))
    # [{kind, name}]
    agent: Mapped[str | None]
    # name of the agent who wrote it
    request_id: Mapped[int | None] = mapped_column(ForeignKey("requests.id"), index=True)
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id"), index=True)

    # of a customer's line
    read_at: Mapped[datetime | None]
    press: Mapped[str | None]
    # value of the button pressed
    stale_press: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    contact: Mapped[str | None]
    # the customer's own number, verified by the messenger, E.164
    edited: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))

    # of an outgoing one
    buttons: Mapped[list[dict[str, Any]]] = mapped_column(default=list, server_default=sql("'[]'::jsonb"))
    # [{title, value}]
    ask_contact: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    rules: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'{}'::text[]"))
    delivery: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    unclear: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    # attempts of which nobody knows whether they sent it
    retry_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None]


class TurnRow(Base):
    """A turn: what was given, what was read, what was decided, by which content and model."""

    __tablename__ = "turns"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    at: Mapped[datetime]
    given: Mapped[dict[str, Any]]
    # the flows.Turn without parse, facts and changes
    parse: Mapped[dict[str, Any] | None]
    facts: Mapped[list[dict[str, Any]]]
    # [{source, args, answer}] and [{act, result}]: what is answered after a change stands behind it
    decision: Mapped[dict[str, Any]]
    rules: Mapped[list[str]]
    pack: Mapped[str]
    # name@version of the content
    model: Mapped[str]
    ms: Mapped[int]
    error: Mapped[str | None]
    # class of what went wrong inside, when something did


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
        Index(
            "uq_requests_one_live_handoff", "conversation_id", unique=True,
            postgresql_where=sql("NOT task AND state IN ('queued', 'assigned', 'waiting_customer', 'solved')"),
        ),
        Index("ix_requests_waiting", "queue", "opened_at", postgresql_where=sql("state = 'queued'")),
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

    conversation: Mapped[Conversation] = relationship(lazy="raise")
    agent: Mapped[Agent | None] = relationship(lazy="raise", foreign_keys=[agent_id])

    @property
    def is_case(self) -> bool:
        """Tell whether it is work for later with a due time."""
        return self.category is not None


class RequestEvent(Base):
    """The timeline of a request: what happened, when, by whom."""

    __tablename__ = "request_events"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str]
    # opened, appended, assigned, replied, noted, declined, transferred, waiting_customer, resumed, solved, reopened …
    agent: Mapped[str | None]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'::jsonb"))


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


class Deed(Base):
    """A change asked of the CRM: once per conversation and key."""

    __tablename__ = "deeds"
    __table_args__ = (UniqueConstraint("conversation_id", "key"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    key: Mapped[str]
    action: Mapped[str]
    args: Mapped[dict[str, Any]]
    result: Mapped[dict[str, Any]]
    rules: Mapped[list[str]]
    at: Mapped[datetime]


class Offset(Base):
    """How far a channel has read: moved only after what was read is stored."""

    __tablename__ = "offsets"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class Label(Base):
    """A customer's message for a trainer to judge, and the judgement."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("turn_id", "reason"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    turn_id: Mapped[int] = mapped_column(ForeignKey("turns.id"))
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"), index=True)
    at: Mapped[datetime]
    reason: Mapped[str]
    # unsure, handoff, corrected
    text: Mapped[str]
    read: Mapped[dict[str, Any] | None]
    # the parse
    hint: Mapped[str | None]
    # the intent that an agent found, when corrected
    intents: Mapped[list[str] | None]
    # the judgement: all intents of the message, in order
    judged_by: Mapped[str | None]
    judged_at: Mapped[datetime | None]
