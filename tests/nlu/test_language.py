"""Marks of a message's writing."""

from __future__ import annotations

import pytest

from nlu.core.language import is_gibberish, marks


class TestMarks:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("где мой заказ", ()),
            ("where is my order", ("<mostly_latin>", "<english>")),
            ("де моє замовлення", ("<some_ukrainian>",)),
            ("我的订单在哪里", ("<other_script>",)),
            ("❤❤", ("<wordless>",)),
        ],
    )
    def test_tell_the_scripts_of_a_text(self, text: str, expected: tuple[str, ...]) -> None:
        found = marks(text)
        assert set(expected) <= set(found)


class TestGibberish:
    @pytest.mark.parametrize("words", [["фывапролд"], ["ыыыыы"], ["asdfghjkl"], ["ghjklj", "zmxn"], ["jjjjkkkk"]])
    def test_words_that_are_none_are_gibberish(self, words: list[str]) -> None:
        assert is_gibberish(words)

    @pytest.mark.parametrize("words", [["заказ"], ["фывап", "заказ"], ["hello"], ["48213"], [], ["我的订单"]])
    def test_one_real_word_is_enough(self, words: list[str]) -> None:
        assert not is_gibberish(words)
