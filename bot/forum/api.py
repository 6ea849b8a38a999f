"""The calls to Telegram that a forum group needs, and their errors in our terms."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from aiogram import Bot
from aiogram.exceptions import AiogramError, ClientDecodeError, TelegramAPIError
from aiogram.types import (
    BotCommand,
    BotCommandScopeChat,
    BufferedInputFile,
    ChatMemberAdministrator,
    ChatMemberOwner,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    LinkPreviewOptions,
    ReactionTypeEmoji,
    ReplyParameters,
)

from bot.channels.telegram_api import Session, failure, sent_anyway
from bot.errors import CardGone, DeliveryFailed, GroupRefused, TopicClosed, TopicGone

log = logging.getLogger(__name__)
T = TypeVar("T")

CALL_SECONDS = 10.0
FILE_SECONDS = 60
ANSWER_SECONDS = 5
# how long a press's answer may take: it is an ornament
MOST_NAME = 128
# characters of a topic's name
MOST_TOAST = 200
# characters of the answer to a press
_GONE = ("message thread not found", "topic_deleted", "topic_id_invalid", "invalid message thread", "thread_id_invalid")
_CLOSED = ("topic_closed",)
_AS_WANTED = ("topic_not_modified", "message is not modified")
_CARD_GONE = ("message to edit not found", "message to pin not found", "message_id_invalid", "message can't be edited")
_NO_RIGHTS = (
    "not enough rights", "have no rights", "chat_admin_required", "not a forum", "chat not found", "chat_write_forbidden",
    "need administrator rights", "group chat was upgraded", "forbidden",
)  # fmt: skip

Button = tuple[str, str]
"""Title, and what a press brings (64 bytes)."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What a bot finds in a group."""

    title: str
    lacks: tuple[str, ...]
    # what somebody has to change before anything works, in words for the operator; empty: all is well
    remarks: tuple[str, ...] = ()
    # what works less well


class Api:
    """One bot, in all its forum groups."""

    def __init__(self, token: str, *, api_base: str, seconds: float = CALL_SECONDS) -> None:
        """`seconds`: how long a call may take."""
        self._session = Session(api_base, seconds=seconds)
        self._bot = Bot(token, session=self._session)
        self._name = ""

    @property
    def bot(self) -> int:
        """The bot's own id."""
        return self._bot.id

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    # ------------------------------------------------------------------------------------------------- topics
    async def create(self, chat: str, name: str, colour: int) -> str:
        """Make a topic; return its id."""
        made = await _told(self._bot.create_forum_topic(int(chat), name[:MOST_NAME], icon_color=colour))
        return str(made.message_thread_id)

    async def rename(self, chat: str, thread: str, name: str) -> None:
        """Give a topic another name."""
        await _done(self._bot.edit_forum_topic(int(chat), int(thread), name=name[:MOST_NAME]))

    async def shut(self, chat: str, thread: str) -> None:
        """Close a topic."""
        await _done(self._bot.close_forum_topic(int(chat), int(thread)))

    async def open(self, chat: str, thread: str) -> None:
        """Open a closed topic again."""
        await _done(self._bot.reopen_forum_topic(int(chat), int(thread)))

    # ----------------------------------------------------------------------------------------------- messages
    async def send(
        self,
        chat: str,
        thread: str | None,
        html: str,
        *,
        buttons: Sequence[Sequence[Button]] = (),
        reply_to: str | None = None,
        quiet: bool = False,
    ) -> str:
        """Write into a topic, or into the general one; return the message's id. `quiet`: without a sound."""
        reply = ReplyParameters(message_id=int(reply_to), allow_sending_without_reply=True) if reply_to else None
        try:
            sent = await self._bot.send_message(
                int(chat), html, message_thread_id=int(thread) if thread else None, parse_mode="HTML",
                reply_markup=_markup(buttons), reply_parameters=reply, disable_notification=quiet,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )  # fmt: skip
        except ClientDecodeError as error:
            return sent_anyway(error)
        except AiogramError as error:
            raise trouble(error) from None
        return str(sent.message_id)

    async def edit(self, chat: str, message: str, html: str, *, buttons: Sequence[Sequence[Button]] = ()) -> None:
        """Change a message of ours."""
        await _done(
            self._bot.edit_message_text(
                html, chat_id=int(chat), message_id=int(message), parse_mode="HTML", reply_markup=_markup(buttons),
                link_preview_options=LinkPreviewOptions(is_disabled=True),
            )
        )  # fmt: skip

    async def pin(self, chat: str, message: str) -> None:
        """Pin a message in its topic, without a sound."""
        await _done(self._bot.pin_chat_message(int(chat), int(message), disable_notification=True))

    async def react(self, chat: str, message: str, emoji: str) -> None:
        """Put a small sign under somebody's message."""
        await _done(self._bot.set_message_reaction(int(chat), int(message), reaction=[ReactionTypeEmoji(emoji=emoji)]))

    async def send_file(
        self, chat: str, thread: str, content: bytes, *, name: str, kind: str, mime: str, caption: str
    ) -> str:
        """Send an attachment into a topic: pictures and voice as such, all else as a document."""
        file, where = BufferedInputFile(content, name), {"message_thread_id": int(thread), "disable_notification": True}
        words = {"caption": caption, "parse_mode": "HTML", "request_timeout": FILE_SECONDS}
        call: Awaitable[object]
        if kind == "photo" and mime in ("image/jpeg", "image/png"):
            call = self._bot.send_photo(int(chat), file, **where, **words)  # type: ignore[arg-type]
        elif kind == "voice" and mime == "audio/ogg":
            call = self._bot.send_voice(int(chat), file, **where, **words)  # type: ignore[arg-type]
        else:
            call = self._bot.send_document(int(chat), file, **where, **words)  # type: ignore[arg-type]
        sent = await _told(call)
        return str(getattr(sent, "message_id", ""))

    async def toast(self, query: str, text: str = "", *, alert: bool = False) -> None:
        """Answer a press with a few words that pass away. Never raises: a late answer is no harm."""
        with suppress(AiogramError):
            await self._bot.answer_callback_query(
                query, text=text[:MOST_TOAST] or None, show_alert=alert, request_timeout=ANSWER_SECONDS
            )

    # ------------------------------------------------------------------------------------------------- the group
    async def name(self) -> str:
        """The bot's name in Telegram, without @; empty while Telegram does not tell."""
        if not self._name:
            with suppress(AiogramError):
                self._name = (await self._bot.get_me(request_timeout=ANSWER_SECONDS)).username or ""
        return self._name

    async def menu(self, chat: str, commands: Mapping[str, str]) -> None:
        """Show agents the commands when they type a slash."""
        scope = BotCommandScopeChat(chat_id=int(chat))
        shown = await _told(self._bot.get_my_commands(scope=scope))
        if {one.command: one.description for one in shown} != dict(commands):
            wanted = [BotCommand(command=name, description=text) for name, text in commands.items()]
            await _done(self._bot.set_my_commands(wanted, scope=scope))

    async def rights(self, chat: str) -> Rights:
        """What the group is called, and what is missing for work in it."""
        about = await _told(self._bot.get_chat(int(chat)))
        member = await _told(self._bot.get_chat_member(int(chat), self._bot.id))
        lacks: list[str] = []
        remarks: list[str] = []
        if not about.is_forum:
            lacks.append("topics are off in the group")
        if isinstance(member, ChatMemberOwner):
            pass
        elif not isinstance(member, ChatMemberAdministrator):
            lacks.append("the bot is no administrator")
        else:
            if not member.can_manage_topics:
                lacks.append("the bot may not manage topics")
            if not member.can_pin_messages:
                remarks.append("the bot may not pin messages: cards are not pinned")
        return Rights(about.title or "", tuple(lacks), tuple(remarks))


def trouble(error: AiogramError) -> DeliveryFailed:
    """Put a refusal of Telegram, or its silence, into our terms."""
    said = error.message.lower() if isinstance(error, TelegramAPIError) else ""
    for words, known in ((_GONE, TopicGone), (_CLOSED, TopicClosed), (_CARD_GONE, CardGone)):
        if any(one in said for one in words):
            return known()
    if "too many requests" not in said and any(one in said for one in _NO_RIGHTS):
        return GroupRefused(f"Telegram says: {said[-120:]}")
    return failure(error)


async def _told(call: Awaitable[T]) -> T:
    try:
        return await call
    except AiogramError as error:
        raise trouble(error) from None


async def _done(call: Awaitable[object]) -> None:
    """Make a call whose aim may be reached already."""
    try:
        await call
    except ClientDecodeError as error:
        if not (isinstance(error.data, dict) and error.data.get("ok")):
            raise trouble(error) from None
    except AiogramError as error:
        said = error.message.lower() if isinstance(error, TelegramAPIError) else ""
        if not any(one in said for one in _AS_WANTED):
            raise trouble(error) from None


def _markup(buttons: Sequence[Sequence[Button]]) -> InlineKeyboardMarkup | None:
    if not buttons:
        return None
    rows = [[InlineKeyboardButton(text=title, callback_data=data) for title, data in row] for row in buttons]
    return InlineKeyboardMarkup(inline_keyboard=rows)
