"""What agents wrote and pressed in a group is done: a reply goes to the customer, a note to colleagues, a command to the desk.

Each update is a transaction of its own: the action, its row in the audit, and what its author is told stand together or not
at all, so a process that dies in the middle has done nothing, and the next one does it once.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from bot import audit, desk, events, outgoing_files, planned
from bot.channels import Channel
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import FileRefused, FirstlineError
from bot.file_store import FileStore
from bot.forum import cards, commands, words
from bot.forum.api import Api
from bot.forum.commands import Does, Order
from bot.forum.groups import Group
from bot.forum.intake import FORUM, look_again
from bot.models import IN_HAND, LIVE, Agent, ForumTopic, ForumUpdate, Message, Request, State
from bot.timeline import Desk

__all__ = ["FORUM", "Orders", "obey"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What obeying needs."""

    sessions: Sessions
    desk: Desk
    clock: Clock
    api: Api
    groups: Mapping[str, Group]
    channels: Mapping[str, Channel] = field(default_factory=dict)
    # "telegram" fetches what agents attach
    store: FileStore | None = None
    file_bytes: int = 20 * 2**20
    # size of an agent's file at the most


@dataclass(slots=True)
class _Told:
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


async def obey(orders: Orders, chat: int) -> int:
    """Do what was written in a group, in order; return how much it was."""
    done = 0
    await orders.api.name()  # commands may name a bot: known from now on
    while (left := await _next(orders, str(chat))) is not None:
        done += left
    return done


async def _next(orders: Orders, chat: str) -> int | None:
    """Do the oldest thing that was written in a group; None when there is none."""
    fetched = await _fetched(orders, chat)
    async with orders.sessions.begin() as session:
        update = await session.scalar(_oldest(chat).with_for_update())
        if update is None:
            return None
        body, now = update.body, orders.clock.now()
        told = await _safely(session, orders, update, fetched, now)
        update.done_at, update.body, update.lines = now, {}, [str(line) for line in told.lines]
        update.unknown = told.unknown
        if told.words:
            update.answer = told.words
        if query := body.get("query"):
            update.answered_at = now  # by a passing line, below
        await look_again(session)
    if query:
        await orders.api.toast(query, told.words, alert=told.alert)
    if told.sign and update.message_id:
        try:
            await orders.api.react(chat, update.message_id, told.sign)
        except FirstlineError as error:
            log.debug("forum_sign_failed", extra={"error": type(error).__name__})
    return 1


def _oldest(chat: str) -> Any:
    return (
        select(ForumUpdate)
        .where(ForumUpdate.chat == chat, ForumUpdate.done_at.is_(None))
        .order_by(ForumUpdate.id)
        .limit(1)
    )


async def _safely(
    session: AsyncSession, orders: Orders, update: ForumUpdate, fetched: _Fetched | None, now: datetime
) -> _Told:
    """Do it, or nothing of it and say why not."""
    point = events.mark(session)
    try:
        async with session.begin_nested():
            return await _do(session, orders, update, fetched, now)
    except FirstlineError as error:
        if error.status >= 500:
            raise  # the store, or something else that comes back
        events.forget_since(session, point)
        log.info("forum_refused", extra={"group": update.chat, "error": type(error).__name__})
        return _Told(await words.why_not(session, error, update.chat, update.thread), alert=True)
    except (SQLAlchemyError, OSError):
        raise
    except Exception:  # the next ones in the group are not to wait for a fault of ours
        events.forget_since(session, point)
        log.exception("forum_failed", extra={"group": update.chat})
        return _Told(words.FAULT, alert=True)


async def _do(
    session: AsyncSession, orders: Orders, update: ForumUpdate, fetched: _Fetched | None, now: datetime
) -> _Told:
    body = update.body
    pressed = cards.pressed(body["press"] or "") if body.get("press") else None
    order = commands.read(body.get("text") or "", bot=await orders.api.name())
    request = await _request(session, update, pressed)
    if order.does is Does.NOBODYS or (request is None and order.does in (Does.REPLY, Does.NOTE) and not pressed):
        return _Told()  # colleagues among themselves
    agent = await _author(session, update)
    if agent is None:
        return await _stranger(session, update)
    await desk.works_without_browser(session, agent.name)
    if body.get("query"):
        if pressed is None or request is None:
            return _Told(words.BUTTON_GONE)
        return await _press(session, orders, update, agent, request, pressed[0], now)
    if body.get("edited"):
        return _Told(words.EDITED) if order.does is Does.REPLY else _Told()
    if order.does in (Does.REPLY, Does.NOTE) and request is not None:
        return await _write(session, orders, update, agent, request, order, fetched, now)
    return await _command(session, orders, update, agent, request, order, now)


# ------------------------------------------------------------------------------------------------------- who and what
async def _request(session: AsyncSession, update: ForumUpdate, pressed: tuple[str, int] | None) -> Request | None:
    """The request of the topic, or of the pressed button (which has to stand in a topic of its group)."""
    topics = select(Request).join(ForumTopic, ForumTopic.request_id == Request.id).where(ForumTopic.chat == update.chat)
    if pressed is not None:
        return await session.scalar(topics.where(Request.id == pressed[1]))
    if update.thread is None:
        return None
    return await session.scalar(topics.where(ForumTopic.thread == update.thread))


async def _author(session: AsyncSession, update: ForumUpdate) -> Agent | None:
    if update.author is None:
        return None
    return await session.scalar(select(Agent).where(Agent.telegram_id == update.author, Agent.disabled_at.is_(None)))


async def _stranger(session: AsyncSession, update: ForumUpdate) -> _Told:
    """Tell somebody we do not know how to be known, once; nothing else happens."""
    before = select(func.count()).select_from(ForumUpdate)
    before = before.where(ForumUpdate.chat == update.chat, ForumUpdate.unknown, ForumUpdate.answer.is_not(None))
    same = ForumUpdate.author.is_(None) if update.author is None else ForumUpdate.author == update.author
    told = await session.scalar(before.where(same))
    log.info("forum_stranger", extra={"group": update.chat})
    if told and not update.body.get("query"):
        return _Told(unknown=True)
    return _Told(words.stranger(update.author), alert=True, unknown=True)


# ----------------------------------------------------------------------------------------------------------- speaking
async def _write(
    session: AsyncSession,
    orders: Orders,
    update: ForumUpdate,
    agent: Agent,
    request: Request,
    order: Order,
    fetched: _Fetched | None,
    now: datetime,
) -> _Told:
    """A reply to the customer, or a note. Replying takes a request that is free."""
    if order.does is Does.NOTE:
        if fetched is not None:
            raise words.No(words.NO_FILE_IN_NOTE)
        if not order.words:
            raise words.No(words.NOTE_EMPTY)
        made = await desk.note(
            session, agent.name, request.conversation_id, order.words, now=now, request_id=request.id
        )
        await _noted(session, update, agent, request, "note", now)
        return _Told(lines=[made.id], sign="✍")
    if update.body.get("attachments") and (fetched is None or fetched.kept is None):
        raise words.No(words.file_not_sent(fetched.why if fetched else ""))
    if request.state == State.QUEUED:
        await desk.take(
            session, orders.desk, agent.name, now=now, conversation_id=request.conversation_id, request_id=request.id
        )
        await _noted(session, update, agent, request, "take", now)
    elif request.agent_id == agent.id and request.read_by != agent.id:
        await desk.read(session, agent.name, request.conversation_id, request_id=request.id)  # the card is before them
    last = await session.scalar(select(func.max(Message.id)).where(Message.conversation_id == request.conversation_id))
    if fetched is not None and fetched.kept is not None:
        await outgoing_files.send(
            session,
            orders.desk,
            agent.name,
            request.conversation_id,
            fetched.kept,
            caption=order.words,
            now=now,
            request_id=request.id,
        )
    else:
        await desk.reply(
            session, orders.desk, agent.name, request.conversation_id, order.words, now=now, request_id=request.id
        )
    await _noted(session, update, agent, request, "reply", now)
    new = await session.scalars(
        select(Message.id).where(
            Message.conversation_id == request.conversation_id, Message.id > (last or 0), Message.agent == agent.title
        )
    )
    return _Told(lines=list(new.all()))


# ----------------------------------------------------------------------------------------------------------- commands
async def _command(
    session: AsyncSession,
    orders: Orders,
    update: ForumUpdate,
    agent: Agent,
    request: Request | None,
    order: Order,
    now: datetime,
) -> _Told:
    match order.does:
        case Does.HELP:
            return _Told(words.HELP)
        case Does.UNKNOWN:
            return _Told(words.NO_SUCH_COMMAND)
        case Does.ON:
            await desk.shift_on(session, agent.name, desk=orders.desk)
            await _noted(session, update, agent, None, "shift_on", now)
            return _Told(words.SHIFT_ON)
        case Does.OFF:
            await planned.finish(session, orders.desk, agent.id, now)  # what they have just decided is done
            await desk.shift_off(session, orders.desk, agent.name, now=now)
            await _noted(session, update, agent, None, "shift_off", now)
            return _Told(words.SHIFT_OFF)
        case Does.TAKE if request is None:
            taken = await desk.take(session, orders.desk, agent.name, now=now)
            await _noted(session, update, agent, taken, "take", now)
            thread = await session.scalar(
                select(ForumTopic.thread).where(ForumTopic.request_id == taken.id, ForumTopic.chat == update.chat)
            )
            here = taken.queue in orders.groups[update.chat].queues
            return _Told(words.taken(taken.number, update.chat, thread, here=here))
    if request is None:
        raise words.No(words.ONLY_IN_TOPIC)
    return await _act(session, orders, update, agent, request, order, now)


async def _press(
    session: AsyncSession,
    orders: Orders,
    update: ForumUpdate,
    agent: Agent,
    request: Request,
    does: str,
    now: datetime,
) -> _Told:
    """A button under the card. What needs words is explained instead."""
    match does:
        case "transfer":
            return _Told(words.HOW_TO_TRANSFER, alert=True)
        case "back":
            return _Told(words.HOW_TO_GIVE_BACK, alert=True)
        case "unsolved":
            order = Order(Does.RESOLVE, "нет")
        case _:
            order = Order(Does(does))
    told = await _act(session, orders, update, agent, request, order, now)
    told.words = told.words or words.DONE
    return told


async def _act(
    session: AsyncSession,
    orders: Orders,
    update: ForumUpdate,
    agent: Agent,
    request: Request,
    order: Order,
    now: datetime,
) -> _Told:
    """An action on the request of the topic. The event that it leaves in the topic tells that it was done."""
    where = request.conversation_id
    data: dict[str, Any] = {}
    match order.does:
        case Does.TAKE:
            await desk.take(session, orders.desk, agent.name, now=now, conversation_id=where, request_id=request.id)
        case Does.BACK:
            if not order.words:
                raise words.No(words.HOW_TO_GIVE_BACK)
            await desk.decline(session, orders.desk, agent.name, where, order.words, now=now, request_id=request.id)
        case Does.TRANSFER:
            data = await _transfer(session, orders, agent, request, order.words, now)
        case Does.WAIT:
            until = None
            if order.words:
                zone = cards.zone(orders.desk.pack)
                until = commands.moment(order.words, now=now, zone=zone)
                if until is None:
                    raise words.No(words.HOW_TO_WAIT)
            await desk.wait(session, orders.desk, agent.name, where, now=now, until=until, request_id=request.id)
        case Does.RESOLVE:
            unsolved = commands.NOT_SOLVED.match(order.words)
            text = order.words[unsolved.end() :] if unsolved else order.words
            resolution = "not_solved" if unsolved else "solved"
            data = {"resolution": resolution}
            await desk.resolve(
                session,
                orders.desk,
                agent.name,
                where,
                now=now,
                resolution=resolution,
                text=text,
                request_id=request.id,
            )
    await _noted(session, update, agent, request, order.does.value, now, data)
    return _Told()


async def _transfer(
    session: AsyncSession, orders: Orders, agent: Agent, request: Request, said: str, now: datetime
) -> dict[str, Any]:
    """Pass the request on to a queue or a colleague; what is written behind the name is the comment."""
    if request.state not in IN_HAND and request.state in LIVE:
        raise words.No(words.TAKE_FIRST)
    colleagues = (
        await session.scalars(
            select(Agent).where(Agent.on_shift, Agent.disabled_at.is_(None), Agent.id != agent.id).order_by(Agent.name)
        )
    ).all()
    pack = orders.desk.pack
    found = words.addressee(said, pack, colleagues)
    if found is None:
        raise words.No(words.whom_to(pack, colleagues))
    queue, to, comment = found
    await desk.transfer(
        session, orders.desk, agent.name, request.conversation_id, comment, now=now, queue=queue, to=to,
        request_id=request.id,
    )  # fmt: skip
    return {"queue": queue} if queue else {"to": to}


async def _noted(
    session: AsyncSession,
    update: ForumUpdate,
    agent: Agent,
    request: Request | None,
    action: str,
    now: datetime,
    data: Mapping[str, Any] | None = None,
) -> None:
    """Write it into the audit, as from the web desk."""
    await audit.note(
        session, at=now, agent=agent.name, action=action, request_id=request.id if request else None,
        data={**(data or {}), "desk": "telegram"},
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- files
@dataclass(frozen=True, slots=True)
class _Fetched:
    """An agent's attachment: in the store, or why not."""

    kept: outgoing_files.Kept | None
    why: str = ""


async def _fetched(orders: Orders, chat: str) -> _Fetched | None:
    """Bring an agent's attachment into the store before the transaction that sends it; None: the next one has none.

    Only of those we know, and only what goes to a customer. Of several attachments of a message there is one: albums are
    messages of their own.
    """
    async with orders.sessions() as session:
        update = await session.scalar(_oldest(chat))
        if update is None or not update.body.get("attachments") or update.body.get("edited"):
            return None
        if await _author(session, update) is None or await _request(session, update, None) is None:
            return None
    attached: dict[str, Any] = update.body["attachments"][0]
    channel, ref = orders.channels.get("telegram"), attached.get("ref")
    if channel is None or orders.store is None or ref is None:
        return _Fetched(None)

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in channel.fetch(ref):
            yield piece

    try:
        kept = await outgoing_files.keep(
            orders.store, attached.get("name"), pieces(), limit=orders.file_bytes, now=orders.clock.now()
        )
    except FileRefused as error:
        return _Fetched(None, error.reason)
    except FirstlineError as error:
        log.warning("forum_file_failed", extra={"error": type(error).__name__})
        return _Fetched(None)
    return _Fetched(kept)
