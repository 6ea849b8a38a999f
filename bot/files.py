"""Attachments: a row for each, from the moment the customer sends it to the end of the time it is kept (CX-14).

What the bytes are and where they lie is settled by `bot.fetching`; here is what belongs to which request, and how agents
get at it. A file is only ever handed on as something to save: no part of Firstline opens it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from sqlalchemy import func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.sql import Select

from bot.channels import Incoming, Kind, Media
from bot.errors import FileGone, FileUnknown
from bot.file_kinds import extension
from bot.file_store import FileStore
from bot.jobs import FILES, Jobs
from bot.models import File, Message, Request

NOT_KEPT = ("sticker",)
"""Kinds of attachments that say nothing about the matter."""
OURS = ""
"""`ref` of an agent's own file: no messenger has it, it is sent from the store."""
DAY = timedelta(days=1)


class FileState(StrEnum):
    """Where an attachment stands."""

    WAITING = "waiting"
    KEPT = "kept"
    REFUSED = "refused"
    # it is not taken: see its reason
    LOST = "lost"
    # the messenger no longer has it, or the time for keeping it is over


class Reason(StrEnum):
    """Why an attachment is not kept."""

    KIND = "kind"
    TOO_BIG = "too_big"
    DAY_FULL = "day_full"
    GONE = "gone"
    # the messenger does not give it out
    OLD = "old"
    # it was kept as long as the settings say


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """An attachment as the desk shows it."""

    id: int
    message_id: int
    at: datetime
    kind: str
    # photo, voice, video, file
    name: str | None
    # what the sender calls it: to be read, never a path
    state: FileState
    reason: Reason | None
    size: int | None
    # bytes
    mime: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """An attachment on its way to an agent's computer."""

    mime: str
    name: str
    # made by us
    size: int
    headers: Mapping[str, str]
    # that an HTTP answer needs, so that no browser shows or runs it
    pieces: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSend:
    """An agent's own file that a message brings to the customer."""

    name: str
    kind: Literal["photo", "file"]
    mime: str
    key: str | None
    # None: it is no longer kept


# ------------------------------------------------------------------------------------------------------- receiving
async def note(session: AsyncSession, jobs: Jobs, line: Message, incoming: Incoming) -> int:
    """Note what a new line has attached, and add the job that fetches it, in the same transaction; return the number.

    An edited line brings its attachments again: those are known.
    """
    fetched = await _new(session, line, incoming)
    for place, one, ref in fetched:
        session.add(
            File(
                conversation_id=line.conversation_id, message_id=line.id, place=place, ref=ref, size=one.size,
                mime=one.mime, state=FileState.WAITING, at=incoming.at,
            )
        )  # fmt: skip
    if fetched:
        await jobs.add(session, FILES, line.conversation_id)
    return len(fetched)


async def brings_new(session: AsyncSession, line: Message, incoming: Incoming) -> bool:
    """Whether an edit brings a file that no earlier version of the line had."""
    return bool(await _new(session, line, incoming))


async def _new(session: AsyncSession, line: Message, incoming: Incoming) -> list[tuple[int, Media, str]]:
    """What is to be fetched of an update: the place among its attachments, and the messenger's name of each."""
    fetched = [
        (place, one, one.ref)
        for place, one in enumerate(incoming.attachments)
        if one.ref is not None and one.kind not in NOT_KEPT
    ]
    if not fetched or incoming.kind is not Kind.EDIT:
        return fetched
    versions = (
        select(File.ref)
        .join(Message, Message.id == File.message_id)
        .where(Message.conversation_id == line.conversation_id, Message.message_id == line.message_id)
    )
    known = {_lasting(ref) for ref in await session.scalars(versions)}
    return [one for one in fetched if _lasting(one[2]) not in known]


def _lasting(ref: str) -> str:
    """What stays of a messenger's name of a file: an address may be signed anew each time it is told."""
    return ref.partition("?")[0]


# ------------------------------------------------------------------------------------------------ whose request it is
async def gather(session: AsyncSession, request: Request) -> None:
    """Let a new request have the files that were sent since the last one was ended, and belong to none."""
    ended = select(func.max(func.coalesce(Request.solved_at, Request.ended_at))).where(
        Request.conversation_id == request.conversation_id, Request.id != request.id, ~Request.task
    )
    since = await session.scalar(ended)
    ours = _lines_with_files(request.conversation_id)
    free = update(File).where(File.message_id.in_(ours), File.request_id.is_(None))
    await session.execute((free.where(File.at > since) if since else free).values(request_id=request.id))


async def link(session: AsyncSession, lines: Sequence[Message], request_id: int) -> None:
    """Let the files of lines belong to a request."""
    with_files = [line.id for line in lines if line.attachments]
    if with_files:
        await session.execute(update(File).where(File.message_id.in_(with_files)).values(request_id=request_id))


def _lines_with_files(conversation_id: int) -> Select[int]:
    return select(Message.id).where(Message.conversation_id == conversation_id, Message.attachments != [])


# ---------------------------------------------------------------------------------------------------------- fetching
async def not_kept(session: AsyncSession, lines: Sequence[Message]) -> set[tuple[int, int]]:
    """Which attachments of lines are known not to be kept: the line's id, and the place in its list."""
    with_files = [line.id for line in lines if line.attachments]
    if not with_files:
        return set()
    found = await session.execute(
        select(File.message_id, File.place).where(File.message_id.in_(with_files), File.reason.is_not(None))
    )
    return {(message_id, place) for message_id, place in found.all()}


async def waiting(session: AsyncSession, conversation_id: int) -> list[File]:
    """The files of a conversation that are to be fetched, in order."""
    found = await session.scalars(
        select(File)
        .where(File.conversation_id == conversation_id, File.state == FileState.WAITING)
        .order_by(File.id)
        .execution_options(populate_existing=True)
    )
    return list(found)


async def kept_bytes(session: AsyncSession, conversation_id: int, *, since: datetime) -> int:
    """Bytes that are kept of what a customer has sent since a moment."""
    total = select(func.coalesce(func.sum(File.size), 0)).where(
        File.message_id.in_(_lines_with_files(conversation_id)), File.state == FileState.KEPT, File.at > since,
        File.ref != OURS,
    )  # fmt: skip
    return int((await session.execute(total)).scalar_one() or 0)


async def recover(session: AsyncSession, jobs: Jobs, *, now: datetime, after: timedelta = timedelta(seconds=30)) -> int:
    """Add jobs for files that have waited for a while: a job may have been lost, the rows are not.

    Returns the number of jobs added. A job that waits already is not added twice.
    """
    left = (
        select(File.conversation_id)
        .join(Message, Message.id == File.message_id)
        .where(
            File.state == FileState.WAITING,
            or_(File.retry_at < now, File.retry_at.is_(None) & (Message.stored_at < func.now() - after)),
        )
    )
    added = 0
    for conversation_id in (await session.scalars(left.distinct().order_by(File.conversation_id))).all():
        added += await jobs.add(session, FILES, conversation_id)
    return added


# ---------------------------------------------------------------------------------------------------------- sending
async def to_send(session: AsyncSession, message: Message) -> ToSend | None:
    """The agent's own file that goes out with a message."""
    file = await session.scalar(select(File).where(File.message_id == message.id, File.ref == OURS))
    if file is None:
        return None
    shown = message.attachments[file.place]
    return ToSend(
        name=shown.get("name") or f"file.{extension(file.mime)}", kind="photo" if shown["kind"] == "photo" else "file",
        mime=file.mime or "application/octet-stream", key=file.key,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------- for the desk
async def of_request(session: AsyncSession, request_id: int) -> list[Attached]:
    """What belongs to a request, in order."""
    found = await session.execute(_with_lines().where(File.request_id == request_id))
    return [_attached(file, line) for file, line in found.all()]


async def of_messages(session: AsyncSession, message_ids: Sequence[int]) -> dict[int, list[Attached]]:
    """What hangs on lines of a transcript, by the line's id."""
    found = await session.execute(_with_lines().where(File.message_id.in_(message_ids)))
    hanging: dict[int, list[Attached]] = {}
    for file, line in found.all():
        hanging.setdefault(line.id, []).append(_attached(file, line))
    return hanging


async def read(session: AsyncSession, store: FileStore, file_id: int) -> Download:
    """Open an attachment to hand it to an agent. FileUnknown, FileGone when there are no bytes, FileStoreUnavailable."""
    file = await session.get(File, file_id)
    if file is None:
        raise FileUnknown
    if file.key is None or file.mime is None or file.size is None:
        raise FileGone
    name = f"attachment-{file.id}.{extension(file.mime)}"
    headers = {
        "Content-Type": file.mime,
        "Content-Length": str(file.size),
        "Content-Disposition": f'attachment; filename="{name}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, no-store",
    }
    pieces = await store.get(file.key)
    return Download(mime=file.mime, name=name, size=file.size, headers=headers, pieces=pieces)


def _with_lines() -> Select[File, Message]:
    return select(File, Message).join(Message, Message.id == File.message_id).order_by(File.message_id, File.place)


def _attached(file: File, line: Message) -> Attached:
    shown = line.attachments[file.place] if file.place < len(line.attachments) else {}
    return Attached(
        id=file.id, message_id=line.id, at=file.at, kind=shown.get("kind", "file"), name=shown.get("name"),
        state=FileState(file.state), reason=Reason(file.reason) if file.reason else None, size=file.size, mime=file.mime,
    )  # fmt: skip
