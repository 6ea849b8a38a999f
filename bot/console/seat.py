"""Who sits at the desk: the signed-in person of a call."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import HTTPException, Request, WebSocket


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A signed-in person."""

    id: int
    # of the row in `agents`
    name: str
    title: str
    role: str
    # agent, trainer, supervisor, admin
    queues: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    on_shift: bool = False
    quiet: bool = False
    form_token: str = ""
    # what each form brings along
    address: str | None = None
    # the browser's network address

    @property
    def leads(self) -> bool:
        """Whether they see all queues and everybody's work."""
        return self.role in ("supervisor", "admin")


async def seat_of_socket(socket: WebSocket) -> Seat | None:
    """Who is signed in on a page's socket; None: nobody."""
    return None


async def seat(request: Request) -> Seat:
    """Who is signed in."""
    raise HTTPException(401)
