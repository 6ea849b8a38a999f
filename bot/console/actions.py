"""What agents do with a request: the buttons, and the dialogs in which an action asks for more.

POST /desk/requests/{number}/{action}   does it, or plans it for as long as it can be undone (`bot.planned`)
GET  /desk/requests/{number}/dialog/{action}   its form: a part for the page's <dialog>, or a page of its own
POST /desk/next   takes the next request of one's queues
Each action leaves a row in the audit, a refused one too.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

import htpy as h
from fastapi import APIRouter, Depends, Response
from fastapi import Request as Call
from fastapi.responses import HTMLResponse
from sqlalchemy.ext.asyncio import AsyncSession

from bot import audit, desk, planned, sight
from bot.console import news as edge
from bot.console.fields import FieldWrong, Filled
from bot.console.forms import FORMS, SAME, Around, Form, named, wrong
from bot.console.parts import Parts, parts_of
from bot.console.seat import Seat, allowed
from bot.console.shell import form_token, fragments, go, is_htmx, page, refused, toast
from bot.desk import news
from bot.errors import FirstlineError, NothingToTake, RequestUnknown
from bot.models import Request
from bot.sentences import sentence

Worker = Annotated[Seat, Depends(allowed("agent", "supervisor", "admin"))]
"""Who may do something with requests: trainers only read."""
KEPT = ("queue", "to", "resolution", "category", "priority", "other", "until", "due", "at")
"""Arguments of actions that the audit keeps: names and times, never words or numbers of customers."""
router = APIRouter()


# ------------------------------------------------------------------------------------------------------------- taking
@router.post("/next")
async def take_next(call: Call, seat: Worker) -> Response:
    """Take the next request of one's queues and go to it."""
    parts = parts_of(call)
    try:
        async with parts.sessions.begin() as session:
            now = parts.clock.now()
            taken = await desk.take(session, parts.desk, seat.name, now=now)
            await _note(session, seat, "take", taken.id, now, {"next": True})
            number = taken.number
    except NothingToTake as error:
        return fragments(toast(sentence(error), "note")) if is_htmx(call) else refused(call, seat, sentence(error))
    except FirstlineError as error:
        return await _refuse(call, seat, "take", None, error)
    return go(call, _address(number))


@router.post("/requests/{number}/take")
async def take(call: Call, number: str, seat: Worker) -> Response:
    """Take this request."""

    async def do(session: AsyncSession, parts: Parts, request: Request, now: datetime) -> None:
        await desk.take(
            session, parts.desk, seat.name, now=now, conversation_id=request.conversation_id, request_id=request.id
        )

    return await _at_once(call, seat, number, "take", do, "Обращение у вас.", lead=True)


@router.post("/requests/{number}/resume")
async def resume(call: Call, number: str, seat: Worker) -> Response:
    """Go on with a request that waits for the customer."""

    async def do(session: AsyncSession, parts: Parts, request: Request, now: datetime) -> None:
        await desk.resume(session, parts.desk, seat.name, request.conversation_id, now=now, request_id=request.id)

    return await _at_once(call, seat, number, "resume", do, "Обращение снова в работе.")


@router.post("/requests/{number}/not-spam")
async def not_spam(call: Call, number: str, seat: Worker) -> Response:
    """Take the mark of spam back (supervisors)."""

    async def do(session: AsyncSession, parts: Parts, request: Request, now: datetime) -> None:
        await desk.not_spam(session, parts.desk, seat.name, request.conversation_id, now=now)

    return await _at_once(call, seat, number, "not_spam", do, "Отметка снята.")


@router.post("/requests/{number}/undo")
async def undo(call: Call, number: str, seat: Worker) -> Response:
    """Let the action that is about to be done be none."""

    async def do(session: AsyncSession, parts: Parts, request: Request, now: datetime) -> None:
        await planned.undo(session, seat.id, request.id)

    return await _at_once(call, seat, number, "undo", do, "Отменено.")


@router.post("/news/{news_id}/seen")
async def seen(call: Call, news_id: int, seat: Worker) -> Response:
    """The person has read what they were told."""
    parts = parts_of(call)
    async with parts.sessions.begin() as session:
        await news.mark_seen(session, seat.id, news_id)
    if not is_htmx(call):
        return go(call, "/desk/")
    async with parts.sessions() as session:
        return fragments(await edge.fragment(session, seat))


async def _request(session: AsyncSession, number: str, seat: Seat) -> Request:
    """The request of a number. RequestUnknown when there is none that the person may see."""
    found = await sight.find(session, number, seat.scope)
    if found is None:
        raise RequestUnknown
    return found


Do = Callable[[AsyncSession, Parts, Request, datetime], Awaitable[None]]


async def _at_once(
    call: Call, seat: Seat, number: str, action: str, do: Do, said: str, *, lead: bool = False
) -> Response:
    """Do something that needs no dialog and no time for undoing."""
    parts, request_id = parts_of(call), None
    try:
        async with parts.sessions.begin() as session:
            request, now = await _request(session, number, seat), parts.clock.now()
            request_id = request.id
            await do(session, parts, request, now)
            await _note(session, seat, action, request_id, now, {})
    except FirstlineError as error:
        return await _refuse(call, seat, action, request_id, error)
    return await _done(call, seat, number, said, lead=lead, trigger=None)


# ------------------------------------------------------------------------------------------------------------ dialogs
@router.get("/requests/{number}/dialog/{action}")
async def dialog(call: Call, number: str, action: str, seat: Worker) -> Response:
    """The form of an action."""
    form, parts = named(action), parts_of(call)
    if form is None:
        return refused(call, seat, "Такого действия нет.", status=404)
    try:
        async with parts.sessions() as session:
            request = await _request(session, number, seat)
            around = Around(
                session=session,
                parts=parts,
                person=seat,
                request=request,
                now=parts.clock.now(),
                in_dialog=is_htmx(call),
            )
            drawn = await _draw(around, form, SAME.get(action, action), Filled())
    except FirstlineError as error:
        return refused(call, seat, sentence(error), status=error.status)
    return _show(call, seat, form, drawn, 200)


def _doing(name: str, form: Form) -> Callable[..., Awaitable[Response]]:
    """The route of a form's action."""

    async def act(call: Call, number: str, seat: Worker) -> Response:
        return await _act(call, number, name, form, seat)

    return act


for _name, _form in FORMS.items():
    for _address_name in (_name, *(other for other, same in SAME.items() if same == _name)):
        router.post(f"/requests/{{number}}/{_address_name}")(_doing(_name, _form))


async def _act(call: Call, number: str, action: str, form: Form, seat: Seat) -> Response:
    """Do what a dialog asks for, or plan it for as long as it can be undone. What is wrong is said at its field."""
    parts, request_id = parts_of(call), None
    async with call.form() as sent:
        given = {key: value.replace("\r\n", "\n") for key, value in sent.items() if isinstance(value, str)}
    try:
        async with parts.sessions.begin() as session:
            request, now = await _request(session, number, seat), parts.clock.now()
            request_id = request.id
            around = Around(session=session, parts=parts, person=seat, request=request, now=now)
            args = await form.read(around, given)
            await _do(around, form.action, args)
    except (FirstlineError, FieldWrong) as error:
        return await _again(call, seat, form, number, action, given, request_id, error)
    said = "" if form.action in planned.ACTIONS and parts.settings.undo_seconds else f"{form.title}: готово."
    return await _done(call, seat, number, said)


async def _do(around: Around, action: str, args: dict[str, Any]) -> None:
    request, parts, seat, now = around.request, around.parts, around.person, around.now
    request_id, data = request.id, {key: str(args[key]) for key in KEPT if args.get(key)}
    if action in planned.ACTIONS:
        undo = timedelta(seconds=parts.settings.undo_seconds)
        await planned.plan(around.session, parts.desk, seat.name, action, request, now=now, undo=undo, **args)
    else:
        await desk.step_in(
            around.session, parts.desk, seat.name, request.conversation_id, now=now, request_id=request_id
        )
    await _note(around.session, seat, action, request_id, now, data)


async def _again(
    call: Call,
    seat: Seat,
    form: Form,
    number: str,
    action: str,
    given: Mapping[str, str],
    request_id: int | None,
    error: FirstlineError | FieldWrong,
) -> Response:
    """The form once more, with what was entered and what is wrong with it."""
    parts = parts_of(call)
    if isinstance(error, FieldWrong):
        field, said, status = error.field, error.sentence, 422
    else:
        (field, said), status = wrong(error), error.status
        await _note_refused(parts, seat, form.action, request_id, error)
    async with parts.sessions() as session:
        request = await _request(session, number, seat) if request_id is not None else None
        if request is None:
            return refused(call, seat, said, status=status)
        around = Around(
            session=session, parts=parts, person=seat, request=request, now=parts.clock.now(), in_dialog=is_htmx(call)
        )
        drawn = await _draw(around, form, action, Filled(values={"sent": "1", **given}, errors={field: said}))
    return _show(call, seat, form, drawn, status)


async def _draw(around: Around, form: Form, action: str, filled: Filled) -> h.Element:
    """A form as it is shown."""
    address, general = f"{_address(around.request.number)}/{action}", filled.errors.get("")
    fields = await form.fields(around, filled)
    inside = {"hx_post": address, "hx_target": "#dialog-body", "hx_swap": "innerHTML", "hx_disabled_elt": "find .send"}
    return h.form(
        ".form", method="post", action=address, novalidate=True, **(inside if around.in_dialog else {})
    )[
        form_token(around.person),
        (h.h2 if around.in_dialog else h.h1)("#dialog-title")[form.title, " ", h.span(".dim")[around.request.number]],
        h.p(".field-error", role="alert")[general] if general else None,
        fields,
        h.div(".actions")[
            h.button(".plain", type="button", data_close=True)["Не сейчас"]
            if around.in_dialog
            else h.a(".button.plain", href=_address(around.request.number))["Не сейчас"],
            h.button(class_="send danger" if form.danger else "send primary")[form.button],
        ],
    ]  # fmt: skip


def _show(call: Call, seat: Seat, form: Form, drawn: h.Element, status: int) -> Response:
    """A form in the page's dialog, or on a page of its own."""
    if is_htmx(call):
        return HTMLResponse(str(drawn), status)
    return page(seat, form.title, h.div(".card.narrow")[drawn], status=status)


# ------------------------------------------------------------------------------------------------------------ answers
async def _done(
    call: Call, seat: Seat, number: str, said: str, *, lead: bool = False, trigger: str | None = "close-dialog"
) -> Response:
    """After an action: the page shows by itself what has changed. lead: from elsewhere go to the request."""
    address = _address(number)
    elsewhere = urlsplit(call.headers.get("HX-Current-URL", "")).path != address
    if not is_htmx(call) or (lead and elsewhere):
        return go(call, address, told=said or None)
    async with parts_of(call).sessions() as session:
        shown = await edge.fragment(session, seat)
    return fragments(shown, *([toast(said, "good")] if said else []), trigger=trigger)


async def _refuse(call: Call, seat: Seat, action: str, request_id: int | None, error: FirstlineError) -> Response:
    await _note_refused(parts_of(call), seat, action, request_id, error)
    return refused(call, seat, sentence(error), status=error.status)


async def _note_refused(parts: Parts, seat: Seat, action: str, request_id: int | None, error: FirstlineError) -> None:
    async with parts.sessions.begin() as session:
        await _note(session, seat, action, request_id, parts.clock.now(), {"refused": type(error).__name__})


async def _note(
    session: AsyncSession, seat: Seat, action: str, request_id: int | None, now: datetime, data: Mapping[str, Any]
) -> None:
    await audit.note(
        session, at=now, agent=seat.name, action=action, request_id=request_id, data=data, address=seat.address
    )


def _address(number: str) -> str:
    return f"/desk/requests/{number}"
