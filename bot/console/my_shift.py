"""One's own shift: the button in the frame of every page, which shows what others or the time did to it, too."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import htpy as h
from fastapi import APIRouter, Depends, Form, HTTPException, Request, Response

from bot import agents, audit, desk, planned
from bot.console import words
from bot.console.live import EVERYWHERE, View
from bot.console.parts import Parts, parts_of
from bot.console.seat import NOT_YOURS, Seat, seat
from bot.console.shell import fragments, go, is_htmx, shift_button, toast
from bot.live import Change

router = APIRouter()


class MyShift(View):
    """Whether somebody is on shift."""

    def __init__(self, parts: Parts, who: Seat) -> None:
        self.parts, self.who = parts, who
        self.key: Hashable = ("shift", who.id, who.form_token)

    def concerns(self, change: Change) -> bool:
        """The row of the person has changed."""
        return change.kind == "agent" and change.agent == self.who.id

    async def fragments(self) -> Sequence[h.Element]:
        """The button."""
        async with self.parts.sessions() as session:
            person = await agents.get(session, self.who.name)
        return [shift_button(replace(self.who, on_shift=person.on_shift))]


async def _my_shift(parts: Parts, who: Seat, query: Mapping[str, str]) -> MyShift | None:
    return MyShift(parts, who) if who.works else None


EVERYWHERE.append(_my_shift)


@router.post("/shift")
async def shift(
    request: Request, who: Annotated[Seat, Depends(seat)], on: Annotated[str, Form(max_length=1)] = ""
) -> Response:
    """Begin to work (`on` is 1), or stop: what one works on goes back to its queues."""
    if not who.works:
        raise HTTPException(403, NOT_YOURS)
    parts, begins = parts_of(request), on == "1"
    now = parts.clock.now()
    async with parts.sessions.begin() as session:
        if begins:
            await desk.shift_on(session, who.name, desk=parts.desk, seen=now)
            back = 0
        else:
            back = len(await planned.end_shift(session, parts.desk, who.name, now=now))
        await audit.note(
            session, at=now, agent=who.name, action="shift_on" if begins else "shift_off", data={"back": back} if back else None,
            address=who.address,
        )  # fmt: skip
    told = "Смена началась." if begins else ended(back)
    if is_htmx(request):
        return fragments(shift_button(replace(who, on_shift=begins)), toast(told, "good"))
    return go(request, "/desk/", told=told)


def ended(back: int) -> str:
    """What is said when a shift has ended with so many requests going back."""
    if not back:
        return "Смена закончена."
    went = words.plural(back, "вернулось", "вернулись", "вернулись")
    return f"Смена закончена. {words.requests(back)} {went} в очередь."
