"""Quick phrases: filled with what is known, asked for what is not, checked like everything that customers read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import flows
from flows import check
from flows.check_quick import CHECKS
from flows.pack import Pack, Quick

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
ORDER = {
    "number": "48213", "status": "exported", "stage": "line_haul", "delivery": "post", "ordered_at": "2026-11-10",
    "tracking": "80091234567890", "items": [{"name": "Чайник", "quantity": 1}], "total": 1490, "address": "Тула, Мира, 1",
}  # fmt: skip
CARD = {"id": "maria", "full_name": "Иванова Мария Петровна", "phones": ["+79990000001"], "flags": []}


@pytest.fixture(scope="module")
def pack() -> Pack:
    return flows.load_shipped("shop")


def filled(pack: Pack, answers: dict[str, Any], **more: Any) -> dict[str, flows.Filled]:
    """The phrases of Maria's request, the shop's systems answering so."""
    state = flows.state_from_json(
        {
            "slots": {
                "name_confirmed": True,
                "full_name": "Мария Иванова",
                "order_number": "48213",
                "phone": "+79990000001",
            }
        }
    )
    request = flows.OpenRequest(number="T-1001", state="assigned", queue="general", agent="Анна")
    turn = flows.Turn(now=NOW, seed=1, channel="telegram", chat="c1", state=state, request=request)
    for _ in range(10):
        found = flows.fill_quick(pack, turn, **more)
        if not found.lookups:
            return {one.name: one for one in found.phrases}
        turn = turn.with_facts({one: answers.get(one.source) for one in found.lookups})
    raise AssertionError("endless")


def test_the_orders_data_stand_in_them(pack: Pack) -> None:
    known = filled(pack, {"customer": CARD, "orders": [ORDER]}, topic="order_status")
    assert known["order_seen"].texts == ("Вижу ваш заказ № 48213 от 10 ноября: Чайник.",)
    assert known["hello"].texts[0].startswith("Здравствуйте, Мария Петровна! Меня зовут Анна")
    assert "80091234567890" in known["order_tracking"].texts[0]


def test_those_of_the_topic_come_first(pack: Pack) -> None:
    known = list(filled(pack, {"customer": CARD, "orders": [ORDER]}, topic="return_defect").values())
    fits = [one.fits for one in known]
    assert fits == sorted(fits, reverse=True)
    assert any(fits)


def test_what_is_missing_has_a_name_and_optional_parts_are_left_out(pack: Pack) -> None:
    known = filled(pack, {"customer": None, "orders": []})
    assert known["order_tracking"].texts == ()
    assert known["order_tracking"].missing == ("номер заказа", "трек-номер")
    assert known["hello"].texts[0].startswith("Здравствуйте! Меня зовут Анна")


def test_the_snapshot_of_the_order_is_better_than_nothing(pack: Pack) -> None:
    known = filled(pack, {"customer": None}, order={"number": "48213"})
    assert known["refund_checking"].texts[0].startswith("Проверяю возврат по заказу № 48213.")


def test_the_shop_has_phrases_for_the_usual_topics(pack: Pack) -> None:
    assert len(pack.quick) >= 40
    assert 2 <= sum(one.hold for one in pack.quick.values()) <= 3
    served = {topic for one in pack.quick.values() for topic in one.topics}
    assert {"order_status", "order_cancel", "return_defect", "refund_status", "payment_problem", "tech_issue"} <= served


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"text": "Заказ {ordr.number}"}, "there is no value 'ordr.number'"),
        ({"text": "{order.number|shout}"}, "there is no filter 'shout'"),
        ({"text": "Трек {tracking.number}"}, "give it a title in the directory labels_quick"),
        ({"text": "Добрый день", "topics": ["order_statu"]}, "there is no intent 'order_statu'"),
        ({"text": "Добрый день", "title": "здравствуйте"}, "has the title of 'hello'"),
        ({"text": "Смотрю заказ {order.number}", "hold": True}, "asks for patience at once"),
        ({"text": "Передаю супервайзеру"}, "says what must never be said"),
        ({"text": "а" * 4000}, "has 4000 characters"),
    ],
)
def test_what_is_wrong_is_told(pack: Pack, wrong: dict[str, Any], told: str) -> None:
    made = Quick.model_validate({"title": "Проба", **wrong})
    content = pack.model_copy(update={"quick": {**pack.quick, "trial": made}})
    found = [str(problem) for one in CHECKS for problem in one(content)]
    assert any(told in problem and "'trial'" in problem for problem in found), found


def test_the_shipped_ones_are_sound(pack: Pack) -> None:
    assert [str(problem) for one in CHECKS for problem in one(pack)] == []
    assert set(CHECKS) <= set(check.CHECKS)
