"""Sending: the events of a conversation's requests go to the outside system in order, each until it is taken or given up.

Taken is what is answered with 2xx. The receiver may get an event twice (when its answer is lost) and knows it by its id.
What it does not take is tried again after 5 s, 15 s, 45 s … at most an hour, for three days; what comes after it waits.
An answer that refuses this very event (400, 422 …) is asked for five times only, 410 means never: so that one event
that the receiver cannot read does not hold up all others. Redirects are not followed, answers are not read.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import random
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.metadata import version
from urllib.parse import urlsplit

import httpx
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import jobs, metrics, signs
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import SettingsInvalid
from bot.jobs import Jobs
from bot.models import Hook, Request
from bot.outside import outbox, signing
from bot.settings import Settings

log = logging.getLogger(__name__)

SECONDS = 10.0
"""For one attempt, from the first byte to the status of the answer."""
PATIENCE = timedelta(days=3)
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 3600.0
"""Seconds after the first failed attempt; three times as long after each further one, up to an hour."""
REFUSALS = frozenset({400, 406, 409, 411, 413, 414, 415, 422, 451})
"""What an answer of these says is wrong with the event itself; other failures may pass."""
REFUSED_ATTEMPTS = 5
GONE = 410


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An event that is about to be sent."""

    id: int
    key: str
    event: str
    body: bytes
    number: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of an attempt: a status, or a kind of error."""

    status: int | None = None
    error: str | None = None
    after: float = 0.0
    # seconds that the receiver asks to wait

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        return self.status in REFUSALS

    def __str__(self) -> str:
        return f"status {self.status}" if self.status is not None else str(self.error)


class Outside:
    """The outside system that is told of requests."""

    def __init__(
        self,
        url: str,
        key: bytes,
        *,
        sessions: Sessions,
        work: Jobs,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._url, self._key = url, key
        self._sessions, self._jobs, self._clock = sessions, work, clock
        self._http = httpx.AsyncClient(
            timeout=SECONDS, follow_redirects=False, transport=transport,
            headers={"User-Agent": f"Firstline/{version('firstline')}", "Content-Type": "application/json"},
        )  # fmt: skip

    @classmethod
    def of(cls, settings: Settings, *, sessions: Sessions, work: Jobs, clock: Clock) -> Outside | None:
        """The one that the settings name; None when they name none. SettingsInvalid when it cannot be told of anything."""
        if settings.events_url is None:
            return None
        secret = settings.events_secret.get_secret_value() if settings.events_secret else ""
        name = "EVENTS_URL"
        try:
            url, name = address_of(settings.events_url), "EVENTS_SECRET"
            return cls(url, signing.key_of(secret), sessions=sessions, work=work, clock=clock)
        except ValueError as error:
            raise SettingsInvalid(f"FIRSTLINE_{name}: {error}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, conversation_id: int) -> int:
        """Send what waits of a conversation's requests, in order; return how many events were taken."""
        taken = 0
        while True:
            async with self._sessions.begin() as session:
                attempt = await self._next(session, conversation_id)
            if attempt is None:
                return taken
            answer = await self._call(attempt)
            async with self._sessions.begin() as session:
                await self._record(session, attempt, answer)
            taken += answer.taken

    # ---------------------------------------------------------------------------------------------------- the steps
    async def _next(self, session: AsyncSession, conversation_id: int) -> _Attempt | None:
        """The oldest event that is not taken yet, its attempt counted; None when there is none, or it has to wait."""
        hook = await session.scalar(
            select(Hook)
            .join(Request, Request.id == Hook.request_id)
            .where(Request.conversation_id == conversation_id, outbox.unsent())
            .order_by(Hook.id)
            .limit(1)
            .with_for_update(of=Hook)
            .execution_options(populate_existing=True)
        )
        if hook is None:
            return None
        wait = (hook.retry_at - self._clock.now()).total_seconds() if hook.retry_at is not None else 0.0
        if wait > 0 or self._jobs.stopping:
            await self._jobs.add(session, jobs.HOOKS, conversation_id, delay=max(wait, 0.0))
            return None
        hook.attempts += 1
        return _Attempt(hook.id, hook.key, hook.event, outbox.body_of(hook), hook.attempts)

    async def _call(self, attempt: _Attempt) -> _Answer:
        headers = signing.headers(self._key, attempt.key, attempt.body, now=self._clock.now())
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._http.stream("POST", self._url, content=attempt.body, headers=headers) as answer,
            ):
                return _Answer(status=answer.status_code, after=_seconds(answer.headers.get("retry-after")))
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError, ssl.SSLError) as error:
            return _Answer(error=type(error).__name__)

    async def _record(self, session: AsyncSession, attempt: _Attempt, answer: _Answer) -> None:
        hook = await session.get_one(Hook, attempt.id, with_for_update=True)
        if hook.sent_at is not None or hook.given_up_at is not None or hook.attempts != attempt.number:
            return  # another process was at it too
        now = self._clock.now()
        if answer.taken:
            hook.sent_at, hook.retry_at, hook.error = now, None, None
            metrics.HOOKS.labels(hook.event, "sent").inc()
            signs.good(signs.HOOKS, signs.EVENTS)
            if hook.attempts > 1:
                await self._hasten(session, now)
            return
        hook.error = str(answer)
        fields = {"hook": hook.id, "event": hook.event, "error": hook.error, "tries": hook.attempts}
        signs.bad(signs.HOOKS, signs.EVENTS, _said(answer), refused=answer.status == GONE)
        if self._is_over(hook, answer, now):
            hook.given_up_at, hook.retry_at = now, None
            metrics.HOOKS.labels(hook.event, "given_up").inc()
            log.error("hook_given_up", extra=fields)
            return
        hook.retry_at = now + timedelta(seconds=max(pause(hook.attempts), answer.after))
        metrics.HOOKS.labels(hook.event, "retry").inc()
        log.warning("hook_failed", extra=fields)

    @staticmethod
    def _is_over(hook: Hook, answer: _Answer, now: datetime) -> bool:
        """Whether an event is not tried again."""
        if answer.status == GONE or (answer.refused and hook.attempts >= REFUSED_ATTEMPTS):
            return True
        return now - hook.at >= PATIENCE

    async def _hasten(self, session: AsyncSession, now: datetime) -> None:
        """It takes events again: what waits only because it did not is sent now, not at the end of a long pause."""
        down = Hook.error.notin_([f"status {one}" for one in REFUSALS])
        await session.execute(update(Hook).where(outbox.unsent(), Hook.retry_at > now, down).values(retry_at=now))
        await self._jobs.hasten(session, jobs.HOOKS)


def pause(attempts: int) -> float:
    """Seconds to wait after so many attempts, a tenth more or less: not all come again at the same moment."""
    usual = min(FIRST_PAUSE * 3.0 ** min(attempts - 1, 10), LONGEST_PAUSE)
    return float(usual * random.uniform(0.9, 1.1))


def _seconds(asked: str | None) -> float:
    """What a Retry-After says, as far as it is a number; an hour at most."""
    return min(float(asked), LONGEST_PAUSE) if asked is not None and asked.isdecimal() else 0.0


def _said(answer: _Answer) -> str:
    if answer.status == GONE:
        return "answers 410: it wants no events any more"
    return f"does not take events ({answer})"


def address_of(url: str) -> str:
    """The address that events are sent to. ValueError for one that would carry customers' words openly over the Internet."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an address like https://help.example.ru/hooks")
    if parts.username or parts.password:
        raise ValueError("must hold no password: events are signed")
    if parts.scheme == "http" and not _near(parts.hostname):
        raise ValueError("must begin with https://; http is for this machine and its own network")
    return url


def _near(host: str) -> bool:
    """Whether a host is this machine or one of its network, by its name or address alone."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".localhost"))
