"""Attachments handed to agents: everything as something to save, pictures and sound also to be looked at on the page.

What is shown on the page is of a kind told by its own bytes, and the browser is told to run nothing of it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.ext.asyncio import AsyncSession

from bot import audit, files, sight
from bot.console import shell
from bot.console.parts import parts_of
from bot.console.seat import Seat, seat
from bot.console.transcript import PICTURE_BYTES, PICTURES, SOUNDS
from bot.errors import FileGone, FileStoreUnavailable, FileUnknown
from bot.models import File
from bot.sentences import sentence

Signed = Annotated[Seat, Depends(seat)]


def routes() -> APIRouter:
    """The routes of attachments."""
    router = APIRouter(prefix="/files/{file_id}")
    router.get("")(save)
    router.get("/picture")(picture)
    router.get("/sound")(sound)
    return router


async def save(request: Request, file_id: int, person: Signed) -> Response:
    """An attachment to be saved, as `files.read` hands it on; it is written down who took it."""
    parts = parts_of(request)
    try:
        async with parts.sessions.begin() as session:
            await _check(session, file_id, person)
            found = await files.read(session, parts.files, file_id)
            file = await session.get_one(File, file_id)
            await audit.note(
                session, at=parts.clock.now(), agent=person.name, action="file_saved", request_id=file.request_id,
                data={"file": file_id}, address=person.address,
            )  # fmt: skip
    except (FileUnknown, FileGone, FileStoreUnavailable) as error:
        return shell.refused(request, person, sentence(error), status=error.status)
    return StreamingResponse(found.pieces, headers=dict(found.headers))


async def picture(request: Request, file_id: int, person: Signed) -> Response:
    """A picture to be looked at; any other file is none."""
    return await _shown(request, file_id, person, PICTURES)


async def sound(request: Request, file_id: int, person: Signed) -> Response:
    """A voice message to be listened to."""
    return await _shown(request, file_id, person, SOUNDS)


async def _shown(request: Request, file_id: int, person: Seat, kinds: tuple[str, ...]) -> Response:
    parts = parts_of(request)
    try:
        async with parts.sessions() as session:
            await _check(session, file_id, person)
            file = await session.get_one(File, file_id)
            if file.mime not in kinds or (file.size or 0) > PICTURE_BYTES:
                return Response(status_code=404)
            found = await files.read(session, parts.files, file_id)
    except (FileUnknown, FileGone, FileStoreUnavailable) as error:
        return Response(status_code=error.status)
    headers = {
        **found.headers,
        "Content-Disposition": f'inline; filename="{found.name}"',
        "Cache-Control": "private, max-age=3600",
    }
    return StreamingResponse(found.pieces, headers=headers)


async def _check(session: AsyncSession, file_id: int, person: Seat) -> None:
    """FileUnknown when there is no such attachment that the person may see."""
    if not 0 < file_id < 1 << 62 or not await sight.sees_file(session, file_id, person.scope):
        raise FileUnknown
