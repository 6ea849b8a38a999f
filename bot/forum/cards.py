"""What a topic is called, and the card that is pinned in it: who, why, what is asked, what was answered, what is next."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import flows
from bot.channels import split
from bot.forum.api import MOST_NAME, Button
from bot.masking import mask
from bot.models import Request, State

MOST = 4096
"""Characters of a message in Telegram, as people see them."""
COLOURS = {"urgent": 0xFB6F5F, "high": 0xFFD67E, "normal": 0x6FB9F0, "low": 0x8EEE98}
"""Colour of a new topic's icon by priority, of the six that Telegram has; it cannot be changed later."""
PRIORITIES = {"urgent": "срочно", "high": "важно", "low": "не спешит"}
_SIGNS = {"urgent": "🔴 ", "high": "🟡 "}
_CUT = "\n… полностью на рабочем месте в браузере"
DOES = ("take", "wait", "resolve", "unsolved", "back", "transfer")
"""What the buttons under a card can mean."""


@dataclass(frozen=True, slots=True)
class Card:
    """The pinned message."""

    html: str
    buttons: Sequence[Sequence[Button]]

    @property
    def digest(self) -> str:
        """A short name for exactly this card."""
        return hashlib.sha256(repr((self.html, self.buttons)).encode()).hexdigest()[:16]


def title(pack: flows.Pack, request: Request, name: str | None) -> str:
    """The topic's name: number, subject, and what the messenger calls the customer. `name` is no proof of identity."""
    subject = topic_words(pack, request) or queue_words(pack, request.queue)
    told = " · ".join(filter(None, [request.number, subject, mask(name or "").strip()]))
    return (_SIGNS.get(request.priority, "") + told)[:MOST_NAME]


def colour(request: Request) -> int:
    """Colour of the topic's icon."""
    return COLOURS.get(request.priority, COLOURS["normal"])


def card(pack: flows.Pack, request: Request, *, agent: str | None) -> Card:
    """The card of a request. `agent`: what the customer calls whoever has it in hand."""
    head = [f"<b>{escape(request.number)}</b>"]
    if subject := topic_words(pack, request):
        head.append(escape(subject))
    marks = [PRIORITIES.get(request.priority, ""), "VIP" if request.vip else ""]
    lines = [" · ".join([*head, *(f"<b>{mark}</b>" for mark in marks if mark)])]
    lines.append(f"{escape(queue_words(pack, request.queue))} · {escape(state_words(pack, request, agent))}")
    if request.due and request.ended_at is None:
        late = " — срок прошёл" if request.overdue_at else ""
        lines.append(f"<b>Ответить до:</b> {clock(pack, request.due)}{late}")
    lines.append("")
    room = MOST - sum(len(one) + 1 for one in lines) - len(_CUT) - 50
    comment = mask(request.comment)
    first, *more = split(comment, room) or [""]
    lines += [_labelled(one) for one in first.split("\n")]
    return Card("\n".join(lines) + (_CUT if more else ""), _buttons(request))


def _labelled(line: str) -> str:
    """A line of the comment with its label in bold."""
    label, colon, rest = line.partition(":")
    return f"<b>{escape(label)}:</b>{escape(rest)}" if colon and len(label) <= 24 else escape(line)


def _buttons(request: Request) -> tuple[tuple[Button, ...], ...]:
    def button(words: str, does: str) -> Button:
        return words, f"desk:{does}:{request.id}"

    if request.state == State.QUEUED:
        return ((button("Взять", "take"),),)
    if request.state in (State.ASSIGNED, State.WAITING_CUSTOMER):
        first = [button("Решено", "resolve"), button("Не решено", "unsolved")]
        second = [button("Передать", "transfer"), button("Вернуть", "back")]
        if request.state == State.ASSIGNED:
            second.insert(0, button("Ждём клиента", "wait"))
        return tuple(first), tuple(second)
    return ()


def pressed(data: str) -> tuple[str, int] | None:
    """What a press means, and in which request; None for a button that is none of ours."""
    start, _, rest = data.partition(":")
    does, _, number = rest.partition(":")
    return (does, int(number)) if start == "desk" and does in DOES and number.isdecimal() else None


# ---------------------------------------------------------------------------------------------------------------- words
def topic_words(pack: flows.Pack, request: Request) -> str:
    """What a request is about."""
    if request.category and request.category in pack.categories:
        return pack.categories[request.category].title
    intent = pack.intents.get(request.topic or "")
    return (intent.title or "") if intent else ""


def queue_words(pack: flows.Pack, queue: str) -> str:
    """What people call a queue."""
    return pack.queues[queue].title if queue in pack.queues else queue


def state_words(pack: flows.Pack, request: Request, agent: str | None) -> str:
    """Where a request stands."""
    match request.state:
        case State.QUEUED:
            return f"ждёт с {clock(pack, request.opened_at)}"
        case State.ASSIGNED:
            return f"в работе: {agent or 'специалист'}"
        case State.WAITING_CUSTOMER:
            until = f" до {clock(pack, request.wait_until)}" if request.wait_until else ""
            return f"ждём клиента{until}: {agent or 'специалист'}"
        case State.SOLVED:
            return "решено" if request.resolution == "solved" else "закрыто без решения"
        case State.CANCELLED:
            return "клиент отменил"
    return "закрыто"


def clock(pack: flows.Pack, at: datetime) -> str:
    """A moment by the shop's clock."""
    return at.astimezone(pack.zone).strftime("%d.%m %H:%M")
