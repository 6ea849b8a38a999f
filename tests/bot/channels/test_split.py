"""Long texts are cut as every messenger takes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.channels import split


def units(text: str) -> int:
    """UTF-16 code units: what messengers count."""
    return len(text.encode("utf-16-le")) // 2


class TestSplit:
    @given(
        st.lists(
            st.sampled_from(["а", "слово", " ", "\n", "\n\n", ". ", "! ", "😀", "👍🏽", "»", "x"]), max_size=80
        ).map("".join)
        | st.text(max_size=200),
        st.integers(2, 60),
    )
    def test_nothing_but_white_space_is_lost_and_every_piece_fits(self, text: str, limit: int) -> None:
        pieces = split(text, limit)
        assert "".join("".join(pieces).split()) == "".join(text.split())
        assert all(piece and piece == piece.strip() for piece in pieces)
        assert all(units(piece) <= limit for piece in pieces)

    @pytest.mark.parametrize(
        ("text", "pieces"),
        [
            ("Первый абзац тут.\n\nВторой абзац. Он длинней.", ["Первый абзац тут.", "Второй абзац. Он длинней."]),
            ("Первая строка. И ещё\nвторая строка, до конца", ["Первая строка. И ещё", "вторая строка, до конца"]),
            ("Раз и два и три. Четыре и пять и шесть", ["Раз и два и три.", "Четыре и пять и шесть"]),
            ("Он сказал: «Уже в пути!» Вот и весь ответ", ["Он сказал: «Уже в пути!»", "Вот и весь ответ"]),
            ("Подождите ещё… Пожалуйста, немного времени", ["Подождите ещё…", "Пожалуйста, немного времени"]),
            ("слово слово слово слово слово слово", ["слово слово слово слово", "слово слово"]),
            ("а" * 60, ["а" * 28, "а" * 28, "а" * 4]),
        ],
    )
    def test_it_cuts_where_a_reader_pauses(self, text: str, pieces: list[str]) -> None:
        assert split(text, 28) == pieces

    def test_an_emoji_counts_as_two(self) -> None:
        assert split("😀" * 4096, 4096) == ["😀" * 2048, "😀" * 2048]

    def test_a_text_that_fits_is_left_alone(self) -> None:
        assert split("а" * 4096) == ["а" * 4096]
        assert split(" \n ") == []
