"""Webhooks: a messenger's call is read within limits, given to its channel, and answered only when all is stored.

Whatever goes wrong is answered so that the messenger calls again. What fails again and again for a reason of its own is
left out in the end, for a messenger holds back all that follows in a chat until then.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from fastapi import APIRouter, Request, Response

from bot import signs
from bot.channels import Channel, Incoming, Receive
from bot.channels.polling import PASSING, POISON_TRIES
from bot.errors import FirstlineError
from bot.web.parts import Parts

log = logging.getLogger(__name__)

BODY_BYTES = 1_000_000
"""An update is a few kilobytes."""
SECONDS = 7.0
"""For reading, storing and answering: VK calls again after some 8 s, Telegram after 60."""
LATER = {"Retry-After": "5"}
CLOSE = {"Connection": "close"}
"""The rest of such a call is not read."""
REMEMBERED = 10_000
"""Updates that failed and may come again."""


class BodyTooLarge(FirstlineError):
    """The body is larger than any update of a messenger."""

    status = 413


def hooks(parts: Parts) -> APIRouter:
    """The route of all channels' webhooks."""
    router = APIRouter()
    receive = Sieve(parts.receive) if parts.receive is not None else None

    @router.post("/hooks/{channel}")
    async def hook(channel: str, request: Request) -> Response:
        found = parts.channels.get(channel)
        if found is None:
            return Response(status_code=404)
        if receive is None:  # a process of another role: the messenger tries again, and the proxy elsewhere
            return Response(status_code=503, headers=LATER)
        try:
            async with asyncio.timeout(SECONDS):
                return await _answer(found, request, receive)
        except BodyTooLarge:
            log.warning("hook_too_large", extra={"channel": found.name})
            return Response(status_code=413, headers=CLOSE)
        except TimeoutError:
            log.warning("hook_too_slow", extra={"channel": found.name})
            return Response(status_code=503, headers=LATER | CLOSE)
        except Exception as error:
            if isinstance(error, PASSING):
                log.warning("store_away", extra={"error": type(error).__name__})
                return Response(status_code=503, headers=LATER)
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


class Sieve:
    """A `receive` that lets an update pass which has failed too often for a reason of its own."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._failures: OrderedDict[tuple[str, str], int] = OrderedDict()

    async def __call__(self, incoming: Incoming) -> None:
        """Store an update; or leave it out, logged, when it cannot be stored."""
        key = (incoming.channel, incoming.external_id)
        try:
            await self._receive(incoming)
        except Exception as error:
            if isinstance(error, (*PASSING, TimeoutError)):
                raise
            tries = self._failures.pop(key, 0) + 1
            ids = {"channel": key[0], "external_id": key[1], "error": type(error).__name__, "tries": tries}
            if tries >= POISON_TRIES:
                log.error("update_left_out", extra=ids, exc_info=error)
                return
            self._failures[key] = tries
            if len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)
            raise
        self._failures.pop(key, None)
