"""A shop's system that hangs is one that does not answer; one that answers in time is not touched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

import flows
from bot.clients.timed import TimedCrm
from bot.errors import CrmUnavailable

ACT = flows.Act(action="crm.cancel_order", args=(("order_number", "100"),))


class Hanging:
    """A CRM that answers when it is let."""

    actions = frozenset({"cancel_order"})

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.keys: list[str] = []

    async def fetch(self, lookup: flows.Lookup) -> Any:
        await self.go.wait()
        return {"id": "maria"}

    async def act(self, act: flows.Act, *, key: str) -> Mapping[str, Any]:
        self.keys.append(key)
        await self.go.wait()
        return {"ok": True}


@pytest.mark.parametrize(("source", "system"), [("customer", "crm"), ("orders", "crm"), ("tracking", "tracking")])
async def test_a_lookup_that_hangs_names_the_system_that_does_not_answer(source: str, system: str) -> None:
    with pytest.raises(CrmUnavailable) as caught:
        await TimedCrm(Hanging(), 0.01).fetch(flows.Lookup(source, (("number", "1"),)))
    assert caught.value.system == system


async def test_a_change_that_hangs_can_be_asked_for_again_under_its_key() -> None:
    crm = Hanging()
    timed = TimedCrm(crm, 0.01)
    with pytest.raises(CrmUnavailable):
        await timed.act(ACT, key="telegram:42|cancel:100")
    crm.go.set()
    assert await timed.act(ACT, key="telegram:42|cancel:100") == {"ok": True}
    assert crm.keys == ["telegram:42|cancel:100"] * 2


async def test_what_comes_in_time_passes_through() -> None:
    crm = Hanging()
    crm.go.set()
    timed = TimedCrm(crm, 60.0)
    assert timed.actions == {"cancel_order"}
    assert await timed.fetch(flows.Lookup("customer", (("phone", "1"),))) == {"id": "maria"}
