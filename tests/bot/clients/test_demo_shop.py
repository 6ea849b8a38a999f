"""The demo shop that ships with the pack: every rule can be tried in it."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

import pytest

import flows
from bot.clients import shop_file
from bot.clients.shop import STATUSES, Delivery, Flag, Shop
from tests.bot.clients.conftest import NOW

FILE = Path(flows.__file__).parent / "packs" / "shop" / "demo" / "shop.yml"


@pytest.fixture(scope="module")
def demo(pack: flows.Pack) -> Shop:
    return shop_file.load(FILE, now=NOW, pack=pack)


def test_every_status_and_a_strange_one_occur(demo: Shop) -> None:
    found = {order.status for order in demo.orders}
    assert set(STATUSES) < found
    assert len(found - set(STATUSES)) == 1


def test_exported_occurs_with_every_delivery_and_stage(demo: Shop) -> None:
    found = {(order.delivery, order.stage) for order in demo.orders if order.status == "exported"}
    assert set(product(get_args(Delivery), ["none", "line_haul", "arrived"])) <= found


def test_every_other_status_occurs_with_two_deliveries_and_every_delivery_with_ten_statuses(demo: Shop) -> None:
    for status in STATUSES:
        assert len({order.delivery for order in demo.orders if order.status == status}) >= 2, status
    for delivery in get_args(Delivery):
        assert len({order.status for order in demo.orders if order.delivery == delivery}) >= 10, delivery


def test_every_flag_block_and_payment_occurs(demo: Shop) -> None:
    assert {flag for customer in demo.customers for flag in customer.flags} == set(get_args(Flag))
    assert {(one.block.by, one.block.reason_noted, one.block.conflict) for one in demo.customers if one.block} == {
        ("security", True, False), ("fraud", False, False), ("fraud", True, True)
    }  # fmt: skip
    assert {"on_delivery", "card", "bank_account", "installment", "prepaid"} == {order.payment for order in demo.orders}


def test_returns_and_purchases_stand_on_both_sides_of_their_limits(demo: Shop) -> None:
    today = demo.orders[0].ordered_at.toordinal() + 9
    assert {5, 29, 30, 34} <= {today - back.sent_at.toordinal() for back in demo.returns if back.sent_at}
    assert {2, 14, 15, 40} <= {today - one.bought_out_at.toordinal() for one in demo.orders if one.bought_out_at}


def test_every_kind_of_package_occurs_alone_or_mixed(demo: Shop) -> None:
    assert {tuple(package.kind for package in order.packages) for order in demo.orders if order.packages} == {
        ("standard", "express"), ("standard", "ds_mini"), ("express",), ("flex",)
    }  # fmt: skip


def test_somebody_serves_every_queue_and_every_role_is_there(demo: Shop, pack: flows.Pack) -> None:
    assert {queue for agent in demo.agents if agent.on_shift for queue in agent.queues} == set(pack.queues)
    assert {agent.role for agent in demo.agents} == {"agent", "supervisor", "trainer", "admin"}


@pytest.mark.rule("VIP-01")
def test_the_vip_has_a_manager_on_shift(demo: Shop) -> None:
    managers = {customer.manager for customer in demo.customers if "vip" in customer.flags}
    assert managers <= {agent.name for agent in demo.agents if agent.on_shift}


def test_the_terminal_is_linked_to_one_customer(demo: Shop) -> None:
    assert [one.id for one in demo.customers if one.accounts] == ["maria"]
    assert demo.customers[0].accounts["telegram"] == "terminal"


def test_namesakes_and_a_customer_without_orders_are_there(demo: Shop) -> None:
    names = [customer.full_name for customer in demo.customers]
    assert len(names) > len(set(names))
    assert {customer.id for customer in demo.customers} - {order.customer for order in demo.orders}
