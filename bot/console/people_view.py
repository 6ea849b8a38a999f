"""How the people at the desk are shown: the list, the form of an account, a password that is shown once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import htpy as h
from fastapi import HTTPException
from starlette.datastructures import FormData

import flows
from bot import staff
from bot.console import shell, words
from bot.console.seat import Seat
from bot.console.sign_in import ROLES, STYLES
from bot.models import Agent

__all__ = ["STYLES", "Entered", "form", "gone", "head", "once", "table"]
ROLE_HINTS = {
    "agent": "отвечает клиентам", "trainer": "размечает данные", "supervisor": "видит все очереди и смены",
    "admin": "добавляет людей",
}  # fmt: skip


def gone() -> HTTPException:
    """There is nobody of this number."""
    return HTTPException(404, "Такого человека нет.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What stands in the form of an account."""

    name: str = ""
    title: str = ""
    role: str = "agent"
    queues: tuple[str, ...] = ()
    skills: str = ""
    capacity: str = "5"
    telegram_id: str = ""

    @classmethod
    def of(cls, given: FormData) -> Self:
        """Read a form that was sent."""

        def text(name: str) -> str:
            value = given.get(name, "")
            return value.strip()[:300] if isinstance(value, str) else ""

        queues = tuple(one for one in given.getlist("queues") if isinstance(one, str))
        fields = ("name", "title", "role", "skills", "capacity", "telegram_id")
        return cls(queues=queues, **{name: text(name) for name in fields})

    @classmethod
    def about(cls, agent: Agent) -> Self:
        """What an account is now."""
        return cls(
            name=agent.name, title=agent.title, role=agent.role, queues=tuple(agent.queues), skills=", ".join(agent.skills),
            capacity=str(agent.capacity), telegram_id=agent.telegram_id or "",
        )  # fmt: skip

    def place(self) -> staff.Place:
        """What it says; a capacity that is no number does not fit."""
        skills = dict.fromkeys(one.strip() for one in self.skills.split(",") if one.strip())
        return staff.Place(
            title=self.title, role=self.role, queues=self.queues, skills=tuple(skills), telegram_id=self.telegram_id or None,
            capacity=int(self.capacity) if self.capacity.isascii() and self.capacity.isdigit() else -1,
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- the list
def head(*, can_add: bool) -> h.Element:
    """The title of the list."""
    return h.div(".head")[
        h.h1["Люди"], h.a(".button.primary", href="/desk/people/new")["Добавить"] if can_add else None
    ]


def table(everyone: Sequence[Agent], busy: Mapping[int, int], pack: flows.Pack, here: Seat) -> h.Element:
    """Everybody; who works now comes first, who is disabled last."""
    ordered = sorted(everyone, key=lambda one: (one.disabled_at is not None, not one.on_shift, one.title.casefold()))
    if not ordered:
        return h.div("#people.empty")[h.b["Пока никого нет"], "Добавьте первого человека."]
    return h.div("#people.card")[
        h.table(".list.people")[
            h.thead[
                h.tr[[h.th(scope="col")[name] for name in ("Имя", "Роль", "Очереди", "В работе", "Вход", "Смена")]]
            ],
            h.tbody[[_row(agent, busy.get(agent.id, 0), pack, here) for agent in ordered]],
        ]
    ]


def _row(agent: Agent, in_hand: int, pack: flows.Pack, here: Seat) -> h.Element:
    queues = ", ".join(words.queue(pack, name) for name in agent.queues)
    name = h.a(href=f"/desk/people/{agent.id}")[agent.title] if here.role == "admin" else agent.title
    return h.tr(class_="off" if agent.disabled_at is not None else None)[
        h.td[h.strong[name], h.div(".dim.small")[agent.name]],
        h.td[ROLES.get(agent.role, agent.role)],
        h.td(".queues", data_th="Очереди")[
            queues or h.span(".dim")["нет"], h.div(".dim.small")[", ".join(_skill(pack, name) for name in agent.skills)]
        ],
        h.td(class_="late" if in_hand > agent.capacity else None, data_th="В работе")[f"{in_hand} из {agent.capacity}"],
        h.td[_entrance(agent)],
        h.td[_shift(agent, here)],
    ]


def _skill(pack: flows.Pack, name: str) -> str:
    return pack.skills[name].title if name in pack.skills else name


def _entrance(agent: Agent) -> h.Element:
    if agent.disabled_at is not None:
        return h.span(".tag.bad")["Закрыт"]
    if agent.password_temporary:
        return h.span(".tag.warn")["Временный пароль"]
    if agent.password is None:
        return h.span(".tag")["Без пароля"]
    return h.span(".tag.good")["Открыт"]


def _shift(agent: Agent, here: Seat) -> h.Node:
    if not agent.works or agent.disabled_at is not None:
        return None
    action = f"/desk/people/{agent.id}/shift"
    return h.form(method="post", action=action, hx_post=action, hx_swap="none")[
        shell.form_token(here),
        h.input(type="hidden", name="on", value="0" if agent.on_shift else "1"),
        h.button(
            class_="shift on" if agent.on_shift else "shift",
            title="Закончить смену" if agent.on_shift else "Начать смену",
        )["На смене" if agent.on_shift else "Не на смене", h.span(".visually-hidden")[f", {agent.title}"]],
    ]


# ------------------------------------------------------------------------------------------------------- an account
def form(here: Seat, entered: Entered, pack: flows.Pack, *, agent: Agent | None, wrong: str = "") -> h.Element:
    """The account of somebody, or of somebody new."""
    action = f"/desk/people/{agent.id}" if agent is not None else "/desk/people/new"
    return h.div(".account")[
        h.p[h.a(href="/desk/people")["← Люди"]],
        h.h1[agent.title if agent is not None else "Новый человек"],
        h.form(".card.form", method="post", action=action)[
            shell.form_token(here),
            h.p(".field-error", role="alert")[wrong] if wrong else None,
            _name(entered, agent),
            _field("title", "Имя для клиентов", entered.title, hint="Его увидит клиент.", required=True),
            h.fieldset[
                h.legend["Роль"],
                [
                    h.label(".choice")[
                        h.input(type="radio", name="role", value=role, checked=entered.role == role),
                        h.span[title[0].upper() + title[1:], h.small[ROLE_HINTS[role]]],
                    ]
                    for role, title in ROLES.items()
                ],
            ],
            _queues(entered, pack),
            _field("skills", "Навыки через запятую", entered.skills, hint=_known(pack)),
            h.div(".row.pair")[
                _field("capacity", "Обращений одновременно", entered.capacity, inputmode="numeric", required=True),
                _field("telegram_id", "Telegram ID", entered.telegram_id, inputmode="numeric"),
            ],
            h.div(".actions")[h.button(".primary")["Сохранить" if agent is not None else "Добавить"]],
        ],
        _entry(here, agent) if agent is not None else None,
    ]  # fmt: skip


def _name(entered: Entered, agent: Agent | None) -> h.Element:
    if agent is not None:
        return h.p(".dim")["Имя для входа: ", h.b[agent.name]]
    return _field(
        "name", "Имя для входа", entered.name, hint="Латиницей или кириллицей, без пробелов: anna, i.petrov.", required=True,
        autocapitalize="none", spellcheck="false",
    )  # fmt: skip


def _queues(entered: Entered, pack: flows.Pack) -> h.Element:
    names = [*pack.queues, *(name for name in entered.queues if name not in pack.queues)]
    return h.fieldset[
        h.legend["Очереди"],
        h.div(".choices")[
            [
                h.label(".choice")[
                    h.input(type="checkbox", name="queues", value=name, checked=name in entered.queues),
                    h.span[words.queue(pack, name), h.small[pack.queues[name].takes] if name in pack.queues else None],
                ]
                for name in names
            ]
        ],
    ]


def _known(pack: flows.Pack) -> str:
    known = getattr(pack, "skills", None) or {}
    return f"В этом магазине есть: {', '.join(known)}." if known else ""


def _field(name: str, title: str, value: str, *, hint: str = "", **more: str | bool) -> h.Element:
    return h.label[
        title,
        h.input(name=name, value=value, autocomplete="off", aria_describedby=f"{name}-hint" if hint else None, **more),
        h.small(f"#{name}-hint")[hint] if hint else None,
    ]


def _entry(here: Seat, agent: Agent) -> h.Element:
    """What an administrator does about somebody's sign-in."""
    disabled, own = agent.disabled_at is not None, agent.id == here.id
    return h.section(".card")[
        h.h2["Вход"],
        h.p["Это вы: пароль меняется в ", h.a(href="/desk/profile")["профиле"], "."]
        if own
        else [
            h.p["Вход закрыт." if disabled else "Новый временный пароль завершит все входы этого человека."],
            h.div(".row.actions")[
                _button(here, agent, "reset", "Выдать временный пароль") if not disabled else None,
                _button(here, agent, "enable", "Открыть вход")
                if disabled
                else _button(here, agent, "disable", "Закрыть вход", ".danger"),
            ],
        ],
    ]


def _button(here: Seat, agent: Agent, action: str, title: str, look: str = "") -> h.Element:
    return h.form(method="post", action=f"/desk/people/{agent.id}/{action}")[
        shell.form_token(here), h.button(look)[title] if look else h.button[title]
    ]


def once(title: str, name: str, password: str) -> h.Element:
    """A temporary password: shown here and nowhere again."""
    return h.section(".card.door")[
        h.h1["Временный пароль"],
        h.p[f"Передайте его лично. {title} сменит его при первом входе."],
        h.dl(".about")[h.dt["Имя для входа"], h.dd[name], h.dt["Пароль"], h.dd[h.code(".once")[password]]],
        h.p(".dim.small")["Больше он нигде не появится. Если потеряется, выдайте новый."],
        h.a(".button.primary", href="/desk/people")["Готово"],
    ]
