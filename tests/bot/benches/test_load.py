"""The load bench: how the highest rate is found, and where a message's time went."""

from __future__ import annotations

import logging

import pytest

from bot.benches.customers import Written
from bot.benches.load import GROWTH, LIMIT, PARTS, Played, climb, parts, turns_taken
from bot.logs import LineFormatter


def played(rate: float, seconds: float, *, unanswered: int = 0) -> Played:
    """Ten messages, each answered after so many seconds."""
    written = [Written("telegram", 1000 + one, 0, False, 100.0, 100.0 + seconds) for one in range(10)]
    for one in written[:unanswered]:
        one.answered = None
    return Played(rate, written)


class TestClimb:
    @pytest.mark.parametrize("limit", [2.5, 7.0, 11.0])
    async def test_the_rate_found_is_good_and_a_little_more_is_not(self, limit: float) -> None:
        async def play(rate: float) -> Played:
            return played(rate, LIMIT / 2 if rate <= limit else LIMIT * 2)

        best, all_of_them = await climb(play, first=2.0, most=60.0, tell=lambda one: None)
        assert best is not None
        assert best.rate <= limit < best.rate * GROWTH**0.5
        assert best in all_of_them

    async def test_a_rate_at_which_somebody_gets_no_answer_is_not_good(self) -> None:
        async def play(rate: float) -> Played:
            return played(rate, 0.1, unanswered=1 if rate > 3.0 else 0)

        best, _ = await climb(play, first=2.0, most=60.0, tell=lambda one: None)
        assert best is not None
        assert best.rate <= 3.0

    async def test_without_a_good_rate_there_is_none(self) -> None:
        async def play(rate: float) -> Played:
            return played(rate, LIMIT * 2)

        best, tried = await climb(play, first=2.0, most=60.0, tell=lambda one: None)
        assert best is None
        assert [one.rate for one in tried] == [2.0]


class TestParts:
    def test_the_parts_of_a_message_add_up_to_its_answers_time(self) -> None:
        took = {7: {"nlu": 40, "decide": 10, "store": 20}}
        found = parts(played(1.0, 0.2), {("telegram", "1000", 0): (100.01, 100.05, 7)}, took)
        assert {name: one["median_ms"] for name, one in found.items()} == pytest.approx(
            {"receive": 10, "wait": 40, "nlu": 40, "decide": 10, "store": 20, "send": 80}
        )
        assert sum(found[name]["share"] for name in PARTS) == pytest.approx(1.0)
        assert found["nlu"]["messages"] == 1  # the others' turns are not known

    def test_a_turns_times_are_read_from_the_workers_log(self) -> None:
        record = logging.makeLogRecord({"msg": "turn_taken", "levelname": "INFO", "name": "bot.turns"})
        vars(record).update({"conversation": 3, "turn": 7, "read_ms": 41, "decide_ms": 9, "store_ms": 22})
        line = LineFormatter().format(record)
        assert turns_taken(["something else", line]) == {7: {"nlu": 41, "decide": 9, "store": 22}}
