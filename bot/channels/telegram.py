"""Telegram: aiogram as client and types, around a loop of our own.

aiogram's polling confirms updates while their handlers still run and swallows the handlers' errors (design, T1); here
the offset moves, and is stored, only after `receive` has returned.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    RestartingTelegram,
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
from aiogram.types import (
    BotCommand,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    LinkPreviewOptions,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    Update,
)
from aiogram.utils.token import TokenValidationError
from aiohttp import ClientConnectorError, ConnectionTimeoutError
from pydantic import ValidationError

from bot.channels import Channel, Incoming, OffsetStore, Outgoing, Receive, payload, split
from bot.channels.polling import Pause, hand_over, insist
from bot.channels.telegram_updates import incoming
from bot.errors import (
    ChannelStopped,
    DeliveryFailed,
    DeliveryUnknown,
    Rejected,
    RetryLater,
    SettingsInvalid,
    Unreachable,
)

log = logging.getLogger(__name__)

BASE = "https://api.telegram.org"
KINDS = ["message", "edited_message", "callback_query", "my_chat_member"]
POLL_SECONDS = 25
# how long Telegram may keep an empty getUpdates open; it cuts at 50
CALL_SECONDS = 10.0
# how long any other call may take
_GONE = ("chat not found", "user not found", "user is deactivated", "peer_id_invalid", "bot can't initiate")
# 400 answers that mean the customer, not the text


class TelegramChannel(Channel):
    """The Telegram bot of one token."""

    name = "telegram"

    def __init__(
        self,
        token: str,
        offsets: OffsetStore,
        *,
        api_base: str = BASE,
        commands: Mapping[str, str] | None = None,
        contact_title: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: int = POLL_SECONDS,
        pause: Callable[[], Pause] = Pause,
    ) -> None:
        """Make the channel.

        commands: command without slash -> the words that it stands for (a pack's text), also shown in the menu
        contact_title: title of the button that shares one's number; without it `ask_contact` has no button
        """
        session = AiohttpSession(api=TelegramAPIServer.from_base(api_base), timeout=CALL_SECONDS)
        try:
            self._bot = Bot(token, session=session)
        except TokenValidationError as error:
            raise SettingsInvalid("FIRSTLINE_TELEGRAM_TOKEN: this is no bot token.") from error
        self._offsets, self._key = offsets, f"telegram:{self._bot.id}"
        self._commands, self._contact_title = dict(commands or {}), contact_title
        self._now, self._poll_seconds, self._pause = now, poll_seconds, pause
        self._begun: dict[int, list[str]] = {}
        # message -> Telegram's ids of its pieces that are out already
        self._answers: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Close the connections."""
        await self._bot.session.close()

    # ---------------------------------------------------------------------------------------------- receiving
    async def run(self, receive: Receive) -> None:
        """Fetch, hand over, move the offset; until cancelled, or ChannelStopped when the token is refused."""
        pause = self._pause()
        await self._show_commands()
        stored = await insist(lambda: self._offsets.load(self._key), pause=pause)
        offset = int(stored) if stored else None
        while True:
            try:
                updates = await self._fetch(offset)
            except (TelegramUnauthorizedError, TelegramNotFound) as error:
                raise ChannelStopped("Telegram refuses the token.") from error
            except TelegramRetryAfter as error:
                await pause.wait(error.retry_after)
                continue
            except AiogramError as error:
                log.warning("telegram_fetch_failed", extra={"error": type(error).__name__})
                if isinstance(error, TelegramConflictError) and "webhook" in str(error):
                    await self._drop_webhook()
                await pause.wait()
                continue
            pause.reset()
            for number, update in updates:
                if (mapped := self._map(number, update)) is not None:
                    await hand_over(receive, mapped, pause=pause)
                offset = number + 1
                await insist(lambda: self._offsets.save(self._key, str(offset)), pause=pause)  # noqa: B023  awaited here
                if update is not None and update.callback_query is not None:
                    self._answer(update.callback_query.id)

    async def _fetch(self, offset: int | None) -> list[tuple[int, Update | None]]:
        """Return the next updates with their numbers; None for one that aiogram cannot read."""
        try:
            updates = await self._bot.get_updates(
                offset=offset,
                timeout=self._poll_seconds,
                allowed_updates=KINDS,
                request_timeout=self._poll_seconds + int(CALL_SECONDS),
            )
        except ClientDecodeError as error:
            # one update of a kind that this aiogram does not know must not stop the others
            if not (isinstance(error.data, dict) and error.data.get("ok") and isinstance(error.data["result"], list)):
                raise
            return [(int(raw["update_id"]), self._read(raw)) for raw in error.data["result"]]
        return [(update.update_id, update) for update in updates]

    def _read(self, raw: dict[str, Any]) -> Update | None:
        try:
            return Update.model_validate(raw, context={"bot": self._bot})
        except ValidationError:
            log.warning("telegram_update_unreadable", extra={"update_id": raw["update_id"]})
            return None

    def _map(self, number: int, update: Update | None) -> Incoming | None:
        if update is None:
            return None
        external_id = f"{self._bot.id}:{number}"  # numbers of another bot may be the same
        return incoming(update, external_id=external_id, now=self._now(), commands=self._commands)

    def _answer(self, query: str) -> None:
        """Stop the button's spinner, apart from the loop; an answer that comes too late is no harm."""

        async def answer() -> None:
            with suppress(AiogramError):
                await self._bot.answer_callback_query(query)

        task = asyncio.create_task(answer())
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _drop_webhook(self) -> None:
        """Polling and a webhook exclude each other; what waits for the webhook is kept."""
        log.warning("telegram_webhook_removed")
        with suppress(AiogramError):
            await self._bot.delete_webhook(drop_pending_updates=False)

    async def _show_commands(self) -> None:
        """Put the commands into the menu beside the input line."""
        if self._commands:
            menu = [BotCommand(command=name, description=text[:256]) for name, text in self._commands.items()]
            with suppress(AiogramError):
                await self._bot.set_my_commands(menu)

    # ---------------------------------------------------------------------------------------------- sending
    async def send(self, message: Outgoing) -> str:
        """Send a message, in pieces when it is too long, and return Telegram's id of the last."""
        pieces = split(message.text)
        if not pieces:
            raise Rejected("Telegram takes no empty text.")
        out = self._begun.setdefault(message.id, [])
        try:
            while len(out) < len(pieces):
                last = len(out) == len(pieces) - 1
                out.append(await self._send_piece(message, pieces[len(out)], self._markup(message) if last else None))
        except (Unreachable, Rejected):
            del self._begun[message.id]
            raise
        del self._begun[message.id]
        return out[-1]

    async def _send_piece(
        self,
        message: Outgoing,
        text: str,
        markup: InlineKeyboardMarkup | ReplyKeyboardMarkup | ReplyKeyboardRemove | None,
    ) -> str:
        try:
            sent = await self._bot.send_message(
                int(message.chat),
                text,
                reply_markup=markup,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                request_timeout=int(CALL_SECONDS),
            )
        except ClientDecodeError as error:
            # sent all the same, if Telegram says "ok" in a shape that this aiogram does not know
            with suppress(TypeError, LookupError):
                if error.data["ok"]:
                    return str(error.data["result"]["message_id"])
            raise DeliveryUnknown("Telegram's answer cannot be read.") from error
        except AiogramError as error:
            raise _failure(error) from error
        except ValueError as error:  # a chat that is no number, a text that is no message
            raise Rejected(f"This is no message for Telegram ({type(error).__name__}).") from error
        return str(sent.message_id)

    def _markup(self, message: Outgoing) -> InlineKeyboardMarkup | ReplyKeyboardMarkup | ReplyKeyboardRemove:
        """Return the buttons. A message has one kind of keyboard: where a number is asked for, they stand as words."""
        titles = [button.title for button in message.buttons]
        if message.ask_contact and self._contact_title:
            rows = [[KeyboardButton(text=self._contact_title, request_contact=True)]]
            rows += [[KeyboardButton(text=title)] for title in titles]
            return ReplyKeyboardMarkup(keyboard=rows, resize_keyboard=True, one_time_keyboard=True)
        if titles:
            return InlineKeyboardMarkup(
                inline_keyboard=[
                    [InlineKeyboardButton(text=title, callback_data=payload(message.id, index))]
                    for index, title in enumerate(titles)
                ]
            )
        return ReplyKeyboardRemove(remove_keyboard=True)


def _failure(error: AiogramError) -> DeliveryFailed:
    """Put a refusal of Telegram, or its silence, into our terms."""
    match error:
        case TelegramRetryAfter():
            return RetryLater("Telegram asks to wait.", after=float(error.retry_after))
        case TelegramForbiddenError():
            return Unreachable()
        case TelegramUnauthorizedError() | TelegramNotFound():
            return ChannelStopped("Telegram refuses the token.")
        case TelegramBadRequest():
            gone = any(words in error.message.lower() for words in _GONE)
            return Unreachable() if gone else Rejected(f"Telegram refuses this message: {error.message}")
        case TelegramMigrateToChat() | TelegramEntityTooLarge():
            return Rejected(f"Telegram refuses this message: {error.message}")
        case RestartingTelegram() | TelegramConflictError():
            return RetryLater("Telegram is restarting.", after=5.0)
        case TelegramNetworkError() if isinstance(error.__cause__, ClientConnectorError | ConnectionTimeoutError):
            return RetryLater("Telegram cannot be reached.", after=5.0)  # no connection, so nothing was sent
    return DeliveryUnknown(f"Telegram did not say whether it sent the message ({type(error).__name__}).")
