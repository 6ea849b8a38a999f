"""Telegram's updates as `Incoming`: pure mapping, no calls."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from aiogram import Bot
from aiogram.enums import ChatMemberStatus, ChatType
from aiogram.types import CallbackQuery, ChatMemberUpdated, InaccessibleMessage, Message, Update, User
from pydantic import ValidationError

from bot.channels import AtDesk, Incoming, Kind, clean
from bot.channels.commands import Commands
from bot.channels.telegram_media import attachments

log = logging.getLogger(__name__)

_PLAIN = {
    "message_id",
    "date",
    "edit_date",
    "chat",
    "from",
    "text",
    "caption",
    "media_group_id",
    "forward_origin",
    "message_thread_id",
    "is_topic_message",
    "sender_chat",
}
# of a message: what is read when something in it is too new for us


def read(raw: Mapping[str, Any], bot: Bot) -> Update | None:
    """Read an update as Telegram sent it. A message with something too new in it is read without that, so that the
    customer's words are not lost; None when nothing can be read.
    """
    for content in (raw, _plain(raw)):
        try:
            return Update.model_validate(content, context={"bot": bot})
        except ValidationError:
            log.warning(
                "telegram_update_unreadable", extra={"update_id": raw["update_id"], "plain": content is not raw}
            )
    return None


def _plain(raw: Mapping[str, Any]) -> dict[str, Any]:
    """An update with the plain fields of its message only."""

    def plain(name: str, value: Any) -> Any:
        is_message = name in ("message", "edited_message") and isinstance(value, dict)
        return {key: value[key] for key in value.keys() & _PLAIN} if is_message else value

    return {name: plain(name, value) for name, value in raw.items()}


def incoming(
    update: Update, *, external_id: str, now: datetime, commands: Commands, desks: Collection[int] = ()
) -> Incoming | None:
    """Map an update of a private chat, or of a group where agents work (`desks`: their ids); None for any other."""
    group = _group(update)
    if group is not None:
        return at_desk(update, external_id, now) if group in desks else None
    if update.callback_query is not None:
        return _press(update.callback_query, external_id, now)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member, external_id)
    message = update.message or update.edited_message
    if message is None:
        return None
    return _message(message, external_id, commands, edited=update.edited_message is not None)


def _group(update: Update) -> int | None:
    """The group in which something has happened; None: a private chat, or nothing that we know."""
    held = update.callback_query.message if update.callback_query else None
    found = update.message or update.edited_message or update.my_chat_member or held
    if found is None or found.chat.type not in (ChatType.GROUP, ChatType.SUPERGROUP):
        return None
    return found.chat.id


def at_desk(update: Update, external_id: str, now: datetime) -> Incoming | None:
    """Map what happens in a group of agents; None for a bot's message, and for what Telegram itself tells there."""
    if (query := update.callback_query) is not None:
        if query.message is None:
            return None
        thread = None if isinstance(query.message, InaccessibleMessage) else _topic(query.message)
        return Incoming(
            channel="telegram", chat=str(query.message.chat.id), external_id=external_id, kind=Kind.DESK, at=now,
            name=clean(query.from_user.full_name) or None, press=clean(query.data),
            message_id=str(query.message.message_id),
            desk=AtDesk(author=str(query.from_user.id), thread=thread, query=query.id),
        )  # fmt: skip
    if (change := update.my_chat_member) is not None:
        return Incoming(
            channel="telegram", chat=str(change.chat.id), external_id=external_id, kind=Kind.DESK, at=now,
            desk=AtDesk(rights=True),
        )  # fmt: skip
    message = update.message or update.edited_message
    if message is None:
        return None
    in_its_name = message.sender_chat is not None
    if not in_its_name and (message.from_user is None or message.from_user.is_bot):
        return None
    media, text = attachments(message), clean(message.text or message.caption)
    if not text and not media:
        return None
    author = None if in_its_name or message.from_user is None else str(message.from_user.id)
    return Incoming(
        channel="telegram", chat=str(message.chat.id), external_id=external_id, kind=Kind.DESK,
        at=message.date.astimezone(UTC), text=text, attachments=media, message_id=str(message.message_id),
        name=clean(message.from_user.full_name) or None if message.from_user else None,
        desk=AtDesk(author=author, thread=_topic(message), edited=update.edited_message is not None),
    )  # fmt: skip


def _topic(message: Message) -> str | None:
    """The topic of a message; a thread of replies outside of topics has an id, too, which is none of a topic."""
    return str(message.message_thread_id) if message.is_topic_message and message.message_thread_id else None


def _message(message: Message, external_id: str, commands: Commands, *, edited: bool) -> Incoming | None:
    sender = message.from_user
    if message.chat.type != ChatType.PRIVATE or sender is None or sender.is_bot:
        return None
    media = attachments(message)
    text = clean(message.text or message.caption)
    contact = _own_number(message, sender)
    if message.contact is not None and contact is None:
        text = _e164(message.contact.phone_number)  # somebody else's card is a number that was typed, no more
    if message.venue is not None:
        text = clean(f"{message.venue.title}, {message.venue.address}")
    kind = Kind.EDIT if edited else Kind.CONTACT if contact else Kind.MESSAGE if text or media else Kind.OTHER
    at = datetime.fromtimestamp(message.edit_date, UTC) if edited and message.edit_date else message.date
    return Incoming(
        channel="telegram",
        chat=str(message.chat.id),
        external_id=external_id,
        kind=kind,
        at=at.astimezone(UTC),
        text=commands.read(text),
        name=clean(sender.full_name) or None,
        contact=contact,
        attachments=media,
        album=message.media_group_id,
        message_id=str(message.message_id),
    )


def _press(query: CallbackQuery, external_id: str, now: datetime) -> Incoming | None:
    if query.message is None or query.message.chat.type != ChatType.PRIVATE:
        return None
    return Incoming(
        channel="telegram",
        chat=str(query.message.chat.id),
        external_id=external_id,
        kind=Kind.PRESS,
        at=now,
        name=clean(query.from_user.full_name) or None,
        press=clean(query.data),
        message_id=str(query.message.message_id),
        answer=query.id,
    )


def _membership(change: ChatMemberUpdated, external_id: str) -> Incoming | None:
    if change.chat.type != ChatType.PRIVATE:
        return None
    status = change.new_chat_member.status
    kinds = {ChatMemberStatus.KICKED: Kind.BLOCKED, ChatMemberStatus.MEMBER: Kind.UNBLOCKED}
    return Incoming(
        channel="telegram",
        chat=str(change.chat.id),
        external_id=external_id,
        kind=kinds.get(ChatMemberStatus(status), Kind.OTHER),
        at=change.date.astimezone(UTC),
        name=clean(change.from_user.full_name) or None,
    )


def _own_number(message: Message, sender: User) -> str | None:
    """Return the sender's own number: Telegram fills in whose card it is; a forwarded card proves nothing."""
    contact = message.contact
    if contact is None or contact.user_id != sender.id or message.forward_origin or message.via_bot:
        return None
    return _e164(contact.phone_number)


def _e164(number: str) -> str:
    return "+" + "".join(filter(str.isdigit, number))
