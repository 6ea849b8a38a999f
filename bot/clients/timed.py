"""A limit on how long the shop's systems may take: one that hangs is one that does not answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import flows
from bot.clients import Crm
from bot.errors import CrmUnavailable


class TimedCrm:
    """A `Crm` whose every call ends within so many seconds, whatever client is behind it.

    What becomes of a change that took longer is not known: it is asked for again under the same key, which the CRM knows.
    """

    def __init__(self, crm: Crm, seconds: float) -> None:
        self._crm, self._seconds = crm, seconds
        self.actions = crm.actions

    async def fetch(self, lookup: flows.Lookup) -> Any:
        """Answer a lookup; CrmUnavailable when it takes too long."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._crm.fetch(lookup)
        except TimeoutError as error:
            raise CrmUnavailable(system="tracking" if lookup.source == "tracking" else "crm") from error

    async def act(self, act: flows.Act, *, key: str) -> Mapping[str, Any]:
        """Make a change, once per key; CrmUnavailable when it takes too long."""
        try:
            async with asyncio.timeout(self._seconds):
                return await self._crm.act(act, key=key)
        except TimeoutError as error:
            raise CrmUnavailable(system="crm") from error
