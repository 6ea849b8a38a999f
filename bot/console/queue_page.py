"""The queue page: what waits, what is one's own, what is live, what is over; the next one with one key."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any
from urllib.parse import urlencode

import htpy as h
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from markupsafe import Markup

import flows
from bot import agents, listing
from bot.console import words
from bot.console.live import VIEWS, View, id_of
from bot.console.parts import Parts, parts_of
from bot.console.rows import address, order_of, request_row, request_rows
from bot.console.seat import Seat, seat
from bot.console.shell import ago, form_token, left, page
from bot.listing import MOST, NOTHING, PAGE, Filters, Page, Row, Tab, Target
from bot.live import Change
from bot.models import Agent
from bot.sight import Scope

Sits = Annotated[Seat, Depends(seat)]
router = APIRouter()

TITLES = {Tab.WAITING: "Ждут", Tab.MINE: "Мои", Tab.LIVE: "Все", Tab.OVER: "Завершённые", Tab.LATE: "Просрочки"}
TARGETS = {Target.NEAR: "Скоро", Target.LATE: "Просрочено"}
PRESSING = 5
"""Requests that are named in the strip of those whose time is near or over."""


# ------------------------------------------------------------------------------------------------------- what is asked
@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page's address asks for. What it cannot mean is left out."""

    tab: Tab = Tab.WAITING
    filters: Filters = NOTHING
    shown: int = PAGE

    @classmethod
    def of(cls, query: Mapping[str, str], who: Seat, pack: flows.Pack) -> Asked:
        """Read a query."""
        tab = query.get("tab", "")
        filters = Filters(
            queue=_one_of(query, "queue", pack.queues), channel=_one_of(query, "channel", words.CHANNELS),
            priority=_one_of(query, "priority", words.PRIORITIES), topic=_one_of(query, "topic", pack.intents),
            mood=_one_of(query, "mood", pack.manifest.directories.get("labels_mood", {})), vip=query.get("vip") == "1",
            target=Target(query["target"]) if query.get("target") in list(Target) else None,
        )  # fmt: skip
        shown = query.get("shown", "")
        return cls(
            tab=Tab(tab) if tab in tabs_of(who) else Tab.WAITING, filters=filters,
            shown=max(PAGE, min(int(shown), MOST)) if shown.isdecimal() and len(shown) < 6 else PAGE,
        )  # fmt: skip

    def query(self, **changes: Any) -> str:
        """The query of an address that asks for this, with some of it otherwise."""
        asked = replace(self, **changes)
        given: dict[str, Any] = {"tab": asked.tab if asked.tab is not Tab.WAITING else ""}
        given |= {name: "1" if value is True else value for name, value in asdict(asked.filters).items() if value}
        given["shown"] = asked.shown if asked.shown != PAGE else ""
        return urlencode({name: str(value) for name, value in given.items() if value})

    def address(self, **changes: Any) -> str:
        """The address of the page that this asks for."""
        query = self.query(**changes)
        return f"/desk/?{query}" if query else "/desk/"


def _one_of(query: Mapping[str, str], name: str, known: Mapping[str, object]) -> str:
    value = query.get(name, "")
    return value if value in known else ""


def tabs_of(who: Seat) -> tuple[Tab, ...]:
    """The lists that somebody has."""
    hidden = {Tab.LIVE} if not who.scope.everything else set()
    hidden |= {Tab.LATE} if not who.leads else set()
    hidden |= {Tab.MINE} if not who.works else set()
    return tuple(tab for tab in Tab if tab not in hidden)


def scope_of(who: Seat, *, own: bool = False) -> Scope:
    """What somebody may see. `own`: their own requests in other queues too, which makes the list theirs alone."""
    return who.scope if own else replace(who.scope, agent=None)


# ---------------------------------------------------------------------------------------------------------- the lists
class QueueView(View):
    """The list of a tab, the counts, and what is pressing: the same for all who have the same queues and filters."""

    def __init__(self, parts: Parts, scope: Scope, skills: frozenset[str], asked: Asked, *, takes: bool) -> None:
        self.parts, self.scope, self.skills, self.asked, self.takes = parts, scope, skills, asked, takes
        self.key: Hashable = ("queue", scope, skills, asked, takes)

    def concerns(self, change: Change) -> bool:
        """Requests come and go; who is on shift matters for skills."""
        return change.kind in ("request", "agent") or (change.kind == "message" and self.asked.tab is Tab.LIVE)

    async def fragments(self) -> Sequence[h.Element]:
        """Counts, what is pressing, and the rows in order."""
        pack, ours = self.parts.pack, replace(self.scope, agent=None)
        async with self.parts.sessions() as session:
            counted = await listing.counts(session, ours)
            pressed = await listing.pressing(session, ours, limit=PRESSING)
            made = [_count(Tab.WAITING, sum(counted.waiting.values())), pressing(pressed)]
            if self.scope.everything:
                made.append(_count(Tab.LIVE, sum(counted.live.values())))
            if self.asked.tab is Tab.MINE:
                return made
            found = await self.rows(session)
            needed = await agents.skills_on_shift(session) - self.skills
        late = self.asked.tab is Tab.LATE
        drawn = [request_row(pack, row, lacking=frozenset(needed), late=late, takes=self.takes) for row in found.rows]
        return [*made, order_of("rows", found.rows), *drawn, under(self.asked, found, self.scope)]

    async def rows(self, session: Any) -> Page:
        """The list itself."""
        filters, limit = self.asked.filters, self.asked.shown
        if self.asked.tab is Tab.OVER:
            return await listing.over(session, self.scope, filters, limit=limit)
        if self.asked.tab is Tab.LATE:
            return await listing.late(session, self.scope, filters, limit=limit)
        if self.asked.tab is Tab.LIVE:
            return await listing.live(session, self.scope, filters, limit=limit)
        return await listing.waiting(session, self.scope, filters, limit=limit)


class MineView(View):
    """What is somebody's own: their requests, and what waits for them as a personal manager."""

    def __init__(self, parts: Parts, who: Seat, asked: Asked) -> None:
        self.parts, self.who, self.asked = parts, who, asked
        self.key: Hashable = ("mine", who.id, asked)
        self._talks: frozenset[int] = frozenset()

    def concerns(self, change: Change) -> bool:
        """What changes hands names both; what is said concerns whoever has the talk."""
        if change.kind == "message":
            return change.conversation in self._talks
        return change.kind in ("request", "agent") and change.agent == self.who.id

    async def fragments(self) -> Sequence[h.Element]:
        """The count, the strip of reserved ones, whether one is on shift, and the rows where they are shown."""
        pack, narrowed = self.parts.pack, self.asked.tab is Tab.MINE
        async with self.parts.sessions() as session:
            person = await agents.get(session, self.who.name)
            found = await listing.mine(session, self.who.id, self.asked.filters if narrowed else NOTHING)
            held = await listing.reserved(session, self.who.name, now=self.parts.clock.now())
        self._talks = frozenset(row.conversation_id for row in found.rows)
        unread = sum(row.unanswered for row in found.rows)
        made = [_count(Tab.MINE, len(found.rows), unread=unread), reserved(held), shift_note(person)]
        if not narrowed:
            return made
        drawn = [request_row(pack, row, own=True) for row in found.rows]
        return [*made, order_of("rows", found.rows), *drawn, under(self.asked, found, scope_of(self.who))]


async def _queue_view(parts: Parts, who: Seat, query: Mapping[str, str]) -> QueueView:
    asked = Asked.of(query, who, parts.pack)
    skills = frozenset() if asked.tab is Tab.MINE else frozenset(who.skills)
    if asked.tab is Tab.MINE:
        asked = Asked(tab=Tab.MINE)  # only its counts: the same for all
    own = asked.tab is Tab.OVER
    return QueueView(parts, scope_of(who, own=own), skills, asked, takes=who.works)


async def _mine_view(parts: Parts, who: Seat, query: Mapping[str, str]) -> MineView:
    asked = Asked.of(query, who, parts.pack)
    return MineView(parts, who, asked if asked.tab is Tab.MINE else Asked())


VIEWS["queue"], VIEWS["mine"] = _queue_view, _mine_view


# ----------------------------------------------------------------------------------------------------------- the page
@router.get("/")
async def queue_page(request: Request, who: Sits) -> Response:
    """The page, or only its changing part when htmx asks for another filter."""
    parts = parts_of(request)
    asked = Asked.of(request.query_params, who, parts.pack)
    content = await _content(parts, who, asked)
    if request.headers.get("HX-Target") == "queue":
        return HTMLResponse(str(content))
    return page(
        who, "Очередь", content, at="queue", live=_live(asked), scripts=("queue.js",), styles=("queue.css",), request=request
    )  # fmt: skip


def _live(asked: Asked) -> str:
    query = asked.query()
    return "view=queue&view=mine" + (f"&{query}" if query else "")


async def _content(parts: Parts, who: Seat, asked: Asked) -> h.Element:
    common = await (await _queue_view(parts, who, _as_query(asked))).fragments()
    own = await (await _mine_view(parts, who, _as_query(asked))).fragments()
    made = {id_of(text): Markup(text) for text in (str(one) for one in (*common, *own))}
    rows = [one for key, one in made.items() if key.startswith("r-")]
    return h.div("#queue", data_follow=f"/desk/live?{_live(asked)}")[
        h.div(".head")[
            h.h1["Очередь"],
            h.div(".actions")[
                h.button("#allow-notices", type="button", hidden=True)["Сообщать о новых"],
                h.form(method="post", action="/desk/next", hx_post="/desk/next", hx_swap="none")[
                    form_token(who),
                    h.button(".primary.next", data_key="n", data_key_title="Взять следующее")[
                        "Взять следующее", h.kbd(aria_hidden="true")["N"]
                    ],
                ]
                if who.works
                else None,
            ],
        ],
        made["shift-note"],
        made["pressing"],
        made["reserved"],
        h.div(".bar")[_tabs(who, asked, made), filters(parts.pack, who, asked)],
        request_rows("rows", rows),
        made["under"],
        h.div(hidden=True)[
            h.button(data_key="j", data_key_title="Ниже по списку", data_row_step="1", type="button", tabindex="-1"),
            h.button(data_key="k", data_key_title="Выше по списку", data_row_step="-1", type="button", tabindex="-1"),
            h.button(data_key="t", data_key_title="Взять выбранное", data_row_take=True, type="button", tabindex="-1")
            if who.works
            else None,
        ],
    ]


def _as_query(asked: Asked) -> dict[str, str]:
    given = {name: "1" if value is True else str(value) for name, value in asdict(asked.filters).items() if value}
    return {**given, "tab": asked.tab, "shown": str(asked.shown)}


# ------------------------------------------------------------------------------------------------------------- parts
def _tabs(who: Seat, asked: Asked, made: Mapping[str, Markup]) -> h.Element:
    return h.nav(".tabs", aria_label="Списки")[
        [
            _link(asked.address(tab=tab, shown=PAGE), aria_current="page" if tab is asked.tab else None)[
                TITLES[tab], made.get(f"n-{tab}")
            ]
            for tab in tabs_of(who)
        ]
    ]  # fmt: skip


def _link(to: str, kind: str | None = None, **more: Any) -> h.Element:
    """A link that changes the list without loading the page."""
    return h.a(class_=kind, href=to, hx_get=to, hx_target="#queue", hx_swap="outerHTML", hx_push_url="true", **more)


def _count(tab: Tab, n: int, *, unread: int = 0) -> h.Element:
    told = f"{unread} без ответа" if unread else None
    return h.span(id=f"n-{tab}", class_="count unread" if unread else "count", title=told)[n or "", _said(told)]


def _said(told: str | None) -> h.Node:
    return h.span(".visually-hidden")[f" ({told})"] if told else None


def pressing(found: Page) -> h.Element:
    """Requests whose time for the first reply is near or over."""
    if not found.rows:
        return h.section("#pressing", hidden=True)
    late = any(row.target is Target.LATE for row in found.rows)
    more = h.a(href="/desk/?target=late" if late else "/desk/?target=near")["Все"] if found.more else None
    return h.section("#pressing", class_="strip bad" if late else "strip warn", aria_label="Срок первого ответа")[
        h.b["Первый ответ просрочен" if late else "Скоро срок первого ответа"],
        [_chip(row, _to_target(row)) for row in found.rows],
        more,
    ]


def _to_target(row: Row) -> h.Node:
    if row.target_at is None:
        return None
    target = row.target_at.isoformat()
    return ago(target, late_after=0) if row.target is Target.LATE else left(target)


def _chip(row: Row, told: h.Node) -> h.Element:
    return h.a(class_="chip", href=address(row))[h.span[row.number], row.customer or row.name, told]


def reserved(rows: Sequence[Row]) -> h.Element:
    """What waits for the reader as a personal manager, until others may take it."""
    if not rows:
        return h.section("#reserved", hidden=True)
    return h.section("#reserved", class_="strip vip", aria_label="Ваши клиенты")[
        h.b["Ваш клиент ждёт вас"],
        [_chip(row, left(row.claim_until.isoformat()) if row.claim_until else None) for row in rows],
    ]


def shift_note(person: Agent) -> h.Element:
    """Why nothing can be taken now."""
    if person.on_shift or not person.works:
        return h.div("#shift-note", hidden=True)
    return h.div("#shift-note", class_="strip warn")[
        h.b["Вы не на смене"], "Чтобы брать обращения, начните смену: кнопка вверху."
    ]


def filters(pack: flows.Pack, who: Seat, asked: Asked) -> h.Element:
    """What the list can be narrowed to; each change is an address of its own."""
    chosen = asked.filters
    names = list(pack.queues) if who.scope.everything else [name for name in pack.queues if name in who.queues]
    topics = {name: one.title for name, one in pack.intents.items() if one.title}
    moods = {
        code: str(one["title"])
        for code, one in pack.manifest.directories.get("labels_mood", {}).items()
        if "title" in one
    }
    channels = {name: title for name, title in words.CHANNELS.items() if name != "terminal"}
    return h.form(
        "#filters", method="get", action="/desk/", aria_label="Фильтры", hx_get="/desk/", hx_trigger="change",
        hx_target="#queue", hx_swap="outerHTML", hx_push_url="true",
    )[
        h.input(type="hidden", name="tab", value=asked.tab if asked.tab is not Tab.WAITING else ""),
        _select("queue", "Очередь", {name: pack.queues[name].title for name in names}, chosen.queue) if len(names) > 1 else None,
        _select("priority", "Важность", words.PRIORITIES, chosen.priority),
        _select("topic", "Тема", dict(sorted(topics.items(), key=lambda one: one[1])), chosen.topic),
        _select("channel", "Канал", channels, chosen.channel),
        _select("mood", "Настроение", moods, chosen.mood),
        _select("target", "Срок ответа", {str(key): title for key, title in TARGETS.items()}, chosen.target or ""),
        h.label(class_="check on" if chosen.vip else "check")[
            h.input(type="checkbox", name="vip", value="1", checked=chosen.vip, id="f-vip"), "VIP"
        ],
        h.noscript[h.button["Показать"]],
        _link(asked.address(filters=NOTHING, shown=PAGE), "button plain reset")["Сбросить"] if chosen.any else None,
    ]  # fmt: skip


def _select(name: str, title: str, options: Mapping[str, str], chosen: str) -> h.Element:
    return h.select(id=f"f-{name}", name=name, aria_label=title, class_="on" if chosen else None)[
        h.option(value="")[title],
        [h.option(value=value, selected=value == chosen)[shown] for value, shown in options.items()],
    ]


def under(asked: Asked, found: Page, scope: Scope) -> h.Element:
    """What stands under the rows: more of them, or why there are none."""
    if found.more:
        return h.div("#under", class_="more")[
            _link(asked.address(shown=min(asked.shown + PAGE, MOST)), "button")["Показать ещё"]
            if asked.shown < MOST
            else h.p(".dim")[f"Показаны первые {MOST}. Остальные найдёт поиск или фильтр."]
        ]
    return h.div("#under")[None if found.rows else _empty(asked, scope)]


def _empty(asked: Asked, scope: Scope) -> h.Element:
    if asked.filters.any:
        link = _link(asked.address(filters=NOTHING, shown=PAGE), "button")["Сбросить фильтры"]
        return h.div(".empty")[
            h.b["Под фильтры ничего не подходит"], h.p["Уберите часть условий или сбросьте все."], link
        ]
    if asked.tab is Tab.MINE:
        return h.div(".empty")[
            h.b["У вас нет обращений"], h.p["Нажмите ", h.kbd["N"], " и возьмите следующее из очереди."]
        ]
    if asked.tab is Tab.LATE:
        return h.div(".empty")[h.b["Просрочек нет"], h.p["Здесь будут обращения, на которые ответили позже срока."]]
    if asked.tab is Tab.OVER:
        return h.div(".empty")[h.b["Пока ничего не завершено"], h.p["Здесь будут решённые и отменённые обращения."]]
    if not scope.everything and not scope.queues:
        return h.div(".empty")[h.b["За вами нет очередей"], h.p["Попросите старшего смены добавить вас в очередь."]]
    return h.div(".empty")[h.b["Никто не ждёт"], h.p["Новое обращение появится здесь само, со звуком."]]
