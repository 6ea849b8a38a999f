"""Files of Telegram: getFile, then the bytes. The address of a file holds the bot's token: it is never shown."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramRetryAfter
from aiohttp import ClientError

from bot.channels.telegram_api import Session
from bot.errors import Rejected, RetryLater

MOST_BYTES = 20 * 2**20
"""Telegram hands bots no bigger files."""
FILE_SECONDS = 300.0
SILENT_SECONDS = 20.0
PIECE = 64 * 2**10


async def fetch(bot: Bot, session: Session, ref: str) -> AsyncIterator[bytes]:
    """The bytes of a file, in pieces. Raises RetryLater, or Rejected when Telegram does not hand it out at all."""
    path = await _path(bot, ref)
    got = 0
    try:
        http = await session.create_session()
        limits = session.limits(FILE_SECONDS, silence=SILENT_SECONDS)
        async with http.get(session.api.file_url(bot.token, path), timeout=limits) as response:
            if response.status != 200:
                raise RetryLater(f"Telegram answers {response.status} instead of the file.", after=10.0)
            async for piece in response.content.iter_chunked(PIECE):
                got += len(piece)
                if got > MOST_BYTES:
                    raise Rejected("The file is bigger than Telegram hands out.")
                yield piece
    except (ClientError, TimeoutError) as error:
        raise RetryLater(f"The file broke off ({type(error).__name__}).", after=5.0) from None


async def _path(bot: Bot, ref: str) -> str:
    """Where Telegram keeps a file, for an hour."""
    try:
        file = await bot.get_file(ref)
    except TelegramRetryAfter as error:
        raise RetryLater("Telegram asks to wait.", after=float(error.retry_after)) from None
    except TelegramBadRequest as error:
        if "temporarily unavailable" in error.message:
            raise RetryLater("Telegram does not have the file now.", after=30.0) from None
        raise Rejected(f"Telegram does not hand out this file: {error.message}") from None
    except AiogramError as error:
        raise RetryLater(f"Telegram cannot be asked for the file ({type(error).__name__}).", after=5.0) from None
    if (file.file_size or 0) > MOST_BYTES:
        raise Rejected("The file is bigger than Telegram hands out.")
    if not file.file_path:
        raise Rejected("Telegram does not say where the file is.")
    return file.file_path
