"""What the desk's pages need of a process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

from starlette.requests import HTTPConnection

import flows
from bot.attention import Attention
from bot.channels import Channel
from bot.clients import Crm
from bot.clock import Clock
from bot.database import Sessions
from bot.file_store import FileStore
from bot.live import Live
from bot.settings import Settings
from bot.timeline import Desk


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The store, the content, the shop's systems, and what tells of changes."""

    sessions: Sessions
    desk: Desk
    live: Live
    clock: Clock
    crm: Crm
    files: FileStore
    settings: Settings
    channels: dict[str, Channel]
    attention: Attention = field(default_factory=lambda: Attention(channels={}))
    # shows customers that their agent writes

    @property
    def pack(self) -> flows.Pack:
        """The content."""
        return self.desk.pack


def parts_of(connection: HTTPConnection) -> Parts:
    """The parts of the process that a page is asked of."""
    return cast(Parts, connection.app.state.console)
