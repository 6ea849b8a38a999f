"""The journal: what people at the desk did, for supervisors. By person, by action, by request, by day."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import htpy as h
from fastapi import APIRouter, Request, Response

import flows
from bot import agents, audit, errors
from bot.console import shell
from bot.console.parts import parts_of
from bot.console.seat import Leads
from bot.console.sign_in import ROLES, STYLES
from bot.console.words import PRIORITIES, RESOLUTIONS
from bot.models import Agent
from bot.sentences import sentence

router = APIRouter()
PAGE = "/desk/audit"
ACTIONS = {
    "signed_in": "Вход", "signed_out": "Выход", "signed_out_elsewhere": "Выход на других устройствах",
    "sign_in_refused": "Неудачный вход", "password_changed": "Смена своего пароля", "password_refused": "Неверный нынешний пароль",
    "password_reset": "Выдан временный пароль", "staff_added": "Добавлен человек", "staff_changed": "Изменена учётная запись",
    "staff_disabled": "Вход закрыт", "staff_enabled": "Вход открыт", "quiet_on": "Звук выключен", "quiet_off": "Звук включён",
    "shift_on": "Начало смены", "shift_off": "Конец смены",
    "open": "Открыта страница обращения", "why": "Открыто «Почему бот так ответил»", "take": "Взято", "step_in": "Вмешательство старшего", "decline": "Возвращено в очередь",
    "transfer": "Передано", "reply": "Ответ клиенту", "note": "Заметка", "hold": "Просьба подождать", "send_again": "Отправлено ещё раз",
    "resolve": "Решено", "wait": "Ожидание клиента", "resume": "Снова в работу", "open_case": "Открыта задача", "call_back": "Обещан звонок", "called": "Звонок сделан",
    "prioritise": "Изменён приоритет", "join": "Обращения объединены", "spam": "Отмечено как спам", "not_spam": "Отметка спама снята",
    "undo": "Отменено действие", "phone_shown": "Показан телефон", "phones_shown": "Показаны телефоны", "file_saved": "Скачан файл",
}  # fmt: skip
"""Names of actions; one that is not here is shown as it is stored."""
KEYS = {
    "who": "кто", "role": "роль", "changed": "что", "by": "как", "queue": "очередь", "to": "кому", "browsers": "браузеров", "desk": "где",
    "api_key": "ключ", "priority": "приоритет", "resolution": "итог", "reason": "причина", "phrase": "фраза", "why": "почему", "back": "возвращено", "category": "тема",
    "refused": "отказано", "until": "до", "due": "срок", "at": "на", "other": "с каким", "files": "файлов", "next": "первое в очереди",
}  # fmt: skip
VALUES = {
    "password": "пароль", "oidc": "через компанию", "telegram": "Telegram", "title": "имя", "queues": "очереди", "skills": "навыки",
    "capacity": "нагрузка", "telegram_id": "Telegram ID", **RESOLUTIONS, **ROLES, **PRIORITIES,
}  # fmt: skip
MOMENTS = ("until", "due", "at")
HIDDEN = frozenset({"form", "line"})
"""Keys that only programs need."""


@router.get("/audit")
async def journal(
    request: Request,
    here: Leads,
    who: str = "",
    action: str = "",
    number: str = "",
    day: str = "",
    before: str = "",
) -> Response:
    """The newest lines, or those older than the line `before`."""
    parts = parts_of(request)
    zone = parts.pack.zone
    since, until = _day(day, zone)
    asked = {"who": who, "action": action, "number": number.strip().upper(), "day": day if since else ""}
    wanted = audit.Wanted(
        agent=who or None, action=action or None, number=asked["number"] or None, since=since, until=until
    )  # fmt: skip
    async with parts.sessions() as session:
        shown = await audit.page(session, wanted, before=int(before) if before.isdecimal() else None)
        people, actions = await agents.everyone(session), await audit.actions(session)
    older = {**asked, "before": str(shown.older)} if shown.older is not None else None
    return shell.page(
        here,
        "Журнал",
        h.h1["Журнал"],
        _filters(asked, people, actions),
        _lines(shown.entries, _names(parts.pack, people), zone) if shown.entries else _nothing(any(asked.values())),
        h.p(".more")[_link("Раньше", older)] if older else None,
        at="audit", styles=STYLES, request=request,
    )  # fmt: skip


def _day(text: str, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The first moment of a day where the shop is, and that of the next."""
    try:
        found = date.fromisoformat(text)
        return datetime.combine(found, time(), zone), datetime.combine(found + timedelta(days=1), time(), zone)
    except (ValueError, OverflowError):
        return None, None


def _filters(asked: Mapping[str, str], people: Sequence[Agent], actions: Sequence[str]) -> h.Element:
    return h.form(".filters", method="get", action=PAGE)[
        _choice("who", "Кто", asked["who"], {agent.name: agent.title for agent in people}),
        _choice("action", "Что", asked["action"], {name: _action(name) for name in actions}),
        h.label["Обращение", h.input(name="number", value=asked["number"], placeholder="T-1001", autocomplete="off")],
        h.label["День", h.input(type="date", name="day", value=asked["day"])],
        h.button["Показать"],
        h.a(".button.plain", href=PAGE)["Сбросить"] if any(asked.values()) else None,
    ]


def _choice(name: str, title: str, chosen: str, options: Mapping[str, str]) -> h.Element:
    known = {**({chosen: chosen} if chosen else {}), **options}
    ordered = sorted(known.items(), key=lambda one: one[1].casefold())
    return h.label[
        title,
        h.select(name=name)[
            h.option(value="")["Все"],
            [h.option(value=value, selected=value == chosen)[text] for value, text in ordered],
        ],
    ]


def _names(pack: flows.Pack, people: Sequence[Agent]) -> dict[str, str]:
    """What topics, tasks, queues and people are called on pages."""
    queues = {name: queue.title for name, queue in pack.queues.items()}
    topics = {name: one.title for name, one in pack.intents.items() if one.title}
    tasks = {name: one.title for name, one in pack.categories.items()}
    return {**topics, **tasks, **queues, **{agent.name: agent.title for agent in people}}


def _lines(entries: Sequence[audit.Entry], titles: Mapping[str, str], zone: ZoneInfo) -> h.Element:
    return h.div(".card")[
        h.table(".list.audit")[
            h.thead[
                h.tr[[h.th(scope="col")[name] for name in ("Когда", "Кто", "Что", "Обращение", "Подробности", "Адрес")]]
            ],
            h.tbody[[_line(entry, titles, zone) for entry in entries]],
        ]
    ]


def _line(entry: audit.Entry, titles: Mapping[str, str], zone: ZoneInfo) -> h.Element:
    at = entry.at.astimezone(zone)
    who = titles.get(entry.agent, entry.agent) if entry.agent else "—"
    return h.tr[
        h.td[h.time(datetime=entry.at.isoformat())[at.strftime("%d.%m.%Y %H:%M:%S")]],
        h.td[_link(who, {"who": entry.agent}) if entry.agent else who],
        h.td[_action(entry.action)],
        h.td[h.a(href=f"/desk/requests/{entry.number}")[entry.number] if entry.number else None],
        h.td(".dim")[_details(entry.data, titles, zone)],
        h.td(".dim.small")[entry.address],
    ]


def _action(name: str) -> str:
    """What an action is called; a call of an outside system that was refused is named after what it wanted."""
    wanted = name.removesuffix("_refused")
    if name not in ACTIONS and wanted in ACTIONS:
        return f"{ACTIONS[wanted]}: отказано"
    return ACTIONS.get(name, name)


def _details(data: Mapping[str, Any], titles: Mapping[str, str], zone: ZoneInfo) -> str:
    told = ((KEYS.get(key, key), _told(key, value, titles, zone)) for key, value in data.items() if key not in HIDDEN)
    return "; ".join(f"{name}: {value}" for name, value in told)


def _told(key: str, value: Any, titles: Mapping[str, str], zone: ZoneInfo) -> str:
    """A value as people read it: why something was refused in a sentence, a moment by the shop's clock."""
    if key == "refused":
        kind = getattr(errors, str(value), None)
        said = sentence(kind) if isinstance(kind, type) else str(value)
        return f"{said[0].lower()}{said[1:]}".rstrip(".")
    if key in MOMENTS:
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(str(value)).astimezone(zone).strftime("%d.%m.%Y %H:%M")
    return _value(value, titles)


def _value(value: Any, titles: Mapping[str, str]) -> str:
    if isinstance(value, list):
        return ", ".join(_value(one, titles) for one in value)
    text = {True: "да", False: "нет"}[value] if isinstance(value, bool) else str(value)
    return titles.get(text, VALUES.get(text, text))


def _link(title: str, asked: Mapping[str, str]) -> h.Element:
    return h.a(href=f"{PAGE}?{urlencode({key: value for key, value in asked.items() if value})}")[title]


def _nothing(filtered: bool) -> h.Element:
    return h.div(".empty")[
        h.b["Ничего не найдено" if filtered else "Пока пусто"],
        "Измените условия." if filtered else "Здесь появится всё, что делают за рабочим местом.",
    ]
