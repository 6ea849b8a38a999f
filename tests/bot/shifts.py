"""What the tests of queues and shifts have in common: the workshop with other queues, and a look at who has what."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update

import flows
from bot.models import Agent, Request, RequestEvent
from tests.bot.world import MINI, World


def workshop(**queues: dict[str, Any]) -> flows.Pack:
    """The mini pack, its queues with other fields: `workshop(desk={"assign": …})`."""
    pack = flows.load(MINI)
    made = {name: pack.queues[name].model_copy(update=fields) for name, fields in queues.items()}
    return pack.model_copy(update={"queues": {**pack.queues, **made}})


GIVEN = {"assign": flows.Assign.LEAST_LOADED}


async def change(world: World, name: str, **fields: Any) -> None:
    """Change an agent's row."""
    async with world.sessions.begin() as session:
        await session.execute(update(Agent).where(Agent.name == name).values(**fields))


async def whose(world: World) -> dict[str, str | None]:
    """Who has which request: number -> agent's name."""
    async with world.sessions() as session:
        found = await session.execute(
            select(Request.number, Agent.name).outerjoin(Agent, Agent.id == Request.agent_id).order_by(Request.id)
        )
        return {row.number: row.name for row in found}


async def timeline(world: World, number: str = "T-1001") -> list[tuple[str, str | None]]:
    """What happened to a request: kinds with agents."""
    request = await world.request(number)
    events = await world.rows(
        select(RequestEvent).where(RequestEvent.request_id == request.id).order_by(RequestEvent.id)
    )
    return [(one.kind, one.agent) for one in events]
