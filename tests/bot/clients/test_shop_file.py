"""The shop file: all keys of it, and all its mistakes at once, each with its line."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

import flows
from bot.clients import shop_file
from bot.clients.shop import Shop
from bot.clients.shop_file import ShopInvalid
from tests.bot.clients.conftest import NOW

Load = Callable[[str], Shop]

FULL = """
shop:
  name: "Лавочка"
  assistant_name: "Лада"
  return_addressee: "ООО «Лавка»"
  pickup_storage_days: 5
customers:
  - id: maria
    full_name: "Иванова Мария Петровна"
    phones: ["+79990001234"]
    settlement: "Тула"
    accounts: {telegram: c1, vk: c2}
    flags: [vip]
    loyalty_card: true
    manager: anna
    bank_user: true
    block: {by: security, reason_noted: true, conflict: false}
    accrual_required: false
orders:
  - number: "48213"
    customer: maria
    status: exported
    status_after_change: confirmed
    ordered_at: -9d
    delivery: post
    delivery_price: 300
    stage: line_haul
    tracking: "80082154312345"
    expected_arrival: +3d
    carrier: russian_post
    post_office: {name: "отделение 300000", address: "Тула, ул. Садовая, 1"}
    pickup_point: {name: "ПВЗ на Ленина", address: "Тула, пр. Ленина, 12", km: 1.2}
    recipient: "Иванова Мария Петровна"
    name_updates: true
    address: "300000, Тула, ул. Садовая, 5, кв. 12"
    items:
      - {name: "Сковорода 28 см", quantity: 1, price: 2990, size: null, color: null, gift: false, card: false, set: false, package: p1}
    total: 3290
    delivery_term_days: 4
    payment: on_delivery
    fully_prepaid: false
    cancel_reason: customer
    clarify: {about: size, comment: "уточнить размер"}
    partner: omega
    bought_out_at: -2d
    cancel_succeeds: true
    packages: [{id: p1, kind: standard, interval_minutes: null, warehouse: "…"}]
    company: false
returns:
  - {order: "48213", sent_at: -12d, tracking: "…"}
goods:
  - {name: "Сковорода 28 см", price: 2990, in_stock: true, colors: [красный], sizes: [], brief: "…"}
requests:
  - {number: T-901, customer: maria, topic: refund_status, order: "48213", queue: general, state: solved, solution: "…", at: -3d, due: null, agent: anna}
agents:
  - {name: anna, title: "Анна", queues: [general, fin_services_l2], skills: [b2b], on_shift: true, role: agent}
down: []
"""


def problems(load: Load, text: str) -> list[str]:
    with pytest.raises(ShopInvalid) as invalid:
        load(text)
    return [str(problem) for problem in invalid.value.problems]


class TestLoading:
    def test_every_key_of_the_format_is_read(self, load: Load) -> None:
        shop = load(FULL)
        [order] = shop.orders
        assert order.ordered_at == date(2026, 11, 12)
        assert order.expected_arrival == date(2026, 11, 24)
        assert order.items[0].price == Decimal(2990)
        assert shop.customers[0].block is not None
        assert shop.requests[0].at == datetime.fromisoformat("2026-11-17T22:30:00+00:00")

    def test_an_empty_file_is_an_empty_shop(self, load: Load) -> None:
        assert load("") == load("{}") == Shop()

    def test_the_keys_without_a_star_may_be_absent(self, load: Load) -> None:
        shop = load("""
customers: [{id: m, full_name: "Иванова Мария"}]
orders: [{number: "1", customer: m, status: new, ordered_at: 2026-11-01, delivery: post}]
""")
        assert shop.orders[0].name_updates
        assert shop.orders[0].ordered_at == date(2026, 11, 1)

    @pytest.mark.parametrize(
        ("written", "day"),
        [
            ("2026-11-01", date(2026, 11, 1)), ('"2026-11-01"', date(2026, 11, 1)), ("-0d", date(2026, 11, 21)),
            ("2026-11-01T23:00:00Z", date(2026, 11, 2)), ("2026-11-01T23:00:00+03:00", date(2026, 11, 1)),
        ],
    )  # fmt: skip
    def test_dates_are_days_of_the_shops_time_zone(self, load: Load, written: str, day: date) -> None:
        shop = load(f"""
customers: [{{id: m, full_name: "И М"}}]
orders: [{{number: "1", customer: m, status: new, ordered_at: {written}, delivery: post}}]
""")
        assert shop.orders[0].ordered_at == day

    def test_numbers_without_quotes_are_kept_as_written(self, load: Load) -> None:
        shop = load("""
customers: [{id: 7, full_name: "И М", phones: [+79990001234, 8 999 000-12-35]}]
orders: [{number: 0048213, customer: 7, status: new, ordered_at: -1d, delivery: post, tracking: 80082154312345}]
""")
        assert shop.orders[0].number == "0048213"
        assert shop.orders[0].tracking == "80082154312345"
        assert shop.customers[0].phones == ("+79990001234", "+79990001235")

    def test_the_shops_settings_go_over_the_packs(self, load: Load, pack: flows.Pack) -> None:
        changed = pack.with_settings(load(FULL).settings).manifest.settings
        assert (changed["shop_name"], changed["pickup_storage_days"]) == ("Лавочка", 5)
        assert changed["return_window_days"] == pack.manifest.settings["return_window_days"]


class TestMistakes:
    def test_all_come_at_once_with_their_lines(self, load: Load) -> None:
        found = problems(load, """shop: {nam: x, pickup_storage_days: three}
customers:
  - id: maria
    full_name: "Иванова Мария"
    phones: [abc]
    flags: [vip, vop]
    colour: red
orders:
  - number: "1"
    customer: petr
    status: sent
    delivery: donkey
    ordered_at: yesterday
    items:
      - {nme: x}
    carrier: pigeon
down: [net]
""")  # fmt: skip
        assert [problem.split(": ")[0] for problem in found] == [
            "shop.yml:1", "shop.yml:1", "shop.yml:5", "shop.yml:6", "shop.yml:7", "shop.yml:10", "shop.yml:11",
            "shop.yml:12", "shop.yml:13", "shop.yml:15", "shop.yml:15", "shop.yml:16", "shop.yml:17",
        ]  # fmt: skip
        assert any(
            "orders[1].delivery: 'donkey' is none of post, post_courier, courier, pickup" in one for one in found
        )
        assert any("customers[1].colour: unknown key; allowed are id, full_name" in one for one in found)
        assert any("handed_to_partner, or raw:…" in one for one in found)
        assert any("'pigeon' is no entry of the pack's directory; there are b2c, boxberry" in one for one in found)

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("customers: [{full_name: x}]", "shop.yml:1: customers[1].id: is missing"),
            ("customers:\n- {id: a, full_name: x}\n- {id: a, full_name: y}", "shop.yml:3: customers[2].id: 'a' stands here twice"),
            ("down: []\ndown: []", "shop.yml:2: 'down' stands here twice"),
            ("- a", "shop.yml:1: must be a mapping with the keys shop, customers"),
            ("customers: {a: b", "shop.yml:1: is no YAML"),
            ("returns: [{order: '9'}]", "returns[1].order: '9' is no order of this file; there are none"),
            ("agents: [{name: a, queues: [kitchen]}]", "agents[1].queues[1]: 'kitchen' is no queue of the pack; there are accruals"),
            ("requests: [{topic: weather}]", "requests[1].topic: 'weather' is no intent of the pack"),
            (
                "customers: [{id: a, full_name: x, manager: bob}]\nagents: [{name: anna}]",
                "customers[1].manager: 'bob' is no agent of this file; there are anna",
            ),
            (
                "customers: [{id: a, full_name: x, accounts: {vk: c1}}, {id: b, full_name: x, accounts: {vk: c1}}]",
                "customers[2].accounts.vk: 'c1' is linked to several customers",
            ),
            ("customers: [{id: a, full_name: x, accounts: {icq: c1}}]", "'icq' is none of telegram, vk"),
            ("shop: 5", "shop.yml:1: shop: "),
            ("orders: 5", "shop.yml:1: orders: "),
        ],
    )  # fmt: skip
    def test_each_is_one_sentence(self, load: Load, text: str, sentence: str) -> None:
        assert any(sentence in problem for problem in problems(load, text)), problems(load, text)

    def test_a_package_that_the_order_does_not_have(self, load: Load) -> None:
        text = FULL.replace("package: p1", "package: p2")
        assert any(
            "items[1].package: 'p2' is no package of this order; there are p1" in one for one in problems(load, text)
        )

    def test_a_file_that_cannot_be_read(self, tmp_path: Path, pack: flows.Pack) -> None:
        (tmp_path / "latin.yml").write_bytes("имя".encode("cp1251"))
        for name in ("none.yml", "latin.yml"):
            with pytest.raises(ShopInvalid, match=f"{name}:1: cannot be read"):
                shop_file.load(tmp_path / name, now=NOW, pack=pack)
