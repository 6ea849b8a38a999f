"""Who may see which requests, and what belongs to them: the same on the pages and for the API."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from bot import desk, sight
from bot.models import Agent, File, Message, Request
from tests.bot.console.conftest import TOKEN, Pages
from tests.bot.world import World, act

NUMBER = "8 916 123-45-67"
PEOPLE = ("anna", "boris", "master", "keeper", "vera", "admin", "coach")


@pytest.fixture
async def seen(world: World) -> World:
    """A request of the desk: Anna had it, Boris has it; the master and the keeper serve another queue."""
    await world.agent("anna", title="Анна")
    await world.agent("boris", title="Борис")
    await world.agent("master", "masters")
    await world.agent("keeper", "masters")
    for role in ("supervisor", "admin", "trainer"):
        await world.agent({"supervisor": "vera", "trainer": "coach"}.get(role, role), "masters", role=role)
    await world.say("c1", f"мастера, звоните {NUMBER}")
    await world.say("c1", "мастера")
    await world.take("anna")
    return world


async def who_sees(world: World, number: str = "T-1001") -> set[str]:
    async with world.sessions() as session:
        people = (await session.scalars(select(Agent).where(Agent.name.in_(PEOPLE)))).all()
        scopes = {one.name: sight.scope_of(one.role, one.queues, one.id) for one in people}
        return {name for name, scope in scopes.items() if await sight.find(session, number, scope) is not None}


class TestRequests:
    async def test_those_of_its_queue_and_those_who_see_everything(self, seen: World) -> None:
        assert await who_sees(seen) == {"anna", "boris", "vera", "admin", "coach"}
        assert await who_sees(seen, " t-1001 ") == {"anna", "boris", "vera", "admin", "coach"}
        assert await who_sees(seen, "T-1002") == set()

    async def test_whoever_had_it_sees_it_in_another_queue_however_often_it_was_passed_on(self, seen: World) -> None:
        await act(seen, desk.transfer, "anna", "это к вам", to="boris")
        await seen.do(desk.read, "boris", await seen.id_of("c1"))
        await act(seen, desk.transfer, "boris", "это к мастерам", queue="masters", category="person", reason="x")
        await seen.agent("anna", "till", title="Анна")
        await seen.agent("boris", "till", title="Борис")
        await seen.take("master")
        await act(seen, desk.decline, "master", "не мой вопрос")
        assert await who_sees(seen) == {"anna", "boris", "master", "keeper", "vera", "admin", "coach"}
        await seen.agent("new", "till")
        async with seen.sessions() as session:
            new = await session.scalar(select(Agent).where(Agent.name == "new"))
            assert new is not None
            assert await sight.find(session, "T-1001", sight.scope_of(new.role, new.queues, new.id)) is None

    async def test_a_personal_manager_sees_what_is_kept_for_them(self, seen: World) -> None:
        async with seen.sessions.begin() as session:
            await session.execute(update(Request).values(manager="keeper"))
        assert "keeper" in await who_sees(seen)
        assert "master" not in await who_sees(seen)


class TestPages:
    async def test_what_is_not_theirs_is_as_if_it_were_not_there(self, pages: Pages, seen: World) -> None:
        async with seen.sessions.begin() as session:
            line = await session.scalar(select(Message).order_by(Message.id).limit(1))
            assert line is not None
            file = File(
                conversation_id=line.conversation_id, message_id=line.id, place=0, ref="", size=1,
                mime="image/png", state="kept", key="nowhere", sha256="0" * 64, at=seen.clock.now(),
            )  # fmt: skip
            session.add(file)
            await session.flush()
            file_id = file.id
        form = {"form_token": TOKEN, "nonce": "n", "text": "Здравствуйте", "mode": "note", "name": "hold_look"}
        htmx = {"HX-Request": "true"}
        async with pages.as_("master") as browser:
            for path in ("", "/older?before=9", "/orders", "/quick", "/dialog/resolve", "/dialog/transfer"):
                theirs, none = [await browser.get(f"/desk/requests/{one}{path}") for one in ("T-1001", "T-1999")]
                assert (theirs.status_code, theirs.text) == (404, none.text.replace("T-1999", "T-1001")), path
            for path in ("reply", "hold", "draft", "again/1", "take", "resume", "undo", "resolve", "step-in", "phone"):
                theirs, none = [
                    await browser.post(f"/desk/requests/{one}/{path}", data=form, headers=htmx)
                    for one in ("T-1001", "T-1999")
                ]
                assert (theirs.status_code, theirs.text) == (404, none.text), path
            for path in ("", "/picture", "/sound"):
                assert (await browser.get(f"/desk/files/{file_id}{path}")).status_code == 404, path
        async with pages.as_("anna") as browser:
            assert (await browser.get("/desk/requests/T-1001")).status_code == 200
            assert (await browser.get(f"/desk/files/{file_id}")).status_code == 410  # hers, and not in the store

    async def test_a_trainer_reads_the_talk_without_a_number_in_full(self, pages: Pages, seen: World) -> None:
        async with pages.as_("coach") as browser:
            page = await browser.get("/desk/requests/T-1001")
            assert page.status_code == 200
            assert "4567" in page.text
            assert "123-45-67" not in page.text
            assert "T-1001" in (await browser.get("/desk/?tab=live")).text
        async with pages.as_("anna") as browser:
            assert "123-45-67" in (await browser.get("/desk/requests/T-1001")).text

    async def test_an_earlier_request_leads_there_only_for_those_who_may_see_it(
        self, pages: Pages, seen: World
    ) -> None:
        await act(seen, desk.resolve, "anna")
        async with seen.sessions.begin() as session:
            await session.execute(update(Request).values(queue="masters", state="closed", ended_at=seen.clock.now()))
        await seen.say("c1", "мастера")
        for name, leads in (("boris", False), ("anna", True), ("coach", True)):
            async with pages.as_(name) as browser:
                page = (await browser.get("/desk/requests/T-1002")).text
            assert "Прежние обращения" in page
            assert ('href="/desk/requests/T-1001"' in page) == leads, name
