"""What dividing a message promises: requests are told apart, stories and manners are not taken for requests."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nlu import thresholds
from nlu.text.clauses import Ranking, Reading, divide
from nlu.text.clauses.bounds import bounds
from nlu.text.clauses.requests import LONGEST, MOST_BOUNDS, MOST_READ
from nlu.text.entities import extract
from nlu.text.normalise import normalise

WEIGHTS = thresholds.load().joining
KEYWORDS = {
    "посылк": "order_status",
    "вернёте": "refund_status",
    "оператор": "human_request",
    "скидк": "promo",
    "спасибо": "thanks",
    "привет": "greet",
}


class KeywordReader:
    """Reads by keywords: sure of one alone, in two minds about several, of the first above all."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def rank(self, text: str) -> Ranking:
        said = text.lower()
        named = [KEYWORDS[word] for word in sorted(KEYWORDS, key=said.find) if word in said]
        if not named:
            return [("product_question", 0.2), ("affirm", 0.1)]
        weights = [0.9] if len(named) == 1 else [0.7, *[0.3 / (len(named) - 1)] * (len(named) - 1)]
        return list(zip(named, weights, strict=True))

    def __call__(self, texts: Sequence[str]) -> list[Ranking]:
        self.asked += texts
        return [self.rank(text) for text in texts]


def requests(text: str, reader: KeywordReader | None = None) -> list[Reading]:
    reader = reader or KeywordReader()
    tokens = normalise(text).tokens
    return divide(text, tokens, extract(text, None, tokens), reader.rank(text), reader, WEIGHTS)


def cuts(text: str) -> list[str]:
    tokens = normalise(text).tokens
    return [text[cut.start :] for cut in bounds(text, tokens, extract(text, None, tokens))]


def signs(text: str, at: str) -> set[str]:
    tokens = normalise(text).tokens
    [cut] = [cut for cut in bounds(text, tokens, ()) if text[cut.start :].startswith(at)]
    return {name for name, sign in cut.signs.items() if sign}


class TestDivide:
    @pytest.mark.parametrize(
        "text",
        [
            "Где моя посылка? Когда вернёте деньги?",
            "где посылка и когда вернёте деньги",
            "где посылка когда вернёте деньги",
            "где моя посылка, а деньги когда вернёте",
        ],
    )
    def test_two_requests_are_told_apart_with_or_without_a_mark_between(self, text: str) -> None:
        assert {one.intent for one in requests(text)} == {"order_status", "refund_status"}

    def test_three_requests_are_told_apart(self) -> None:
        found = requests("Где посылка? Когда вернёте деньги? И дайте оператора!")
        assert [one.intent for one in found] == ["order_status", "refund_status", "human_request"]

    def test_the_parts_cover_the_message_in_order(self) -> None:
        text = "Где моя посылка? И когда вернёте 2 500 рублей?"
        first, second = requests(text)
        assert (first.start, second.end) == (0, len(text))
        assert first.end == second.start
        assert text[second.start :].startswith("И когда вернёте")

    @pytest.mark.parametrize("text", ["где моя посылка", "где посылка и где эта посылка", "слово", "", "а?!"])
    def test_one_request_stays_whole(self, text: str) -> None:
        found = requests(text)
        assert [(one.start, one.end) for one in found] == [(0, len(text))]

    def test_the_same_request_twice_is_one_reading(self) -> None:
        def read(texts: Sequence[str]) -> list[Ranking]:
            money: Ranking = [("refund_status", 0.999), ("order_status", 0.001)]
            parcel: Ranking = [("order_status", 0.999), ("refund_status", 0.0)]
            return [money if "деньги" in text else parcel for text in texts]

        text = "Где 12345? Когда деньги? И где 67890?"
        whole: Ranking = [("order_status", 0.6), ("refund_status", 0.4)]
        found = divide(text, normalise(text).tokens, (), whole, read, WEIGHTS)
        assert [(one.intent, text[one.start : one.end]) for one in found] == [
            ("order_status", "Где 12345? "),
            ("refund_status", "Когда деньги? "),
        ]

    @pytest.mark.parametrize("text", ["Спасибо! Где моя посылка?", "Привет, где посылка"])
    def test_manners_beside_a_request_are_dropped(self, text: str) -> None:
        reader = KeywordReader()
        manners: Ranking = [("thanks", 0.6), ("order_status", 0.4)]
        tokens = normalise(text).tokens
        found = divide(text, tokens, (), manners, reader, WEIGHTS)
        assert [one.intent for one in found] == ["order_status"]

    def test_manners_alone_are_what_is_said(self) -> None:
        assert [one.intent for one in requests("спасибо вам огромное")] == ["thanks"]

    def test_nothing_read_is_nothing_done(self) -> None:
        assert divide("", (), (), [], KeywordReader(), WEIGHTS) == []

    def test_a_message_that_its_parts_do_not_bear_out_stays_whole(self) -> None:
        text = "Где посылка, скидка была"
        tokens = normalise(text).tokens
        sure: Ranking = [("order_status", 1.0), ("promo", 0.0)]
        assert len(divide(text, tokens, (), sure, KeywordReader(), WEIGHTS)) == 1


class TestWhatIsRead:
    def test_of_many_places_only_the_best_are_read(self) -> None:
        reader = KeywordReader()
        text = "где же моя большая посылка с чашками ложками тарелками вилками и ещё чем-то важным"
        torn: Ranking = [("order_status", 0.5), ("promo", 0.4)]
        divide(text, normalise(text).tokens, (), torn, reader, WEIGHTS)
        assert len(reader.asked) == 2 * MOST_BOUNDS

    def test_of_a_message_that_cannot_be_two_requests_no_part_is_read(self) -> None:
        reader = KeywordReader()
        text = "где моя посылка"
        sure: Ranking = [("order_status", 1.0), ("promo", 0.0)]
        divide(text, normalise(text).tokens, (), sure, reader, WEIGHTS)
        assert reader.asked == []

    @pytest.mark.parametrize("times", [30, 100, 700])
    def test_what_is_read_of_a_long_message_is_bounded(self, times: int) -> None:
        reader = KeywordReader()
        text = "всё время жду " * times
        torn: Ranking = [("order_status", 0.5), ("promo", 0.4)]
        divide(text, normalise(text).tokens, (), torn, reader, WEIGHTS)
        assert sum(map(len, reader.asked)) <= MOST_READ
        assert bool(reader.asked) == (len(text) <= LONGEST)


class TestBounds:
    def test_a_place_inside_an_entity_is_none(self) -> None:
        assert not any(rest.startswith("456") for rest in cuts("Где заказ, телефон 8 916 123 456 78 мой"))

    @pytest.mark.parametrize(
        ("text", "never"),
        [("сколько стоит доставка в Омск", "Омск"), ("это не работает", "работает"), ("едет ли он", "ли")],
    )
    def test_nothing_ends_after_a_word_that_leans_on_the_next(self, text: str, never: str) -> None:
        assert not any(rest.startswith(never) for rest in cuts(text))

    def test_the_signs_tell_what_stands_between_and_what_opens(self) -> None:
        assert signs("Где посылка? Когда вернёте?", "Когда") == {"asked", "question", "both"}
        assert signs("жду посылку. верните деньги", "верните") == {"stop", "verb", "both"}
        assert signs("отмените заказ и ещё верните деньги", "и ещё") >= {"conjunction", "joint", "none", "both"}

    def test_the_full_stop_of_an_abbreviation_ends_no_sentence(self) -> None:
        assert "stop" not in signs("до ул. Ленина как дойти", "Ленина")
