"""The calendar of hours: holidays, time zones, midnight, clocks that change, and working time added up."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

import flows
from flows.check import hours_open_at_some_time, skills_name_known_things
from flows.load import PackInvalid
from flows.pack import Pack
from flows.queues import Hours, Queue, Skill, days_of, span_of

OFFICE = Hours(
    open=time(10), close=time(18), days=(1, 2, 3, 4, 5),
    holidays={"2026-12-31": "10:00-16:00", "01-01..01-08": "closed", "2027-01-06": "12:00-13:00", "2026-11-21": "11:00-15:00"},
)  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def of(hours: Hours, **more: object) -> Pack:
    """The shop with one queue of these hours."""
    shop = flows.load_shipped("shop")
    queue = Queue(title="Мастера", hours="own", **more)  # type: ignore[arg-type]
    return shop.model_copy(update={"hours": {**shop.hours, "own": hours}, "queues": {**shop.queues, "masters": queue}})


class TestHolidays:
    @pytest.mark.parametrize(
        ("moment", "open_"),
        [
            ("2026-11-20T10:00:00+03:00", True), ("2026-11-20T18:00:00+03:00", False),  # a Friday
            ("2026-11-21T12:00:00+03:00", True), ("2026-11-28T12:00:00+03:00", False),  # a Saturday that works, one that does not
            ("2026-12-31T15:59:00+03:00", True), ("2026-12-31T16:00:00+03:00", False),  # shorter
            ("2027-01-04T12:00:00+03:00", False), ("2031-01-08T12:00:00+03:00", False),  # every year
            ("2027-01-06T12:30:00+03:00", True),  # what is said of one year stands before that
            ("2027-01-11T12:00:00+03:00", True),
        ],
    )  # fmt: skip
    def test_days_of_their_own(self, moment: str, open_: bool) -> None:
        assert flows.is_open(of(OFFICE), "masters", at(moment)) is open_

    def test_over_new_year(self) -> None:
        hours = Hours(open=time(9), close=time(18), holidays={"12-30..01-02": "closed"})
        shut = [day for day in ("2026-12-29", "2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02", "2027-01-03")
                if not flows.is_open(of(hours), "masters", at(f"{day}T12:00:00+03:00"))]  # fmt: skip
        assert shut == ["2026-12-30", "2026-12-31", "2027-01-01", "2027-01-02"]

    def test_round_the_clock_but_for_a_day(self) -> None:
        pack = of(Hours(holidays={"01-01": "closed", "12-31": "00:00-18:00"}))
        assert flows.closes_at(pack, "masters", at("2026-12-29T12:00:00+03:00")) == at("2026-12-31T18:00:00+03:00")
        assert flows.opens_at(pack, "masters", at("2026-12-31T18:00:00+03:00")) == at("2027-01-02T00:00:00+03:00")

    def test_the_answer_to_what_comes_on_a_holiday_is_due_after_it(self) -> None:
        pack = of(OFFICE)
        assert flows.place(pack, "masters", at("2026-12-31T16:30:00+03:00")) == (
            "masters", "second_line_transfer", at("2027-01-06T12:10:00+03:00"),
        )  # fmt: skip

    def test_the_queues_of_the_demo_shop_know_no_holiday(self) -> None:
        shop = flows.load_shipped("shop")
        new_year = at("2027-01-01T03:00:00+03:00")
        always = {name for name in shop.queues if flows.is_open(shop, name, new_year)}
        assert always == {"general", "express", "ds_mini"}
        assert all(flows.is_open(shop, name, new_year.replace(hour=12)) for name in shop.queues)


class TestMidnight:
    NIGHT = Hours(open=time(22), close=time(6), days=(5,), holidays={"2026-11-27": "closed"})

    @pytest.mark.parametrize(
        ("moment", "open_"),
        [
            ("2026-11-20T21:59:00+03:00", False), ("2026-11-20T22:00:00+03:00", True),
            ("2026-11-21T05:59:00+03:00", True), ("2026-11-21T06:00:00+03:00", False),
            ("2026-11-20T03:00:00+03:00", False), ("2026-11-28T03:00:00+03:00", False),
        ],
    )  # fmt: skip
    def test_a_night_belongs_to_the_day_on_which_it_begins(self, moment: str, open_: bool) -> None:
        assert flows.is_open(of(self.NIGHT), "masters", at(moment)) is open_

    def test_until_midnight_and_all_day(self) -> None:
        evening = of(Hours(open=time(9), close=time(0)))
        assert flows.closes_at(evening, "masters", at("2026-11-20T23:59:00+03:00")) == at("2026-11-21T00:00:00+03:00")
        weekdays = of(Hours(open=time(0), close=time(0), days=(1, 2, 3, 4, 5)))
        assert flows.closes_at(weekdays, "masters", at("2026-11-18T12:00:00+03:00")) == at("2026-11-21T00:00:00+03:00")

    def test_a_closed_queue_and_one_without_an_end_close_at_no_time(self) -> None:
        assert flows.closes_at(of(self.NIGHT), "masters", at("2026-11-20T12:00:00+03:00")) is None
        assert flows.closes_at(of(Hours()), "masters", at("2026-11-20T12:00:00+03:00")) is None


class TestZones:
    def test_hours_are_those_of_their_own_clock(self) -> None:
        pack = of(Hours(tz="Asia/Vladivostok", open=time(9), close=time(18)))
        assert flows.opens_at(pack, "masters", at("2026-11-20T12:00:00+03:00")) == at("2026-11-21T09:00:00+10:00")
        assert flows.is_open(pack, "masters", at("2026-11-20T02:00:00+03:00"))

    def test_a_night_in_which_the_clocks_change_is_longer_or_shorter(self) -> None:
        pack = of(Hours(tz="Europe/Berlin", open=time(22), close=time(6)))
        for day, hours in (("2026-03-28", 7), ("2026-10-24", 9), ("2026-11-20", 8)):
            begin = at(f"{day}T12:00:00+00:00")
            opens = flows.opens_at(pack, "masters", begin)
            closes = flows.closes_at(pack, "masters", opens)
            assert closes is not None
            assert closes - opens.astimezone(UTC) == timedelta(hours=hours), day

    def test_opening_in_the_hour_that_is_left_out(self) -> None:
        pack = of(Hours(tz="Europe/Berlin", open=time(2, 30), close=time(12)))
        assert flows.opens_at(pack, "masters", at("2026-03-29T00:00:00+00:00")) == at("2026-03-29T01:30:00+00:00")

    def test_working_time_over_the_change_is_real_time(self) -> None:
        berlin = ZoneInfo("Europe/Berlin")
        eve = datetime(2026, 3, 28, 23, 0, tzinfo=berlin)
        assert flows.add_working(of(Hours(tz="Europe/Berlin")), "masters", eve, 8 * 60) == at(
            "2026-03-29T08:00:00+02:00"
        )
        pack = of(Hours(tz="Europe/Berlin", open=time(22), close=time(6)))
        start = at("2026-03-28T22:00:00+01:00")
        assert flows.add_working(pack, "masters", start, 6 * 60) == at("2026-03-29T05:00:00+02:00")
        assert flows.add_working(pack, "masters", start, 8 * 60) == at("2026-03-29T23:00:00+02:00")


class TestWorkingTime:
    @pytest.mark.parametrize(
        ("start", "minutes", "end"),
        [
            ("2026-11-20T12:00:00+03:00", 30, "2026-11-20T12:30:00+03:00"),
            ("2026-11-20T17:50:00+03:00", 10, "2026-11-20T18:00:00+03:00"),  # to the minute
            ("2026-11-20T17:50:00+03:00", 30, "2026-11-21T11:20:00+03:00"),
            ("2026-11-20T17:50:00+03:00", 4 * 60 + 11, "2026-11-23T10:01:00+03:00"),  # over Saturday and Sunday
            ("2026-11-20T20:00:00+03:00", 15, "2026-11-21T11:15:00+03:00"),  # counted from the opening
            ("2026-12-31T15:30:00+03:00", 91, "2027-01-11T10:01:00+03:00"),  # a short day, holidays, an hour on the 6th
        ],
    )  # fmt: skip
    def test_only_open_hours_count(self, start: str, minutes: int, end: str) -> None:
        assert flows.add_working(of(OFFICE), "masters", at(start), minutes) == at(end)

    def test_it_never_goes_back_and_adds_up(self) -> None:
        pack, start = of(OFFICE), at("2026-11-20T17:00:00+03:00")
        steps = [flows.add_working(pack, "masters", start, minutes) for minutes in range(0, 3000, 7)]
        assert all(before < after for before, after in pairwise(steps))
        for minutes in (1, 59, 61, 500):
            halfway = flows.add_working(pack, "masters", start, minutes)
            assert flows.add_working(pack, "masters", halfway, 100) == flows.add_working(
                pack, "masters", start, minutes + 100
            )

    def test_round_the_clock_it_is_time(self) -> None:
        start = at("2027-01-01T23:00:00+03:00")
        assert flows.add_working(of(Hours()), "masters", start, 90) == start + timedelta(minutes=90)
        assert flows.opens_at(of(Hours()), "masters", start) == start

    @pytest.mark.rule("L2-20")
    def test_a_topic_has_hours_of_its_own(self) -> None:
        shop = flows.load_shipped("shop")
        pack = shop.model_copy(update={"hours": {**shop.hours, "technical": OFFICE}})
        late = at("2026-11-20T19:00:00+03:00")
        assert flows.add_working(pack, "general", late, 10, "tech_issue") == at("2026-11-21T11:10:00+03:00")
        assert flows.add_working(pack, "general", late, 10) == late + timedelta(minutes=10)


class TestReading:
    @pytest.mark.parametrize(
        ("days", "told"),
        [
            ("2026-02-30", "no such day"), ("13-01", "no such day"), ("1-1", "is no day"), ("2026-12-31..01-02", "with their year"),
            ("2026-12-31..2026-12-01", "before the first"), ("завтра", "is no day"),
        ],
    )  # fmt: skip
    def test_what_is_no_day_is_told(self, days: str, told: str) -> None:
        with pytest.raises(ValueError, match=told):
            days_of(days)

    @pytest.mark.parametrize("hours", ["10:00", "10-16", "25:00-26:00", "24:00-10:00", "10:00-24:30", "open", ""])
    def test_what_are_no_hours_is_told(self, hours: str) -> None:
        with pytest.raises(ValueError, match="neither closed nor hours like"):
            span_of(hours)

    @pytest.mark.parametrize(
        ("wrong", "told"),
        [
            ({"tz": "Moscow"}, "no time zone 'Moscow'"), ({"tz": "../etc/passwd"}, "no time zone"), ({"days": [0, 1]}, "0 is no day of the week"),
            ({"open": "09:00"}, "open and close go together"), ({"holidays": {"01-32": "closed"}}, "no such day"),
        ],
    )  # fmt: skip
    def test_hours_that_cannot_be(self, wrong: dict[str, object], told: str) -> None:
        with pytest.raises(ValidationError, match=told):
            Hours.model_validate(wrong)

    def test_problems_have_file_and_line(self, tmp_path: Path) -> None:
        import shutil

        pack = tmp_path / "mini"
        shutil.copytree(Path(__file__).parents[1] / "packs" / "mini", pack)
        queues = (pack / "queues.yml").read_text().split("\n")
        queues[0] = "hours:\n  day:\n    holidays:\n      2026-12-31: 10:00-16:00\n      01-32: closed"
        queues = [line.replace("title: Приёмка", "title: Приёмка, assign: by_chance, warn_share: 2") for line in queues]
        (pack / "queues.yml").write_text("\n".join(queues))
        with pytest.raises(PackInvalid) as found:
            flows.load(pack)
        told = [str(one) for one in found.value.problems]
        assert told[0].startswith("queues.yml:4: ")
        assert "there is no such day" in told[0]
        assert any("assign" in one and "is none of pull, least_loaded" in one for one in told)
        assert any("warn_share" in one and "less than or equal to 1" in one for one in told)

    def test_what_never_opens_or_says_two_things_is_a_problem(self) -> None:
        never = of(Hours(open=time(9), close=time(18), days=()))
        assert any("never open" in one.text for one in hours_open_at_some_time(never))
        once = of(Hours(open=time(9), close=time(18), days=(), holidays={"12-31": "10:00-12:00"}))
        assert not any("never open" in one.text for one in hours_open_at_some_time(once))
        two = of(Hours(holidays={"01-01..01-03": "closed", "01-02..01-04": "10:00-12:00"}))
        assert any("say different things of a day" in one.text for one in hours_open_at_some_time(two))

    def test_a_skill_that_names_nothing_is_a_problem(self) -> None:
        shop = flows.load_shipped("shop")
        wrong = {"de": Skill(title="Немецкий"), "money": Skill(title="Деньги", topics=("refund_stat",), marks=("em",))}
        told = " ".join(one.text for one in skills_name_known_things(shop.model_copy(update={"skills": wrong})))
        assert "no topic and no mark wants it" in told
        assert "no intent 'refund_stat'; did you mean 'refund_status'?" in told
        assert "there is no mark 'em'" in told
