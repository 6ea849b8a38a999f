"""The buttons under our messages: which one a customer means by a press, by its words or by its number in a list."""

from __future__ import annotations

import re

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.models import Conversation, Delivery, Message

PAYLOAD = re.compile(r"[0-9]{1,18}\.[0-9]{1,4}")
NUMBER = re.compile(r"[№#]?\s*([0-9]{1,2})\ufe0f?\u20e3?\s*[.):]?")
LONGEST = 200
"""Characters: what is longer is no button's title."""
_SEEN = (Delivery.SENT, Delivery.SENDING, Delivery.UNKNOWN)
"""What a customer may have before them."""


async def pressed(session: AsyncSession, conversation_id: int, payload: str) -> flows.Button | None:
    """The button that a payload ("<message id>.<index>") means, if this conversation has a message with it."""
    message_id, _, index = payload.partition(".")
    if not PAYLOAD.fullmatch(payload):
        return None
    found = await session.execute(
        select(Message.buttons).where(Message.id == int(message_id), Message.conversation_id == conversation_id)
    )
    buttons = found.scalar_one_or_none() or []
    if int(index) >= len(buttons):
        return None
    return flows.Button(buttons[int(index)]["title"], buttons[int(index)]["value"])


async def payload_of(session: AsyncSession, channel: str, chat: str, title: str) -> str | None:
    """The payload of the newest button with a title in a conversation (scripted conversations press by title)."""
    found = await session.execute(
        select(Message.id, Message.buttons)
        .join(Conversation, Conversation.id == Message.conversation_id)
        .where(Conversation.channel == channel, Conversation.chat == chat, Message.delivery == Delivery.SENT)
        .order_by(Message.id.desc())
    )
    for message_id, buttons in found:
        for index, button in enumerate(buttons):
            if button["title"] == title:
                return f"{message_id}.{index}"
    return None


async def meant(session: AsyncSession, conversation_id: int, text: str) -> flows.Button | None:
    """The button of the newest message to the customer that a text means: by its title, or by its number in a list.

    Only the newest counts: what came before it is no longer asked. Case, punctuation and ё for е make no difference.
    """
    words, number = _plain(text), NUMBER.fullmatch(text.strip())
    if len(text) > LONGEST or not words:
        return None
    found = await session.execute(
        select(Message.buttons, Message.numbered)
        .where(Message.conversation_id == conversation_id, Message.delivery.in_(_SEEN))
        .order_by(Message.id.desc())
        .limit(1)
    )
    row = found.one_or_none()
    if row is None:
        return None
    offered = [flows.Button(one["title"], one["value"]) for one in row.buttons]
    titled = [button for button in offered if _plain(button.title) == words]
    if len(titled) == 1:
        return titled[0]
    if row.numbered and number is not None and 1 <= int(number[1]) <= len(offered):
        return offered[int(number[1]) - 1]
    return None


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold().replace("ё", "е")))
