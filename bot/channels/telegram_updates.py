"""Telegram's updates as `Incoming`: pure mapping, no calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from aiogram.enums import ChatMemberStatus, ChatType, ContentType
from aiogram.types import CallbackQuery, ChatMemberUpdated, Message, Update, User

from bot.channels import Incoming, Kind, Media, clean

_AS_FILE = {
    ContentType.LOCATION, ContentType.POLL, ContentType.STORY, ContentType.GAME, ContentType.PAID_MEDIA,
    ContentType.CHECKLIST, ContentType.UNKNOWN,
}  # fmt: skip
# what customers can send and we have no better word for; all else without text or media is a service message


def incoming(update: Update, *, external_id: str, now: datetime, commands: Mapping[str, str]) -> Incoming | None:
    """Map an update of a private chat; None for one that is no customer's."""
    if update.callback_query is not None:
        return _press(update.callback_query, external_id, now)
    if update.my_chat_member is not None:
        return _membership(update.my_chat_member, external_id)
    message = update.message or update.edited_message
    if message is None:
        return None
    return _message(message, external_id, commands, edited=update.edited_message is not None)


def _message(message: Message, external_id: str, commands: Mapping[str, str], *, edited: bool) -> Incoming | None:
    sender = message.from_user
    if message.chat.type != ChatType.PRIVATE or sender is None or sender.is_bot:
        return None
    attachments = _attachments(message)
    text = clean(message.text or message.caption)
    contact = _own_number(message, sender)
    if message.contact is not None and contact is None:
        text = _e164(message.contact.phone_number)  # somebody else's card is a number that was typed, no more
    if message.venue is not None:
        text = clean(f"{message.venue.title}, {message.venue.address}")
    kind = Kind.EDIT if edited else Kind.CONTACT if contact else Kind.MESSAGE if text or attachments else Kind.OTHER
    at = datetime.fromtimestamp(message.edit_date, UTC) if edited and message.edit_date else message.date
    return Incoming(
        channel="telegram",
        chat=str(message.chat.id),
        external_id=external_id,
        kind=kind,
        at=at.astimezone(UTC),
        text=_command(text, commands),
        name=clean(sender.full_name) or None,
        contact=contact,
        attachments=attachments,
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
    if contact is None or contact.user_id != sender.id or message.forward_origin is not None:
        return None
    return _e164(contact.phone_number)


def _e164(number: str) -> str:
    return "+" + "".join(filter(str.isdigit, number))


def _command(text: str, commands: Mapping[str, str]) -> str:
    """Return the words that a command stands for; other texts as they are."""
    if not text.startswith("/"):
        return text
    name = text[1:].split(maxsplit=1)[0].partition("@")[0] if len(text) > 1 else ""
    return commands.get(name.lower(), text)


def _attachments(message: Message) -> tuple[Media, ...]:
    kind, name = _attachment(message)
    return (Media(kind, clean(name) or None),) if kind else ()


def _attachment(message: Message) -> tuple[str, str | None]:
    """Return the kind and name of what is attached; an empty kind for nothing."""
    match message.content_type:
        case ContentType.PHOTO:
            return "photo", None
        case ContentType.VOICE:
            return "voice", None
        case ContentType.VIDEO if message.video:
            return "video", message.video.file_name
        case ContentType.VIDEO_NOTE:
            return "video", None
        case ContentType.ANIMATION if message.animation:
            return "video", message.animation.file_name
        case ContentType.STICKER if message.sticker:
            return "sticker", message.sticker.emoji
        case ContentType.DICE:
            return "sticker", None
        case ContentType.DOCUMENT if message.document:
            return "file", message.document.file_name
        case ContentType.AUDIO if message.audio:
            return "file", message.audio.file_name or message.audio.title
        case ContentType.LOCATION if message.location:
            return "file", f"location {message.location.latitude:.5f}, {message.location.longitude:.5f}"
        case other if other in _AS_FILE:
            return "file", str(other)
    return "", None
