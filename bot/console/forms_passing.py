"""Forms of what changes whose a request is: back, on, joined, spam, taken over, and how urgent it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import htpy as h

import flows
from bot import agents
from bot.console import words
from bot.console.around import Around
from bot.console.fields import (
    OTHER,
    Choice,
    FieldWrong,
    Filled,
    beside,
    choices,
    select,
    text_area,
    text_line,
    told,
)
from bot.desk.hands import load
from bot.desk.joining import candidates
from bot.models import Agent, Conversation, Request


async def decline(around: Around, filled: Filled) -> list[h.Node]:
    return [
        text_area(filled, "comment", "Почему возвращаете", required=True, first=True, hint="Увидят только коллеги"),
    ]


async def read_decline(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {"reason": given.get("comment", "")}


async def transfer(around: Around, filled: Filled) -> list[h.Node]:
    everyone, busy = await agents.everyone(around.session), await load(around.session)
    queues = [
        Choice(f"queue:{name}", one.title, open_until(around, name))
        for name, one in around.pack.queues.items()
        if name != around.request.queue
    ]
    colleagues = [
        one for one in everyone if one.id != around.person.id and one.role != "trainer" and one.disabled_at is None
    ]
    here = [Choice(f"to:{one.name}", one.title, in_hand(busy.get(one.id, 0))) for one in colleagues if one.on_shift]
    away = [Choice(f"to:{one.name}", one.title, "не на смене", disabled=True) for one in colleagues if not one.on_shift]
    groups = [("Очереди", queues), ("Специалисты на смене", here), ("Не на смене", away)]
    return [
        select(filled, "target", "Кому", groups, first=True),
        text_area(
            filled, "comment", "Комментарий для того, кто возьмёт", required=True,
            hint="Что выяснили, что осталось сделать",
        ),
        h.p(".dim.small")["Клиент узнает, что ответит другой специалист, без очереди и причины."],
    ]  # fmt: skip


async def read_transfer(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    kind, _, name = given.get("target", "").partition(":")
    if kind not in ("queue", "to") or not name:
        raise FieldWrong("target", "Выберите, кому передать.")
    return {"comment": given.get("comment", ""), kind: name}


def open_until(around: Around, queue: str) -> str:
    """When a queue works, in a few words: «открыта до 23:50», «закрыта до 04:00: ответят позже»."""
    topic = around.request.topic
    if flows.is_open(around.pack, queue, around.now, topic):
        closes = flows.closes_at(around.pack, queue, around.now, topic)
        return f"открыта до {told(closes, around.now, around.zone)}" if closes else "круглосуточно"
    opens = flows.opens_at(around.pack, queue, around.now, topic)
    return f"закрыта до {told(opens, around.now, around.zone)}, клиенту назовём срок"


def in_hand(count: int) -> str:
    """How much work an agent has, in a few words."""
    return f"{count} в работе" if count else "свободен"


async def priority(around: Around, filled: Filled) -> list[h.Node]:
    offered = [Choice(name, title) for name, title in words.PRIORITIES.items()]
    return [
        choices(filled, "priority", "Приоритет", offered, default=around.request.priority, first=True),
        text_line(filled, "reason", "Причина", required=True, hint="Увидят только коллеги"),
    ]


async def read_priority(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {"priority": given.get("priority", ""), "reason": given.get("reason", "")}


async def join(around: Around, filled: Filled) -> list[h.Node]:
    found = await candidates(around.session, around.request)
    offered = [Choice(one.number, one.number, await _told_of(around, one)) for one in found]
    own = h.input(
        type="text", name="other_number", value=filled.value("other_number"), placeholder="T-1042",
        aria_label="Другой номер обращения", autocomplete="off", **beside(filled, "other_number", "other"),
    )  # fmt: skip
    about = "Второе обращение закроется, всё из него перейдёт в это. Клиента предупредим один раз."
    return [
        h.p(".dim.small")[about if offered else "Других открытых обращений этого клиента не видно."],
        choices(
            filled, "other", "Присоединить", [*offered, Choice(OTHER, "По номеру")],
            default=offered[0].value if offered else OTHER, other=own, first=True,
        ),
    ]  # fmt: skip


async def _told_of(around: Around, one: Request) -> str:
    channel = (await around.session.get_one(Conversation, one.conversation_id)).channel
    holder = await around.session.get(Agent, one.agent_id) if one.agent_id else None
    where = holder.title if holder else words.queue(around.pack, one.queue)
    return ", ".join(
        filter(
            None,
            [words.topic(around.pack, one.topic) if one.topic else None, where, words.CHANNELS.get(channel, channel)],
        )
    )


async def read_join(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    chosen = given.get("other", OTHER)
    number = given.get("other_number", "") if chosen == OTHER else chosen
    if not number.strip():
        raise FieldWrong("other", "Укажите номер обращения.")
    return {"other": number.strip()}


async def spam(around: Around, filled: Filled) -> list[h.Node]:
    return [
        h.p["Обращение закроется, клиент ничего не получит. Новые сообщения из этого чата не попадут к специалистам."],
        h.p(".dim.small")["Снять отметку может старший смены."],
    ]


async def step_in(around: Around, filled: Filled) -> list[h.Node]:
    holder = await around.session.get(Agent, around.request.agent_id) if around.request.agent_id else None
    who = f"Сейчас обращение ведёт {holder.title}. " if holder else ""
    return [h.p[f"{who}Обращение перейдёт к вам, клиент узнает, что ответит другой специалист."]]


async def nothing(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {}
