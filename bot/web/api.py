"""The API for outside help desks, under /api/v1: read requests, and do with them what an agent does at the desk.

A key works in the name of an agent; what this agent may not do now is refused with status 409 and its reason. Each call that
changes something brings an Idempotency-Key: repeated, it is answered the same, and nothing is done twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.routing import Mount

from bot import audit, console, desk, files, planned
from bot.errors import FileUnknown, FirstlineError, NotYourRequest
from bot.outside import calls, reading
from bot.outside.calls import Call
from bot.outside.keys import Caller
from bot.outside.reading import Found, Wanted
from bot.web import api_gate, api_shapes
from bot.web.api_document import described
from bot.web.api_gate import Gate, answer, caller, handle_problems, told
from bot.web.api_shapes import (
    Filters,
    LineFilters,
    Lines,
    Note,
    Number,
    Reply,
    RequestFull,
    Requests,
    RequestShort,
    Resolve,
    Said,
    Shift,
    ShiftOut,
    ToAgent,
    ToQueue,
    Wait,
)

PREFIX = "/api/v1"
LINES = 200
"""Lines of a transcript that come with a request."""

WhoCalls = Annotated[Caller, Depends(caller)]
Asked = Annotated[Number, Path(description="The request's number.", examples=["T-1001"])]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key", min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$",
        description="Made anew for each thing to be done, the same when it is tried again. Remembered for two days.",
        examples=["6f1c2d9e-reply-1"],
    ),
]  # fmt: skip
Work = Callable[[AsyncSession, Found], Awaitable[BaseModel]]


def mount(app: FastAPI, parts: console.Parts) -> None:
    """Put the API on the app of a process."""
    place = Mount(PREFIX, make_api(parts))
    place.path_regex = re.compile(place.path_regex.pattern, re.DOTALL)  # an address with a line break is ours, too
    app.router.routes.append(place)


def make_api(parts: console.Parts) -> FastAPI:
    """The API as an app of its own: its errors are problems, its document is at openapi.json."""
    made = FastAPI(
        title="Firstline", docs_url=None, redoc_url=None, openapi_url=api_gate.DOCUMENT, redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    made.include_router(_reading(parts))
    made.include_router(_working(parts))
    made.add_middleware(
        Gate, sessions=parts.sessions, clock=parts.clock, per_minute=parts.settings.api_per_minute
    )  # fmt: skip
    handle_problems(made)
    described(made, PREFIX)
    return made


# ------------------------------------------------------------------------------------------------------------- reading
def _reading(parts: console.Parts) -> APIRouter:
    router = APIRouter()

    @router.get("/requests", name="listRequests")
    async def list_requests(who: WhoCalls, filters: Annotated[Filters, Query()]) -> Requests:
        """List requests, the newest first: those of the agent's queues, and those that they have or had in hand."""
        wanted = Wanted(
            states=filters.state, queues=filters.queue, priorities=filters.priority, channel=filters.channel,
            agent=filters.agent, customer=filters.customer, changed_since=filters.changed_since,
            before=int(filters.cursor) if filters.cursor is not None else None,
        )  # fmt: skip
        async with parts.sessions() as session:
            found = await reading.listed(session, who, wanted, limit=filters.limit + 1)
        page = found[: filters.limit]
        more = page[-1].request.id if len(found) > filters.limit else None
        return Requests(requests=[api_shapes.short(one) for one in page], next=api_shapes.cursor(more))

    @router.get("/requests/{number}", name="getRequest")
    async def get_request(request: Request, who: WhoCalls, number: Asked) -> RequestFull:
        """Read a request in full. The agent who has it in hand has read it then, and may reply (L2-10)."""
        async with parts.sessions.begin() as session:
            found = await reading.one(session, who, number)
            if found.request.agent_id == who.agent_id and found.request.read_by != who.agent_id:
                await _read(session, who, found)
            return await _full(session, parts, who, found, request)

    @router.get("/requests/{number}/lines", name="listLines")
    async def list_lines(
        request: Request, who: WhoCalls, number: Asked, filters: Annotated[LineFilters, Query()]
    ) -> Lines:
        """Read the transcript of a request's conversation, the newest lines first, those of a page in order."""
        before = int(filters.cursor) if filters.cursor is not None else None
        async with parts.sessions.begin() as session:
            found = await reading.one(session, who, number)
            lines, earlier = await reading.lines(session, found.conversation.id, limit=filters.limit, before=before)
            await _note_phones(session, parts, who, found, lines, request)
        return Lines(lines=[api_shapes.line_out(one, who) for one in lines], earlier=api_shapes.cursor(earlier))

    @router.get("/requests/{number}/attachments/{id}", name="getAttachment", response_class=StreamingResponse)
    async def get_attachment(
        who: WhoCalls, number: Asked, id: Annotated[int, Path(ge=1, le=2**53, examples=[1])]
    ) -> Response:
        """Download a file that hangs on a line of the transcript. It is what a stranger sent: never open it unseen."""
        async with parts.sessions() as session:
            found = await reading.one(session, who, number)
            if not await reading.file_of(session, found, id):
                raise FileUnknown
            file = await files.read(session, parts.files, id)
        return StreamingResponse(file.pieces, headers=dict(file.headers))

    return router


async def _read(session: AsyncSession, who: Caller, found: Found) -> None:
    """Note that the agent was shown their request. Whoever lost it a moment ago just reads."""
    try:
        await desk.read(session, who.agent, found.conversation.id, request_id=found.request.id)
    except FirstlineError as error:
        if not isinstance(error, NotYourRequest) and error.status >= 500:
            raise


async def _full(
    session: AsyncSession, parts: console.Parts, who: Caller, found: Found, request: Request
) -> RequestFull:
    lines, earlier = await reading.lines(session, found.conversation.id, limit=LINES)
    await _note_phones(session, parts, who, found, lines, request)
    return api_shapes.full(found, lines, earlier, who)


async def _note_phones(
    session: AsyncSession, parts: console.Parts, who: Caller, found: Found, lines: list[reading.Line], request: Request
) -> None:
    """Write down that telephone numbers were told in full (ruling 31)."""
    if who.phones and any(reading.discreet(one) != one for one in lines):
        await _note(session, parts, who, found, "phones_shown", request)


async def _note(
    session: AsyncSession, parts: console.Parts, who: Caller, found: Found | None, action: str, request: Request,
    **data: Any,
) -> None:  # fmt: skip
    await audit.note(
        session, at=parts.clock.now(), agent=who.agent, action=action, data={"api_key": who.key, **data},
        request_id=found.request.id if found is not None else None,
        address=request.client.host if request.client is not None else None,
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- working
class _Working:
    """Calls that change something: once each, by whoever may, written down."""

    def __init__(self, parts: console.Parts) -> None:
        self._parts = parts

    async def __call__(
        self, request: Request, who: Caller, key: str, number: str, action: str, given: BaseModel | None, work: Work,
        **data: Any,
    ) -> Response:  # fmt: skip
        """Do something with a request. `data`: what is written down of it, besides who and which request."""

        async def do(session: AsyncSession) -> BaseModel:
            found = await reading.one(session, who, number)
            made = await work(session, found)
            await _note(session, self._parts, who, found, action, request, **data)
            return made

        return await self.once(request, who, key, given, do, action)

    async def once(
        self,
        request: Request,
        who: Caller,
        key: str,
        given: BaseModel | None,
        do: Callable[[AsyncSession], Awaitable[BaseModel]],
        action: str,
    ) -> Response:
        """Do something once for each key."""
        who.check_works()
        said = given.model_dump_json() if given is not None else ""
        call = Call(api_key=who.key, key=key, said=f"{request.method} {request.url.path}\n{said}")
        async with self._parts.sessions.begin() as session:

            async def work() -> dict[str, Any]:
                await desk.works_without_browser(session, who.agent)
                body: dict[str, Any] = json.loads((await do(session)).model_dump_json(by_alias=True))
                return body

            made = await calls.once(session, call, work, told, now=self._parts.clock.now())
            if made.status >= 400 and not made.again:
                await _note(session, self._parts, who, None, f"{action}_refused", request, why=made.body["title"][:200])
        headers = {"Idempotency-Replayed": "true"} if made.again else {}
        if made.status >= 400:
            return answer(made.body, headers)
        return JSONResponse(made.body, made.status, headers)


def _working(parts: console.Parts) -> APIRouter:
    router, do = APIRouter(), _Working(parts)
    clock = parts.clock

    async def now_short(session: AsyncSession, who: Caller, number: str) -> RequestShort:
        return api_shapes.short(await reading.one(session, _everything(who), number))

    @router.post("/requests/{number}/take", name="takeRequest", response_model=RequestFull)
    async def take(request: Request, who: WhoCalls, number: Asked, key: Key) -> Response:
        """Take a waiting request: it is the agent's from now on, the customer hears who has joined."""

        async def work(session: AsyncSession, found: Found) -> BaseModel:
            await desk.take(
                session, parts.desk, who.agent, now=clock.now(), conversation_id=found.conversation.id,
                request_id=found.request.id,
            )  # fmt: skip
            return await _full(session, parts, who, await reading.one(session, who, number), request)

        return await do(request, who, key, number, "take", None, work)

    @router.post("/requests/{number}/reply", name="replyToCustomer", response_model=Said)
    async def reply(request: Request, who: WhoCalls, number: Asked, key: Key, given: Reply) -> Response:
        """Write to the customer. Reading comes first: take the request, or get it in full."""

        async def work(session: AsyncSession, found: Found) -> BaseModel:
            said = await desk.reply(
                session, parts.desk, who.agent, found.conversation.id, given.text, now=clock.now(),
                request_id=found.request.id,
            )  # fmt: skip
            line = await reading.line(session, said.id)
            return Said(line=api_shapes.line_out(line, who), request=await now_short(session, who, number))

        return await do(request, who, key, number, "reply", given, work)

    @router.post("/requests/{number}/note", name="writeNote", response_model=Said)
    async def note(request: Request, who: WhoCalls, number: Asked, key: Key, given: Note) -> Response:
        """Write a line that only colleagues see: to one's own request; a supervisor's key to any that is not ended."""

        async def work(session: AsyncSession, found: Found) -> BaseModel:
            said = await desk.note(
                session, who.agent, found.conversation.id, given.text, now=clock.now(), request_id=found.request.id
            )  # fmt: skip
            line = await reading.line(session, said.id)
            return Said(line=api_shapes.line_out(line, who), request=await now_short(session, who, number))

        return await do(request, who, key, number, "note", given, work)

    @router.post("/requests/{number}/resolve", name="resolveRequest", response_model=RequestShort)
    async def resolve(request: Request, who: WhoCalls, number: Asked, key: Key, given: Resolve) -> Response:
        """End the work on a request: the customer is asked whether it helped, and may come back (CX-07)."""

        async def work(session: AsyncSession, found: Found) -> BaseModel:
            await desk.resolve(
                session, parts.desk, who.agent, found.conversation.id, now=clock.now(), resolution=given.resolution,
                category=given.category, text=given.text or "", request_id=found.request.id,
            )  # fmt: skip
            return await now_short(session, who, number)

        return await do(request, who, key, number, "resolve", given, work, resolution=given.resolution)

    @router.post("/requests/{number}/transfer", name="transferRequest", response_model=RequestShort)
    async def transfer(request: Request, who: WhoCalls, number: Asked, key: Key, given: ToQueue | ToAgent) -> Response:
        """Pass a request on, to a queue or to a colleague; the customer is told that another specialist will answer."""
        form: dict[str, Any]
        if isinstance(given, ToQueue):
            form = {"queue": given.queue, "category": given.category, "reason": given.reason}
        else:
            form = {"to": given.agent}

        async def work(session: AsyncSession, found: Found) -> BaseModel:
            await desk.transfer(
                session, parts.desk, who.agent, found.conversation.id, given.comment, now=clock.now(),
                request_id=found.request.id, **form,
            )  # fmt: skip
            return await now_short(session, who, number)

        to = {"queue": given.queue} if isinstance(given, ToQueue) else {"to": given.agent}
        return await do(request, who, key, number, "transfer", given, work, **to)

    @router.post("/requests/{number}/wait", name="waitForCustomer", response_model=RequestShort)
    async def wait(request: Request, who: WhoCalls, number: Asked, key: Key, given: Wait) -> Response:
        """Wait for the customer: when they write, or the time is over, the request is the agent's work again."""

        async def work(session: AsyncSession, found: Found) -> BaseModel:
            await desk.wait(
                session, parts.desk, who.agent, found.conversation.id, now=clock.now(), until=given.until,
                request_id=found.request.id,
            )  # fmt: skip
            return await now_short(session, who, number)

        return await do(request, who, key, number, "wait", given, work)

    @router.post("/shift", name="setShift", response_model=ShiftOut)
    async def shift(request: Request, who: WhoCalls, key: Key, given: Shift) -> Response:
        """Say whether the key's agent works now. Off shift they read; supervisors write notes, too."""

        async def work(session: AsyncSession) -> BaseModel:
            if given.on_shift:
                await desk.shift_on(session, who.agent)
            else:
                await planned.end_shift(session, parts.desk, who.agent, now=clock.now())
            await _note(session, parts, who, None, "shift_on" if given.on_shift else "shift_off", request)
            return ShiftOut(agent=who.agent, on_shift=given.on_shift)

        return await do.once(request, who, key, given, work, "shift")

    return router


def _everything(who: Caller) -> Caller:
    """The caller, to be told what has become of a request that they have just passed on to where they see nothing."""
    return replace(who, role="supervisor")
