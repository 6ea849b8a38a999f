"""The transcript and the timeline of a request as the messages of a topic."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

import flows
from bot.channels import split
from bot.forum.cards import MOST, PRIORITIES, clock, queue_words
from bot.masking import mask
from bot.models import Delivery, Message, RequestEvent, Sender

PIECE = 3800
"""A line that is longer becomes several."""
UNDELIVERED = (Delivery.FAILED, Delivery.REFUSED, Delivery.UNKNOWN)
ON_ITS_WAY = (Delivery.PENDING, Delivery.SENDING)
_KINDS = {
    "photo": "фото", "voice": "голосовое сообщение", "video": "видео", "sticker": "стикер", "file": "файл",
    "place": "место на карте",
}  # fmt: skip
_WHY = {
    Delivery.FAILED: "не доставлено", Delivery.REFUSED: "не отправлено: говорит специалист",
    Delivery.UNKNOWN: "неизвестно, доставлено ли",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Item:
    """Something that stands in a topic: a piece of a line, a sign that a line was not delivered, an event."""

    kind: str
    # line, undelivered, event, left_out
    id: int
    html: str
    size: int
    # as people see it
    piece: int = 0
    last: bool = True
    # of a line's pieces
    loud: bool = False
    # with a sound
    state: str | None = None
    # of the line's delivery, as it is told here
    reply_to: str | None = None
    # the message in the topic that it is about


def of_line(line: Message, customer: str | None) -> list[Item]:
    """A line of the transcript, in one piece or several. Telephone numbers are masked (ruling 31).

    `customer`: what the messenger calls the customer.
    """
    sign, who = _who(line, customer)
    words = mask(line.text)
    if line.contact:
        words = words or f"номер {mask(line.contact)}"
    parts = [f"📎 {_kind(one)}" for one in line.attachments]
    text = "\n".join(filter(None, [words, *parts])) or "…"
    if line.edited:
        text += " (исправлено)"
    pieces = split(text, PIECE) or ["…"]
    items: list[Item] = []
    for number, piece in enumerate(pieces):
        head, name = (f"{sign} {who}: ", f"{sign} <b>{escape(who)}:</b> ") if number == 0 else ("", "")
        tail = (
            f" ⚠️ {_WHY[Delivery(line.delivery)]}" if line.delivery in UNDELIVERED and number == len(pieces) - 1 else ""
        )
        items.append(
            Item(
                "line", line.id, f"{name}{escape(piece)}{tail}", _units(head + piece + tail), piece=number,
                last=number == len(pieces) - 1, loud=line.sender == Sender.CUSTOMER, state=line.delivery,
            )
        )  # fmt: skip
    return items


def _who(line: Message, customer: str | None) -> tuple[str, str]:
    match line.sender:
        case Sender.CUSTOMER:
            return "👤", mask(customer or "").strip() or "Клиент"
        case Sender.AGENT:
            return "🎧", line.agent or "Специалист"
        case Sender.NOTE:
            return "📝", f"{line.agent or 'Специалист'}, заметка"
    return "🤖", "Бот"


def _kind(attachment: Mapping[str, object]) -> str:
    kind = _KINDS.get(str(attachment.get("kind")), "вложение")
    name = attachment.get("name")
    return f"{kind} «{mask(str(name))}»" if name else kind


def undelivered(line: Message, *, reply_to: str | None) -> Item:
    """The sign that a line which stands in the topic did not reach the customer."""
    begins = mask(line.text)[:60] + ("…" if len(line.text) > 60 else "")
    told = f"⚠️ Клиенту {_WHY[Delivery(str(line.delivery))]}" + (f": «{begins}»" if begins and not reply_to else "")
    return Item(
        "undelivered", line.id, escape(told), _units(told), loud=reply_to is not None, state=line.delivery,
        reply_to=reply_to,
    )  # fmt: skip


def left_out(count: int) -> Item:
    """The sign that earlier lines are not in the topic."""
    told = f"… ещё строк до этого: {count}. Вся переписка на рабочем месте в браузере."
    return Item("left_out", 0, f"<i>{told}</i>", _units(told))


# ---------------------------------------------------------------------------------------------------------------- events
_PLAIN = {
    "resumed": "Снова в работе", "wait_over": "Срок ожидания вышел", "cancelled": "Клиент отменил обращение",
    "shift_over": "Смена закончилась: обращение снова в очереди", "reopened": "Клиент вернулся: обращение открыто снова",
    "overdue": "⚠️ Обещанный срок прошёл", "warned": "⚠️ Скоро срок первого ответа",
    "breached": "⚠️ Срок первого ответа прошёл", "assigned": "Взято в работу", "declined": "Вернули в очередь",
    "taken_back": "Старший смены вернул обращение в очередь", "stepped_in": "Подключился старший смены",
    "spam": "Отмечено как спам", "not_spam": "Больше не спам", "called": "Клиенту позвонили",
    "queue_opened": "Очередь открылась", "mark_commented": "Клиент пояснил оценку: см. рабочее место в браузере",
}  # fmt: skip
_OTHERS = (
    "transferred", "waiting_customer", "solved", "prioritised", "joined", "joined_into", "marked", "call_promised",
    "case_opened",
)  # fmt: skip
SHOWN = frozenset({*_PLAIN, *_OTHERS})
"""Kinds of events that stand in a topic; of the others the lines and the card tell."""
AFTERWARDS = frozenset({"marked", "mark_commented"})
"""Kinds that are worth telling in a closed topic."""


def of_event(pack: flows.Pack, event: RequestEvent, titles: Mapping[str, str]) -> Item:
    """An event of the timeline. `titles`: what customers call agents, by their names."""
    told = _event(pack, event, titles)
    return Item("event", event.id, f"<i>{escape(told)}</i>", _units(told))


def _event(pack: flows.Pack, event: RequestEvent, titles: Mapping[str, str]) -> str:
    by = titles.get(event.agent or "", event.agent or "")
    data = event.data
    match event.kind:
        case "transferred":
            to = data.get("to")
            where = titles.get(to, to) if to else queue_words(pack, str(data.get("queue")))
            told = f"Передано: {where}"
        case "waiting_customer":
            told = "Ждём клиента" + _until(pack, data.get("until"))
        case "solved":
            told = "Решено" if data.get("resolution") == "solved" else "Закрыто без решения"
        case "assigned" if data.get("given"):
            told = "Назначено"
        case "prioritised":
            why = f": {mask(str(data['reason']))}" if data.get("reason") else ""
            told = f"Приоритет «{PRIORITIES.get(str(data.get('to')), 'обычный')}»{why}"
        case "joined":
            told = f"Сюда присоединено {data.get('request', 'другое обращение')}"
        case "joined_into":
            told = f"Присоединено к {data.get('into', 'другому обращению')}"
        case "call_promised":
            told = f"Обещан звонок{_until(pack, data.get('due'))}"
        case "case_opened":
            told = f"Создана задача {data.get('request', '')}{_until(pack, data.get('due'))}"
        case "marked":
            told = f"Оценка клиента: {data['mark']} из 5" if data.get("mark") else "Клиент поставил оценку"
        case _:
            told = _PLAIN[event.kind]
    return f"{told} ({by})" if by else told


def _until(pack: flows.Pack, moment: str | None) -> str:
    return f" до {clock(pack, datetime.fromisoformat(moment))}" if moment else ""


# --------------------------------------------------------------------------------------------------------------- joining
def merged(
    lines: Sequence[Sequence[Item]], at: Sequence[datetime], events: Iterable[tuple[datetime, Item]]
) -> list[Item]:
    """Lines (in pieces, with their times) and events in one order; each keeps its own."""
    waiting, told = list(events), list[Item]()
    for pieces, moment in zip(lines, at, strict=True):
        while waiting and waiting[0][0] <= moment:
            told.append(waiting.pop(0)[1])
        told += pieces
    return told + [one for _, one in waiting]


def message(items: Sequence[Item]) -> list[Item]:
    """The first of some items, as many as one message holds. One that answers a message stands by itself."""
    taken: list[Item] = []
    size = 0
    for item in items:
        if taken and (size + item.size + 2 > MOST or item.reply_to or taken[0].reply_to):
            break
        taken.append(item)
        size += item.size + 2
    return taken


def html(items: Sequence[Item]) -> str:
    """The text of a message."""
    return "\n\n".join(item.html for item in items)


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
