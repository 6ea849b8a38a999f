"""The head of a request's page: where it stands, who has it, how long the customer waits, and what can be done now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import htpy as h

import flows
from bot.console import words
from bot.console.shell import ago, left
from bot.dossier import Dossier
from bot.models import IN_HAND, LIVE, Agent, State

STATE_KINDS = {"queued": "warn", "assigned": "good", "waiting_customer": "", "solved": "good"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Can:
    """What a person may do with a request as it stands now. The desk's functions decide; this is what is offered."""

    mine: bool
    take: bool = False
    answer: bool = False
    note: bool = False
    # write to colleagues only: a supervisor who looks on
    step_in: bool = False
    manage: bool = False
    # change its priority; whoever has it may join it or mark it as spam too
    why_not: str = ""
    # why they cannot answer


@dataclass(frozen=True, slots=True)
class Action:
    """An action with a dialog of its own."""

    name: str
    title: str
    key: str | None = None


TRANSFER, RESOLVE, WAIT = (
    Action("transfer", "Передать", "p"),
    Action("resolve", "Решено", "r"),
    Action("wait", "Ждём клиента", "w"),
)
OWN = (
    Action("give-back", "Вернуть в очередь"),
    Action("case", "Задача на потом"),
    Action("call-back", "Перезвонить"),
)
MANAGE = (Action("priority", "Приоритет"), Action("join", "Объединить"), Action("spam", "Спам"))


def can(dossier: Dossier, person: Agent, now: datetime) -> Can:
    """What somebody may do with a request."""
    allowed = _can(dossier, person, now)
    return replace(allowed, note=person.leads and not allowed.answer and dossier.request.state in LIVE)


def _can(dossier: Dossier, person: Agent, now: datetime) -> Can:
    request = dossier.request
    mine = request.agent_id == person.id
    if not person.works:
        return Can(mine=False, why_not="Тренер видит переписку, но не отвечает.")
    live = request.state in LIVE
    if mine:
        if person.on_shift:
            return Can(mine=True, answer=True, manage=True)
        return Can(mine=True, why_not="Вы не на смене: включите её вверху страницы, чтобы ответить.")
    if request.state == State.QUEUED:
        claimed = request.claim_until is not None and request.claim_until > now and request.manager != person.name
        serves = person.leads or request.queue in person.queues or request.manager == person.name
        if not person.on_shift:
            why = "Вы не на смене: включите её вверху страницы, чтобы взять обращение."
        elif claimed:
            why = "Первую минуту обращение ждёт личного менеджера клиента."
        elif not serves:
            why = "Эта очередь не ваша."
        else:
            return Can(mine=False, take=True, manage=person.leads, why_not="Возьмите обращение, чтобы ответить.")
        return Can(mine=False, manage=person.leads and live and person.on_shift, why_not=why)
    if request.state in IN_HAND:
        who = dossier.agent.title if dossier.agent else "другой специалист"
        if person.leads:
            return Can(
                mine=False, step_in=person.on_shift, manage=person.on_shift, why_not=f"Отвечает {who}. Вы наблюдаете."
            )
        return Can(mine=False, why_not=f"Клиенту отвечает {who}.")
    return Can(mine=False, why_not="Обращение закончено: писать в него нельзя.")


# ------------------------------------------------------------------------------------------------------------ drawn
def head(dossier: Dossier, allowed: Can, person: Agent, pack: flows.Pack, now: datetime) -> h.Element:
    """The line that says what this is and where it stands."""
    request, conversation = dossier.request, dossier.conversation
    name = customer_name(dossier)
    state = words.STATES.get(request.state, request.state).capitalize()
    watched = not allowed.mine and request.state in IN_HAND and person.leads
    return h.div("#head")[
        h.h1[h.span(".number")[request.number], " ", h.span(".name")[name]],
        h.p(".status")[
            h.span(class_=f"tag {STATE_KINDS.get(request.state, '')}")[state],
            h.span(".tag")[words.queue(pack, request.queue)],
            h.span(class_=f"tag {'bad' if request.priority in ('high', 'urgent') else ''}")[
                words.PRIORITIES[request.priority]
            ]
            if request.priority != "normal"
            else None,
            words.channel(conversation.channel),
            _who(dossier, allowed),
            h.span(".tag.vip", title="Специалист этого не видит, пока вы не напишете заметку")["Вы наблюдаете"]
            if watched
            else None,
            list(_times(dossier)),
        ],
    ]


def customer_name(dossier: Dossier) -> str:
    """How the customer is called: by the card, else as the messenger shows."""
    known = dossier.request.summary.get("customer") or {}
    return str(known.get("name") or dossier.conversation.name or "Клиент")


def _who(dossier: Dossier, allowed: Can) -> h.Node:
    if dossier.agent is None:
        return None
    return h.span(".dim")["у вас" if allowed.mine else dossier.agent.title]


def _times(dossier: Dossier) -> Iterator[h.Node]:
    request = dossier.request
    if request.state not in LIVE:
        return
    if request.state == State.QUEUED:
        yield h.span(".dim")["ждёт ", ago(request.opened_at.isoformat())]
    elif dossier.waiting is not None and request.state == State.ASSIGNED:
        yield h.span(".dim")["клиент ждёт ", ago(dossier.waiting.since.isoformat(), late_after=10)]
    elif request.wait_until is not None:
        yield h.span(".dim")["ждём клиента, ", left(request.wait_until.isoformat())]
    if request.answered_at is None and request.target_at is not None:
        yield h.span(".dim")["первый ответ: ", left(request.target_at.isoformat())]
    if request.due is not None:
        yield h.span(".dim")["срок: ", left(request.due.isoformat())]


def bar(dossier: Dossier, allowed: Can, person: Agent) -> h.Element:
    """The buttons of what can be done now; each but the first opens a dialog."""
    number, planned = dossier.request.number, dossier.planned
    if planned is not None:
        return h.div("#actions.actions")[_planned(dossier, person)]
    shown: list[h.Node] = []
    if allowed.take:
        shown.append(_does(number, "take", "Взять", "t", "primary"))
    if allowed.step_in:
        shown.append(_opens(number, Action("step-in", "Взять на себя", "t"), "primary"))
    more: tuple[Action, ...] = ()
    if allowed.mine and allowed.answer:
        waits = dossier.request.state == State.WAITING_CUSTOMER
        shown += [_opens(number, one) for one in (TRANSFER, RESOLVE, *(() if waits else (WAIT,)))]
        if waits:
            shown.append(_does(number, "resume", "Снова в работу"))
        if dossier.request.call_phone:
            shown.append(_opens(number, Action("called", "Звонок сделан")))
        more += (*((WAIT,) if waits else ()), *OWN)
    if allowed.manage:
        more += MANAGE if allowed.mine else MANAGE[:1]
    if dossier.conversation.spam_at is not None and person.leads:
        shown.append(_does(number, "not-spam", "Это не спам"))
    if more:
        shown.append(
            h.details(".menu")[
                h.summary(".button", aria_label="Другие действия")["Ещё"],
                h.div[[_opens(number, one, "plain") for one in more]],
            ]
        )
    return h.div("#actions.actions", role="group", aria_label="Действия")[shown]


def _does(number: str, action: str, title: str, key: str | None = None, kind: str = "") -> h.Element:
    """A button that does something at once. The token of the form is sent by the page's script."""
    address = f"/desk/requests/{number}/{action}"
    return h.form(method="post", action=address, hx_post=address, hx_swap="none")[
        h.button(class_=kind or None, data_key=key, data_key_title=title if key else None)[
            title, h.kbd(aria_hidden="true")[key.upper()] if key else None
        ]
    ]


def _opens(number: str, action: Action, kind: str = "") -> h.Element:
    return h.button(
        class_=kind or None, type="button", hx_get=f"/desk/requests/{number}/dialog/{action.name}", hx_target="#dialog-body",
        hx_swap="innerHTML", data_key=action.key, data_key_title=action.title if action.key else None,
    )[action.title, h.kbd(aria_hidden="true")[action.key.upper()] if action.key else None]  # fmt: skip


PLANNED = {
    "transfer": "Передаём", "resolve": "Отмечаем решённым", "decline": "Возвращаем в очередь", "wait": "Ждём клиента",
    "open_case": "Создаём задачу", "call_back": "Записываем звонок", "called": "Отмечаем звонок",
    "prioritise": "Меняем приоритет", "join": "Объединяем", "spam": "Отмечаем как спам",
}  # fmt: skip


def _planned(dossier: Dossier, person: Agent) -> list[h.Node]:
    planned = dossier.planned
    assert planned is not None
    return [
        h.span(role="status")[f"{PLANNED.get(planned.action, 'Выполняем')} через ", _countdown(planned.due)],
        _does(dossier.request.number, "undo", "Отменить", "z", "primary") if planned.agent_id == person.id else None,
    ]


def _countdown(due: datetime) -> h.Element:
    return h.time(".countdown", datetime=due.isoformat(), data_countdown=due.isoformat())
