"""Pages that change by themselves: one WebSocket for each open page, one rendering for all that show the same.

A `View` says which changes concern it and renders its fragments. Pages with the same `View.key` share one: with a hundred
agents before the same queue a change is read and rendered once. Only fragments that came out otherwise are sent. A page may
have several views (what all see, what is one's own); those of `EVERYWHERE` every page has.

A view is made for what its reader may see. When that changes (another role, other queues, a request that was passed on), the
page's socket is closed and the page loads itself anew, as its reader may see it now.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import re
from collections.abc import Awaitable, Callable, Hashable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

import htpy as h
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from sqlalchemy import or_, update
from sqlalchemy.exc import SQLAlchemyError

from bot.console.parts import Parts, parts_of
from bot.console.seat import Seat
from bot.live import Change
from bot.models import Agent

log = logging.getLogger(__name__)

TOGETHER_SECONDS = 0.06
"""Changes that come within so long of each other are shown together."""
EVERY_SECONDS = 0.25
"""A view is rendered at most so often."""
SEEN_SECONDS = 20.0
"""How often an open page says that its agent is there."""
UNSENT = 8
"""Messages that may wait for a slow browser; then it is sent everything anew."""


class View(Protocol):
    """What a page shows that changes by itself."""

    key: Hashable
    # pages with the same key show the same

    def concerns(self, change: Change) -> bool:
        """Whether a change may alter what is shown."""
        ...

    async def fragments(self) -> Sequence[h.Element]:
        """The parts of the page as they are now, each an element with an id. NotTheirs when it may be seen no longer."""
        ...

    async def hear(self, said: Mapping[str, Any]) -> None:
        """Something that the page says (an agent types). Unknown things are ignored."""
        return


MakeView = Callable[[Parts, Seat, Mapping[str, str]], Awaitable["View | None"]]
"""Makes a view from the query of a page; None: there is no such thing, or it is not theirs to see."""
SeatOf = Callable[[WebSocket], Awaitable[Seat | None]]
"""Who is signed in, None: nobody."""
SIGNED_OUT, NOT_FOUND, ANOTHER = 4401, 4404, 4409
"""Why a socket is closed for good; with ANOTHER the page loads itself anew."""
VIEWS: dict[str, MakeView] = {}
"""Views by name; pages register theirs when they are imported. A page names one or several: `view=queue&view=mine`."""
EVERYWHERE: list[MakeView] = []
"""Views of the frame, which every page has besides its own."""
_ID = re.compile(r'^<[^>]*? id="([^"]*)"')


class NotTheirs(Exception):
    """What a view shows may be seen no longer by those for whom it was made."""


def id_of(text: str) -> str:
    """The id of an element that is written out; empty: it has none."""
    named = _ID.match(text)
    return named[1] if named else ""


class _Screen:
    """One open page."""

    def __init__(self) -> None:
        self.waiting: asyncio.Queue[str | None] = asyncio.Queue(UNSENT)
        # None: nothing more may be seen
        self.behind = True
        # it has to be sent everything

    def put(self, whole: str, changed: str) -> None:
        """Give it what has changed; a browser that does not keep up gets everything later."""
        told = whole if self.behind else changed
        if not told:
            return
        try:
            self.waiting.put_nowait(told)
            self.behind = False
        except asyncio.QueueFull:
            self.behind = True

    def end(self) -> None:
        """Show it nothing more, nor what it was not sent yet."""
        while not self.waiting.empty():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


class _Shared:
    """A view, and the pages that show it."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.screens: set[_Screen] = set()
        self.task: asyncio.Task[None] | None = None
        self.asked = asyncio.Event()
        self._sent: dict[str, bytes] = {}

    async def run(self, parts: Parts) -> None:
        """Render now and after each change that concerns the view, until cancelled."""
        with parts.live.listening() as listener:
            changes = asyncio.create_task(self._hear(listener.read))
            try:
                while True:
                    await self.asked.wait()
                    await asyncio.sleep(TOGETHER_SECONDS)
                    self.asked.clear()
                    await self._show()
                    await asyncio.sleep(EVERY_SECONDS)
            finally:
                changes.cancel()

    async def _hear(self, read: Callable[[], Awaitable[list[Change]]]) -> None:
        while True:
            if any(one.kind == "everything" or self.view.concerns(one) for one in await read()):
                self.asked.set()

    async def _show(self) -> None:
        try:
            made = [str(one) for one in await self.view.fragments()]
        except NotTheirs:
            for screen in self.screens:
                screen.end()
            return
        except Exception:
            log.exception("view_failed", extra={"view": type(self.view).__name__})
            return
        sent, changed = {}, []
        for place, text in enumerate(made):
            key = id_of(text) or str(place)
            sent[key] = hashlib.blake2b(text.encode(), digest_size=16).digest()
            if self._sent.get(key) != sent[key]:
                changed.append(text)
        self._sent = sent
        whole, told = "".join(made), "".join(changed)
        for screen in self.screens:
            screen.put(whole, told)


class Hub:
    """All open pages of a process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._shared: dict[Hashable, _Shared] = {}
        self._people: dict[int, set[asyncio.Event]] = {}
        # those who have pages open, by the agent's id; each page is told when their row has changed
        self._watching: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def _watched(self, agent_id: int) -> Iterator[asyncio.Event]:
        """What tells a page that its reader may be somebody else now."""
        changed = asyncio.Event()
        self._people.setdefault(agent_id, set()).add(changed)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="people")
        try:
            yield changed
        finally:
            self._people[agent_id].discard(changed)
            if not self._people[agent_id]:
                del self._people[agent_id]
            if not self._people:
                self._watching.cancel()
                self._watching = None

    async def _watch(self) -> None:
        with self._parts.live.listening() as listener:
            while True:
                for one in await listener.read():
                    ids = [one.agent] if one.kind == "agent" else [*self._people] if one.kind == "everything" else []
                    for changed in [event for id in ids if id is not None for event in self._people.get(id, ())]:
                        changed.set()

    @contextlib.contextmanager
    def _joined(self, view: View) -> Iterator[_Screen]:
        shared = self._shared.get(view.key)
        if shared is None:
            shared = self._shared[view.key] = _Shared(view)
            shared.task = asyncio.create_task(shared.run(self._parts), name="view")
        screen = _Screen()
        shared.screens.add(screen)
        shared.asked.set()
        try:
            yield screen
        finally:
            shared.screens.discard(screen)
            if not shared.screens and shared.task is not None:
                shared.task.cancel()
                del self._shared[view.key]

    async def serve(self, socket: WebSocket, seat: Seat, views: Sequence[View], seat_of: SeatOf) -> None:
        """Keep one page up to date until it is closed, or nobody is signed in there any more."""
        with contextlib.ExitStack() as joined:
            screens = [joined.enter_context(self._joined(view)) for view in views]
            changed = joined.enter_context(self._watched(seat.id))
            try:
                async with asyncio.TaskGroup() as group:
                    for screen in screens:
                        group.create_task(_send(socket, screen))
                    group.create_task(self._seen(socket, seat, seat_of, changed))
                    await _hear(socket, views)
            except* (_Closed, WebSocketDisconnect):
                pass

    async def _seen(self, socket: WebSocket, seat: Seat, seat_of: SeatOf, changed: asyncio.Event) -> None:
        """Note that the agent has a page open; end it when they are signed out, or may see something else now."""
        while True:
            now = self._parts.clock.now()
            old = now - timedelta(seconds=SEEN_SECONDS / 2)
            stale = or_(Agent.seen_at.is_(None), Agent.seen_at < old)
            changed.clear()
            try:
                async with self._parts.sessions.begin() as session:
                    await session.execute(update(Agent).where(Agent.id == seat.id, stale).values(seen_at=now))
                sits = await seat_of(socket)
            except (SQLAlchemyError, OSError) as error:
                log.warning("seen_not_noted", extra={"error": type(error).__name__})
            else:
                if sits is None or sits.rights != seat.rights:
                    await socket.close(SIGNED_OUT if sits is None else ANOTHER)
                    raise _Closed
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), SEEN_SECONDS)


async def _send(socket: WebSocket, screen: _Screen) -> None:
    while True:
        text = await screen.waiting.get()
        try:
            if text is None:
                await socket.close(ANOTHER)
                raise _Closed
            await socket.send_text(text)
        except RuntimeError:  # closed at the same moment
            raise _Closed from None


async def _hear(socket: WebSocket, views: Sequence[View]) -> None:
    while True:
        try:
            said = json.loads(await socket.receive_text())
        except ValueError:
            continue
        if isinstance(said, dict):
            for view in views:
                await view.hear(said)


class _Closed(Exception):
    """The page was closed."""


def sockets(seat_of: SeatOf) -> APIRouter:
    """The route of all pages' sockets."""
    router = APIRouter()

    @router.websocket("/live")
    async def socket(websocket: WebSocket) -> None:
        seat = await seat_of(websocket)
        another = seat is not None and websocket.query_params.get("rights", seat.rights) != seat.rights
        views = await _views(parts_of(websocket), seat, websocket) if seat is not None and not another else None
        if seat is None or views is None:
            await websocket.accept()  # a refused handshake would not tell the page why
            await websocket.close(SIGNED_OUT if seat is None else ANOTHER if another else NOT_FOUND)
            return
        await websocket.accept()
        await websocket.app.state.hub.serve(websocket, seat, views, seat_of)

    return router


async def _views(parts: Parts, seat: Seat, socket: WebSocket) -> list[View] | None:
    """The views that a page asks for and those of the frame; None: one of the page's is not there, or not theirs."""
    query = dict(socket.query_params)
    found: list[View] = []
    for name in socket.query_params.getlist("view"):
        make = VIEWS.get(name)
        view = await make(parts, seat, query) if make is not None else None
        if view is None:
            return None
        found.append(view)
    frame = [await make(parts, seat, query) for make in EVERYWHERE]
    return [*found, *(view for view in frame if view is not None)]
