"""What the forms of actions are made of: a request as it is now, and the desk around it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import htpy as h
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.console.fields import Filled
from bot.console.parts import Parts
from bot.console.seat import Seat
from bot.models import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a form is made of."""

    session: AsyncSession
    parts: Parts
    person: Seat
    request: Request
    now: datetime
    in_dialog: bool = True
    # shown in a page's dialog; otherwise as a page of its own

    @property
    def pack(self) -> flows.Pack:
        """The content."""
        return self.parts.pack

    @property
    def zone(self) -> ZoneInfo:
        """The shop's clock."""
        return self.pack.zone


Fields = Callable[[Around, Filled], Awaitable[list[h.Node]]]
Read = Callable[[Around, Mapping[str, str]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A dialog."""

    title: str
    button: str
    action: str
    # name of the function in `bot.desk`
    fields: Fields
    read: Read
    danger: bool = False
