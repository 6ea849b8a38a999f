"""What clause splitting promises: requests are told apart, stories and manners are not taken for requests."""

from __future__ import annotations

import pytest

from nlu.text.clauses import Clause, Reading, attach, join, split
from nlu.text.entities import extract

Ranking = list[tuple[str, float]]


def parts(text: str) -> list[str]:
    return [clause.text.strip() for clause in split(text, extract(text))]


def clauses_of(*texts: str) -> list[Clause]:
    clauses, start = [], 0
    for text in texts:
        clauses.append(Clause(start, start + len(text), text))
        start += len(text)
    return clauses


class TestSplit:
    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("где 123456 когда вернёте за 456789", 2),
            ("Где заказ 12345? И когда вернёте деньги за прошлый?", 2),
            ("отмените заказ 12345 и оформите новый", 2),
            ("как отменить подписку, кстати, дорогу до вас мне оплатят?", 2),
            ("1) когда следующий взнос 2) почему карта не проходит", 2),
            ("код не приходит\nи почту в профиле смените", 2),
            ("не пришла карта, а ещё промокод не работает", 2),
            ("верните деньги за чайник, заодно скажите, где мой диван", 2),
            ("отключите подписку и подскажите как вывести остаток", 2),
        ],
    )
    def test_two_requests_are_two_clauses(self, text: str, count: int) -> None:
        assert len(parts(text)) == count

    @pytest.mark.parametrize(
        "text",
        [
            "где мой заказ",
            "подскажите, когда приедет посылка",
            "Заказывала чайник, жду две недели, когда привезут?",
            "не знаю где мой заказ и что с ним",
            "жду когда вернут деньги",
            "как на ул. Ленина д. 5 попасть",
            "впишите не Анфиса, а Алиса",
        ],
    )
    def test_one_request_stays_whole(self, text: str) -> None:
        assert len(parts(text)) == 1

    def test_a_sentence_that_says_nothing_alone_stays_with_the_one_before(self) -> None:
        assert len(parts("Мне обещали баллы за задержку. Где они?")) == 1

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "   ",
            "Привет! Где заказ 12-345? Иванова Мария Петровна, тел. 8 916 123-45-67. И ещё вопрос: как вернуть чайник",
            "1. где 2. когда 3. сколько",
        ],
    )
    def test_clauses_cover_the_message_and_cut_no_entity(self, text: str) -> None:
        entities = extract(text)
        clauses = split(text, entities)
        assert "".join(clause.text for clause in clauses) == text
        assert all(text[clause.start : clause.end] == clause.text for clause in clauses)
        for entity in entities:
            assert any(clause.start <= entity.start and entity.end <= clause.end for clause in clauses)


class TestJoin:
    def test_two_sure_requests_are_two_readings_in_order(self) -> None:
        clauses = clauses_of("Где заказ 12345? ", "Как вернуть чайник?")
        whole: Ranking = [("return_terms", 0.5), ("order_status", 0.4)]
        rankings: list[Ranking] = [[("order_status", 0.9)], [("return_terms", 0.9)]]
        assert [(r.intent, r.clauses) for r in join(whole, clauses, rankings)] == [
            ("order_status", (0,)),
            ("return_terms", (1,)),
        ]

    def test_the_same_intent_twice_is_one_reading(self) -> None:
        clauses = clauses_of("Где 12345? ", "И где 67890?")
        rankings: list[Ranking] = [[("order_status", 0.9)], [("order_status", 0.8)]]
        assert [r.intent for r in join([("order_status", 0.95)], clauses, rankings)] == ["order_status"]

    @pytest.mark.parametrize("manners", ["greet", "thanks", "affirm", "goodbye"])
    def test_manners_beside_a_request_are_dropped(self, manners: str) -> None:
        clauses = clauses_of("Так. ", "Где мой заказ?")
        rankings: list[Ranking] = [[(manners, 0.99)], [("order_status", 0.9)]]
        readings = join([(manners, 0.6), ("order_status", 0.4)], clauses, rankings)
        assert [r.intent for r in readings] == ["order_status"]

    def test_manners_alone_are_what_is_said(self) -> None:
        assert [r.intent for r in join([("thanks", 0.9)], clauses_of("спасибо"), [[("thanks", 0.9)]])] == ["thanks"]

    def test_a_story_counts_only_when_it_is_sure(self) -> None:
        clauses = clauses_of("Прислали чужой чайник на той неделе. ", "Когда вернёте деньги?")
        whole: Ranking = [("refund_status", 0.7), ("return_wrong_item", 0.2)]
        unsure: list[Ranking] = [[("return_wrong_item", 0.4), ("order_status", 0.4)], [("refund_status", 0.9)]]
        assert [r.intent for r in join(whole, clauses, unsure, story=0.9)] == ["refund_status"]
        sure: list[Ranking] = [[("return_wrong_item", 0.95)], [("refund_status", 0.9)]]
        assert [r.intent for r in join(whole, clauses, sure, story=0.9)] == ["return_wrong_item", "refund_status"]

    def test_a_whole_message_that_is_sure_enough_is_one_request(self) -> None:
        clauses = clauses_of("Где 12345? ", "Верните деньги!")
        rankings: list[Ranking] = [[("order_status", 0.9)], [("refund_status", 0.9)]]
        assert len(join([("refund_status", 0.99)], clauses, rankings, whole=0.98)) == 1

    def test_nothing_read_is_nothing_done(self) -> None:
        assert join([], [], []) == []


class TestAttach:
    def test_an_entity_belongs_to_the_intent_of_its_clause(self) -> None:
        text = "Где заказ 12345? Верните 2 500 рублей!"
        entities = extract(text)
        readings = [Reading("order_status", 0.9, (0,)), Reading("refund_status", 0.9, (1,))]
        assert attach(entities, split(text, entities), readings) == [0, 1]

    def test_an_entity_of_the_story_belongs_to_the_nearest_request(self) -> None:
        clauses = clauses_of("Заказ 12345 ждала долго. ", "Где он? ", "Как сменить телефон?")
        entities = extract(clauses[0].text)
        readings = [Reading("order_status", 0.9, (1,)), Reading("account_change", 0.9, (2,))]
        assert attach(entities, clauses, readings)[0] == 0

    def test_without_readings_an_entity_belongs_to_none(self) -> None:
        assert attach(extract("заказ 12345"), split("заказ 12345"), []) == [None]
