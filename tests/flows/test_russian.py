"""Endings, dates, money and forgiving comparison of names."""

from __future__ import annotations

from datetime import date

import pytest

from flows.russian import as_date, day, first_and_patronymic, listed, money, plural, same_name, same_place


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, "дней"), (1, "день"), (2, "дня"), (4, "дня"), (5, "дней"), (11, "дней"), (12, "дней"), (14, "дней"), (21, "день"),
     (22, "дня"), (25, "дней"), (101, "день"), (111, "дней"), (1.5, "дня")],
)  # fmt: skip
def test_a_noun_takes_the_form_of_its_number(number: float, word: str) -> None:
    assert plural(number, "день", "дня", "дней") == word


def test_dates_are_said_as_people_say_them() -> None:
    assert day(date(2026, 3, 5), date(2026, 11, 22)) == "5 марта"
    assert day(date(2025, 12, 31), date(2026, 1, 2)) == "31 декабря 2025 года"


def test_money_shows_kopecks_only_when_there_are_any() -> None:
    assert money(1490).replace("\xa0", " ") == "1 490 ₽"
    assert money(99.5).replace("\xa0", " ") == "99,50 ₽"


def test_lists_and_names() -> None:
    assert listed(["а", "б", "в"]) == "а, б и в"
    assert listed(["а"]) == "а"
    assert first_and_patronymic("Иванова Мария Петровна") == "Мария Петровна"


@pytest.mark.rule("CX-20")
@pytest.mark.parametrize(
    ("said", "known", "same"),
    [
        ("Иванова Мария Петровна", "Иванова Мария Петровна", True),
        ("мария иванова", "Иванова Мария Петровна", True),
        ("Ивановой Марии", "Иванова Мария Петровна", True),
        ("Иваноав Мария", "Иванова Мария Петровна", True),
        ("Семёнов Артём", "Семенов Артем Ильич", True),
        ("Иванова", "Иванова Мария Петровна", False),
        ("Мария", "Иванова Мария Петровна", False),
        ("Петрова Мария", "Иванова Мария Петровна", False),
        ("Иванова Анна", "Иванова Мария Петровна", False),
        ("Иванова Мария Сергеевна", "Иванова Мария Петровна", False),
        ("", "Иванова Мария Петровна", False),
    ],
)
def test_a_name_is_compared_forgivingly_but_not_blindly(said: str, known: str, same: bool) -> None:
    assert same_name(said, known) is same


@pytest.mark.parametrize(
    ("said", "known", "same"),
    [("в Туле", "Тула", True), ("г. Тула", "Тула", True), ("Нижний Новгород", "Нижний Новгород", True), ("Новгород", "Нижний Новгород", False),
     ("село Ивановка", "Ивановка", True), ("Калуга", "Тула", False)],
)  # fmt: skip
def test_a_settlement_is_compared_in_any_case(said: str, known: str, same: bool) -> None:
    assert same_place(said, known) is same


def test_dates_come_from_times_dates_and_text() -> None:
    from zoneinfo import ZoneInfo

    moscow = ZoneInfo("Europe/Moscow")
    assert as_date("2026-11-22", moscow) == date(2026, 11, 22)
    assert as_date("2026-11-21T22:30:00+00:00", moscow) == date(2026, 11, 22)
    assert as_date("вчера", moscow) is None
