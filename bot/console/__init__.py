"""The desk in the browser: server-rendered pages that change by themselves.

Pages are HTML made with htpy; forms and links work as such, htmx swaps only the parts that change, one WebSocket a page
brings what others changed. What agents do stands in `bot.desk`; here are only its pages.
"""

from __future__ import annotations

import mimetypes

from fastapi import APIRouter, FastAPI, Response

from bot.console.live import Hub, sockets
from bot.console.parts import Parts as Parts
from bot.console.security import secure
from bot.console.shell import STATIC

FILES = {name.name for name in STATIC.iterdir() if name.is_file()}


def mount(app: FastAPI, parts: Parts) -> None:
    """Put the desk's pages on the app of a process, under /desk."""
    from bot.console.seat import seat_of_socket

    app.state.console, app.state.hub = parts, Hub(parts)
    desk = APIRouter(prefix="/desk")
    desk.include_router(_static())
    desk.include_router(sockets(seat_of_socket))
    for router in _pages():
        desk.include_router(router)
    app.include_router(desk)
    secure(app)


def _pages() -> list[APIRouter]:
    """All pages. A page that changes by itself registers its view when it is imported."""
    from bot.console import (
        actions,
        attachments,
        audit_page,
        board,
        my_shift,
        oidc,
        people,
        queue_page,
        replying,
        request_page,
        search_page,
        sign_in,
        why_page,
    )
    from bot.console import bell as bell  # rings on every page

    return [
        actions.router,
        attachments.routes(),
        audit_page.router,
        board.router,
        my_shift.router,
        oidc.router,
        people.router,
        queue_page.router,
        replying.routes(),
        request_page.pages(),
        search_page.router,
        sign_in.router,
        why_page.router,
    ]


def _static() -> APIRouter:
    router = APIRouter()

    @router.get("/static/{name}")
    async def static(name: str) -> Response:
        if name not in FILES:
            return Response(status_code=404)
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        keep = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response((STATIC / name).read_bytes(), media_type=kind, headers=keep)

    return router
