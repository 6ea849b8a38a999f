"""The gate of the API: who calls, how often, how much; and how each refusal is told (RFC 9457, problem+json).

It stands before the routes, so nothing of a call is looked at before its key is: not its path, not its body.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot import metrics, pace
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import FirstlineError, StoreUnavailable, TooManyCalls
from bot.outside import keys
from bot.outside.keys import Caller

log = logging.getLogger(__name__)

DOCUMENT = "/openapi.json"
BODY_BYTES = 200_000
"""A reply is a few kilobytes."""
BODY_SECONDS = 10.0
TYPES = "urn:firstline:problem:"
MEDIA = "application/problem+json"
STORE_AWAY_SECONDS = 5


class CallTooLarge(FirstlineError):
    """The body of a call is larger than any reply."""

    status = 413


class CallTooSlow(FirstlineError):
    """The body of the call did not come in time."""

    status = 408


# ------------------------------------------------------------------------------------------------------------ the gate
class Gate:
    """Lets calls with a valid key through, with the caller in their state; only the API's own document needs none."""

    def __init__(self, app: ASGIApp, *, sessions: Sessions, clock: Clock, per_minute: int) -> None:
        self._app, self._sessions, self._clock = app, sessions, clock
        self._limits = pace.Limits(seconds=60 / per_minute, burst=max(per_minute // 10, 1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a call, and count it."""
        if scope["type"] != "http" or _path(scope) == DOCUMENT:
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                name = getattr(scope.get("route"), "name", "other")
                metrics.API_CALLS.labels(name, str(message["status"])).inc()
            await send(message)

        try:
            caller = await self._caller(scope)
            body = await _body(receive)
        except FirstlineError as error:
            await problem(error)(scope, receive, counted)
            return
        except (OperationalError, InterfaceError, OSError) as error:
            log.warning("api_without_store", extra={"error": type(error).__name__})
            await problem(StoreUnavailable())(scope, receive, counted)
            return
        scope.setdefault("state", {})["caller"] = caller
        await self._app(scope, _again(body, receive), counted)

    async def _caller(self, scope: Scope) -> Caller:
        """Who calls. KeyRefused, TooManyCalls."""
        headers = {name.lower(): value for name, value in scope["headers"]}
        kind, _, key = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        async with self._sessions.begin() as session:
            given = key.strip() if kind.lower() == "bearer" else None
            caller = await keys.caller_of(session, given, now=self._clock.now())
            wait = await pace.take(session, self._limits, f"api:{caller.key}", "", short=0.0)
        if wait > 0:
            raise TooManyCalls(after=wait)
        return caller


def caller(request: Request) -> Caller:
    """Who makes a call that has come through the gate."""
    found = request.state.caller
    assert isinstance(found, Caller)
    return found


def _path(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(str(scope.get("root_path", "")))


async def _body(receive: Receive) -> bytes:
    """The whole body; refused as soon as it is too large or too slow, whatever its headers say."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                body += message.get("body", b"")
                if len(body) > BODY_BYTES:
                    raise CallTooLarge
                if message["type"] != "http.request" or not message.get("more_body"):
                    return bytes(body)
    except TimeoutError:
        raise CallTooSlow from None


def _again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, to be read by the routes."""
    given: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def read() -> Message:
        return given.pop() if given else await receive()

    return read


# --------------------------------------------------------------------------------------------------------- problems
def type_of(error: type[FirstlineError]) -> str:
    """What programs know a kind of problem by: `RequestTaken` is urn:firstline:problem:request-taken."""
    return TYPES + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", error.__name__).lower()


def title_of(error: type[FirstlineError]) -> str:
    """The kind of a problem for people: the first sentence of its own words."""
    return " ".join((error.__doc__ or "").split()).split(". ")[0].rstrip(".")


def told(error: FirstlineError) -> dict[str, Any]:
    """A problem as its answer tells it."""
    kind = type(error)
    return {
        "type": type_of(kind),
        "title": title_of(kind),
        "status": error.status,
        "detail": str(error),
        "errors": None,
    }


def problem(error: FirstlineError) -> Response:
    """The answer that tells of a problem."""
    headers: dict[str, str] = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    after = getattr(error, "after", STORE_AWAY_SECONDS if error.status == 503 else None)
    if after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(after)))
    if error.status in (408, 413):
        headers["Connection"] = "close"  # the rest of such a call is not read
    return answer(told(error), headers)


def answer(body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """A problem's body as an answer."""
    text = json.dumps({key: value for key, value in body.items() if value is not None}, ensure_ascii=False)
    return Response(text.encode(), int(body["status"]), dict(headers or {}), media_type=MEDIA)


def handle_problems(app: FastAPI) -> None:
    """Tell all that goes wrong within an app as problems."""

    @app.exception_handler(FirstlineError)
    async def ours(_: Request, error: FirstlineError) -> Response:
        if error.status >= 500:
            log.error("api_failed", extra={"error": type(error).__name__})
        return problem(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        wrong = [
            {"place": ".".join(map(str, one["loc"])), "text": str(one["msg"]).removeprefix("Value error, ")}
            for one in error.errors()
        ]
        return _invalid(wrong)

    @app.exception_handler(HTTPException)
    async def other(_: Request, error: HTTPException) -> Response:
        if error.status_code == 400:  # a body that is no UTF-8
            return _invalid([{"place": "body", "text": "cannot be read"}])
        titles = {404: "There is no such thing", 405: "This address does not take this method"}
        title = titles.get(error.status_code, "The call cannot be read")
        name = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "call-unreadable")
        body = {"type": TYPES + name, "title": title, "status": error.status_code, "detail": f"{title}."}
        return answer(body, error.headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    async def away(_: Request, error: Exception) -> Response:
        log.warning("api_without_store", extra={"error": type(error).__name__})
        return problem(StoreUnavailable())

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        log.error("api_failed", exc_info=error)
        return problem(FirstlineError())


def _invalid(wrong: list[dict[str, str]]) -> Response:
    title = "The call is not valid"
    detail = f"{wrong[0]['place']}: {wrong[0]['text']}" if wrong else f"{title}."
    return answer({"type": f"{TYPES}call-invalid", "title": title, "status": 422, "detail": detail, "errors": wrong})
