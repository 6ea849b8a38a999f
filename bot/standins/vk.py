"""A stand-in for VK: the API's methods, a Bots Long Poll server and the Callback API, as documented, over HTTP on loopback.

    async with VkServer() as vk:
        VkChannel(vk.token, offsets, api_base=vk.url)
        vk.writes(42, "where is my order")     vk.presses(vk.sent[-1], "Yes")

What it keeps to: errors come with status 200; a `random_id` seen before in a dialogue sends nothing and gives the same
id; keyboards have their limits; the event log is read by any `ts` (nothing is confirmed), an outdated one gives failed 1,
an old key failed 2, an unknown `ts` failed 3; servers of the Callback API are confirmed and told (`callbacks`); dialogues
keep their history; files go to an upload server, are saved and then attached (`uploads`). `faults` makes its next calls go wrong.
"""

from __future__ import annotations

import itertools
import json
import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.standins.faults import Fault, says
from bot.standins.loopback import LoopbackServer
from bot.standins.vk_callbacks import LIMIT, Callbacks
from bot.standins.vk_uploads import Refused as Refused
from bot.standins.vk_uploads import Uploaded, Uploads

Json = dict[str, Any]
GROUP = 55


@dataclass
class Sent:
    """A message that the community sent."""

    peer: int
    message_id: int
    text: str
    random_id: int
    keyboard: Json = field(default_factory=dict)
    uploaded: Uploaded | None = None

    @property
    def buttons(self) -> list[str]:
        """Labels of the buttons under the message."""
        return [button["action"]["label"] for row in self.keyboard.get("buttons", []) for button in row]


class VkServer(LoopbackServer):
    """The server, and the hands of its customers."""

    token = "vk1.a.stand-in-token"

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Sent] = []
        self.answered: list[str] = []
        # event ids of presses that were answered
        self.denied: set[int] = set()
        self.typing: list[int] = []
        self.rights = {"messages", "manage", "photos", "docs"}
        # of the token
        # chats in which "is typing" was shown
        self.callbacks = Callbacks(GROUP)
        self.uploads = Uploads(GROUP)
        # files that the community sends
        self.dialogues: dict[int, list[Json]] = defaultdict(list)
        # all messages of each dialogue, oldest first
        self.app: Json = {
            "button_actions": ["text", "callback", "open_link"],
            "inline_keyboard": True,
            "keyboard": True,
        }
        # what customers' apps can show
        self._files: dict[str, bytes | str] = {}
        self._keys: dict[tuple[int, int], Sent] = {}
        # chat and random_id of what was sent
        self._log: list[Json] = []
        self._forgotten = 0
        # so many events of the log's beginning are gone
        self._ids, self._events = itertools.count(1), itertools.count(1)
        self._key = "key-1"
        self._presses: set[str] = set()

    def routes(self, app: web.Application) -> None:
        """Say what is served."""
        app.router.add_post("/method/{method}", self._call)
        app.router.add_get("/poll", self._check)
        app.router.add_get("/files/{name}", self._file)
        app.router.add_post("/upload/{kind}", self._upload)

    async def __aexit__(self, *error: object) -> None:
        await self.callbacks.close()
        await super().__aexit__(*error)

    # ---------------------------------------------------------------------------------------------- customers
    def event(self, kind: str, content: Json) -> str:
        """Add an event of any kind; return its id."""
        event_id = f"event-{next(self._events)}"
        self._tell({"group_id": GROUP, "type": kind, "event_id": event_id, "v": "5.199", "object": content})
        return event_id

    def _tell(self, event: Json) -> None:
        self._log.append(event)
        self._wake()
        content = event["object"]
        self.callbacks.tell(event, content.get("message", content).get("peer_id") or content.get("user_id"))

    def again(self) -> None:
        """Offer the last event once more."""
        self._tell(self._log[-1])

    def message(self, peer: int, text: str = "", **content: Any) -> Json:
        """A message of a dialogue, by the customer unless `content` says otherwise; it stands in the dialogue's history."""
        message = {
            "id": next(self._ids), "conversation_message_id": len(self.dialogues[peer]) + 1, "date": int(time.time()),
            "peer_id": peer, "from_id": peer, "out": 0, "text": text, "attachments": [], "fwd_messages": [], **content,
        }  # fmt: skip
        self.dialogues[peer].append(message)
        return message

    def writes(self, peer: int, text: str = "", **content: Any) -> Json:
        """A customer sends a message."""
        message = self.message(peer, text, **content)
        self.event("message_new", {"message": message, "client_info": self.app})
        return message

    def replies(self, peer: int, text: str) -> None:
        """A person of the community answers in VK's own inbox."""
        message = self.message(peer, text, from_id=-GROUP, out=1, admin_author_id=7)
        self.event("message_reply", message)

    def file(self, name: str, content: bytes | str) -> str:
        """Keep a file, or an address to send on to; return its address."""
        self._files[name] = content
        return f"{self.url}/files/{name}"

    def edits(self, message: Json, text: str) -> None:
        """A customer changes a message."""
        message |= {"text": text, "update_time": int(time.time())}
        self.event("message_edit", dict(message))

    def presses(self, sent: Sent, label: str, *, as_text: bool = False) -> str:
        """A customer presses a button under a message; return the id that the answer needs.

        `as_text`: VK hands the payload over as text (it does both).
        """
        buttons = [button["action"] for row in sent.keyboard["buttons"] for button in row]
        data = next(action["payload"] for action in buttons if action["label"] == label)
        press = f"press-{next(self._events)}"
        self._presses.add(press)
        payload = data if as_text else json.loads(data)
        content = {"user_id": sent.peer, "peer_id": sent.peer, "event_id": press, "payload": payload}
        number = next(one for one in self.dialogues[sent.peer] if one["id"] == sent.message_id)
        self.event("message_event", {**content, "conversation_message_id": number["conversation_message_id"]})
        return press

    def types(self, peer: int, state: str = "typing") -> None:
        """A customer is writing a message, or recording one (audiomessage)."""
        self.event("message_typing_state", {"state": state, "from_id": peer, "to_id": -GROUP})

    def denies(self, peer: int, *, denied: bool = True) -> None:
        """A customer forbids messages, or allows them."""
        self.denied = self.denied | {peer} if denied else self.denied - {peer}
        self.event("message_deny" if denied else "message_allow", {"user_id": peer, "key": ""})

    def expire_key(self) -> None:
        """The long-poll key runs out: failed 2."""
        self._key = f"key-{next(self._ids)}"
        self._wake()

    def forget(self, events: int) -> None:
        """Lose the beginning of the log: failed 1 for who has not read it."""
        self._forgotten = events

    # ---------------------------------------------------------------------------------------------- long poll
    async def _check(self, request: web.Request) -> web.StreamResponse:
        self.calls.append("a_check")

        async def answer() -> web.StreamResponse:
            return web.json_response(await self._news_after(request.query))

        return await self.faults.answer("a_check", request, answer)

    async def _news_after(self, query: Any) -> Json:
        ts, deadline = int(query["ts"]), time.monotonic() + float(query["wait"])
        while True:
            if query["key"] != self._key:
                return {"failed": 2}
            if ts > len(self._log):
                return {"failed": 3}
            if ts < self._forgotten:
                return {"failed": 1, "ts": str(self._forgotten)}
            left = deadline - time.monotonic()
            if ts < len(self._log) or left <= 0:
                return {"ts": str(len(self._log)), "updates": self._log[ts:]}
            await self._wait_for_news(left)

    # ---------------------------------------------------------------------------------------------- the API
    async def _call(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        form = {name: str(value) for name, value in (await request.post()).items()}

        async def answer() -> web.StreamResponse:
            try:
                return web.json_response({"response": self._do(method, form)})
            except Refused as error:
                return web.json_response(_refusal(error.code, str(error)))

        return await self.faults.answer(method, request, answer)

    def _do(self, method: str, form: Json) -> Any:
        if form.get("access_token") != self.token or self.refuses_token:
            raise Refused(5, "User authorization failed: invalid access_token")
        if form.get("v") != "5.199":
            raise Refused(8, "Invalid request: versions below 5.199 are not known here")
        match method:
            case "groups.getById":
                return {"groups": [{"id": GROUP, "name": "Лавка", "screen_name": "lavka"}], "profiles": []}
            case "groups.getTokenPermissions":
                return {"mask": 0, "permissions": [{"name": name, "setting": 0} for name in sorted(self.rights)]}
            case "groups.getLongPollServer":
                return {"key": self._key, "server": f"{self.url}/poll", "ts": str(len(self._log))}
            case "users.get":
                ids = form["user_ids"].split(",")
                return [{"id": int(one), "first_name": "Мария", "last_name": f"№{one}"} for one in ids]
            case "messages.send":
                return self._send(form)
            case "messages.edit":
                return self._edit(form)
            case "messages.setActivity":
                self.typing.append(int(form["peer_id"]))
                return 1
            case "messages.getConversations":
                return self._conversations(form)
            case "messages.getHistory":
                items = self.dialogues[int(form["peer_id"])][::-1]
                return {"count": len(items), "items": _page(items, form)}
            case "groups.setLongPollSettings":
                return 1
            case "messages.sendMessageEventAnswer":
                if form["event_id"] not in self._presses:
                    raise Refused(100, "One of the parameters specified was missing or invalid: event_id is invalid")
                self._presses.discard(form["event_id"])
                self.answered.append(form["event_id"])
                return 1
        if method.startswith(("photos.", "docs.")):
            return self.uploads.call(method, form, url=self.url, rights=self.rights)
        return self._of_servers(method, form)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        kind = request.match_info["kind"]
        self.calls.append(f"upload {kind}")

        async def answer() -> web.StreamResponse:
            return web.json_response(self.uploads.take(kind, await request.post()))

        return await self.faults.answer(f"upload {kind}", request, answer)

    def _conversations(self, form: Json) -> Json:
        items = []
        for peer, messages in self.dialogues.items():
            if messages:
                unanswered = not messages[-1]["out"]
                kind = "user" if peer < 2_000_000_000 else "chat"
                conversation = {"peer": {"id": peer, "type": kind, "local_id": peer}, "unanswered": unanswered}
                items.append({"conversation": conversation, "last_message": messages[-1]})
        if form.get("filter") == "unanswered":
            items = [one for one in items if one["conversation"]["unanswered"]]
        items.sort(key=lambda one: one["last_message"]["id"], reverse=True)
        return {"count": len(items), "items": _page(items, form)}

    def _of_servers(self, method: str, form: Json) -> Any:
        """The methods about servers of the Callback API."""
        if method.startswith("groups.") and form.get("group_id") != str(GROUP):
            raise Refused(15, "Access denied: group is not yours")
        servers, number = self.callbacks.servers, int(form.get("server_id") or 0)
        if number and number not in servers:
            raise Refused(104, "Not found")
        address = (form.get("url", ""), form.get("title", ""), form.get("secret_key", ""))
        if "url" in form and (len(address[1]) > 14 or len(address[2]) > 50 or not address[0].startswith("http")):
            raise Refused(100, "One of the parameters specified was missing or invalid")
        match method:
            case "groups.getCallbackServers":
                return {"count": len(servers), "items": [one.shown() for one in servers.values()]}
            case "groups.addCallbackServer":
                if len(servers) >= LIMIT:
                    raise Refused(2000, "Servers number limit is reached")
                return {"server_id": self.callbacks.add(*address)}
            case "groups.editCallbackServer":
                self.callbacks.edit(number, *address)
                return 1
            case "groups.deleteCallbackServer":
                del servers[number]
                return 1
            case "groups.getCallbackConfirmationCode":
                return {"code": self.callbacks.code}
            case "groups.setCallbackSettings":
                if form.get("api_version") != "5.199":
                    raise Refused(100, "api_version is invalid")
                servers[number].kinds = {
                    name for name, value in form.items() if value == "1" and not name.endswith("_id")
                }
                return 1
        raise Refused(3, "Unknown method passed")

    def _send(self, form: Json) -> int:
        peer, text, random_id = int(form["peer_id"]), form.get("message", ""), int(form["random_id"])
        keyboard = json.loads(form["keyboard"]) if form.get("keyboard") else {}
        if peer in self.denied:
            raise Refused(901, "Can't send messages for users without permission")
        uploaded = self.uploads.named(form.get("attachment", ""))
        if not (text or uploaded) or len(text) > 9000:
            raise Refused(914 if text else 100, "Message is too long" if text else "message is empty")
        if not -(2**31) <= random_id < 2**31:
            raise Refused(100, "random_id should be int32")
        _check_keyboard(keyboard)
        if random_id:
            before = self._keys.get((peer, random_id))
            if before is not None:
                return before.message_id
        message = self.message(peer, text, from_id=-GROUP, out=1, random_id=random_id)
        sent = Sent(peer, message["id"], text, random_id, keyboard, uploaded)
        self.sent.append(sent)
        self._keys[peer, random_id] = sent
        return sent.message_id

    def _edit(self, form: Json) -> int:
        found = [one for one in self.sent if str(one.message_id) == form.get("message_id")]
        if not found or str(found[0].peer) != form["peer_id"]:
            raise Refused(100, "One of the parameters specified was missing or invalid: message_id is invalid")
        if not form.get("message") and not form.get("attachment"):
            raise Refused(100, "One of the parameters specified was missing or invalid: message is empty")
        keyboard = json.loads(form["keyboard"]) if form.get("keyboard") else {}
        _check_keyboard(keyboard)
        found[0].text, found[0].keyboard = form.get("message", ""), keyboard  # what is not given again is gone
        return 1

    async def _file(self, request: web.Request) -> web.StreamResponse:
        found = self._files.get(request.match_info["name"])
        if isinstance(found, str):
            raise web.HTTPFound(found)
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found)


def _page(items: list[Any], form: Json) -> list[Any]:
    offset, count = int(form.get("offset") or 0), int(form.get("count") or 20)
    if not 0 < count <= 200:
        raise Refused(100, "count should be from 1 to 200")
    return items[offset : offset + count]


def _check_keyboard(keyboard: Json) -> None:
    rows = keyboard.get("buttons", [])
    buttons = [button["action"] for row in rows for button in row]
    fits = len(rows) <= 6 and len(buttons) <= 10 and all(len(row) <= 5 for row in rows)
    fits = fits and all(1 <= len(action["label"]) <= 40 and len(action["payload"]) <= 255 for action in buttons)
    if not fits or (buttons and not keyboard.get("inline")):
        raise Refused(911, "Keyboard format is invalid")


def refuses(code: int) -> Fault:
    """An error of the API; nothing is done."""
    return says(_refusal(code, "refused"))


def _refusal(code: int, text: str) -> Json:
    extra = {"captcha_sid": "1", "captcha_img": "http://127.0.0.1/captcha"} if code == 14 else {}
    return {"error": {"error_code": code, "error_msg": text, "request_params": [], **extra}}
