"""Telegram: aiogram as client and types, around receiving of our own.

aiogram's polling confirms updates while their handlers still run and swallows the handlers' errors (design, T1); here
the offset moves, and is stored, only after `receive` has returned, and a webhook is answered only then.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from aiogram import Bot
from aiogram.enums import ChatAction
from aiogram.exceptions import AiogramError, ClientDecodeError, TelegramConflictError, TelegramRetryAfter
from aiogram.methods.base import Response
from aiogram.types import (
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    KeyboardButton,
    LinkPreviewOptions,
    Message,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    Update,
)
from aiogram.utils.token import TokenValidationError

from bot import signs
from bot.channels import Channel, HookAnswer, Incoming, OffsetStore, Outgoing, Receive, payload, side_by_side
from bot.channels import telegram_files as files
from bot.channels.commands import Commands
from bot.channels.hooks import Intake
from bot.channels.polling import Pause, hand_over, insist
from bot.channels.telegram_api import TOKEN_REFUSED, Session, failure, sent_anyway
from bot.channels.telegram_profile import Profile, introduce
from bot.channels.telegram_sending import send_file
from bot.channels.telegram_updates import incoming, read
from bot.channels.telegram_webhook import CHECK_SECONDS, Webhook
from bot.errors import ChannelStopped, Rejected, RetryLater, SettingsInvalid

log = logging.getLogger(__name__)

BASE = "https://api.telegram.org"
KINDS = ["message", "edited_message", "callback_query", "my_chat_member"]
POLL_SECONDS = 25
# how long Telegram may keep an empty getUpdates open; it cuts at 50
CALL_SECONDS = 10.0
# how long any other call may take
TYPING_SECONDS = 3
OUTAGE_SECONDS = 2
# how long Telegram may take to say that it is there again, before a message is repeated …
OUTAGE_PAUSE = 2.0
# … and when it is asked once more
MOST_TEXT = 4096
# characters of a message
MOST_BUTTONS = 100
MOST_TITLE = 128
# above these Telegram refuses the message
_KEPT = (Response[bool], Response[Message], Response[list[Update]])
# pydantic forgets a type that nobody holds, and aiogram would make it anew for every call: a tenth of a busy process's time


class TelegramChannel(Channel):
    """The Telegram bot of one token."""

    name = "telegram"

    def __init__(
        self,
        token: str,
        offsets: OffsetStore,
        *,
        api_base: str = BASE,
        public_url: str | None = None,
        commands: Mapping[str, str] | None = None,
        deep_links: Mapping[str, str] | None = None,
        description: str = "",
        short_description: str = "",
        contact_title: str | None = None,
        desks: Collection[int] = (),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: int = POLL_SECONDS,
        call_seconds: float = CALL_SECONDS,
        check_seconds: float = CHECK_SECONDS,
        pause: Callable[[], Pause] = Pause,
    ) -> None:
        """Make the channel.

        public_url: https address under which Telegram reaches us: updates come by webhook; without it we ask for them
        commands: command without slash -> the words that it stands for (a pack's text), also shown in the menu
        deep_links: first part of a link's payload -> words, with {} for the rest (`Commands.links`)
        description, short_description: what the bot says of itself above an empty chat and on its page
        contact_title: title of the button that shares one's number; without it `ask_contact` has no button
        desks: groups where agents work; what is written in other groups is nobody's
        check_seconds: how often is looked whether the webhook is still ours
        """
        self._session = Session(api_base, seconds=call_seconds)
        try:
            self._bot = Bot(token, session=self._session)
        except TokenValidationError:
            raise SettingsInvalid("FIRSTLINE_TELEGRAM_TOKEN: this is no bot token.") from None
        self._offsets, self._key = offsets, f"telegram:{self._bot.id}"
        self._commands = Commands(commands or {}, deep_links or {})
        self._profile = Profile(commands or {}, description, short_description)
        self._contact_title, self._desks = contact_title, frozenset(desks)
        self._now, self._poll_seconds, self._pause = now, poll_seconds, pause
        self._webhook: Webhook | None = None
        if public_url:
            self._webhook = Webhook(self._bot, public_url, kinds=KINDS, pause=pause, check_seconds=check_seconds)
        self._intake = Intake()
        self._answers: set[asyncio.Task[None]] = set()
        # presses that are being acknowledged
        self._no_typing_before = 0.0
        # by the event loop's clock

    async def about(self) -> str:
        """Whose token it is, and how updates come."""
        try:
            me, hook = await self._bot.get_me(), await self._bot.get_webhook_info()
        except AiogramError as error:
            raise failure(error) from None
        way = f"webhook {hook.url}" if hook.url else "long polling"
        return f"@{me.username} ({me.full_name}), {way}, updates that wait: {hook.pending_update_count}"

    async def close(self) -> None:
        """Close the connections."""
        if self._answers:
            await asyncio.wait(self._answers, timeout=1.0)
        for task in self._answers:
            task.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)
        await self._session.close()

    # ---------------------------------------------------------------------------------------------- receiving
    async def run(self, receive: Receive) -> None:
        """Receive until cancelled: keep the webhook set, or fetch. ChannelStopped when the token is refused."""
        introducing = asyncio.create_task(introduce(self._bot, self._profile))
        try:
            await (self._webhook.keep() if self._webhook is not None else self._poll(receive))
        finally:
            introducing.cancel()
            await asyncio.gather(introducing, return_exceptions=True)

    async def hook(self, headers: Mapping[str, str], body: bytes, receive: Receive) -> HookAnswer:
        """Store the update that Telegram brings. 200 once it is stored, or when nobody ever could.

        401 and 403: not Telegram; 400: no update; 503 and 500: Telegram brings it again. A press is acknowledged.
        """
        if self._webhook is None:
            return HookAnswer(404, "not found")
        if (refusal := self._webhook.refusal(headers)) is not None:
            return refusal
        try:
            raw = json.loads(body)
        except (ValueError, RecursionError):
            return HookAnswer(400, "no JSON")
        if not isinstance(raw, dict) or type(number := raw.get("update_id")) is not int:
            return HookAnswer(400, "no update")
        update = read(raw, self._bot)
        if (mapped := self._map(number, update)) is None:
            return HookAnswer()
        answer = await self._intake.take(receive, mapped)
        if answer.status == 200:
            self._acknowledge(mapped)
        return answer

    async def _poll(self, receive: Receive) -> None:
        """Fetch, hand over, move the offset."""
        pause = self._pause()
        stored = await insist(lambda: self._offsets.load(self._key), pause=pause)
        offset = int(stored) if stored else None
        while True:
            try:
                updates = await self._fetch(offset)
            except TOKEN_REFUSED:
                raise ChannelStopped("Telegram refuses the token.") from None
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
            signs.good(signs.CHANNEL, self.name)
            # in rising order: what is above the stored offset must not count as taken in before what is below
            for number, update in sorted(updates, key=lambda one: one[0]):
                if (mapped := self._map(number, update)) is not None:
                    await hand_over(receive, mapped, pause=pause)
                    self._acknowledge(mapped)
                # the next number may be a smaller one: after a quiet week Telegram begins anew
                offset = number + 1
                await insist(lambda: self._offsets.save(self._key, str(offset)), pause=pause)  # noqa: B023  awaited here

    async def _fetch(self, offset: int | None) -> list[tuple[int, Update | None]]:
        """Return the next updates with their numbers; None for one that cannot be read."""
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
            return [(int(raw["update_id"]), read(raw, self._bot)) for raw in error.data["result"]]
        return [(update.update_id, update) for update in updates]

    def _map(self, number: int, update: Update | None) -> Incoming | None:
        if update is None:
            return None
        external_id = f"{self._bot.id}:{number}"  # numbers of another bot may be the same
        try:
            mapped = incoming(
                update, external_id=external_id, now=self._now(), commands=self._commands, desks=self._desks
            )
        except Exception as error:  # whatever is odd in one update, the others are not to wait for it
            log.error("telegram_update_unreadable", extra={"update_id": number, "error": type(error).__name__})
            return None
        if mapped is None and (joined := update.my_chat_member) is not None:
            log.info("telegram_group_is_no_desk", extra={"group": joined.chat.id})  # how its number is found out
        return mapped

    def _acknowledge(self, update: Incoming) -> None:
        """Stop the button's spinner after a press, apart from all else; an answer that comes too late is no harm."""
        if (query := update.answer) is None:
            return

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

    # ---------------------------------------------------------------------------------------------- sending
    async def send(self, message: Outgoing) -> str:
        """Send a message and return Telegram's id of it."""
        if message.file is None and (not message.text.strip() or len(message.text) > MOST_TEXT):
            raise Rejected(f"Telegram takes texts of 1 to {MOST_TEXT} characters.")
        try:
            chat = int(message.chat)
        except ValueError:
            raise Rejected("This is no chat of Telegram.") from None
        if message.doubtful:
            await self._there_again()
        try:
            sent = await self._sent(chat, message)
        except ClientDecodeError as error:
            return sent_anyway(error)
        except AiogramError as error:
            raise failure(error) from None
        return str(sent.message_id)

    async def _sent(self, chat: int, message: Outgoing) -> Message:
        if message.file is not None:
            return await send_file(self._bot, chat, message.file, message.text.strip())
        return await self._bot.send_message(
            chat, message.text, reply_markup=self._markup(message),
            link_preview_options=LinkPreviewOptions(is_disabled=True),
        )  # fmt: skip

    async def _there_again(self) -> None:
        """Make sure that Telegram answers before a message is repeated: it may be repeated once, not into an outage."""
        try:
            await self._bot.get_me(request_timeout=OUTAGE_SECONDS)
        except AiogramError as error:
            known = failure(error)
            if isinstance(known, ChannelStopped):
                raise known from None
            raise RetryLater("Telegram does not answer yet.", after=OUTAGE_PAUSE) from None

    def _markup(self, message: Outgoing) -> InlineKeyboardMarkup | ReplyKeyboardMarkup | ReplyKeyboardRemove:
        """Return the buttons. A message has one kind of keyboard: where a number is asked for, they stand as words."""
        titles = [button.title[:MOST_TITLE] for button in message.buttons[:MOST_BUTTONS]]
        if len(message.buttons) > MOST_BUTTONS:
            log.error("buttons_left_out", extra={"line": message.id, "buttons": len(message.buttons)})
        if message.ask_contact and self._contact_title:
            rows = [[KeyboardButton(text=self._contact_title, request_contact=True)]]
            rows += [[KeyboardButton(text=title)] for title in titles]
            return ReplyKeyboardMarkup(keyboard=rows, resize_keyboard=True, one_time_keyboard=True)
        if titles:
            keys = [
                InlineKeyboardButton(text=title, callback_data=payload(message.id, index))
                for index, title in enumerate(titles)
            ]
            across = side_by_side(titles)
            return InlineKeyboardMarkup(inline_keyboard=[keys[at : at + across] for at in range(0, len(keys), across)])
        return ReplyKeyboardRemove(remove_keyboard=True)

    async def withdraw(self, message: Outgoing, sent: str) -> None:
        """Take the buttons away from a message that was sent."""
        try:
            await self._bot.edit_message_reply_markup(
                chat_id=int(message.chat), message_id=int(sent), reply_markup=None
            )
        except (AiogramError, ValueError) as error:
            log.info("telegram_buttons_stay", extra={"line": message.id, "error": type(error).__name__})

    # ---------------------------------------------------------------------------------------------- the rest
    async def typing(self, chat: str) -> None:
        """Show for five seconds that an answer is being written. When Telegram has enough of it there is none."""
        clock = asyncio.get_running_loop().time
        if clock() < self._no_typing_before:
            return
        try:
            await self._bot.send_chat_action(int(chat), ChatAction.TYPING, request_timeout=TYPING_SECONDS)
        except TelegramRetryAfter as error:
            self._no_typing_before = clock() + error.retry_after
        except Exception as error:  # an ornament: nothing of it may reach what it stands beside
            log.debug("telegram_typing_failed", extra={"error": type(error).__name__})

    def fetch(self, ref: str) -> AsyncIterator[bytes]:
        """The bytes of an attachment, in pieces."""
        return files.fetch(self._bot, self._session, ref)
