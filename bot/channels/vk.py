"""VK: the channel of a community, by its token. Events come by the Callback API or by Long Poll, calls go through vk_api."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime

from bot.channels import Channel, HookAnswer, OffsetStore, Outgoing, Receive
from bot.channels.commands import Commands
from bot.channels.polling import Pause
from bot.channels.vk_callback import Callback
from bot.channels.vk_calls import VkCalls
from bot.channels.vk_catchup import CatchUp
from bot.channels.vk_community import Community
from bot.channels.vk_keyboard import keyboard, numbered, with_list
from bot.channels.vk_media import fetch
from bot.channels.vk_names import Names
from bot.channels.vk_poll import LongPoll
from bot.channels.vk_sending import uploaded
from bot.errors import DeliveryFailed, Rejected, RetryLater

log = logging.getLogger(__name__)

BASE = "https://api.vk.ru"
POLL_SECONDS = 25
# how long VK may keep an empty answer open; 90 at most
CALL_SECONDS = 10.0
# how long any other call may take
WATCH_SECONDS = 60.0
# how often is looked whether VK still calls our server
SENDERS, ASKERS, ORNAMENTS = 8, 4, 2
# so many calls at the same time: messages; what receiving needs; names and typing, which nothing may wait for
TYPING_SECONDS = 3.0
NEEDED = frozenset({"messages", "manage", "photos", "docs"})
# rights of the token; the last two for the files of agents


class VkChannel(Channel):
    """The VK community of one token."""

    name = "vk"
    repeats_safely = True
    # by random_id

    def __init__(
        self,
        token: str,
        offsets: OffsetStore,
        *,
        api_base: str = BASE,
        group: int | None = None,
        commands: Mapping[str, str] | None = None,
        deep_links: Mapping[str, str] | None = None,
        public_url: str | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        poll_seconds: int = POLL_SECONDS,
        call_seconds: float = CALL_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
        pause: Callable[[], Pause] = Pause,
    ) -> None:
        """Make the channel.

        group: the community's id; None asks VK whose token it is
        commands: payload's command ("start": the button of an empty chat) -> the words that it stands for
        deep_links: name of a link's parameter (`ref=order_48213`: order) -> its words, with {} for what follows it
        public_url: under it VK reaches us (/hooks/vk); None: events are fetched by Long Poll
        """
        self._api_base, self._call_seconds, self._offsets = api_base, call_seconds, offsets
        self._send = VkCalls(token, api_base=api_base, seconds=call_seconds, clients=SENDERS)
        self._ask = VkCalls(token, api_base=api_base, seconds=call_seconds, clients=ASKERS)
        self._adorn = VkCalls(token, api_base=api_base, seconds=call_seconds, clients=ORNAMENTS, per_second=5.0)
        self._names = Names(self._adorn, now=now)
        read = Commands(commands or {}, deep_links or {})
        community = Community(self._ask, self._names, offsets, group=group, commands=read, now=now, pause=pause)
        catch_up = CatchUp(community)
        self._by_url = public_url is not None
        self._callback = Callback(token, community, catch_up, url=public_url or "", watch=watch_seconds)
        self._poll = LongPoll(community, catch_up, poll_seconds=poll_seconds, call_seconds=call_seconds)
        self._salt: int | None = None

    async def about(self) -> str:
        """Whose token it is, and which of the rights that we need it lacks."""
        community = await self._ask("groups.getById", {})
        rights = await self._ask("groups.getTokenPermissions", {})
        try:
            [group] = community["groups"]
            missing = NEEDED - {one["name"] for one in rights["permissions"]}
            told = f"«{group['name']}» (vk.com/{group['screen_name']})"
        except (LookupError, TypeError, ValueError) as error:
            raise RetryLater("VK does not say whose token it is.", after=5.0) from error
        return told + (f", the token lacks: {', '.join(sorted(missing))}" if missing else "")

    async def close(self) -> None:
        """Close the connections."""
        self._names.close()
        for calls in (self._send, self._ask, self._adorn):
            calls.close()

    # ---------------------------------------------------------------------------------------------- receiving
    async def run(self, receive: Receive) -> None:
        """Receive until cancelled, or ChannelStopped when the token is refused."""
        if self._by_url:
            await self._callback.run(receive)
        else:
            await self._callback.unregister()
            await self._poll.run(receive)

    async def hook(self, headers: Mapping[str, str], body: bytes, receive: Receive) -> HookAnswer:
        """Take a call of VK's Callback API."""
        return await self._callback.hook(body, receive) if self._by_url else HookAnswer(404, "not found")

    def fetch(self, ref: str) -> AsyncIterator[bytes]:
        """The bytes of an attachment, from VK's own servers only."""
        return fetch(ref, api_base=self._api_base, seconds=self._call_seconds)

    # ---------------------------------------------------------------------------------------------- sending
    async def send(self, message: Outgoing) -> str:
        """Send a message and return VK's id of it.

        Whatever happens, the same message may be sent again: VK shows the same `random_id` once.
        """
        text = with_list(message)
        if not text.strip() and message.file is None:
            raise Rejected("VK takes no empty text.")
        values = {"peer_id": message.chat, "message": text, "random_id": await self._random_id(message.id)}
        if message.file is not None:
            values["attachment"] = await uploaded(self._send, message.chat, message.file, api_base=self._api_base)
        if (buttons := keyboard(message)) is not None:
            values["keyboard"] = json.dumps(buttons, ensure_ascii=False)
        return str(await self._send("messages.send", values, sending=True))

    def numbers(self, message: Outgoing) -> bool:
        """Whether the buttons are sent as a numbered list."""
        return numbered(message)

    async def withdraw(self, message: Outgoing, sent: str) -> None:
        """Take the buttons away from a message that was sent: VK shows it as edited then. It allows that for a day."""
        # without a keyboard, and without the list that stood for one
        values = {"peer_id": message.chat, "message_id": sent, "message": message.text, "dont_parse_links": 1}
        try:
            await self._adorn("messages.edit", values)
        except DeliveryFailed as error:
            log.info("vk_buttons_stay", extra={"line": message.id, "error": type(error).__name__})

    async def typing(self, chat: str) -> None:
        """Show the customer that an answer is being made; VK shows it for ten seconds."""
        with suppress(DeliveryFailed, TimeoutError):
            async with asyncio.timeout(TYPING_SECONDS):
                await self._adorn("messages.setActivity", {"peer_id": chat, "type": "typing"})

    async def _random_id(self, message: int) -> int:
        """VK's idempotency key of a message: int32, not 0.

        VK remembers keys for longer than a database may live; the installation's own salt keeps the messages of a new
        database from being taken for repetitions of an old one's.
        """
        if self._salt is None:
            self._salt = int(await self._offsets.settle("vk:salt", str(secrets.randbits(31))))
        return (message ^ self._salt) % (2**31 - 1) + 1
