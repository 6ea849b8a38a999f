"""VK's events as `Incoming`: pure mapping, no calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from bot.channels import Incoming, Kind, clean
from bot.channels.commands import START, Commands
from bot.channels.vk_media import attachments

FIRST_GROUP_CHAT = 2_000_000_000
# peers from here on are chats of many people
KINDS = ("message_new", "message_edit", "message_event", "message_allow", "message_deny", "message_typing_state")
# the events that we ask VK for


def incoming(event: Mapping[str, Any], *, now: datetime, commands: Commands) -> Incoming | None:
    """Map an event; None for one that is no customer's. Events of an odd shape raise LookupError, TypeError or ValueError.

    The messages that people of the community write in VK's own inbox (message_reply) are none of the customer's.
    """
    content, group = event["object"], int(event["group_id"])
    external_id = f"{group}:{event['event_id']}"
    match event["type"]:
        case "message_new":
            return said(content.get("message", content), group, commands=commands, app=content.get("client_info"))
        case "message_edit":
            return _edited(content.get("message", content), external_id)
        case "message_event":
            return _press(content, external_id, now)
        case "message_allow" | "message_deny":
            kind = Kind.UNBLOCKED if event["type"] == "message_allow" else Kind.BLOCKED
            if (chat := _customer(int(content["user_id"]))) is not None:
                return Incoming(channel="vk", chat=chat, external_id=external_id, kind=kind, at=now)
        case "message_typing_state" if content.get("state") == "typing":
            if (chat := _customer(int(content["from_id"]))) is not None:
                return Incoming(channel="vk", chat=chat, external_id=external_id, kind=Kind.TYPING, at=now)
    return None


def said(message: Mapping[str, Any], group: int, *, commands: Commands, app: Any = None) -> Incoming | None:
    """Map a message, which an event brought or the dialogue's history: its `external_id` is the same in both.

    app: what the event says of the customer's app (`client_info`)
    """
    chat, number = _writer(message), message.get("conversation_message_id")
    if chat is None:
        return None
    text, media, sent = commands.read(clean(message.get("text"))), attachments(message), _json(message.get("payload"))
    press = sent.get("press")
    text = _begun(commands.words.get(str(sent.get("command"))), text, clean(message.get("ref")), commands)
    return Incoming(
        channel="vk",
        chat=chat,
        external_id=f"{group}:{chat}:{number or 'id' + str(message['id'])}",
        kind=Kind.PRESS if isinstance(press, str) else Kind.MESSAGE if text or media else Kind.OTHER,
        at=datetime.fromtimestamp(int(message["date"]), UTC),
        text=text,
        press=clean(press) if isinstance(press, str) else None,
        attachments=media,
        no_buttons=_no_buttons(app),
        message_id=str(number or message["id"]),
    )


def changed(message: Mapping[str, Any], group: int) -> Incoming | None:
    """Map a message of the history as the edit that it has seen; None when it has seen none."""
    if not message.get("update_time"):
        return None
    number = message.get("conversation_message_id") or message["id"]
    return _edited(message, f"{group}:{message['peer_id']}:{number}:{message['update_time']}")


def _edited(message: Mapping[str, Any], external_id: str) -> Incoming | None:
    chat, number = _writer(message), message.get("conversation_message_id") or message.get("id")
    if chat is None or number is None:
        return None
    return Incoming(
        channel="vk",
        chat=chat,
        external_id=external_id,
        kind=Kind.EDIT,
        at=datetime.fromtimestamp(int(message.get("update_time") or message["date"]), UTC),
        text=clean(message.get("text")),
        attachments=attachments(message),
        message_id=str(number),
    )


def _press(content: Mapping[str, Any], external_id: str, now: datetime) -> Incoming | None:
    chat = _customer(int(content["peer_id"]))
    if chat is None:
        return None
    press, number = _json(content.get("payload")).get("press"), content.get("conversation_message_id")
    return Incoming(
        channel="vk",
        chat=chat,
        external_id=external_id,
        kind=Kind.PRESS,
        at=now,
        press=clean(press) if isinstance(press, str) else "",
        message_id=None if number is None else str(number),
        answer=str(content["event_id"]),
    )


def _customer(peer: int) -> str | None:
    """The chat of one customer; None for a chat of many people, and for a community."""
    return str(peer) if 0 < peer < FIRST_GROUP_CHAT else None


def _writer(message: Mapping[str, Any]) -> str | None:
    """The chat, when the message in it is the customer's own."""
    chat = _customer(int(message["peer_id"]))
    return None if str(message["from_id"]) != chat or message.get("out") else chat


def _begun(command: str | None, text: str, ref: str, commands: Commands) -> str:
    """The text of a message. One that was begun by a deep link (`ref`) has the link's words before the customer's own."""
    begun = commands.linked(ref) if ref else ""
    if not begun or begun == commands.words.get(START):  # no link, or none of ours
        return text if command is None else command
    return f"{begun}\n{text}" if command is None and text not in ("", begun) else begun


def _no_buttons(app: Any) -> bool | None:
    if not isinstance(app, Mapping):
        return None
    return not (app.get("inline_keyboard") and "callback" in (app.get("button_actions") or ()))


def _json(value: Any) -> Mapping[str, Any]:
    """Read a payload: VK hands it over as an object or as a text of JSON."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}
