"""VK: vk_api for calls, made in threads, around a long-poll loop of our own.

VkBotLongPoll moves its `ts` before the events are handled and forgets it at a restart (design, T1); here `ts` moves, and
is stored, only after `receive` has returned for all of an answer's events.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import requests
from jconfig import MemoryConfig  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from vk_api import VkApiGroup
from vk_api.exceptions import TOO_MANY_RPS_CODE, ApiError, ApiHttpError, Captcha, VkApiError

from bot.channels import Channel, Incoming, OffsetStore, Outgoing, Receive, split
from bot.channels.polling import Pause, hand_over, insist
from bot.channels.vk_events import incoming, keyboard, with_numbered
from bot.errors import ChannelStopped, DeliveryFailed, Rejected, RetryLater, Unreachable

log = logging.getLogger(__name__)

BASE = "https://api.vk.ru"
VERSION = "5.199"
POLL_SECONDS = 25
# how long VK may keep an empty answer open; 90 at most
CALL_SECONDS = 10.0
# how long any other call may take
SESSION_SECONDS = 6 * 3600.0
# a long-poll session is renewed so often: old ones have been seen to lose presses without a word
NAMES = 10_000
# so many customers' names are remembered
_VK_API = "https://api.vk.ru/"
# the address that stands in vk_api's code
_LATER = {1: 5.0, TOO_MANY_RPS_CODE: 1.0, 9: 60.0, 10: 5.0, 29: 300.0}
# code -> seconds to wait; the same random_id makes a repetition harmless
_GONE = {7, 18, 900, 901, 902}
_STOPPED = {5, 15, 17, 27, 28}


class VkChannel(Channel):
    """The VK community of one token."""

    name = "vk"

    def __init__(
        self,
        token: str,
        offsets: OffsetStore,
        *,
        api_base: str = BASE,
        group: int | None = None,
        commands: Mapping[str, str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: int = POLL_SECONDS,
        call_seconds: float = CALL_SECONDS,
        pause: Callable[[], Pause] = Pause,
    ) -> None:
        """Make the channel.

        group: the community's id; None asks VK whose token it is
        commands: payload's command ("start": the button of an empty chat) -> the words that it stands for
        """
        self._token, self._api_base, self._call_seconds = token, api_base, call_seconds
        self._sender, self._asker = self._client(), self._client()
        # one call at a time each: an answer that hangs in one does not hold up the other
        self._offsets, self._group = offsets, group
        self._commands, self._now = dict(commands or {}), now
        self._poll_seconds, self._pause = poll_seconds, pause
        self._salt: int | None = None
        self._names: dict[str, str | None] = {}
        self._answers: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close the connections."""
        self._sender.http.close()
        self._asker.http.close()

    def _client(self) -> VkApiGroup:
        session = requests.Session()
        session.trust_env = False
        session.headers["User-Agent"] = "firstline"
        session.mount(_VK_API, _Redirect(self._api_base, timeout=self._call_seconds))
        client = VkApiGroup(token=self._token, session=session, config=MemoryConfig, api_version=VERSION)
        client.error_handlers[TOO_MANY_RPS_CODE] = lambda error: None  # raised to us, not repeated without end
        return client

    # ---------------------------------------------------------------------------------------------- receiving
    async def run(self, receive: Receive) -> None:
        """Fetch, hand over, move `ts`; until cancelled, or ChannelStopped when the token is refused."""
        pause = self._pause()
        group = await self._persist("groups.getById", self._own_group, pause)
        key = f"vk:{group}"
        stored = await insist(lambda: self._offsets.load(key), pause=pause)
        poll: _Poll | None = None
        async with httpx.AsyncClient(timeout=self._poll_seconds + self._call_seconds, trust_env=False) as http:
            while True:
                if poll is None or poll.made + SESSION_SECONDS < time.monotonic():
                    poll = await self._persist("groups.getLongPollServer", lambda: self._server(group), pause)
                    if stored is None:  # the first start, or all was lost: from now on nothing is missed
                        stored = await self._save(key, poll.ts, pause)
                    poll.ts = stored
                try:
                    answer = await self._ask(http, poll)
                except (httpx.HTTPError, ValueError) as error:
                    log.warning("vk_fetch_failed", extra={"error": type(error).__name__})
                    await pause.wait()
                    if not isinstance(error, httpx.TimeoutException):
                        poll = None  # the server may have moved
                    continue
                match answer.get("failed"):
                    case None:
                        pause.reset()
                    case 1:
                        log.warning("vk_history_lost", extra={"ts": poll.ts})
                        stored = poll.ts = await self._save(key, str(answer["ts"]), pause)
                        continue
                    case failed:  # 2: the key has run out; 3: all of it is lost
                        if failed != 2:
                            log.warning("vk_history_lost", extra={"ts": poll.ts})
                            stored = None
                        poll = None
                        await pause.wait()
                        continue
                await self._take(answer["updates"], receive, pause)
                if str(answer["ts"]) != stored:
                    stored = poll.ts = await self._save(key, str(answer["ts"]), pause)

    async def _save(self, key: str, ts: str, pause: Pause) -> str:
        await insist(lambda: self._offsets.save(key, ts), pause=pause)
        return ts

    async def _take(self, events: list[Any], receive: Receive, pause: Pause) -> None:
        for event in events:
            try:
                update = incoming(event, now=self._now(), commands=self._commands)
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                log.warning("vk_event_unreadable", extra={"error": type(error).__name__})
                continue
            if update is not None:
                await hand_over(receive, await self._named(update), pause=pause)
                if update.answer is not None:
                    self._answer(update)

    async def _ask(self, http: httpx.AsyncClient, poll: _Poll) -> dict[str, Any]:
        """Wait for news. ValueError when the answer is none of VK's."""
        query = {"act": "a_check", "key": poll.key, "ts": poll.ts, "wait": str(self._poll_seconds)}
        response = await http.get(poll.url, params=query)
        response.raise_for_status()
        answer = response.json()
        if not isinstance(answer, dict) or not ("failed" in answer or ("ts" in answer and "updates" in answer)):
            raise ValueError("This is no answer of a long-poll server.")
        return answer

    async def _persist(self, method: str, call: Callable[[], Any], pause: Pause) -> Any:
        """Make a call that the loop cannot do without, again and again; ChannelStopped when the token is refused."""
        while True:
            try:
                result = await call()
            except (ChannelStopped, Unreachable) as error:
                raise ChannelStopped(f"VK refuses the token ({method}).") from error
            except DeliveryFailed as error:
                log.warning("vk_call_failed", extra={"method": method, "why": str(error)})
                await pause.wait(error.after if isinstance(error, RetryLater) else 0.0)
            else:
                pause.reset()
                return result

    async def _own_group(self) -> int:
        if self._group is None:
            answer = await self._call(self._asker, "groups.getById", {})
            groups = answer["groups"] if isinstance(answer, dict) else answer
            self._group = int(groups[0]["id"])
        return self._group

    async def _server(self, group: int) -> _Poll:
        answer = await self._call(self._asker, "groups.getLongPollServer", {"group_id": group})
        return _Poll(url=str(answer["server"]), key=str(answer["key"]), ts=str(answer["ts"]), made=time.monotonic())

    async def _named(self, update: Incoming) -> Incoming:
        """Add the customer's name, which VK's events lack; without it when VK does not say."""
        if update.chat not in self._names:
            if len(self._names) >= NAMES:
                self._names.clear()
            self._names[update.chat] = None
            with suppress(DeliveryFailed, LookupError, TypeError):
                [user] = await self._call(self._asker, "users.get", {"user_ids": update.chat})
                self._names[update.chat] = f"{user['first_name']} {user['last_name']}".strip() or None
        return update.called(self._names[update.chat])

    def _answer(self, update: Incoming) -> None:
        """Stop the button's spinner, apart from the loop; VK waits a minute for it."""

        async def answer() -> None:
            values = {"event_id": update.answer, "user_id": update.chat, "peer_id": update.chat}
            with suppress(DeliveryFailed):
                await self._call(self._asker, "messages.sendMessageEventAnswer", values)

        task = asyncio.create_task(answer())
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    # ---------------------------------------------------------------------------------------------- sending
    async def send(self, message: Outgoing) -> str:
        """Send a message, in pieces when it is too long, and return VK's id of the last.

        Whatever happens, the same message may be sent again: VK shows the same `random_id` once.
        """
        pieces = split(with_numbered(message))
        if not pieces:
            raise Rejected("VK takes no empty text.")
        sent = ""
        for number, text in enumerate(pieces):
            values = {"peer_id": message.chat, "message": text, "random_id": await self._random_id(message.id, number)}
            if number == len(pieces) - 1 and (buttons := keyboard(message)) is not None:
                values["keyboard"] = json.dumps(buttons, ensure_ascii=False)
            sent = str(await self._call(self._sender, "messages.send", values))
        return sent

    async def _random_id(self, message: int, piece: int) -> int:
        """VK's idempotency key (int32, not 0) of a piece of a message: negative for all but the first.

        VK remembers keys for longer than a database may live; the installation's own salt keeps the messages of a new
        database from being taken for repetitions of an old one's.
        """
        if self._salt is None:
            stored = await self._offsets.load("vk:salt")
            if stored is None:
                stored = str(secrets.randbits(31))
                await self._offsets.save("vk:salt", stored)
            self._salt = int(stored)
        if piece:
            return -(((message * 64 + piece) ^ self._salt) % (2**31 - 1) + 1)
        return (message ^ self._salt) % (2**31 - 1) + 1

    async def _call(self, client: VkApiGroup, method: str, values: dict[str, Any]) -> Any:
        """Call VK in a thread; what it refuses, and its silence, in our terms."""
        try:
            return await asyncio.to_thread(client.method, method, values)
        except (VkApiError, requests.RequestException, ValueError, LookupError) as error:
            raise _failure(error, sending=client is self._sender) from error


@dataclass(slots=True)
class _Poll:
    """Where to ask for news, and from when."""

    url: str
    key: str
    ts: str
    made: float
    # time.monotonic


class _Redirect(HTTPAdapter):
    """Sends vk_api's calls to the configured address, and lets none of them wait for ever."""

    def __init__(self, base: str, *, timeout: float) -> None:
        self._base, self._timeout = base.rstrip("/") + "/", timeout
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request of vk_api's."""
        assert request.url is not None
        request.url = self._base + request.url.removeprefix(_VK_API)
        kwargs["timeout"] = self._timeout
        return super().send(request, *args, **kwargs)


def _failure(error: Exception, *, sending: bool) -> DeliveryFailed:
    """Put an error of vk_api into our terms."""
    match error:
        case Captcha():
            return ChannelStopped("VK wants a captcha solved.")
        case ApiError() if error.code in _LATER:
            return RetryLater(f"VK asks to wait (error {error.code}).", after=_LATER[error.code])
        case ApiError() if error.code in _STOPPED or (error.code in _GONE and not sending):
            return ChannelStopped(f"VK refuses the token (error {error.code}).")
        case ApiError() if error.code in _GONE:
            return Unreachable(f"VK does not let us write to the customer (error {error.code}).")
        case ApiError():
            return Rejected(f"VK refuses this message (error {error.code}).")
        case ApiHttpError():
            return RetryLater(f"VK answers with status {error.response.status_code}.", after=5.0)
    return RetryLater(f"VK cannot be reached ({type(error).__name__}).", after=5.0)
