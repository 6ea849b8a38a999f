"""VK's events as `Incoming` and our buttons as VK's keyboards: pure mapping, no calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.channels import Incoming, Kind, Media, Outgoing, clean, payload

FIRST_GROUP_CHAT = 2_000_000_000
# peers from here on are chats of many people
MAX_BUTTONS = 10
MAX_ROWS = 6
MAX_LABEL = 40
# limits of an inline keyboard
_KINDS = {
    "photo": "photo", "graffiti": "photo", "video": "video", "audio_message": "voice", "sticker": "sticker",
    "doc": "file", "audio": "file",
}  # fmt: skip


# ------------------------------------------------------------------------------------------------------- incoming
def incoming(event: Mapping[str, Any], *, now: datetime, commands: Mapping[str, str]) -> Incoming | None:
    """Map an event of a long-poll answer; None for one that is no customer's. Events of an odd shape raise."""
    content, external_id = event["object"], str(event["event_id"])
    match event["type"]:
        case "message_new":
            return _message(content.get("message", content), external_id, Kind.MESSAGE, commands)
        case "message_edit":
            return _message(content.get("message", content), external_id, Kind.EDIT, commands)
        case "message_event":
            return _press(content, external_id, now)
        case "message_allow" | "message_deny":
            kind = Kind.UNBLOCKED if event["type"] == "message_allow" else Kind.BLOCKED
            return Incoming(channel="vk", chat=str(content["user_id"]), external_id=external_id, kind=kind, at=now)
    return None


def _message(message: Mapping[str, Any], external_id: str, kind: Kind, commands: Mapping[str, str]) -> Incoming | None:
    chat = int(message["peer_id"])
    if not 0 < chat < FIRST_GROUP_CHAT or int(message["from_id"]) != chat or message.get("out"):
        return None
    text, attachments = clean(message.get("text")), _attachments(message)
    sent = _json(message.get("payload"))
    press = sent.get("press")
    if kind is Kind.MESSAGE and isinstance(press, str):
        kind = Kind.PRESS
    elif not text and not attachments:
        kind = Kind.OTHER  # a service message: a screenshot was made, a chat was pinned
    moment = message.get("update_time") or message["date"] if kind is Kind.EDIT else message["date"]
    number = message.get("conversation_message_id") or message.get("id")
    return Incoming(
        channel="vk",
        chat=str(chat),
        external_id=external_id,
        kind=kind,
        at=datetime.fromtimestamp(int(moment), UTC),
        text=commands.get(str(sent.get("command")), text),
        press=press if kind is Kind.PRESS else None,
        attachments=attachments,
        message_id=None if number is None else str(number),
    )


def _press(content: Mapping[str, Any], external_id: str, now: datetime) -> Incoming | None:
    chat = int(content["peer_id"])
    if not 0 < chat < FIRST_GROUP_CHAT:
        return None
    press = _json(content.get("payload")).get("press")
    number = content.get("conversation_message_id")
    return Incoming(
        channel="vk",
        chat=str(chat),
        external_id=external_id,
        kind=Kind.PRESS,
        at=now,
        press=press if isinstance(press, str) else "",
        message_id=None if number is None else str(number),
        answer=str(content["event_id"]),
    )


def _json(value: Any) -> Mapping[str, Any]:
    """Read a payload: VK hands it over as an object or as a text of JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _attachments(message: Mapping[str, Any]) -> tuple[Media, ...]:
    found = [_attachment(one) for one in message.get("attachments") or ()]
    if place := (message.get("geo") or {}).get("coordinates"):
        found.append(Media("file", f"location {place.get('latitude')}, {place.get('longitude')}"))
    if message.get("fwd_messages"):
        found.append(Media("file", "forwarded messages"))
    return tuple(found)


def _attachment(attachment: Mapping[str, Any]) -> Media:
    kind = str(attachment["type"])
    content = attachment.get(kind)
    content = content if isinstance(content, Mapping) else {}
    name = content.get("url") if kind == "link" else content.get("title")
    return Media(_KINDS.get(kind, "file"), clean(name) or (None if kind in _KINDS else kind))


# ------------------------------------------------------------------------------------------------------- outgoing
def keyboard(message: Outgoing) -> dict[str, Any] | None:
    """Return the inline keyboard of a message: its titles, or their numbers where a title is too long for VK."""
    titles = [button.title for button in message.buttons]
    if not titles or len(titles) > MAX_BUTTONS:
        return None
    labels = [str(number) for number in range(1, len(titles) + 1)] if _numbered(message) else titles
    buttons = [
        {"action": {"type": "callback", "label": label, "payload": json.dumps({"press": payload(message.id, index)})}}
        for index, label in enumerate(labels)
    ]
    across = 5 if _numbered(message) else 1 if len(buttons) <= MAX_ROWS else 2
    return {"inline": True, "buttons": [buttons[at : at + across] for at in range(0, len(buttons), across)]}


def with_numbered(message: Outgoing) -> str:
    """Return the message's text, with the titles as a numbered list where they do not fit on buttons."""
    if not _numbered(message):
        return message.text
    titles = [f"{number}. {button.title}" for number, button in enumerate(message.buttons, start=1)]
    return "\n\n".join(part for part in (message.text, "\n".join(titles)) if part)


def _numbered(message: Outgoing) -> bool:
    return len(message.buttons) > MAX_BUTTONS or any(len(button.title) > MAX_LABEL for button in message.buttons)
