"""Sentry: errors of a running process, told to whoever keeps it running, when FIRSTLINE_SENTRY_DSN is set.

What is sent is built anew from few parts: the kind of error, the place in the code, the event and its ids. No messages of
foreign errors, no local variables, no requests, no breadcrumbs, no names of machines.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.logging import LoggingIntegration
from sentry_sdk.types import Event, Hint

from bot.errors import FirstlineError
from bot.logs import scrubbed, told

_KEPT = ("event_id", "timestamp", "level", "logger", "platform", "release", "environment", "sdk")
_FRAME = ("filename", "function", "module", "lineno", "in_app", "context_line")
_IDS = (
    "conversation", "turn", "line", "job", "channel", "queue", "system", "source", "external_id", "error", "tries", "file",
    "request",
)  # fmt: skip
"""Fields of a log line that go with an error."""


def watch(dsn: str, *, transport: Callable[..., Any] | None = None) -> None:
    """Send errors to Sentry from now on (without `send_default_pii`, which is off unless asked for). `transport`: instead of HTTP (tests)."""
    sentry_sdk.init(
        dsn=dsn, release=f"firstline@{version('firstline')}", include_local_variables=False,
        include_source_context=False, max_request_body_size="never", max_breadcrumbs=0, server_name="firstline",
        default_integrations=False, integrations=[LoggingIntegration(level=None, event_level=40)],
        auto_enabling_integrations=False, traces_sample_rate=None, auto_session_tracking=False,
        before_send=discreet, before_breadcrumb=lambda crumb, hint: None, transport=transport, shutdown_timeout=2,
    )  # fmt: skip


def discreet(event: Event, hint: Hint) -> Event:
    """An event with what may be told, and nothing else of it."""
    given: dict[str, Any] = dict(event)
    sent: dict[str, Any] = {key: given[key] for key in _KEPT if key in given}
    record = hint.get("log_record")
    if record is not None:
        sent["message"] = scrubbed(record.getMessage())
        sent["tags"] = {
            key: scrubbed(str(vars(record)[key]))[:200] for key in _IDS if vars(record).get(key) is not None
        }
    if exceptions := (given.get("exception") or {}).get("values"):
        ours = _ours((hint.get("exc_info") or (None, None, None))[1])
        sent["exception"] = {"values": [_exception(one, ours) for one in exceptions]}
    return sent  # type: ignore[return-value]


def _ours(error: BaseException | None) -> dict[str, str]:
    """The sentences of our own errors in a chain, by the names of their classes."""
    found: dict[str, str] = {}
    while error is not None and type(error).__name__ not in found:
        if isinstance(error, FirstlineError):
            found[type(error).__name__] = told(error)
        error = error.__cause__ or error.__context__
    return found


def _exception(one: dict[str, Any], ours: dict[str, str]) -> dict[str, Any]:
    frames = ((one.get("stacktrace") or {}).get("frames")) or []
    return {
        "type": one.get("type"), "module": one.get("module"), "value": ours.get(str(one.get("type")), ""),
        "stacktrace": {"frames": [{key: frame[key] for key in _FRAME if key in frame} for frame in frames]},
    }  # fmt: skip
