"""The messengers of the settings, and how fast messages may go out to them."""

from __future__ import annotations

import hashlib

import flows
from bot import pace
from bot.channels import Channel, OffsetStore
from bot.settings import Settings


def paces(settings: Settings) -> dict[str, pace.Limits]:
    """How fast messages may go out, by messenger."""
    chat = settings.telegram_chat_seconds
    return {
        "telegram": pace.Limits(seconds=1 / settings.telegram_per_second, chat_seconds=chat),
        "vk": pace.Limits(seconds=1 / settings.vk_per_second, burst=2),
    }


def messengers(settings: Settings, pack: flows.Pack, offsets: OffsetStore) -> list[tuple[Channel, str]]:
    """The messengers whose tokens are set, each with what names its bot. What their menus and buttons say is the pack's."""
    words = pack.manifest.settings
    commands: dict[str, str] = dict(words.get("commands") or {})
    made: list[tuple[Channel, str]] = []
    # imported where they are used: aiogram alone takes seconds that a talk in the terminal need not wait for
    if settings.telegram_token is not None:
        from bot.channels.telegram import TelegramChannel

        token = settings.telegram_token.get_secret_value()
        telegram = TelegramChannel(
            token, offsets, api_base=settings.telegram_api_base, public_url=settings.public_url, commands=commands,
            deep_links=words.get("deep_links"), description=words.get("description", ""),
            short_description=words.get("short_description", ""), contact_title=words.get("contact_title"),
            desks=settings.telegram_desks,
        )  # fmt: skip
        made.append((telegram, token.partition(":")[0]))
    if settings.vk_token is not None:
        from bot.channels.vk import VkChannel

        token = settings.vk_token.get_secret_value()
        vk = VkChannel(
            token, offsets, api_base=settings.vk_api_base, public_url=settings.public_url, commands=commands,
            deep_links=words.get("deep_links"),
        )  # fmt: skip
        made.append((vk, hashlib.sha256(token.encode()).hexdigest()))
    return made
