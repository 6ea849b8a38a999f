"""What a Telegram bot says of itself: its menu of commands, and the words above an empty chat and on its page."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.types import BotCommand

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Profile:
    """The pack's words about the bot. What is empty is left as it is."""

    commands: Mapping[str, str] = field(default_factory=dict)
    # command without slash -> what the menu says of it
    description: str = ""
    # 512 characters at most
    short_description: str = ""
    # 120 characters at most


async def introduce(bot: Bot, profile: Profile) -> None:
    """Bring what Telegram shows to what the profile says. What is so already is not set again: Telegram soon has enough
    of that. What fails is logged, and is not needed for anything.
    """
    for name, show in (
        ("commands", _show_commands), ("description", _show_description), ("short_description", _show_short),
    ):  # fmt: skip
        try:
            await show(bot, profile)
        except AiogramError as error:
            log.warning("telegram_profile_not_set", extra={"part": name, "error": type(error).__name__})


async def _show_commands(bot: Bot, profile: Profile) -> None:
    menu = {name: text[:256] for name, text in profile.commands.items()}
    if menu and {one.command: one.description for one in await bot.get_my_commands()} != menu:
        await bot.set_my_commands([BotCommand(command=name, description=text) for name, text in menu.items()])


async def _show_description(bot: Bot, profile: Profile) -> None:
    if profile.description and (await bot.get_my_description()).description != profile.description:
        await bot.set_my_description(profile.description)


async def _show_short(bot: Bot, profile: Profile) -> None:
    wanted = profile.short_description
    if wanted and (await bot.get_my_short_description()).short_description != wanted:
        await bot.set_my_short_description(wanted)
