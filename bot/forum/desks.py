"""All of the Telegram desk in one process: taking in, obeying, showing, looking after what was left behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from bot.channels import Incoming
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import FirstlineError
from bot.fetching import Files
from bot.forum import intake, orders
from bot.forum.api import Api
from bot.forum.board import Forum, Limits
from bot.forum.groups import groups
from bot.settings import Settings
from bot.timeline import Desk

KEPT = timedelta(days=30)
"""How long it is remembered what was written in the groups: longer than a request is likely to come back."""
WORKERS = 2
"""Groups whose agents one process obeys at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramDesks:
    """The groups of the setting FIRSTLINE_TELEGRAM_DESKS."""

    sessions: Sessions
    clock: Clock
    desk: Desk
    api: Api
    orders: orders.Orders
    forum: Forum

    @classmethod
    def of(
        cls, settings: Settings, *, address: str, sessions: Sessions, desk: Desk, clock: Clock, files: Files
    ) -> Self | None:
        """As the settings say; None when there are no groups. SettingsInvalid when one cannot be."""
        if settings.telegram_token is None or not settings.telegram_desks:
            return None
        known = groups(settings.telegram_desks, desk.pack)
        api = Api(settings.telegram_token.get_secret_value(), api_base=settings.telegram_api_base)
        return cls(
            sessions=sessions, clock=clock, desk=desk, api=api,
            orders=orders.Orders(
                sessions=sessions, desk=desk, clock=clock, api=api, groups=known, channels=files.channels, store=files.store,
                file_bytes=files.limits.file,
            ),
            forum=Forum(
                address=address, sessions=sessions, pack=desk.pack, clock=clock, api=api, groups=known, store=files.store,
                limits=Limits(settings.telegram_desk_per_minute),
            ),
        )  # fmt: skip

    async def take_in(self, session: AsyncSession, incoming: Incoming) -> None:
        """Store what somebody wrote or pressed in a group."""
        await intake.take_in(session, self.desk.jobs, incoming)

    async def obey(self, chat: int) -> None:
        """Do what was written in a group (a job)."""
        await orders.obey(self.orders, chat)

    async def run(self) -> None:
        """Keep the topics until cancelled."""
        await self.forum.run()

    async def look_after(self) -> None:
        """Give what was left behind a job again, and forget what is old."""
        async with self.sessions.begin() as session:
            await intake.recover(session, self.desk.jobs)
            await intake.forget(session, before=self.clock.now() - KEPT)

    async def close(self) -> None:
        """Close the connections."""
        await self.api.close()


async def about(settings: Settings) -> list[tuple[str, bool]]:
    """What an operator is told of each group, and whether work is possible in it."""
    if settings.telegram_token is None:
        return []
    api = Api(settings.telegram_token.get_secret_value(), api_base=settings.telegram_api_base)
    told: list[tuple[str, bool]] = []
    try:
        for chat, queues in settings.telegram_desks.items():
            try:
                rights = await api.rights(str(chat))
            except FirstlineError as error:
                told.append((f"telegram desk {chat}: {error}", False))
                continue
            wrong = [*rights.lacks, *rights.remarks]
            state = "; ".join(wrong) if wrong else "the bot may do all that is needed"
            told.append((f"telegram desk {chat} «{rights.title}» ({', '.join(queues)}): {state}", not rights.lacks))
    finally:
        await api.close()
    return told
