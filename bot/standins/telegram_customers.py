"""The customers of the stand-in Telegram: what they write, send, press, share and block becomes updates."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from bot.standins.loopback import LoopbackServer
from bot.standins.telegram_hook import Hook

Json = dict[str, Any]


@dataclass
class Sent:
    """A message that the bot sent."""

    chat: int
    message_id: int
    text: str
    markup: Json = field(default_factory=dict)
    kind: str = "text"
    # photo, document: `text` is the caption then
    name: str = ""
    data: bytes = field(default=b"", repr=False)

    @property
    def buttons(self) -> list[str]:
        """Titles of the buttons under the message."""
        return [button["text"] for row in self.markup.get("inline_keyboard", []) for button in row]

    @property
    def keys(self) -> list[Json]:
        """The keys that replace the customer's keyboard."""
        return [key for row in self.markup.get("keyboard", []) for key in row]


class TelegramCustomers(LoopbackServer):
    """The updates that wait, and those who make them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocked: set[int] = set()
        self.hook = Hook(self._delivered)
        self._updates: list[Json] = []
        self._last: Json | None = None
        self._repeated: list[Json] = []
        self._numbers, self._ids = itertools.count(7001), itertools.count(1)
        self._presses: set[str] = set()
        self._files: dict[str, tuple[str, bytes, int]] = {}
        # file_id -> path, bytes, the size that is told

    def person(self, chat: int) -> Json:
        """The customer of a private chat, as Telegram tells of them."""
        return {"id": chat, "is_bot": False, "first_name": "Мария", "last_name": f"№{chat}"}

    def update(self, **content: Any) -> int:
        """Add an update of any kind; return its number."""
        number = next(self._numbers)
        self._last = {"update_id": number, **content}
        self._updates.append(self._last)
        self._offer(self._last)
        return number

    def again(self) -> None:
        """Offer the last update once more although it was confirmed, as happens after trouble on Telegram's side."""
        assert self._last is not None
        if not self.hook.url:
            self._repeated.append(self._last)
        self._offer(self._last)

    def begin_anew(self, number: int) -> None:
        """Count updates from this number on, as happens after a week without any."""
        self._numbers = itertools.count(number)

    def message(self, chat: int, **content: Any) -> Json:
        """A message of a customer; what is in it is up to the caller."""
        return {
            "message_id": next(self._ids),
            "date": int(time.time()),
            "chat": {"id": chat, "type": "private", "first_name": "Мария"},
            "from": self.person(chat),
            **content,
        }

    def writes(self, chat: int, text: str = "", **content: Any) -> Json:
        """A customer sends a text, or what `content` says."""
        message = self.message(chat, **({"text": text} if text else {}), **content)
        self.update(message=message)
        return message

    def keeps(self, content: bytes, path: str = "documents/file_1.bin", *, size: int | None = None) -> Json:
        """Keep a file; return what a message says of it. `size`: what is told, if not the truth."""
        file_id = f"file-{next(self._ids)}"
        self._files[file_id] = path, content, len(content) if size is None else size
        return {"file_id": file_id, "file_unique_id": file_id[::-1], "file_size": self._files[file_id][2]}

    def loses(self, file_id: str) -> None:
        """Forget a file."""
        del self._files[file_id]

    def sends_album(self, chat: int, *parts: Json, caption: str = "") -> list[Json]:
        """A customer sends several photos or files as one: messages of their own, the first with the caption."""
        album = str(next(self._ids))
        captions = [{"caption": caption} if caption and not place else {} for place in range(len(parts))]
        return [
            self.writes(chat, media_group_id=album, **part, **words)
            for part, words in zip(parts, captions, strict=True)
        ]

    def edits(self, message: Json, text: str) -> None:
        """A customer changes a message: its text, or the caption under what is attached."""
        words = {"text": text} if "text" in message else {"caption": text}
        self.update(edited_message={**message, **words, "edit_date": int(time.time())})

    def presses(self, sent: Sent, title: str) -> str:
        """A customer presses a button under a message; return the press's id."""
        rows = sent.markup["inline_keyboard"]
        data = next(button["callback_data"] for row in rows for button in row if button["text"] == title)
        press = f"press-{next(self._ids)}"
        self._presses.add(press)
        origin = {"message_id": sent.message_id, "date": int(time.time()), "text": sent.text}
        origin |= {"chat": {"id": sent.chat, "type": "private"}}
        self.update(
            callback_query={
                "id": press, "from": self.person(sent.chat), "message": origin, "chat_instance": "1", "data": data
            }
        )  # fmt: skip
        return press

    def shares(self, chat: int, phone: str, *, owner: int | None = None, **content: Any) -> None:
        """A customer sends a contact: their own, or somebody else's."""
        card = {"phone_number": phone, "first_name": "Мария", "user_id": chat if owner is None else owner}
        self.writes(chat, contact=card, **content)

    def blocks(self, chat: int, *, blocked: bool = True) -> None:
        """A customer stops the bot, or lets it write again."""
        self.blocked = self.blocked | {chat} if blocked else self.blocked - {chat}
        bot = {"id": 1000, "is_bot": True, "first_name": "bot"}
        states: list[Json] = [{"user": bot, "status": "member"}, {"user": bot, "status": "kicked", "until_date": 0}]
        old, new = states if blocked else states[::-1]
        self.update(
            my_chat_member={
                "chat": {"id": chat, "type": "private"}, "from": self.person(chat), "date": int(time.time()),
                "old_chat_member": old, "new_chat_member": new,
            }
        )  # fmt: skip

    def _offer(self, update: Json) -> None:
        self._wake()
        if self.hook.url:
            self.hook.offer(update)

    def _delivered(self, update: Json) -> None:
        """The webhook has taken an update."""
        self._updates = [one for one in self._updates if one is not update]

    @property
    def waiting(self) -> list[int]:
        """Numbers of the updates that are not confirmed."""
        return [update["update_id"] for update in self._updates]
