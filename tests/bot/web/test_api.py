"""The API: an outside help desk reads requests and works on them as an agent does at the desk."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx
import pytest
from sqlalchemy import select, update

from bot import desk, planned
from bot.channels import Media
from bot.files import FileState
from bot.models import Agent, Audit, File, Request
from tests.bot.web.api_calls import Client, HelpDesk, kind
from tests.bot.world import World, act


def numbers(answer: httpx.Response) -> list[str]:
    return [one["number"] for one in answer.json()["requests"]]


async def _pieces(*some: bytes) -> AsyncGenerator[bytes, None]:
    for one in some:
        yield one


class TestReading:
    async def test_requests_are_listed_the_newest_first_page_by_page(self, anna: Client, world: World) -> None:
        for chat in ("c1", "c2", "c3"):
            await world.say(chat, "мастера")
        first = await anna.get("/requests", limit=2)
        assert numbers(first) == ["T-1003", "T-1002"]
        await world.say("c4", "мастера")  # a new one does not shift the pages
        second = await anna.get("/requests", limit=2, cursor=first.json()["next"])
        assert (numbers(second), second.json()["next"]) == (["T-1001"], None)

    async def test_filters_narrow_the_list(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await world.say("c2", "безобразие, мастера")
        await world.take("anna", "c1")
        for filters, expected in (
            ({"state": "queued"}, ["T-1002"]), ({"state": ["queued", "assigned"]}, ["T-1002", "T-1001"]),
            ({"agent": "anna"}, ["T-1001"]), ({"agent": "nobody"}, []), ({"priority": "high"}, ["T-1002"]),
            ({"channel": "vk"}, []), ({"queue": "desk", "state": "assigned"}, ["T-1001"]), ({"queue": "masters"}, []),
            ({"customer": "x"}, []),
        ):  # fmt: skip
            assert numbers(await anna.get("/requests", **filters)) == expected, filters

    async def test_what_has_changed_since_a_moment_can_be_caught_up(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await world.say("c2", "мастера")
        world.clock.forward(hours=1)
        moment = world.clock.now().isoformat()
        await world.take("anna", "c1")
        assert numbers(await anna.get("/requests", changed_since=moment)) == ["T-1001"]

    async def test_an_agent_sees_the_requests_of_their_queues_and_those_they_had(
        self, helpdesk: HelpDesk, anna: Client, world: World
    ) -> None:
        await world.agent("master", "masters")
        await world.agent("chief", "masters", role="supervisor")
        await world.agent("coach", "masters", role="trainer")
        await world.say("c1", "мастера")
        async with helpdesk.as_("coach") as other:
            assert numbers(await other.get("/requests")) == ["T-1001"]  # trainers read all transcripts
        async with helpdesk.as_("master") as other:
            assert numbers(await other.get("/requests")) == []
            assert kind(await other.get("/requests/T-1001")) == (404, "request-unknown")
            assert kind(await other.get("/requests/T-1001/lines")) == (404, "request-unknown")
            assert kind(await other.post("/requests/T-1001/take")) == (404, "request-unknown")
        async with helpdesk.as_("chief") as other:
            assert numbers(await other.get("/requests")) == ["T-1001"]

    @pytest.mark.rule("CX-08")
    async def test_a_request_is_read_with_summary_comment_and_the_whole_talk(self, anna: Client, world: World) -> None:
        await world.say("c1", "привет", name="Мария")
        await world.say("c1", "безобразие, мастера", name="Мария")
        told = (await anna.get("/requests/T-1001")).json()
        assert (told["number"], told["state"], told["queue"], told["priority"]) == ("T-1001", "queued", "desk", "high")
        assert told["customer"] == {"name": "Мария", "id": None}
        assert told["comment"].startswith("Тема: Человек")
        assert told["summary"]["wants"] == "привет / безобразие, мастера"
        assert [(one["from"], one["text"]) for one in told["transcript"]] == [
            ("customer", "привет"), ("bot", "Здравствуйте!"), ("customer", "безобразие, мастера"),
            ("system", "Очередь T-1001, место 1."),
        ]  # fmt: skip
        assert told["earlier"] is None

    async def test_a_long_talk_is_read_line_by_line_backwards(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        for number in range(4):
            await world.say("c1", f"строка {number}")
        everything = [one["id"] for one in (await anna.get("/requests/T-1001")).json()["transcript"]]
        got: list[int] = []
        cursor: dict[str, Any] = {}
        while True:
            page = (await anna.get("/requests/T-1001/lines", limit=3, **cursor)).json()
            got = [one["id"] for one in page["lines"]] + got
            if page["earlier"] is None:
                break
            cursor = {"cursor": page["earlier"]}
        assert got == everything

    async def test_attachments_are_told_and_downloaded_as_something_to_save(
        self, helpdesk: HelpDesk, anna: Client, world: World
    ) -> None:
        world.jobs.register("files", AsyncMock())  # nobody fetches them here
        photo = Media("photo", None, ref="ref-1", size=4, mime="image/jpeg")
        await world.say("c1", "мастера", attachments=(photo, Media("sticker", None)))
        await world.say("c2", "мастера")
        key = (
            await helpdesk.parts.files.put("image/jpeg", b"jpeg", now=world.clock.now()) if False else "2026/11/18/1-a"
        )
        await helpdesk.parts.files.put(key, _pieces(b"jpeg"))
        attachments = (await anna.get("/requests/T-1001")).json()["transcript"][0]["attachments"]
        assert [(one["kind"], one["state"]) for one in attachments] == [("photo", "waiting"), ("sticker", "none")]
        file_id = attachments[0]["id"]
        place = f"/requests/T-1001/attachments/{file_id}"
        assert kind(await anna.get(place)) == (410, "file-gone")
        async with world.sessions.begin() as session:
            await session.execute(
                update(File).values(state=FileState.KEPT, key=key, mime="image/jpeg", size=4, sha256="0" * 64)
            )
        answer = await anna.get(place)
        assert (answer.status_code, answer.content) == (200, b"jpeg")
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert kind(await anna.get(f"/requests/T-1002/attachments/{file_id}")) == (404, "file-unknown")


class TestPhones:
    """Ruling 31: all but the last four digits are hidden, in full only to those who may, and it is written down."""

    @pytest.mark.parametrize("phones", [False, True])
    async def test_numbers_are_masked_unless_the_key_is_told_them(
        self, helpdesk: HelpDesk, world: World, phones: bool
    ) -> None:
        await world.say("c1", "мастера")
        await world.say("c1", "мой номер 8 916 123 45 67")
        async with helpdesk.as_("anna", phones=phones) as client:
            told = (await client.get("/requests/T-1001")).json()
            lines = (await client.get("/requests/T-1001/lines")).json()["lines"]
        expected = "мой номер 8 916 123 45 67" if phones else "мой номер •••4567"
        assert expected in [one["text"] for one in told["transcript"]]
        assert expected in [one["text"] for one in lines]
        assert "123 45 67" not in str(told["summary"]) + told["comment"]
        shown = await world.rows(select(Audit).where(Audit.action == "phones_shown"))
        assert len(shown) == (2 if phones else 0)


class TestWorking:
    @pytest.mark.rule("CX-04")
    async def test_a_request_from_taking_it_to_solving_it(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        taken = await anna.post("/requests/T-1001/take")
        assert (taken.status_code, taken.json()["state"], taken.json()["agent"]) == (200, "assigned", "anna")
        assert taken.json()["transcript"][0]["text"] == "мастера"
        said = (await anna.post("/requests/T-1001/reply", text="Здравствуйте, это Анна")).json()
        assert (said["line"]["from"], said["line"]["agent"], said["line"]["text"]) == (
            "agent", "Анна", "Здравствуйте, это Анна"
        )  # fmt: skip
        assert said["line"]["delivery"] == "pending"
        assert world.channels["telegram"].sent[-1].text == "Здравствуйте, это Анна"
        noted = (await anna.post("/requests/T-1001/note", text="Проверить склад")).json()
        assert (noted["line"]["from"], noted["line"]["delivery"]) == ("note", None)
        assert world.channels["telegram"].sent[-1].text == "Здравствуйте, это Анна"
        waits = (await anna.post("/requests/T-1001/wait", until="2026-11-19T12:00:00+03:00")).json()
        assert (waits["state"], waits["wait_until"]) == ("waiting_customer", "2026-11-19T09:00:00Z")
        solved = (await anna.post("/requests/T-1001/resolve", text="Нашли")).json()
        assert (solved["state"], solved["resolution"], solved["agent"]) == ("solved", "solved", None)
        assert (await world.request()).solution == "Нашли"

    async def test_a_request_is_passed_on_to_a_queue_or_a_colleague(self, anna: Client, world: World) -> None:
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
            await world.take("anna", chat)
        to_boris = await anna.post("/requests/T-1001/transfer", agent="boris", comment="Твоё")
        assert (to_boris.json()["state"], to_boris.json()["agent"]) == ("assigned", "boris")
        queues = list(world.desk.pack.queues)
        to_queue = await anna.post("/requests/T-1002/transfer", queue=queues[0], comment="Туда")
        assert (to_queue.json()["state"], to_queue.json()["agent"], to_queue.json()["queue"]) == (
            "queued",
            None,
            queues[0],
        )

    async def test_of_several_requests_of_a_customer_the_one_that_is_named_is_meant(
        self, anna: Client, world: World
    ) -> None:
        await world.say("c1", "письмо")
        await world.say("c1", "мастера")
        task = (await world.rows(select(Request).where(Request.task)))[0].number
        talk = (await world.rows(select(Request).where(~Request.task)))[0].number
        for number in (talk, task):
            assert (await anna.post(f"/requests/{number}/take")).json()["number"] == number
        await anna.post(f"/requests/{task}/resolve")
        assert {(await world.request(one)).state for one in (talk,)} == {"assigned"}
        assert (await world.request(task)).state == "solved"

    async def test_what_the_desk_refuses_is_refused_with_its_reason(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        assert kind(await anna.post("/requests/T-1001/reply", text="Эй")) == (409, "not-your-request")
        await world.take("boris", "c1")
        refused = await anna.post("/requests/T-1001/take")
        assert kind(refused) == (409, "request-taken")
        assert refused.json()["detail"] == "Another agent has already taken this request."
        await act(world, desk.resolve, "boris")
        assert kind(await anna.post("/requests/T-1001/take")) == (409, "request-gone")
        await world.say("c2", "мастера")
        await world.take("anna", "c2")
        assert kind(await anna.post("/requests/T-1002/wait", until="2020-01-01T00:00:00Z")) == (409, "time-over")
        assert kind(await anna.post("/requests/T-1002/wait", until="2999-01-01T00:00:00Z")) == (409, "time-too-far")
        assert kind(await anna.post("/requests/T-1002/transfer", queue="nowhere", comment="x")) == (
            409,
            "queue-unknown",
        )

    @pytest.mark.rule("L2-10")
    async def test_who_was_passed_a_request_reads_it_before_the_first_reply(
        self, helpdesk: HelpDesk, anna: Client, world: World
    ) -> None:
        await world.say("c1", "мастера")
        await world.take("anna", "c1")
        async with world.sessions.begin() as session:
            await session.execute(update(Request).values(read_by=None))
        assert kind(await anna.post("/requests/T-1001/reply", text="Эй")) == (409, "not-read")
        async with helpdesk.as_("boris") as boris:
            await boris.get("/requests/T-1001")  # reading by others changes nothing
        assert kind(await anna.post("/requests/T-1001/reply", text="Эй")) == (409, "not-read")
        await anna.get("/requests/T-1001")
        assert (await anna.post("/requests/T-1001/reply", text="Эй")).status_code == 200

    async def test_the_shift_begins_and_ends_over_the_api(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await world.take("anna", "c1")
        assert (await anna.post("/shift", on_shift=False)).json() == {"agent": "anna", "on_shift": False}
        assert (await world.request()).state == "queued"
        assert kind(await anna.post("/requests/T-1001/take")) == (409, "off-shift")
        assert (await anna.post("/shift", on_shift=True)).json() == {"agent": "anna", "on_shift": True}
        assert (await anna.post("/requests/T-1001/take")).status_code == 200

    async def test_what_is_done_over_the_api_needs_no_open_page(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        async with world.sessions.begin() as session:
            await session.execute(update(Agent).values(seen_at=world.clock.now()))
        assert (await anna.post("/requests/T-1001/take")).status_code == 200
        await world.pass_time(hours=1)  # the page was closed long ago
        assert (await world.request()).state == "assigned"

    async def test_what_was_just_decided_is_done_when_the_shift_ends(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await world.take("anna")
        async with world.sessions.begin() as session:
            row = (await session.scalars(select(Request))).one()
            undo = timedelta(seconds=5)
            await planned.plan(session, world.desk, "anna", "resolve", row, now=world.clock.now(), undo=undo)
        assert (await anna.post("/shift", on_shift=False)).status_code == 200
        assert (await world.request()).state == "solved"

    async def test_a_trainer_reads_and_does_nothing(self, helpdesk: HelpDesk, world: World) -> None:
        await world.agent("coach", role="trainer")
        await world.say("c1", "мастера")
        async with helpdesk.as_("coach") as coach:
            assert (await coach.get("/requests/T-1001")).status_code == 200
            assert kind(await coach.post("/requests/T-1001/take")) == (403, "role-refused")
            assert kind(await coach.post("/shift", on_shift=True)) == (403, "role-refused")

    async def test_each_change_and_each_refusal_is_in_the_audit_without_words(self, anna: Client, world: World) -> None:
        await world.say("c1", "мастера")
        await anna.post("/requests/T-1001/reply", text="тайное слово")
        await anna.post("/requests/T-1001/take")
        await anna.post("/requests/T-1001/reply", text="тайное слово")
        await anna.post("/requests/T-1001/transfer", queue="desk", comment="тайное слово")
        rows = await world.rows(select(Audit).order_by(Audit.id))
        assert [(one.agent, one.action) for one in rows] == [
            ("anna", "reply_refused"), ("anna", "take"), ("anna", "reply"), ("anna", "transfer")
        ]  # fmt: skip
        assert rows[3].data["queue"] == "desk"
        assert all(one.data["api_key"].startswith("key-") and one.address == "127.0.0.1" for one in rows)
        assert [one.request_id is None for one in rows] == [True, False, False, False]
        assert "тайное" not in str([one.data for one in rows])
