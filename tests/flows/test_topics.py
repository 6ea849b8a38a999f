"""What customers most often write about ends in an answer or in the right queue; every intent does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import flows
from bot.talks import many, talks
from flows import Decision, Parse, Reading, Turn

PACK = flows.load_shipped("shop")
# TOPIC rules: matter -> intents
TOPICS = {
    "TOPIC-01": ["order_new", "payment_problem", "order_status"],
    "TOPIC-02": ["order_status", "delivery_terms"],
    "TOPIC-03": ["return_terms", "return_defect", "return_disliked", "return_wrong_item", "return_missing_item"],
    "TOPIC-04": ["promo", "loyalty_card", "accruals"],
    "TOPIC-05": ["product_question", "seller_question"],
    "TOPIC-06": ["complaint_courier"],
    "TOPIC-07": ["tech_issue", "account_registration"],
}


def first_reply(intent: str) -> Decision:
    """What a customer whom no system knows gets for a message of this intent."""
    parse = Parse(text="…", mended="…", intents=(Reading(intent, 0.95),), ranking=(Reading(intent, 0.95),))
    turn = Turn(now=datetime(2026, 11, 18, 9, tzinfo=UTC), chat="nobody", text="помогите с этим вопросом", parse=parse)
    for _ in range(20):
        decision = flows.decide(PACK, turn)
        if not decision.lookups:
            return decision
        turn = turn.with_facts(dict.fromkeys(decision.lookups))
    raise AssertionError("the engine asks without end")


def played() -> Iterator[str]:
    """All intents that occur in a talk of tests/dialogues."""
    for talk in talks(Path(__file__).parent.parent / "dialogues"):
        for turn in talk.data["talk"]:
            for one in many(turn.get("as")):
                yield one if isinstance(one, str) else next(iter(one.values()))


@pytest.mark.parametrize(("rule", "intents"), TOPICS.items())
def test_a_frequent_matter_is_served_and_tried_in_talks(rule: str, intents: list[str]) -> None:
    for intent in intents:
        decision = first_reply(intent)
        assert decision.messages or decision.handoff, f"{rule}: silence for {intent}"
    assert set(intents) <= set(played()), f"{rule}: {set(intents) - set(played())} are in no talk"


@pytest.mark.parametrize("intent", sorted(PACK.intents))
def test_no_intent_ends_in_silence(intent: str) -> None:
    decision = first_reply(intent)
    assert decision.messages or decision.handoff, f"nothing happens for {intent}"


@pytest.mark.parametrize("intent", sorted(PACK.intents))
def test_an_unknown_customer_never_sees_an_unfilled_text(intent: str) -> None:
    for message in first_reply(intent).messages:
        assert "{" not in message.text
        assert "[[" not in message.text
