"""VK's Bots Long Poll: a log of events that is read from a stored place on.

VkBotLongPoll moves its `ts` before the events are handled and forgets it at a restart (design, T1); here `ts` moves, and
is stored, only after `receive` has returned for all of an answer's events.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx

from bot import signs
from bot.channels import Receive
from bot.channels.polling import Pause, insist
from bot.channels.vk_calls import VERSION
from bot.channels.vk_catchup import CatchUp
from bot.channels.vk_community import Community
from bot.channels.vk_events import KINDS
from bot.errors import DeliveryFailed

log = logging.getLogger(__name__)

SESSION_SECONDS = 6 * 3600.0
# a long-poll session is renewed so often: old ones have been seen to lose presses without a word


@dataclass(slots=True)
class _Session:
    """Where to ask for news, and from when."""

    url: str
    key: str
    ts: str
    made: float
    # time.monotonic


class LongPoll:
    """Reads the log, and the dialogues where the log is no longer complete."""

    def __init__(self, community: Community, catch_up: CatchUp, *, poll_seconds: int, call_seconds: float) -> None:
        self._community, self._catch_up = community, catch_up
        self._poll_seconds, self._call_seconds = poll_seconds, call_seconds

    async def run(self, receive: Receive) -> None:
        """Fetch, hand over, move `ts`; until cancelled, or ChannelStopped when the token is refused."""
        pause = self._community.pause()
        group = await self._community.persist("groups.getById", self._community.id, pause)
        key = f"vk:{group}"
        await self._switch_on(group)
        stored = await insist(lambda: self._community.offsets.load(key), pause=pause)
        lost = await self._catch_up.silent()
        session: _Session | None = None
        async with httpx.AsyncClient(timeout=self._poll_seconds + self._call_seconds, trust_env=False) as http:
            while True:
                if session is None or session.made + SESSION_SECONDS < time.monotonic():
                    session = await self._community.persist("groups.getLongPollServer", self._session, pause)
                    session.ts = stored or session.ts
                if lost:
                    await self._catch_up.run(receive)
                if lost or stored != session.ts:
                    # events from here on follow what is stored; at the first start, nothing is missed from now on
                    stored, lost = await self._save(key, session.ts, pause), False
                begun = self._community.now()
                try:
                    answer = await self._ask(http, session)
                except (httpx.HTTPError, ValueError) as error:
                    log.warning("vk_fetch_failed", extra={"error": type(error).__name__})
                    await pause.wait()
                    if not isinstance(error, httpx.TimeoutException):
                        session = None  # the server may have moved
                    continue
                signs.good(signs.CHANNEL, "vk")
                match answer.get("failed"):
                    case None:
                        pause.reset()
                        await self._take(answer["updates"], receive, pause)
                        session.ts = str(answer["ts"])
                        if session.ts != stored:
                            stored = await self._save(key, session.ts, pause)
                        await self._catch_up.note(begun)
                    case 1:
                        log.warning("vk_history_lost", extra={"ts": session.ts})
                        session.ts, lost = str(answer["ts"]), True
                    case failed:  # 2: the key has run out; 3: all of it is lost
                        if failed != 2:
                            log.warning("vk_history_lost", extra={"ts": session.ts})
                            stored, lost = None, True
                        session = None
                        await pause.wait()

    async def _switch_on(self, group: int) -> None:
        """Ask VK for the events that we need. A community that forbids us to has them set by hand."""
        values = {"group_id": group, "enabled": 1, "api_version": VERSION, **dict.fromkeys(KINDS, 1)}
        with suppress(DeliveryFailed):
            await self._community.call("groups.setLongPollSettings", values)

    async def _session(self) -> _Session:
        answer = await self._community.call("groups.getLongPollServer", {"group_id": self._community.group})
        return _Session(url=str(answer["server"]), key=str(answer["key"]), ts=str(answer["ts"]), made=time.monotonic())

    async def _save(self, key: str, ts: str, pause: Pause) -> str:
        await insist(lambda: self._community.offsets.save(key, ts), pause=pause)
        return ts

    async def _take(self, events: list[Any], receive: Receive, pause: Pause) -> None:
        for event in events:
            update = self._community.read(event)
            if update is not None:
                await self._community.take(update, receive, pause)

    async def _ask(self, http: httpx.AsyncClient, session: _Session) -> dict[str, Any]:
        """Wait for news. ValueError when the answer is none of VK's."""
        query = {"act": "a_check", "key": session.key, "ts": session.ts, "wait": str(self._poll_seconds)}
        response = await http.get(session.url, params=query)
        response.raise_for_status()
        answer = response.json()
        if not isinstance(answer, dict) or not ("failed" in answer or ("ts" in answer and "updates" in answer)):
            raise ValueError("This is no answer of a long-poll server.")
        return answer
