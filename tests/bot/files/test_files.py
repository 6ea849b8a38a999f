"""Attachments belong to their request, and are handed out as something to save."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from bot import desk, files
from bot.channels import Media
from bot.errors import FileGone, FileUnknown
from bot.models import File
from tests.bot.files.place import Place
from tests.bot.files.test_kinds import JPEG, PDF, PE
from tests.bot.world import act


class TestRequests:
    @pytest.mark.rule("CX-14")
    async def test_what_was_sent_before_and_with_the_request_belongs_to_it(self, place: Place) -> None:
        await place.photo("p1", JPEG)
        await place.photo("p2", PDF, text="мастера")
        request = await place.world.request()
        assert [row.request_id for row in await place.rows()] == [request.id, request.id]
        assert [one["kind"] for one in request.summary["attachments"]] == ["photo", "photo"]

    async def test_what_comes_while_it_waits_and_while_it_is_in_hand(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.world.say("c1", "мастера")
        await place.photo("p1", JPEG)
        await place.world.take("anna")
        await place.photo("p2", PDF)
        request = await place.world.request()
        async with place.world.sessions() as session:
            found = await files.of_request(session, request.id)
            by_line = await files.of_messages(session, [one.message_id for one in found])
        assert [(one.state, one.mime) for one in found] == [("kept", "image/jpeg"), ("kept", "application/pdf")]
        assert [one for line in sorted(by_line) for one in by_line[line]] == found

    async def test_what_belongs_to_an_earlier_request_stays_there(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.photo("p1", JPEG, text="мастера")
        await place.world.take("anna")
        await act(place.world, desk.resolve, "anna")
        await place.world.pass_time(days=2)
        await place.photo("p2", PDF)
        await place.world.say("c1", "мастера")
        first, second = await place.world.request("T-1001"), await place.world.request("T-1002")
        assert [row.request_id for row in await place.rows()] == [first.id, second.id]

    async def test_what_was_never_asked_about_is_left_out_of_a_later_request(self, place: Place) -> None:
        await place.world.say("c1", "мастера")
        await place.world.say("c1", "отмена")
        async with place.world.sessions.begin() as session:
            await session.execute(update(File).values(request_id=None))
        place.messenger.there["p1"] = JPEG
        late = place.world.incoming(
            "c1", attachments=(Media("photo", None, "p1"),), at=place.world.clock.now() - timedelta(hours=1)
        )
        await place.world.hear(late)
        place.world.clock.forward(minutes=1)
        await place.world.say("c1", "мастера")
        assert [row.request_id for row in await place.rows()] == [None]

    async def test_a_reply_that_reopens_brings_its_files(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.world.say("c1", "мастера")
        await place.world.take("anna")
        await act(place.world, desk.reply, "anna", "Готово.")
        await act(place.world, desk.resolve, "anna")
        await place.photo("p1", JPEG, text="не помогло, смотрите")
        assert [row.request_id for row in await place.rows()] == [(await place.world.request()).id]

    async def test_work_beside_the_talk_has_what_was_sent_with_it(self, place: Place) -> None:
        await place.photo("p1", JPEG, text="передайте")
        task = await place.world.request()
        assert (task.task, [row.request_id for row in await place.rows()]) == (True, [task.id])

    async def test_the_lines_that_agents_are_shown_stay_as_they_were(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.photo("p1", JPEG, name="чек.jpg", text="мастера")
        await place.world.take("anna")
        (inbox,) = place.world.told("inbox")
        assert inbox["attachment"] == {"kind": "photo", "name": "чек.jpg"}
        assert inbox["transcript"][0]["attachment"] == {"kind": "photo", "name": "чек.jpg"}

    async def test_of_several_in_one_message_an_agent_is_shown_all(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.send(Media("photo", None, "p1"), Media("file", "чек.pdf", "p2"), text="мастера")
        await place.world.take("anna")
        (inbox,) = place.world.told("inbox")
        both = [{"kind": "photo", "name": None}, {"kind": "file", "name": "чек.pdf"}]
        assert inbox["attachments"] == inbox["transcript"][0]["attachments"] == both

    async def test_the_desk_is_told_when_a_file_has_come(self, place: Place) -> None:
        await place.photo("p1", JPEG)
        row = await place.row()
        (told,) = place.world.told("file")
        assert (told["file"], told["message"], told["state"], told["chat"]) == (row.id, row.message_id, "kept", "c1")


class TestReading:
    async def test_no_browser_shows_or_runs_what_is_handed_out(self, place: Place) -> None:
        await place.photo("p1", b"a,b\n1,2\n", name='x"\r\nSet-Cookie: a.csv')
        row = await place.row()
        download, _ = await place.read(row.id)
        headers = download.headers
        assert headers["Content-Disposition"] == f'attachment; filename="attachment-{row.id}.csv"'
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Content-Type"] == download.mime == "text/csv"
        assert all("\r" not in value and "\n" not in value for value in headers.values())

    async def test_what_was_not_kept_is_gone_and_what_never_was_is_unknown(self, place: Place) -> None:
        await place.photo("p1", PE)
        with pytest.raises(FileGone):
            await place.read((await place.row()).id)
        with pytest.raises(FileUnknown):
            await place.read(10**6)

    async def test_bytes_that_somebody_has_deleted_are_gone(self, anywhere: Place) -> None:
        await anywhere.photo("p1", JPEG)
        row = await anywhere.row()
        await anywhere.store.delete([str(row.key)])
        with pytest.raises(FileGone):
            await anywhere.read(row.id)
