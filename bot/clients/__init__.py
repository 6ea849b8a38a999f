"""Clients: the systems that the bot asks. Each turns foreign failures into ours once, and has its own timeout.

Through these protocols the assistant works with a shop's own systems (BOT-03); nothing else of the bot knows a CRM.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import flows


class Nlu(Protocol):
    """Reads customers' words."""

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        """Read the words of one turn; `now` (aware) gives relative dates their meaning. Raises NluUnavailable."""
        ...


class Crm(Protocol):
    """The shop's own systems: what they know, and what they can be asked to do.

    `fetch` answers these lookups with JSON-like values, dates as absolute ISO 8601 texts:

    customer {account | phone | order | full_name}: a card {id, full_name, phones, settlement, flags, loyalty_card,
        manager, bank_user ("yes", "no" or None), block, accrual_required}, or None; namesakes are None, too
    orders {customer}: a list, newest first; see `bot.clients.shop_views.order_view` for the keys
    returns {customer}: a list of {order, sent_at, tracking}
    requests {customer}: earlier contacts, newest last
    tracking {number}: {expected_arrival, bought_out_at}, or None
    goods {}: a list of what can be ordered
    """

    actions: frozenset[str]
    # names of the changes it can make, without "crm."

    async def fetch(self, lookup: flows.Lookup) -> Any:
        """Answer a lookup; None when there is no such thing. Raises CrmUnavailable(system="crm" or "tracking")."""
        ...

    async def act(self, act: flows.Act, *, key: str) -> Mapping[str, Any]:
        """Make a change, once per key: {"ok": whether the CRM did it, …}. Raises CrmUnavailable."""
        ...
