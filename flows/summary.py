"""What people get with a request: the summary as fields, and the same as a comment read in ten seconds.

Deterministic: made of what the customer wrote, what the systems know and what the bot said; nothing is guessed. The words
of the comment are the pack's (`summary` in pack.yml), the order of its lines is here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from itertools import takewhile
from typing import Any

from flows.decision import ConversationState, Handoff, Topic, Turn
from flows.facts import Needed, View
from flows.hours import place, same_hours
from flows.pack import Pack, SetStep
from flows.russian import first_and_patronymic
from flows.steps import Wanted
from flows.tables import hits
from flows.trace import Trace

WANTS_LENGTH = 600
ORDER_KEYS = ("number", "status", "delivery", "stage", "tracking", "note")


def hand_over(
    pack: Pack,
    turn: Turn,
    state: ConversationState,
    chosen: Wanted,
    wanted: Sequence[Wanted],
    topics: Sequence[Topic],
    trace: Trace | None = None,
) -> Handoff:
    """Make the handoff (or case) of a turn: where it goes, how urgent it is, and all that a person has to know."""
    view = View(pack, turn, state, chosen.topic, [topic.intent for topic in topics])
    about = _matter(pack, turn, state, chosen.topic, topics)
    matter = about.intent if about.intent in pack.intents else None
    subject = chosen.topic.intent if _is_request(pack, chosen.topic.intent) else matter
    queue, category, due = _place(pack, chosen, subject, turn.now)
    # a person is there at any hour (ruling 15), also where the people who know the matter have hours of their own
    topic = matter if same_hours(pack, queue, matter, subject) else subject
    usual, why_so = _priority(pack, view)
    if trace is not None:
        trace.asked(pack.manifest.priority, view)
    priority = chosen.priority or usual
    rules = tuple(dict.fromkeys([*(rule for one in wanted for rule in one.rules), *why_so]))
    if about is not chosen.topic and pack.manifest.order_fact:
        View(pack, turn, state, about).quiet(pack.manifest.order_fact)  # nobody has looked the order up in this turn
    orders = _orders(pack, turn, state, [about, chosen.topic, *topics])
    summary: dict[str, Any] = {
        "request": None,
        "channel": turn.channel,
        "customer": _customer(pack, view),
        "topic": topic,
        "category": category or _title(pack, topic),
        "queue": queue,
        "priority": priority,
        "reason": "; ".join(dict.fromkeys(one.why for one in wanted)),
        "wants": _wants(chosen, wanted, state),
        "orders": orders,
        "collected": _collected(pack, state, topics),
        "answered": [{"rule": one.rule, "gist": one.gist} for one in state.answered],
        "attachments": [{"kind": one.kind, "name": one.name} for one in state.attachments],
        "contacts_before": _quiet(view, "contacts_before") or [],
        "mood": _quiet(view, pack.manifest.mood) or "calm",
        "next_step": next((one.next_step for one in (chosen, *wanted) if one.next_step), None),
        "promised": [dict(one) for one in state.promised],
    }
    others = [one for one in wanted if one.queue != chosen.queue]
    return Handoff(
        queue=queue, category=category, due=due, priority=priority, rules=rules, topic=topic, since=chosen.topic.since,
        orders=tuple(str(order["number"]) for order in orders), summary=summary,
        comment=comment(pack, view, summary, others), notice=chosen.notice, marks=chosen.marks,
    )  # fmt: skip


def comment(pack: Pack, view: View, summary: Mapping[str, Any], others: Sequence[Wanted] = ()) -> str:
    """Put a summary into the few lines that an agent reads (ESC-07, L2-04, L2-05, L2-07, L2-09)."""
    words = pack.manifest.summary
    customer = summary["customer"] or {}
    who = ", ".join(
        filter(None, [customer.get("name"), *(_label(view, "flags", flag) for flag in customer.get("flags") or ())])
    )
    unsure = f" ({words['by_account']})" if customer.get("id") is None and "by_account" in words else ""
    lines = [
        ("topic", _title(pack, summary["topic"])),
        ("reason", summary["reason"]),
        ("wants", f"«{summary['wants']}»" if summary["wants"] else None),
        ("customer", f"{who}{unsure}" if who else words.get("unknown_customer")),
        ("identified", _label(view, "identified_by", customer.get("identified_by"))),
        *(("order", _order_line(view, order)) for order in summary["orders"]),
        (
            "collected",
            ", ".join(f"{_label(view, 'slots', k)}: {_told(view, k, v)}" for k, v in summary["collected"].items()),
        ),
        ("answered", "; ".join(one["gist"] for one in summary["answered"])),
        ("attachments", ", ".join(_label(view, "attachments", one["kind"]) or "" for one in summary["attachments"])),
        ("mood", _label(view, "mood", summary["mood"]) if summary["mood"] != "calm" else None),
        ("promised", "; ".join(one["what"] for one in summary["promised"])),
        (
            "others",
            "; ".join(
                f"{pack.queues[one.queue].title}: {one.topic.words}" for one in others if one.queue in pack.queues
            ),
        ),
        ("next", summary["next_step"]),
    ]
    return "\n".join(f"{words[key]} {value}" if words[key] else str(value) for key, value in lines if value)


def _place(pack: Pack, chosen: Wanted, subject: str | None, now: datetime) -> tuple[str, str | None, datetime | None]:
    """Where a request goes: its queue, or a case there while the queue is closed, with the time of the answer."""
    queue = chosen.queue if chosen.queue in pack.queues else pack.manifest.queue_default
    if chosen.category:
        hours = pack.categories[chosen.category].due_hours if chosen.due_hours is None else chosen.due_hours
        return queue, chosen.category, max(now + timedelta(hours=hours), _end_of(pack, chosen.by, now))
    return place(pack, queue, now, subject)


def _end_of(pack: Pack, day: str | None, now: datetime) -> datetime:
    """The end of a day that the customer named, by the shop's clock and its setting `day_ends_at`; now when none was."""
    if day is None:
        return now
    tz = pack.zone
    ends = time.fromisoformat(str(pack.manifest.settings.get("day_ends_at", "21:00")))
    return datetime.combine(date.fromisoformat(day[:10]), ends, tz)


def _matter(pack: Pack, turn: Turn, state: ConversationState, topic: Topic, topics: Sequence[Topic]) -> Topic:
    """What a request is about (ESC-02): its own topic.

    A mere wish for people and small talk («не помогло») are about what was asked: in the same breath, else before and not
    answered yet, else what was talked about last since people had it last; of several the latest.
    """
    along = [one for one in topics if one.since > turn.state.turns]
    earlier = takewhile(lambda one: one in topics or not one.handoff, reversed(state.done))
    known = [topic, *reversed(along), *reversed(turn.state.open), *earlier]
    return next((one for one in known if _is_request(pack, one.intent, matter=True)), topic)


def _is_request(pack: Pack, intent: str, *, matter: bool = False) -> bool:
    """Tell whether an intent is a request and no small talk; with `matter`, whether it wants more than people."""
    name = pack.flow_for(intent) if intent else None
    flow = pack.flows[name] if name else None
    return flow is not None and not flow.dialogue and (flow.matter or not matter)


def _priority(pack: Pack, view: View) -> tuple[str, tuple[str, ...]]:
    """The priority by the pack's table, and the rules that say so."""
    for hit in hits(pack.tables[pack.manifest.priority], view.quiet):
        for step in hit.row.steps:
            if isinstance(step, SetStep) and "priority" in step.set:
                return str(step.set["priority"]), hit.row.rule
    return "normal", ()


def _customer(pack: Pack, view: View) -> dict[str, Any]:
    """Who writes. Without an `id` nobody is identified: then it is what the account tells, not confirmed (VIP-02)."""
    names = (pack.manifest.customer_fact, pack.manifest.account_fact)
    own, linked = (_quiet(view, name) if name else None for name in names)
    card = next((one for one in (own, linked) if isinstance(one, Mapping)), {})
    phone = next(iter(card.get("phones") or ()), None)
    return {
        "id": own.get("id") if isinstance(own, Mapping) else None,
        "name": first_and_patronymic(card["full_name"]) if card.get("full_name") else None,
        "phone_masked": f"•••{str(phone)[-4:]}" if phone else None,
        "identified_by": _quiet(view, "identified_by"),
        "flags": list(card.get("flags") or ()),
    }


def _orders(pack: Pack, turn: Turn, state: ConversationState, topics: Sequence[Topic]) -> list[dict[str, Any]]:
    """Snapshots of the orders that the requests are about, each once."""
    found: dict[str, dict[str, Any]] = {}
    if pack.manifest.order_fact:
        for topic in topics:
            order = _quiet(View(pack, turn, state, topic), pack.manifest.order_fact)
            if isinstance(order, Mapping) and order.get("number"):
                found.setdefault(str(order["number"]), {key: order.get(key) for key in ORDER_KEYS})
    return list(found.values())


def _wants(chosen: Wanted, wanted: Sequence[Wanted], state: ConversationState) -> str | None:
    words = dict.fromkeys(
        line.strip() for one in [chosen, *wanted] for line in one.topic.words.split("\n") if line.strip()
    )
    said = list(words) or list(state.words[-3:])
    if len(" / ".join(said)) < 60:  # "оператора!" alone says nothing: what was written before it does
        said = list(dict.fromkeys([*state.words[-4:], *said]))
    said = [
        line for line in said if not any(line != other and line in other for other in said)
    ]  # a clause of a message
    return " / ".join(said)[:WANTS_LENGTH] or None


def _collected(pack: Pack, state: ConversationState, topics: Sequence[Topic]) -> dict[str, Any]:
    values = {**state.slots, **{name: value for topic in topics for name, value in topic.slots.items()}}
    return {
        name: value
        for name, value in values.items()
        if value is not None and name in pack.slots and not pack.slots[name].private
    }


def _order_line(view: View, order: Mapping[str, Any]) -> str:
    parts = [f"№ {order['number']}", *(_label(view, key, order[key]) for key in ("status", "stage", "delivery"))]
    return ", ".join(filter(None, [*parts, order["tracking"], order["note"]]))


def _label(view: View, directory: str, value: Any) -> str | None:
    if value is None:
        return None
    return str(view.pack.manifest.directories.get(f"labels_{directory}", {}).get(str(value), {}).get("title", value))


def _told(view: View, slot: str, value: Any) -> str | None:
    """A slot's value in an agent's words: yes and no, and the labels of a slot's own values."""
    return _label(view, "yes_no" if isinstance(value, bool) else slot, value)


def _title(pack: Pack, intent: str | None) -> str | None:
    return (pack.intents[intent].title or intent) if intent in pack.intents and intent else None


def _quiet(view: View, name: str) -> Any:
    try:
        return view.quiet(name)
    except Needed:
        return None
