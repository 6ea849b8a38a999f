"""What a message, a command or a button of an agent does with a request, and what its author is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import audit, desk, outgoing_files, planned
from bot.forum import commands, words
from bot.forum.attached import Attached
from bot.forum.commands import Does, Order
from bot.forum.groups import Group
from bot.models import IN_HAND, LIVE, Agent, ForumTopic, ForumUpdate, Message, Request, State
from bot.timeline import Desk


@dataclass(slots=True)
class Told:
    """What came of an update."""

    words: str = ""
    # for its author; empty: what happens in the topic tells it
    alert: bool = False
    # a press is answered by a window, not by a passing line
    lines: list[int] = field(default_factory=list)
    # of the transcript, that it became
    sign: str | None = None
    # put under the author's message at once
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """An agent who does something in a group, in the transaction that keeps what comes of it."""

    session: AsyncSession
    desk: Desk
    update: ForumUpdate
    agent: Agent
    groups: Mapping[str, Group]
    now: datetime

    @property
    def name(self) -> str:
        """The agent's name."""
        return self.agent.name

    async def noted(self, action: str, request: Request | None, data: Mapping[str, Any] | None = None) -> None:
        """Write it into the audit, as from the web desk."""
        await audit.note(
            self.session, at=self.now, agent=self.name, action=action, request_id=request.id if request else None,
            data={**(data or {}), "desk": "telegram"},
        )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- speaking
async def write(author: Author, request: Request, order: Order, attached: Attached | None) -> Told:
    """A reply to the customer, or a note. Replying takes a request that is free."""
    if order.does is Does.NOTE:
        return await _note(author, request, order, attached)
    if author.update.body.get("attachments") and (attached is None or attached.kept is None):
        raise words.No(words.file_not_sent(attached.why if attached else ""))
    session, name, now, talk = author.session, author.name, author.now, request.conversation_id
    if request.state == State.QUEUED:
        await desk.take(session, author.desk, name, now=now, conversation_id=talk, request_id=request.id)
        await author.noted("take", request)
    elif request.agent_id == author.agent.id and request.read_by != author.agent.id:
        await desk.read(session, name, talk, request_id=request.id)  # the card is before them
    last = await session.scalar(select(func.max(Message.id)).where(Message.conversation_id == talk))
    if attached is not None and attached.kept is not None:
        await outgoing_files.send(
            session, author.desk, name, talk, attached.kept, caption=order.words, now=now, request_id=request.id
        )
    else:
        await desk.reply(session, author.desk, name, talk, order.words, now=now, request_id=request.id)
    await author.noted("reply", request)
    new = await session.scalars(
        select(Message.id).where(
            Message.conversation_id == talk, Message.id > (last or 0), Message.agent == author.agent.title
        )
    )
    return Told(lines=list(new.all()))


async def _note(author: Author, request: Request, order: Order, attached: Attached | None) -> Told:
    if attached is not None:
        raise words.No(words.NO_FILE_IN_NOTE)
    if not order.words:
        raise words.No(words.NOTE_EMPTY)
    made = await desk.note(
        author.session, author.name, request.conversation_id, order.words, now=author.now, request_id=request.id
    )
    await author.noted("note", request)
    return Told(lines=[made.id], sign="✍")


# ----------------------------------------------------------------------------------------------------------- commands
async def command(author: Author, request: Request | None, order: Order) -> Told:
    """A command: on the request of the topic, or in the general topic."""
    session, now = author.session, author.now
    match order.does:
        case Does.HELP:
            return Told(words.HELP)
        case Does.UNKNOWN:
            return Told(words.NO_SUCH_COMMAND)
        case Does.ON:
            await desk.shift_on(session, author.name, desk=author.desk)
            await author.noted("shift_on", None)
            return Told(words.SHIFT_ON)
        case Does.OFF:
            await planned.end_shift(session, author.desk, author.name, now=now)
            await author.noted("shift_off", None)
            return Told(words.SHIFT_OFF)
        case Does.TAKE if request is None:
            return await _take_next(author)
    if request is None:
        raise words.No(words.ONLY_IN_TOPIC)
    return await _act(author, request, order)


async def _take_next(author: Author) -> Told:
    chat = author.update.chat
    taken = await desk.take(author.session, author.desk, author.name, now=author.now)
    await author.noted("take", taken)
    thread = await author.session.scalar(
        select(ForumTopic.thread).where(ForumTopic.request_id == taken.id, ForumTopic.chat == chat)
    )
    return Told(words.taken(taken.number, chat, thread, here=taken.queue in author.groups[chat].queues))


async def press(author: Author, request: Request, does: str) -> Told:
    """A button under the card. What needs words is explained instead."""
    match does:
        case "transfer":
            return Told(words.HOW_TO_TRANSFER, alert=True)
        case "back":
            return Told(words.HOW_TO_GIVE_BACK, alert=True)
        case "unsolved":
            order = Order(Does.RESOLVE, "нет")
        case _:
            order = Order(Does(does))
    told = await _act(author, request, order)
    told.words = told.words or words.DONE
    return told


async def _act(author: Author, request: Request, order: Order) -> Told:
    """An action on the request of the topic. The event that it leaves in the topic tells that it was done."""
    session, name, now, talk = author.session, author.name, author.now, request.conversation_id
    data: dict[str, Any] = {}
    match order.does:
        case Does.TAKE:
            await desk.take(session, author.desk, name, now=now, conversation_id=talk, request_id=request.id)
        case Does.BACK:
            if not order.words:
                raise words.No(words.HOW_TO_GIVE_BACK)
            await desk.decline(session, author.desk, name, talk, order.words, now=now, request_id=request.id)
        case Does.TRANSFER:
            data = await _transfer(author, request, order.words)
        case Does.WAIT:
            until = _until(author, order.words) if order.words else None
            await desk.wait(session, author.desk, name, talk, now=now, until=until, request_id=request.id)
        case Does.RESOLVE:
            unsolved = commands.NOT_SOLVED.match(order.words)
            text = order.words[unsolved.end() :] if unsolved else order.words
            data = {"resolution": "not_solved" if unsolved else "solved"}
            await desk.resolve(session, author.desk, name, talk, now=now, text=text, request_id=request.id, **data)
    await author.noted(order.does.value, request, data)
    return Told()


def _until(author: Author, said: str) -> datetime:
    until = commands.moment(said, now=author.now, zone=author.desk.pack.zone)
    if until is None:
        raise words.No(words.HOW_TO_WAIT)
    return until


async def _transfer(author: Author, request: Request, said: str) -> dict[str, Any]:
    """Pass the request on to a queue or a colleague; what is written behind the name is the comment."""
    if request.state not in IN_HAND and request.state in LIVE:
        raise words.No(words.TAKE_FIRST)
    colleagues = (
        await author.session.scalars(
            select(Agent)
            .where(Agent.on_shift, Agent.disabled_at.is_(None), Agent.id != author.agent.id)
            .order_by(Agent.name)
        )
    ).all()
    pack = author.desk.pack
    found = words.addressee(said, pack, colleagues)
    if found is None:
        raise words.No(words.whom_to(pack, colleagues))
    queue, to, comment = found
    await desk.transfer(
        author.session, author.desk, author.name, request.conversation_id, comment, now=author.now, queue=queue, to=to,
        request_id=request.id,
    )  # fmt: skip
    return {"queue": queue} if queue else {"to": to}
