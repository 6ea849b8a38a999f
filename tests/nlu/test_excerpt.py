"""What of a long message is read for its meaning."""

from __future__ import annotations

import pytest

from nlu.text.excerpt import BEGINNING, END, excerpt


class TestExcerpt:
    @pytest.mark.parametrize("text", ["", "   ", "\0"])
    def test_is_never_empty(self, text: str) -> None:
        assert excerpt(text) == "."

    def test_a_message_of_usual_length_is_read_whole(self) -> None:
        text = "где мой заказ " * 40
        assert excerpt(text) == text.strip()

    def test_of_a_letter_the_beginning_and_the_end_are_read(self) -> None:
        text = "Здравствуйте! " + "такая история " * 700 + "Где мой заказ?"
        read = excerpt(text)
        assert len(read) <= BEGINNING + END + 3
        assert read.startswith("Здравствуйте!")
        assert read.endswith("Где мой заказ?")
