"""The file store is tidied up: what is old goes, and what belongs to nothing."""

from __future__ import annotations

from typing import Any

import pytest

from bot import file_store, tidying
from tests.bot.files.place import ANY_TIME, Place
from tests.bot.files.test_kinds import JPEG, PDF


class TestTidying:
    async def test_files_go_when_their_time_is_over_and_the_rows_say_so(self, anywhere: Place) -> None:
        await anywhere.photo("p1", JPEG)
        anywhere.world.clock.forward(days=179)
        await anywhere.photo("p2", PDF)
        assert await tidying.tidy(anywhere.work) == 0
        anywhere.world.clock.forward(days=2)
        old = await anywhere.rows()
        assert await tidying.tidy(anywhere.work) == 1
        assert [(row.state, row.reason) for row in await anywhere.rows()] == [("lost", "old"), ("kept", None)]
        assert await anywhere.store.keys(old[0].at.date(), older=ANY_TIME) == []
        assert await anywhere.store.keys(old[1].at.date(), older=ANY_TIME) == [old[1].key]

    async def test_bytes_without_a_row_go_and_those_on_their_way_stay(self, anywhere: Place) -> None:
        async def pieces() -> Any:
            yield JPEG

        await anywhere.photo("p1", JPEG)
        row = await anywhere.row()
        await anywhere.store.put(file_store.new_key(row.id, anywhere.world.clock.now().date()), pieces())
        assert await tidying.tidy(anywhere.work) == 0
        assert await tidying.tidy(anywhere.work, left_behind=ANY_TIME) == 1
        assert await anywhere.stored() == [row.key]

    async def test_one_process_at_a_time_tidies_up_once_an_hour(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks: list[object] = []

        async def looked(work: object) -> int:
            looks.append(work)
            return 0

        monkeypatch.setattr(tidying, "tidy", looked)
        await tidying.tidy_hourly(place.work)
        await tidying.tidy_hourly(place.work)
        assert len(looks) == 1
