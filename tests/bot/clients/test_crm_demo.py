"""The CRM over a shop file: what it tells, whom it finds, what it changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import flows
from bot.clients.crm_demo import DemoCrm
from bot.clients.shop import Shop
from bot.errors import CrmActionUnknown, CrmUnavailable
from tests.bot.clients.conftest import NOW

SHOP = """
customers:
  - {id: maria, full_name: "Иванова Мария Петровна", phones: ["+79990000001"], settlement: "Тула", accounts: {telegram: c1, vk: c2}, flags: [vip], bank_user: false, block: {by: fraud}}
  - {id: omsk, full_name: "Кузнецов Сергей Иванович", phones: ["+79990000002"]}
  - {id: tomsk, full_name: "Кузнецов Сергей Иванович", phones: ["+79990000003"]}
  - {id: alena, full_name: "Ковалёва Алёна Юрьевна"}
orders:
  - {number: "100", customer: maria, status: exported, stage: line_haul, delivery: post, ordered_at: -9d, tracking: "800", expected_arrival: +3d, delivery_price: 300, items: [{name: "Утюг", price: 3190.50, quantity: 2}], pickup_point: {name: "ПВЗ", km: 1.5}}
  - {number: "101", customer: maria, status: "raw:На согласовании", delivery: courier, ordered_at: -1d}
  - {number: "102", customer: maria, status: exported, delivery: pickup, ordered_at: -20d, stage: arrived, bought_out_at: -2d, tracking: "802"}
  - {number: "200", customer: omsk, status: buffer, delivery: post, ordered_at: -3d, items: [{name: "Плед", price: 3490}]}
  - {number: "201", customer: omsk, status: checked, status_after_change: manual_check, delivery: courier, ordered_at: -3d, items: [{name: "Плед", price: 3490}]}
  - {number: "202", customer: omsk, status: exported, delivery: post, ordered_at: -3d, cancel_succeeds: false}
  - {number: "203", customer: omsk, status: new, delivery: post, ordered_at: -3d, recipient: "Кузницов Сергей", name_updates: false}
  - {number: "204", customer: omsk, status: cancelled, delivery: post, ordered_at: -40d, items: [{name: "Робот", price: 9990}]}
returns: [{order: "102", sent_at: -1d}]
goods: [{name: "Плед", price: 3490}, {name: "Робот", price: 9990, in_stock: false}]
requests: [{number: T-1, customer: maria, topic: promo, state: closed, at: -3d}, {number: T-2, customer: omsk}]
"""


@pytest.fixture
def crm(load: Callable[[str], Shop]) -> DemoCrm:
    return DemoCrm(load(SHOP), now=lambda: NOW)


async def ask(crm: DemoCrm, source: str, **args: str) -> Any:
    answer = await crm.fetch(flows.Lookup(source, tuple(args.items())))
    json.dumps(answer)  # facts are stored
    return answer


async def do(crm: DemoCrm, action: str, key: str = "", **args: str) -> Any:
    act = flows.Act(action=action, args=tuple(args.items()))
    return await crm.act(act, key=key or act.key)


async def order(crm: DemoCrm, number: str) -> dict[str, Any]:
    for customer in ("maria", "omsk"):
        for one in await ask(crm, "orders", customer=customer):
            if one["number"] == number:
                return dict(one)
    raise LookupError(number)


class TestCustomers:
    async def test_a_card(self, crm: DemoCrm) -> None:
        assert await ask(crm, "customer", account="telegram:c1") == {
            "id": "maria", "full_name": "Иванова Мария Петровна", "phones": ["+79990000001"], "settlement": "Тула",
            "flags": ["vip"], "loyalty_card": None, "manager": None, "bank_user": "no", "accrual_required": False,
            "block": {"by": "fraud", "reason_noted": True, "conflict": False},
        }  # fmt: skip

    @pytest.mark.parametrize(
        ("args", "found"),
        [
            ({"account": "vk:c2"}, "maria"),
            ({"account": "vk:c1"}, None),
            ({"account": "terminal"}, None),
            ({"phone": "+79990000002"}, "omsk"),
            ({"phone": "+79990000009"}, None),
            ({"order": "100"}, "maria"),
            ({"order": "999"}, None),
            ({}, None),
        ],
    )
    async def test_found_by(self, crm: DemoCrm, args: dict[str, str], found: str | None) -> None:
        card = await ask(crm, "customer", **args)
        assert (card or {}).get("id") == found

    @pytest.mark.rule("ID-02")
    @pytest.mark.parametrize(
        "said",
        ["Иванова Мария Петровна", "мария иванова", "Ивановой Марии", "Иванва Мария", "иванова мария петровна 1970"],
    )
    async def test_names_are_found_as_people_write_them(self, crm: DemoCrm, said: str) -> None:
        assert (await ask(crm, "customer", full_name=said))["id"] == "maria"

    async def test_yo_is_ye(self, crm: DemoCrm) -> None:
        assert (await ask(crm, "customer", full_name="Ковалева Алена"))["id"] == "alena"

    @pytest.mark.rule("CX-20")
    @pytest.mark.parametrize("said", ["Кузнецов Сергей Иванович", "Мария", "Петрова Мария", ""])
    async def test_namesakes_and_half_names_find_nobody(self, crm: DemoCrm, said: str) -> None:
        assert await ask(crm, "customer", full_name=said) is None


class TestOrders:
    async def test_newest_first(self, crm: DemoCrm) -> None:
        assert [one["number"] for one in await ask(crm, "orders", customer="maria")] == ["101", "100", "102"]
        assert await ask(crm, "orders", customer="nobody") == []

    async def test_an_order(self, crm: DemoCrm) -> None:
        found = await order(crm, "100")
        assert found["ordered_at"] == "2026-11-12"
        assert found["expected_arrival"] == "2026-11-24"
        assert (found["status"], found["status_known"], found["stage"]) == ("exported", True, "line_haul")
        assert found["total"] == 6681
        assert found["items"][0]["price"] == 3190.5
        assert found["pickup_point"] == {"name": "ПВЗ", "address": None, "km": 1.5}
        assert found["bought_out"] is False

    @pytest.mark.rule("STATUS-31")
    async def test_a_status_that_the_rules_do_not_have(self, crm: DemoCrm) -> None:
        found = await order(crm, "101")
        assert (found["status"], found["status_known"]) == (None, False)

    async def test_bought_out(self, crm: DemoCrm) -> None:
        found = await order(crm, "102")
        assert (found["bought_out"], found["bought_out_at"]) == (True, "2026-11-19")


class TestTheRest:
    async def test_tracking(self, crm: DemoCrm) -> None:
        assert await ask(crm, "tracking", number="800") == {"expected_arrival": "2026-11-24", "bought_out_at": None}
        assert await ask(crm, "tracking", number="999") is None

    async def test_returns_requests_and_goods(self, crm: DemoCrm) -> None:
        assert await ask(crm, "returns", customer="maria") == [
            {"order": "102", "sent_at": "2026-11-20", "tracking": None}
        ]
        [request] = await ask(crm, "requests", customer="maria")
        assert (request["number"], request["topic"], request["at"]) == ("T-1", "promo", "2026-11-17T22:30:00+00:00")
        assert await ask(crm, "requests", chat="telegram:c1") == []
        assert [good["name"] for good in await ask(crm, "goods")] == ["Плед", "Робот"]

    async def test_what_is_down_does_not_answer(self, crm: DemoCrm) -> None:
        crm.set_down({"crm"})
        with pytest.raises(CrmUnavailable) as away:
            await ask(crm, "orders", customer="maria")
        assert away.value.system == "crm"
        assert await ask(crm, "tracking", number="800")
        crm.set_down({"tracking", "nlu"})
        with pytest.raises(CrmUnavailable) as lost:
            await ask(crm, "tracking", number="800")
        assert lost.value.system == "tracking"
        assert await ask(crm, "orders", customer="maria")

    async def test_the_shop_file_says_what_is_down(self, load: Callable[[str], Shop]) -> None:
        with pytest.raises(CrmUnavailable):
            await ask(DemoCrm(load("down: [crm]"), now=lambda: NOW), "goods")

    async def test_an_unknown_lookup_is_an_error(self, crm: DemoCrm) -> None:
        with pytest.raises(CrmActionUnknown):
            await ask(crm, "weather")


class TestChanges:
    async def test_cancelling(self, crm: DemoCrm) -> None:
        assert (await do(crm, "crm.cancel_order", order_number="200"))["ok"]
        found = await order(crm, "200")
        assert (found["status"], found["cancel_reason"], found["cancel_attempt"]) == ("cancelled", "customer", "done")

    @pytest.mark.parametrize("number", ["100", "202", "204"])
    async def test_cancelling_that_the_crm_does_not_accept(self, crm: DemoCrm, number: str) -> None:
        before = await order(crm, number)
        result = await do(crm, "cancel_order", order=number)
        assert (result["ok"], result["why"]) == (False, "not_accepted")
        assert await order(crm, number) == {**before, "cancel_attempt": "failed"}

    async def test_a_key_acts_once(self, crm: DemoCrm) -> None:
        args = {"customer": "maria", "items": "Плед", "delivery": "post"}
        first = await do(crm, "create_order", key="k", **args)
        assert await do(crm, "create_order", key="k", **args) == first
        assert first["new_order"] == "205"
        assert len(await ask(crm, "orders", customer="maria")) == 4

    async def test_changes_hold_for_this_run_only(self, load: Callable[[str], Shop]) -> None:
        shop = load(SHOP)
        await do(DemoCrm(shop, now=lambda: NOW), "cancel_order", order_number="200")
        assert (await order(DemoCrm(shop, now=lambda: NOW), "200"))["status"] == "buffer"

    async def test_a_crm_that_is_down_changes_nothing_and_may_be_asked_again(self, crm: DemoCrm) -> None:
        crm.set_down({"crm"})
        with pytest.raises(CrmUnavailable):
            await do(crm, "cancel_order", order_number="200")
        crm.set_down(())
        assert (await do(crm, "cancel_order", order_number="200"))["ok"]

    async def test_a_new_order(self, crm: DemoCrm) -> None:
        items = json.dumps([{"name": "Плед", "quantity": 2}])
        made = await do(crm, "create_order", customer="maria", items=items, delivery="courier", address="Тула")
        found = await order(crm, made["new_order"])
        assert (found["status"], found["total"], found["address"], found["ordered_at"]) == (
            "buffer",
            6980,
            "Тула",
            "2026-11-21",
        )

    @pytest.mark.rule("ORDER-15")
    async def test_what_is_out_of_stock_is_not_placed(self, crm: DemoCrm) -> None:
        result = await do(crm, "reissue_order", order_number="204")
        assert result == {"ok": False, "why": "out_of_stock", "items": ["Робот"]}

    async def test_placing_anew(self, crm: DemoCrm) -> None:
        made = await do(crm, "reissue_order", order_number="200", delivery="courier")
        found = await order(crm, made["new_order"])
        assert (found["delivery"], found["items"][0]["name"]) == ("courier", "Плед")
        assert (await order(crm, "200"))["status"] == "buffer"

    async def test_an_edit_brings_the_status_that_the_crm_sets(self, crm: DemoCrm) -> None:
        result = await do(crm, "edit_data", order_number="201", address="Омск", delivery="post")
        assert result["status"] == "manual_check"
        assert (await order(crm, "201"))["delivery"] == "post"

    async def test_items(self, crm: DemoCrm) -> None:
        assert (await do(crm, "edit_items", order_number="200", items=json.dumps([{"name": "Плед", "quantity": 3}])))[
            "ok"
        ]
        assert (await order(crm, "200"))["total"] == 10470
        for nonsense in ("", "5", "[5]", '[{"nme": "x"}]', '[{"name": "Плед", "quantity": 0}]'):
            assert (await do(crm, "edit_items", order_number="200", items=nonsense))["ok"] in (False,), nonsense

    async def test_a_basket_changes_line_by_line(self, crm: DemoCrm) -> None:
        before = (await order(crm, "200"))["items"]
        done = await do(crm, "edit_items", order_number="200", item=before[0]["name"], color="синий")
        assert done["ok"]
        assert (await order(crm, "200"))["items"][0]["color"] == "синий"
        assert (await do(crm, "edit_items", order_number="200", remove=before[0]["name"]))["why"] == "no_items"
        assert (await do(crm, "edit_items", order_number="200", remove="Ничего такого"))["why"] == "nothing_changes"

    async def test_delivery_is_calculated_for_a_change_that_is_only_thought_of(self, crm: DemoCrm) -> None:
        before = await do(crm, "calculate_delivery", order_number="200")
        thought = await do(crm, "calculate_delivery", order_number="200", add="Плед")
        assert thought["total"] > before["total"]
        assert await do(crm, "calculate_delivery", order_number="200") == before

    async def test_confirming_and_returning_to_a_status(self, crm: DemoCrm) -> None:
        assert (await do(crm, "confirm_order", order_number="203"))["status"] == "buffer"
        assert (await do(crm, "return_to_status", order_number="203", status="closed_region"))[
            "status"
        ] == "closed_region"

    @pytest.mark.rule("ACTION-24")
    async def test_statuses_that_the_bot_never_sets(self, crm: DemoCrm) -> None:
        for status in ("called_off", "happy_call", "happy_call_refused"):
            assert not (await do(crm, "return_to_status", order_number="203", status=status))["ok"]

    @pytest.mark.rule("CHANGE-06")
    async def test_a_corrected_name_is_not_taken_over_by_every_order(self, crm: DemoCrm) -> None:
        await do(crm, "set_customer_name", customer="omsk", full_name="Кузнецова Софья Ивановна")
        taken, kept = await order(crm, "200"), await order(crm, "203")
        assert (taken["recipient"], taken["name_fields_updated"]) == ("Кузнецова Софья Ивановна", True)
        assert (kept["recipient"], kept["name_fields_updated"]) == ("Кузницов Сергей", False)

    async def test_notes_and_delivery(self, crm: DemoCrm) -> None:
        await do(crm, "set_postponed_note", order_number="200", text="Изменение заказа")
        assert (await order(crm, "200"))["note"] == "Изменение заказа"
        assert (await do(crm, "calculate_delivery", order_number="100"))["delivery_price"] == 300

    async def test_an_order_that_is_none(self, crm: DemoCrm) -> None:
        assert await do(crm, "cancel_order", order_number="999") == {"ok": False, "why": "no_such_order"}

    async def test_an_unknown_action_is_an_error(self, crm: DemoCrm) -> None:
        with pytest.raises(CrmActionUnknown):
            await do(crm, "give_money", order_number="100")

    async def test_the_actions_are_declared(self, crm: DemoCrm) -> None:
        assert crm.actions == {
            "calculate_delivery", "cancel_order", "confirm_order", "create_order", "edit_data", "edit_items",
            "reissue_order", "return_to_status", "set_customer_name", "set_postponed_note",
        }  # fmt: skip
