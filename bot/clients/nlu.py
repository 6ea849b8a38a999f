"""The NLU service over HTTP: a turn's words in, a `Parse` out. Whatever goes wrong is NluUnavailable.

Several services with the same model share the work: each call goes to the one with the fewest calls of ours, a failed one
to the next, and one that failed is asked for its health until it is well again.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import httpx
from pydantic import ValidationError

import flows
from bot import metrics
from bot.errors import NluUnavailable

log = logging.getLogger(__name__)

TIMEOUT = 3.0
# seconds for the whole call
MAX_TEXT = 10_000
# characters that the service reads; what follows in a longer message is not understood, but kept for people
MAX_ANSWER = 1_000_000
# bytes; a parse has a few kilobytes
LOOK_EVERY = 2.0
# seconds between two looks after a service that failed


class HttpNlu:
    """The `Nlu` behind one URL."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url, self._timeout = url, timeout
        self._http = httpx.AsyncClient(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout,
            transport=transport,
            trust_env=False,
            # the service is on this machine or an internal network: no proxy stands between
        )

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        """Read the words of one turn."""
        sent = text[:MAX_TEXT].encode("utf-8", "replace").decode()  # halves of surrogate pairs are no text
        with metrics.nlu_call(self.url):
            answer = await self._call("POST", "/parse", {"text": sent, "now": now.isoformat()})
        try:
            return flows.parse_from_json({**answer, "text": text})
        except ValidationError as error:
            raise NluUnavailable(
                f"The NLU service answered what is no parse ({error.error_count()} faults)."
            ) from error

    async def model(self) -> str:
        """Return the name of the model in use; also tells whether the service is ready."""
        answer = await self._call("GET", "/health")
        return str(answer.get("model") or "")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._timeout), self._http.stream(method, path, json=body) as response:
                response.raise_for_status()
                read = bytearray()
                async for piece in response.aiter_bytes():
                    read += piece
                    if len(read) > MAX_ANSWER:
                        raise NluUnavailable("The NLU service answered too much.")
            answer = json.loads(read)
        except (httpx.TimeoutException, TimeoutError) as error:
            raise NluUnavailable(f"The NLU service did not answer within {self._timeout:g} s.") from error
        except httpx.HTTPStatusError as error:
            raise NluUnavailable(f"The NLU service answered with status {error.response.status_code}.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NluUnavailable(f"The NLU service cannot be reached ({type(error).__name__}).") from error
        except (ValueError, RecursionError) as error:  # no JSON, or one without end
            raise NluUnavailable("The NLU service answered no JSON.") from error
        if not isinstance(answer, dict):
            raise NluUnavailable("The NLU service answered no JSON object.")
        return answer


@dataclass(slots=True)
class _Service:
    """One of several, as this process sees it."""

    nlu: HttpNlu
    busy: int = 0
    # calls of this process that it is at
    down: bool = False


class NluServices:
    """The `Nlu` behind any number of URLs. None of them: nothing is read."""

    def __init__(
        self, services: Sequence[HttpNlu], *, timeout: float = TIMEOUT, look_every: float = LOOK_EVERY
    ) -> None:
        """`timeout`: seconds for a call, however many services are tried in it."""
        self._all = [_Service(nlu) for nlu in services]
        self._timeout, self._look_every = timeout, look_every
        self._looking: asyncio.Task[None] | None = None

    @classmethod
    def at(cls, urls: str, *, token: str | None = None, timeout: float = TIMEOUT) -> Self:
        """The services at addresses with commas between them."""
        found = [url for one in urls.split(",") if (url := one.strip())]
        return cls([HttpNlu(url, token=token, timeout=timeout) for url in found], timeout=timeout)

    async def parse(self, text: str, *, now: datetime) -> flows.Parse:
        """Read the words of one turn. A service that fails leaves the rest of the time to the others."""
        ends, failure = asyncio.get_running_loop().time() + self._timeout, NluUnavailable("There is no NLU service.")
        untried = list(self._all)
        while untried:
            service = min(untried, key=lambda one: (one.down, one.busy, random.random()))
            untried.remove(service)
            rest = ends - asyncio.get_running_loop().time()
            try:
                # one that hangs must leave time for another
                async with asyncio.timeout(rest / 2 if any(not one.down for one in untried) else rest):
                    return await self._ask(service, text, now)
            except NluUnavailable as error:
                failure = error
            except TimeoutError as error:
                failure = NluUnavailable(f"The NLU service did not answer within {self._timeout:g} s.")
                failure.__cause__ = error
            if len(self._all) > 1:
                self._mark_down(service, failure)
        raise failure

    async def _ask(self, service: _Service, text: str, now: datetime) -> flows.Parse:
        service.busy += 1
        try:
            return await service.nlu.parse(text, now=now)
        finally:
            service.busy -= 1

    async def model(self) -> str:
        """Return the name of the model in use; also tells whether a service is ready. Raises NluUnavailable."""
        models = await self.models()
        ready = [name for name in models.values() if name is not None]
        if not ready:
            raise NluUnavailable(None if models else "There is no NLU service.")
        if len(set(ready)) > 1:
            log.warning("nlu_models_differ", extra={"models": sorted(set(ready))})
        return ready[0]

    async def models(self) -> dict[str, str | None]:
        """Return the model of each service by its URL; None for one that does not answer (health)."""

        async def ask(service: _Service) -> str | None:
            try:
                return await service.nlu.model()
            except NluUnavailable:
                return None

        names = await asyncio.gather(*(ask(one) for one in self._all))
        return {one.nlu.url: name for one, name in zip(self._all, names, strict=True)}

    async def close(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        for one in self._all:
            await one.nlu.close()

    # ------------------------------------------------------------------------------------------------------ health
    def _mark_down(self, service: _Service, why: NluUnavailable) -> None:
        """Ask a service that failed only where no other is left, until it says that it is ready."""
        if not service.down:
            log.warning("nlu_service_down", extra={"url": service.nlu.url, "why": str(why)})
        service.down = True
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="nlu health")

    async def _look(self) -> None:
        while any(one.down for one in self._all):
            await asyncio.sleep(self._look_every)
            for one in self._all:
                if one.down:
                    try:
                        await one.nlu.model()
                    except NluUnavailable:
                        continue
                    one.down = False
                    log.info("nlu_service_up", extra={"url": one.nlu.url})
