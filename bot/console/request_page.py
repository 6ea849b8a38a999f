"""The page of one request: the card, the talk as it grows, and the box in which the agent writes."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

import htpy as h
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from bot import audit, desk, dossier, drafts, sight
from bot.attention import agent_writes
from bot.console import action_bar, card, filling, numbers, orders, reply_box, shell, transcript
from bot.console.live import VIEWS, NotTheirs, View
from bot.console.parts import Parts, parts_of
from bot.console.seat import Seat, seat
from bot.desk import news
from bot.dossier import Dossier
from bot.errors import CrmUnavailable, Refused
from bot.live import Change
from bot.models import Agent
from bot.models import Request as Asked

TYPING_SECONDS = 7
"""How long a customer who types is shown to do so; the messenger says it anew while they go on."""
Signed = Annotated[Seat, Depends(seat)]


def pages() -> APIRouter:
    """The page, and the parts of it that are asked for later."""
    router = APIRouter(prefix="/requests/{number}")
    router.get("")(request_page)
    router.get("/older")(older_lines)
    router.get("/orders")(orders_now)
    router.get("/quick")(quick_phrases)
    router.post("/phone")(phone_in_full)
    return router


# -------------------------------------------------------------------------------------------------------- the page
async def request_page(request: Request, number: str, person: Signed) -> Response:
    """The page of a request. Whoever has it has read it by that: the card stands above the reply box (L2-10)."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        asked = await sight.find(session, number, person.scope)
        if asked is None:
            return shell.page(
                person, "Обращения нет", h.h1["Такого обращения нет"], h.p["Проверьте номер: он выглядит как T-1001."],
                h.p[h.a(href="/desk/")["К очереди"]], status=404,
            )  # fmt: skip
        await _read(session, asked, person)
        await news.mark_read(session, person.id, asked.id)
        await audit.note(
            session, at=parts.clock.now(), agent=person.name, action="open", request_id=asked.id, address=person.address
        )
    async with parts.sessions() as session:
        shown = await _shown(session, parts, number, person)
        assert shown is not None
        stream = await dossier.stream(session, shown.file.request)
        draft = await drafts.find(session, person.id, shown.file.request.id)
        before = await dossier.earlier(session, shown.file.request)
        linked = await sight.among(session, before, person.scope)
        looks = await shown.looks(session, parts, stream)
    file, allowed, now = shown.file, shown.allowed, parts.clock.now()
    name = file.request.number
    return shell.page(
        person,
        f"{name} {action_bar.customer_name(file)}",
        h.div(".request-top")[shown.head(parts), shown.bar()],
        h.div(".request")[
            h.div(".side")[
                h.details(".fold", open=True)[h.summary["Сводка"], card.card(file, parts.pack, now)],
                h.details(".fold", open=True, data_phone_closed=True)[
                    h.summary["Заказы и клиент"],
                    orders.place(file.request),
                    card.customer(file, parts.pack, now),
                    card.earlier(before, linked, parts.pack, now),
                ],
            ],
            h.section(".talk", aria_label="Переписка")[
                h.div("#lines", tabindex="0", role="log", aria_label="Сообщения")[
                    _older(name, stream), transcript.pieces(stream, looks), typing(file, None)
                ],
                reply_box.box(file, allowed, person, parts.pack, draft),
            ],
        ],
        at="queue",
        live=f"view=request&number={name}&since={stream.first or 0}",
        scripts=["request.js"],
        styles=["request.css"],
        request=request,
    )


async def _read(session: AsyncSession, asked: Asked, person: Seat) -> None:
    if asked.agent_id == person.id and asked.read_by != person.id and person.on_shift:
        try:
            await desk.read(session, person.name, asked.conversation_id, request_id=asked.id)
        except Refused:
            return  # it has just changed hands: the page says so


def typing(file: Dossier, since: float | None) -> h.Element:
    """Whether the customer types; the page takes it away by itself after a while."""
    if since is None:
        return h.p("#typing")
    told = f"{action_bar.customer_name(file)} печатает…"
    return h.p("#typing.dim", data_seconds=str(TYPING_SECONDS), data_since_typing=f"{since:.1f}")[told]


def _older(number: str, stream: dossier.Stream) -> h.Element:
    if not stream.older:
        return h.div("#older")
    address = f"/desk/requests/{number}/older?before={stream.first}"
    return h.div("#older")[
        h.button(type="button", hx_get=address, hx_target="#older", hx_swap="outerHTML")["Показать раньше"]
    ]


class Shown:
    """A request as one person sees it now."""

    def __init__(self, file: Dossier, person: Agent, allowed: action_bar.Can) -> None:
        self.file, self.person, self.allowed = file, person, allowed

    def head(self, parts: Parts) -> h.Element:
        """The head of the page."""
        return action_bar.head(self.file, self.allowed, self.person, parts.pack, parts.clock.now())

    def bar(self) -> h.Element:
        """The buttons."""
        return action_bar.bar(self.file, self.allowed, self.person)

    async def looks(self, session: AsyncSession, parts: Parts, stream: dossier.Stream) -> transcript.Looks:
        """What the lines look like."""
        return transcript.Looks(
            pack=parts.pack, now=parts.clock.now(), number=self.file.request.number,
            customer=action_bar.customer_name(self.file), titles=await dossier.titles(session, stream.items),
            may_send=self.allowed.mine and self.allowed.answer, phones=self.person.works,
        )  # fmt: skip


async def _shown(session: AsyncSession, parts: Parts, number: str, seat: Seat) -> Shown | None:
    """The request as somebody sees it; None when there is none, or none that they may see by what they are now."""
    person = await session.get(Agent, seat.id)
    if person is None:
        return None
    asked = await sight.find(session, number, sight.scope_of(person.role, person.queues, person.id))
    if asked is None:
        return None
    file = await dossier.of(session, asked)
    return Shown(file, person, action_bar.can(file, person, parts.clock.now()))


# ------------------------------------------------------------------------------------------------------------ live
class RequestView(View):
    """What changes by itself on the page: head, buttons, card, the pieces of the talk, and whether one may write."""

    def __init__(self, parts: Parts, number: str, person: Seat, since: int, ids: tuple[int, int]) -> None:
        self.key: Hashable = ("request", number, person.id, since)
        self._parts, self._number, self._person, self._since = parts, number, person, since
        self._request, self._conversation = ids
        self._typing: float | None = None

    def concerns(self, change: Change) -> bool:
        """Changes of the request, its talk, whoever has it and whoever looks at it."""
        if change.kind == "typing" and change.conversation == self._conversation:
            self._typing = time.monotonic()
            return True
        if change.kind == "message" and change.conversation == self._conversation:
            self._typing = None
            return True
        if change.kind in ("request", "planned"):
            return self._request == change.request or self._conversation == change.conversation
        return change.kind == "agent" and change.agent == self._person.id

    async def fragments(self) -> Sequence[h.Element]:
        """The parts as they are now."""
        parts = self._parts
        async with parts.sessions() as session:
            shown = await _shown(session, parts, self._number, self._person)
            if shown is None:
                raise NotTheirs
            stream = await dossier.stream(session, shown.file.request, since=self._since)
            looks = await shown.looks(session, parts, stream)
        return [
            *transcript.pieces(stream, looks),
            typing(shown.file, self._typing),
            shown.head(parts),
            shown.bar(),
            card.card(shown.file, parts.pack, parts.clock.now()),
            reply_box.state(shown.allowed),
            reply_box.clock(shown.file, shown.allowed),
        ]

    async def hear(self, said: Mapping[str, Any]) -> None:
        """The page says {typing: true} while a reply is written: the customer's messenger shows it."""
        if said.get("typing") is True:
            parts = self._parts
            await agent_writes(parts.sessions, parts.attention, self._person.name, self._conversation)


async def view(parts: Parts, person: Seat, query: Mapping[str, str]) -> RequestView | None:
    """The live view of a request's page; `since` is the first line that the page shows."""
    async with parts.sessions() as session:
        asked = await sight.find(session, query.get("number", ""), person.scope)
    since = query.get("since", "")
    if asked is None or not since.isdecimal() or len(since) > 18:
        return None
    return RequestView(parts, asked.number, person, int(since), (asked.id, asked.conversation_id))


VIEWS["request"] = view


# ----------------------------------------------------------------------------------------------------- asked for later
async def older_lines(
    request: Request, number: str, person: Signed, before: Annotated[int, Query(ge=1, lt=1 << 62)]
) -> Response:
    """The lines before those that are shown, with the button for still older ones."""
    parts = parts_of(request)
    async with parts.sessions() as session:
        shown = await _shown(session, parts, number, person)
        if shown is None:
            return Response(status_code=404)
        stream = await dossier.stream(session, shown.file.request, before=before)
        looks = await shown.looks(session, parts, stream)
    return HTMLResponse(str(_older(number, stream)) + str(transcript.earlier(stream, looks)))


async def orders_now(request: Request, number: str, person: Signed) -> Response:
    """The customer's orders as the CRM tells them now."""
    parts = parts_of(request)
    async with parts.sessions() as session:
        shown = await _shown(session, parts, number, person)
    if shown is None:
        return Response(status_code=404)
    asked = shown.file.request
    try:
        known = await orders.ask(parts.crm, asked, shown.file.conversation, seconds=parts.settings.crm_timeout)
    except CrmUnavailable:
        return shell.fragments(orders.away(asked))
    return shell.fragments(orders.drawn(known, asked, parts.pack, parts.clock.now()))


async def quick_phrases(request: Request, number: str, person: Signed) -> Response:
    """The quick phrases, filled: [{name, title, words, text, missing, fits, hold}]."""
    parts = parts_of(request)
    async with parts.sessions() as session:
        shown = await _shown(session, parts, number, person)
        if shown is None:
            return Response(status_code=404)
    filled = await filling.fill(parts, shown.file.request, agent=shown.person.title)
    told = [
        {
            "name": one.name, "title": one.title, "words": list(one.words), "text": one.texts[0] if one.texts else None,
            "missing": list(one.missing), "fits": one.fits,
        }
        for one in filled.phrases
        if not one.hold
    ]  # fmt: skip
    return JSONResponse(told, headers={"Cache-Control": "no-store"})


async def phone_in_full(request: Request, number: str, person: Signed) -> Response:
    """The customer's number in full, for whoever asks; it is written down who did (ruling 31)."""
    parts = parts_of(request)
    if not person.works:
        return shell.refused(request, person, "Номера клиентов видят специалисты.", status=403)
    async with parts.sessions.begin() as session:
        shown = await _shown(session, parts, number, person)
        if shown is None:
            return Response(status_code=404)
        asked = shown.file.request
        await audit.note(
            session,
            at=parts.clock.now(),
            agent=person.name,
            action="phone_shown",
            request_id=asked.id,
            address=person.address,
        )
    found = [one.number for one in await numbers.known(parts, asked, linked=True)]
    if shell.is_htmx(request):
        return shell.fragments(card.phone(asked, found))
    told = ", ".join(found) or "Номера в карточке нет"
    return shell.page(person, "Телефон", h.h1[f"Телефон клиента, {asked.number}"], h.p[told], h.p[
        h.a(href=reply_box.of_request(asked))["К обращению"]
    ])  # fmt: skip
