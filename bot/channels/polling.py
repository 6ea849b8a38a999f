"""What both messengers' loops share: patience with the store, and pauses that grow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from bot.channels import Incoming, Receive
from bot.errors import StoreUnavailable

log = logging.getLogger(__name__)
T = TypeVar("T")

POISON_TRIES = 6
# an update that cannot be taken for a reason of its own is left out after so many, so that it does not stop all others
PASSING = (StoreUnavailable, OSError, OperationalError, InterfaceError, PoolTimeout)
# the store is away: it comes back, and nothing may be left out meanwhile


class Pause:
    """A wait that doubles from `first` to `most` seconds until something goes well."""

    def __init__(self, first: float = 1.0, most: float = 30.0) -> None:
        self._first, self._most = first, most
        self._next = first

    async def wait(self, at_least: float = 0.0) -> None:
        """Wait, and longer the next time."""
        seconds = max(self._next, at_least)
        self._next = min(self._next * 2, self._most)
        await asyncio.sleep(seconds)

    def reset(self) -> None:
        """Things go well: the next wait is short again."""
        self._next = self._first


async def insist(action: Callable[[], Awaitable[T]], *, pause: Pause) -> T:
    """Do something with the store, again and again while it is away. Other errors pass through."""
    while True:
        try:
            result = await action()
        except PASSING as error:
            log.warning("store_away", extra={"error": type(error).__name__})
            await pause.wait()
        else:
            pause.reset()
            return result


async def hand_over(receive: Receive, update: Incoming, *, pause: Pause) -> None:
    """Give an update to `receive` until it is stored. One that fails for a reason of its own is left out in the end."""
    for tries in range(1, POISON_TRIES + 1):
        try:
            await insist(lambda: receive(update), pause=pause)
        except Exception as error:
            ids = {"channel": update.channel, "external_id": update.external_id, "error": type(error).__name__}
            if tries == POISON_TRIES:
                log.error("update_left_out", extra=ids, exc_info=error)
            else:
                log.warning("update_failed", extra={**ids, "tries": tries})
                await pause.wait()
        else:
            break
    pause.reset()
