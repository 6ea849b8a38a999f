"""Numbers under which a customer may be called: pages get their last digits only, the number itself stays here (ruling 31)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, phones
from bot.console.parts import Parts
from bot.errors import CrmUnavailable, PhoneInvalid
from bot.models import Conversation, Message, Request

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Number:
    """A number that is known. `key` stands for it on pages."""

    key: str
    number: str
    # E.164
    source: str
    # where it is known from, in Russian


async def known(session: AsyncSession, parts: Parts, request: Request) -> list[Number]:
    """The numbers of a request's customer, each once: what they told first, then what the systems know."""
    conversation = await session.get_one(Conversation, request.conversation_id)
    found: list[Number] = []

    def add(key: str, number: object, source: str) -> None:
        try:
            read = phones.read(str(number or ""))
        except PhoneInvalid:
            return
        if read not in {one.number for one in found}:
            found.append(Number(key, read, source))

    add("promised", request.call_phone, "обещан звонок")
    for name, value in conversations.remembered(conversation).slots.items():
        slot = parts.pack.slots.get(name)
        if slot is not None and "phone" in (slot.entity or ()):
            add(f"told-{name}", value, "назвал клиент")
    contact = await session.scalar(
        select(Message.contact)
        .where(Message.conversation_id == conversation.id, Message.contact.is_not(None))
        .order_by(Message.id.desc())
        .limit(1)
    )
    add("contact", contact, "из мессенджера")
    for place, number in enumerate(await _of_card(parts, request, conversation)):
        add(f"card-{place}", number, "из карточки")
    return found


async def _of_card(parts: Parts, request: Request, conversation: Conversation) -> list[object]:
    """The numbers of the card that the account leads to, if it is the identified customer's."""
    if request.customer_id is None:
        return []
    lookup = flows.Lookup("customer", (("account", f"{conversation.channel}:{conversation.chat}"),))
    try:
        card = await parts.crm.fetch(lookup)
    except CrmUnavailable:
        log.warning("crm_down", extra={"source": "customer"})
        return []
    ours = isinstance(card, Mapping) and card.get("id") == request.customer_id
    return list(card.get("phones") or ()) if ours and card is not None else []
