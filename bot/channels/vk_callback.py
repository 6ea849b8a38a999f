"""VK's Callback API: our server registered with VK, and VK's calls of it.

The secret is made from the token, so all processes of an installation agree on it without asking anybody.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

from bot import signs
from bot.channels import HookAnswer, Kind, Receive
from bot.channels.hooks import AGAIN_SECONDS, Intake
from bot.channels.vk_calls import VERSION
from bot.channels.vk_catchup import CatchUp
from bot.channels.vk_community import Community
from bot.channels.vk_events import KINDS
from bot.errors import ChannelStopped, DeliveryFailed, Rejected, RetryLater

log = logging.getLogger(__name__)

TITLE = "Firstline"
# of our server in the community's settings; VK allows 14 characters
PATH = "/hooks/vk"
CODE_SECONDS = 5.0
# so long is a confirmation code used without asking for it again: it changes when servers are edited
NOT_REACHED = "VK does not reach us under FIRSTLINE_PUBLIC_URL"
ASK_SECONDS = 2.0
# so long may a call of VK's be held up to ask VK whose token it is


class Callback:
    """Our server at VK: set while `run` is under way, and what is answered to VK's calls."""

    def __init__(self, token: str, community: Community, catch_up: CatchUp, *, url: str, watch: float) -> None:
        """Make it.

        url: public address of this installation
        watch: seconds between two looks at whether VK still sends
        """
        self._community, self._catch_up = community, catch_up
        self._url, self._watch = url.rstrip("/") + PATH, watch
        self._secret = hmac.new(token.encode(), b"firstline: callback server", hashlib.sha256).hexdigest()[:50]
        self._intake = Intake()
        self._code, self._code_until = "", 0.0
        self._refused = False
        # VK was told to come again: something may stay away

    # ---------------------------------------------------------------------------------------------- registering
    async def run(self, receive: Receive) -> None:
        """Keep the server registered, and look for what VK did not bring; ChannelStopped when VK refuses to."""
        pause = self._community.pause()
        await self._community.persist("groups.getById", self._community.id, pause)
        await self._catch_up.run(receive, unanswered=True)  # in order: before VK calls us with what is newer
        server = await self._community.persist("groups.addCallbackServer", self._register, pause)
        try:
            await self._confirmed(server)
            begun = self._community.now()
            await self._catch_up.run(receive)  # what was written in between, and all that is rarer
            await self._catch_up.note(begun)
            while True:
                await asyncio.sleep(self._watch)
                server = await self._look(server, receive)
        finally:
            with suppress(DeliveryFailed, TimeoutError):
                async with asyncio.timeout(5.0):
                    await self._call("groups.deleteCallbackServer", server_id=server)

    async def _look(self, server: int, receive: Receive) -> int:
        """See that VK sends, and take what it did not bring; return the server's id, which may be a new one."""
        begun, gap = self._community.now(), self._refused
        try:
            state = {int(one["id"]): one.get("status") for one in await self._servers()}.get(server)
            if state == "ok":
                signs.good(signs.CHANNEL, "vk")
            elif state != "wait":
                log.warning("vk_callback_lost", extra={"status": state})
                signs.bad(signs.CHANNEL, "vk", NOT_REACHED)
                server, gap = await self._register(), True
        except RetryLater as error:
            log.warning("vk_call_failed", extra={"method": "groups.getCallbackServers", "why": str(error)})
            return server
        self._refused = False
        await self._catch_up.run(receive, unanswered=not gap)
        if not self._refused:
            await self._catch_up.note(begun)
        return server

    async def _register(self) -> int:
        """Have VK send its events to us; return the server's id. A server that an earlier run left is used again."""
        values = {"url": self._url, "title": TITLE, "secret_key": self._secret}
        try:
            known = [one for one in await self._servers() if one.get("url") == self._url or one.get("title") == TITLE]
            known.sort(key=lambda one: one.get("status") != "ok")
            for spare in known[1:]:
                await self._call("groups.deleteCallbackServer", server_id=spare["id"])
            if not known:
                server = int((await self._call("groups.addCallbackServer", **values))["server_id"])
            else:
                server = int(known[0]["id"])
                same = all(known[0].get(name) == value for name, value in values.items())
                if not same or known[0].get("status") != "ok":
                    await self._call("groups.editCallbackServer", server_id=server, **values)
            kinds = dict.fromkeys(KINDS, 1)
            await self._call("groups.setCallbackSettings", server_id=server, api_version=VERSION, **kinds)
        except Rejected as error:
            raise ChannelStopped(f"VK does not take our callback server: {error}") from error
        except (LookupError, TypeError, ValueError) as error:
            raise RetryLater("VK's answer on callback servers cannot be read.", after=5.0) from error
        log.info("vk_callback_set", extra={"server": server})
        return server

    async def _confirmed(self, server: int) -> None:
        """Wait until VK has confirmed our server, for some seconds: it sends nothing before."""
        for wait in (0.1, 0.2, 0.4, 0.8, 1.6, 3.2):
            with suppress(RetryLater):
                if any(one["id"] == server and one.get("status") == "ok" for one in await self._servers()):
                    return
            await asyncio.sleep(wait)
        log.warning("vk_callback_not_confirmed", extra={"server": server})
        signs.bad(signs.CHANNEL, "vk", NOT_REACHED)

    async def unregister(self) -> None:
        """Take away servers that an earlier run with a public address left: VK would call them in vain."""
        with suppress(DeliveryFailed, LookupError, TypeError):
            await self._community.id()
            for one in await self._servers():
                if one.get("title") == TITLE:
                    await self._call("groups.deleteCallbackServer", server_id=one["id"])

    async def _servers(self) -> list[Mapping[str, Any]]:
        answer = await self._call("groups.getCallbackServers")
        return list(answer.get("items") or []) if isinstance(answer, dict) else []

    async def _call(self, method: str, **values: Any) -> Any:
        return await self._community.call(method, {"group_id": self._community.group, **values})

    # ---------------------------------------------------------------------------------------------- being called
    async def hook(self, body: bytes, receive: Receive) -> HookAnswer:
        """Answer a call: `ok` when its event is stored for good or can never be, 503 when VK shall bring it again."""
        try:
            event = json.loads(body)
            kind, group = str(event["type"]), int(event["group_id"])
        except (ValueError, LookupError, TypeError):
            return HookAnswer(400, "bad request")
        secret = event.get("secret")
        confirms = kind == "confirmation" and secret is None
        if not confirms and not hmac.compare_digest(str(secret).encode(), self._secret.encode()):
            return HookAnswer(403, "forbidden")
        if not await self._is_ours(group):
            return HookAnswer(403, "forbidden")
        if kind == "confirmation":
            return await self._confirm()
        update = self._community.read(event)
        if update is None:
            return HookAnswer()
        if update.kind is Kind.TYPING:
            await self._community.types(update, receive)
            return HookAnswer()
        if (await self._intake.take(receive, update)).status != 200:
            self._refused = True
            return self._later()
        self._community.taken(update, receive)
        return HookAnswer()

    async def _is_ours(self, group: int) -> bool:
        """Whether a call is about our community; as long as VK does not say which that is, the secret is enough."""
        if self._community.group is None:
            with suppress(DeliveryFailed, TimeoutError):
                async with asyncio.timeout(ASK_SECONDS):
                    await self._community.id()
        return self._community.group in (None, group)

    async def _confirm(self) -> HookAnswer:
        try:
            if time.monotonic() > self._code_until:
                await self._community.id()
                self._code = str((await self._call("groups.getCallbackConfirmationCode"))["code"])
                self._code_until = time.monotonic() + CODE_SECONDS
        except (DeliveryFailed, LookupError, TypeError) as error:
            log.warning("vk_code_unknown", extra={"error": type(error).__name__})
        return HookAnswer(200, self._code) if self._code else self._later()

    def _later(self) -> HookAnswer:
        """Ask VK to come again, at a date: so its own libraries write it."""
        at = self._community.now() + timedelta(seconds=AGAIN_SECONDS)
        return HookAnswer(503, "later", {"retry-after": format_datetime(at, usegmt=True)})
