"""A shop for benches: as many customers as wanted, known by their accounts, each with orders whose numbers are told apart.

`python -m bot.benches.shop run …` is `firstline run …` with that shop's systems: they can be told, from outside, to be down or
to hang, as a shop's own systems are at times.
"""

from __future__ import annotations

import asyncio
import json
import os
import runpy
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import flows
from bot import app
from bot.clients.crm_demo import DemoCrm
from bot.errors import CrmUnavailable

MOOD = "FIRSTLINE_BENCH_CRM"
"""Environment variable that names the file with the mood of the shop's systems."""
LOOK = 0.1
"""Seconds between two looks at the mood of a system that hangs."""
FIRST_ORDER = 50_001

Account = tuple[str, int]
"""Channel and chat."""


def write(path: Path, accounts: Sequence[Account], *, orders: int, agents: int = 2) -> dict[Account, list[str]]:
    """Write a shop file; return each account's order numbers.

    Its agents `agent-1` … are on shift and serve every queue that a bench's customers come to.
    """
    numbers, people, parcels = {}, [], []
    for place, (channel, chat) in enumerate(accounts):
        own = [str(FIRST_ORDER + place * orders + order) for order in range(orders)]
        numbers[channel, chat] = own
        people.append(
            {
                "id": f"c{place}", "full_name": "Иванова Мария Петровна", "phones": [f"+7999{place:07}"],
                "settlement": "Тула", "accounts": {channel: str(chat)},
            }
        )  # fmt: skip
        parcels += [
            {
                "number": number, "customer": f"c{place}", "status": "exported", "stage": "line_haul", "delivery": "post",
                "ordered_at": "-9d", "expected_arrival": "+3d", "carrier": "russian_post", "tracking": f"8008215{number}",
                "address": "Тула, ул. Садовая, 5", "items": [{"name": "Утюг", "price": 3190}],
            }
            for number in own
        ]  # fmt: skip
    desk = [
        {"name": f"agent-{one}", "title": f"Специалист {one}", "queues": ["general", "supervisor"], "on_shift": True}
        for one in range(1, agents + 1)
    ]
    shop = {"shop": {"name": "Лавка"}, "customers": people, "orders": parcels, "agents": desk}
    path.write_text(json.dumps(shop, ensure_ascii=False), "utf-8")  # JSON is YAML
    return numbers


class Mood:
    """The mood of the shop's systems, as a file that their clients in other processes look at."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def set(self, *, down: Collection[str] = (), hang: bool = False) -> None:
        """Say which systems refuse to answer from now on, and whether all of them hang."""
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps({"down": sorted(down), "hang": hang}), "utf-8")
        beside.replace(self.path)

    def get(self) -> dict[str, Any]:
        """The mood now; a good one when none was set."""
        try:
            said: dict[str, Any] = json.loads(self.path.read_bytes())
        except OSError:
            return {"down": [], "hang": False}
        return said


class MoodyCrm(DemoCrm):
    """The demo CRM, when it is in the mood."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._mood = Mood(Path(os.environ[MOOD]))

    async def fetch(self, lookup: flows.Lookup) -> Any:
        """Answer a lookup."""
        await self._in_the_mood()
        return await super().fetch(lookup)

    async def act(self, act: flows.Act, *, key: str) -> Mapping[str, Any]:
        """Make a change."""
        await self._in_the_mood()
        return await super().act(act, key=key)

    async def _in_the_mood(self) -> None:
        while (mood := self._mood.get())["hang"]:  # noqa: ASYNC110  a file tells nobody
            await asyncio.sleep(LOOK)
        if mood["down"]:
            raise CrmUnavailable(system=mood["down"][0])


def main() -> None:
    """Run the command with the moody CRM."""
    vars(app)["DemoCrm"] = MoodyCrm
    runpy.run_module("bot.cli", run_name="__main__")


if __name__ == "__main__":
    main()
