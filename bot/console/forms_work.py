"""Forms of the work on a request: solving it, waiting, cases and calls."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import htpy as h

import flows
from bot import conversations, phones
from bot.console import numbers, words
from bot.console.around import Around
from bot.console.fields import (
    OTHER,
    Choice,
    FieldWrong,
    Filled,
    beside,
    choices,
    clock_name,
    moments,
    read_moment,
    select,
    soon,
    text_area,
    tick,
    told,
)
from bot.models import Conversation

NEAR = 4
"""So many categories stand there to be chosen without searching."""


async def resolve(around: Around, filled: Filled) -> list[h.Node]:
    return [
        choices(
            filled, "resolution", "Итог", [Choice("solved", "Решено"), Choice("not_solved", "Не решено")],
            default="solved", first=True,
        ),
        await _categories(around, filled),
        text_area(filled, "comment", "Что сделали", hint="Пригодится коллегам, если клиент вернётся"),
        h.p(".dim.small")["Клиента спросим, помогло ли. Ответит, что нет, — обращение откроется снова."],
    ]  # fmt: skip


async def read_resolve(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "resolution": given.get("resolution", ""), "category": _category(around.pack, given),
        "text": given.get("comment", ""),
    }  # fmt: skip


async def _categories(around: Around, filled: Filled) -> h.Element:
    """What it was about: what the talk was about, or any other found by a few letters."""
    conversation = await around.session.get_one(Conversation, around.request.conversation_id)
    state = conversations.remembered(conversation)
    near = [around.request.resolved_category, around.request.topic, *(one.intent for one in (*state.open, *state.done))]
    names = [name for name in dict.fromkeys(near) if name in around.pack.intents]
    names.sort(key=lambda name: name == _person(around.pack))  # to want a person is no topic, unless it is all there is
    names = names[:NEAR]
    offered = [Choice(str(name), words.topic(around.pack, str(name))) for name in names]
    search = [
        h.input(
            type="search", name="category_other", list="all-categories", value=filled.value("category_other"),
            placeholder="Начните вводить тему", aria_label="Другая тема", autocomplete="off",
            **beside(filled, "category_other", "category"),
        ),
        h.datalist(id="all-categories")[
            [h.option(value=title) for title in sorted({words.topic(around.pack, name) for name in around.pack.intents})]
        ],
    ]  # fmt: skip
    return choices(
        filled, "category", "Тема", [*offered, Choice(OTHER if offered else "", "Другая тема")],
        default=str(names[0]) if names else "", other=search,
    )  # fmt: skip


def _person(pack: flows.Pack) -> str | None:
    """The intent of wanting a person: what the pack's button for it means."""
    kind, _, intent = pack.buttons[pack.manifest.specialist].value.partition(":")
    return intent if kind == "intent" else None


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
    found = next((name for name in pack.intents if words.topic(pack, name).casefold() == typed.casefold()), None)
    if found is None:
        raise FieldWrong("category", "Такой темы нет, выберите из подсказок.")
    return found


async def wait(around: Around, filled: Filled) -> list[h.Node]:
    usual = Choice("", "Как обычно", f"{hours(around.parts.desk.reopen)}, потом обращение вернётся к вам")
    return [
        moments(filled, "Сколько ждём ответа", [usual, *soon(around.now, around.zone)], zone=around.zone, first=True),
        h.p(".dim.small")["Клиент узнает, что ждём его ответа. Напишет раньше — обращение сразу станет активным."],
    ]


async def read_wait(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {"until": read_moment(given, around.zone)}


def hours(span: timedelta) -> str:
    """A span in whole hours: «24 ч»."""
    return f"{span.total_seconds() / 3600:g} ч"


async def case(around: Around, filled: Filled) -> list[h.Node]:
    kinds = [
        Choice(name, one.title, f"{words.queue(around.pack, one.queue)}, {one.due_hours:g} ч")
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


async def read_case(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "category": given.get("category", ""), "comment": given.get("comment", ""),
        "due": read_moment(given, around.zone), "tell": given.get("tell") == "1",
    }  # fmt: skip


async def call_back(around: Around, filled: Filled) -> list[h.Node]:
    found = await numbers.known(around.parts, around.request)
    offered = [Choice(one.key, phones.masked(one.number), one.source) for one in found]
    own = h.input(
        type="tel", name="phone_other", value=filled.value("phone_other"), placeholder="+7 912 345-67-89",
        aria_label="Другой номер", autocomplete="off",
        **beside(filled, "phone_other", "phone"),
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


async def read_call_back(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    number, chosen = given.get("phone_other", ""), given.get("phone", OTHER)
    if chosen != OTHER:
        found = await numbers.known(around.parts, around.request)
        number = next((one.number for one in found if one.key == chosen), "")
    at = read_moment(given, around.zone)
    if at is None:
        raise FieldWrong("when", "Укажите, когда позвонить.")
    return {"phone": number, "at": at, "confirmed": given.get("confirmed") == "1", "comment": given.get("comment", "")}


async def called(around: Around, filled: Filled) -> list[h.Node]:
    ends = [
        Choice("solved", "Вопрос решён", "завершить обращение"), Choice("not_solved", "Не решён", "завершить обращение"),
        Choice("", "Ещё в работе", "обращение останется у вас"),
    ]  # fmt: skip
    return [
        choices(filled, "resolution", "Чем закончился звонок", ends, default="solved", first=True),
        text_area(filled, "comment", "О чём договорились", hint="Увидят только коллеги"),
    ]


async def read_called(around: Around, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        "comment": given.get("comment", ""), "resolution": given.get("resolution") or None,
        "category": around.request.topic,
    }  # fmt: skip
