"""What of a long message is read for its meaning."""

from __future__ import annotations

import pytest

from nlu.text.excerpt import BEGINNING, END, FIRST_WORDS, LAST_WORDS, WHOLE, excerpt, telling


class TestExcerpt:
    @pytest.mark.parametrize("text", ["", "   ", "\0"])
    def test_is_never_empty(self, text: str) -> None:
        assert excerpt(text) == "."

    def test_a_message_of_usual_length_is_read_whole(self) -> None:
        text = ("где мой заказ " * 60)[:WHOLE]
        assert excerpt(text) == text.strip()

    def test_of_a_letter_the_beginning_and_the_end_are_read(self) -> None:
        text = "Здравствуйте! " + "такая история " * 700 + "Где мой заказ?"
        read = excerpt(text)
        assert len(read) <= BEGINNING + END + 3
        assert read.startswith("Здравствуйте!")
        assert read.endswith("Где мой заказ?")


class TestTelling:
    def test_all_words_of_a_message_of_usual_length_are_read(self) -> None:
        words = list(range(FIRST_WORDS + LAST_WORDS))
        assert telling(words) == words

    def test_of_a_letter_the_first_and_the_last_words_are_read(self) -> None:
        read = telling(list(range(2000)))
        assert (len(read), read[0], read[-1]) == (FIRST_WORDS + LAST_WORDS, 0, 1999)
