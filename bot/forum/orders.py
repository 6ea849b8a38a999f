"""What agents wrote and pressed in a group is done: a reply goes to the customer, a note to colleagues, a command to the desk.

Each update is a transaction of its own: the action, its row in the audit, and what its author is told stand together or not
at all, so a process that dies in the middle has done nothing, and the next one does it once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, desk, events
from bot.channels import Channel
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import FirstlineError
from bot.file_store import FileStore
from bot.forum import actions, attached, cards, commands, words
from bot.forum.actions import Author, Told
from bot.forum.api import Api
from bot.forum.attached import Attached
from bot.forum.commands import Does
from bot.forum.groups import Group
from bot.forum.intake import look_again
from bot.models import Agent, ForumTopic, ForumUpdate, Request
from bot.timeline import Desk

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What obeying needs."""

    sessions: Sessions
    desk: Desk
    clock: Clock
    api: Api
    groups: Mapping[str, Group]
    channels: Mapping[str, Channel]
    # "telegram" fetches what agents attach
    store: FileStore
    file_bytes: int
    # size of an agent's file at the most


async def obey(orders: Orders, chat: int) -> None:
    """Do what was written in a group, in order."""
    await orders.api.name()  # commands may name a bot: known from now on
    while await _next(orders, str(chat)):
        pass


async def _next(orders: Orders, chat: str) -> bool:
    """Do the oldest thing that was written in a group; False when there is none."""
    file = await _attached(orders, chat)
    async with orders.sessions.begin() as session:
        update = await session.scalar(_oldest(chat).with_for_update())
        if update is None:
            return False
        body, now = update.body, orders.clock.now()
        told = await _safely(session, orders, update, file, now)
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
    return True


def _oldest(chat: str) -> Any:
    return (
        select(ForumUpdate)
        .where(ForumUpdate.chat == chat, ForumUpdate.done_at.is_(None))
        .order_by(ForumUpdate.id)
        .limit(1)
    )


async def _safely(
    session: AsyncSession, orders: Orders, update: ForumUpdate, file: Attached | None, now: datetime
) -> Told:
    """Do it, or nothing of it and say why not."""
    point = events.mark(session)
    try:
        async with session.begin_nested():
            return await _do(session, orders, update, file, now)
    except FirstlineError as error:
        if error.status >= 500:
            raise  # the store, or something else that comes back
        events.forget_since(session, point)
        log.info("forum_refused", extra={"group": update.chat, "error": type(error).__name__})
        return Told(await words.why_not(session, error, update.chat, update.thread), alert=True)
    except (SQLAlchemyError, OSError):
        raise
    except Exception:  # the next ones in the group are not to wait for a fault of ours
        events.forget_since(session, point)
        log.exception("forum_failed", extra={"group": update.chat})
        return Told(words.FAULT, alert=True)


async def _do(session: AsyncSession, orders: Orders, update: ForumUpdate, file: Attached | None, now: datetime) -> Told:
    body = update.body
    pressed = cards.pressed(body["press"] or "") if body.get("press") else None
    order = commands.read(body.get("text") or "", bot=await orders.api.name())
    request = await _request(session, update, pressed)
    if order.does is Does.NOBODYS or (request is None and order.does in (Does.REPLY, Does.NOTE) and not pressed):
        return Told()  # colleagues among themselves
    agent = await _author(session, update)
    if agent is None:
        return await _stranger(session, update)
    await desk.works_without_browser(session, agent.name)
    author = Author(session=session, desk=orders.desk, update=update, agent=agent, groups=orders.groups, now=now)
    if body.get("query"):
        if pressed is None or request is None:
            return Told(words.BUTTON_GONE)
        return await actions.press(author, request, pressed[0])
    if body.get("edited"):
        return Told(words.EDITED) if order.does is Does.REPLY else Told()
    if order.does in (Does.REPLY, Does.NOTE) and request is not None:
        return await actions.write(author, request, order, file)
    return await actions.command(author, request, order)


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
    agent = await agents.of_telegram(session, update.author) if update.author is not None else None
    return agent if agent is not None and agent.disabled_at is None else None


async def _stranger(session: AsyncSession, update: ForumUpdate) -> Told:
    """Tell somebody we do not know how to be known, once; nothing else happens."""
    before = select(func.count()).select_from(ForumUpdate)
    before = before.where(ForumUpdate.chat == update.chat, ForumUpdate.unknown, ForumUpdate.answer.is_not(None))
    same = ForumUpdate.author.is_(None) if update.author is None else ForumUpdate.author == update.author
    told = await session.scalar(before.where(same))
    log.info("forum_stranger", extra={"group": update.chat})
    if told and not update.body.get("query"):
        return Told(unknown=True)
    return Told(words.stranger(update.author), alert=True, unknown=True)


# --------------------------------------------------------------------------------------------------------------- files
async def _attached(orders: Orders, chat: str) -> Attached | None:
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
    return await attached.keep(
        update.body["attachments"][0],
        orders.channels["telegram"],
        orders.store,
        limit=orders.file_bytes,
        now=orders.clock.now(),
    )
