"""A stand-in for the Telegram Bot API: the documented protocol over HTTP on loopback, with a customer's side to it.

    async with TelegramServer() as telegram:
        TelegramChannel(telegram.token, offsets, api_base=telegram.url)
        telegram.writes(42, "where is my order")     telegram.presses(telegram.sent[-1], "Yes")

What it keeps to: updates are numbered, kept until an `offset` above them confirms them, and offered again until then
(an offset far above all of them counts as none); a second getUpdates ends the first with 409; a set webhook forbids
polling and gets the updates (`telegram_hook`); texts have 1 to 4096 characters, callback data 64 bytes, messages 100
buttons; a press can be answered once; photos (10 MB) and documents (50 MB) come as parts of a form, with captions of 1024 characters;
files are asked for by getFile and fetched from an address with the token in it.
Forum groups are in `telegram_forum`. `faults` makes its next calls go wrong (the method's name; "file" for the bytes of one). Like a server of one's own it
takes http addresses for the webhook.
"""

from __future__ import annotations

import json
import re
import time
from collections import deque
from typing import Any

from aiohttp import web

from bot.standins.faults import Answer, Fault, says
from bot.standins.telegram_customers import Json, Sent
from bot.standins.telegram_forum import TelegramForum

DOWNLOAD_BYTES, UPLOAD_BYTES, PHOTO_BYTES = 20 * 2**20, 50 * 2**20, 10 * 2**20
PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF")


class TelegramServer(TelegramForum):
    """The server, and the hands of its customers."""

    token = "1000:stand-in-token"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.answered: list[str] = []
        # ids of presses that were answered
        self.toasts: dict[str, str] = {}
        # and the words with which
        self.actions: list[tuple[int, str]] = []
        # chats and what they were shown that the bot does
        self.commands: list[Json] = []
        self.description = self.short_description = ""
        self.webhook = ""
        self.most_per_second: int | None = None
        # so many messages to all chats; above it: 429
        self._sent_at: deque[float] = deque()
        self._poll = 0
        # number of the latest getUpdates: an older one that still waits is ended

    def routes(self, app: web.Application) -> None:
        """Say what is served."""
        app.router.add_route("*", "/bot{token}/{method}", self._call)
        app.router.add_get("/file/bot{token}/{path:.+}", self._file)

    async def __aexit__(self, *_: object) -> None:
        await self.hook.stop()
        await super().__aexit__()

    # ---------------------------------------------------------------------------------------------- the API
    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if request.match_info["token"] != self.token or self.refuses_token:
            return _error(401, "Unauthorized")
        form = {
            name: value if isinstance(value, web.FileField) else _value(str(value))
            for name, value in (await request.post()).items()
        }
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
        newest = self._updates[-1]["update_id"] if self._updates else offset
        if offset <= newest + 10:  # else it is of another count
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
            several = {update["update_id"]: update for update in [*self._repeated, *found]}
            found, self._repeated = [several[number] for number in sorted(several)], []
            left = deadline - time.monotonic()
            if found or left <= 0:
                return _ok(found[: int(form.get("limit") or 100)])
            await self._wait_for_news(left)

    async def _sendMessage(self, form: Json) -> web.StreamResponse:
        chat, text, markup = int(form["chat_id"]), str(form.get("text", "")), form.get("reply_markup") or {}
        if chat < 0:
            return self._post(form)
        if chat in self.blocked:
            return _error(403, "Forbidden: bot was blocked by the user")
        if not 1 <= len(text) <= 4096:
            return _error(400, "Bad Request: message is too long" if text else "Bad Request: message text is empty")
        buttons = [button for row in markup.get("inline_keyboard", []) for button in row]
        if not all(1 <= len(button["callback_data"].encode()) <= 64 for button in buttons):
            return _error(400, "Bad Request: BUTTON_DATA_INVALID")
        if len(buttons) > 100:
            return _error(400, "Bad Request: REPLY_MARKUP_TOO_LONG")
        if self._too_fast():
            return _too_many(1)
        return self._accept(Sent(chat, next(self._ids), text, markup), text=text)

    def _accept(self, sent: Sent, **content: Any) -> web.StreamResponse:
        """Keep a message of the bot's, and answer with it."""
        self.sent.append(sent)
        bot = {"id": 1000, "is_bot": True, "first_name": "bot"}
        chat = {"id": sent.chat, "type": "private"}
        return _ok({"message_id": sent.message_id, "date": int(time.time()), "chat": chat, "from": bot, **content})

    async def _sendPhoto(self, form: Json) -> web.StreamResponse:
        return self._take_file(form, "photo")

    async def _sendDocument(self, form: Json) -> web.StreamResponse:
        return self._take_file(form, "document")

    def _take_file(self, form: Json, kind: str) -> web.StreamResponse:
        """A file: its field names the part of the form that has the bytes (attach://)."""
        chat, caption = int(form["chat_id"]), str(form.get("caption", ""))
        part = form.get(str(form.get(kind, "")).removeprefix("attach://"))
        if chat in self.blocked:
            return _error(403, "Forbidden: bot was blocked by the user")
        if not isinstance(part, web.FileField):
            return _error(400, f"Bad Request: there is no {kind} in the request")
        data = part.file.read()
        if not data:
            return _error(400, "Bad Request: file must be non-empty")
        if len(data) > UPLOAD_BYTES:
            return _error(413, "Request Entity Too Large")
        if kind == "photo" and len(data) > PHOTO_BYTES:
            return _error(400, "Bad Request: file is too big for a photo")
        if kind == "photo" and not data.startswith(PICTURES):
            return _error(400, "Bad Request: IMAGE_PROCESS_FAILED")
        if len(caption) > 1024:
            return _error(400, "Bad Request: message caption is too long")
        if chat < 0:
            return self._post(form, kind=kind, file=data)
        if self._too_fast():
            return _too_many(1)
        kept = self.keeps(data, f"{kind}s/{part.filename}")
        shown = [{**kept, "width": 9, "height": 9}] if kind == "photo" else {**kept, "file_name": part.filename}
        sent = Sent(
            chat, next(self._ids), caption, form.get("reply_markup") or {}, kind=kind, name=part.filename, data=data
        )
        return self._accept(sent, caption=caption, **{kind: shown})

    async def _sendVoice(self, form: Json) -> web.StreamResponse:
        return self._take_file(form, "voice")

    async def _editMessageReplyMarkup(self, form: Json) -> web.StreamResponse:
        chat, number = int(form["chat_id"]), int(form["message_id"])
        found = [one for one in self.sent if (one.chat, one.message_id) == (chat, number)]
        if not found:
            return _error(400, "Bad Request: message to edit not found")
        markup = form.get("reply_markup") or {}
        if markup == found[0].markup:
            return _error(400, "Bad Request: message is not modified")
        found[0].markup = markup
        return _ok({"message_id": number, "date": int(time.time()), "chat": {"id": chat, "type": "private"}})

    async def _answerCallbackQuery(self, form: Json) -> web.StreamResponse:
        press = str(form["callback_query_id"])
        if press not in self._presses:
            return _error(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self._presses.discard(press)
        self.answered.append(press)
        self.toasts[press] = str(form.get("text", ""))
        return _ok(True)

    def _too_fast(self) -> bool:
        now = time.monotonic()
        while self._sent_at and self._sent_at[0] <= now - 1:
            self._sent_at.popleft()
        if self.most_per_second is not None and len(self._sent_at) >= self.most_per_second:
            return True
        self._sent_at.append(now)
        return False

    async def _sendChatAction(self, form: Json) -> web.StreamResponse:
        chat = int(form["chat_id"])
        if chat in self.blocked:
            return _error(403, "Forbidden: bot was blocked by the user")
        self.actions.append((chat, str(form["action"])))
        return _ok(True)

    # files
    async def _getFile(self, form: Json) -> web.StreamResponse:
        file_id = str(form["file_id"])
        if not file_id.startswith("file-"):
            return _error(400, "Bad Request: invalid file_id")
        if file_id not in self._files:
            return _error(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        path, _, size = self._files[file_id]
        if size > DOWNLOAD_BYTES:
            return _error(400, "Bad Request: file is too big")
        return _ok({"file_id": file_id, "file_unique_id": file_id[::-1], "file_size": size, "file_path": path})

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self.calls.append("file")
        found = [content for path, content, _ in self._files.values() if path == request.match_info["path"]]
        if request.match_info["token"] != self.token or not found:
            return _error(404, "Not Found")

        async def answer() -> web.StreamResponse:
            return web.Response(body=found[-1], content_type="application/octet-stream")

        return await self.faults.answer("file", request, answer)

    # what the bot says of itself
    async def _setMyCommands(self, form: Json) -> web.StreamResponse:
        for one in form["commands"]:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", one["command"]):
                return _error(400, "Bad Request: BOT_COMMAND_INVALID")
            if not 1 <= len(one["description"]) <= 256:
                return _error(400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
        if scope := form.get("scope"):
            self.groups[int(scope["chat_id"])].menu = form["commands"]
        else:
            self.commands = form["commands"]
        return _ok(True)

    async def _getMyCommands(self, form: Json) -> web.StreamResponse:
        scope = form.get("scope")
        return _ok(self.groups[int(scope["chat_id"])].menu if scope else self.commands)

    async def _setMyDescription(self, form: Json) -> web.StreamResponse:
        text = str(form.get("description", ""))
        if len(text) > 512:
            return _error(400, "Bad Request: BOT_DESCRIPTION_TOO_LONG")
        self.description = text
        return _ok(True)

    async def _getMyDescription(self, form: Json) -> web.StreamResponse:
        return _ok({"description": self.description})

    async def _setMyShortDescription(self, form: Json) -> web.StreamResponse:
        text = str(form.get("short_description", ""))
        if len(text) > 120:
            return _error(400, "Bad Request: BOT_SHORT_DESCRIPTION_TOO_LONG")
        self.short_description = text
        return _ok(True)

    async def _getMyShortDescription(self, form: Json) -> web.StreamResponse:
        return _ok({"short_description": self.short_description})

    async def _getMe(self, form: Json) -> web.StreamResponse:
        return _ok({"id": 1000, "is_bot": True, "first_name": "bot", "username": "stand_in_bot"})

    # the webhook
    async def _setWebhook(self, form: Json) -> web.StreamResponse:
        url, secret = str(form.get("url", "")), str(form.get("secret_token", ""))
        connections = int(form.get("max_connections") or 40)
        if not re.match(r"https?://[^/]+", url):
            return _error(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
            return _error(400, "Bad Request: secret token contains unallowed characters")
        if not 1 <= connections <= 100:
            return _error(400, "Bad Request: max_connections must be between 1 and 100")
        if form.get("drop_pending_updates") == "true":
            self._updates.clear()
        await self.hook.stop()
        self.webhook = url
        self._poll += 1
        self._wake()  # ends a getUpdates that waits
        self.hook.start(url, secret=secret, allowed=form.get("allowed_updates") or [], connections=connections)
        for update in self._updates:
            self.hook.offer(update)
        return _ok(True)

    async def _getWebhookInfo(self, form: Json) -> web.StreamResponse:
        told: Json = {"url": self.webhook, "has_custom_certificate": False, "pending_update_count": len(self._updates)}
        if self.hook.url and self.hook.url == self.webhook:
            told |= self.hook.info()
        return _ok(told)

    async def _deleteWebhook(self, form: Json) -> web.StreamResponse:
        await self.hook.stop()
        self.webhook = ""
        if form.get("drop_pending_updates") == "true":
            self._updates.clear()
        return _ok(True)


def too_many(retry_after: int) -> Fault:
    """429 with the seconds to wait."""
    return says(_patience(retry_after), 429)


def refuses(code: int, description: str) -> Fault:
    """An error of the API."""
    return says({"ok": False, "error_code": code, "description": description}, code)


def odd_shape() -> Fault:
    """The call is done, and answered in a shape that no client knows yet."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = await answer()
        assert isinstance(response, web.Response)
        body = json.loads(response.text or "{}")
        body["result"]["chat"] = "hologram"
        return web.json_response(body)

    return fault


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _error(code: int, description: str) -> web.Response:
    return web.json_response({"ok": False, "error_code": code, "description": description}, status=code)


def _patience(seconds: int) -> Json:
    told = {"ok": False, "error_code": 429, "description": f"Too Many Requests: retry after {seconds}"}
    return {**told, "parameters": {"retry_after": seconds}}


def _too_many(seconds: int) -> web.Response:
    return web.json_response(_patience(seconds), status=429)


def _value(text: str) -> Any:
    """A field of a form: objects and lists come as JSON."""
    return json.loads(text) if text[:1] in ("{", "[") else text
