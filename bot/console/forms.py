"""The dialogs of the desk's actions: what each asks, and what it makes of the answers.

`fields` draws a form's fields from the request as it is now, `read` turns what was sent into the arguments of the action.
An action itself checks what it gets (`bot.desk`); `FIELDS` says at which field its refusal is shown.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import htpy as h
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import agents, conversations, errors, phones
from bot.console import numbers
from bot.console.fields import (
    OTHER,
    Choice,
    FieldWrong,
    Filled,
    choices,
    clock_name,
    moments,
    read_moment,
    select,
    soon,
    text_area,
    text_line,
    tick,
    told,
)
from bot.console.parts import Parts
from bot.console.seat import Seat
from bot.desk.calls import zone
from bot.desk.hands import load
from bot.desk.joining import candidates
from bot.models import Agent, Conversation, Request
from bot.sentences import sentence

PRIORITIES = {"urgent": "Срочный", "high": "Высокий", "normal": "Обычный", "low": "Низкий"}
CHANNELS = {"telegram": "Telegram", "vk": "ВКонтакте"}
NEAR = 4
"""So many categories stand there to be chosen without searching."""

FIELDS: dict[type[errors.FirstlineError], str] = {
    errors.CommentMissing: "comment", errors.CaseCommentMissing: "comment", errors.QueueUnknown: "target",
    errors.AgentUnknown: "target", errors.TargetOffShift: "target", errors.AlreadyYours: "target",
    errors.TimeOver: "when", errors.TimeTooFar: "when", errors.PhoneInvalid: "phone_other",
    errors.PhoneNotConfirmed: "confirmed", errors.CaseCategoryUnknown: "category", errors.PriorityUnknown: "priority",
    errors.PriorityReasonMissing: "reason", errors.RequestUnknown: "other", errors.NotSameCustomer: "other",
    errors.JoinedToItself: "other", errors.InOtherHands: "other", errors.ResolutionUnknown: "resolution",
}  # fmt: skip
"""The field that a refusal is about; any other is said above the form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a form is made of."""

    session: AsyncSession
    parts: Parts
    person: Seat
    request: Request
    now: datetime

    @property
    def pack(self) -> flows.Pack:
        """The content."""
        return self.parts.pack

    @property
    def zone(self) -> ZoneInfo:
        """The shop's clock."""
        return zone(self.pack)


Fields = Callable[[Around, Filled], Awaitable[list[h.Node]]]
Read = Callable[[Around, Mapping[str, str]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A dialog."""

    title: str
    button: str
    action: str
    # name of the function in `bot.desk`
    fields: Fields
    read: Read
    danger: bool = False


# -------------------------------------------------------------------------------------------------------- giving back
async def _decline(around: Around, filled: Filled) -> list[h.Node]:
    return [
        text_area(filled, "comment", "Почему возвращаете", required=True, first=True, hint="Увидят только коллеги"),
    ]


async def _read_decline(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {"reason": given.get("comment", "")}


# ------------------------------------------------------------------------------------------------------------ passing
async def _transfer(around: Around, filled: Filled) -> list[h.Node]:
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


async def _read_transfer(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
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


# ------------------------------------------------------------------------------------------------------------- ending
async def _resolve(around: Around, filled: Filled) -> list[h.Node]:
    return [
        choices(
            filled, "resolution", "Итог", [Choice("solved", "Решено"), Choice("not_solved", "Не решено")],
            default="solved", first=True,
        ),
        await _categories(around, filled),
        text_area(filled, "comment", "Что сделали", hint="Пригодится коллегам, если клиент вернётся"),
        h.p(".dim.small")["Клиента спросим, помогло ли. Ответит, что нет, — обращение откроется снова."],
    ]  # fmt: skip


async def _read_resolve(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "resolution": given.get("resolution", ""), "category": _category(around.pack, given),
        "text": given.get("comment", ""),
    }  # fmt: skip


async def _categories(around: Around, filled: Filled) -> h.Element:
    """What it was about: what the talk was about, or any other found by a few letters."""
    conversation = await around.session.get_one(Conversation, around.request.conversation_id)
    state = conversations.remembered(conversation)
    near = [around.request.topic, around.request.resolved_category, *(one.intent for one in (*state.open, *state.done))]
    names = [name for name in dict.fromkeys(near) if name in around.pack.intents][:NEAR]
    offered = [Choice(str(name), topic(around.pack, str(name))) for name in names]
    search = [
        h.input(
            type="search", name="category_other", list="all-categories", value=filled.value("category_other"),
            placeholder="Начните вводить тему", aria_label="Другая тема", autocomplete="off",
        ),
        h.datalist(id="all-categories")[
            [h.option(value=title) for title in sorted({topic(around.pack, name) for name in around.pack.intents})]
        ],
    ]  # fmt: skip
    return choices(
        filled, "category", "Тема", [*offered, Choice(OTHER if offered else "", "Другая тема")],
        default=str(names[0]) if names else "", other=search,
    )  # fmt: skip


def _category(pack: flows.Pack, given: Mapping[str, str]) -> str | None:
    """The intent that was chosen, by its name or the title that was typed."""
    chosen, typed = given.get("category", ""), given.get("category_other", "").strip()
    if chosen and chosen != OTHER:
        if chosen not in pack.intents:
            raise FieldWrong("category", "Выберите тему из списка.")
        return chosen
    if not typed:
        if chosen == OTHER:
            raise FieldWrong("category", "Выберите тему из списка.")
        return None
    found = next((name for name in pack.intents if topic(pack, name).casefold() == typed.casefold()), None)
    if found is None:
        raise FieldWrong("category", "Такой темы нет, выберите из подсказок.")
    return found


def topic(pack: flows.Pack, name: str | None) -> str:
    """A topic in the agents' words."""
    intent = pack.intents.get(name or "")
    return (intent.title or name or "") if intent else (name or "")


# ------------------------------------------------------------------------------------------------------------ waiting
async def _wait(around: Around, filled: Filled) -> list[h.Node]:
    usual = Choice("", "Как обычно", f"{hours(around.parts.desk.reopen)}, потом обращение вернётся к вам")
    return [
        moments(filled, "Сколько ждём ответа", [usual, *soon(around.now, around.zone)], zone=around.zone, first=True),
        h.p(".dim.small")["Клиент узнает, что ждём его ответа. Напишет раньше — обращение сразу станет активным."],
    ]


async def _read_wait(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {"until": read_moment(given, around.zone)}


def hours(span: timedelta) -> str:
    """A span in whole hours: «24 ч»."""
    return f"{span.total_seconds() / 3600:g} ч"


# -------------------------------------------------------------------------------------------------------------- cases
async def _case(around: Around, filled: Filled) -> list[h.Node]:
    kinds = [
        Choice(name, one.title, f"{_queue(around.pack, one.queue)}, {one.due_hours:g} ч")
        for name, one in around.pack.categories.items()
    ]
    usual = Choice("", "По правилам задачи")
    return [
        select(filled, "category", "Вид", [("Задачи", kinds)], first=True),
        text_area(
            filled, "comment", "Что нужно сделать", required=True,
            hint="Так, чтобы никого не пришлось переспрашивать. Сводка и переписка приложатся сами",
        ),
        moments(filled, "Срок", [usual, *soon(around.now, around.zone)], zone=around.zone),
        tick(filled, "tell", "Сообщить клиенту номер и срок", default=True),
    ]  # fmt: skip


async def _read_case(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "category": given.get("category", ""), "comment": given.get("comment", ""),
        "due": read_moment(given, around.zone), "tell": given.get("tell") == "1",
    }  # fmt: skip


def _queue(pack: flows.Pack, name: str) -> str:
    return pack.queues[name].title if name in pack.queues else name


# -------------------------------------------------------------------------------------------------------------- calls
async def _call_back(around: Around, filled: Filled) -> list[h.Node]:
    found = await numbers.known(around.session, around.parts, around.request)
    offered = [Choice(one.key, phones.masked(one.number), one.source) for one in found]
    own = h.input(
        type="tel", name="phone_other", value=filled.value("phone_other"), placeholder="+7 912 345-67-89",
        aria_label="Другой номер", autocomplete="off",
        aria_invalid="true" if "phone_other" in filled.errors else None,
        aria_describedby="phone_other-error" if "phone_other" in filled.errors else None,
    )  # fmt: skip
    error = filled.errors.get("phone_other")
    typed = [own, h.p(".field-error", id="phone_other-error", role="alert")[error] if error else None]
    hour = (around.now + timedelta(hours=1)).replace(second=0, microsecond=0)
    first = Choice(hour.isoformat(), "Через час", told(hour, around.now, around.zone))
    return [
        choices(
            filled, "phone", "Номер", [*offered, Choice(OTHER, "Другой номер")],
            default=offered[0].value if offered else OTHER, other=typed, first=True,
        ),
        moments(filled, "Когда позвонить", [first, *soon(around.now, around.zone)], zone=around.zone),
        text_area(filled, "comment", "Заметка к звонку", hint="О чём говорить. Увидят только коллеги"),
        tick(filled, "confirmed", "Клиент подтвердил номер и время"),
        h.p(".dim.small")[f"Клиенту сообщим время ({clock_name(around.zone)}) и последние цифры номера."],
    ]  # fmt: skip


async def _read_call_back(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    number, chosen = given.get("phone_other", ""), given.get("phone", OTHER)
    if chosen != OTHER:
        found = await numbers.known(around.session, around.parts, around.request)
        number = next((one.number for one in found if one.key == chosen), "")
    at = read_moment(given, around.zone)
    if at is None:
        raise FieldWrong("when", "Укажите, когда позвонить.")
    return {"phone": number, "at": at, "confirmed": given.get("confirmed") == "1", "comment": given.get("comment", "")}


async def _called(around: Around, filled: Filled) -> list[h.Node]:
    ends = [
        Choice("solved", "Вопрос решён", "завершить обращение"), Choice("not_solved", "Не решён", "завершить обращение"),
        Choice("", "Ещё в работе", "обращение останется у вас"),
    ]  # fmt: skip
    return [
        choices(filled, "resolution", "Чем закончился звонок", ends, default="solved", first=True),
        text_area(filled, "comment", "О чём договорились", hint="Увидят только коллеги"),
    ]


async def _read_called(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "comment": given.get("comment", ""), "resolution": given.get("resolution") or None,
        "category": around.request.topic,
    }  # fmt: skip


# --------------------------------------------------------------------------------------------- priority, joining, spam
async def _priority(around: Around, filled: Filled) -> list[h.Node]:
    offered = [Choice(name, title) for name, title in PRIORITIES.items()]
    return [
        choices(filled, "priority", "Приоритет", offered, default=around.request.priority, first=True),
        text_line(filled, "reason", "Причина", required=True, hint="Увидят только коллеги"),
    ]


async def _read_priority(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {"priority": given.get("priority", ""), "reason": given.get("reason", "")}


async def _join(around: Around, filled: Filled) -> list[h.Node]:
    found = await candidates(around.session, around.request)
    offered = [Choice(one.number, one.number, await _told_of(around, one)) for one in found]
    own = h.input(
        type="text", name="other_number", value=filled.value("other_number"), placeholder="T-1042",
        aria_label="Другой номер обращения", autocomplete="off",
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
    where = holder.title if holder else _queue(around.pack, one.queue)
    return ", ".join(filter(None, [topic(around.pack, one.topic), where, CHANNELS.get(channel, channel)]))


async def _read_join(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    chosen = given.get("other", OTHER)
    number = given.get("other_number", "") if chosen == OTHER else chosen
    if not number.strip():
        raise FieldWrong("other", "Укажите номер обращения.")
    return {"other": number.strip()}


async def _spam(around: Around, filled: Filled) -> list[h.Node]:
    return [
        h.p["Обращение закроется, клиент ничего не получит. Новые сообщения из этого чата не попадут к специалистам."],
        h.p(".dim.small")["Снять отметку может руководитель."],
    ]


async def _step_in(around: Around, filled: Filled) -> list[h.Node]:
    holder = await around.session.get(Agent, around.request.agent_id) if around.request.agent_id else None
    who = f"Сейчас обращение ведёт {holder.title}. " if holder else ""
    return [h.p[f"{who}Обращение перейдёт к вам, клиент узнает, что ответит другой специалист."]]


async def _nothing(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {}


FORMS: dict[str, Form] = {
    "give-back": Form(
        title="Вернуть в очередь", button="Вернуть", action="decline", fields=_decline, read=_read_decline
    ),
    "transfer": Form(
        title="Передать обращение", button="Передать", action="transfer", fields=_transfer, read=_read_transfer
    ),
    "resolve": Form(
        title="Завершить обращение", button="Завершить", action="resolve", fields=_resolve, read=_read_resolve
    ),
    "wait": Form(title="Ждать клиента", button="Ждать", action="wait", fields=_wait, read=_read_wait),
    "case": Form(title="Новая задача", button="Создать", action="open_case", fields=_case, read=_read_case),
    "call-back": Form(
        title="Перезвонить клиенту", button="Записать звонок", action="call_back", fields=_call_back,
        read=_read_call_back,
    ),
    "called": Form(title="Звонок сделан", button="Сохранить", action="called", fields=_called, read=_read_called),
    "priority": Form(
        title="Изменить приоритет", button="Изменить", action="prioritise", fields=_priority, read=_read_priority
    ),
    "join": Form(title="Объединить обращения", button="Объединить", action="join", fields=_join, read=_read_join),
    "spam": Form(title="Отметить как спам", button="Это спам", action="spam", fields=_spam, read=_nothing, danger=True),
    "step-in": Form(
        title="Взять обращение на себя", button="Взять на себя", action="step_in", fields=_step_in, read=_nothing
    ),
}  # fmt: skip
SAME = {"decline": "give-back", "callback": "call-back", "step_in": "step-in", "call_back": "call-back"}
"""Other names under which pages ask for a dialog."""


def named(name: str) -> Form | None:
    """The form of an action's name in an address."""
    return FORMS.get(SAME.get(name, name))


def wrong(error: errors.FirstlineError) -> tuple[str, str]:
    """The field that an error is about ("" for none), and its sentence."""
    field = next((FIELDS[kind] for kind in type(error).__mro__ if kind in FIELDS), "")
    return field, sentence(error)
