"""Files that go out by Telegram: a photo or a document, with the words as its caption."""

from __future__ import annotations

from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BufferedInputFile, Message, ReplyKeyboardRemove

from bot.channels import MOST_CAPTION, OutFile
from bot.errors import Rejected

MOST_PHOTO = 10 * 2**20
MOST_FILE = 50 * 2**20
"""Bytes that Telegram takes of a bot."""
SECONDS = 60
_NO_PHOTO = (
    "photo_invalid_dimensions",
    "image_process_failed",
    "photo_save_file_invalid",
    "wrong type of the web page",
)
# 400 answers to a picture that is none for Telegram: too long, too narrow, broken; as a document it is taken


async def send_file(bot: Bot, chat: int, file: OutFile, caption: str) -> Message:
    """Send a file. Raises Rejected for what Telegram never takes, and aiogram's errors."""
    if not file.data or len(file.data) > MOST_FILE:
        raise Rejected(f"Telegram takes files of 1 to {MOST_FILE} bytes.")
    if len(caption) > MOST_CAPTION:
        raise Rejected(f"A caption has {MOST_CAPTION} characters at the most.")
    given = BufferedInputFile(file.data, filename=file.name)
    words, keys = caption or None, ReplyKeyboardRemove(remove_keyboard=True)
    if file.kind == "photo" and len(file.data) <= MOST_PHOTO:
        try:
            return await bot.send_photo(chat, given, caption=words, reply_markup=keys, request_timeout=SECONDS)
        except TelegramBadRequest as error:
            if not any(one in error.message.lower() for one in _NO_PHOTO):
                raise
    return await bot.send_document(chat, given, caption=words, reply_markup=keys, request_timeout=SECONDS)
