"""What was said and happened and does not stand in a topic yet: lines, events, attachments, and how deliveries ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import files
from bot.errors import FileGone
from bot.files import FileState
from bot.forum import lines, shown
from bot.forum.api import Api
from bot.forum.calls import Next, Show, Step, no_result, urgency
from bot.models import (
    Agent,
    Conversation,
    Delivery,
    File,
    ForumTopic,
    ForumUpdate,
    Message,
    Request,
    RequestEvent,
    Sender,
)

HISTORY = 30
"""Lines of the transcript before a topic was made, or after it could not be kept up for a while."""
UNREAD = timedelta(seconds=10)
"""A customer's line may be changed until it is read; it is shown then, or after so long."""
_OWN_KEPT = 200
"""Messages of agents in a topic that are looked through for those that became lines."""


async def next_message(
    session: AsyncSession, show: Show, request: Request, topic: ForumTopic, thread: str, conversation: Conversation
) -> Next | None:
    """The next message with lines and events; or the sign under an agent's own message that the customer has it."""
    now = show.now()
    ended, delivered = await _ends(session, topic)
    if delivered is not None:
        line, message = delivered
        chat = topic.chat
        return Next(
            step=Step.REACT, request=request.id, call=lambda api: no_result(api.react(chat, message, "👍")),
            keep=lambda row, _, at: shown.settled(row, line),
        )  # fmt: skip
    found = await _unshown(session, topic)
    own = await _own(session, topic, thread) if found else {}
    for one in found:
        if one.id in own:
            shown.own(topic, one.id, own[one.id], one.delivery, now=now)
    found = [one for one in found if one.id not in own]
    shown.forget_old(topic, [one.id for one in found], now=now)
    first: list[lines.Item] = []
    if len(found) > HISTORY:
        first = [lines.left_out(len(found) - HISTORY)]
        shown.skip(topic, found[-HISTORY - 1].id)
        found = found[-HISTORY:]
    pieces = [lines.of_line(one, conversation.name)[shown.pieces(topic, one.id) or 0 :] for one in found]
    events = await _events(session, show, topic)
    items = [*ended, *first, *lines.merged(pieces, [one.at for one in found], events)]
    return _say(request, topic, thread, items) if items else None


async def afterwards(
    session: AsyncSession, show: Show, request: Request, topic: ForumTopic, thread: str
) -> Next | None:
    """The next message for a closed topic, of what is worth telling in one."""
    late = await _events(session, show, topic, only=lines.AFTERWARDS)
    return _say(request, topic, thread, [item for _, item in late]) if late else None


def _say(request: Request, topic: ForumTopic, thread: str, items: Sequence[lines.Item]) -> Next:
    chat, now_said = topic.chat, lines.message(items)
    loud = any(item.loud for item in now_said)
    return Next(
        step=Step.LINES, request=request.id, order=(not loud, *urgency(request)),
        call=lambda api: api.send(
            chat, thread, lines.html(now_said), reply_to=now_said[0].reply_to, quiet=not loud
        ),
        keep=lambda row, _, now: shown.put(row, now_said, now=now),
    )  # fmt: skip


async def _unshown(session: AsyncSession, topic: ForumTopic) -> list[Message]:
    """Lines that do not stand in the topic, in order."""
    whole = [line for line in shown.known(topic) if shown.pieces(topic, line) is None]
    read = or_(Message.sender != Sender.CUSTOMER, Message.read_at.is_not(None), Message.stored_at < func.now() - UNREAD)
    of = select(Request.conversation_id).where(Request.id == topic.request_id).scalar_subquery()
    found = await session.scalars(
        select(Message)
        .where(Message.conversation_id == of, Message.id > topic.shown_id, Message.id.not_in(whole), read)
        .where(~Message.stale_press)
        .order_by(Message.id)
        .execution_options(populate_existing=True)
    )
    return list(found.all())


async def _own(session: AsyncSession, topic: ForumTopic, thread: str) -> dict[int, str]:
    """Lines that agents wrote in this very topic: they stand in it as their own messages, whose ids these are."""
    found = await session.execute(
        select(ForumUpdate.lines, ForumUpdate.message_id)
        .where(ForumUpdate.chat == topic.chat, ForumUpdate.thread == thread, ForumUpdate.lines != [])
        .order_by(ForumUpdate.id.desc())
        .limit(_OWN_KEPT)
    )
    return {int(line): message for made, message in found.all() if message for line in made}


async def _ends(session: AsyncSession, topic: ForumTopic) -> tuple[list[lines.Item], tuple[int, str] | None]:
    """What came of lines that were on their way: signs for those that failed, and one agent's message that arrived."""
    waiting = shown.on_their_way(topic)
    if not waiting:
        return [], None
    found = await session.scalars(
        select(Message).where(Message.id.in_(waiting)).order_by(Message.id).execution_options(populate_existing=True)
    )
    failed: list[lines.Item] = []
    arrived: tuple[int, str] | None = None
    for line in found.all():
        of = waiting[line.id]
        if line.delivery == Delivery.SENT and of is not None:
            arrived = arrived or (line.id, of)
        elif line.delivery == Delivery.SENT:
            shown.settled(topic, line.id)
        elif line.delivery in lines.UNDELIVERED:
            failed.append(lines.undelivered(line, reply_to=of))
    return failed, arrived


async def _events(
    session: AsyncSession, show: Show, topic: ForumTopic, only: frozenset[str] = lines.SHOWN
) -> list[tuple[datetime, lines.Item]]:
    found = await session.scalars(
        select(RequestEvent)
        .where(RequestEvent.request_id == topic.request_id, RequestEvent.id > topic.shown_event)
        .where(RequestEvent.kind.in_(only))
        .order_by(RequestEvent.id)
    )
    events = found.all()
    if not events:
        return []
    names = {one for event in events for one in (event.agent, event.data.get("to")) if one}
    rows = await session.execute(select(Agent.name, Agent.title).where(Agent.name.in_(names)))
    titles = {row.name: row.title for row in rows}
    return [(event.at, lines.of_event(show.pack, event, titles)) for event in events]


# ---------------------------------------------------------------------------------------------------------- attachments
async def next_attachment(
    session: AsyncSession, show: Show, topic: ForumTopic, thread: str, conversation: Conversation, request: Request
) -> Next | None:
    """The next attachment, once its bytes are kept, after the line that it hangs on."""
    found = await session.execute(
        select(File, Message)
        .join(Message, Message.id == File.message_id)
        .where(File.conversation_id == conversation.id, File.id > topic.shown_file)
        .order_by(File.id)
        .limit(20)
    )
    own: dict[int, str] | None = None
    for file, line in found.all():
        if file.state == FileState.WAITING or shown.pieces(topic, line.id) is not None:
            return None
        own = await _own(session, topic, thread) if own is None else own
        if file.state == FileState.KEPT and line.id not in own:
            return _send_file(show, topic, thread, file, line, conversation, request)
        topic.shown_file = file.id
    return None


def _send_file(
    show: Show, topic: ForumTopic, thread: str, file: File, line: Message, conversation: Conversation, request: Request
) -> Next:
    chat, file_id = topic.chat, file.id
    about = line.attachments[file.place] if file.place < len(line.attachments) else {}
    who = line.agent if line.sender == Sender.AGENT else conversation.name

    async def call(api: Api) -> str | None:
        try:
            async with show.sessions() as session:
                download = await files.read(session, show.store, file_id)
            content = b"".join([piece async for piece in download.pieces])
        except FileGone:
            return None  # the time for keeping it is over
        return await api.send_file(
            chat, thread, content, name=str(about.get("name") or download.name), kind=str(about.get("kind", "file")),
            mime=download.mime, caption=f"📎 {escape(who or 'Клиент')}",
        )  # fmt: skip

    def keep(row: ForumTopic, _: str | None, now: datetime) -> None:
        row.shown_file = file_id

    return Next(step=Step.FILE, request=request.id, call=call, keep=keep)
