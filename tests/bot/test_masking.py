"""Telephone numbers in summaries: the last four digits only (ruling 31)."""

from __future__ import annotations

import pytest

from bot.masking import mask, masked


@pytest.mark.parametrize(
    "number",
    ["+79161234567", "89161234567", "7 916 123-45-67", "8 (916) 123 45 67", "+7-916-123-45-67", "8.916.1234567"],
)
def test_a_number_is_masked_however_it_is_written(number: str) -> None:
    assert mask(f"мой номер {number}, жду") == "мой номер •••4567, жду"


@pytest.mark.parametrize(
    "text", ["заказ 48213", "трек 80082154312345", "9161234", "3290 руб. за 2 шт.", "88002005888123"]
)
def test_other_numbers_stay(text: str) -> None:
    assert mask(text) == text


def test_all_texts_of_a_summary_are_masked() -> None:
    summary = {"wants": "звоните 89161234567", "orders": [{"note": "+79161234567"}], "priority": None, "n": 89161234567}
    assert masked(summary) == {
        "wants": "звоните •••4567",
        "orders": [{"note": "•••4567"}],
        "priority": None,
        "n": 89161234567,
    }
