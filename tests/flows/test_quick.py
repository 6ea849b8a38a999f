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
    assert known["order_total"].texts == ("Сумма заказа № 48213 вместе с доставкой: 1\xa0490 ₽.",)
    assert known["hello"].texts[0].startswith("Здравствуйте, Мария Петровна! Меня зовут Анна")
    assert "80091234567890" in known["order_tracking"].texts[0]


def test_those_of_the_topic_come_first_and_what_cannot_be_said_last(pack: Pack) -> None:
    known = list(filled(pack, {"customer": CARD, "orders": [ORDER]}, topic="return_defect").values())
    places = [(one.fits, bool(one.texts)) for one in known]
    assert places == sorted(places, reverse=True)
    assert {*places} == {(True, True), (False, True), (False, False)}


# a phrase, what the order is like, and what it says then (or what is lacking, behind a dash)
STATES: list[tuple[str, dict[str, Any], str]] = [
    ("order_arrival", {"tracked": "2026-11-23"}, "ждём его примерно 23 ноября. О прибытии сообщат СМС и извещение с почты."),
    ("order_arrival", {"tracked": "2026-11-18"}, "— посылка в пути, у которой срок ещё не прошёл"),
    ("order_arrival", {"stage": "arrived"}, "— посылка в пути, у которой срок ещё не прошёл"),
    ("order_arrival", {"delivery": "courier", "expected_arrival": "2026-11-21"}, "21 ноября. О времени доставки договорится"),
    ("order_delayed", {"tracked": "2026-11-18"}, "едет дольше, чем мы обещали"),
    ("order_delayed", {"tracked": "2026-11-23"}, "— посылка в пути, у которой срок прошёл"),
    ("order_tracking", {"bought_out": True}, "— посылка, которую ещё не получили"),
    ("order_tracking", {"stage": "none", "tracking": None}, "— трек-номер"),
    ("order_made_ready", {"stage": "none"}, "готовим к отправке"),
    ("order_awaited", {"status": "buffer", "stage": None}, "в течение 5–7 дней"),
    ("order_at_post", {"stage": "arrived"}, "ждёт вас на почте: отделение 300000, Тула, ул. Садовая, 1."),
    ("order_at_post", {}, "— посылка, прибывшая на почту"),
    ("order_at_pickup", {"stage": "arrived", "delivery": "pickup"}, "ПВЗ на Ленина, Тула, пр. Ленина, 12. Хранится он там 3 дня."),
    ("order_at_pickup", {"delivery": "pickup"}, "— посылка, прибывшая в пункт выдачи"),
    ("order_at_pickup", {"status": "cancelled", "delivery": "pickup"}, "— посылка, прибывшая в пункт выдачи"),
    ("order_with_courier", {"delivery": "courier", "carrier": "cdek"}, "привезёт курьер службы СДЭК."),
    ("order_handed_over", {"bought_out": True, "bought_out_at": "2026-11-18"}, "вручён 18 ноября."),
    ("order_total", {"paid_by": "on_delivery"}, "1 490 ₽. Оплата при получении."),
    ("order_total", {"paid_by": "on_delivery", "bought_out": True}, "1 490 ₽."),
    ("order_paid", {"fully_prepaid": True}, "оплачен полностью"),
    ("order_paid", {}, "— полностью оплаченный заказ"),
    ("order_cannot_cancel", {}, "Если он не нужен, сходите на почту и напишите там отказ от посылки. Штрафов за это нет."),
    ("order_cannot_cancel", {"status": "confirmed", "stage": None}, "— посылка в пути"),
    ("order_cancelled", {}, "— заказ, который ещё не отправлен"),
    ("order_cancelled", {"status": "cancelled", "stage": None}, "заказ № 48213 отменён"),
    ("order_changed", {"status": "confirmed", "stage": None}, "Теперь в нём: Чайник. Сумма вместе с доставкой: 1 490 ₽."),
    ("order_changed", {}, "— заказ, который ещё можно изменить"),
    (
        "order_address_changed", {"status": "confirmed", "stage": None, "delivery": "pickup", "address": None},
        "теперь поедет в пункт выдачи: ПВЗ на Ленина, Тула, пр. Ленина, 12.",
    ),
    ("return_window", {"bought_out": True, "bought_out_at": "2026-11-18"}, "это по 2 декабря включительно"),
    ("return_window", {"bought_out": True, "bought_out_at": "2026-10-18"}, "вместе с упаковкой."),
    ("return_review_till", {"returned": "2026-11-08"}, "последний день — 8 декабря."),
    ("return_review_till", {"returned": "2026-10-08"}, "— отправленный возврат, срок которого ещё идёт"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "order", "told"), STATES)
def test_a_phrase_is_said_only_of_an_order_of_which_it_is_true(
    pack: Pack, name: str, order: dict[str, Any], told: str
) -> None:
    state = {
        **ORDER, "bought_out": False, "fully_prepaid": False,
        "post_office": {"name": "отделение 300000", "address": "Тула, ул. Садовая, 1"},
        "pickup_point": {"name": "ПВЗ на Ленина", "address": "Тула, пр. Ленина, 12"}, **order,
    }  # fmt: skip
    answers = {
        "customer": CARD, "orders": [state], "tracking": {"expected_arrival": state.pop("tracked", None)},
        "returns": [{"order": "48213", "sent_at": day}] if (day := state.pop("returned", None)) else [],
    }  # fmt: skip
    found = filled(pack, answers)[name]
    said = found.texts[0].replace("\xa0", " ") if found.texts else f"— {', '.join(found.missing)}"
    assert said == told if told.startswith("—") else told in said
    assert "{" not in said
    assert not said.endswith(" ")


def test_what_is_missing_has_a_name_and_optional_parts_are_left_out(pack: Pack) -> None:
    known = filled(pack, {"customer": None, "orders": []})
    assert known["order_total"].texts == ()
    assert known["order_total"].missing == ("номер заказа", "сумма заказа")
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
        ({"text": "Посылка приехала", "when": {"stage": "arrived"}}, "has only one of `when` and `needs`"),
        ({"text": "Посылка приехала", "needs": "посылка"}, "has only one of `when` and `needs`"),
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
