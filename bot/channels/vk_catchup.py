"""What customers wrote while nobody listened: read from VK's dialogues when its events of that time are lost.

A message has the same `external_id` here and in an event, so it is taken once, whichever comes first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.channels import Incoming, Kind, Receive
from bot.channels.polling import insist
from bot.channels.vk_community import Community
from bot.channels.vk_events import changed, said
from bot.errors import ChannelStopped, DeliveryFailed, RetryLater

log = logging.getLogger(__name__)

PAGE = 200
"""Dialogues, and messages, of one answer: VK gives no more."""
OVERLAP = timedelta(minutes=3)
"""So much before the last sign of life is read again: clocks differ, and a message may have been on its way."""
LONGEST = timedelta(days=14)
"""Older messages are let go: receipts, by which a repetition is known, are not kept for ever."""
KEPT = timedelta(minutes=30)
"""After so long a silence VK's events are not trusted to be complete: VK does not say how long it keeps them."""
NOTE_EVERY = timedelta(minutes=1)


class CatchUp:
    """Remembers up to when everything is stored, and reads what came after."""

    def __init__(self, community: Community, *, every: float = 0.1) -> None:
        """`every`: seconds from call to call; VK allows 20 calls a second in all."""
        self._community, self._every = community, every
        self._noted: datetime | None = None
        self._seen: dict[str, Any] = {}
        # chat -> the last message in it when it was read

    async def note(self, moment: datetime) -> None:
        """Remember that all that was written before is stored."""
        if self._noted is None or moment - self._noted >= NOTE_EVERY:
            pause, offsets = self._community.pause(), self._community.offsets
            await insist(lambda: offsets.save(self._key, moment.isoformat()), pause=pause)
            self._noted = moment

    async def since(self) -> datetime | None:
        """Up to when everything is stored; None before the first start."""
        offsets = self._community.offsets
        stored = await insist(lambda: offsets.load(self._key), pause=self._community.pause())
        return datetime.fromisoformat(stored) if stored else None

    async def silent(self) -> bool:
        """Whether nobody has listened for so long that VK's events may be lost. The first start is no silence."""
        since = await self.since()
        return since is not None and self._community.now() - since > KEPT

    @property
    def _key(self) -> str:
        return f"vk:{self._community.group}:listened"

    async def run(self, receive: Receive, *, unanswered: bool = False) -> None:
        """Take all that customers wrote since the last sign of life, each dialogue from the oldest message on.

        unanswered: only dialogues whose last word is the customer's and that were not read before

        What VK refuses to show is left out; only ChannelStopped, for a token that is refused, stops it.
        """
        since = await self.since()
        if since is None:
            return
        since = max(since - OVERLAP, self._community.now() - LONGEST)
        dialogues = count = 0
        try:
            async for chat, last in self._dialogues(since):
                if unanswered and (last.get("out") or self._seen.get(chat) == last.get("id")):
                    continue
                dialogues += 1
                for update in await self._missed(chat, since):
                    await self._community.take(update, receive, self._community.pause())
                    count += 1
                self._seen[chat] = last.get("id")
        except DeliveryFailed as error:
            if isinstance(error, ChannelStopped):
                raise
            log.error("vk_catch_up_failed", extra={"why": str(error)})
        if len(self._seen) > PAGE * 100:
            self._seen.clear()
        log.info("vk_caught_up", extra={"since": since.isoformat(), "dialogues": dialogues, "lines": count})

    async def _dialogues(self, since: datetime) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """The chats in which something was written since then, each with its last message."""
        offset, met = 0, set()
        while True:
            answer = await self._ask("messages.getConversations", {"filter": "all", "count": PAGE, "offset": offset})
            items = answer.get("items") or []
            fresh = 0
            for item in items:
                last, peer = item.get("last_message") or {}, item["conversation"]["peer"]
                if not last or _at(last) < since:
                    continue
                fresh += 1
                if peer.get("type", "user") == "user" and peer["id"] not in met:
                    met.add(peer["id"])
                    yield str(peer["id"]), last
            offset += len(items)
            if not fresh or len(items) < PAGE:  # the newest come first
                return

    async def _missed(self, chat: str, since: datetime) -> list[Incoming]:
        """What the customer wrote since then, oldest first; nothing before a person's answer in VK's own inbox."""
        messages: dict[int, Mapping[str, Any]] = {}
        offset = 0
        try:
            while True:
                values = {"peer_id": chat, "count": PAGE, "offset": offset}
                page = (await self._ask("messages.getHistory", values)).get("items") or []
                messages.update({int(one["id"]): one for one in page})
                offset += len(page)
                if len(page) < PAGE or _at(page[-1]) < since:
                    break
        except DeliveryFailed as error:
            if isinstance(error, ChannelStopped):
                raise
            log.warning("vk_dialogue_not_shown", extra={"why": str(error)})
        found: list[Incoming] = []
        for _, message in sorted(messages.items()):
            if message.get("out") and message.get("admin_author_id"):
                found.clear()
            elif _at(message) >= since and not message.get("out"):
                found += self._read(message)
        return found

    def _read(self, message: Mapping[str, Any]) -> list[Incoming]:
        group, commands = self._community.group or 0, self._community.commands
        try:
            updates = [said(message, group, commands=commands), changed(message, group)]
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("vk_message_unreadable", extra={"error": type(error).__name__})
            return []
        return [one for one in updates if one is not None and one.kind is not Kind.OTHER]

    async def _ask(self, method: str, values: Mapping[str, Any]) -> dict[str, Any]:
        pause = self._community.pause()
        while True:
            await asyncio.sleep(self._every)
            try:
                answer = await self._community.call(method, values)
            except RetryLater as error:
                log.warning("vk_call_failed", extra={"method": method, "why": str(error)})
                await pause.wait(error.after)
                continue
            return answer if isinstance(answer, dict) else {}


def _at(message: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(int(message.get("date") or 0), UTC)
