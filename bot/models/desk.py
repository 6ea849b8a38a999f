"""Tables of the desk: who is signed in, what was done, what is about to be done, and what outside systems are told."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class SignIn(Base):
    """A session of a person at the desk. The cookie's value itself is kept nowhere, only its digest."""

    __tablename__ = "sign_ins"

    digest: Mapped[str] = mapped_column(primary_key=True)
    # SHA-256 of the cookie's value, hexadecimal
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"), index=True)
    form_token: Mapped[str]
    # what each form has to bring along (CSRF)
    at: Mapped[datetime]
    seen_at: Mapped[datetime]
    # the last page that was asked for
    ends_at: Mapped[datetime]
    # signed out, disabled, or too long without a page


class Audit(Base):
    """What people at the desk did, and what was refused to them. Rows are only ever added."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_at", "at"),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    at: Mapped[datetime]
    agent: Mapped[str | None]
    # name; None: nobody was signed in
    action: Mapped[str]
    # signed_in, sign_in_refused, take, reply, transfer, …
    request_id: Mapped[int | None] = mapped_column(ForeignKey("requests.id"), index=True)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'::jsonb"))
    # never the customer's words
    address: Mapped[str | None]
    # the browser's network address


class Draft(Base):
    """What an agent has begun to write in a request and not sent."""

    __tablename__ = "drafts"

    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"), primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    text: Mapped[str]
    internal: Mapped[bool] = mapped_column(default=False)
    # a note for colleagues
    at: Mapped[datetime]


class Planned(Base):
    """An agent's action that is done in a few seconds unless it is undone; or what became of a request without them."""

    __tablename__ = "planned"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'done', 'undone', 'refused', 'told')", name="state"),
        Index("uq_planned_one_per_request", "request_id", unique=True, postgresql_where=sql("state = 'planned'")),
        Index("ix_planned_due", "due", postgresql_where=sql("state = 'planned'")),
    )

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id"))
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"), index=True)
    action: Mapped[str]
    # name of a function of `bot.desk`
    args: Mapped[dict[str, Any]]
    last_id: Mapped[int] = mapped_column(default=0, server_default=sql("0"))
    # the customer's newest line at that moment: what comes later the agent has not seen
    at: Mapped[datetime]
    due: Mapped[datetime]
    state: Mapped[str] = mapped_column(default="planned")
    why: Mapped[str | None]
    # a sentence for the agent: why it was refused when its time came, or what they are told
    seen: Mapped[bool] = mapped_column(default=False)
    # the agent has been shown how it ended


class ForumTopic(Base):
    """The topic of a request in a Telegram forum group where agents work."""

    __tablename__ = "forum_topics"
    __table_args__ = (UniqueConstraint("chat", "thread"),)

    request_id: Mapped[int] = mapped_column(ForeignKey("requests.id"), primary_key=True)
    chat: Mapped[str] = mapped_column(primary_key=True)
    # the group
    thread: Mapped[str | None]
    # Telegram's message_thread_id; None: to be made (again)
    card: Mapped[str | None]
    # the pinned message with the summary …
    card_text: Mapped[str | None]
    # … and a digest of what it says
    pinned: Mapped[bool] = mapped_column(default=False)
    title: Mapped[str | None]
    # what the topic is called now
    shown_id: Mapped[int] = mapped_column(default=0)
    # up to this line of the transcript all stands in the topic …
    lines: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=sql("'{}'::jsonb"))
    # … and of these, which are new or on their way, what is known: see `bot.forum.shown`
    shown_event: Mapped[int] = mapped_column(default=0)
    # the last event of the request that stands in it
    shown_file: Mapped[int] = mapped_column(default=0)
    # the last attachment that was sent to it
    closed: Mapped[bool] = mapped_column(default=False)
    unclear: Mapped[int] = mapped_column(default=0)
    # calls in a row of which nobody knows whether they were carried out
    retry_at: Mapped[datetime | None]


class ForumUpdate(Base):
    """What somebody wrote or pressed in a Telegram forum group of the desk: stored once, obeyed once, answered once."""

    __tablename__ = "forum_updates"
    __table_args__ = (
        Index("ix_forum_updates_waiting", "chat", "id", postgresql_where=sql("done_at IS NULL")),
        Index(
            "ix_forum_updates_unanswered", "chat", "id",
            postgresql_where=sql("answer IS NOT NULL AND answered_at IS NULL"),
        ),
        Index("ix_forum_updates_chat_thread", "chat", "thread"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    chat: Mapped[str]
    # the group
    thread: Mapped[str | None]
    # the topic; None: the group's general one
    author: Mapped[str | None]
    # Telegram's id of the person; None: somebody who writes in the group's name
    message_id: Mapped[str | None]
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    # text, press, query, edited, attachments; empty once it was obeyed
    done_at: Mapped[datetime | None]
    lines: Mapped[list[str]] = mapped_column(default=list, server_default=sql("'{}'::text[]"))
    # ids of the transcript's lines that it became
    unknown: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # its author is nobody we know
    answer: Mapped[str | None]
    # what its author is told
    answered_at: Mapped[datetime | None]


class Hook(Base):
    """An event of a request for an outside system: stored with what it tells, sent until it is taken."""

    __tablename__ = "hooks"
    __table_args__ = (Index("ix_hooks_waiting", "id", postgresql_where=sql("sent_at IS NULL AND given_up_at IS NULL")),)

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    # the receiver knows a repeated one by it
    event: Mapped[str]
    request_id: Mapped[int | None] = mapped_column(ForeignKey("requests.id"), index=True)
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    retry_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    error: Mapped[str | None]


class ApiKey(Base):
    """What an outside system signs in with. The key itself is kept nowhere, only its digest."""

    __tablename__ = "api_keys"

    name: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(unique=True)
    agent_id: Mapped[int] = mapped_column(ForeignKey("agents.id"))
    # in whose name it works
    phones: Mapped[bool] = mapped_column(default=False, server_default=sql("false"))
    # it is told customers' numbers in full
    at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]


class ApiCall(Base):
    """The answer to a call that may be repeated: the same key is answered the same, and nothing is done twice."""

    __tablename__ = "api_calls"

    api_key: Mapped[str] = mapped_column(ForeignKey("api_keys.name"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    # the caller's Idempotency-Key
    digest: Mapped[str]
    # of method, path and body: another call under the same key is refused
    status: Mapped[int]
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(index=True)
