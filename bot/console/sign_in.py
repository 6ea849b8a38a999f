"""Coming in and going out: the sign-in, a password of one's own, the profile, signing out."""

from __future__ import annotations

import math
from typing import Annotated

import htpy as h
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from bot import passwords, sign_ins, staff
from bot.agents import get
from bot.console import oidc, seat, shell, words
from bot.console.parts import Parts, parts_of
from bot.console.seat import SIGN_IN, Seat
from bot.errors import PasswordRefused, SignInHeldUp, SignInRefused
from bot.sentences import sentence

router = APIRouter()
ROLES = {"agent": "специалист", "trainer": "тренер", "supervisor": "старший смены", "admin": "администратор"}
"""What roles are called on pages."""
STYLES = ("people.css",)
AGAIN = "Пароли не совпали. Введите новый ещё раз."
SHORT = Form(max_length=passwords.LONGEST + 200)
Here = Annotated[Seat, Depends(seat.seat)]
Anyone = Annotated[Seat, Depends(seat.anyone)]


# ---------------------------------------------------------------------------------------------------- in and out
@router.get("/sign-in")
async def sign_in_page(request: Request, next: str = "", why: str = "") -> Response:
    """The form of name and password, and the way to the company's own sign-in."""
    if await seat.whose(request) is not None:
        return RedirectResponse(seat.local(next), 303)
    return _sign_in(request, next=next, wrong=oidc.SENTENCES.get(why, ""))


@router.post("/sign-in")
async def sign_in(
    request: Request,
    name: Annotated[str, SHORT] = "",
    password: Annotated[str, SHORT] = "",
    next: Annotated[str, Form()] = "",
) -> Response:
    """Let somebody in, or say in one sentence that name and password do not fit."""
    seat.check_origin(request)
    parts = parts_of(request)
    try:
        came = await sign_ins.enter(
            parts.sessions, name=name, password=password, address=seat.address_of(request), now=parts.clock.now(),
            idle=seat.idle(parts.settings),
        )  # fmt: skip
    except SignInRefused as refused:
        return _sign_in(request, name=name, next=next, wrong=sentence(refused), status=401)
    except SignInHeldUp as held:
        answer = _sign_in(request, name=name, next=next, wrong=too_many(held.after), status=429)
        answer.headers["Retry-After"] = str(math.ceil(held.after))
        return answer
    return await welcome(request, came, next=next)


async def welcome(request: Request, came: sign_ins.Came, *, next: str) -> Response:
    """Lead somebody who has just signed in to the page they wanted. What they were signed in as before is over."""
    parts = parts_of(request)
    before = request.cookies.get(seat.cookie_name(parts.settings))
    if before:
        async with parts.sessions.begin() as session:
            await sign_ins.end(session, before)
    response = RedirectResponse(seat.PASSWORD if came.agent.password_temporary else seat.local(next), 303)
    seat.let_in(response, parts.settings, came.cookie)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, here: Anyone) -> Response:
    """End this sign-in."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        await sign_ins.leave(
            session, request.cookies[seat.cookie_name(parts.settings)], agent=here.name, address=here.address, now=parts.clock.now()
        )  # fmt: skip
    response = shell.go(request, SIGN_IN)
    seat.let_out(response, parts.settings)
    return response


# ---------------------------------------------------------------------------------------------------- one's own
@router.get("/profile")
async def profile(request: Request, here: Here) -> Response:
    """Who one is at the desk; password and quiet mode."""
    return await _profile(request, here)


@router.post("/profile/quiet")
async def quiet(request: Request, here: Here, on: Annotated[str, SHORT] = "") -> Response:
    """Switch the sound of new requests off or on."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        await staff.set_quiet(session, here.name, quiet=on == "1", doer=doer(parts, here))
    told = "Новые обращения приходят без звука." if on == "1" else "О новых обращениях сообщит звук."
    return shell.go(request, "/desk/profile", told=told)


@router.post("/profile/elsewhere")
async def elsewhere(request: Request, here: Here) -> Response:
    """End one's other sign-ins."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        await sign_ins.leave_elsewhere(
            session,
            request.cookies[seat.cookie_name(parts.settings)],
            agent=await get(session, here.name),
            address=here.address,
            now=parts.clock.now(),
        )
    return shell.go(request, "/desk/profile", told="На других устройствах вы вышли.")


@router.get("/password")
async def password_page(request: Request, here: Anyone) -> Response:
    """The form in which a temporary password becomes one's own."""
    return (
        shell.page(None, "Новый пароль", _first_password(here), styles=STYLES)
        if here.newcomer
        else shell.go(request, "/desk/profile")
    )


@router.post("/password")
async def change_password(
    request: Request,
    here: Anyone,
    old: Annotated[str, SHORT] = "",
    new: Annotated[str, SHORT] = "",
    again: Annotated[str, SHORT] = "",
) -> Response:
    """Change one's password."""
    parts = parts_of(request)
    try:
        if new != again:
            wrong, status = AGAIN, 422
        else:
            await staff.change_password(
                parts.sessions, here.name, old=old, new=new, cookie=request.cookies[seat.cookie_name(parts.settings)],
                doer=doer(parts, here),
            )  # fmt: skip
            return shell.go(request, "/desk/" if here.newcomer else "/desk/profile", told="Пароль изменён.")
    except PasswordRefused as refused:
        wrong, status = sentence(refused), refused.status
    except SignInHeldUp as held:
        wrong, status = too_many(held.after), held.status
    if here.newcomer:
        return shell.page(None, "Новый пароль", _first_password(here, wrong), styles=STYLES, status=status)
    return await _profile(request, here, wrong, status=status)


def doer(parts: Parts, here: Seat) -> staff.Doer:
    """Who does something to an account just now."""
    return staff.Doer(now=parts.clock.now(), name=here.name, address=here.address)


def too_many(seconds: float) -> str:
    """When the next attempt is possible."""
    minutes = math.ceil(seconds / 60)
    return f"Слишком много попыток. Попробуйте снова через {minutes} мин."


# ---------------------------------------------------------------------------------------------------- how they look
def _sign_in(request: Request, *, next: str, name: str = "", wrong: str = "", status: int = 200) -> Response:
    way = oidc.link(parts_of(request).settings, next=seat.local(next))
    content = h.section(".card.door")[
        h.h1["Вход"],
        _wrong(wrong),
        h.form(".form", method="post", action=SIGN_IN)[
            h.input(type="hidden", name="next", value=seat.local(next)),
            h.label[
                "Имя",
                h.input(
                    name="name", value=name, autocomplete="username", autocapitalize="none", spellcheck="false",
                    required=True, maxlength="64", autofocus=not name,
                ),
            ],
            _password("password", "Пароль", "current-password", autofocus=bool(name)),
            h.button(".primary")["Войти"],
        ],
        h.div(".or")[h.span["или"], h.a(".button", href=way)["Войти через учётную запись компании"]] if way else None,
        h.p(".dim.small")["Забыли пароль? Администратор выдаст временный."],
    ]  # fmt: skip
    return shell.page(None, "Вход", content, status=status, styles=STYLES, request=request)


def _first_password(here: Seat, wrong: str = "") -> h.Element:
    return h.section(".card.door")[
        h.h1["Придумайте пароль"],
        h.p(".dim")[f"{here.title}, временный пароль подходит только для первого входа."],
        _change(here, wrong, old_title="Временный пароль"),
        h.form(method="post", action="/desk/sign-out")[shell.form_token(here), h.button(".plain")["Выйти"]],
    ]


async def _profile(request: Request, here: Seat, wrong: str = "", *, status: int = 200) -> Response:
    parts = parts_of(request)
    async with parts.sessions() as session:
        agent, entered = await get(session, here.name), await sign_ins.count(session, here.id, now=parts.clock.now())
    queues = [words.queue(parts.pack, name) for name in here.queues]
    about = (
        ("Имя для входа", here.name), ("Роль", ROLES.get(here.role, here.role)), ("Очереди", ", ".join(queues) or "нет"),
        ("Навыки", ", ".join(here.skills) or "нет"), ("Обращений одновременно", str(agent.capacity)),
    )  # fmt: skip
    return shell.page(
        here,
        "Профиль",
        h.h1[here.title],
        h.div(".profile")[
            h.section(".card")[
                h.h2["О вас"],
                h.dl(".about")[[(h.dt[key], h.dd[value]) for key, value in about]],
                h.p(".dim.small")["Меняет администратор в разделе «Люди»."],
            ],
            h.section(".card")[
                h.h2["Звук"],
                h.form(method="post", action="/desk/profile/quiet")[
                    shell.form_token(here),
                    h.input(type="hidden", name="on", value="0" if here.quiet else "1"),
                    h.p["Новые обращения приходят без звука." if here.quiet else "О новом обращении сообщает звук."],
                    h.button["Включить звук" if here.quiet else "Выключить звук"],
                ],
            ],
            h.section(".card")[
                h.h2["Пароль"],
                _change(here, wrong, old_title="Нынешний пароль")
                if agent.password
                else h.p["Вы входите через учётную запись компании."],
            ],
            h.section(".card")[
                h.h2["Другие устройства"],
                h.p[f"Кроме этого, вход выполнен ещё в {entered - 1} браузерах." if entered > 2 else
                    "Вход выполнен ещё в одном браузере." if entered == 2 else "Вход выполнен только здесь."],
                h.form(method="post", action="/desk/profile/elsewhere")[
                    shell.form_token(here), h.button["Выйти на других устройствах"]
                ]
                if entered > 1
                else None,
            ],
        ],
        status=status, styles=STYLES, request=request,
    )  # fmt: skip


def _change(here: Seat, wrong: str, *, old_title: str) -> h.Element:
    return h.form(".form", method="post", action="/desk/password")[
        shell.form_token(here),
        _wrong(wrong),
        h.input(type="hidden", name="username", value=here.name, autocomplete="username"),
        _password("old", old_title, "current-password"),
        _password("new", "Новый пароль", "new-password", hint=f"Не меньше {passwords.SHORTEST} символов."),
        _password("again", "Новый пароль ещё раз", "new-password"),
        h.button(".primary")["Сохранить пароль"],
    ]


def _password(name: str, title: str, complete: str, *, autofocus: bool = False, hint: str = "") -> h.Element:
    return h.label[
        title,
        h.input(
            type="password", name=name, autocomplete=complete, required=True, maxlength=str(passwords.LONGEST),
            minlength=str(passwords.SHORTEST) if name in ("new", "again") else None, autofocus=autofocus,
            aria_describedby=f"{name}-hint" if hint else None,
        ),
        h.small(f"#{name}-hint")[hint] if hint else None,
    ]  # fmt: skip


def _wrong(sentence: str) -> h.Element | None:
    return h.p(".field-error", role="alert")[sentence] if sentence else None
