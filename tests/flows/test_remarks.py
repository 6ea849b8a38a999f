"""What counts as a mark and as words about it, in the shop's own words and with the readings that its model gives."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

import flows

NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PACK = flows.load_shipped("shop")


def turn(text: str, *read: tuple[str, float] | str, verdict: str = "sure", **more: object) -> flows.Turn:
    intents = tuple(flows.Reading(one, 0.95) if isinstance(one, str) else flows.Reading(*one) for one in read)
    found = flows.Parse(
        text=text, intents=intents if verdict == "sure" else (), ranking=intents, verdict=flows.Verdict(verdict)
    )
    return flows.Turn(now=NOW, text=text, **{"parse": found, **more})  # type: ignore[arg-type]


def said(text: str, *read: tuple[str, float] | str, for_words: bool = True, **more: object) -> flows.Remark | None:
    return flows.remark(PACK, turn(text, *read, **more), for_words=for_words)  # type: ignore[arg-type]


@pytest.mark.rule("KPI-03")
class TestMark:
    @pytest.mark.parametrize(
        ("text", "mark"),
        [
            ("5", 5), ("Пять", 5), ("пятёрка!", 5), ("5+", 5), ("твёрдая четвёрка", 4), ("ставлю 3", 3), ("на 4 с минусом", 4),
            ("5 из 5", 5), ("2 балла", 2), ("двойка", 2), ("1", 1), ("Оценка 5", 5), ("5 звёзд", 5),
        ],
    )  # fmt: skip
    def test_it_may_be_written_in_many_ways(self, text: str, mark: int) -> None:
        assert said(text, for_words=False, verdict="not_understood") == flows.Remark(mark=mark)

    def test_words_after_it_are_kept(self) -> None:
        assert said("5, всё супер", for_words=False) == flows.Remark(mark=5, comment="всё супер")
        assert said("Два. Очень долго отвечали", for_words=False) == flows.Remark(
            mark=2, comment="Очень долго отвечали"
        )

    @pytest.mark.parametrize(
        "text",
        ["48213", "5 заказов не пришли", "5 дней жду деньги", "5, а где мой заказ?", "55", "два товара не хватает", "1 товар вернуть"],
    )  # fmt: skip
    def test_a_number_in_a_question_is_no_mark(self, text: str) -> None:
        assert said(text, "order_status", for_words=False) is None

    def test_after_the_mark_was_given_a_number_is_none(self) -> None:
        assert said("5", verdict="not_understood") == flows.Remark(comment="5")

    def test_praise_in_place_of_a_mark_is_a_comment(self) -> None:
        assert said("супер", ("supervisor_request", 0.76), for_words=False) == flows.Remark(comment="супер")
        assert said("спасибо", "thanks", for_words=False) is None


@pytest.mark.rule("KPI-05")
class TestWords:
    @pytest.mark.parametrize(
        ("text", "read", "verdict"),
        [
            ("Анна молодец, всё быстро объяснила", [("thanks", 1.0)], "sure"),
            ("всё супер", [("supervisor_request", 0.55)], "sure"),
            ("вежливо и быстро", [("bot_challenge", 0.92)], "sure"),
            ("ответили через два часа", [("flex_delivery", 1.0)], "sure"),
            ("специалист не разобрался", [("cancel_request", 0.99)], "sure"),
            ("всё хорошо, только ждать долго пришлось", [("order_status", 0.79)], "sure"),
            ("отличный сервис, буду рекомендовать", [("thanks", 0.98)], "sure"),
            ("хорошо работаете, так держать", [("affirm", 0.99)], "sure"),
            ("очень долго ждала, но всё решили", [("cancel_request", 0.28)], "not_understood"),
            ("могли бы и побыстрее", [("insult", 0.28)], "not_understood"),
            ("как всегда отлично", [("thanks", 0.13)], "not_understood"),
            ("грубо ответили", [("complaint_staff", 0.4), ("not_helpful", 0.38)], "ambiguous"),
            ("по существу и без воды", [], "not_understood"),
        ],
    )
    def test_what_judges_how_one_was_served_is_a_comment(
        self, text: str, read: list[tuple[str, float]], verdict: str
    ) -> None:
        assert said(text, *read, verdict=verdict) == flows.Remark(comment=text)

    @pytest.mark.parametrize(
        ("text", "read", "verdict"),
        [
            ("где мой заказ 48213", ["order_status"], "sure"),
            ("а когда деньги вернёте", ["refund_status"], "sure"),
            ("Анна молодец, но деньги так и не вернули", ["refund_status"], "sure"),
            ("молодцы, а возврат верните", ["refund_status"], "sure"),
            ("спасибо, и ещё хочу вернуть пальто", ["thanks", "return_disliked"], "sure"),
            ("хочу вернуть пальто", ["return_disliked"], "sure"),
            ("позовите оператора", ["human_request"], "sure"),
            ("оператор хамил", ["complaint_staff"], "sure"),
            ("всё супер?", ["affirm"], "sure"),
            ("спасибо", ["thanks"], "sure"),
            ("долго ещё ждать посылку", ["order_status"], "sure"),
            ("заказ", [("order_status", 0.4), ("order_new", 0.3)], "ambiguous"),
            ("а мой заказ как же", [], "not_understood"),
            ("помогите с доставкой", [], "not_understood"),
            ("что теперь делать", [], "not_understood"),
            ("👍", [], "not_understood"),
        ],
    )
    def test_what_wants_an_answer_is_none(self, text: str, read: list[tuple[str, float] | str], verdict: str) -> None:
        assert said(text, *read, verdict=verdict) is None

    @pytest.mark.parametrize(
        ("text", "read"),
        [("нет", "deny"), ("Нет, спасибо.", "deny"), ("потом", "goodbye"), ("без комментариев", "authority_request"), ("ни к чему", "deny")],
    )  # fmt: skip
    def test_a_no_is_a_no(self, text: str, read: str) -> None:
        assert said(text, read) == flows.Remark(declined=True)

    def test_what_is_not_solved_goes_back(self) -> None:
        text = "так вопрос и не решили"
        assert said(text, "not_helpful") == flows.Remark(back=True, comment=text)

    @pytest.mark.parametrize(
        "more",
        [
            {"press": "yes"}, {"stale_press": True}, {"contact": "+79990001234"}, {"edited": True}, {"parse": None},
            {"attachments": (flows.Attachment("photo"),)},
        ],
    )  # fmt: skip
    def test_presses_files_and_edits_are_none_nor_what_nobody_could_read(self, more: dict[str, object]) -> None:
        assert said("супер", "affirm", **more) is None


def test_a_pack_without_marks_hears_none() -> None:
    manifest = PACK.manifest.model_copy(update={"marks": None})
    assert flows.remark(PACK.model_copy(update={"manifest": manifest}), turn("супер", "affirm"), for_words=True) is None
