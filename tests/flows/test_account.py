"""A linked account before anybody is identified: the agent sees whose it is, as not confirmed; the customer hears nothing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

import flows

NOW = datetime.fromisoformat("2026-11-20T12:00:00+03:00")
CARD = {
    "id": "zoya", "full_name": "Ветрова Зоя Игоревна", "phones": ["+79990000026"], "flags": ["vip"], "manager": "anna",
    "settlement": "Тула", "bank_user": None, "block": None, "accrual_required": False, "loyalty_card": False,
}  # fmt: skip


def handed_over(card: dict[str, Any] | None, **slots: Any) -> tuple[flows.Decision, flows.Handoff]:
    """A wish for a person in a chat whose account leads to a card."""
    turn = flows.Turn(
        now=NOW, chat="c1", text="позовите человека", state=flows.ConversationState(slots=slots),
        parse=flows.Parse(text="позовите человека", intents=(flows.Reading("human_request", 0.95),)),
    )  # fmt: skip
    pack = flows.load_shipped("shop")
    decision = flows.decide(pack, turn)
    while decision.lookups:
        turn = turn.with_facts({one: card if one.source == "customer" else [] for one in decision.lookups})
        decision = flows.decide(pack, turn)
    assert decision.handoff is not None
    return decision, decision.handoff


@pytest.mark.rule("VIP-02")
def test_the_agent_sees_the_flag_and_that_nobody_was_identified() -> None:
    decision, handoff = handed_over(CARD)
    assert handoff.summary["customer"] == {
        "id": None, "name": "Зоя Игоревна", "phone_masked": "•••0026", "identified_by": None, "flags": ["vip"],
    }  # fmt: skip
    assert "Кто: Зоя Игоревна, VIP (по привязанному аккаунту, не подтверждено)" in handoff.comment
    assert (handoff.priority, "VIP-02" in handoff.rules) == ("high", True)
    told = " ".join(say.text for say in decision.messages)
    assert not any(word in told for word in ("Зоя", "VIP", "vip"))


def test_who_has_confirmed_is_simply_known() -> None:
    _, handoff = handed_over(CARD, name_confirmed=True)
    assert (handoff.summary["customer"]["id"], handoff.summary["customer"]["identified_by"]) == ("zoya", "account")
    assert "не подтверждено" not in handoff.comment


def test_who_has_denied_it_is_a_stranger() -> None:
    _, handoff = handed_over(CARD, name_confirmed=False)
    assert handoff.summary["customer"]["name"] is None
    assert "Кто: не опознан" in handoff.comment


def test_no_account_is_no_name() -> None:
    _, handoff = handed_over(None)
    assert "Кто: не опознан\n" in f"{handoff.comment}\n"
