"""`firstline channels`: what an operator is told of the tokens, from servers that speak the messengers' protocols."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from bot import programs
from bot.errors import SettingsInvalid
from bot.settings import Settings
from bot.standins.telegram import TelegramServer
from bot.standins.vk import VkServer


async def told(settings: Settings) -> tuple[int, list[str]]:
    """The exit status, and what was printed."""
    out = io.StringIO()
    status = await programs.channels(settings, Console(file=out, width=200))
    return status, out.getvalue().splitlines()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, _env_file=None)  # type: ignore[call-arg]  a setting of pydantic's own


async def test_each_messenger_says_whose_token_it_is(settings: Settings) -> None:
    async with TelegramServer() as telegram, VkServer() as vk:
        vk.rights = {"messages"}
        both = settings.model_copy(
            update={
                "telegram_token": SecretStr(telegram.token), "telegram_api_base": telegram.url,
                "vk_token": SecretStr(vk.token), "vk_api_base": vk.url,
            }
        )  # fmt: skip
        telegram.writes(1, "жду")
        status, lines = await told(both)
    assert status == 0
    assert lines == [
        "telegram: @stand_in_bot (bot), long polling, updates that wait: 1",
        "vk: «Лавка» (vk.com/lavka), the token lacks: docs, manage, photos",
    ]


async def test_a_refused_token_is_told_and_the_other_messenger_is_asked_all_the_same(settings: Settings) -> None:
    async with TelegramServer() as telegram, VkServer() as vk:
        wrong = settings.model_copy(
            update={
                "telegram_token": SecretStr("1000:wrong"), "telegram_api_base": telegram.url,
                "vk_token": SecretStr(vk.token), "vk_api_base": vk.url,
            }
        )  # fmt: skip
        status, lines = await told(wrong)
    assert status == 1
    assert lines == ["telegram: Telegram refuses the token.", "vk: «Лавка» (vk.com/lavka)"]


async def test_without_a_token_it_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_TELEGRAM_TOKEN"):
        await programs.channels(settings, Console(file=io.StringIO()))
