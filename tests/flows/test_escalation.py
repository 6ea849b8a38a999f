"""The escalation table beyond its worked examples: what stays, what bars what, and the ways of other channels."""

from __future__ import annotations

import re
from datetime import datetime

import pytest

import flows
from flows.hours import is_open
from tests.flows.judging import judge


@pytest.fixture(scope="module")
def pack() -> flows.Pack:
    return flows.load_shipped("shop")


class TestProcess:
    @pytest.mark.rule("ESC-72")
    def test_bars_stand_before_every_queue(self, pack: flows.Pack) -> None:
        ranks = {rule: row.rank for row in pack.tables["escalation"].rows for rule in row.rule}
        order = [
            "ESC-13",
            "ESC-11",
            "ESC-51",
            "ESC-40",
            "ESC-32",
            "ESC-47",
            "ESC-16",
            "ESC-64",
            "ESC-22",
            "ESC-56",
            "ESC-55",
            "ESC-03",
            "ESC-15",
        ]
        assert [ranks[rule] for rule in order] == [5, 10, 20, 25, 30, 40, 50, 55, 60, 70, 75, 80, 99]

    @pytest.mark.rule("ESC-01")
    @pytest.mark.rule("ESC-02")
    def test_the_topic_decides_and_what_no_rule_sends_away_stays(self, pack: flows.Pack) -> None:
        flags = {
            "customer.flags": [
                "premium",
                "b2b",
                "monetization",
                "express",
                "flex",
                "classifieds",
                "bank",
                "insurance",
                "vip",
            ]
        }
        for topic in (
            "order_status",
            "delivery_terms",
            "return_terms",
            "refund_status",
            "product_question",
            "tech_issue",
        ):
            assert judge(pack, {"topic": topic, **flags})[1] is None

    @pytest.mark.rule("ESC-10")
    def test_the_reason_follows_from_the_queue(self, pack: flows.Pack) -> None:
        reasons = {name: pack.queues[name].reason for name in pack.manifest.queue_priority}
        assert {name for name, reason in reasons.items() if reason} == {
            "fin_services_l2", "bank_card", "classifieds", "premium_l2", "promo_l2", "b2b", "monetization", "express", "ds_mini",
            "flex", "accruals",
        }  # fmt: skip
        assert (reasons["express"], reasons["ds_mini"]) == ("Чат. Express", "Чат. DS mini")

    @pytest.mark.rule("L2-16")
    def test_the_second_line_works_from_four_to_ten_to_midnight(self, pack: flows.Pack) -> None:
        def at(clock: str) -> datetime:
            return datetime.fromisoformat(f"2026-11-20T{clock}+03:00")

        for queue in ("fin_services_l2", "supervisor", "dedicated", "order_line"):
            works = [is_open(pack, queue, at(clock)) for clock in ("03:59:59", "04:00:00", "23:49:59", "23:50:00")]
            assert works == [False, True, True, False]
        assert all(is_open(pack, queue, at("03:00:00")) for queue in ("general", "express", "ds_mini"))

    @pytest.mark.rule("L2-15")
    def test_no_document_is_asked_for_in_a_chat(self, pack: flows.Pack) -> None:
        asked = [
            text
            for phrase in pack.phrases.values()
            for text in phrase.say
            if re.search(
                r"(данн\w+|номер|фото|снимок|скан|пришлите|сообщите)[^.]{0,20}паспорт|паспортн\w+ данн", text.lower()
            )
        ]
        assert not asked


class TestAmongRules:
    def test_a_company_stands_before_financial_services(self, pack: flows.Pack) -> None:
        rules, queue = judge(pack, {"topic": "fin_balance", "on_behalf_of_company": True})
        assert queue == "b2b"
        assert {"ESC-27", "ESC-70"} <= rules

    def test_a_telephone_call_is_never_sent_to_a_chat_line(self, pack: flows.Pack) -> None:
        for topic in (
            "fin_installment",
            "promo",
            "classifieds",
            "premium_subscription",
            "express_delivery",
            "flex_delivery",
            "b2b",
        ):
            rules, queue = judge(pack, {"topic": topic, "channel": "call"})
            assert queue is None
            assert rules & {"ESC-11", "ESC-29", "ESC-45", "ESC-61"}

    def test_in_house_staff_and_those_with_access_do_not_use_the_line_of_accruals(self, pack: flows.Pack) -> None:
        asked = {"topic": "accruals", "accrual_required": True}
        assert judge(pack, {**asked, "agent.kind": "in_house"}) == ({"ESC-15", "ESC-65"}, None)
        assert judge(pack, {**asked, "agent.accruals_access": True})[0] == {"ESC-15", "ESC-66"}
        assert "ESC-67" in judge(pack, {"topic": "accruals"})[0]

    def test_a_company_skill_keeps_the_question(self, pack: flows.Pack) -> None:
        rules, queue = judge(pack, {"topic": "b2b", "on_behalf_of_company": True, "agent.skills": ["b2b"]})
        assert (queue, "ESC-46" in rules) == (None, True)

    @pytest.mark.parametrize(
        ("topic", "detail", "rule"),
        [
            ("refund_status", "none", "ESC-22"), ("refund_status", "refund_delay", "ESC-22"),
            ("refund_amount", "refund_term", "ESC-23"), ("order_cancel", "cancellation_reason", "ESC-24"),
            ("refund_status", "annulled_order_payment", "ESC-25"), ("refund_status", "bank_transfer", "ESC-26"),
        ],
    )  # fmt: skip
    def test_questions_of_refunds_stay(self, pack: flows.Pack, topic: str, detail: str, rule: str) -> None:
        rules, queue = judge(pack, {"topic": topic, "detail": detail})
        assert (queue, rule in rules) == (None, True)

    def test_points_for_a_policy_go_to_insurance_and_errors_before_the_policy_too(self, pack: flows.Pack) -> None:
        assert judge(pack, {"topic": "fin_insurance", "detail": "insurance_before_policy"})[1] == "fin_services_l2"
        assert "ESC-20" in judge(pack, {"topic": "fin_insurance", "detail": "insurance_before_policy"})[0]

    def test_an_instalment_never_goes_to_the_bank_nor_the_bank_to_financial_services(self, pack: flows.Pack) -> None:
        assert judge(pack, {"topic": "fin_installment"}) == ({"ESC-15", "ESC-16", "ESC-30"}, "fin_services_l2")
        assert judge(pack, {"topic": "bank_card"}) == ({"ESC-15", "ESC-31", "ESC-32"}, "bank_card")

    def test_any_question_on_a_fast_package_goes_to_its_line(self, pack: flows.Pack) -> None:
        for kind in ("express", "ds_mini", "flex"):
            for topic in ("refund_status", "return_defect", "order_cancel", "promo"):
                facts = {"topic": topic, "package_in_question.kind": kind, "order.exists": True}
                assert judge(pack, {**facts, "express_service": kind if kind != "flex" else "unknown"})[1] == kind

    def test_mixed_order_and_package_unknown_asks_instead_of_guessing(self, pack: flows.Pack) -> None:
        rules, queue = judge(
            pack,
            {
                "topic": "return_defect",
                "order.exists": True,
                "order.mixed": True,
                "package_in_question.kind": "unknown",
            },
        )
        assert (queue, "ESC-56" in rules) == (None, True)

    def test_ten_minutes_mean_ds_mini_sixteen_do_not(self, pack: flows.Pack) -> None:
        at = "package_in_question.interval_minutes"
        assert "ESC-57" in judge(pack, {at: 15})[0]
        assert "ESC-57" not in judge(pack, {at: 16})[0]

    def test_facts_of_the_services_are_at_hand_for_other_channels(self, pack: flows.Pack) -> None:
        asked = {"topic": "express_delivery", "channel": "call"}
        assert {"ESC-58", "ESC-61"} <= judge(pack, {**asked, "express_service": "ds_mini"})[0]
        assert "ESC-60" in judge(pack, {**asked, "express_service": "express"})[0]
        switch = {"detail": "delivery_kind_switch", "package_in_question.kind": "ds_mini", "channel": "call"}
        assert "ESC-59" in judge(pack, switch)[0]

    def test_a_user_of_the_bank_outside_chat_gets_all_ways(self, pack: flows.Pack) -> None:
        rules, _ = judge(pack, {"topic": "bank_card", "channel": "mail", "customer.is_bank_user": "yes"})
        assert {"ESC-37", "ESC-39"} <= rules

    def test_classified_ads_go_to_their_line(self, pack: flows.Pack) -> None:
        assert judge(pack, {"topic": "classifieds"})[1] == "classifieds"
