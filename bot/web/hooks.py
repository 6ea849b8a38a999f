"""Webhooks: a messenger's call is read within limits, given to its channel, and answered only when all is stored.

Whatever goes wrong is answered so that the messenger calls again.
"""

from __future__ import annotations

import asyncio
import logging

from fastapi import APIRouter, Request, Response

from bot import signs
from bot.channels import Channel, Receive
from bot.channels.hooks import AGAIN_SECONDS
from bot.channels.polling import PASSING
from bot.errors import FirstlineError
from bot.web.parts import Parts

log = logging.getLogger(__name__)

BODY_BYTES = 1_000_000
"""An update is a few kilobytes."""
SECONDS = 7.0
"""For reading, storing and answering: VK calls again after some 8 s, Telegram after 60."""
LATER = {"Retry-After": str(AGAIN_SECONDS)}
CLOSE = {"Connection": "close"}
"""The rest of such a call is not read."""


class BodyTooLarge(FirstlineError):
    """The body is larger than any update of a messenger."""

    status = 413


def hooks(parts: Parts) -> APIRouter:
    """The route of all channels' webhooks."""
    router = APIRouter()

    @router.post("/hooks/{channel}")
    async def hook(channel: str, request: Request) -> Response:
        found = parts.channels.get(channel)
        if found is None:
            return Response(status_code=404)
        if parts.receive is None:  # a process of another role: the messenger tries again, and the proxy elsewhere
            return Response(status_code=503, headers=LATER)
        try:
            async with asyncio.timeout(SECONDS):
                return await _answer(found, request, parts.receive)
        except BodyTooLarge:
            log.warning("hook_too_large", extra={"channel": found.name})
            return Response(status_code=413, headers=CLOSE)
        except TimeoutError:
            log.warning("hook_too_slow", extra={"channel": found.name})
            return Response(status_code=503, headers=LATER | CLOSE)
        except PASSING as error:
            log.warning("store_away", extra={"channel": found.name, "error": type(error).__name__})
            return Response(status_code=503, headers=LATER)
        except Exception:
            log.exception("hook_failed", extra={"channel": found.name})
            return Response(status_code=500)

    return router


async def _answer(channel: Channel, request: Request, receive: Receive) -> Response:
    body = await _body(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    answer = await channel.hook(headers, body, receive)
    if answer.status < 300:  # one with a wrong secret is no sign of the messenger
        signs.good(signs.CHANNEL, channel.name)
    return Response(answer.text, answer.status, dict(answer.headers), media_type="text/plain")


async def _body(request: Request) -> bytes:
    """The whole body; refused as soon as it is too large, whatever its headers say."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            raise BodyTooLarge
    return bytes(body)
