"""What one process consists of, as its HTTP pages need to know it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncEngine

from bot import console
from bot.channels import Channel, Receive
from bot.roles import EVERYTHING

Models = Callable[[], Awaitable[Mapping[str, str | None]]]
"""Asks each NLU service: address -> the model in use, None when it does not answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """A process. What a role has no use for keeps its default."""

    roles: Collection[str] = EVERYTHING
    engine: AsyncEngine
    channels: Mapping[str, Channel] = field(default_factory=dict)
    receive: Receive | None = None
    # None: this process takes no updates
    nlu: Models | None = None
    webhooks: bool = False
    # the messengers call us: a channel that fetches nothing is no sign of trouble
    console: console.Parts | None = None
    # None: no desk here
    stalled: float = 20.0
    # seconds after which a worker without a sign of life counts as dead
