"""Fetching attachments from the messenger into the file store: within limits, again when it fails, and told when it is no use.

A fetch holds no transaction. Should two processes fetch the same file, or one be killed on the way, the row settles it: the
first to write it keeps its bytes, what else was stored is deleted, at the latest by `bot.tidying`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, files, metrics, requests
from bot.channels import Channel
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import (
    ChannelStopped,
    DayFull,
    FileRefused,
    FileStoreUnavailable,
    FileTooBig,
    Rejected,
    RetryLater,
)
from bot.file_kinds import Kind
from bot.file_store import FileStore, new_key
from bot.files import DAY, FileState, Reason
from bot.jobs import FILES
from bot.models import Conversation, File, Message, Request
from bot.timeline import Desk, log_event, tell_customer, tell_of

log = logging.getLogger(__name__)

MEGABYTE = 1024 * 1024
PIECE_TIMEOUT = 60.0
"""Seconds without a byte from the messenger; channels have shorter ones of their own."""
FETCH_TIMEOUT = 600.0
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0
"""Seconds before a fetch that failed is tried again: each pause three times the last."""
ATTEMPTS = 100
"""With these pauses about a day: no link of a messenger lives longer."""
STORE_PAUSE = timedelta(seconds=30)
TOGETHER = timedelta(minutes=5)
"""Of files that were sent within this time and fail for the same reason the customer is told once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What is kept at the most, in bytes, and for how long."""

    file: int
    day: int
    # of one customer
    keep: timedelta = timedelta(days=180)

    @classmethod
    def of(cls, *, file_mb: float, day_mb: float, days: int = 180) -> Limits:
        """The limits as settings tell them."""
        return cls(file=int(file_mb * MEGABYTE), day=int(day_mb * MEGABYTE), keep=timedelta(days=days))


@dataclass(kw_only=True)
class Files:
    """What work with attachments needs: made once a process."""

    sessions: Sessions
    channels: Mapping[str, Channel]
    desk: Desk
    clock: Clock
    store: FileStore
    limits: Limits
    tidied: float = field(default=-math.inf, init=False)
    # when this process last tidied up, by its own clock

    def __post_init__(self) -> None:
        """Let the pack's words name the limit that holds here (its setting `file_mb`)."""
        megabytes = round(self.limits.file / MEGABYTE, 1)
        told = {"file_mb": int(megabytes) if megabytes.is_integer() else megabytes}
        self.desk = replace(self.desk, pack=self.desk.pack.with_settings(told))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file that is to be fetched now."""

    id: int
    channel: str
    ref: str
    name: str | None
    size: int | None
    # as the messenger says
    room: int
    # bytes that may still be kept of the customer's today
    day: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """A file whose bytes are in the store."""

    key: str
    size: int
    mime: str
    sha256: str


async def fetch(work: Files, conversation_id: int) -> int:
    """Fetch what waits in a conversation, in order; return the number of files that were kept. Twice does no harm."""
    kept, tried = 0, None
    while True:
        async with work.sessions.begin() as session:
            if tried is not None:
                kept += await _settle(session, work, conversation_id, *tried)
            wanted = await _next(session, work, conversation_id)
        if tried is not None and isinstance(tried[1], Brought):
            await _forget_unused(work, tried[0], tried[1])
        if wanted is None:
            return kept
        tried = (wanted.id, await _bring(work, wanted))


async def _next(session: AsyncSession, work: Files, conversation_id: int) -> Wanted | None:
    """The next file whose time has come; for later ones the job comes again."""
    await session.flush()
    rows, now = await files.waiting(session, conversation_id), work.clock.now()
    due = [row for row in rows if row.retry_at is None or row.retry_at <= now]
    if not due:
        if rows:
            soonest = min(row.retry_at for row in rows if row.retry_at is not None)
            await work.desk.jobs.add(session, FILES, conversation_id, delay=(soonest - now).total_seconds())
        return None
    file = due[0]
    conversation = await session.get_one(Conversation, conversation_id)
    line = await session.get_one(Message, file.message_id)
    used = await files.kept_bytes(session, conversation_id, since=now - DAY)
    return Wanted(
        id=file.id, channel=conversation.channel, ref=file.ref, name=line.attachments[file.place].get("name"),
        size=file.size, room=work.limits.day - used, day=now,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- the fetch
async def _bring(work: Files, wanted: Wanted) -> Brought | Exception:
    """Stream a file from the messenger into the store, or say what was wrong."""
    stream = _Stream(wanted, limit=work.limits.file)
    key = new_key(wanted.id, wanted.day.date())
    try:
        stream.check(wanted.size or 0)
        channel = work.channels.get(wanted.channel)
        if channel is None:
            raise RetryLater("the channel is not set up", after=60.0)
        await work.store.put(key, stream.through(channel.fetch(wanted.ref)))
        return Brought(key=key, size=stream.size, mime=stream.mime, sha256=stream.digest.hexdigest())
    except Exception as error:
        return stream.failed or error


class _Stream:
    """Counts, hashes and judges the bytes of one file while they pass."""

    def __init__(self, wanted: Wanted, *, limit: int) -> None:
        self.size, self.mime, self.digest = 0, "", hashlib.sha256()
        self.failed: Exception | None = None
        # what stopped it, other than the store
        self._kind, self._limit, self._room = Kind(wanted.name), limit, wanted.room

    def check(self, size: int) -> None:
        """Refuse a size beyond the limits."""
        if size > self._limit:
            raise FileTooBig
        if size > self._room:
            raise DayFull

    async def through(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The pieces as they come. Raises FileRefused as soon as the file is too large or of a kind that is not taken."""
        until = time.monotonic() + FETCH_TIMEOUT
        try:
            while True:
                async with asyncio.timeout(min(PIECE_TIMEOUT, until - time.monotonic())):
                    piece = await anext(pieces, None)
                if piece is None:
                    break
                self.size += len(piece)
                self.check(self.size)
                self.digest.update(piece)
                self._kind.feed(piece)
                yield piece
            self.mime = self._kind.finish()
        except Exception as error:
            self.failed = error
            raise
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()


# ------------------------------------------------------------------------------------------------- what came of it
async def _settle(
    session: AsyncSession, work: Files, conversation_id: int, file_id: int, outcome: Brought | Exception
) -> bool:
    """Write down how a fetch ended, and tell the customer when the file is not kept; True when it is."""
    conversation = await conversations.lock(session, conversation_id)
    file = await session.get(File, file_id, with_for_update=True, populate_existing=True)
    if conversation is None or file is None or file.state != FileState.WAITING:
        return False  # another process was faster
    now = work.clock.now()
    match outcome:
        case Brought():
            file.state, file.key, file.sha256 = FileState.KEPT, outcome.key, outcome.sha256
            file.size, file.mime, file.retry_at = outcome.size, outcome.mime, None
            metrics.FILES.labels(conversation.channel, file.state).inc()
            log.info("file_kept", extra={"file": file_id, "bytes": outcome.size, "mime": outcome.mime})
            tell_of(session, conversation, "file", message=file.message_id, file=file_id, state=file.state)
            return True
        case FileRefused():
            await _not_kept(session, work, conversation, file, FileState.REFUSED, Reason(outcome.reason), now)
        case Rejected():
            await _not_kept(session, work, conversation, file, FileState.LOST, Reason.GONE, now)
        case FileStoreUnavailable():  # not the messenger's fault: its link may live on
            log.error("file_store_down", extra={"file": file_id, "error": str(outcome)})
            file.retry_at = now + STORE_PAUSE
        case _:
            file.attempts += 1
            log.warning("file_not_fetched", extra={"file": file_id, "error": type(outcome).__name__})
            if file.attempts >= ATTEMPTS:
                await _not_kept(session, work, conversation, file, FileState.LOST, Reason.GONE, now)
            else:
                file.retry_at = now + pause(file.attempts, outcome)
    return False


def pause(attempts: int, error: Exception) -> timedelta:
    """How long to wait after so many failures; the messenger may ask for longer."""
    usual = min(FIRST_PAUSE * 3.0 ** min(attempts - 1, 10), LONGEST_PAUSE)
    asked = error.after if isinstance(error, RetryLater) else 60.0 if isinstance(error, ChannelStopped) else 0.0
    return timedelta(seconds=max(usual, asked))


async def _not_kept(
    session: AsyncSession,
    work: Files,
    conversation: Conversation,
    file: File,
    state: FileState,
    reason: Reason,
    now: datetime,
) -> None:
    """Give a file up: the customer hears of it once and what to do, the agent finds it in the request (CX-14)."""
    told = await _told(session, file, reason)
    file.state, file.reason, file.retry_at = state, reason, None
    metrics.FILES.labels(conversation.channel, state).inc()
    log.info("file_not_kept", extra={"file": file.id, "why": reason})
    request = await _request(session, file, now)
    if request is not None:
        file.request_id = request.id
        data = {"file": file.id, "message": file.message_id, "reason": reason}
        await log_event(session, request, f"file_{state}", now, data=data)
    tell_of(session, conversation, "file", message=file.message_id, file=file.id, state=state, reason=reason)
    if not told:
        nothing = flows.OpenRequest(number="", state="", queue="")  # it is about the file alone
        phrase = _notices(work)[reason]
        await tell_customer(
            session, work.desk, conversation, phrase, nothing, now=now, request_id=file.request_id
        )  # fmt: skip


async def _request(session: AsyncSession, file: File, now: datetime) -> Request | None:
    """The request that a file belongs to; one that is not read yet, to the one that is there."""
    if file.request_id is not None:
        return await session.get(Request, file.request_id)
    live = await requests.live(session, file.conversation_id, now=now)
    return live.talking or live.waiting


async def _told(session: AsyncSession, file: File, reason: Reason) -> bool:
    """Whether the customer knows already, of another file that was sent together with this one."""
    near = select(Message.id).where(
        Message.conversation_id == file.conversation_id, Message.attachments != [],
        Message.at.between(file.at - TOGETHER, file.at + TOGETHER),
    )  # fmt: skip
    other = select(func.count()).where(File.message_id.in_(near), File.id != file.id, File.reason == reason)
    return bool(await session.scalar(other))


def _notices(work: Files) -> Mapping[Reason, str]:
    notices = work.desk.pack.manifest.notices
    return {
        Reason.KIND: notices.file_kind, Reason.TOO_BIG: notices.file_too_big, Reason.DAY_FULL: notices.file_day_full,
        Reason.GONE: notices.file_lost,
    }  # fmt: skip


async def _forget_unused(work: Files, file_id: int, outcome: Brought) -> None:
    """Delete the bytes of a fetch that another process has outrun. Only now: what was committed is certain."""
    async with work.sessions() as session:
        used = await session.scalar(select(File.key).where(File.id == file_id))
    if used != outcome.key:
        with contextlib.suppress(FileStoreUnavailable):  # `tidying` finds it
            await work.store.delete([outcome.key])
