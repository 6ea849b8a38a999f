"""Calls of VK's API: vk_api in threads, several at a time, and what VK refuses in our terms.

A `VkApi` makes one call at a time and waits for its answer with its lock held, so each call here has one of a few to
itself: an answer that hangs holds up nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import requests
from jconfig import MemoryConfig  # type: ignore[import-untyped]
from requests.adapters import HTTPAdapter
from vk_api import VkApiGroup
from vk_api.exceptions import TOO_MANY_RPS_CODE, ApiError, ApiHttpError, Captcha, VkApiError

from bot.errors import ChannelStopped, DeliveryFailed, Rejected, RetryLater, Unreachable

VERSION = "5.199"
_VK_API = "https://api.vk.ru/"
# the address that stands in vk_api's code

_LATER = {1: 5.0, TOO_MANY_RPS_CODE: 1.0, 9: 60.0, 10: 5.0, 13: 5.0, 29: 300.0, 32: 5.0, 36: 5.0, 43: 60.0, 995: 30.0}
# code -> seconds to wait; the same random_id makes a repetition harmless
_WHOSE: Mapping[int, Literal["message", "chat", "channel"]] = {9: "chat", TOO_MANY_RPS_CODE: "channel", 29: "channel"}
# too much was sent to this customer, or by the community
_GONE = {7, 18, 30, 113, 900, 901, 902, 917, 936, 945, 946, 1017}
# this customer cannot be written to
_STOPPED = {2, 4, 5, 15, 16, 17, 20, 23, 24, 25, 27, 28, 34, 35, 38, 40, 42, 203, 915, 916}
# the token, its rights or the community's messages: nothing goes out until somebody has looked
RIGHT_MISSING = {7, 15, 20, 27}
"""Of these the ones that say that the token lacks a right to a method."""


class VkCalls:
    """A few clients of one token, each for one call at a time."""

    def __init__(self, token: str, *, api_base: str, seconds: float, clients: int, per_second: float = 20.0) -> None:
        """Make the clients.

        seconds: how long VK may be silent
        clients: so many calls at the same time
        per_second: so many calls are begun in a second at the most; VK allows a community 20 in all
        """
        self._seconds, self._every = seconds, 1 / per_second
        self._threads = ThreadPoolExecutor(clients, thread_name_prefix="vk")
        self._all = [_client(token, api_base, seconds) for _ in range(clients)]
        self._free: asyncio.LifoQueue[VkApiGroup] = asyncio.LifoQueue()
        for client in self._all:
            self._free.put_nowait(client)
        self._next = 0.0
        # time.monotonic of the next call

    async def __call__(self, method: str, values: Mapping[str, Any], *, sending: bool = False) -> Any:
        """Make a call and return its `response`. Raises RetryLater, Rejected or ChannelStopped; `sending`: Unreachable too."""
        try:
            async with asyncio.timeout(self._seconds * 2):
                return await self._made(method, dict(values))
        except TimeoutError as error:
            raise RetryLater("VK does not answer in time.", after=1.0) from error
        except (VkApiError, requests.RequestException, ValueError, LookupError, TypeError) as error:
            raise failure(error, sending=sending) from error

    async def _made(self, method: str, values: dict[str, Any]) -> Any:
        client = await self._free.get()
        try:
            now = time.monotonic()
            self._next = max(self._next, now) + self._every
            await asyncio.sleep(self._next - self._every - now)
            thread = asyncio.get_running_loop().run_in_executor(self._threads, client.method, method, values)
        except BaseException:
            self._free.put_nowait(client)
            raise
        # whoever waits may give up; the client is free again only when its call has ended
        thread.add_done_callback(lambda done: self._free.put_nowait(client))
        thread.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(thread)

    def close(self) -> None:
        """Close the connections."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for client in self._all:
            client.http.close()


def _client(token: str, api_base: str, seconds: float) -> VkApiGroup:
    session = requests.Session()
    session.trust_env = False
    session.headers["User-Agent"] = "firstline"
    session.mount(_VK_API, _Redirect(api_base, timeout=seconds))
    client = VkApiGroup(token=token, session=session, config=MemoryConfig, api_version=VERSION)
    client.RPS_DELAY = 0.0  # the pace is kept for all clients together
    later: Callable[[Exception], None] = lambda error: None  # noqa: E731  raised to us, not repeated without end
    client.error_handlers[TOO_MANY_RPS_CODE] = later
    return client


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


def failure(error: Exception, *, sending: bool) -> DeliveryFailed:
    """Put an error of vk_api into our terms."""
    match error:
        case Captcha():
            return ChannelStopped("VK wants a captcha solved.")
        case ApiError() if error.code in _LATER:
            of = _WHOSE.get(error.code) or "message"
            return RetryLater(f"VK asks to wait (error {error.code}).", after=_LATER[error.code], of=of)
        case ApiError() if error.code in _STOPPED:
            return ChannelStopped(f"VK refuses the token (error {error.code}).")
        case ApiError() if error.code in _GONE and sending:
            return Unreachable(f"VK does not let us write to the customer (error {error.code}).")
        case ApiError() if error.code == 7:
            return ChannelStopped("VK refuses the token (error 7).")
        case ApiError():
            return Rejected(f"VK refuses the call (error {error.code}).")
        case ApiHttpError():
            return RetryLater(f"VK answers with status {error.response.status_code}.", after=5.0)
    return RetryLater(f"VK cannot be reached ({type(error).__name__}).", after=5.0)
