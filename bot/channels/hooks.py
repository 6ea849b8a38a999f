"""What both messengers' webhooks share: the answer that makes a messenger's server repeat an update, or not."""

from __future__ import annotations

import logging
from collections import OrderedDict

from bot.channels import HookAnswer, Incoming, Receive
from bot.channels.polling import PASSING, POISON_TRIES

log = logging.getLogger(__name__)

AGAIN_SECONDS = 3
"""The messenger is asked to repeat after so long while the store is away: soon after it is back all is read."""
_REMEMBERED = 1000


class Intake:
    """Stores updates of webhooks, and tells when to repeat them.

    Messengers keep the order of a chat by repeating an update until it is taken, for a day. So one that fails for a
    reason of its own is left out in the end, and its chat goes on. What failed how often is counted in this process.
    """

    def __init__(self) -> None:
        self._failed: OrderedDict[str, int] = OrderedDict()

    async def take(self, receive: Receive, update: Incoming) -> HookAnswer:
        """Give an update to `receive`. Status 200 only when it is stored or left out for good."""
        ids = {"channel": update.channel, "external_id": update.external_id}
        try:
            await receive(update)
        except PASSING as error:
            log.warning("store_away", extra={**ids, "error": type(error).__name__})
            return HookAnswer(503, "later", {"Retry-After": str(AGAIN_SECONDS)})
        except Exception as error:
            tries = self._failed.pop(update.external_id, 0) + 1
            if tries < POISON_TRIES:
                self._failed[update.external_id] = tries
                while len(self._failed) > _REMEMBERED:
                    self._failed.popitem(last=False)
                log.warning("update_failed", extra={**ids, "error": type(error).__name__, "tries": tries})
                return HookAnswer(500, "failed")
            log.error("update_left_out", extra={**ids, "error": type(error).__name__}, exc_info=error)
            return HookAnswer()
        self._failed.pop(update.external_id, None)
        return HookAnswer()
