"""Deciding on a turn: asks the pack, answers what it asks for, and asks again until nothing is open.

What a system cannot answer is a fact like any other; what goes wrong inside leads to people.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import guesses, metrics, requests, sizes
from bot.attention import Attention
from bot.clients import Crm, Nlu
from bot.clock import Clock
from bot.errors import CrmActionUnknown, CrmUnavailable, FirstlineError
from bot.models import Conversation, Deed, Message, Sender
from bot.patience import Patience
from bot.timeline import Desk, tell_of

log = logging.getLogger(__name__)

MAX_ROUNDS = 60
"""So often may a pack ask for something in one turn: a change and what is read again after it are some four rounds."""


def _nothing_down() -> frozenset[str]:
    return frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a turn needs besides the session."""

    desk: Desk
    nlu: Nlu
    crm: Crm
    clock: Clock
    quiet: timedelta = timedelta(0)
    # a burst is over when nothing came for so long (CX-18)
    down: Callable[[], frozenset[str]] = field(default=_nothing_down)
    # systems that are known not to work; `store` means that no request can be stored (CX-02)
    patience: Patience | None = None
    # what the customer hears while the shop's systems take long
    attention: Attention = field(default_factory=lambda: Attention(channels={}))
    # what the customer sees while a turn takes long

    @property
    def pack(self) -> flows.Pack:
        return self.desk.pack


class TurnEndless(FirstlineError):
    """A turn asked for more and more from outside."""


async def decide(
    session: AsyncSession, tools: Tools, conversation: Conversation, turn: flows.Turn
) -> tuple[flows.Decision, flows.Turn]:
    """Ask the pack until it needs nothing more from outside; also returns the turn with all facts."""
    for _ in range(MAX_ROUNDS):
        decision = flows.decide(tools.pack, turn)
        if not decision.lookups and not decision.acts:
            return _without_failures(decision), turn
        for lookup in decision.lookups:
            try:
                turn = turn.with_facts({lookup: await _look_up(session, tools, conversation, lookup)})
            except CrmUnavailable as down:
                log.warning("crm_down", extra={"system": down.system, "source": lookup.source})
                turn = turn.with_down(down.system).with_facts({lookup: flows.Unavailable(down.system)})
        for act in decision.acts:
            turn = turn.with_change(act, await _do(session, tools, conversation, act, turn.now))
    raise TurnEndless


async def _look_up(session: AsyncSession, tools: Tools, conversation: Conversation, lookup: flows.Lookup) -> Any:
    """Answer a lookup: from the shop's systems, or from our own store for earlier requests (CX-13, CX-15)."""
    if lookup.source != "requests":
        if await guesses.too_many(session, conversation.id, lookup, now=tools.clock.now()):
            return None
        return await _fetch(tools, lookup)
    args = dict(lookup.args)
    if "chat" in args:
        return await requests.contacts(session, conversation_id=conversation.id)
    own = await requests.contacts(session, customer_id=args.get("customer", ""))
    try:
        earlier = await _fetch(tools, lookup)
    except CrmUnavailable:
        return own
    return [*(earlier or ()), *own]


async def _fetch(tools: Tools, lookup: flows.Lookup) -> Any:
    system = "tracking" if lookup.source == "tracking" else "crm"
    with metrics.crm_call(system):
        return sizes.bounded(await tools.crm.fetch(lookup), system=system)


async def _do(
    session: AsyncSession, tools: Tools, conversation: Conversation, act: flows.Act, now: datetime
) -> Mapping[str, Any]:
    """Have the CRM change something, once per conversation and key. What it cannot do is a result, not an error."""
    done = await session.scalar(select(Deed).where(Deed.conversation_id == conversation.id, Deed.key == act.key))
    if done is not None:
        return done.result
    args = dict(act.args)
    try:
        # the CRM keeps the key too: if this transaction is lost, doing it again changes nothing twice
        with metrics.crm_call("crm"):
            result = dict(await tools.crm.act(act, key=f"{conversation.channel}:{conversation.chat}|{act.key}"))
    except CrmUnavailable as down:
        log.warning("crm_down", extra={"system": down.system, "action": act.action})
        result = {"ok": False, "unavailable": True}
    except CrmActionUnknown:
        result = {"ok": False, "unsupported": True}
    if not result.get("unavailable"):
        session.add(
            Deed(
                conversation_id=conversation.id, key=act.key, action=act.action, args=args, result=result,
                rules=list(act.rules), at=now,
            )
        )  # fmt: skip
        await session.flush()
    if result.get("unsupported"):  # nothing was asked of the CRM: the pack makes it a task for people
        return result
    order = args.get("order_number") or result.get("new_order")
    told = {"action": act.action, "order": order, "ok": bool(result.get("ok"))}
    made = {"new_order": result["new_order"]} if result.get("new_order") else {}
    tell_of(session, conversation, "crm", **told, **made, rules=list(act.rules))
    note = _told_to_colleagues(tools.pack, act, result, order)
    session.add(Message(conversation_id=conversation.id, sender=Sender.NOTE, at=now, text=note))
    await session.flush()
    return result


def _told_to_colleagues(pack: flows.Pack, act: flows.Act, result: Mapping[str, Any], order: str | None) -> str:
    """A change as a line of the transcript that agents see: «CRM: отмена заказа 48213 — сделано»."""
    words, labels = pack.manifest.summary, pack.manifest.directories.get("labels_deeds", {})
    outcome = "deed_done" if result.get("ok") else "deed_unavailable" if result.get("unavailable") else "deed_refused"
    what = labels.get(act.action, {}).get("title", act.action)
    made = f"{words.get('deed_new', '→')} {result['new_order']}" if result.get("new_order") else None
    parts = [words.get("deed", "CRM:"), what, order, "—", words.get(outcome, outcome)]
    return ", ".join(filter(None, [" ".join(filter(None, parts)), made]))


def _without_failures(decision: flows.Decision) -> flows.Decision:
    """The decision without the memory of changes that could not even be asked for: they may be tried again."""
    deeds = {key: deed for key, deed in decision.state.deeds.items() if not deed["result"].get("unavailable")}
    return replace(decision, state=replace(decision.state, deeds=deeds))


def to_people(pack: flows.Pack, turn: flows.Turn) -> flows.Decision:
    """What to do when deciding itself failed: hand the conversation to the default queue."""
    state = turn.state
    words = (*state.words, turn.text) if turn.text.strip() else state.words
    reason = pack.manifest.summary.get("internal_error", "internal error")
    wants = " / ".join(words[-4:]) or None
    summary = {
        "request": None, "channel": turn.channel, "customer": {}, "topic": None, "category": None,
        "queue": pack.manifest.queue_default, "priority": "normal", "reason": reason, "wants": wants, "orders": [],
        "collected": dict(state.slots), "answered": [asdict(one) for one in state.answered],
        "attachments": [asdict(one) for one in (*state.attachments, *turn.attachments)], "contacts_before": [],
        "mood": "calm", "next_step": None, "promised": [dict(one) for one in state.promised],
    }  # fmt: skip
    handoff = flows.Handoff(
        queue=pack.manifest.queue_default, summary=summary, comment="\n".join(filter(None, [reason, wants]))
    )
    kept = replace(state, open=(), asking=None, offered=None, words=words, turns=state.turns + 1)
    if turn.request is not None:
        return flows.Decision(append=reason, state=kept, unsure=True)
    return flows.Decision(handoff=handoff, state=kept, unsure=True)
