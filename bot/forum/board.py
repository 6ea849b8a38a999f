"""Brings the topics of the groups up to what the store says: one process at a time for each group, at Telegram's pace.

A look reads what a topic lacks (`bot.forum.topics`), makes one call, and writes down that it was made. Between the call and
that lies the only moment in which a process that dies leaves something to be said twice. Nothing is kept in memory but which
requests to look at; the database's changes (`bot.live`) say when, and a look at all of them comes every now and then.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from psycopg import Error as PsycopgError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import pace, signs
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import (
    CardGone,
    ChannelStopped,
    FileStoreUnavailable,
    GroupRefused,
    Rejected,
    RetryLater,
    TopicClosed,
    TopicGone,
)
from bot.file_store import FileStore
from bot.forum import topics
from bot.forum.api import Api
from bot.forum.calls import RANKS, Next, Pace, Show, Step
from bot.forum.commands import MENU
from bot.forum.groups import Group
from bot.leader import Leader
from bot.live import Change, Listener, Live
from bot.models import ForumTopic, ForumUpdate
from bot.signs import DESK

log = logging.getLogger(__name__)

LOOK_SECONDS = 20.0
"""After so long all topics are looked at, whatever was told."""
REFUSED_SECONDS = 60.0
"""A group in which the bot may not work is tried again after so long, or when its rights there change."""
STORE_SECONDS = 1.0
MOST_UNCLEAR = 2
"""So often is a call made at most of which nobody says whether it was carried out."""
UNCLEAR_SECONDS = 3.0
END_SECONDS = 12.0
"""So long may the call in hand take when the process is stopped; it is cut off before, by its own limit."""
LATER = timedelta(minutes=10)
"""A topic whose call Telegram refuses for a reason of its own is left alone for so long."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much goes into one group."""

    a_minute: int = 20
    # messages (new and changed), and apart from them topics made, named, opened and closed

    def pace(self) -> pace.Limits:
        """As a pace: in no minute more than that, a fifth of it at once."""
        burst = max(1, self.a_minute // 5)
        every = 60 / max(1, self.a_minute - burst)
        return pace.Limits(seconds=0.0, burst=1, chat_seconds=every, chat_burst=burst)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forum:
    """The desk groups of one process."""

    address: str
    sessions: Sessions
    pack: flows.Pack
    clock: Clock
    api: Api
    groups: Mapping[str, Group]
    store: FileStore
    limits: Limits = field(default_factory=Limits)
    refused_seconds: float = REFUSED_SECONDS

    async def run(self) -> None:
        """Keep the topics until cancelled, as far as this process leads."""
        async with Live(self.address) as live, asyncio.TaskGroup() as tasks:
            for group in self.groups.values():
                leader = Leader(self.address, f"{DESK}:{self.api.bot}:{group.chat}")
                tasks.create_task(leader.run(Board(self, group, live).run))


class Board:
    """One group, in the process that leads it."""

    def __init__(self, forum: Forum, group: Group, live: Live) -> None:
        self._forum, self._group, self._live = forum, group, live
        self._show = Show(pack=forum.pack, store=forum.store, now=forum.clock.now, sessions=forum.sessions)
        self._todo: dict[int, Next] = {}
        # the next call for each request that lacks something
        self._answer: ForumUpdate | None = None
        self._answer_tries = 0
        self._free: dict[Pace, float] = {}
        # when Telegram's pace lets the next call go, by the event loop's clock
        self._look_at = 0.0
        # when all topics are looked at next, by the same clock

    async def run(self) -> None:
        """Work until cancelled. What fails is tried again: the store and Telegram come back."""
        while True:
            try:
                with self._live.listening() as listener:
                    await self._work(listener)
            except GroupRefused as refused:
                self._refused(str(refused), refused=True)
                await self._wait_for_rights()
            except ChannelStopped as stopped:
                self._refused(str(stopped), refused=True)
                await asyncio.sleep(self._forum.refused_seconds)
            except (SQLAlchemyError, PsycopgError, OSError) as error:
                log.warning("forum_without_store", extra={"group": self._group.chat, "error": type(error).__name__})
                await asyncio.sleep(STORE_SECONDS)
            except Exception:
                log.exception("forum_failed", extra={"group": self._group.chat})
                await asyncio.sleep(self._forum.refused_seconds)

    def _refused(self, why: str, *, refused: bool = False) -> None:
        log.error("forum_refused", extra={"group": self._group.chat, "why": why})
        signs.bad(DESK, self._group.chat, why, refused=refused)

    async def _wait_for_rights(self) -> None:
        """Wait until what the bot may do in a group has changed, or for a while."""

        async def changed() -> None:
            async for changes in self._live.changes():
                if any(one.kind in ("forum", "everything") for one in changes):
                    return

        with suppress(TimeoutError):
            async with asyncio.timeout(self._forum.refused_seconds):
                await changed()

    async def _enter(self) -> None:
        """See whether the bot may work here at all, and show agents the commands."""
        chat = self._group.chat
        try:
            rights = await self._forum.api.rights(chat)
            if rights.lacks:
                raise GroupRefused("; ".join(rights.lacks))
            await self._forum.api.menu(chat, MENU)
        except (GroupRefused, ChannelStopped):
            raise
        except Exception as error:  # to be asked is no condition for working
            log.warning("forum_not_asked", extra={"group": chat, "error": type(error).__name__})
        else:
            signs.good(DESK, chat)

    async def _work(self, listener: Listener) -> None:
        loop = asyncio.get_running_loop()
        await self._enter()
        self._look_at = 0.0
        news = asyncio.create_task(listener.read())
        try:
            while True:
                changes = news.result() if news.done() else []
                if news.done():
                    news = asyncio.create_task(listener.read())
                await self._look(changes)
                wait = await _to_its_end(self._next())
                if wait > 0:
                    left = self._look_at - loop.time()
                    await asyncio.wait({news}, timeout=max(0.0, min(wait, left)))
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)

    # ------------------------------------------------------------------------------------------------------- looking
    async def _look(self, changes: list[Change]) -> None:
        """Read what the topics lack that may have changed."""
        now = asyncio.get_running_loop().time()
        everything = now >= self._look_at or any(one.kind == "everything" for one in changes)
        async with self._forum.sessions.begin() as session:
            if everything:
                self._look_at, self._todo = now + LOOK_SECONDS, {}
                wanted = await topics.concerned(session, self._group)
            else:
                talks = [one.conversation for one in changes if one.conversation is not None]
                wanted = await topics.concerned(session, self._group, talks) if talks else []
            for request in wanted:
                await self._plan(session, request)
            if everything or any(one.kind == "forum" for one in changes):
                self._answer = await topics.unanswered(session, self._group.chat)

    async def _plan(self, session: AsyncSession, request: int) -> None:
        found = await topics.plan(session, self._show, self._group, request)
        if found is None:
            self._todo.pop(request, None)
        else:
            self._todo[request] = found

    # ------------------------------------------------------------------------------------------------------- calling
    async def _next(self) -> float:
        """Make the most urgent call that Telegram's pace lets go; return the seconds until there may be another, 0: now."""
        loop = asyncio.get_running_loop()
        waiting = sorted(self._todo.values(), key=lambda one: (RANKS[one.step], one.order))
        if self._answer is not None and await self._turn(Pace.MESSAGES) <= 0:
            await self._give_answer(self._answer)
            return 0.0
        for one in waiting:
            if await self._turn(one.pace) <= 0:
                await self._make(one)
                return 0.0
        kinds = {one.pace for one in waiting} | ({Pace.MESSAGES} if self._answer is not None else set())
        times = [self._free.get(kind, 0.0) - loop.time() for kind in kinds]
        return max(0.01, min(times)) if times else LOOK_SECONDS

    async def _turn(self, kind: Pace) -> float:
        """Take a turn under Telegram's pace; the seconds to wait for one, 0 when it is taken."""
        loop = asyncio.get_running_loop()
        if kind is Pace.NONE:
            return 0.0
        if (left := self._free.get(kind, 0.0) - loop.time()) > 0:
            return left
        async with self._forum.sessions.begin() as session:
            wait = await pace.take(session, self._forum.limits.pace(), f"{DESK}:{kind}", self._group.chat, short=0.0)
        self._free[kind] = loop.time() + wait
        return wait

    async def _make(self, one: Next) -> None:
        """Make a call and write down what came of it."""
        chat = self._group.chat
        result: str | None = None
        then: Callable[[ForumTopic], None] | None = None
        try:
            result = await one.call(self._forum.api)
        except RetryLater as error:
            await self._hold(one.pace, error.after)
            return
        except GroupRefused as error:
            if one.step is not Step.PIN:
                raise
            log.warning("forum_card_not_pinned", extra={"group": chat, "why": str(error)})  # it works without
        except ChannelStopped:
            raise
        except TopicGone:
            log.info("forum_topic_gone", extra={"group": chat, "request": one.request})
            then = topics.gone
        except TopicClosed:
            then = _closed_by_hand
        except CardGone:
            then = _card_gone
        except (Rejected, FileStoreUnavailable) as error:
            log.error(
                "forum_call_rejected",
                extra={"group": chat, "request": one.request, "step": one.step, "why": str(error)},
            )
            then = None if one.step in (Step.LINES, Step.FILE, Step.REACT, Step.PIN) else self._later
        except Exception as error:
            log.warning(
                "forum_call_unclear", extra={"group": chat, "request": one.request, "error": type(error).__name__}
            )
            await self._unclear(one)
            return
        else:
            signs.good(DESK, chat)
        await self._write_down(one, result, then)

    async def _write_down(self, one: Next, result: str | None, then: Callable[[ForumTopic], None] | None) -> None:
        now = self._forum.clock.now()

        async def write() -> None:
            async with self._forum.sessions.begin() as session:
                key = (one.request, self._group.chat)
                topic = await session.get(ForumTopic, key, with_for_update=True, populate_existing=True)
                if topic is None:
                    topic = ForumTopic(request_id=one.request, chat=self._group.chat, lines={})
                    session.add(topic)
                    await session.flush()
                topic.unclear, topic.retry_at = 0, None
                if then is not None:
                    then(topic)
                else:
                    one.keep(topic, result, now)
                await session.flush()
                await self._plan(session, one.request)

        await _insist(write)

    async def _unclear(self, one: Next) -> None:
        """Nobody knows whether it was carried out: once more after a while, and then take it as done.

        A topic cannot be taken as made, for its number is not known: it is made again, later and later.
        """
        async with self._forum.sessions.begin() as session:
            topic = await session.get(ForumTopic, (one.request, self._group.chat), with_for_update=True)
            if topic is None:
                topic = ForumTopic(request_id=one.request, chat=self._group.chat, lines={})
                session.add(topic)
                await session.flush()
            topic.unclear += 1
            now = self._forum.clock.now()
            if topic.unclear >= MOST_UNCLEAR and one.step not in (Step.CREATE, Step.CARD):
                topic.unclear, topic.retry_at = 0, None
                one.keep(topic, None, now)
            else:
                pause = min(UNCLEAR_SECONDS * 2 ** (topic.unclear - 1), 600)
                topic.retry_at = now + timedelta(seconds=pause)
                self._look_at = min(self._look_at, asyncio.get_running_loop().time() + pause + 0.1)
            await session.flush()
            await self._plan(session, one.request)

    def _later(self, topic: ForumTopic) -> None:
        topic.retry_at = self._forum.clock.now() + LATER

    async def _hold(self, kind: Pace, seconds: float) -> None:
        """Telegram asks to wait: the group gets nothing for so long."""
        log.warning("forum_asked_to_wait", extra={"group": self._group.chat, "seconds": seconds})
        loop = asyncio.get_running_loop()
        async with self._forum.sessions.begin() as session:
            for one in (Pace.MESSAGES, Pace.TOPICS):
                await pace.hold_chat(session, self._forum.limits.pace(), f"{DESK}:{one}", self._group.chat, seconds)
                self._free[one] = loop.time() + seconds

    async def _give_answer(self, update: ForumUpdate) -> None:
        """Tell an agent what came of what they wrote; at most twice, when nobody says whether it was told."""
        assert update.answer is not None
        try:
            await self._forum.api.send(
                update.chat, update.thread, update.answer, reply_to=update.message_id, quiet=True
            )
        except RetryLater as error:
            await self._hold(Pace.MESSAGES, error.after)
            return
        except (GroupRefused, ChannelStopped):
            raise
        except (TopicGone, TopicClosed, CardGone, Rejected) as error:
            log.info("forum_answer_left_out", extra={"group": update.chat, "error": type(error).__name__})
        except Exception as error:
            log.warning("forum_call_unclear", extra={"group": update.chat, "error": type(error).__name__})
            self._answer_tries += 1
            if self._answer_tries < MOST_UNCLEAR:
                await asyncio.sleep(UNCLEAR_SECONDS)
                return
        self._answer_tries = 0

        async def write() -> None:
            async with self._forum.sessions.begin() as session:
                row = await session.get_one(ForumUpdate, update.id)
                row.answered_at = self._forum.clock.now()
                await session.flush()
                self._answer = await topics.unanswered(session, self._group.chat)

        await _insist(write)


def _closed_by_hand(topic: ForumTopic) -> None:
    topic.closed = True


def _card_gone(topic: ForumTopic) -> None:
    topic.card = topic.card_text = None
    topic.pinned = False


async def _to_its_end(work: Coroutine[Any, Any, float]) -> float:
    """Do something that is not to be cut off: when the process is stopped, a call is ended and written down first."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=END_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        raise


async def _insist(write: Callable[[], Awaitable[None]]) -> None:
    """Write down what was done, when the store can be reached again: what came of a call is not lost with a connection."""
    while True:
        try:
            await write()
            return
        except (SQLAlchemyError, OSError) as error:
            log.warning("forum_without_store", extra={"error": type(error).__name__})
            await asyncio.sleep(STORE_SECONDS)
