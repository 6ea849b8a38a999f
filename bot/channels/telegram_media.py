"""What is attached to a message of Telegram, as `Media`."""

from __future__ import annotations

from aiogram.enums import ContentType
from aiogram.types import (
    Animation,
    Audio,
    Document,
    LivePhoto,
    Location,
    Message,
    PhotoSize,
    Sticker,
    Video,
    VideoNote,
    Voice,
)

from bot.channels import Media, clean

File = Animation | Audio | Document | LivePhoto | PhotoSize | Sticker | Video | VideoNote | Voice

_NO_BYTES = {
    ContentType.POLL, ContentType.STORY, ContentType.GAME, ContentType.PAID_MEDIA, ContentType.CHECKLIST,
    ContentType.RICH_MESSAGE, ContentType.GIVEAWAY, ContentType.UNKNOWN,
}  # fmt: skip
# what customers can send and we have no better word for; all else without text or media is a service message


def attachments(message: Message) -> tuple[Media, ...]:
    """What is attached to a message: nothing or one thing, for the parts of an album are messages of their own."""
    one = _attachment(message)
    return () if one is None else (one,)


def _attachment(message: Message) -> Media | None:
    match message.content_type:
        case ContentType.PHOTO if message.photo:
            return _media("photo", _largest(message.photo))
        case ContentType.LIVE_PHOTO if message.live_photo:
            still = message.live_photo.photo or message.photo
            return _media("photo", _largest(still) if still else message.live_photo)
        case ContentType.VOICE:
            return _media("voice", message.voice)
        case ContentType.VIDEO:
            return _media("video", message.video)
        case ContentType.VIDEO_NOTE:
            return _media("video", message.video_note)
        case ContentType.ANIMATION:
            return _media("video", message.animation)
        case ContentType.STICKER if message.sticker:
            return _media("sticker", message.sticker, name=message.sticker.emoji)
        case ContentType.DICE:
            return Media("sticker")
        case ContentType.DOCUMENT:
            return _media("file", message.document)
        case ContentType.AUDIO if message.audio:
            return _media("file", message.audio, name=message.audio.file_name or message.audio.title)
        case ContentType.LOCATION | ContentType.VENUE if message.location:
            return Media("place", _place(message.location))
        case ContentType.VENUE if message.venue:
            return Media("place", _place(message.venue.location))
        case other if other in _NO_BYTES:
            return Media("file", ContentType(other).value)
    return None


def _media(kind: str, file: File | None, name: str | None = None) -> Media | None:
    if file is None:
        return None
    called = clean(name or getattr(file, "file_name", None))
    return Media(kind, called or None, file.file_id, file.file_size, getattr(file, "mime_type", None))


def _largest(sizes: list[PhotoSize]) -> PhotoSize:
    return max(sizes, key=lambda one: one.width * one.height)


def _place(location: Location) -> str:
    return f"{location.latitude:.5f}, {location.longitude:.5f}"
