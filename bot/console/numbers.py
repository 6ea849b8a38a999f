"""The customer's numbers: pages get their last digits only, the number itself stays here until somebody asks (ruling 31)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from sqlalchemy import select

from bot import conversations, phones
from bot.console import orders
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


async def known(parts: Parts, request: Request, *, linked: bool = False) -> list[Number]:
    """The numbers of a request's customer, each once: what they told first, then what the systems know.

    linked: also those of the card that their account leads to while nobody has identified them
    """
    async with parts.sessions() as session:  # given back before the CRM is asked
        conversation = await session.get_one(Conversation, request.conversation_id)
        contact = await session.scalar(
            select(Message.contact)
            .where(Message.conversation_id == conversation.id, Message.contact.is_not(None))
            .order_by(Message.id.desc())
            .limit(1)
        )
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
    add("contact", contact, "из мессенджера")
    try:
        card, sure = await orders.card(parts.crm, request, conversation, seconds=parts.settings.crm_timeout)
    except CrmUnavailable:
        log.warning("crm_down", extra={"source": "customer"})
        return found
    for place, number in enumerate((card or {}).get("phones") or () if sure or linked else ()):
        add(f"card-{place}", number, "из карточки")
    return found
