"""Reading the training and held-out messages."""

from __future__ import annotations

from pathlib import Path

import yaml

from nlu import corpus
from nlu.corpus import Span

ROOT = Path(__file__).resolve().parents[2]


class TestAnnotations:
    def test_an_annotation_gives_a_span_in_the_plain_text(self) -> None:
        text, spans = corpus.read_annotated("где [12 345](order_number), [Аня](person_name)?")
        assert text == "где 12 345, Аня?"
        assert spans == (Span("order_number", "12 345", 4, 10), Span("person_name", "Аня", 12, 15))

    def test_an_annotation_with_a_value_is_read_too(self) -> None:
        text, spans = corpus.read_annotated('пришлите [завтра]{"entity": "date", "value": "2026-11-23"}')
        assert text == "пришлите завтра"
        assert spans == (Span("date", "завтра", 9, 15),)

    def test_brackets_without_an_entity_stay(self) -> None:
        assert corpus.read_annotated("размер [L] (синий)")[0] == "размер [L] (синий)"


class TestShippedData:
    def test_the_intents_of_the_pack_have_training_messages_and_so_has_asking_nothing(self) -> None:
        inventory = yaml.safe_load((ROOT / "flows/packs/shop/intents.yml").read_text(encoding="utf-8"))
        inventory.pop("entities")
        known = {intent for group in inventory.values() for intent in group}
        assert {example.intent for example in corpus.training(ROOT / "nlu/data")} == known | {"nothing"}

    def test_half_of_the_messages_do_without_the_obvious_word_and_a_third_are_long(self) -> None:
        words = corpus.obvious(ROOT / "nlu/obvious_words.yml")
        trained = corpus.make_up(corpus.training(ROOT / "nlu/data"), words)
        held = corpus.make_up(corpus.held_out(ROOT / "nlu/tests", "heldout_*.yml"), words)
        assert trained["indirect"] > 0.5
        assert trained["long"] > 1 / 3
        assert held["indirect"] > 0.5
        assert held["long"] > 0.4
        assert min(trained["intents"].values()) > 0.2

    def test_an_obvious_word_is_found_at_a_words_beginning_only(self, tmp_path: Path) -> None:
        (tmp_path / "words.yml").write_text("refund_status: [деньг]\n", "utf-8")
        words = corpus.obvious(tmp_path / "words.yml")
        texts = ["Деньги когда", "безденьгие какое-то", "гдё моё", "gde dengi"]
        assert corpus.make_up([corpus.Example(text, ("refund_status",)) for text in texts], words)["indirect"] == 2 / 3

    def test_no_long_held_out_message_is_trained_on(self) -> None:
        trained = {example.text.casefold() for example in corpus.training(ROOT / "nlu/data")}
        held = [example for example in corpus.held_out(ROOT / "nlu/tests", "heldout_*.yml") if len(example.text) > 40]
        assert [example.text for example in held if example.text.casefold() in trained] == []
