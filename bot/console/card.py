"""The summary card of a request: what an agent reads before the first word, in the order in which it is needed (L2-10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import htpy as h

import flows
from bot.console import times, words
from bot.console.shell import left
from bot.dossier import Dossier
from bot.models import Request

MOOD_KINDS = {"upset": "warn", "angry": "bad", "threat": "bad"}


def card(dossier: Dossier, pack: flows.Pack, now: datetime) -> h.Element:
    """The card: why, what is wanted, the order, what was asked and answered, what comes next, what was promised."""
    request, summary = dossier.request, dossier.request.summary
    return h.section("#card.card", aria_labelledby="card-title")[
        h.h2("#card-title")["Сводка"],
        h.p(".tags")[_tags(request, summary, pack)],
        _passed(request, pack),
        h.dl(".facts")[
            _fact("Тема", _topic(request, pack)),
            _fact("Почему к вам", summary.get("reason")),
            _fact("Чего хочет", h.q[summary["wants"]] if summary.get("wants") else None, "wants"),
            _fact("Заказ", [_order(one, pack) for one in summary.get("orders") or ()]),
            _fact("Уже выяснили", _collected(summary, pack)),
            _fact("Бот ответил", _list([one.get("gist") for one in summary.get("answered") or ()])),
            _fact("Что дальше", summary.get("next_step"), "next"),
            _fact("Обещано", _promised(request, summary)),
            _fact("Перезвонить", _call(request, now, pack)),
            _fact("Вложения", _attachments(summary, pack)),
            _fact("Оценка", _mark(request)),
        ],
        h.details(".whole")[h.summary["Комментарий целиком"], h.p(".words")[request.comment]]
        if request.comment
        else None,
    ]


def _fact(name: str, value: h.Node, kind: str = "") -> h.Node:
    if not value:
        return None
    return h.div(class_=kind or None)[h.dt[name], h.dd[value]]


def _tags(request: Request, summary: Mapping[str, Any], pack: flows.Pack) -> list[h.Node]:
    tags: list[h.Node] = []
    if request.vip:
        tags.append(h.span(".tag.vip")["VIP"])
    flags = (summary.get("customer") or {}).get("flags") or ()
    tags += [
        h.span(".tag.vip")[words.label(pack, "flags", flag)] for flag in flags if not (request.vip and flag == "vip")
    ]
    mood = str(summary.get("mood") or "calm")
    if mood != "calm":
        kind = MOOD_KINDS.get(mood, "")
        tags.append(h.span(class_=f"tag {kind}")[words.label(pack, "mood", mood).capitalize()])
    if request.category:
        tags.append(h.span(".tag")[words.category(pack, request.category)])
    if request.escalated:
        tags.append(h.span(".tag.warn")["Эскалация"])
    tags += [h.span(".tag")[words.label(pack, "marks", mark)] for mark in request.marks]
    return tags


def _passed(request: Request, pack: flows.Pack) -> h.Node:
    """What colleagues wrote when they passed it on, the last one first."""
    label = pack.manifest.summary.get("passed", "+")
    told = [line.removeprefix(label).strip() for line in request.comment.split("\n") if line.startswith(label)]
    return [h.p(".passed")[h.b["Передали: "], one] for one in told]


def _topic(request: Request, pack: flows.Pack) -> str | None:
    return words.topic(pack, request.topic) if request.topic else None


def _order(order: Mapping[str, Any], pack: flows.Pack) -> h.Element:
    parts = [words.label(pack, key, order[key]) for key in ("status", "stage", "delivery") if order.get(key)]
    return h.p[
        h.b[f"№ {order.get('number')}"],
        f": {', '.join(parts)}" if parts else None,
        [", трек ", h.span(".mono")[order["tracking"]]] if order.get("tracking") else None,
        h.br if order.get("note") else None,
        order.get("note"),
    ]


def _collected(summary: Mapping[str, Any], pack: flows.Pack) -> h.Node:
    def told(slot: str, value: Any) -> str:
        return words.label(pack, "yes_no" if isinstance(value, bool) else slot, value)

    known = summary.get("collected") or {}
    return [
        h.p[h.span(".dim")[f"{words.label(pack, 'slots', slot)}: "], told(slot, value)] for slot, value in known.items()
    ]


def _list(items: Sequence[str | None]) -> h.Node:
    told = list(dict.fromkeys(one for one in items if one))
    return h.ul[[h.li[one] for one in told]] if told else None


def _promised(request: Request, summary: Mapping[str, Any]) -> h.Node:
    told = [
        h.li[one.get("what"), [" · ", left(str(one["due"]))] if one.get("due") and request.ended_at is None else None]
        for one in summary.get("promised") or ()
    ]
    promised = {datetime.fromisoformat(str(one["due"])) for one in summary.get("promised") or () if one.get("due")}
    if request.due is not None and request.ended_at is None and request.due not in promised:
        told.append(h.li["Ответить клиенту · ", left(request.due.isoformat())])
    return h.ul[told] if told else None


def _call(request: Request, now: datetime, pack: flows.Pack) -> h.Node:
    if not request.call_phone:
        return None
    when = times.day_and_time(request.due, pack.zone, now) if request.due else None
    return h.p[f"•••{request.call_phone[-4:]}", f", {when}" if when else None]


def _attachments(summary: Mapping[str, Any], pack: flows.Pack) -> str:
    kinds = [words.label(pack, "attachments", one.get("kind")) for one in summary.get("attachments") or ()]
    return ", ".join(
        f"{kind}{f' × {kinds.count(kind)}' if kinds.count(kind) > 1 else ''}" for kind in dict.fromkeys(kinds)
    )


def _mark(request: Request) -> h.Node:
    if request.mark is None:
        return None
    return h.p[f"{request.mark} из 5", f": «{request.mark_comment}»" if request.mark_comment else None]


# --------------------------------------------------------------------------------------------------- the customer
def customer(dossier: Dossier, pack: flows.Pack, now: datetime) -> h.Element:
    """Who it is, how that is known, and how they are reached."""
    request, conversation = dossier.request, dossier.conversation
    known, tz = request.summary.get("customer") or {}, pack.zone
    by = known.get("identified_by")
    if by:
        at = times.day_and_time(request.opened_at, tz, now)
        how: h.Node = [words.label(pack, "identified_by", by).capitalize(), h.span(".dim")[f", до передачи ({at})"]]
    else:
        how = "Не опознан" if not known.get("name") else "По привязанному аккаунту, не подтверждено"
    return h.section("#customer.card", aria_labelledby="customer-title")[
        h.h2("#customer-title")["Клиент"],
        h.dl(".facts")[
            _fact("Имя", known.get("name")),
            _fact("Опознан", how),
            _fact("Телефон", phone(request)),
            _fact("В мессенджере", f"{conversation.name or 'без имени'}, {words.CHANNELS.get(conversation.channel, conversation.channel)}"),
            _fact("Пишет нам с", times.day_and_time(conversation.created_at, tz, now)),
            _fact("Связь", "заблокировал бота, написать ему нельзя" if conversation.blocked_at else None),
            _fact("Отметка", "разговор отмечен как спам" if conversation.spam_at else None),
        ],
    ]  # fmt: skip


def phone(request: Request, numbers: Sequence[str] | None = None) -> h.Element:
    """The customer's number: its last digits, and a button that shows it in full (ruling 31). numbers: in full, once shown."""
    if numbers is not None:
        told = [h.a(".mono", href=f"tel:{one}")[one] for one in numbers]
        return h.span("#phone")[told or "Номера в карточке нет"]
    masked = (request.summary.get("customer") or {}).get("phone_masked")
    address = f"/desk/requests/{request.number}/phone"
    return h.form("#phone.inline", method="post", action=address, hx_post=address, hx_swap="none")[
        h.span(".mono")[masked] if masked else None, h.button(".plain.small")["Показать номер"]
    ]


def earlier(requests: Sequence[Request], seen: Sequence[Request], pack: flows.Pack, now: datetime) -> h.Element | None:
    """Earlier requests of the customer; those that the reader may see lead there."""
    if not requests:
        return None
    tz = pack.zone
    return h.section("#earlier.card", aria_labelledby="earlier-title")[
        h.h2("#earlier-title")["Прежние обращения"],
        h.ul(".plain-list")[
            [
                h.li[
                    h.a(href=f"/desk/requests/{one.number}")[one.number] if one in seen else h.span[one.number],
                    " ",
                    _topic(one, pack) or words.queue(pack, one.queue),
                    h.span(".dim.small")[
                        f" {words.STATES.get(one.state, one.state).lower()}, {times.day_and_time(one.opened_at, tz, now)}"
                    ],
                    h.p(".small.dim")[one.solution] if one.solution else None,
                ]
                for one in requests
            ]
        ],
    ]
