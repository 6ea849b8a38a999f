"""Titles: what agents read for the code names of a pack, and what is wrong with them."""

from __future__ import annotations

import pytest

import flows
from flows import check
from flows.check_titles import CHECKS
from flows.pack import Pack, Titles
from flows.svg import svg
from flows.titles import flow_title, known_title, table_title, value_words
from flows.words import condition_text, readable


@pytest.fixture(scope="module")
def pack() -> Pack:
    return flows.load_shipped("shop")


def test_a_flow_has_its_own_title_or_that_of_its_intent(pack: Pack) -> None:
    assert flow_title(pack, "identify") == "Кто пишет"
    assert flow_title(pack, "order_status") == pack.intents["order_status"].title
    assert flow_title(pack, "nothing") is None


def test_a_table_has_its_own_title_or_that_of_the_flow_of_its_name(pack: Pack) -> None:
    assert table_title(pack, "escalation") == "Чья это линия"
    assert table_title(pack, "order_status") == flow_title(pack, "order_status")


def test_a_path_is_told_by_what_it_leads_through(pack: Pack) -> None:
    assert known_title(pack, "order.address") == "заказ: адрес"
    assert known_title(pack, "call_time") == "когда звонить"  # as in the summary
    assert known_title(pack, "order.nonsense") is None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("status", "exported", "отправлен"), ("topic", "order_cancel", "«Отменить заказ»"),
        ("handing_to", "general", "«Общая линия»"), ("cancelled_how", "refused", "CRM не приняла"),
        ("bought_out_at", "2026-11-03", "03.11.2026"), ("bought_out_at", "2026-11-03T10:00:00+03:00", "03.11.2026"),
        ("call_number", "$known_number", "известный номер"), ("new_address", "Тула, ул. Мира, 7", "Тула, ул. Мира, 7"),
    ],
)  # fmt: skip
def test_values_are_told_in_words(pack: Pack, name: str, value: str, told: str) -> None:
    assert value_words(pack, name, value) == told


@pytest.mark.parametrize(
    ("name", "wants", "told"),
    [
        ("stage", {"not": "arrived"}, "где посылка: не прибыл в город"),
        ("arrival_overdue", ">0", "опаздывает, дней > 0"),
        ("order_number", {"known": True}, "номер заказа: известно"),
        ("any", [{"in_transit": True}, {"misses": ">=2"}], "уже в пути: да или не понято подряд ≥ 2"),
    ],
)
def test_conditions_are_told_without_code_names(pack: Pack, name: str, wants: object, told: str) -> None:
    assert condition_text(pack, name, wants, titled=True) == told


def test_a_drawing_for_agents_has_titles_alone(pack: Pack) -> None:
    drawn = svg(pack, "callback", titled=True)
    assert "Обратный звонок" in drawn
    assert not [name for name in ("call_number", "number_confirmed", "ask_call_time", "senior_now") if name in drawn]
    assert "call_number" in svg(pack, "callback")
    assert readable("заказ {order.number|lower}", pack) == "заказ {заказ: номер}"


def test_a_pack_without_titles_shows_its_names(pack: Pack) -> None:
    bare = pack.model_copy(update={"titles": Titles()})
    assert condition_text(bare, "in_transit", True, titled=True) == "in_transit: да"
    assert [str(problem) for one in CHECKS for problem in one(bare)] == []


@pytest.mark.parametrize(
    ("update", "told"),
    [
        ({"flows": {"identfy": "Кто"}}, "there is no flow 'identfy'; did you mean 'identify'?"),
        ({"known": {"ordr": "заказ"}}, "there is no value 'ordr'"),
        ({"known": {}}, "fact 'in_transit': is shown to agents and has no title"),
        ({"flows": {}}, "flow 'callback': has no title"),
        ({"tables": {}}, "table 'escalation': has no title"),
    ],
)
def test_what_is_wrong_is_told(pack: Pack, update: dict[str, dict[str, str]], told: str) -> None:
    wrong = pack.model_copy(update={"titles": pack.titles.model_copy(update=update)})
    found = [str(problem) for one in CHECKS for problem in one(wrong)]
    assert any(told in problem for problem in found), found


def test_the_shipped_ones_are_sound(pack: Pack) -> None:
    assert [str(problem) for one in CHECKS for problem in one(pack)] == []
    assert set(CHECKS) <= set(check.CHECKS)
