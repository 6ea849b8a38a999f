"""What stands in a topic already, as its row remembers it (`ForumTopic.shown_id`, `ForumTopic.lines`).

All lines up to `shown_id` stand in the topic. Lines may be stored out of order by a moment (a customer's beside the bot's),
so those that were shown lately are remembered one by one, with what is still to come of them:

    {"17": {"at": 1795300000, "state": "pending", "of": "5512", "pieces": 1}}

at      when it was shown, seconds
state   of its delivery as the topic tells it; absent: nothing more will come of it
of      the agent's own message in the topic that it is
pieces  so many of its pieces are shown; absent: all of them
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bot.forum.lines import ON_ITS_WAY, Item
from bot.models import ForumTopic

YOUNG = 60.0
"""Seconds after which nothing older is stored any more."""


def known(topic: ForumTopic) -> dict[int, dict[str, Any]]:
    """What is remembered of single lines, by their ids."""
    return {int(key): value for key, value in topic.lines.items()}


def pieces(topic: ForumTopic, line: int) -> int | None:
    """So many pieces of a line stand in the topic; None: all of it."""
    entry = topic.lines.get(str(line))
    if entry is None:
        return None if line <= topic.shown_id else 0
    found: int | None = entry.get("pieces")
    return found


def on_their_way(topic: ForumTopic) -> dict[int, str | None]:
    """Lines of which it is not told yet how their delivery ended, with the agent's own message that they are."""
    return {line: entry.get("of") for line, entry in known(topic).items() if entry.get("state") in ON_ITS_WAY}


def put(topic: ForumTopic, items: Iterable[Item], *, now: datetime) -> None:
    """Remember that items stand in the topic now."""
    lines = dict(topic.lines)
    for item in items:
        match item.kind:
            case "event":
                topic.shown_event = max(topic.shown_event, item.id)
            case "line" | "undelivered":
                lines[str(item.id)] = _entry(item, now, lines.get(str(item.id), {}))
    topic.lines = lines


def _entry(item: Item, now: datetime, before: dict[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"at": int(now.timestamp())}
    if not item.last:
        entry["pieces"] = item.piece + 1
    if item.state in ON_ITS_WAY:
        entry["state"] = item.state
        if before.get("of"):
            entry["of"] = before["of"]
    return entry


def own(topic: ForumTopic, line: int, message: str, state: str | None, *, now: datetime) -> None:
    """Remember that a line stands in the topic as the agent's own message."""
    entry: dict[str, Any] = {"at": int(now.timestamp())}
    if state in (*ON_ITS_WAY, "sent"):
        entry |= {"state": "pending", "of": message}
    topic.lines = {**topic.lines, str(line): entry}


def settled(topic: ForumTopic, line: int) -> None:
    """Remember that it is told how a line's delivery ended."""
    entry = {key: value for key, value in topic.lines[str(line)].items() if key not in ("state", "of")}
    topic.lines = {**topic.lines, str(line): entry}


def forget_old(topic: ForumTopic, waiting: Iterable[int], *, now: datetime) -> None:
    """Move `shown_id` on over lines of which nothing more will come, and remember them no more one by one.

    waiting: lines that are not shown yet
    """
    entries = known(topic)
    young = [line for line, entry in entries.items() if now.timestamp() - entry["at"] < YOUNG or "pieces" in entry]
    before = min([*young, *waiting], default=None)
    done = [line for line in entries if before is None or line < before]
    if not done:
        return
    topic.shown_id = max(topic.shown_id, *done)
    topic.lines = {str(line): entry for line, entry in entries.items() if line > topic.shown_id or "state" in entry}


def begin(topic: ForumTopic, *, line: int, event: int, file: int) -> None:
    """The topic is made anew: what stood before these ids is not shown in it."""
    topic.shown_id, topic.shown_event, topic.shown_file, topic.lines = line, event, file, {}


def skip(topic: ForumTopic, upto: int) -> None:
    """Leave out lines up to one."""
    topic.shown_id = max(topic.shown_id, upto)
    topic.lines = {key: one for key, one in topic.lines.items() if int(key) > topic.shown_id or "state" in one}
