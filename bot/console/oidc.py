"""Coming in by the company's own sign-in (OpenID Connect): there, and back again.

Who the provider names has to be at the desk already, under exactly this name, and not disabled: nobody is added by it.
"""

from __future__ import annotations

import hmac
import logging
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ValidationError

from bot import agents, audit, sign_ins
from bot.clients.oidc import Provider
from bot.console import seat
from bot.console.parts import parts_of
from bot.errors import AgentUnknown, OidcRefused, OidcUnavailable
from bot.settings import Settings

log = logging.getLogger(__name__)

router = APIRouter()
THERE, BACK = "/desk/oidc", "/desk/oidc/back"
MINUTES = 10
"""In which somebody has to be back."""
SENTENCES = {
    "down": "Вход через компанию сейчас не отвечает. Попробуйте позже или войдите с паролем.",
    "denied": "Вход отменён.",
    "stale": "Вход занял слишком много времени. Попробуйте ещё раз.",
    "refused": "Вход через компанию не удался. Попробуйте ещё раз.",
    "unknown": "Вашей учётной записи здесь нет. Попросите администратора добавить её.",
}
"""Why somebody came back without being signed in."""


class Begun(BaseModel):
    """What the browser keeps, in a cookie for this page only, while its person is at the provider."""

    state: str
    nonce: str
    verifier: str
    next: str


def link(settings: Settings, *, next: str) -> str | None:
    """The address that leads to the company's sign-in; None: there is none."""
    return f"{THERE}?{urlencode({'next': next})}" if settings.oidc_issuer and settings.oidc_client_id else None


@router.get("/oidc")
async def there(request: Request, next: str = "") -> Response:
    """Send the browser to the provider."""
    settings = parts_of(request).settings
    try:
        asked = await _provider(request).begin(_back(request))
    except OidcUnavailable:
        return _again("down", next)
    begun = Begun(state=asked.state, nonce=asked.nonce, verifier=asked.verifier, next=seat.local(next))
    response = RedirectResponse(asked.url, 303)
    response.set_cookie(
        _cookie(settings), begun.model_dump_json(), max_age=MINUTES * 60, path=THERE, httponly=True,
        secure=seat.is_secure(settings), samesite="lax",
    )  # fmt: skip
    return response


@router.get("/oidc/back")
async def back(request: Request, code: str = "", state: str = "", error: str = "", iss: str = "") -> Response:
    """Let in whom the provider names, if this is the end of a sign-in that this browser has begun."""
    parts = parts_of(request)
    provider = _provider(request)
    try:
        begun = Begun.model_validate_json(request.cookies.get(_cookie(parts.settings)) or "")
    except ValidationError:
        return _again("stale", "")
    if not hmac.compare_digest(begun.state.encode(), state.encode()) or iss.rstrip("/") not in ("", provider.issuer):
        answer = _again("stale", "")
    elif error or not code:
        log.warning("oidc_error", extra={"error": error[:40]})
        answer = _again("denied" if error == "access_denied" else "refused", begun.next)
    else:
        try:
            claims = await provider.finish(
                code=code, nonce=begun.nonce, verifier=begun.verifier, redirect_uri=_back(request), now=parts.clock.now(),
                wanted=parts.settings.oidc_name_claim,
            )  # fmt: skip
            answer = await _let_in(request, claims, next=begun.next)
        except OidcUnavailable:
            answer = _again("down", begun.next)
        except OidcRefused:
            answer = _again("refused", begun.next)
    answer.delete_cookie(
        _cookie(parts.settings), path=THERE, httponly=True, secure=seat.is_secure(parts.settings), samesite="lax"
    )
    return answer


async def _let_in(request: Request, claims: Any, *, next: str) -> Response:
    from bot.console.sign_in import welcome  # which shows the way here

    parts, address = parts_of(request), seat.address_of(request)
    name, now = claims.get(parts.settings.oidc_name_claim), parts.clock.now()
    unproven = parts.settings.oidc_name_claim == "email" and claims.get("email_verified") is False
    async with parts.sessions.begin() as session:
        try:
            agent = await agents.get(session, name if isinstance(name, str) and not unproven else "")
        except AgentUnknown:
            agent = None
        if agent is None or agent.disabled_at is not None:
            who = agent.name if agent is not None else None
            await audit.note(session, at=now, agent=who, action="sign_in_refused", data={"by": "oidc"}, address=address)
            return _again("unknown", next)
        if agent.password_temporary:  # this is their way in: nobody needs what was made for a first sign-in
            agent.password, agent.password_temporary = None, False
        came = await sign_ins.begin(session, agent, address=address, now=now, idle=seat.idle(parts.settings), by="oidc")
    return await welcome(request, came, next=next)


def _provider(request: Request) -> Provider:
    """The provider of the settings; what it says of itself is asked once for all sign-ins."""
    settings = parts_of(request).settings
    if settings.oidc_issuer is None or settings.oidc_client_id is None:
        raise HTTPException(404)
    found = getattr(request.app.state, "oidc", None)
    if not isinstance(found, Provider):
        secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        found = request.app.state.oidc = Provider(
            settings.oidc_issuer, client_id=settings.oidc_client_id, secret=secret
        )
    return found


def _back(request: Request) -> str:
    """The address that is registered at the provider."""
    url = parts_of(request).settings.desk_url
    base = "{0.scheme}://{0.netloc}".format(urlsplit(url)) if url else str(request.base_url).rstrip("/")
    return base + BACK


def _cookie(settings: Settings) -> str:
    return f"{seat.cookie_name(settings)}-oidc"


def _again(why: str, next: str) -> Response:
    return RedirectResponse(f"{seat.SIGN_IN}?{urlencode({'why': why, 'next': seat.local(next)})}", 303)
