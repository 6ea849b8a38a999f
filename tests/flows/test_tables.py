"""Hit policies, and the proof that no combination falls through and no row is dead."""

from __future__ import annotations

from typing import Any

import pytest

from flows.coverage import cover
from flows.errors import ContentError
from flows.known import Fact
from flows.pack import Hit, Pack, Row, Table
from flows.tables import hits


def table(hit: Hit, *rows: dict[str, Any], **more: Any) -> Table:
    return Table(hit=hit, rows=tuple(Row.model_validate(row) for row in rows), **more)


def numbers(of: Table, **known: Any) -> list[int]:
    return [hit.number for hit in hits(of, known.get)]


@pytest.fixture
def pack() -> Pack:
    facts = {
        "status": Fact.model_validate({"type": "enum", "values": ["new", "sent"], "from": "order.status"}),
        "paid": Fact.model_validate({"type": "bool", "from": "order.paid"}),
        "days": Fact.model_validate({"type": "number", "from": "order.days"}),
    }
    return Pack.model_construct(facts=facts, slots={}, intents={})


class TestHits:
    def test_first_takes_the_first_row_that_matches(self) -> None:
        rows = table(Hit.FIRST, {"when": {"a": 1, "b": 2}}, {"when": {"a": 1}}, {})
        assert numbers(rows, a=1, b=2) == [1]
        assert numbers(rows, a=1) == [2]
        assert numbers(rows) == [3]

    def test_priority_then_most_conditions_then_the_first_in_the_file(self) -> None:
        rows = table(
            Hit.PRIORITY,
            {"when": {"a": 1}},
            {"when": {"a": 1, "b": 2}},
            {"when": {"b": 2, "a": 1}},
            {"when": {"c": 3}, "priority": 20},
        )
        assert numbers(rows, a=1) == [1]
        assert numbers(rows, a=1, b=2) == [2]
        assert numbers(rows, a=1, b=2, c=3) == [4]

    def test_the_lowest_rank_decides_and_rows_without_rank_apply_beside_it(self) -> None:
        rows = table(
            Hit.RANK, {"rank": 50, "when": {"a": 1}}, {"rank": 10, "when": {"b": 2}}, {"when": {"a": 1}}, {"rank": 99}
        )
        assert numbers(rows, a=1) == [3, 1]
        assert numbers(rows, a=1, b=2) == [3, 2]
        assert numbers(rows) == [4]

    def test_collect_takes_all(self) -> None:
        assert numbers(table(Hit.COLLECT, {"when": {"a": 1}}, {"when": {"a": 2}}, {}), a=1) == [1, 3]

    def test_two_rows_of_a_unique_table_are_a_fault_of_the_content(self) -> None:
        rows = table(Hit.UNIQUE, {"when": {"a": 1}}, {})
        assert numbers(rows, a=2) == [2]
        with pytest.raises(ContentError, match="rows 1 and 2"):
            hits(rows, {"a": 1}.get)


class TestCover:
    def test_a_gap_is_named_by_a_combination_that_no_row_covers(self, pack: Pack) -> None:
        found = cover(pack, table(Hit.FIRST, {"when": {"status": "new"}}, {"when": {"status": "sent", "paid": True}}))
        assert found.gap is not None
        assert found.gap["status"] in ("sent", None)

    def test_an_unknown_value_is_a_case_of_its_own(self, pack: Pack) -> None:
        found = cover(pack, table(Hit.FIRST, {"when": {"status": ["new", "sent"]}}))
        assert found.gap == {"status": None}
        assert cover(pack, table(Hit.FIRST, {"when": {"status": ["new", "sent", None]}})).gap is None

    def test_number_ranges_must_meet(self, pack: Pack) -> None:
        hole = table(Hit.FIRST, {"when": {"days": "<14"}}, {"when": {"days": ">14"}}, {"when": {"days": None}})
        found = cover(pack, hole)
        assert found.gap == {"days": 14.0}
        whole = table(Hit.FIRST, {"when": {"days": "<=14"}}, {"when": {"days": ">14"}}, {"when": {"days": None}})
        assert cover(pack, whole).gap is None

    def test_a_row_behind_an_earlier_one_is_dead(self, pack: Pack) -> None:
        found = cover(
            pack, table(Hit.FIRST, {"when": {"status": "new"}}, {"when": {"status": "new", "paid": True}}, {})
        )
        assert found.dead == [2]
        assert found.gap is None

    def test_a_row_outranked_everywhere_is_dead(self, pack: Pack) -> None:
        found = cover(pack, table(Hit.PRIORITY, {"when": {"paid": True}, "priority": 5}, {"when": {"paid": True}}, {}))
        assert found.dead == [2]

    def test_collect_and_open_tables_may_leave_cases_out(self, pack: Pack) -> None:
        assert cover(pack, table(Hit.COLLECT, {"when": {"status": "new"}})).gap is None
        assert cover(pack, table(Hit.FIRST, {"when": {"status": "new"}}, open=True)).gap is None

    def test_conditions_inside_of_any_count(self, pack: Pack) -> None:
        rows = table(
            Hit.FIRST,
            {"when": {"any": [{"paid": True}, {"status": "new"}]}},
            {"when": {"paid": [False, None], "status": ["sent", None]}},
        )
        found = cover(pack, rows)
        assert found.gap is None
        assert found.dead == []
