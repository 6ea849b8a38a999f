"""What may be done with an order under conditions, and what the bot never does (ACTION rules). Row by row: test_worked_examples."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

import flows
from flows.facts import View
from flows.pack import ActStep, Pack, SetStep
from flows.tables import hits

PACK = flows.load_shipped("shop")
NAMES = {
    "may_items": "edit_items",
    "may_data": "edit_data",
    "may_confirm": "confirm",
    "may_cancel": "cancel",
    "may_new": "new_order",
}
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
DERIVED = {
    "cancellable_export": lambda facts: facts["status"] == "exported" and facts.get("cancellable_export") is True,
    "in_transit": lambda facts: facts["status"] == "exported" and facts.get("in_transit") is True,
}


def decided(facts: Mapping[str, Any], pack: Pack = PACK) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The rule that the table gives for these facts, and what it allows."""
    view = View(pack, flows.Turn(now=NOW), flows.ConversationState())

    def get(name: str) -> Any:
        if name in DERIVED:
            return DERIVED[name](facts)
        return facts[name] if name in facts else view.get(name) if name.startswith("setting.") else None

    (hit,) = hits(pack.tables["permissions"], get)
    allowed = {
        NAMES[name]: value for step in hit.row.steps if isinstance(step, SetStep) for name, value in step.set.items()
    }
    return hit.row.rule, allowed


class TestConditions:
    """What is allowed under a condition. That the customer agrees is asked by the flows before any of it is done."""

    def test_a_postponed_order_is_confirmed_once_its_delivery_error_is_corrected(self) -> None:
        assert decided({"status": "postponed"})[1]["confirm"] == "forbidden"
        assert decided({"status": "postponed", "delivery_error_fixed": True}) == (
            ("ACTION-05",),
            {**decided({"status": "postponed"})[1], "confirm": "allowed"},
        )

    @pytest.mark.parametrize(
        ("setting", "confirm", "new"), [(True, "allowed", "forbidden"), (False, "forbidden", "allowed")]
    )
    def test_a_new_order_is_confirmed_in_place_or_placed_anew_by_setting(
        self, setting: bool, confirm: str, new: str
    ) -> None:
        pack = PACK.with_settings({"new_order_confirm_in_place": setting})
        rule, allowed = decided({"status": "new"}, pack)
        assert (rule, allowed["confirm"], allowed["new_order"]) == (("ACTION-10",), confirm, new)

    def test_an_order_that_the_warehouse_cancelled_is_confirmed_once_it_goes_by_post(self) -> None:
        by_courier = {"status": "cancelled_ff", "delivery": "courier"}
        assert decided(by_courier)[1]["confirm"] == "forbidden"
        chosen = {"status": "cancelled_ff", "delivery": "post", "status_before": "cancelled_ff", "post_chosen": True}
        assert (decided(chosen)[0], decided(chosen)[1]["confirm"]) == (("ACTION-20",), "allowed")

    def test_a_state_that_the_rules_do_not_know_allows_nothing(self) -> None:
        assert set(decided({"status": None})[1].values()) == {"not_stated"}


def test_the_bot_sets_no_status_that_only_staff_may_set() -> None:
    """ACTION-24."""
    steps = [
        step
        for part in (*PACK.flows.values(), *(row for table in PACK.tables.values() for row in table.rows))
        for step in part.steps
        if isinstance(step, ActStep)
    ]
    assert len(steps) > 10
    assert {step.args["status"] for step in steps if "status" in step.args} == {"closed_region"}


def test_placing_an_order_is_never_done_before_an_explicit_yes() -> None:
    """ORDER-09: in `place_now` alone is an order placed or confirmed, but for one that was confirmed before a change."""
    placing = {"create_order", "reissue_order"}
    places = {
        name
        for name, flow in PACK.flows.items()
        for step in flow.steps
        for inner in (step, *(one for arm in getattr(step, "branch", ()) for one in arm.steps))
        if isinstance(inner, ActStep) and inner.act in placing
    }
    assert places == {"place_now"}
