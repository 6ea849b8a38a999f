"""A stand-in for the Telegram Bot API: the documented protocol over HTTP on loopback, with a customer's side to it.

    async with TelegramServer() as telegram:
        TelegramChannel(telegram.token, offsets, api_base=telegram.url)
        telegram.writes(42, "where is my order")     telegram.presses(telegram.sent[-1], "Yes")

What it keeps to: updates are numbered, kept until an `offset` above them confirms them, and offered again until then;
a second getUpdates ends the first with 409; a set webhook forbids polling; texts have 1 to 4096 characters and callback
data 64 bytes; a press can be answered once. `faults` makes its next calls go wrong.
"""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.standins.faults import Answer, Fault, says
from bot.standins.loopback import LoopbackServer

Json = dict[str, Any]


@dataclass
class Sent:
    """A message that the bot sent."""

    chat: int
    message_id: int
    text: str
    markup: Json = field(default_factory=dict)

    @property
    def buttons(self) -> list[str]:
        """Titles of the buttons under the message."""
        return [button["text"] for row in self.markup.get("inline_keyboard", []) for button in row]

    @property
    def keys(self) -> list[Json]:
        """The keys that replace the customer's keyboard."""
        return [key for row in self.markup.get("keyboard", []) for key in row]


class TelegramServer(LoopbackServer):
    """The server, and the hands of its customers."""

    token = "1000:stand-in-token"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.answered: list[str] = []
        # ids of presses that were answered
        self.commands: list[Json] = []
        self.webhook = ""
        self.blocked: set[int] = set()
        self._updates: list[Json] = []
        self._last: Json | None = None
        self._repeated: list[Json] = []
        self._numbers, self._ids = itertools.count(7001), itertools.count(1)
        self._presses: set[str] = set()
        self._poll = 0
        # number of the latest getUpdates: an older one that still waits is ended

    def routes(self, app: web.Application) -> None:
        """Say what is served."""
        app.router.add_route("*", "/bot{token}/{method}", self._call)

    # ---------------------------------------------------------------------------------------------- customers
    def person(self, chat: int) -> Json:
        """The customer of a private chat, as Telegram tells of them."""
        return {"id": chat, "is_bot": False, "first_name": "Мария", "last_name": f"№{chat}"}

    def update(self, **content: Any) -> int:
        """Add an update of any kind; return its number."""
        number = next(self._numbers)
        self._last = {"update_id": number, **content}
        self._updates.append(self._last)
        self._wake()
        return number

    def again(self) -> None:
        """Offer the last update once more although it was confirmed, as happens after trouble on Telegram's side."""
        assert self._last is not None
        self._repeated.append(self._last)
        self._wake()

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

    def edits(self, message: Json, text: str) -> None:
        """A customer changes a message."""
        self.update(edited_message={**message, "text": text, "edit_date": int(time.time())})

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

    @property
    def waiting(self) -> list[int]:
        """Numbers of the updates that are not confirmed."""
        return [update["update_id"] for update in self._updates]

    # ---------------------------------------------------------------------------------------------- the API
    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if request.match_info["token"] != self.token or self.refuses_token:
            return _error(401, "Unauthorized")
        form = {name: _value(str(value)) for name, value in (await request.post()).items()}
        handler = getattr(self, f"_{method}", None)
        if handler is None:
            return _error(404, "Not Found")

        async def answer() -> web.StreamResponse:
            response: web.StreamResponse = await handler(form)
            return response

        return await self.faults.answer(method, request, answer)

    async def _getUpdates(self, form: Json) -> web.StreamResponse:
        if self.webhook:
            return _error(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook first")
        offset, allowed = int(form.get("offset") or 0), form.get("allowed_updates") or []
        self._updates = [update for update in self._updates if update["update_id"] >= offset]
        self._poll += 1
        mine = self._poll
        self._wake()  # ends an older getUpdates
        deadline = time.monotonic() + min(float(form.get("timeout") or 0), 50)
        while True:
            if mine != self._poll:
                return _error(
                    409,
                    "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
                )
            found = [update for update in self._updates if not allowed or {*update} & {*allowed, "novelty"}]
            found, self._repeated = [*self._repeated, *found], []
            left = deadline - time.monotonic()
            if found or left <= 0:
                return _ok(found[: int(form.get("limit") or 100)])
            await self._wait_for_news(left)

    async def _sendMessage(self, form: Json) -> web.StreamResponse:
        chat, text, markup = int(form["chat_id"]), str(form.get("text", "")), form.get("reply_markup") or {}
        if chat in self.blocked:
            return _error(403, "Forbidden: bot was blocked by the user")
        if not 1 <= len(text) <= 4096:
            return _error(400, "Bad Request: message is too long" if text else "Bad Request: message text is empty")
        for row in markup.get("inline_keyboard", []):
            for button in row:
                if not 1 <= len(button["callback_data"].encode()) <= 64:
                    return _error(400, "Bad Request: BUTTON_DATA_INVALID")
        sent = Sent(chat, next(self._ids), text, markup)
        self.sent.append(sent)
        bot = {"id": 1000, "is_bot": True, "first_name": "bot"}
        return _ok(
            {
                "message_id": sent.message_id,
                "date": int(time.time()),
                "chat": {"id": chat, "type": "private"},
                "from": bot,
                "text": text,
            }
        )

    async def _answerCallbackQuery(self, form: Json) -> web.StreamResponse:
        press = str(form["callback_query_id"])
        if press not in self._presses:
            return _error(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._presses.discard(press)
        self.answered.append(press)
        return _ok(True)

    async def _setMyCommands(self, form: Json) -> web.StreamResponse:
        self.commands = form["commands"]
        return _ok(True)

    async def _deleteWebhook(self, form: Json) -> web.StreamResponse:
        self.webhook = ""
        return _ok(True)

    async def _getMe(self, form: Json) -> web.StreamResponse:
        return _ok({"id": 1000, "is_bot": True, "first_name": "bot", "username": "stand_in_bot"})


def too_many(retry_after: int) -> Fault:
    """429 with the seconds to wait."""
    body = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {retry_after}"}
    return says({**body, "parameters": {"retry_after": retry_after}}, 429)


def refuses(code: int, description: str) -> Fault:
    """An error of the API."""
    return says({"ok": False, "error_code": code, "description": description}, code)


def odd_shape() -> Fault:
    """The call is done, and answered in a shape that no client knows yet."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = await answer()
        assert isinstance(response, web.Response)
        body = json.loads(response.text or "{}")
        body["result"]["chat"]["type"] = "hologram"
        return web.json_response(body)

    return fault


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _error(code: int, description: str) -> web.Response:
    return web.json_response({"ok": False, "error_code": code, "description": description}, status=code)


def _value(text: str) -> Any:
    """A field of a form: objects and lists come as JSON."""
    return json.loads(text) if text[:1] in ("{", "[") else text
