"""The escalation table held against facts alone, as its worked examples are written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flows
from flows.match import matches
from flows.pack import HandoffStep
from flows.tables import hits

DEFAULTS: dict[str, Any] = {
    "channel": "chat", "topic": "none", "detail": "none", "mention_inseparable": False, "topic_changed_after_answer": False,
    "customer.flags": [], "customer.is_bank_user": "unknown", "on_behalf_of_company": False, "agent.kind": "assistant",
    "agent.skills": [], "agent.accruals_access": False, "accrual_required": False, "order.exists": False, "order.mixed": False,
    "package_in_question.kind": "none", "package_in_question.interval_minutes": 0, "package_in_question.warehouse_name": "",
    "express_service": "unknown",
}  # fmt: skip


def judge(pack: flows.Pack, facts: Mapping[str, Any]) -> tuple[set[str], str | None]:
    """All rules of the table that match a question, and the queue of the row that decides; facts not named have defaults."""
    table = pack.tables["escalation"]
    known = {**DEFAULTS, **facts}
    matching = {rule for row in table.rows if matches(row.when, known.get) for rule in row.rule}
    decisive = hits(table, known.get)[-1].row
    return matching, next((step.handoff for step in decisive.steps if isinstance(step, HandoffStep)), None)
