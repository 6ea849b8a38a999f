"""Who sits at the desk: the signed-in person of a call, and what each call has to bring along.

    async def take(request: Request, seat: Annotated[Seat, Depends(seat)]) -> Response: ...
    async def board(request: Request, seat: Leads) -> Response: ...

A call that changes something comes from one of our own pages (Origin, Sec-Fetch-Site) and has the form token of the sign-in:
in the field `form_token`, or in the header X-Form-Token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlencode, urlsplit

from fastapi import Depends, HTTPException, Request, Response, WebSocket
from starlette.requests import HTTPConnection

from bot import sight, sign_ins
from bot.console.parts import parts_of
from bot.models import LEADERS, WORKING, Agent, SignIn
from bot.settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SIGN_IN, PASSWORD = "/desk/sign-in", "/desk/password"
PLACE = "/desk"
"""The cookie is for the pages below it only."""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_OURS = re.compile(r"/desk(?:[/?][^\\\x00-\x20\x7f]*)?")
NOT_YOURS = "Этот раздел доступен не всем. Если он нужен вам для работы, попросите администратора."
STALE_FORM = "Страница устарела. Обновите её и повторите."


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A signed-in person."""

    id: int
    # of the row in `agents`
    name: str
    title: str
    role: str
    # agent, trainer, supervisor, admin
    queues: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    on_shift: bool = False
    quiet: bool = False
    form_token: str = ""
    # what each form brings along
    address: str | None = None
    # the browser's network address
    newcomer: bool = False
    # has a temporary password: nothing but changing it is open to them

    @property
    def leads(self) -> bool:
        """Whether they lead others: decide about all queues and everybody's work."""
        return self.role in LEADERS

    @property
    def works(self) -> bool:
        """Whether they take requests; a trainer only reads."""
        return self.role in WORKING

    @property
    def rights(self) -> str:
        """A mark of what decides what their pages show: another role, other queues or skills make other pages."""
        told = "\n".join((self.role, *sorted(self.queues), "", *sorted(self.skills)))
        return hashlib.blake2b(told.encode(), digest_size=6).hexdigest()

    @property
    def scope(self) -> sight.Scope:
        """Which requests they may see."""
        return sight.scope_of(self.role, self.queues, self.id)


# ------------------------------------------------------------------------------------------------------ dependencies
async def seat(request: Request) -> Seat:
    """Who is signed in. Leads to the sign-in when nobody is, and to another password when theirs is temporary."""
    found = await anyone(request)
    if found.newcomer:
        raise _lead(request, PASSWORD)
    return found


async def anyone(request: Request) -> Seat:
    """Who is signed in, be it with a temporary password."""
    found = await whose(request, asks=True)
    if found is None:
        raise _lead(request, f"{SIGN_IN}?{urlencode({'next': _asked_for(request)})}")
    request.state.seat = found
    if request.method not in SAFE:
        check_origin(request)
        if not hmac.compare_digest(found.form_token.encode(), (await _token(request)).encode()):
            raise HTTPException(403, STALE_FORM)
    return found


def allowed(*roles: str) -> Callable[..., Awaitable[Seat]]:
    """A dependency like `seat` for people of some roles only."""

    async def one_of(found: Annotated[Seat, Depends(seat)]) -> Seat:
        if found.role not in roles:
            raise HTTPException(403, NOT_YOURS)
        return found

    return one_of


Leads = Annotated[Seat, Depends(allowed(*LEADERS))]
"""A page for those who lead others."""


async def seat_of_socket(socket: WebSocket) -> Seat | None:
    """Who is signed in on a page's socket; None: nobody, or the page is not ours. Looking does not prolong the sign-in."""
    origin = socket.headers.get("origin")
    if origin is None or not _is_ours(socket, origin):
        return None
    found = await whose(socket)
    return None if found is None or found.newcomer else found


# ------------------------------------------------------------------------------------------------------ parts of them
async def whose(connection: HTTPConnection, *, asks: bool = False) -> Seat | None:
    """Whose cookie a call has. `asks`: for a page, which keeps the sign-in alive."""
    parts = parts_of(connection)
    cookie = connection.cookies.get(cookie_name(parts.settings))
    if not cookie:
        return None
    async with parts.sessions.begin() as session:
        found = await sign_ins.find(session, cookie, now=parts.clock.now(), idle=idle(parts.settings), asks=asks)
    return _seat(*found, address=address_of(connection)) if found is not None else None


def check_origin(request: Request) -> None:
    """Refuse a call that a page of somebody else makes. Browsers tell; what tells nothing is no browser."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if (site is not None and site not in ("same-origin", "none")) or (
        origin is not None and not _is_ours(request, origin)
    ):
        raise HTTPException(403, STALE_FORM)


def let_in(response: Response, settings: Settings, cookie: str) -> None:
    """Give a browser the cookie of a sign-in. Lax: a link to a request in a messenger opens it."""
    response.set_cookie(
        cookie_name(settings), cookie, path=PLACE, httponly=True, secure=is_secure(settings), samesite="lax"
    )


def let_out(response: Response, settings: Settings) -> None:
    """Take the cookie back."""
    response.delete_cookie(cookie_name(settings), path=PLACE, httponly=True, secure=is_secure(settings), samesite="lax")


def cookie_name(settings: Settings) -> str:
    """The cookie's name: behind https browsers take one of this name from https only."""
    return "__Secure-firstline" if is_secure(settings) else "firstline"


def is_secure(settings: Settings) -> bool:
    """Whether the desk is reached by https."""
    return settings.desk_url is not None and settings.desk_url.startswith("https://")


def idle(settings: Settings) -> timedelta:
    """How long a sign-in lasts without a page."""
    return timedelta(hours=settings.session_hours)


def local(address: str | None) -> str:
    """The address when it is one of the desk's pages, else the first page: nobody is led elsewhere after signing in."""
    return address if address and len(address) <= 500 and _OURS.fullmatch(address) else "/desk/"


def address_of(connection: HTTPConnection) -> str | None:
    """The browser's network address. Only a proxy of ours is believed who stands behind it."""
    settings, peer = parts_of(connection).settings, connection.client.host if connection.client else None
    told = connection.headers.getlist("x-forwarded-for")
    if settings.desk_url is None or peer is None or not told or not _is_proxy(settings, peer):
        return peer
    last = told[-1].rpartition(",")[2].strip()
    try:
        return str(ipaddress.ip_address(last.strip("[]")))
    except ValueError:
        return peer


def _is_proxy(settings: Settings, peer: str) -> bool:
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(found in ipaddress.ip_network(one.strip()) for one in settings.desk_proxies.split(","))


def _seat(sign_in: SignIn, agent: Agent, *, address: str | None) -> Seat:
    return Seat(
        id=agent.id, name=agent.name, title=agent.title, role=agent.role, queues=tuple(agent.queues),
        skills=tuple(agent.skills), on_shift=agent.on_shift, quiet=agent.quiet, form_token=sign_in.form_token,
        address=address, newcomer=agent.password_temporary,
    )  # fmt: skip


def _is_ours(connection: HTTPConnection, origin: str) -> bool:
    """Whether an origin is the desk itself: as it is called from outside, or as this very call names it."""
    url = parts_of(connection).settings.desk_url
    if url is not None and origin.rstrip("/") == "{0.scheme}://{0.netloc}".format(urlsplit(url)):
        return True
    found = urlsplit(origin)
    return found.scheme in ("http", "https") and found.netloc == connection.headers.get("host")


async def _token(request: Request) -> str:
    given = request.headers.get("x-form-token")
    if given is None and request.headers.get("content-type", "").startswith(FORMS):
        field = (await request.form()).get("form_token")
        given = field if isinstance(field, str) else None
    return given or ""


def _asked_for(request: Request) -> str:
    """The page that somebody wanted to see: after signing in they are led there."""
    if request.headers.get("HX-Request") == "true":
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        return local(shown.path + (f"?{shown.query}" if shown.query else ""))
    if request.method not in SAFE:
        return "/desk/"
    return local(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def _lead(request: Request, address: str) -> HTTPException:
    """Lead to another page; htmx changes the whole page when it is told so."""
    if request.headers.get("HX-Request") == "true":
        return HTTPException(401, "Войдите снова.", headers={"HX-Redirect": address})
    return HTTPException(303, headers={"Location": address})
