"""The supervisors' page: queues, people, targets missed today; live. What it shows is read from the store as it is now."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import htpy as h
from babel.dates import format_date
from fastapi import APIRouter, HTTPException, Request, Response

import flows
from bot import audit, crew, desk, planned, queues, targets
from bot.console import words
from bot.console.live import VIEWS, View
from bot.console.my_shift import ended
from bot.console.parts import Parts, parts_of
from bot.console.seat import Leads, Seat
from bot.console.shell import ago, form_token, fragments, go, is_htmx, page, toast
from bot.crew import Held, Member
from bot.live import Change
from bot.models import Agent, State
from bot.queues import Standing
from bot.targets import Kept, Missed

router = APIRouter()

PAGE_GONE = timedelta(seconds=60)
"""An agent whose pages said nothing for so long has probably closed them."""
REFRESH = "every 20s"
"""What the time alone changes (a queue opens, a page is closed) is looked at so often."""
SHOWN = 12
"""First answers, late or near, that are listed; the queue page has all."""
GOOD, FAIR = 90, 75
"""Percent of first answers in time that are well, and that will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """Everything on the page, as it was at one moment."""

    now: datetime
    standings: Mapping[str, Standing]
    kept: Mapping[str, Kept]
    members: Sequence[Member]
    held: Mapping[int, Sequence[Held]]
    missed: Sequence[Missed]
    near: Sequence[Missed]

    def at(self, queue: str) -> Standing:
        """How a queue stands."""
        return self.standings.get(queue, Standing())

    def on_shift(self, queue: str) -> list[Member]:
        """Who works for a queue now."""
        return [one for one in self.members if one.on_shift and queue in one.queues]


async def read(parts: Parts) -> Board:
    """Read all of it."""
    now = parts.clock.now()
    since = now.astimezone(parts.pack.zone).replace(hour=0, minute=0, second=0, microsecond=0)
    async with parts.sessions() as session:
        return Board(
            now=now, standings=await queues.standings(session), kept=await targets.kept(session, since=since, now=now),
            members=[one for one in await crew.members(session) if one.role != "trainer"],
            held=await crew.in_hand(session), missed=await targets.missed(session, since=since, now=now, limit=50),
            near=await targets.near(session, now=now, limit=50),
        )  # fmt: skip


# ---------------------------------------------------------------------------------------------------------- the page
class BoardView(View):
    """The page's parts, for one supervisor: its forms are theirs."""

    def __init__(self, parts: Parts, who: Seat) -> None:
        self.parts, self.who = parts, who
        self.key: Hashable = ("board", who.id, who.form_token)

    def concerns(self, change: Change) -> bool:
        """Requests and people."""
        return change.kind in ("request", "agent")

    async def fragments(self) -> Sequence[h.Element]:
        """All parts."""
        return parts_of_board(self.parts.pack, await read(self.parts), self.who)


async def _view(parts: Parts, who: Seat, query: Mapping[str, str]) -> BoardView | None:
    return BoardView(parts, who) if who.leads else None


VIEWS["board"] = _view


@router.get("/board")
async def board_page(request: Request, who: Leads) -> Response:
    """The page; for htmx its parts as they are now."""
    parts = parts_of(request)
    made = parts_of_board(parts.pack, await read(parts), who)
    if is_htmx(request):
        return fragments(*made)
    return page(
        who, "Смена", h.div(hx_get="/desk/board", hx_trigger=REFRESH, hx_swap="none")[h.h1["Смена"]], made,
        at="board", live="view=board", styles=("board.css",), request=request,
    )  # fmt: skip


@router.post("/board/{agent_id}/shift-off")
async def end_shift(request: Request, agent_id: int, who: Leads) -> Response:
    """End somebody's shift: what they work on goes back to its queues."""
    return await _act(request, agent_id, who, "shift_off")


@router.post("/board/{agent_id}/take-back")
async def take_back(request: Request, agent_id: int, who: Leads) -> Response:
    """Put what somebody works on back into its queues; they stay on shift."""
    return await _act(request, agent_id, who, "take_back")


async def _act(request: Request, agent_id: int, who: Seat, action: str) -> Response:
    parts = parts_of(request)
    now = parts.clock.now()
    async with parts.sessions.begin() as session:
        agent = await session.get(Agent, agent_id)
        if agent is None:
            raise HTTPException(404)
        if action == "shift_off":
            back = await planned.end_shift(session, parts.desk, agent.name, now=now)
            told = f"{agent.title}: {lower(ended(len(back)))}"
        else:
            back = await desk.take_back(session, parts.desk, agent.name, by=who.name, now=now)
            told = f"{agent.title}: {_went_back(len(back))}"
        data = {"of": agent.name, "back": len(back)}
        await audit.note(session, at=now, agent=who.name, action=action, data=data, address=who.address)
    if is_htmx(request):
        return fragments(*parts_of_board(parts.pack, await read(parts), who), toast(told, "good"))
    return go(request, "/desk/board", told=told)


def _went_back(n: int) -> str:
    return (
        f"в очередь {words.plural(n, 'вернулось', 'вернулись', 'вернулись')} {words.requests(n)}."
        if n
        else "в работе ничего не было."
    )


def lower(text: str) -> str:
    """A sentence that goes on after a colon."""
    return text[:1].lower() + text[1:]


# ------------------------------------------------------------------------------------------------------------- parts
def parts_of_board(pack: flows.Pack, board: Board, who: Seat) -> list[h.Element]:
    """All that changes, each with its id."""
    return [_sum(board), _late(pack, board), _queues(pack, board), _people(pack, board, who)]


def _sum(board: Board) -> h.Element:
    """The figures of now."""
    waiting, tasks = (sum(getattr(one, key) for one in board.standings.values()) for key in ("waiting", "tasks"))
    since = min((one.waits_since for one in board.standings.values() if one.waits_since), default=None)
    kept = Kept(sum(one.kept for one in board.kept.values()), sum(one.missed for one in board.kept.values()))
    there = [one for one in board.members if one.on_shift]
    return h.dl("#board-sum", class_="figures")[
        _figure("Ждут", [waiting + tasks, _tasks(tasks)]),
        _figure("Дольше всех", ago(since.isoformat()) if since else "—"),
        _figure("В работе", sum(one.in_hand for one in board.standings.values())),
        _figure("Ждём клиентов", sum(one.on_hold for one in board.standings.values())),
        _figure("На смене", f"{len(there)} из {len(board.members)}"),
        _figure("Ответили в срок сегодня", share(kept)),
    ]


def _figure(title: str, value: h.Node) -> h.Element:
    return h.div[h.dt[title], h.dd[value]]


def share(kept: Kept) -> h.Node:
    """Percent of first answers in time."""
    if kept.percent is None:
        return "—"
    kind = "good" if kept.percent >= GOOD else "warn" if kept.percent >= FAIR else "bad"
    title = f"в срок {kept.kept}, позже {kept.missed}"
    return h.span(class_=f"tag {kind}", title=title)[f"{kept.percent} %"]


def _queues(pack: flows.Pack, board: Board) -> h.Element:
    rows = [_queue(pack, board, name) for name in pack.queues]
    titles = ("Очередь", "Ждут", "Дольше всех", "В работе", "На смене", "Часы", "В срок сегодня")
    return h.section("#board-queues", class_="card")[
        h.h2["Очереди"],
        h.table(class_="list board")[h.thead[h.tr[[h.th(scope="col")[one] for one in titles]]], h.tbody[rows]],
    ]


def _queue(pack: flows.Pack, board: Board, name: str) -> h.Element:
    queue, at, there = pack.queues[name], board.at(name), board.on_shift(name)
    is_open = flows.is_open(pack, name, board.now)
    alone = is_open and at.waiting and not there
    quiet = not (at.waiting or at.in_hand or at.on_hold or at.tasks)
    given = h.span(".dim.small", title="Обращения раздаёт система")[" · раздаёт система"]
    return h.tr(id=f"queue-{name}", class_="quiet" if quiet else None)[
        h.th(scope="row")[
            h.a(href=f"/desk/?tab=live&queue={name}")[queue.title],
            given if queue.assign is flows.Assign.LEAST_LOADED else None,
        ],
        _cell("Ждут", h.b[at.waiting + at.tasks] if at.waiting + at.tasks else "0", _tasks(at.tasks)),
        _cell("Дольше всех", ago(at.waits_since.isoformat(), late_after=queue.target_minutes if is_open else None) if at.waits_since else "—"),
        _cell("В работе", at.in_hand, h.span(".dim")[f", ждём клиента: {at.on_hold}"] if at.on_hold else None),
        _cell("На смене", h.span(".tag.bad")["никого"] if alone else len(there) or "никого"),
        _cell("Часы", hours(pack, name, board.now)),
        _cell("В срок сегодня", share(board.kept.get(name, Kept()))),
    ]  # fmt: skip


def _tasks(n: int) -> h.Node:
    """How many of those that wait are tasks: the queue page counts them with the customers."""
    return h.span(".dim.small")[f", из них {n} {words.plural(n, 'задача', 'задачи', 'задач')}"] if n else None


def _cell(title: str, *content: h.Node) -> h.Element:
    return h.td(data_label=title)[h.div[content]]


def hours(pack: flows.Pack, name: str, now: datetime) -> h.Node:
    """Until when a queue works, or when it opens; by the shop's clock."""
    at, here = pack.zone, now.astimezone(pack.zone)
    if flows.is_open(pack, name, now):
        closes = flows.closes_at(pack, name, now)
        if closes is None:
            return h.span(".dim")["круглосуточно"]
        return ["до ", _clock(closes.astimezone(at), here)]
    return [h.span(".tag")["закрыта"], " до ", _clock(flows.opens_at(pack, name, now).astimezone(at), here)]


def _clock(moment: datetime, now: datetime) -> str:
    """A time of today, or with the day where it is another one (the morning after this evening is clear without)."""
    near = moment.date() == now.date() or moment - now < timedelta(hours=18)
    day = "" if near else f"{format_date(moment.date(), 'd MMMM', locale='ru')}, "
    return f"{day}{moment:%H:%M}"


def _people(pack: flows.Pack, board: Board, who: Seat) -> h.Element:
    there = [one for one in board.members if one.on_shift]
    gone = [one for one in board.members if not one.on_shift]
    titles = ("Кто", "Где", "Нагрузка", "Обращения", "Очереди", "")
    return h.section("#board-people", class_="card")[
        h.h2["Люди"],
        h.table(class_="list board people")[
            h.thead[h.tr[[h.th(scope="col")[one or h.span(".visually-hidden")["Действия"]] for one in titles]]],
            h.tbody[[_person(pack, board, one, who) for one in (*there, *gone)]],
        ],
    ]


def _person(pack: flows.Pack, board: Board, one: Member, who: Seat) -> h.Element:
    held = board.held.get(one.id, ())
    full = one.in_hand >= one.capacity
    load = h.meter(
        min="0", max=max(one.capacity, 1), high=str(one.capacity - 0.5), optimum="0", value=min(one.in_hand, one.capacity),
        aria_label=f"{one.in_hand} из {one.capacity}",
    )  # fmt: skip
    return h.tr(id=f"member-{one.id}", class_=None if one.on_shift else "quiet")[
        h.th(scope="row")[one.title, h.span(".dim.small")[f" {one.name}"]],
        _cell("Где", _where(one, board.now)),
        _cell(
            "Нагрузка",
            load,
            h.span(class_="near" if full and one.on_shift else None)[f" {one.in_hand} из {one.capacity}"],
        ),
        _cell("Обращения", h.ul(".held")[[_held(request) for request in held]] if held else "—"),
        _cell("Очереди", ", ".join(words.queue(pack, name) for name in pack.queues if name in one.queues) or "—"),
        h.td(class_="do")[_do(one, who)],
    ]


def _where(one: Member, now: datetime) -> h.Node:
    """Whether somebody is at work, and whether their pages are open."""
    if one.on_shift:
        if one.seen_at is None:
            return [h.span(".tag.good")["на смене"], h.span(".dim.small")[" без браузера"]]
        if now - one.seen_at < PAGE_GONE:
            return h.span(".tag.good")["на смене"]
        return [h.span(".tag.warn")["нет на связи"], " ", ago(one.seen_at.isoformat())]
    if one.away_at is not None:
        return [h.span(".tag.warn")["смена прервалась"], " ", ago(one.away_at.isoformat()), " назад"]
    return h.span(".tag")["не на смене"]


def _held(request: Held) -> h.Element:
    waits = request.state == "waiting_customer"
    return h.li[
        h.a(href=f"/desk/requests/{request.number}")[request.number],
        h.span(".dim.small")[" ждёт клиента"] if waits else None,
        [" ", ago(request.asked_at.isoformat(), late_after=3)] if request.asked_at and not waits else None,
    ]


def _do(one: Member, who: Seat) -> h.Node:
    made = []
    if one.in_hand:
        made.append(
            _button(
                f"/desk/board/{one.id}/take-back", "Вернуть обращения", one.title, who,
                f"Вернуть в очередь {words.requests(one.in_hand)}? {one.title} останется на смене.",
            )
        )  # fmt: skip
    if one.on_shift:
        made.append(
            _button(
                f"/desk/board/{one.id}/shift-off", "Закончить смену", one.title, who,
                f"Закончить смену? {one.title}: {words.requests(one.in_hand)} в работе вернутся в очередь.",
            )
        )  # fmt: skip
    return made


def _button(address: str, title: str, of: str, who: Seat, ask: str) -> h.Element:
    return h.form(method="post", action=address, hx_post=address, hx_swap="none", hx_confirm=ask)[
        form_token(who), h.button(aria_label=f"{title}: {of}")[title]
    ]


def _late(pack: flows.Pack, board: Board) -> h.Element:
    """First answers that are late, and those that soon will be."""
    if not board.missed and not board.near:
        return h.section("#board-late", hidden=True)
    rows = [
        *(_target(pack, one, board.now) for one in board.near),
        *(_target(pack, one, board.now) for one in board.missed),
    ]
    more = len(rows) - SHOWN
    titles = ("Обращение", "Очередь", "У кого", "Срок", "Осталось или опоздание")
    return h.section("#board-late", class_="card")[
        h.h2["Первый ответ: срок прошёл или близко"],
        h.table(class_="list board")[h.thead[h.tr[[h.th(scope="col")[one] for one in titles]]], h.tbody[rows[:SHOWN]]],
        h.p[h.a(href="/desk/?tab=live&target=late")[f"Все просроченные, ещё {more}"]] if more > 0 else None,
    ]


def _whose(one: Missed) -> str:
    if one.agent is None:
        return "ещё ни у кого"
    return f"ни у кого, до этого {one.agent}" if one.state == State.QUEUED else one.agent


def _target(pack: flows.Pack, one: Missed, now: datetime) -> h.Element:
    over = one.over(now)
    if one.waits:
        told: h.Node = h.time(data_until=one.target_at.isoformat(), datetime=one.target_at.isoformat())
    else:
        told = f"ответ позже на {max(1, round(over.total_seconds() / 60))} мин"
    return h.tr(id=f"target-{one.id}")[
        h.th(scope="row")[
            h.a(href=f"/desk/requests/{one.number}")[one.number], [" ", h.span(".tag.vip")["VIP"]] if one.vip else None,
            h.span(".dim.small")[f" {words.topic(pack, one.topic)}"],
        ],
        _cell("Очередь", words.queue(pack, one.queue)),
        _cell("У кого", _whose(one)),
        _cell("Срок", f"{one.target_at.astimezone(pack.zone):%H:%M}"),
        _cell("Сколько", told),
    ]  # fmt: skip
