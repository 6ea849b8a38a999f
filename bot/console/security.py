"""What every answer of the desk says to browsers, how large a call may be, and how a refusal looks."""

from __future__ import annotations

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exception_handlers import http_exception_handler, request_validation_exception_handler
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.console import shell
from bot.console.parts import parts_of
from bot.console.seat import Seat, whose

POLICY = "; ".join(
    (
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' data: blob:", "media-src 'self' blob:",
        "font-src 'self'", "connect-src 'self'", "manifest-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'",
    )
)  # fmt: skip
"""Scripts and styles come from files of ours only: what stands in a page by mistake is never run."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    # no other site hears where somebody comes from; with no-referrer browsers would not tell us either whose form it is
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
SMALL_BYTES = 64_000
"""A form without files. Only who is signed in may send more."""
FILES_AT_ONCE = 10
DRAINED_BYTES = 50_000_000
SENTENCES = {
    401: "Войдите снова.",
    404: "Такой страницы нет. Возможно, обращение удалено или в адресе ошибка.",
    405: "Так эту страницу открыть нельзя.",
    413: "Слишком большой файл.",
    422: "Форма или адрес заполнены неверно.",
    429: "Слишком часто. Подождите немного.",
}


def secure(app: FastAPI) -> None:
    """Put this over an app that has the desk; other pages of the app stay as they are."""
    app.add_middleware(Secure)
    app.add_exception_handler(AnyHTTPException, _refused)
    for kind in (RequestValidationError, DataError):  # signs and numbers that the store cannot have
        app.add_exception_handler(kind, _invalid)


class Secure:
    """The middleware: headers on each answer under /desk, and a limit to what a call may bring."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a call on."""
        if scope["type"] != "http" or not _is_desk(scope["path"]):
            await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        body = _Body(receive, await _most(scope))
        if body.refuses(Headers(scope=scope)):
            await body.drain()
            too_large = shell.refused(Request(scope), None, SENTENCES[413], status=413)
            too_large.headers["Connection"] = "close"
            await too_large(scope, receive, answer)
        else:
            await self.app(scope, body.receive, answer)


class _Body:
    """The body of a call, up to a limit, whatever its headers say."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive, self._most, self._read = receive, most, 0

    def refuses(self, headers: Headers) -> bool:
        """Whether its headers alone say that it is too large."""
        said = headers.get("content-length", "0")
        return not said.isdecimal() or int(said) > self._most

    async def drain(self) -> None:
        """Read some of what is not wanted: a browser shows no answer before it has sent its call."""
        while self._read < DRAINED_BYTES:
            message = await self._receive()
            self._read += len(message.get("body", b""))
            if message["type"] != "http.request" or not message.get("more_body"):
                return

    async def receive(self) -> Message:
        """The next piece."""
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            raise HTTPException(413, SENTENCES[413])
        return message


async def _most(scope: Scope) -> int:
    """Bytes that a call may bring: who is not signed in sends no files."""
    headers = Headers(scope=scope)
    said = headers.get("content-length", "0")
    if scope["method"] in ("GET", "HEAD") or (said.isdecimal() and 0 < int(said) <= SMALL_BYTES):
        return SMALL_BYTES
    connection = HTTPConnection(scope)
    if await whose(connection) is None:
        return SMALL_BYTES
    return int(parts_of(connection).settings.file_mb * 1_000_000 * FILES_AT_ONCE) + SMALL_BYTES


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, AnyHTTPException)
    if not _is_desk(request.url.path) or error.status_code < 400 or "HX-Redirect" in (error.headers or {}):
        return await http_exception_handler(request, error)
    own = isinstance(error, HTTPException) and error.detail and not error.detail.isascii()
    sentence = str(error.detail) if own else SENTENCES.get(error.status_code, "Не получилось. Попробуйте ещё раз.")
    here = _seat(request) or (await _sits(request) if error.status_code == 404 else None)
    return shell.refused(request, here, sentence, status=error.status_code)


async def _invalid(request: Request, error: Exception) -> Response:
    if not _is_desk(request.url.path):
        if isinstance(error, RequestValidationError):
            return await request_validation_exception_handler(request, error)
        raise error
    return shell.refused(request, _seat(request), SENTENCES[422], status=422)


async def _sits(request: Request) -> Seat | None:
    """Who asks for a page that is not there: they go on from it by its head."""
    found = await whose(request)
    return None if found is None or found.newcomer else found


def _seat(request: Request) -> Seat | None:
    seat = getattr(request.state, "seat", None)
    return seat if isinstance(seat, Seat) else None


def _is_desk(path: str) -> bool:
    return path == "/desk" or path.startswith("/desk/")
