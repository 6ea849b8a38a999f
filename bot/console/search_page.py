"""Search: live requests and those that are over, by whatever somebody has in hand.

What is looked for never stands in an address: it is often a customer's name or telephone number. It is posted, kept by the
browser in a cookie for this page alone, and so going back to the results works all the same.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from typing import Annotated

import htpy as h
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

import flows
from bot.console import words
from bot.console.parts import Parts, parts_of
from bot.console.queue_page import scope_of
from bot.console.rows import request_row, request_rows
from bot.console.seat import Seat, seat
from bot.console.shell import page
from bot.errors import CrmUnavailable
from bot.listing import MOST, PAGE, Page
from bot.searching import Question, find

log = logging.getLogger(__name__)
Sits = Annotated[Seat, Depends(seat)]
router = APIRouter()
COOKIE = "desk_find"
KEPT_SECONDS = 3600
CRM_SECONDS = 1.5
"""So long is waited for whose telephone number it is; without an answer only our own records are searched."""


@router.post("/search")
async def search(request: Request, who: Sits, q: Annotated[str, Form()] = "") -> Response:
    """Look for something."""
    response = RedirectResponse("/desk/search", 303)
    value = base64.urlsafe_b64encode(Question.of(q).text.encode()).decode()
    response.set_cookie(COOKIE, value, max_age=KEPT_SECONDS, path="/desk/search", httponly=True, samesite="strict")
    return response


@router.get("/search")
async def search_page(request: Request, who: Sits, shown: int = PAGE) -> Response:
    """What is found, or how to search."""
    parts = parts_of(request)
    question = _asked(request)
    limit = max(PAGE, min(shown, MOST))
    found = Page()
    if question.text:
        customers = await _whose(parts, question.phone) if question.phone else ()
        async with parts.sessions() as session:
            found = await find(session, scope_of(who, own=True), question, customers=customers, limit=limit)
    content = _content(who, parts.pack, question, found, limit)
    if request.headers.get("HX-Target") == "search":
        return HTMLResponse(str(content))
    return page(
        who, "Поиск", content, scripts=("queue.js",), styles=("queue.css",), request=request, find=question.text
    )  # fmt: skip


def _asked(request: Request) -> Question:
    try:
        return Question.of(base64.urlsafe_b64decode(request.cookies.get(COOKIE, "")).decode())
    except ValueError:
        return Question.of("")


async def _whose(parts: Parts, phone: str) -> tuple[str, ...]:
    """Whose telephone number the CRM says it is."""
    try:
        async with asyncio.timeout(CRM_SECONDS):
            card = await parts.crm.fetch(flows.Lookup("customer", (("phone", f"+7{phone}"),)))
    except (CrmUnavailable, TimeoutError):
        log.info("search_without_crm")
        return ()
    return (str(card["id"]),) if isinstance(card, dict) and card.get("id") else ()


def _content(who: Seat, pack: flows.Pack, question: Question, found: Page, limit: int) -> h.Element:
    n = len(found.rows)
    many = f"больше {n}" if found.more else str(n)
    told = f"{many} {words.plural(n, 'обращение', 'обращения', 'обращений')}" if n else None
    looked_for = re.findall(r"\w+", question.text)
    return h.div("#search")[
        h.div(".head")[h.h1["Поиск"], h.p(".dim", role="status")[told]],
        request_rows("found", [request_row(pack, row, found=looked_for) for row in found.rows])
        if n
        else _nothing(who, question),
        h.form(
            ".more",
            method="get",
            action="/desk/search",
            hx_get="/desk/search",
            hx_target="#search",
            hx_swap="outerHTML",
        )[
            h.input(type="hidden", name="shown", value=str(min(limit + PAGE, MOST))),
            h.button["Показать ещё"],
        ]
        if found.more and limit < MOST
        else None,
    ]


def _nothing(who: Seat, question: Question) -> h.Element:
    if not question.text:
        return h.div(".empty")[
            h.b["Что ищем?"],
            h.p["Номер обращения (T-1042), номер заказа, телефон в любом виде, имя клиента или слова из переписки."],
            h.p["Слова в кавычках ищутся рядом и по порядку: ", h.q["не пришёл чек"], ". Слово с минусом исключается."],
        ]
    return h.div(".empty")[
        h.b["Ничего не нашлось"],
        h.p[
            "Попробуйте номер заказа, телефон или другое слово из переписки. Видны обращения ваших очередей и ваши собственные."
        ],
    ]
