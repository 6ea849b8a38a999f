"""The NLU service over HTTP: a turn's words in, a `Parse` out. Whatever goes wrong is NluUnavailable."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import httpx
from pydantic import ValidationError

import flows
from bot.errors import NluUnavailable

TIMEOUT = 3.0
# seconds for the whole call
MAX_TEXT = 10_000
# characters that the service reads; what follows in a longer message is not understood, but kept for people


class HttpNlu:
    """The `Nlu` behind a URL."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        timeout: float = TIMEOUT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._timeout = timeout
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
            async with asyncio.timeout(self._timeout):
                response = await self._http.request(method, path, json=body)
            response.raise_for_status()
            answer = response.json()
        except (httpx.TimeoutException, TimeoutError) as error:
            raise NluUnavailable(f"The NLU service did not answer within {self._timeout:g} s.") from error
        except httpx.HTTPStatusError as error:
            raise NluUnavailable(f"The NLU service answered with status {error.response.status_code}.") from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise NluUnavailable(f"The NLU service cannot be reached ({type(error).__name__}).") from error
        except ValueError as error:  # no JSON
            raise NluUnavailable("The NLU service answered no JSON.") from error
        if not isinstance(answer, dict):
            raise NluUnavailable("The NLU service answered no JSON object.")
        return answer
