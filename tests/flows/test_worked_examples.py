"""The worked examples of the rules (tests/flows/worked/*.yml), without NLU: decided as in a conversation.

Facts are given the way they would come: by the shop's data, by slots, and by the words of the message itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

import flows
from bot.expectations import check
from bot.testing import Heard
from flows.known import Case
from flows.pack import SetStep
from flows.tables import hits
from tests.flows.judging import judge
from tests.talk import NOW, Watched, hold_always
from tests.talk import conversation as begun

FOLDER = Path(__file__).parent / "worked"
PACK = flows.load_shipped("shop")
DECISIVE = (
    "AUTH",
    "ID",
    "ACTION",
    "PARTNER",
    "SERIAL",
    "RETURN",
    "STATUS",
    "CHANGE",
    "REFUND",
    "CALLS",
    "CARD",
    "FAQ",
    "PHONE",
)
BESIDE = {"ID-05", "ACTION-24", "CHANGE-26", "RETURN-16", "RETURN-24", "RETURN-25", "RETURN-26", "CALLS-14"}
# procedures, references and wording: not among what an example expects
SLOTS = (
    "recipient_change",
    "address_error",
    "customer_insists",
    "nonpickup_reason",
    "opening_act",
    "missing_kind",
    "return_wish",
    "change_kind",
)
ORDER = ("status", "stage", "delivery", "cancel_reason", "partner")
SEEN = (
    "identification", "status", "stage", "delivery", "order_month", "cancel_reason", "in_transit", "last_returns_in_row", "nonpickup_fault",
    "repeat_contact", "return_order_verified", "bought_out", "days_since_buyout", "days_since_return_sent", "return_sent", "keep_gift",
    "asks_how_much", "missing_was_ordered", "has_other_open_parcel", "switch_off_reason", "partner", "partner_phone_known",
    "reference_question", "asked_contact_type", "says_ordered_recently",
)  # fmt: skip
"""Facts of the examples that the pack has under the same name: they must come out as given."""


def examples(name: str) -> list[dict[str, Any]]:
    """The examples of a file."""
    return list(yaml.safe_load((FOLDER / name).read_text("utf-8")))


def days_ago(number: int) -> str:
    """A date that many days before the talk's moment."""
    return (NOW - timedelta(days=number)).date().isoformat()


# ---------------------------------------------------------------------------------------------- the shop's rules
def setting(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The talk in which the facts of an example hold: the shop's data and what the conversation knows already."""
    order = {key: facts[key] for key in ORDER if key in facts} or {"status": "exported", "stage": "arrived"}
    order.setdefault("status", "exported")
    order["ordered_at"] = (
        "2026-10-10"
        if facts.get("order_month") == "previous"
        else days_ago(45 if "days_since_return_sent" in facts else 9)
    )
    if order.get("stage") == "none" and "bought_out" not in facts:
        order.pop("stage")
    if "expected_arrival_date" in facts:
        order |= {"expected_arrival": facts["expected_arrival_date"], "tracking": "80082154312345"}
    if facts.get("bought_out") or facts.get("return_order_verified"):
        order["bought_out_at"] = days_ago(
            facts.get("days_since_buyout", 36 if "days_since_return_sent" in facts else 6)
        )
    if facts.get("missing_was_ordered"):
        order["items"] = [{"name": "Набор кастрюль", "set": True}]
    if facts.get("change_kind"):
        order["items"] = [{"name": "Массажёр для шеи", "price": 3990}, {"name": "Плед", "price": 1990}]
    earlier = [
        {"number": f"4000{one}", "status": "returned_post", "ordered_at": days_ago(60 + one)}
        for one in range(1, facts.get("last_returns_in_row", 0))
    ]
    shop: dict[str, Any] = {"orders": [order, *earlier]}
    slots = {key: facts[key] for key in SLOTS if key in facts and key in PACK.slots}
    if facts.get("return_order_verified") or earlier:
        slots["order_number"] = "48213"
    if "days_since_return_sent" in facts:
        shop["returns"] = [{"order": "48213", "sent_at": days_ago(facts["days_since_return_sent"])}]
    if facts.get("repeat_contact"):
        shop["requests"] = [
            {
                "number": "T-901",
                "topic": "order_status",
                "order": "48213",
                "queue": "general",
                "state": "solved",
                "at": days_ago(7),
            }
        ]
    who = facts.get("identification")
    if who in ("not_searched", "not_found", None):
        shop = {"customers": []}
    if who == "not_found":
        slots |= {"phone": "+79161234567", "full_name": "Петрова Анна"}
    if who == "found_by_phone":
        slots |= {"phone": "+79990001234", "full_name": "Иванова Мария"}
    return {
        "shop": shop, "slots": slots, "channel": "vk" if who != "card_loaded" else "telegram",
        "known": who == "card_loaded" and facts.get("name_confirmed"),
    }  # fmt: skip


def turn(example: Mapping[str, Any]) -> dict[str, Any]:
    """The customer's message with its reading."""
    clauses = example.get("clauses")
    intents = (
        [{one: clause} for one, clause in zip(example["intents"], clauses, strict=True)]
        if clauses
        else example["intents"]
    )
    return {"say": example["message"], "as": intents}


@pytest.mark.parametrize("example", examples("shop.yml"), ids=lambda one: str(one["n"]))
def test_shop_example_fires_exactly_its_rules(example: dict[str, Any]) -> None:
    conversation = begun(setting(example["facts"]))
    heard = conversation.take(turn(example))
    fired = {rule for rule in heard.rules if rule.split("-")[0] in DECISIVE} - BESIDE
    assert fired == set(example["expect"]), heard.text
    assert not hold_always(conversation, turn(example), heard)


@pytest.mark.parametrize("example", examples("shop.yml"), ids=lambda one: str(one["n"]))
def test_the_facts_of_an_example_are_what_the_pack_sees(example: dict[str, Any]) -> None:
    conversation = begun(setting(example["facts"]))
    names = [name for name in SEEN if name in example["facts"]]
    seen = conversation.facts(turn(example), names)
    assert not {name: seen[name] for name in names if example["facts"][name] not in seen[name]}


# ---------------------------------------------------------------------------------------------- the escalation rules
QUEUES = list(PACK.manifest.queue_priority)


def through(channel: str) -> flows.Pack:
    """The pack as a deployment has it whose customers do not chat."""
    fact = PACK.facts["channel"].model_copy(update={"cases": (Case(value=channel),)})
    return PACK.model_copy(update={"facts": {**PACK.facts, "channel": fact}})


def begin_there(example: Mapping[str, Any]) -> Watched:
    """The conversation of an example, on the channel that its facts name."""
    conversation = begun(example)
    channel = (example.get("facts") or {}).get("channel", "chat")
    if channel != "chat":
        conversation.pack = through(channel)
    return conversation


def last_of(example: Mapping[str, Any]) -> tuple[Watched, Heard]:
    """Play the conversation of an example; its last turn."""
    conversation, facts = begin_there(example), example.get("facts") or {}
    turns = list(example.get("talk") or ())
    if "message" in example:
        turns.append({"say": example["message"], "as": example.get("as") or facts.get("topics") or [facts["topic"]]})
    heard = [conversation.take(one) for one in turns]
    assert not hold_always(conversation, turns[-1], heard[-1])
    return conversation, heard[-1]


@pytest.mark.parametrize("example", examples("escalation.yml"), ids=lambda one: str(one["id"]))
class TestEscalationExamples:
    def test_the_table_decides(self, example: dict[str, Any]) -> None:
        facts = example["facts"]
        judged = [judge(PACK, {**facts, "topic": topic}) for topic in facts.get("topics", [facts.get("topic")])]
        queues = sorted((queue for _, queue in judged if queue), key=QUEUES.index)
        assert (queues[0] if queues else "none") == example["expect"]["queue"]
        assert set(example["expect"]["rules"]) <= set().union(*(rules for rules, _ in judged))

    def test_so_does_the_conversation(self, example: dict[str, Any]) -> None:
        _, heard = last_of(example)
        queue = heard.handoff.queue if heard.handoff else "none"
        stays = example["expect"]["queue"] == "none"
        assert queue in ("none", "general") if stays else queue == example["expect"]["queue"]
        assert set(example["expect"]["rules"]) <= set(heard.rules), heard.rules


@pytest.mark.parametrize("talk", examples("other_ways.yml"), ids=lambda one: str(one["name"]))
def test_lines_that_are_no_chat_have_the_facts_at_hand(talk: dict[str, Any]) -> None:
    conversation, rules = begin_there(talk), set()
    for step in talk["talk"]:
        heard = conversation.take(step)
        rules |= set(heard.rules)
        assert not hold_always(conversation, step, heard)
        assert not check(step["expect"], heard), heard.text
    assert set(talk["rules"]) <= rules


# ---------------------------------------------------------------------------------------------- between the lines
@pytest.mark.parametrize("example", examples("second_line.yml"), ids=lambda one: str(one["id"]))
def test_second_line_example(example: dict[str, Any]) -> None:
    _, heard = last_of(example)
    expect = dict(example["expect"])
    expect["queue"] = None if expect.get("queue") == "none" else expect.get("queue")
    assert not check(expect, heard), heard.text


# ---------------------------------------------------------------------------------------------- what a status allows
@pytest.mark.parametrize("case", examples("permissions.yml"), ids=lambda one: f"{one['rule']} {one['facts']['status']}")
def test_a_status_allows_what_its_rule_says(case: dict[str, Any]) -> None:
    row = hits(PACK.tables["permissions"], case["facts"].get)[-1].row
    allowed = {name: value for step in row.steps if isinstance(step, SetStep) for name, value in step.set.items()}
    assert row.rule == (case["rule"],)
    assert allowed == {f"may_{name}": value for name, value in case["allow"].items()}


def test_a_status_that_no_rule_names_allows_nothing_without_a_person() -> None:
    row = hits(PACK.tables["permissions"], {"status": None}.get)[-1].row
    assert {value for step in row.steps if isinstance(step, SetStep) for value in step.set.values()} == {"not_stated"}
