"""Questions of agents whose answer is on record, by the words of the shop pack (L2-12)."""

from __future__ import annotations

import pytest

import flows
from bot.repeats import _known, asked

RECORD = {
    "orders": [], "customer": {"identified_by": "account"}, "collected": {}, "slots": {"order_number": "48213"},
}  # fmt: skip


@pytest.mark.rule("L2-12")
@pytest.mark.parametrize(
    ("reply", "known"),
    [
        ("Здравствуйте! Подскажите номер заказа?", ["order"]),
        ("О каком заказе речь?", ["order"]),
        ("Как вас зовут?", ["name"]),
        ("Назовите ваш телефон?", ["phone"]),
        ("Ваше имя и номер телефона?", ["name", "phone"]),
        ("Заказ 48213 вижу. Когда удобно получить?", []),
        ("Номер заказа вижу, спасибо.", []),
        ("Какой размер вам нужен?", []),
    ],
)
def test_what_the_shop_knows_need_not_be_asked(reply: str, known: list[str]) -> None:
    pack = flows.load_shipped("shop")
    assert [name for question in asked(reply) for name in _known(pack, RECORD, question)] == known


def test_what_is_not_known_may_be_asked() -> None:
    pack = flows.load_shipped("shop")
    nothing = {"orders": [], "customer": {"identified_by": None}, "collected": {}, "slots": {}}
    assert _known(pack, nothing, "номер заказа") == _known(pack, nothing, "как вас зовут") == []


def test_only_questions_count_and_each_by_itself() -> None:
    assert asked("Здравствуйте! Какой размер?\nА цвет? Спасибо.") == ["какой размер", "а цвет"]
