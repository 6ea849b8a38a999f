"""Tables of the talk: conversations, messages, turns, and what turns leave behind.

A message without audience (sender `note`) is internal. Outgoing messages are at the same time the outbox.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


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


class Conversation(Base):
    """One customer on one channel: what the bot remembers, and who owns it."""

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("channel", "chat"),
        CheckConstraint("owner IN ('bot', 'agent')", name="owner"),
        Index("ix_conversations_name", sql("to_tsvector('russian', coalesce(name, ''))"), postgresql_using="gin"),
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
    no_buttons: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # the customer's app shows none: they are sent as a numbered list
    spam_at: Mapped[datetime | None]
    # an agent has marked it as spam: what comes from it opens no request
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
        Index(
            "ix_messages_words", sql("to_tsvector('russian', text)"), postgresql_using="gin",
            postgresql_where=sql("sender IN ('customer', 'agent', 'note') AND press IS NULL"),
        ),  # not the bot's words: it says the same to everybody
        Index(
            "ix_messages_phones", sql("firstline_phones(text, contact)"), postgresql_using="gin",
            postgresql_where=sql("sender = 'customer' AND (text ~ '[0-9]{2}' OR contact IS NOT NULL)"),
        ),  # the last ten digits of each number, however it is written
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
    numbered: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # the buttons were sent as a numbered list: a number alone chooses one
    rules: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'{}'::text[]"))
    delivery: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    unclear: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    # attempts of which nobody knows whether they sent it
    retry_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    # its buttons were taken away from the customer's screen
    error: Mapped[str | None]


class File(Base):
    """An attachment that has bytes, a customer's or an agent's own: where they are kept, or why not. They are never opened here."""

    __tablename__ = "files"
    __table_args__ = (
        UniqueConstraint("message_id", "place"),
        UniqueConstraint("key"),
        CheckConstraint("state IN ('waiting', 'kept', 'refused', 'lost')", name="state"),
        CheckConstraint("(state = 'kept') = (key IS NOT NULL)", name="key_when_kept"),
        Index("ix_files_waiting", "conversation_id", "id", postgresql_where=sql("state = 'waiting'")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    conversation_id: Mapped[int] = mapped_column(ForeignKey("conversations.id"))
    message_id: Mapped[int] = mapped_column(ForeignKey("messages.id"))
    place: Mapped[int]
    # index in the message's attachments
    request_id: Mapped[int | None] = mapped_column(ForeignKey("requests.id"), index=True)
    # the request that it belongs to
    ref: Mapped[str]
    # what the channel fetches it by; empty: an agent's own file, which is sent from the store
    size: Mapped[int | None]
    # bytes: what the messenger said, and when kept, what came
    mime: Mapped[str | None]
    # by its content when kept
    state: Mapped[str] = mapped_column(default="waiting")
    # lost: the messenger no longer has it
    reason: Mapped[str | None]
    # why it is refused or lost
    key: Mapped[str | None]
    # its name in the file store, made by us
    sha256: Mapped[str | None]
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    at: Mapped[datetime]


class Pace(Base):
    """Rates that all processes keep together (GCRA), a row for each: of sending, by messenger and chat (`bot.pace`), of a
    customer's edits and of being told of a flood (`bot.limits`), of guesses at a number (`bot.guesses`)."""

    __tablename__ = "paces"

    key: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    # theoretical arrival time (GCRA)


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
