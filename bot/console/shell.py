"""The frame of the desk's pages: head, navigation, dialogs, messages at the edge; and the answers to htmx.

A page is made by `page`, a changed part by `fragments`. Each fragment is an element with an id: it takes the place of the
element with this id, letter by letter (idiomorph), so that focus, scrolling and half-written text stay.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Literal

import htpy as h
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from markupsafe import Markup

from bot.console.seat import Seat

STATIC = resources.files("bot.console") / "static"
TOAST_COOKIE = "desk_toast"
HTMX = {
    "allowEval": False, "includeIndicatorStyles": False, "defaultSwapStyle": "morph", "historyCacheSize": 0,
    "responseHandling": [{"code": "204", "swap": False}, {"code": "[23]..", "swap": True}, {"code": "[45]..", "swap": True}],
}  # fmt: skip
Kind = Literal["good", "bad", "note"]
NAV: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("queue", "/desk/", "Очередь", ("agent", "supervisor", "admin", "trainer")),
    ("board", "/desk/board", "Смена", ("supervisor", "admin")),
    ("people", "/desk/people", "Люди", ("supervisor", "admin")),
    ("audit", "/desk/audit", "Журнал", ("supervisor", "admin")),
)


@lru_cache
def asset(name: str) -> str:
    """The address of a file of the desk: changes with its content, so that browsers may keep it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/desk/static/{name}?v={digest}"


def page(
    seat: Seat | None,
    title: str,
    *content: h.Node,
    at: str = "",
    live: str | None = None,
    scripts: Sequence[str] = (),
    styles: Sequence[str] = (),
    status: int = 200,
    request: Request | None = None,
    find: str = "",
) -> HTMLResponse:
    """A whole page.

    at: which entry of the navigation it belongs to; live: query of the page's live views ("view=queue&…", see
    `bot.console.live`; the frame's own every page has); scripts, styles: further files of static/; request: brings the message of a redirect
    along; find: what was looked for
    """
    told, kind = told_before(request)
    body = h.html(lang="ru")[
        h.head[
            h.meta(charset="utf-8"),
            h.meta(name="viewport", content="width=device-width, initial-scale=1"),
            h.meta(name="htmx-config", content=json.dumps(HTMX)),
            h.title[f"{title} · Firstline"],
            h.link(rel="icon", href=asset("icon.svg"), type="image/svg+xml"),
            [h.link(rel="stylesheet", href=asset(name)) for name in ("desk.css", *styles)],
            [
                h.script(src=asset(name), defer=True)
                for name in ("theme.js", "htmx.min.js", "idiomorph-ext.min.js", "desk.js", "bell.js", *scripts)
            ],
        ],
        h.body(
            hx_ext="morph",
            hx_headers=json.dumps({"X-Form-Token": seat.form_token}) if seat else None,
            data_live=(f"/desk/live?{live}" if live else "/desk/live") if seat else None,
            data_rights=seat.rights if seat else None,
            data_quiet=seat.quiet if seat else None,
        )[
            h.a(".skip", href="#main")["К содержанию"],
            header(seat, at, find) if seat else None,
            h.main("#main", tabindex="-1")[content],
            h.div("#offline", role="status", hidden=True)["Нет связи с сервером. Восстанавливаем…"],
            h.div("#edge")[
                h.div("#news", role="status", aria_live="polite") if seat else None,
                h.div("#toasts", role="status", aria_live="polite")[
                    toast(told, kind, out_of_band=False) if told else None
                ],
            ],
            h.dialog("#dialog", aria_labelledby="dialog-title")[h.div("#dialog-body")],
            h.dialog("#keys", aria_labelledby="keys-title")[
                h.h2("#keys-title")["Клавиши"],
                h.dl("#keys-list"),
                h.form(method="dialog")[h.button(".plain")["Закрыть"]],
            ],
        ],
    ]
    response = HTMLResponse(str(body), status)
    if told:
        response.delete_cookie(TOAST_COOKIE, path="/desk")
    return response


def header(seat: Seat, at: str, find: str = "") -> h.Element:
    """The top line: where one can go, who one is. find: what was looked for."""
    return h.header("#top")[
        h.a(".brand", href="/desk/", aria_label="Firstline, к очереди")[
            h.img(src=asset("icon.svg"), alt="", width="26", height="26"), h.span["Firstline"]
        ],
        h.nav(aria_label="Разделы")[
            [
                h.a(href=address, aria_current="page" if key == at else None)[
                    name, h.span("#bell", class_="count", hidden=True) if key == "queue" else None
                ]
                for key, address, name, roles in NAV
                if seat.role in roles
            ]
        ],
        h.form(".find", method="post", action="/desk/search", role="search")[
            form_token(seat),  # not in the address: what is looked for is often a customer's name or number
            h.input(
                type="search", name="q", value=find or None, placeholder="Номер, заказ, телефон, имя, слова", aria_label="Поиск обращений",
                data_key="/", data_key_title="Поиск", autocomplete="off", maxlength="200",
            )
        ],
        shift_button(seat) if seat.works else None,
        h.details(".me")[
            h.summary(aria_label=f"{seat.title}: меню")[h.span(".avatar", aria_hidden="true")[initials(seat.title)]],
            h.div[
                h.strong[seat.title],
                h.a(href="/desk/profile")["Профиль и пароль"],
                h.button(".plain", type="button", data_theme_next=True)["Тема: как в системе"],
                h.button(".plain", type="button", data_open="keys", data_key="?", data_key_title="Все клавиши")["Клавиши"],
                h.form(method="post", action="/desk/sign-out")[form_token(seat), h.button(".plain")["Выйти"]],
            ],
        ],
    ]  # fmt: skip


def shift_button(seat: Seat) -> h.Element:
    """Whether one is on shift, and the button that changes it."""
    return h.form("#my-shift", method="post", action="/desk/shift", hx_post="/desk/shift", hx_swap="none")[
        form_token(seat),
        h.input(type="hidden", name="on", value="0" if seat.on_shift else "1"),
        h.button(
            class_="shift on" if seat.on_shift else "shift", aria_pressed=str(seat.on_shift).lower(),
            title="Закончить смену" if seat.on_shift else "Начать смену",
        )["На смене" if seat.on_shift else "Не на смене"],
    ]  # fmt: skip


def form_token(seat: Seat) -> h.VoidElement:
    """The hidden field that each form of the desk has (CSRF)."""
    return h.input(type="hidden", name="form_token", value=seat.form_token)


def initials(title: str) -> str:
    """One or two letters that stand for a person."""
    words = [word for word in title.split() if word[0].isalpha()]
    return "".join(word[0] for word in words[:2]).upper() or "?"


def ago(moment: str, *, late_after: int | None = None) -> h.Element:
    """How long ago an ISO 8601 moment was, kept true by the page itself. late_after: minutes until it is shown as late."""
    return h.time(datetime=moment, data_since=moment, data_late=late_after)


def left(moment: str) -> h.Element:
    """How much time is left until an ISO 8601 moment, or how long it is past."""
    return h.time(datetime=moment, data_until=moment)


# ------------------------------------------------------------------------------------------------------ answers
def is_htmx(request: Request) -> bool:
    """Whether a call comes from htmx and wants parts of a page."""
    return request.headers.get("HX-Request") == "true"


def fragments(*nodes: h.Element, status: int = 200, trigger: str | None = None) -> HTMLResponse:
    """Changed parts of a page, each an element with an id. trigger: events for the page, like "close-dialog"."""
    body = "".join(str(_out_of_band(node)) for node in nodes)
    headers = {"HX-Reswap": "none"} | ({"HX-Trigger": trigger} if trigger else {})
    return HTMLResponse(body, status, headers)


def _out_of_band(node: h.Element) -> Markup:
    """The element with the order that puts it in its place; one that says how stays as it is."""
    text = str(node)
    if "hx-swap-oob" in text[: text.find(">") + 1]:
        return Markup(text)
    at = text.find(" ")
    return Markup(f'{text[:at]} hx-swap-oob="morph"{text[at:]}')


def toast(text: str, kind: Kind = "note", *more: h.Node, out_of_band: bool = True, id: str | None = None) -> h.Element:
    """A message at the edge of the page; it goes by itself unless it is bad. more: a link or a form (undo)."""
    said = h.div(id=id, class_=f"toast {kind}", role="alert" if kind == "bad" else None, data_stays=kind == "bad")[
        h.span[text],
        more,
        h.button(".plain.close", type="button", aria_label="Закрыть", data_dismiss=True)["✕"],
    ]
    return h.div("#toasts", hx_swap_oob="beforeend")[said] if out_of_band else said


def go(request: Request, address: str, *, told: str | None = None, kind: Kind = "good") -> Response:
    """Lead on to another page, with a message that is shown there. `address` is a local path."""
    if is_htmx(request):
        response = Response(status_code=204, headers={"HX-Redirect": address})
    else:
        response = RedirectResponse(address, 303)
    if told:
        value = base64.urlsafe_b64encode(json.dumps([told, kind]).encode()).decode()
        response.set_cookie(TOAST_COOKIE, value, max_age=60, path="/desk", httponly=True, samesite="strict")
    return response


def told_before(request: Request | None) -> tuple[str, Kind]:
    """The message that a redirect brought along."""
    value = request.cookies.get(TOAST_COOKIE) if request is not None else None
    if not value:
        return "", "note"
    try:
        text, kind = json.loads(base64.urlsafe_b64decode(value))
    except ValueError:
        return "", "note"
    return str(text)[:500], kind if kind in ("good", "bad", "note") else "note"


def refused(request: Request, seat: Seat | None, sentence: str, *, status: int = 409) -> Response:
    """Say why something was not done: at the edge of the page, or as a page of its own."""
    if is_htmx(request):
        return fragments(toast(sentence, "bad"), status=status)
    return page(
        seat, "Не получилось", h.h1["Не получилось"], h.p[sentence], h.p[h.a(href="/desk/")["К очереди"]], status=status
    )
