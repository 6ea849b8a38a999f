"""«Почему бот так ответил»: the reading, the rules, the facts and the way through the flow, for whoever may see the talk."""

from __future__ import annotations

import html
import re

import httpx
import pytest
from sqlalchemy import select, update

from bot import desk
from bot.models import Audit, Message, Sender, TurnRow
from tests.bot.console.conftest import Pages
from tests.bot.world import act


@pytest.fixture
async def talked(pages: Pages) -> Pages:
    """A talk with the bot that ended with people."""
    world = pages.world
    await world.agent("anna", title="Анна")
    await world.agent("master", "masters")
    await world.agent("chief", "masters", role="supervisor")
    await world.agent("coach", role="trainer")
    await world.say("c1", "готов ли велосипед")
    await world.say("c1", "мастера, звоните 8 916 123 45 67")
    await world.say("c1", "мастера")
    return pages


async def message(pages: Pages, text: str) -> int:
    found = await pages.world.rows(select(Message).where(Message.text == text).order_by(Message.id))
    assert found, text
    return int(found[0].id)


async def shown(pages: Pages, text: str, agent: str = "anna") -> httpx.Response:
    async with pages.as_(agent) as http:
        return await http.get(f"/desk/why/{await message(pages, text)}")


def words(answer: httpx.Response) -> str:
    """What stands on the page, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


class TestExplained:
    async def test_an_answer_is_explained_from_reading_to_phrase(self, talked: Pages) -> None:
        answer = await shown(talked, "Велосипед готов.")
        said = words(answer)
        assert answer.status_code == 200
        assert "Клиент готов ли велосипед Бот Велосипед готов." in said
        assert "Понято уверенно." in said
        assert "90 %" in said
        assert "bicycle(account=telegram:c1)" in said
        assert "велосипед bicycle (аккаунт telegram:c1) — состояние готов" in said
        assert re.search(r"таблица «Что с велосипедом», строка \d", said)
        assert "если состояние велосипеда: готов bicycle_state" in said
        assert "сказать" in said
        assert "flows/all.yml:" in said
        assert "T-1001" in said

    async def test_the_customers_line_leads_to_the_same(self, talked: Pages) -> None:
        assert "bicycle(account=telegram:c1)" in words(await shown(talked, "готов ли велосипед"))

    async def test_the_flow_is_drawn_with_the_way_that_was_taken(self, talked: Pages) -> None:
        answer = await shown(talked, "Велосипед готов.")
        drawing = answer.text[answer.text.index('<svg class="fl"') :]
        taken = re.findall(r'<g class="taken">(.*?)</g>', drawing)
        assert any("таблице: «Что с<" in one for one in taken), taken
        assert "repair_state" not in drawing[: drawing.index("</svg>")]
        assert "<style" not in answer.text  # the desk's policy would not let it in
        style = await talked.as_("anna").get("/desk/why/flow.css")
        assert style.headers["content-type"].startswith("text/css")
        assert ':root[data-theme="dark"] .fl{' in style.text
        assert style.text.count("{") == style.text.count("}")

    async def test_numbers_are_masked(self, talked: Pages) -> None:
        async with talked.world.sessions.begin() as session:
            await session.execute(
                update(Message).where(Message.text == "мастера").values(text="звоните 8 916 123 45 67")
            )
        answer = await shown(talked, "звоните 8 916 123 45 67")
        assert "•••4567" in words(answer)
        assert "123 45 67" not in words(answer)

    async def test_that_today_the_bot_would_answer_otherwise_is_told(self, talked: Pages) -> None:
        async with talked.world.sessions.begin() as session:
            turn = (await session.scalars(select(TurnRow).order_by(TurnRow.id))).first()
            assert turn is not None
            turn.pack = "mini@old"
            messages = [{**one, "text": "Раньше говорили так."} for one in turn.decision["messages"]]
            turn.decision = {**turn.decision, "messages": messages}
        assert "сегодня бот ответил бы иначе" in words(await shown(talked, "Велосипед готов."))

    async def test_what_nobody_knows_any_more_is_told(self, talked: Pages) -> None:
        async with talked.world.sessions.begin() as session:
            await session.execute(update(TurnRow).values(facts=[]))
        said = words(await shown(talked, "Велосипед готов."))
        assert "чего уже не узнать: " in said
        assert "Прочитано: Готовность" in said

    async def test_a_turn_of_another_version_shows_what_is_left(self, talked: Pages) -> None:
        async with talked.world.sessions.begin() as session:
            await session.execute(update(TurnRow).values(given={"shape": "old"}))
        said = words(await shown(talked, "Велосипед готов."))
        assert "разобрать его целиком уже нельзя" in said
        assert "Прочитано: Готовность" in said

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("Здесь!", "Это написал специалист, не бот."), ("Мастер на связи T-1001.", "Это служебное сообщение"),
            ("вы где?", "его читал специалист"),
        ],
    )  # fmt: skip
    async def test_lines_that_no_turn_stands_behind_say_so(self, talked: Pages, text: str, sentence: str) -> None:
        await talked.world.take("anna")
        await talked.world.say("c1", "вы где?")
        await act(talked.world, desk.reply, "anna", "Здесь!")
        answer = await shown(talked, text)
        assert answer.status_code == 200
        assert sentence in words(answer)


class TestWhoMaySee:
    async def test_the_agents_of_its_queue_trainers_and_supervisors(self, talked: Pages) -> None:
        for name, status in (("anna", 200), ("coach", 200), ("chief", 200), ("master", 404)):
            assert (await shown(talked, "Велосипед готов.", name)).status_code == status, name

    async def test_a_talk_without_a_request_is_for_supervisors(self, talked: Pages) -> None:
        await talked.world.say("c2", "привет")
        (greeting,) = list(
            await talked.world.rows(
                select(Message).where(Message.sender == Sender.BOT).order_by(Message.id.desc()).limit(1)
            )
        )
        for name, status in (("chief", 200), ("anna", 404)):
            async with talked.as_(name) as http:
                assert (await http.get(f"/desk/why/{greeting.id}")).status_code == status, name

    async def test_notes_and_lines_that_are_not_there_are_not_found(self, talked: Pages) -> None:
        await talked.world.take("anna")
        await act(talked.world, desk.note, "anna", "тайна")
        assert (await shown(talked, "тайна")).status_code == 404
        async with talked.as_("anna") as http:
            assert (await http.get("/desk/why/999999")).status_code == 404
            assert (await http.get("/desk/why/none")).status_code == 422

    async def test_looking_is_in_the_audit(self, talked: Pages) -> None:
        await shown(talked, "Велосипед готов.")
        (row,) = await talked.world.rows(select(Audit).where(Audit.action == "why"))
        assert (row.agent, set(row.data)) == ("anna", {"line"})
