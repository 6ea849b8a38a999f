"""Repeats: questions of agents whose answer is on record already (L2-12). Counted, never held up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rapidfuzz import fuzz
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations
from bot.masking import mask
from bot.models import Conversation, Message, Request, Sender
from flows.russian import plain

LOOKED_AT = 60
"""So many earlier messages are compared."""
SAME = 85
"""Of 100: questions as like as this ask for the same."""
SHORTEST = 3
"""Words from which a question says enough to be compared."""


async def asked_again(
    session: AsyncSession, pack: flows.Pack, conversation: Conversation, request: Request, text: str, *, agent: str
) -> list[str]:
    """What a reply asks though it is known: names of the pack's directory `asked_again`, or the question itself when
    the bot or another agent has put it before.

    An entry of the directory has the words that ask (a pattern) and where the answer stands: paths into the request's
    summary, or `slots.<name>` for what the bot remembers of the conversation.
    """
    questions = asked(text)
    if not questions:
        return []
    said = await session.scalars(
        select(Message.text)
        .where(
            Message.conversation_id == conversation.id,
            (Message.sender == Sender.BOT) | ((Message.sender == Sender.AGENT) & (Message.agent != agent)),
        )
        .order_by(Message.id.desc())
        .limit(LOOKED_AT)
    )
    earlier = [question for one in said for question in asked(one)]
    record = {**request.summary, "slots": conversations.remembered(conversation).slots}
    found: dict[str, None] = {}
    for question in questions:
        known = _known(pack, record, question)
        again = any(fuzz.token_sort_ratio(question, one) >= SAME for one in earlier)
        found.update(dict.fromkeys(known or ([question] if again and len(question.split()) >= SHORTEST else [])))
    return list(found)


def answers(pack: flows.Pack, conversation: Conversation, request: Request, found: list[str]) -> list[tuple[str, str]]:
    """What `asked_again` found, for the agent: what is asked for, and the answer as far as it stands on record."""
    record = {**request.summary, "slots": conversations.remembered(conversation).slots}
    entries = pack.manifest.directories.get("asked_again", {})
    told = []
    for name in found:
        if name not in entries:
            told.append((f"«{name}?»", "этот вопрос уже задавали, ответ в переписке"))
            continue
        known = next(filter(None, (_at(record, path) for path in entries[name]["of"])), None)
        told.append((str(entries[name].get("title", name)), mask(_shown(known, name, record))))
    return told


def _shown(known: Any, name: str, record: Mapping[str, Any]) -> str:
    """An answer in a few words: an order by its number, who is identified by their name."""
    if isinstance(known, list):
        return ", ".join(str(one.get("number", "")) if isinstance(one, Mapping) else str(one) for one in known)
    customer = record.get("customer") or {}
    if name == "name" and customer.get("name"):
        return str(customer["name"])
    if name == "phone" and customer.get("phone_masked"):
        return str(customer["phone_masked"])
    return str(known or "")


def asked(text: str) -> list[str]:
    """The questions in a text, lower case, without their marks."""
    sentences = re.split(r"(?<=[.?!])\s+|\n", text)
    return [plain(one).rstrip("? ") for one in sentences if one.rstrip().endswith("?")]


def _known(pack: flows.Pack, record: Mapping[str, Any], question: str) -> list[str]:
    """What the question asks for of what is on record."""
    entries = pack.manifest.directories.get("asked_again", {}).items()
    asks = [(name, one["of"]) for name, one in entries if re.search(one["words"], question)]
    return [name for name, paths in asks if any(_at(record, path) for path in paths)]


def _at(record: Mapping[str, Any], path: str) -> Any:
    value: Any = record
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
