"""What the reply box sends: replies with files, notes, phrases of patience, drafts, and what was not delivered once more.

Each form bears a mark of its own (`nonce`): what is sent twice under the same mark and with the same words is sent once.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.datastructures import FormData, UploadFile

from bot import audit, conversations, desk, dossier, drafts, outgoing_files, repeats, sight
from bot.console import filling, reply_box, shell
from bot.console.parts import Parts, parts_of
from bot.console.seat import Seat, seat
from bot.desk.again import send_again
from bot.errors import FileRefused, FileStoreUnavailable, NotFound, Refused
from bot.models import Conversation
from bot.models import Request as Asked
from bot.outgoing_files import Kept
from bot.sentences import sentence

MOST_FILES = 10
READ = 256 * 1024
Signed = Annotated[Seat, Depends(seat)]


def routes() -> APIRouter:
    """The routes of the reply box."""
    router = APIRouter(prefix="/requests/{number}")
    router.post("/reply")(reply)
    router.post("/hold")(hold)
    router.post("/draft")(draft)
    router.post("/again/{message_id}")(again)
    return router


async def reply(request: Request, number: str, person: Signed) -> Response:
    """Send a reply, or keep a note. Form: text, mode (reply, note), nonce, file (several), anyway (1: though it is known)."""
    parts = parts_of(request)
    async with request.form(max_files=MOST_FILES + 1, max_fields=20) as form:
        text, internal = str(form.get("text") or "").strip().replace("\r\n", "\n"), form.get("mode") == "note"
        uploads = [one for one in form.getlist("file") if isinstance(one, UploadFile) and one.filename]
        asked = await _asked(parts, number, person)
        if asked is None:
            return shell.refused(request, person, "Такого обращения нет.", status=404)
        if not text and not uploads:
            return shell.refused(request, person, "Напишите что-нибудь.", status=422)
        if len(uploads) > MOST_FILES or (internal and uploads):
            told = "К заметке файлы не прикладываются." if internal else f"Не больше {MOST_FILES} файлов за раз."
            return shell.refused(request, person, told, status=422)
        try:
            if not internal and not form.get("anyway"):
                known = await _asked_again(parts, asked, person, text)
                if known and shell.is_htmx(request):
                    return shell.fragments(reply_box.warning(known, text), status=409)
            kept = []
            for one in uploads:
                try:
                    kept.append(await _keep(parts, one))
                except FileRefused as error:
                    told = sentence(error)
                    told = f"«{one.filename}»: {told[0].lower()}{told[1:]}"
                    return shell.refused(request, person, told, status=error.status)
            async with parts.sessions.begin() as session:
                await _once(session, parts, asked, person, text, form, kept, internal=internal)
        except (Refused, NotFound, FileStoreUnavailable) as error:
            return shell.refused(request, person, sentence(error), status=error.status)
    if not shell.is_htmx(request):
        return shell.go(request, reply_box.of_request(asked))
    return shell.fragments(reply_box.nonce(), reply_box.no_warning(), trigger="reply-sent")


async def _asked_again(parts: Parts, asked: Asked, person: Seat, text: str) -> list[tuple[str, str]]:
    """What a reply asks though it is on record (L2-12)."""
    async with parts.sessions() as session:
        conversation = await session.get_one(Conversation, asked.conversation_id)
        found = await repeats.asked_again(session, parts.pack, conversation, asked, text, agent=person.title)
        return repeats.answers(parts.pack, conversation, asked, found)


async def _keep(parts: Parts, upload: UploadFile) -> Kept:
    async def pieces() -> AsyncIterator[bytes]:
        while piece := await upload.read(READ):
            yield piece

    limit = int(parts.settings.file_mb * 1024 * 1024)
    return await outgoing_files.keep(parts.files, upload.filename, pieces(), limit=limit, now=parts.clock.now())


async def _once(
    session: AsyncSession,
    parts: Parts,
    asked: Asked,
    person: Seat,
    text: str,
    form: FormData,
    kept: list[Kept],
    *,
    internal: bool,
) -> None:
    """Do what the form says, unless it was done already."""
    mark = _mark(form, text, *(one.sha256 for one in kept))
    if not await _first(session, asked, mark):
        return
    now = parts.clock.now()
    if internal:
        await desk.note(session, person.name, asked.conversation_id, text, now=now, request_id=asked.id)
    elif not kept:
        await desk.reply(session, parts.desk, person.name, asked.conversation_id, text, now=now, request_id=asked.id)
    for place, one in enumerate(kept):
        caption = "" if place else text
        await outgoing_files.send(
            session, parts.desk, person.name, asked.conversation_id, one, caption=caption, now=now, request_id=asked.id
        )
    await drafts.clear(session, person.id, asked.id)
    data = {"form": mark} | ({"files": len(kept)} if kept else {})
    await _noted(session, parts, asked, person, "note" if internal else "reply", data)


async def hold(request: Request, number: str, person: Signed) -> Response:
    """Send one of the pack's phrases of patience. Form: name, nonce."""
    parts, form = parts_of(request), await request.form()
    name = str(form.get("name") or "")
    asked = await _asked(parts, number, person)
    if asked is None or name not in parts.pack.quick or not parts.pack.quick[name].hold:
        return shell.refused(request, person, "Такой фразы нет.", status=404)
    filled = await filling.fill(parts, asked, agent=person.title)
    texts = next(one.texts for one in filled.phrases if one.name == name)
    try:
        async with parts.sessions.begin() as session:
            if await _first(session, asked, _mark(form, name)):
                text = await _unsaid(session, asked, texts)
                await desk.hold(
                    session,
                    parts.desk,
                    person.name,
                    asked.conversation_id,
                    now=parts.clock.now(),
                    request_id=asked.id,
                    text=text,
                )
                await _noted(session, parts, asked, person, "hold", {"form": _mark(form, name), "phrase": name})
    except (Refused, NotFound) as error:
        return shell.refused(request, person, sentence(error), status=error.status)
    if not shell.is_htmx(request):
        return shell.go(request, reply_box.of_request(asked))
    return shell.fragments(reply_box.nonce(), trigger="hold-sent")


async def _unsaid(session: AsyncSession, asked: Asked, texts: Sequence[str]) -> str:
    """A phrase in words that the customer did not read just now (CX-06)."""
    last = await conversations.last_said(session, asked.conversation_id)
    return next((one for one in texts if last is None or one != last.text), texts[0])


async def draft(request: Request, number: str, person: Signed) -> Response:
    """Keep what is written so far. Form: text, mode."""
    parts, form = parts_of(request), await request.form()
    asked = await _asked(parts, number, person)
    if asked is None:
        return Response(status_code=404)
    async with parts.sessions.begin() as session:
        text = str(form.get("text") or "").replace("\r\n", "\n")
        await drafts.save(
            session, person.id, asked.id, text, internal=form.get("mode") == "note", now=parts.clock.now()
        )
    return Response(status_code=204)


async def again(request: Request, number: str, message_id: int, person: Signed) -> Response:
    """Send once more what was not delivered."""
    parts = parts_of(request)
    asked = await _asked(parts, number, person)
    if asked is None or not 0 < message_id < 1 << 62:
        return shell.refused(request, person, "Такого сообщения нет.", status=404)
    try:
        async with parts.sessions.begin() as session:
            await send_again(
                session,
                parts.desk,
                person.name,
                asked.conversation_id,
                message_id,
                now=parts.clock.now(),
                request_id=asked.id,
            )
            await _noted(session, parts, asked, person, "send_again", {"line": message_id})
    except (Refused, NotFound) as error:
        return shell.refused(request, person, sentence(error), status=error.status)
    if not shell.is_htmx(request):
        return shell.go(request, reply_box.of_request(asked))
    return Response(status_code=204)


# --------------------------------------------------------------------------------------------------------- helpers
async def _asked(parts: Parts, number: str, person: Seat) -> Asked | None:
    async with parts.sessions() as session:
        return await sight.find(session, number, person.scope)


def _mark(form: FormData, *what: str) -> str:
    """The mark under which a form's words are sent once; nothing of the words can be read from it."""
    told = "\n".join((str(form.get("nonce") or ""), *what))
    return hashlib.sha256(told.encode()).hexdigest()[:32]


async def _first(session: AsyncSession, asked: Asked, mark: str) -> bool:
    """Whether a form is not done yet; whoever sends it at the same moment waits for the conversation's lock."""
    await conversations.lock(session, asked.conversation_id)
    return not await dossier.sent_before(session, asked, mark)


async def _noted(
    session: AsyncSession, parts: Parts, asked: Asked, person: Seat, action: str, data: Mapping[str, object]
) -> None:
    await audit.note(
        session,
        at=parts.clock.now(),
        agent=person.name,
        action=action,
        request_id=asked.id,
        data=data,
        address=person.address,
    )
