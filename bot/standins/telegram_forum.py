"""Forum groups of the stand-in Telegram: topics, who may do what in them, and the hands of the agents who work there.

What it keeps to: topics have ids of their own and names of 1 to 128 characters; a topic that was deleted is gone without a
word, and whoever writes into it is told "message thread not found"; to close what is closed is TOPIC_NOT_MODIFIED; without
the right to manage topics none can be made; a message of a topic carries its id and `is_topic_message`; HTML has to be
well-formed and its visible text at most 4096 characters; a changed message has to differ. With `most_per_minute` a group
takes so many messages (new and changed) in a minute, and 429 above it; topics are counted apart.
"""

from __future__ import annotations

import html
import re
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.standins.telegram_customers import Json, TelegramCustomers

BOT = 1000
COLOURS = {7322096, 16766590, 13338331, 9367192, 16749490, 16478047}
_TAG = re.compile(r"<(/?)([a-z]+)((?:\s[^<>]*)?)>")
_TAGS = {"b", "i", "u", "s", "a", "code", "pre"}
_NOT_RIGHTS = "not enough rights to manage chat topics"


@dataclass
class Topic:
    """A topic of a group."""

    thread: int
    name: str
    colour: int = 0
    closed: bool = False
    deleted: bool = False
    pinned: list[int] = field(default_factory=list)


@dataclass
class Post:
    """A message of the bot in a group."""

    message_id: int
    thread: int | None
    html: str
    markup: Json = field(default_factory=dict)
    reply_to: int | None = None
    quiet: bool = False
    file: bytes | None = None
    kind: str = "text"
    edits: int = 0

    @property
    def text(self) -> str:
        """What people read."""
        return html.unescape(_TAG.sub("", self.html))

    @property
    def buttons(self) -> list[str]:
        """Titles of the buttons under the message."""
        return [button["text"] for row in self.markup.get("inline_keyboard", []) for button in row]


@dataclass
class ForumGroup:
    """A group, as all see it."""

    chat: int
    title: str
    forum: bool = True
    status: str = "administrator"
    # of the bot: administrator, member, kicked
    manages: bool = True
    pins: bool = True
    topics: dict[int, Topic] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    reactions: dict[int, str] = field(default_factory=dict)
    menu: list[Json] = field(default_factory=list)
    written: dict[int, int | None] = field(default_factory=dict)
    # messages of people, and their topics

    def topic(self, name: str) -> Topic:
        """The newest topic whose name has these words."""
        return [one for one in self.topics.values() if name in one.name and not one.deleted][-1]

    def said(self, thread: int | None) -> list[str]:
        """What the bot wrote in a topic and what still stands there, as people read it."""
        return [post.text for post in self.posts if post.thread == thread]


class TelegramForum(TelegramCustomers):
    """The groups, and those who work in them."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[int, ForumGroup] = {}
        self.most_per_minute: int | None = None
        self.minute = 60.0
        # seconds that one of the server's minutes lasts
        self.times: dict[str, list[float]] = defaultdict(list)
        # when a group got something, by group and what is counted
        self._window: dict[str, deque[float]] = defaultdict(deque)

    # ------------------------------------------------------------------------------------------- the agents' hands
    def has_group(self, chat: int, title: str = "Поддержка", **more: Any) -> ForumGroup:
        """Let there be a group with the bot in it."""
        self.groups[chat] = ForumGroup(chat, title, **more)
        return self.groups[chat]

    def _in_group(self, chat: int, user: int, thread: int | None, **content: Any) -> Json:
        where: Json = {"message_thread_id": thread, "is_topic_message": True} if thread is not None else {}
        message = {
            "message_id": next(self._ids), "date": int(time.time()), "from": self.person(user), **where,
            "chat": {"id": chat, "type": "supergroup", "title": self.groups[chat].title, "is_forum": True}, **content,
        }  # fmt: skip
        self.groups[chat].written[message["message_id"]] = thread
        return message

    def says_in(self, chat: int, user: int, text: str = "", *, thread: int | None = None, **content: Any) -> Json:
        """Somebody writes in a group: in a topic, or in the general one."""
        message = self._in_group(chat, user, thread, **({"text": text} if text else {}), **content)
        self.update(message=message)
        return message

    def edits_in(self, message: Json, text: str) -> None:
        """Somebody changes a message in a group."""
        self.update(edited_message={**message, "text": text, "edit_date": int(time.time())})

    def presses_in(self, chat: int, user: int, title: str, *, thread: int) -> str:
        """Somebody presses a button in a topic, under the newest message that has it; return the press's id."""
        post = [one for one in self.groups[chat].posts if one.thread == thread and title in one.buttons][-1]
        rows = post.markup["inline_keyboard"]
        data = next(button["callback_data"] for row in rows for button in row if button["text"] == title)
        press = f"press-{next(self._ids)}"
        self._presses.add(press)
        origin = self._in_group(chat, BOT, thread, text=post.text) | {"message_id": post.message_id}
        origin["from"] = {"id": BOT, "is_bot": True, "first_name": "bot"}
        self.update(
            callback_query={
                "id": press, "from": self.person(user), "message": origin, "chat_instance": "1", "data": data
            }
        )  # fmt: skip
        return press

    def deletes_topic(self, chat: int, thread: int) -> None:
        """Somebody deletes a topic with all that is in it; nobody is told."""
        self.groups[chat].topics[thread].deleted = True
        self.groups[chat].posts = [post for post in self.groups[chat].posts if post.thread != thread]

    def closes_topic(self, chat: int, user: int, thread: int) -> None:
        """Somebody closes a topic by hand."""
        self.groups[chat].topics[thread].closed = True
        self.update(message=self._in_group(chat, user, thread, forum_topic_closed={}))

    def changes_rights(self, chat: int, **rights: Any) -> None:
        """The bot may do more or less in a group than before (`status`, `manages`, `pins`)."""
        group = self.groups[chat]
        before = self._member(group)
        for name, value in rights.items():
            setattr(group, name, value)
        self.update(
            my_chat_member={
                "chat": {"id": chat, "type": "supergroup", "title": group.title}, "from": self.person(1),
                "date": int(time.time()), "old_chat_member": before, "new_chat_member": self._member(group),
            }
        )  # fmt: skip

    def _member(self, group: ForumGroup) -> Json:
        bot: Json = {"user": {"id": BOT, "is_bot": True, "first_name": "bot"}, "status": group.status}
        if group.status == "kicked":
            return {**bot, "until_date": 0}
        if group.status != "administrator":
            return bot
        rights = (
            "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
            "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users", "can_post_stories",
            "can_edit_stories", "can_delete_stories", "can_send_welcome_messages",
        )  # fmt: skip
        may = {"can_manage_topics": group.manages, "can_pin_messages": group.pins}
        return {**bot, **dict.fromkeys(rights, False), **may}

    # ---------------------------------------------------------------------------------------------------- the API
    async def _createForumTopic(self, form: Json) -> web.StreamResponse:
        group, wrong = self._managed(form)
        if wrong is not None or group is None:
            return wrong or error(400, "Bad Request: chat not found")
        if not group.manages:
            return error(400, "Bad Request: not enough rights to create a topic")
        if not 1 <= len(str(form["name"])) <= 128:
            return error(400, "Bad Request: topic name is invalid")
        colour = int(form.get("icon_color") or 0)
        if colour and colour not in COLOURS:
            return error(400, "Bad Request: TOPIC_ICON_COLOR_INVALID")
        topic = Topic(next(self._ids), str(form["name"]), colour)
        group.topics[topic.thread] = topic
        return ok({"message_thread_id": topic.thread, "name": topic.name, "icon_color": colour or 7322096})

    async def _editForumTopic(self, form: Json) -> web.StreamResponse:
        topic, wrong = self._topic(form)
        if wrong is not None or topic is None:
            return wrong or error(400, "Bad Request: TOPIC_ID_INVALID")
        if topic.name == str(form["name"]):
            return error(400, "Bad Request: TOPIC_NOT_MODIFIED")
        topic.name = str(form["name"])
        return ok(True)

    async def _closeForumTopic(self, form: Json) -> web.StreamResponse:
        return self._shut(form, closed=True)

    async def _reopenForumTopic(self, form: Json) -> web.StreamResponse:
        return self._shut(form, closed=False)

    def _shut(self, form: Json, *, closed: bool) -> web.StreamResponse:
        topic, wrong = self._topic(form)
        if wrong is not None or topic is None:
            return wrong or error(400, "Bad Request: TOPIC_ID_INVALID")
        if topic.closed == closed:
            return error(400, "Bad Request: TOPIC_NOT_MODIFIED")
        topic.closed = closed
        return ok(True)

    async def _deleteForumTopic(self, form: Json) -> web.StreamResponse:
        topic, wrong = self._topic(form)
        if wrong is not None or topic is None:
            return wrong or error(400, "Bad Request: TOPIC_ID_INVALID")
        self.deletes_topic(int(form["chat_id"]), topic.thread)
        return ok(True)

    async def _pinChatMessage(self, form: Json) -> web.StreamResponse:
        group, wrong = self._managed(form)
        if wrong is not None or group is None:
            return wrong or error(400, "Bad Request: chat not found")
        if not group.pins:
            return error(400, "Bad Request: not enough rights to manage pinned messages in the chat")
        post = next((one for one in group.posts if one.message_id == int(form["message_id"])), None)
        if post is None:
            return error(400, "Bad Request: message to pin not found")
        if post.thread in group.topics:
            group.topics[post.thread].pinned.append(post.message_id)
        return ok(True)

    async def _editMessageText(self, form: Json) -> web.StreamResponse:
        group = self.groups.get(int(form["chat_id"]))
        if group is None:
            return error(400, "Bad Request: chat not found")
        if (slow := self._too_many(group.chat, "messages")) is not None:
            return slow
        post = next((one for one in group.posts if one.message_id == int(form["message_id"])), None)
        if post is None:
            return error(400, "Bad Request: message to edit not found")
        text, markup = str(form.get("text", "")), form.get("reply_markup") or {}
        if (wrong := _unfit(text)) is not None:
            return wrong
        if (post.html, post.markup) == (text, markup):
            return error(
                400,
                "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message",
            )
        post.html, post.markup, post.edits = text, markup, post.edits + 1
        return ok(self._told(group, post))

    async def _setMessageReaction(self, form: Json) -> web.StreamResponse:
        group = self.groups.get(int(form["chat_id"]))
        if group is None or int(form["message_id"]) not in group.written:
            return error(400, "Bad Request: message to react not found")
        group.reactions[int(form["message_id"])] = form["reaction"][0]["emoji"]
        return ok(True)

    async def _getChat(self, form: Json) -> web.StreamResponse:
        group = self.groups.get(int(form["chat_id"]))
        if group is None or group.status == "kicked":
            return error(400, "Bad Request: chat not found")
        gifts = {
            "unlimited_gifts": False, "limited_gifts": False, "unique_gifts": False, "premium_subscription": False,
            "gifts_from_channels": False,
        }  # fmt: skip
        return ok(
            {
                "id": group.chat, "type": "supergroup", "title": group.title, "is_forum": group.forum,
                "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts,
            }
        )  # fmt: skip

    async def _getChatMember(self, form: Json) -> web.StreamResponse:
        group = self.groups.get(int(form["chat_id"]))
        if group is None:
            return error(400, "Bad Request: chat not found")
        return ok(self._member(group))

    def _post(self, form: Json, *, kind: str = "text", file: bytes | None = None) -> web.StreamResponse:
        """Write into a group."""
        group, wrong = self._managed(form)
        if wrong is not None or group is None:
            return wrong or error(400, "Bad Request: chat not found")
        if (slow := self._too_many(group.chat, "messages")) is not None:
            return slow
        thread = int(form["message_thread_id"]) if form.get("message_thread_id") else None
        if thread is not None and (thread not in group.topics or group.topics[thread].deleted):
            return error(400, "Bad Request: message thread not found")
        if thread is not None and group.topics[thread].closed and not group.manages:
            return error(400, "Bad Request: TOPIC_CLOSED")
        text = str(form.get("text") or form.get("caption") or "")
        if file is None and (unfit := _unfit(text)) is not None:
            return unfit
        markup = form.get("reply_markup") or {}
        if not all(
            1 <= len(button["callback_data"].encode()) <= 64
            for row in markup.get("inline_keyboard", [])
            for button in row
        ):
            return error(400, "Bad Request: BUTTON_DATA_INVALID")
        reply = form.get("reply_parameters") or {}
        post = Post(
            next(self._ids), thread, text, markup, reply.get("message_id"), str(form.get("disable_notification")) == "true",
            file, kind,
        )  # fmt: skip
        group.posts.append(post)
        return ok(self._told(group, post))

    def _told(self, group: ForumGroup, post: Post) -> Json:
        where: Json = {"message_thread_id": post.thread, "is_topic_message": True} if post.thread else {}
        return {
            "message_id": post.message_id, "date": int(time.time()), "text": post.text, **where,
            "chat": {"id": group.chat, "type": "supergroup", "title": group.title, "is_forum": True},
            "from": {"id": BOT, "is_bot": True, "first_name": "bot"},
        }  # fmt: skip

    def _managed(self, form: Json) -> tuple[ForumGroup | None, web.StreamResponse | None]:
        group = self.groups.get(int(form["chat_id"]))
        if group is None:
            return None, error(400, "Bad Request: chat not found")
        if group.status == "kicked":
            return None, error(403, "Forbidden: bot was kicked from the supergroup chat")
        if not group.forum and (form.get("name") or form.get("message_thread_id")):
            wrong = "the chat is not a forum" if form.get("name") else "message thread not found"
            return None, error(400, f"Bad Request: {wrong}")
        if form.get("name") and (slow := self._too_many(group.chat, "topics")) is not None:
            return None, slow
        return group, None

    def _topic(self, form: Json) -> tuple[Topic | None, web.StreamResponse | None]:
        group, wrong = self._managed(form)
        if wrong is not None or group is None:
            return None, wrong
        if not group.manages:
            return None, error(400, f"Bad Request: {_NOT_RIGHTS}")
        topic = group.topics.get(int(form["message_thread_id"]))
        if topic is None or topic.deleted:
            return None, error(400, "Bad Request: TOPIC_ID_INVALID")
        return topic, None

    def _too_many(self, chat: int, what: str) -> web.StreamResponse | None:
        now, key = time.monotonic(), f"{chat}:{what}"
        window = self._window[key]
        while window and window[0] <= now - self.minute:
            window.popleft()
        if self.most_per_minute is not None and len(window) >= self.most_per_minute:
            seconds = max(1, round(window[0] + self.minute - now))
            told = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
            return web.json_response({**told, "parameters": {"retry_after": seconds}}, status=429)
        window.append(now)
        self.times[key].append(now)
        return None


def _unfit(text: str) -> web.StreamResponse | None:
    """Why a text is not taken: HTML that does not fit together, or too much of it."""
    opened: list[str] = []
    for close, tag, _ in _TAG.findall(text):
        if tag not in _TAGS or (close and (not opened or opened.pop() != tag)):
            return error(400, f"Bad Request: can't parse entities: unexpected tag {tag!r}")
        if not close:
            opened.append(tag)
    if opened or "<" in _TAG.sub("", text):
        return error(400, "Bad Request: can't parse entities: unclosed tag")
    seen = html.unescape(_TAG.sub("", text)).strip()
    if not 1 <= len(seen.encode("utf-16-le")) // 2 <= 4096:
        return error(400, "Bad Request: message is too long" if seen else "Bad Request: message text is empty")
    return None


def ok(result: Any) -> web.Response:
    """A call that was carried out."""
    return web.json_response({"ok": True, "result": result})


def error(code: int, description: str) -> web.Response:
    """A call that was refused."""
    return web.json_response({"ok": False, "error_code": code, "description": description}, status=code)
