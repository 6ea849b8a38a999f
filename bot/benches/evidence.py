"""What the database tells after the bench of faults: every line, and what is left to do."""

from __future__ import annotations

import time
from collections.abc import Set
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from bot import database
from bot.benches.ledger import STUCK, Broken


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the transcript as the database has it."""

    id: int
    conversation: int
    channel: str
    chat: int
    sender: str
    text: str
    message_id: str | None
    turn: int | None
    request: int | None
    read: bool
    pressed: bool
    delivery: str | None
    unclear: int
    attempts: int
    stored: float
    # time.monotonic()


_LINES = """
SELECT m.id, c.id AS conversation, c.channel, c.chat::bigint AS chat, m.sender, m.text, m.message_id, m.turn_id AS turn,
       m.request_id AS request, m.read_at IS NOT NULL AS read, m.press IS NOT NULL OR m.stale_press AS pressed, m.delivery,
       m.unclear, m.attempts, extract(epoch FROM m.stored_at)::float8 - %s AS stored
FROM messages m JOIN conversations c ON c.id = m.conversation_id ORDER BY m.id
"""
_UNFINISHED = """
SELECT (SELECT count(*) FROM messages WHERE sender = 'customer' AND read_at IS NULL),
       (SELECT count(*) FROM messages WHERE delivery IN ('pending', 'sending')),
       (SELECT count(*) FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))
"""
_READ = """
SELECT c.channel, c.chat::bigint, m.message_id, m.id FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.sender = 'customer' AND m.read_at IS NOT NULL AND m.press IS NULL AND NOT m.stale_press
"""
_UNSENT = "SELECT count(*) FROM messages WHERE delivery IN ('pending', 'sending') AND id <= %s"


def lines(address: str) -> list[Line]:
    """All lines, in order."""
    with psycopg.connect(database.conninfo(address), row_factory=class_row(Line), connect_timeout=10) as connection:
        return connection.execute(_LINES, (time.time() - time.monotonic(),)).fetchall()


def unfinished(address: str) -> tuple[int, int, int]:
    """How many lines are unread, messages unsent, jobs left."""
    with psycopg.connect(database.conninfo(address), connect_timeout=10) as connection:
        found = connection.execute(_UNFINISHED).fetchone()
    assert found is not None
    return int(found[0]), int(found[1]), int(found[2])


def caught_up(address: str, before: Set[tuple[str, int, str]]) -> bool:
    """Whether these messages are all stored and read, and what was said up to then is sent."""
    with psycopg.connect(database.conninfo(address), connect_timeout=10) as connection:
        found = connection.execute(_READ).fetchall()
        if before - {(channel, chat, message_id) for channel, chat, message_id, _ in found}:
            return False
        newest = max((line for *_, line in found), default=0)
        unsent = connection.execute(_UNSENT, (newest,)).fetchone()
    return unsent is not None and unsent[0] == 0


def stuck(address: str) -> list[Broken]:
    """What is left when all should be done."""
    names = ("customers' lines are unread", "messages are unsent", "jobs are left")
    return [Broken(STUCK, f"{count} {name}") for count, name in zip(unfinished(address), names, strict=True) if count]
