"""Calls of the Telegram Bot API: how long they may take, and their errors in our terms.

No error of ours carries one of aiogram's or aiohttp's with it: their words may hold the address of a call, and that holds
the bot's token.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    RestartingTelegram,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramEntityTooLarge,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.methods.base import TelegramType
from aiohttp import ClientConnectorError, ClientTimeout, ConnectionTimeoutError

from bot.errors import ChannelStopped, DeliveryFailed, DeliveryUnknown, Rejected, RetryLater, Unreachable

TOKEN_REFUSED = (TelegramUnauthorizedError, TelegramNotFound)
"""How Telegram answers a token that it does not know (any more)."""
_GONE = ("chat not found", "user not found", "deactivated", "peer_id_invalid", "bot can't initiate", "user_is_blocked")
# 400 answers that mean the customer, not the text


class Session(AiohttpSession):
    """aiogram's session with a limit of its own for connecting: what was never sent may be sent again, safely."""

    def __init__(self, base: str, *, seconds: float) -> None:
        """`seconds`: how long a call may take in all, if it does not say otherwise; half of it to connect."""
        super().__init__(api=TelegramAPIServer.from_base(base), timeout=seconds)
        self._connect = seconds / 2

    def limits(self, total: float | None = None, *, silence: float | None = None) -> ClientTimeout:
        """The time limits of a call, in seconds. `silence`: the longest wait for the next bytes."""
        return ClientTimeout(total=total or self.timeout, connect=self._connect, sock_read=silence)

    async def make_request(
        self,
        bot: Bot,
        method: TelegramMethod[TelegramType],
        timeout: int | None = None,  # noqa: ASYNC109
    ) -> TelegramType:
        """Make a call; aiogram hands the limits on to aiohttp as they are."""
        limits: Any = self.limits(timeout)
        return await super().make_request(bot, method, timeout=limits)


def sent_anyway(error: ClientDecodeError) -> str:
    """The id of a message that was sent: Telegram said "ok" in a shape that this aiogram does not know. Else DeliveryUnknown."""
    with suppress(TypeError, LookupError):
        if error.data["ok"]:
            return str(error.data["result"]["message_id"])
    raise DeliveryUnknown("Telegram's answer cannot be read.") from None


def failure(error: AiogramError) -> DeliveryFailed:
    """Put a refusal of Telegram, or its silence, into our terms."""
    match error:
        case TelegramRetryAfter():
            return RetryLater("Telegram asks to wait.", after=float(error.retry_after), of="chat")
        case TelegramForbiddenError():
            return Unreachable()
        case TelegramUnauthorizedError() | TelegramNotFound():
            return ChannelStopped("Telegram refuses the token.")
        case TelegramBadRequest():
            gone = any(words in error.message.lower() for words in _GONE)
            return Unreachable() if gone else Rejected(f"Telegram refuses this message: {error.message}")
        case TelegramMigrateToChat() | TelegramEntityTooLarge():
            return Rejected(f"Telegram refuses this message ({type(error).__name__}).")
        case RestartingTelegram() | TelegramConflictError():
            return RetryLater("Telegram cannot take it now.", after=5.0)
        case TelegramNetworkError() if isinstance(error.__cause__, ClientConnectorError | ConnectionTimeoutError):
            return RetryLater("Telegram cannot be reached.", after=5.0)  # no connection, so nothing was sent
        case TelegramAPIError() if "too many requests" in error.message.lower():
            return RetryLater("Telegram asks to wait.", after=5.0, of="chat")  # without saying how long
    return DeliveryUnknown(f"Telegram did not say whether it sent the message ({type(error).__name__}).")
