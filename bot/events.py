"""What happened, told to whoever listens, only after it is stored.

Code that changes something calls `tell(session, …)`; the event goes out after the commit, in order, and never if the
transaction is rolled back. Listeners are `chat --json` and the live desk. An event is a dict near the output lines of
`chat --json`, with `event`, and as far as they apply `channel`, `chat`, `request`, `agent`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event as sqlalchemy_event
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker
from sqlalchemy.orm import Session

Event = dict[str, Any]
Listener = Callable[[Event], None]

_KEY = "firstline_events"


def tell(session: AsyncSession, event: str, **fields: Any) -> None:
    """Note that something happened in this transaction."""
    session.sync_session.info.setdefault(_KEY, []).append({"event": event, **fields})


def mark(session: AsyncSession) -> int:
    """A point to which `forget_since` can go back (before a savepoint)."""
    return len(session.sync_session.info.get(_KEY, ()))


def forget_since(session: AsyncSession, point: int) -> None:
    """Forget what was noted after a point: its savepoint was rolled back."""
    del session.sync_session.info.get(_KEY, [])[point:]


def listen(sessions: async_sessionmaker[AsyncSession], listener: Listener) -> Callable[[], None]:
    """Call the listener with each event of a factory's sessions, after its commit. Returns what ends it."""
    target = sessions.kw["sync_session_class"]

    def after_commit(session: Session) -> None:
        if not session.in_nested_transaction():
            for told in session.info.pop(_KEY, ()):
                listener(told)

    def after_rollback(session: Session) -> None:
        if not session.in_nested_transaction():
            session.info.pop(_KEY, None)

    sqlalchemy_event.listen(target, "after_commit", after_commit)
    sqlalchemy_event.listen(target, "after_rollback", after_rollback)

    def stop() -> None:
        sqlalchemy_event.remove(target, "after_commit", after_commit)
        sqlalchemy_event.remove(target, "after_rollback", after_rollback)

    return stop
