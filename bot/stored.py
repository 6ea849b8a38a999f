"""Turns as they were stored, read back: what was given, read and known then, and what was decided.

`again` decides upon such a turn once more, with other content and only with what was known then: what it asks for beyond
that is told, for nobody can know it any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.models import Conversation, TurnRow

MAX_ROUNDS = 60
_TURN: TypeAdapter[flows.Turn] = TypeAdapter(flows.Turn)
_DECISION: TypeAdapter[flows.Decision] = TypeAdapter(flows.Decision)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A stored turn that was written by another version and cannot be read."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTurn:
    """A turn of the past."""

    id: int
    conversation: str
    # channel:chat
    turn: flows.Turn
    # without facts
    known: tuple[Mapping[str, Any], ...]
    # {source, args, answer} and {act, result}: what stands behind an act was asked after it
    decision: flows.Decision
    acts: tuple[str, ...]
    # actions asked of the CRM
    pack: str
    error: str | None


async def stored_turns(
    session: AsyncSession, *, since: datetime | None = None, limit: int | None = None
) -> AsyncIterator[StoredTurn | Unreadable]:
    """The newest turns (all since a moment, or the last so many), oldest first; an unreadable one is told in its place."""
    newest = select(TurnRow.id).order_by(TurnRow.id.desc()).limit(limit)
    newest = newest.where(TurnRow.at >= since) if since is not None else newest
    rows = select(TurnRow, Conversation).join(Conversation, Conversation.id == TurnRow.conversation_id)
    rows = rows.where(TurnRow.id.in_(newest)).order_by(TurnRow.id).execution_options(yield_per=200)
    async for row, conversation in await session.stream(rows):
        try:
            yield read_back(row, f"{conversation.channel}:{conversation.chat}")
        except ValidationError as error:
            found = error.errors()[0]
            where = ".".join(map(str, found["loc"]))
            yield Unreadable(f"turn {row.id} of {conversation.channel}:{conversation.chat}: {where}: {found['msg']}")


def read_back(row: TurnRow, conversation: str) -> StoredTurn:
    """A stored turn as values. ValidationError when it was written in another shape."""
    turn = _TURN.validate_python(row.given)
    parse = flows.parse_from_json(row.parse) if row.parse is not None else None
    acts = tuple(_action(str(one["act"])) for one in row.facts if "act" in one)
    return StoredTurn(
        id=row.id, conversation=conversation, turn=replace(turn, parse=parse), known=tuple(row.facts),
        decision=_DECISION.validate_python(row.decision), acts=acts, pack=row.pack, error=row.error,
    )  # fmt: skip


def again(pack: flows.Pack, past: StoredTurn) -> tuple[flows.Decision | None, flows.Turn, tuple[str, ...]]:
    """Decide upon a stored turn with a pack: the decision, the turn with what it used of the facts, and what was missing.

    Without a decision the pack asks for what was not known then. Raises ContentError when the pack contradicts itself.
    """
    turn, known = past.turn, _Known(past.known)
    for _ in range(MAX_ROUNDS):
        decision = flows.decide(pack, turn)
        if not decision.lookups and not decision.acts:
            return decision, turn, ()
        missing = [_asked(lookup) for lookup in decision.lookups if not known.has(lookup)]
        missing += [f"{act.action}({_listed(act.args)})" for act in decision.acts[:1] if not known.did(act)]
        if missing:
            return None, turn, tuple(missing)
        turn = turn.with_facts({lookup: known.answer(lookup) for lookup in decision.lookups})
        for act in decision.acts[:1]:
            turn = turn.with_change(act, known.outcome(act))
    raise flows.ContentError("the pack asks without end")


class _Known:
    """What was known in a stored turn: answers until the first change, then those after each."""

    def __init__(self, facts: tuple[Mapping[str, Any], ...]) -> None:
        self._answers: list[dict[tuple[str, tuple[tuple[str, str], ...]], Any]] = [{}]
        self._acts: list[tuple[str, Mapping[str, Any]]] = []
        self._at = 0
        for fact in facts:
            if "act" in fact:
                self._acts.append((str(fact["act"]), fact["result"]))
                self._answers.append({})
            else:
                self._answers[-1][_key(str(fact["source"]), fact["args"])] = fact["answer"]

    def has(self, lookup: flows.Lookup) -> bool:
        """Whether the answer is known; what no change has touched is known from before it."""
        return any(_key(lookup.source, dict(lookup.args)) in answers for answers in self._answers[: self._at + 1])

    def answer(self, lookup: flows.Lookup) -> Any:
        key = _key(lookup.source, dict(lookup.args))
        return next(answers[key] for answers in reversed(self._answers[: self._at + 1]) if key in answers)

    def did(self, act: flows.Act) -> bool:
        """Whether this was the next change that the CRM was asked for."""
        return self._at < len(self._acts) and self._acts[self._at][0] == act.key

    def outcome(self, act: flows.Act) -> Mapping[str, Any]:
        self._at += 1
        return self._acts[self._at - 1][1]


def _key(source: str, args: Mapping[str, Any]) -> tuple[str, tuple[tuple[str, str], ...]]:
    return source, tuple(sorted((str(name), str(value)) for name, value in args.items()))


def _asked(lookup: flows.Lookup) -> str:
    return f"{lookup.source}({_listed(lookup.args)})"


def _listed(args: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in args)


def _action(key: str) -> str:
    """The action in a key of an act: turn|action|name=value …"""
    first, _, rest = key.partition("|")
    return rest.partition("|")[0] if first.isdecimal() else first
