"""The people at the desk: a supervisor sees them and their shifts, an administrator adds and changes them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Annotated, Any

import htpy as h
from fastapi import APIRouter, Depends, Request, Response

from bot import agents, audit, desk, planned, staff
from bot.console import people_view as view
from bot.console import shell
from bot.console.live import VIEWS, View
from bot.console.parts import Parts, parts_of
from bot.console.seat import Leads, Seat, allowed
from bot.console.sign_in import doer
from bot.errors import AgentInvalid, AgentUnknown, NotYourself, QueueUnknown
from bot.live import Change
from bot.models import Agent
from bot.sentences import sentence

router = APIRouter(prefix="/people")
PAGE = "/desk/people"
Admin = Annotated[Seat, Depends(allowed("admin"))]


class PeopleView(View):
    """The list, as one person sees it: it changes with shifts and with what is taken and ended."""

    def __init__(self, parts: Parts, seat: Seat) -> None:
        self._parts, self._seat = parts, seat
        self.key: Hashable = ("people", seat.form_token)

    def concerns(self, change: Change) -> bool:
        """Whether it may look different now."""
        return change.kind in ("agent", "request")

    async def fragments(self) -> Sequence[h.Element]:
        """The list."""
        return [await _list(self._parts, self._seat)]


async def _view(parts: Parts, seat: Seat, query: Mapping[str, str]) -> PeopleView | None:
    return PeopleView(parts, seat) if seat.leads else None


VIEWS["people"] = _view


# ------------------------------------------------------------------------------------------------------- the list
@router.get("")
async def people(request: Request, here: Leads) -> Response:
    """Everybody, who works now, what they have in hand."""
    content = await _list(parts_of(request), here)
    head = view.head(can_add=here.role == "admin")
    return shell.page(here, "Люди", head, content, at="people", live="view=people", styles=view.STYLES, request=request)


@router.post("/{agent_id:int}/shift")
async def shift(request: Request, here: Leads, agent_id: int) -> Response:
    """Begin or end somebody's shift: when they cannot, or have forgotten to."""
    parts, now = parts_of(request), parts_of(request).clock.now()
    on = (await request.form()).get("on") == "1"
    async with parts.sessions.begin() as session:
        agent = await _agent(session, agent_id)
        if on and agent.disabled_at is not None:
            return shell.refused(request, here, "Учётная запись отключена. Сначала включите её.")
        if on:
            await desk.shift_on(session, agent.name, desk=parts.desk, seen=now)
        else:
            await planned.end_shift(session, parts.desk, agent.name, now=now)
        action = "shift_on" if on else "shift_off"
        await audit.note(
            session, at=now, agent=here.name, action=action, data={"who": agent.name}, address=here.address
        )
        told = (
            f"{agent.title}: смена начата." if on else f"{agent.title}: смена закончена, обращения вернулись в очереди."
        )
    if shell.is_htmx(request):
        return shell.fragments(await _list(parts, here), shell.toast(told, "good"))
    return shell.go(request, PAGE, told=told)


# ------------------------------------------------------------------------------------------------------- one of them
@router.get("/new")
async def new(request: Request, here: Admin) -> Response:
    """The form for somebody new."""
    return _form(request, here, view.Entered())


@router.post("/new")
async def add(request: Request, here: Admin) -> Response:
    """Add somebody and show their first password, this once."""
    parts, entered = parts_of(request), view.Entered.of(await request.form())
    try:
        async with parts.sessions.begin() as session:
            password = await staff.add(
                session, entered.name, entered.place(), doer=doer(parts, here), queues=parts.pack.queues
            )
    except (AgentInvalid, QueueUnknown) as wrong:
        return _form(request, here, entered, wrong=sentence(wrong), status=wrong.status)
    return _once(request, here, entered.title, entered.name, password)


@router.get("/{agent_id:int}")
async def one(request: Request, here: Admin, agent_id: int) -> Response:
    """Somebody's account."""
    async with parts_of(request).sessions() as session:
        agent = await _agent(session, agent_id)
    return _form(request, here, view.Entered.about(agent), agent=agent)


@router.post("/{agent_id:int}")
async def change(request: Request, here: Admin, agent_id: int) -> Response:
    """Change what somebody is at the desk."""
    parts, entered = parts_of(request), view.Entered.of(await request.form())
    try:
        async with parts.sessions.begin() as session:
            agent = await _agent(session, agent_id)
            if agent.id == here.id and entered.role != "admin":
                raise NotYourself
            await staff.change(session, agent.name, entered.place(), doer=doer(parts, here), queues=parts.pack.queues)
    except (AgentInvalid, QueueUnknown, NotYourself) as wrong:
        async with parts.sessions() as session:
            agent = await _agent(session, agent_id)
        return _form(request, here, entered, agent=agent, wrong=sentence(wrong), status=wrong.status)
    return shell.go(request, PAGE, told=f"{entered.title}: сохранено.")


@router.post("/{agent_id:int}/disable")
async def disable(request: Request, here: Admin, agent_id: int) -> Response:
    """Let somebody in no more; what they have in hand goes back to its queues."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        agent = await _agent(session, agent_id)
        if agent.id == here.id:
            return shell.refused(request, here, sentence(NotYourself()))
        await planned.end_shift(session, parts.desk, agent.name, now=parts.clock.now())
        await staff.disable(session, agent.name, doer=doer(parts, here))
    return shell.go(request, PAGE, told=f"{agent.title}: вход закрыт, обращения вернулись в очереди.")


@router.post("/{agent_id:int}/enable")
async def enable(request: Request, here: Admin, agent_id: int) -> Response:
    """Let somebody in again."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        agent = await _agent(session, agent_id)
        await staff.enable(session, agent.name, doer=doer(parts, here))
    return shell.go(request, PAGE, told=f"{agent.title}: вход снова открыт.")


@router.post("/{agent_id:int}/reset")
async def reset(request: Request, here: Admin, agent_id: int) -> Response:
    """Give somebody a temporary password and show it, this once."""
    parts = parts_of(request)
    async with parts.sessions.begin() as session:
        agent = await _agent(session, agent_id)
        if agent.id == here.id:
            return shell.refused(request, here, "Свой пароль меняют в профиле.")
        password = await staff.reset(session, agent.name, doer=doer(parts, here))
    return _once(request, here, agent.title, agent.name, password)


# ------------------------------------------------------------------------------------------------------- parts of them
async def _agent(session: Any, agent_id: int) -> Agent:
    try:
        return await agents.by_id(session, agent_id)
    except AgentUnknown as unknown:
        raise view.gone() from unknown


async def _list(parts: Parts, here: Seat) -> h.Element:
    async with parts.sessions() as session:
        everyone, busy = await agents.everyone(session), await agents.in_hand(session)
    return view.table(everyone, busy, parts.pack, here)


def _form(
    request: Request,
    here: Seat,
    entered: view.Entered,
    *,
    agent: Agent | None = None,
    wrong: str = "",
    status: int = 200,
) -> Response:
    pack = parts_of(request).pack
    title = agent.title if agent is not None else "Новый человек"
    content = view.form(here, entered, pack, agent=agent, wrong=wrong)
    return shell.page(here, title, content, at="people", styles=view.STYLES, status=status, request=request)


def _once(request: Request, here: Seat, title: str, name: str, password: str) -> Response:
    return shell.page(
        here, "Временный пароль", view.once(title, name, password), at="people", styles=view.STYLES, request=request
    )
