"""What a message is about."""

from __future__ import annotations

import pytest

from nlu.core.focus import focus
from nlu.text.normalise import normalise


class TestFocus:
    @pytest.mark.parametrize(
        ("text", "left"),
        [
            ("Привет, когда придёт заказ", "когда придет заказ"),
            ("Добрый день! Меня зовут Анна Петрова, где мой заказ?", "где мой заказ?"),
            ("хочу отменить заказ, меня зовут иван петров", "хочу отменить заказ, "),
            ("ghbdtn? rjulf ghbltn pfrfp", "когда придет заказ"),
        ],
    )
    def test_greeting_and_introduction_are_left_out(self, text: str, left: str) -> None:
        assert focus(normalise(text))[0].strip() == left.strip()

    @pytest.mark.parametrize("text", ["Привет", "Добрый день всем", "меня зовут Иван Петров", "где заказ", ""])
    def test_a_message_of_nothing_else_stays(self, text: str) -> None:
        assert focus(normalise(text))[0] == normalise(text).text

    def test_the_words_left_keep_their_places(self) -> None:
        text = "Здравствуйте, где заказ 12345"
        assert [text[token.start : token.end] for token in focus(normalise(text))[1]] == ["где", "заказ", "12345"]
