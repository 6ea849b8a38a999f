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
    def test_every_intent_of_the_pack_has_training_messages_and_no_other_has(self) -> None:
        inventory = yaml.safe_load((ROOT / "flows/packs/shop/intents.yml").read_text(encoding="utf-8"))
        inventory.pop("entities")
        known = {intent for group in inventory.values() for intent in group}
        assert {example.intent for example in corpus.training(ROOT / "nlu/data")} == known

    def test_no_long_held_out_message_is_trained_on(self) -> None:
        trained = {example.text.casefold() for example in corpus.training(ROOT / "nlu/data")}
        held = [example for example in corpus.held_out(ROOT / "nlu/tests", "heldout_*.yml") if len(example.text) > 40]
        assert [example.text for example in held if example.text.casefold() in trained] == []
