"""How what agents write is read, and how lines, events and cards are put into messages: without store and Telegram."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import flows
from bot.errors import SettingsInvalid
from bot.forum import cards, commands, lines, shown, words
from bot.forum.commands import Does
from bot.forum.groups import groups
from bot.models import Agent, ForumTopic, Message, Request, RequestEvent, State
from tests.bot.world import MINI

NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)  # 12:00 in Moscow
PACK = flows.load(MINI)


class TestCommands:
    @pytest.mark.parametrize(
        ("text", "does", "rest"),
        [
            ("Добрый день", Does.REPLY, "Добрый день"),
            ("// муж звонил", Does.NOTE, "муж звонил"),
            ("/note муж\nзвонил", Does.NOTE, "муж\nзвонил"),
            ("/TAKE@our_bot", Does.TAKE, ""),
            ("/take@other_bot", Does.NOBODYS, ""),
            ("/решено всё", Does.RESOLVE, "всё"),
            ("/tranfser 1", Does.UNKNOWN, "1"),
            ("/ двойка", Does.UNKNOWN, ""),
            ("10/12 заказов", Does.REPLY, "10/12 заказов"),
        ],
    )
    def test_what_is_meant(self, text: str, does: Does, rest: str) -> None:
        order = commands.read(text, bot="our_bot")
        assert (order.does, order.words) == (does, rest)

    @pytest.mark.parametrize(
        ("said", "moment"),
        [
            ("3ч", NOW + timedelta(hours=3)),
            ("48", NOW + timedelta(hours=48)),
            ("25.11", datetime(2026, 11, 25, 9, 0, tzinfo=UTC)),
            ("25.11 14:30", datetime(2026, 11, 25, 11, 30, tzinfo=UTC)),
            ("03.02 10:00", datetime(2027, 2, 3, 7, 0, tzinfo=UTC)),
            ("31.02", None),
            ("завтра", None),
            ("0", None),
            ("25.11 25:00", None),
        ],
    )
    def test_moments(self, said: str, moment: datetime | None) -> None:
        assert commands.moment(said, now=NOW, zone=PACK.zone) == moment

    @pytest.mark.parametrize(
        ("said", "found"),
        [
            ("2 клиент просит", ("masters", None, "клиент просит")),
            ("masters: клиент просит", ("masters", None, "клиент просит")),
            ("Мастера, клиент просит", ("masters", None, "клиент просит")),
            ("мастерами не станем", None),
            ("@boris клиент просит", (None, "boris", "клиент просит")),
            ("Борис Ильич, просит", (None, "ilich", "просит")),
            ("борис просит", (None, "boris", "просит")),
            ("Приёмка", ("desk", None, "")),
            ("", None),
        ],
    )
    def test_whom_to_pass_on_to(self, said: str, found: object) -> None:
        people = [Agent(name="boris", title="Борис"), Agent(name="ilich", title="Борис Ильич")]
        assert words.addressee(said, PACK, people) == found


class TestGroups:
    def test_an_unknown_queue_is_named(self) -> None:
        with pytest.raises(SettingsInvalid, match="no queue 'desks'"):
            groups({-1001: ["desks"]}, PACK)

    def test_a_person_is_no_group(self) -> None:
        with pytest.raises(SettingsInvalid, match="501 is no group"):
            groups({501: ["desk"]}, PACK)


def request(**more: object) -> Request:
    given = {
        "id": 7, "number": "T-1007", "queue": "desk", "priority": "normal", "state": State.QUEUED, "opened_at": NOW,
        "comment": "Тема: Ремонт\nПишет: «<b> & всё»", "vip": False,
    }  # fmt: skip
    return Request(**{**given, **more})


class TestCards:
    def test_a_card_says_what_stands_in_the_request_and_escapes_it(self) -> None:
        card = cards.card(PACK, request(priority="urgent", vip=True), agent=None)
        assert card.html.split("\n") == [
            "<b>T-1007</b> · <b>срочно</b> · <b>VIP</b>", "Приёмка · ждёт с 18.11 12:00", "", "<b>Тема:</b> Ремонт",
            "<b>Пишет:</b> «&lt;b&gt; &amp; всё»",
        ]  # fmt: skip

    def test_a_long_comment_is_cut_and_it_is_said_where_the_rest_is(self) -> None:
        card = cards.card(PACK, request(comment="Пишет: " + "слово 😀 " * 1000), agent=None)
        assert card.html.endswith("… полностью на рабочем месте в браузере")
        assert len(card.html.encode("utf-16-le")) // 2 <= 4096

    @pytest.mark.parametrize(
        "data", ["desk:take:x", "desk:fly:7", "other:take:7", "desk:take", "", "desk:take:7:8", "7.0"]
    )
    def test_foreign_buttons_mean_nothing(self, data: str) -> None:
        assert cards.pressed(data) is None

    def test_all_buttons_can_be_read_again_and_are_short(self) -> None:
        for state in State:
            for row in cards.card(PACK, request(state=state, id=2**62), agent="Анна").buttons:
                for _, data in row:
                    assert cards.pressed(data) is not None
                    assert len(data.encode()) <= 64

    def test_a_topics_name_fits_and_hides_a_telephone_number(self) -> None:
        assert (
            cards.title(PACK, request(priority="high"), "Мария +7 916 123-45-67")
            == "🟡 T-1007 · Приёмка · Мария •••4567"
        )
        assert len(cards.title(PACK, request(), "и" * 300)) == 128


class TestLines:
    def test_a_message_holds_as_many_as_fit(self) -> None:
        items = [one for number in range(9) for one in lines.of_line(line(number + 1, "я" * 1000), None)]
        taken = lines.message(items)
        assert len(taken) == 4
        assert sum(one.size for one in taken) + 2 * len(taken) <= 4096

    def test_a_long_line_has_pieces_that_fit_by_themselves(self) -> None:
        items = lines.of_line(line(1, "😀" * 4000, agent="и" * 200, sender="agent", delivery="failed"), None)
        assert [one.last for one in items] == [False, False, True]
        assert all(one.size <= 4096 for one in items)
        assert "не доставлено" in items[-1].html

    def test_lines_and_events_are_merged_by_time_and_keep_their_own_order(self) -> None:
        said = [line(1, "раз"), line(2, "два"), line(3, "три")]
        times = [NOW, NOW + timedelta(seconds=5), NOW + timedelta(seconds=3)]  # the messenger's clock may go back
        event = RequestEvent(id=9, kind="overdue", at=NOW + timedelta(seconds=4), data={})
        merged = lines.merged(
            [lines.of_line(one, None) for one in said], times, [(event.at, lines.of_event(PACK, event, {}))]
        )
        assert [(one.kind, one.id) for one in merged] == [("line", 1), ("event", 9), ("line", 2), ("line", 3)]

    def test_every_kind_of_event_that_is_shown_has_words(self) -> None:
        for kind in lines.SHOWN:
            told = lines.of_event(PACK, RequestEvent(id=1, kind=kind, at=NOW, data={}, agent="anna"), {"anna": "Анна"})
            assert len(told.html) > len("<i></i>")


class TestShown:
    def test_what_is_old_and_done_is_not_remembered_one_by_one(self) -> None:
        topic = ForumTopic(shown_id=10, shown_event=0, lines={})
        shown.put(topic, lines.of_line(line(12, "раз"), None), now=NOW)
        shown.put(topic, lines.of_line(line(11, "два", sender="bot", delivery="pending"), None), now=NOW)
        assert (shown.pieces(topic, 12), shown.pieces(topic, 11), shown.pieces(topic, 13)) == (None, None, 0)
        shown.forget_old(topic, [13], now=NOW + timedelta(seconds=30))
        assert topic.shown_id == 10
        shown.forget_old(topic, [13], now=NOW + timedelta(seconds=90))
        assert topic.shown_id == 12
        assert list(topic.lines) == ["11"]  # its delivery is not known yet
        assert shown.on_their_way(topic) == {11: None}

    def test_it_does_not_move_past_a_line_that_is_not_shown(self) -> None:
        topic = ForumTopic(shown_id=10, shown_event=0, lines={})
        shown.put(topic, lines.of_line(line(12, "раз"), None), now=NOW)
        shown.forget_old(topic, [11], now=NOW + timedelta(seconds=90))
        assert topic.shown_id == 10

    def test_a_line_in_pieces_goes_on_where_it_was_left(self) -> None:
        topic = ForumTopic(shown_id=0, shown_event=0, lines={})
        first, *rest = lines.of_line(line(5, "я" * 9000), None)
        shown.put(topic, [first], now=NOW)
        assert shown.pieces(topic, 5) == 1
        shown.put(topic, rest, now=NOW)
        assert shown.pieces(topic, 5) is None


def line(number: int, text: str, **more: object) -> Message:
    given = {"id": number, "text": text, "sender": "customer", "at": NOW, "attachments": [], "edited": False}
    return Message(**{**given, **more})
