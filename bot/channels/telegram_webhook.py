"""Telegram's webhook: set while the channel runs, looked after, and taken away in the end."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from aiogram import Bot
from aiogram.exceptions import AiogramError, TelegramBadRequest, TelegramRetryAfter
from aiogram.types import WebhookInfo

from bot import signs
from bot.channels import HookAnswer
from bot.channels.polling import Pause
from bot.channels.telegram_api import TOKEN_REFUSED
from bot.errors import ChannelStopped

log = logging.getLogger(__name__)

PATH = "/hooks/telegram"
CONNECTIONS = 40
"""So many chats at once does Telegram bring updates of, Telegram's own default."""
CHECK_SECONDS = 10.0
"""So long is a webhook gone at the most that another process took away after we had set it."""
REMOVE_SECONDS = 3
"""So long may taking it away hold up the end of the process."""
NOT_SET = "the webhook cannot be set"
NOT_REACHED = "Telegram does not reach us under FIRSTLINE_PUBLIC_URL"
"""What health says of it; Telegram's own words are in the log."""
SECRET_HEADER = "x-telegram-bot-api-secret-token"


class Webhook:
    """The webhook of one bot under a public address."""

    def __init__(
        self,
        bot: Bot,
        public_url: str,
        *,
        kinds: Sequence[str],
        pause: Callable[[], Pause],
        check_seconds: float = CHECK_SECONDS,
    ) -> None:
        """`kinds`: the kinds of updates to ask for. `check_seconds`: how often is looked whether it is still ours."""
        self._bot, self.url, self._kinds = bot, public_url.rstrip("/") + PATH, list(kinds)
        self._pause, self._check_seconds = pause, check_seconds
        self._secret = hmac.new(bot.token.encode(), b"firstline webhook", hashlib.sha256).hexdigest()
        # of the token: all processes know it, and nobody has to keep it
        self._told_of = 0.0
        # time of the last trouble that was logged

    def refusal(self, headers: Mapping[str, str]) -> HookAnswer | None:
        """How a call is refused that is not Telegram's; None for one that is. `headers`: names in lower case."""
        given = headers.get(SECRET_HEADER)
        if given is None:
            return HookAnswer(401, "no secret")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.encode()):
            return HookAnswer(403, "wrong secret")
        return None

    async def keep(self) -> None:
        """Set the webhook and see to it that it stays, until cancelled; then take it away.

        What comes while there is none waits at Telegram for a day. ChannelStopped when the token is refused.
        """
        pause, tried = self._pause(), False
        try:
            while True:
                try:
                    info = await self._bot.get_webhook_info() if tried else None
                    if info is None or not self._ours(info):
                        tried = True
                        await self._set()
                except TOKEN_REFUSED:
                    raise ChannelStopped("Telegram refuses the token.") from None
                except TelegramRetryAfter as error:
                    tried = False
                    signs.bad(signs.CHANNEL, "telegram", NOT_SET)
                    await pause.wait(error.retry_after)
                except AiogramError as error:
                    tried = False
                    why = error.message if isinstance(error, TelegramBadRequest) else type(error).__name__
                    log.warning("telegram_webhook_not_set", extra={"why": why})
                    signs.bad(signs.CHANNEL, "telegram", NOT_SET)
                    await pause.wait()
                else:
                    pause.reset()
                    if info is not None and info.pending_update_count and info.last_error_date:
                        signs.bad(signs.CHANNEL, "telegram", NOT_REACHED)
                    else:
                        signs.good(signs.CHANNEL, "telegram")
                    await asyncio.sleep(self._check_seconds)
        except asyncio.CancelledError:
            await self._remove()
            raise

    async def _set(self) -> None:
        await self._bot.set_webhook(
            self.url, secret_token=self._secret, allowed_updates=self._kinds, max_connections=CONNECTIONS,
            drop_pending_updates=False,
        )  # fmt: skip
        log.info("telegram_webhook_set")

    async def _remove(self) -> None:
        with suppress(AiogramError):
            await self._bot.delete_webhook(drop_pending_updates=False, request_timeout=REMOVE_SECONDS)
            log.info("telegram_webhook_removed")

    def _ours(self, info: WebhookInfo) -> bool:
        """Whether the webhook is as we set it; tells of Telegram's trouble with it, once."""
        failed = info.last_error_date.timestamp() if info.last_error_date else 0.0
        if failed > self._told_of:
            self._told_of = failed
            log.warning(
                "telegram_webhook_failing", extra={"why": info.last_error_message, "waiting": info.pending_update_count}
            )
        ours = info.url == self.url and set(info.allowed_updates or self._kinds) == set(self._kinds)
        if not ours:
            log.warning("telegram_webhook_lost")
        return ours
