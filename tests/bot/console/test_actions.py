"""The buttons and dialogs of the desk: what they ask, what they do, what they say when it cannot be."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from bot import desk
from bot.console.forms import FORMS, SAME
from bot.models import Audit, Conversation, Planned, Request, RequestEvent, State
from tests.bot.console.conftest import Pages
from tests.bot.world import act

HERE = "/desk/requests/T-1001"
HTMX = {"HX-Request": "true", "HX-Current-URL": f"https://desk.example{HERE}"}


@pytest.fixture
async def work(pages: Pages) -> Pages:
    """Anna has T-1001 in hand; Boris is on shift, Olga leads."""
    world = pages.world
    await world.agent("anna", title="Анна")
    await world.agent("boris", title="Борис")
    await world.agent("chief", title="Ольга", role="supervisor")
    await world.agent("vera", title="Вера", on_shift=False)
    await world.say("c1", "мастера")
    await world.take("anna")
    world.events.clear()
    return pages


def patient(pages: Pages) -> None:
    """From now on actions can be undone for five seconds."""
    object.__setattr__(pages.parts, "settings", pages.parts.settings.model_copy(update={"undo_seconds": 5.0}))


async def post(
    pages: Pages, action: str, name: str = "anna", *, number: str = "T-1001", **given: str
) -> httpx.Response:
    """Send a form of the page of a request."""
    async with pages.as_(name) as browser:
        answer = await browser.post(f"/desk/requests/{number}/{action}", data=given, headers=HTMX)
    await pages.world.settle()
    return answer


async def dialog(pages: Pages, action: str, name: str = "anna", **headers: str) -> httpx.Response:
    async with pages.as_(name) as browser:
        return await browser.get(f"{HERE}/dialog/{action}", headers=headers or HTMX)


async def audited(pages: Pages) -> list[tuple[str | None, str, Any]]:
    rows = await pages.world.rows(select(Audit).order_by(Audit.id))
    return [(one.agent, one.action, one.data) for one in rows]


class TestTaking:
    async def test_next_takes_it_and_leads_to_it(self, pages: Pages) -> None:
        await pages.world.agent("anna")
        async with pages.as_("anna") as browser:
            empty = await browser.post("/desk/next", headers=HTMX)
            assert (empty.status_code, "В ваших очередях никого нет." in empty.text) == (200, True)
            await pages.world.say("c1", "мастера")
            taken = await browser.post("/desk/next")
        assert (taken.status_code, taken.headers["location"]) == (303, HERE)
        assert (await pages.world.request()).state == State.ASSIGNED
        assert await audited(pages) == [("anna", "take", {"next": True})]

    async def test_of_many_clicks_at_once_one_takes_and_the_others_are_told(self, pages: Pages) -> None:
        names = [f"agent{number}" for number in range(8)]
        for name in names:
            await pages.world.agent(name)
        await pages.world.say("c1", "мастера")
        answers = await asyncio.gather(*(post(pages, "take", name) for name in names))
        assert sorted(one.status_code for one in answers) == [200] + [409] * 7
        assert sum("Обращение уже взял другой специалист." in one.text for one in answers) == 7
        rows = await audited(pages)
        assert sum(data == {"refused": "RequestTaken"} for _, _, data in rows) == 7

    async def test_from_the_queue_it_leads_to_the_request(self, pages: Pages) -> None:
        await pages.world.agent("anna")
        await pages.world.say("c1", "мастера")
        async with pages.as_("anna") as browser:
            answer = await browser.post(
                f"{HERE}/take", headers={"HX-Request": "true", "HX-Current-URL": "https://d/desk/"}
            )
        assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, HERE)

    async def test_a_trainer_only_reads(self, work: Pages) -> None:
        await work.world.agent("teacher", role="trainer")
        assert (await post(work, "take", "teacher")).status_code == 403
        assert (await dialog(work, "resolve", "teacher")).status_code == 403

    async def test_what_is_not_there_is_said(self, work: Pages) -> None:
        answer = await post(work, "take", number="T-9")
        assert (answer.status_code, "Обращения с таким номером нет." in answer.text) == (404, True)
        assert (await dialog(work, "explode")).status_code == 404


class TestDialogs:
    @pytest.mark.parametrize("action", [*FORMS, *SAME])
    async def test_each_is_a_form_with_labels_and_a_way_out(self, work: Pages, action: str) -> None:
        answer = await dialog(work, action)
        html = answer.text
        assert answer.status_code == 200
        assert html.startswith("<form")
        assert f'action="{HERE}/{SAME.get(action, action)}"' in html
        assert 'id="dialog-title"' in html
        assert "data-close" in html
        assert 'name="form_token"' in html
        unnamed = re.findall(r"<(?:textarea|select|input(?![^>]*type=\"hidden\"))[^>]*>", html)
        for field in unnamed:  # inside a label, or named by itself
            at = html.index(field)
            inside = html.rfind("<label", 0, at) > html.rfind("</label>", 0, at)
            assert inside or "aria-label=" in field, field
        assert not re.search(r"\son\w+=|\sstyle=", html)  # nothing that the content policy would stop

    async def test_without_scripts_it_is_a_page(self, work: Pages) -> None:
        answer = await dialog(work, "resolve", Accept="text/html")
        assert answer.text.startswith("<!doctype html>")
        assert "Завершить обращение" in answer.text

    async def test_transfer_tells_who_is_there_and_when_queues_are_open(self, work: Pages) -> None:
        html = (await dialog(work, "transfer")).text
        assert "Мастера · открыта до 18:00" in html
        assert "Борис · свободен" in html
        assert re.search(r'<option value="to:vera" disabled[^>]*>Вера · не на смене', html)
        assert "to:anna" not in html
        assert "queue:desk" not in html
        work.world.clock.forward(hours=8)
        assert "Мастера · закрыта до завтра 09:00, клиенту назовём срок" in (await dialog(work, "transfer")).text

    async def test_resolve_offers_the_topic_and_a_search(self, work: Pages) -> None:
        html = (await dialog(work, "resolve")).text
        assert re.search(r'<input type="radio" name="category" value="person" checked', html)
        assert '<datalist id="all-categories">' in html

    async def test_a_call_offers_the_known_number_by_its_last_digits_only(self, work: Pages) -> None:
        world = work.world
        world.crm.riders = {"telegram:c1": {"id": "C1", "phones": ["+79161234567", "+74950000000"]}}
        async with world.sessions.begin() as session:
            await session.execute(update(Request).values(customer_id="C1"))
        html = (await dialog(work, "call-back")).text
        assert "•••4567" in html
        assert "из карточки" in html
        assert "9161234567" not in html
        at = (world.clock.now() + timedelta(hours=3)).isoformat()
        await post(work, "call-back", phone="card-0", when=at, confirmed="1")
        assert (await world.request()).call_phone == "+79161234567"
        assert "916" not in str(await audited(work))

    async def test_joining_offers_the_customers_other_requests(self, work: Pages) -> None:
        await act(work.world, desk.open_case, "anna", "letter", "Написать", tell=False)
        html = (await dialog(work, "join")).text
        assert re.search(r'value="T-1002" checked', html)
        assert "Приёмка" in html


class TestDoing:
    @pytest.mark.parametrize(
        ("action", "given", "state"),
        [
            ("give-back", {"comment": "Не моя тема"}, "queued"),
            ("decline", {"comment": "Не моя тема"}, "queued"),
            ("transfer", {"target": "queue:masters", "comment": "Нужна ось"}, "queued"),
            ("transfer", {"target": "to:boris", "comment": "Твой"}, "assigned"),
            ("resolve", {"resolution": "solved", "category": "person", "comment": "Готово"}, "solved"),
            ("wait", {"when": ""}, "waiting_customer"),
            ("spam", {}, "closed"),
            ("case", {"category": "letter", "comment": "Написать", "when": "", "tell": "1"}, "assigned"),
            ("priority", {"priority": "high", "reason": "Ждёт давно"}, "assigned"),
        ],
    )
    async def test_what_was_asked_for_is_done_and_written_down(
        self, work: Pages, action: str, given: dict[str, str], state: str
    ) -> None:
        answer = await post(work, action, **given)
        assert (answer.status_code, answer.headers["HX-Trigger"]) == (200, "close-dialog")
        assert (await work.world.request()).state == state
        (row,) = await audited(work)
        assert row[0] == "anna"
        assert not {"Не моя тема", "Нужна ось", "Готово", "Написать"} & {*map(str, row[2].values())}

    async def test_a_supervisor_steps_in(self, work: Pages) -> None:
        assert "Сейчас обращение ведёт Анна." in (await dialog(work, "step-in", "chief")).text
        await post(work, "step-in", "chief")
        request = await work.world.request()
        assert request.state == State.ASSIGNED
        assert (await audited(work))[0][:2] == ("chief", "step_in")
        assert (await post(work, "step-in", "boris")).status_code == 409

    async def test_waiting_and_going_on(self, work: Pages) -> None:
        await post(work, "wait", when="other", when_other="2026-11-20T10:00")
        until = (await work.world.request()).wait_until
        assert until is not None
        assert until.isoformat() == "2026-11-20T07:00:00+00:00"  # Moscow
        await post(work, "resume")
        assert (await work.world.request()).state == State.ASSIGNED

    async def test_a_call_promised_and_made(self, work: Pages) -> None:
        at = (work.world.clock.now() + timedelta(hours=2)).isoformat()
        answer = await post(work, "call-back", phone="other", phone_other="8 916 123 45 67", when=at, confirmed="1")
        assert answer.status_code == 200
        async with work.as_("anna") as browser:
            card = (await browser.get("/desk/requests/T-1001")).text
        assert card.count("Обещано") == 1
        assert "Ответить клиенту" not in card  # one promise is told once
        await post(work, "called", resolution="solved", comment="Всё рассказала")
        request = await work.world.request()
        assert (request.state, request.solution, request.call_phone) == (State.SOLVED, "Всё рассказала", None)

    async def test_a_topic_may_be_typed_by_its_title(self, work: Pages) -> None:
        title = work.parts.pack.intents["spare_part"].title or "spare_part"
        await post(work, "resolve", resolution="solved", category="other", category_other=title.upper())
        assert (await work.world.request()).resolved_category == "spare_part"

    async def test_spam_is_taken_back_by_a_supervisor(self, work: Pages) -> None:
        await post(work, "spam")
        assert (await post(work, "not-spam", "boris")).status_code == 409
        assert (await post(work, "not-spam", "chief")).status_code == 200
        (conversation,) = await work.world.rows(select(Conversation))
        assert (conversation.spam_at, (await work.world.request()).state) == (None, State.QUEUED)


class TestWrong:
    @pytest.mark.parametrize(
        ("action", "given", "field", "said"),
        [
            ("give-back", {"comment": " "}, "comment", "Напишите комментарий"),
            ("transfer", {"target": "", "comment": "Нужна ось"}, "target", "Выберите, кому передать."),
            ("transfer", {"target": "to:vera", "comment": "Нужна ось"}, "target", "Этот специалист не на смене."),
            ("transfer", {"target": "queue:masters", "comment": ""}, "comment", "Напишите комментарий"),
            ("resolve", {"resolution": "maybe"}, "resolution", "Выберите: решено или не решено."),
            ("resolve", {"resolution": "solved", "category": "other", "category_other": "чушь"}, "category", "Такой темы нет"),
            ("wait", {"when": "other", "when_other": ""}, "when", "Укажите дату и время."),
            ("wait", {"when": "2020-01-01T10:00"}, "when", "Это время уже прошло"),
            ("case", {"category": "", "comment": "Написать"}, "category", "Выберите вид задачи"),
            ("case", {"category": "letter", "comment": ""}, "comment", "Опишите, что нужно сделать."),
            ("call-back", {"phone": "other", "phone_other": "123", "when": "2026-11-19T10:00", "confirmed": "1"}, "phone_other", "Проверьте номер"),
            ("call-back", {"phone": "other", "phone_other": "89161234567", "when": "2026-11-19T10:00"}, "confirmed", "Уточните номер и время"),
            ("call-back", {"phone": "other", "phone_other": "89161234567", "when": ""}, "when", "Укажите, когда позвонить."),
            ("priority", {"priority": "high", "reason": ""}, "reason", "Напишите, почему"),
            ("join", {"other": "other", "other_number": ""}, "other", "Укажите номер обращения."),
            ("join", {"other": "other", "other_number": "T-77"}, "other", "Обращения с таким номером нет."),
        ],
    )  # fmt: skip
    async def test_it_is_said_at_the_field_and_what_was_entered_stays(
        self, work: Pages, action: str, given: dict[str, str], field: str, said: str
    ) -> None:
        patient(work)
        answer = await post(work, action, **given)
        assert answer.status_code in (409, 422, 404)
        error = re.search(rf'<p class="field-error" id="{field}-error" role="alert">([^<]*)', answer.text)
        assert error is not None, answer.text
        assert error[1].startswith(said)
        assert f'aria-describedby="{field}-error"' in answer.text
        for name in ("comment", "phone_other", "reason"):
            if given.get(name, "").strip():
                assert given[name] in answer.text
        assert await work.world.rows(select(Planned)) == []
        assert (await work.world.request()).state == State.ASSIGNED

    async def test_what_is_about_no_field_is_said_above(self, work: Pages) -> None:
        answer = await post(work, "resolve", "boris", resolution="solved")
        assert (answer.status_code, "Обращение сейчас не у вас." in answer.text) == (409, True)
        assert await audited(work) == [("boris", "resolve", {"refused": "NotYourRequest"})]

    async def test_without_scripts_the_page_says_it_too(self, work: Pages) -> None:
        async with work.as_("anna") as browser:
            answer = await browser.post(f"{HERE}/give-back", data={"comment": ""})
            assert answer.text.startswith("<!doctype html>")
            assert "field-error" in answer.text
            done = await browser.post(f"{HERE}/give-back", data={"comment": "Не моя тема"})
        assert (done.status_code, done.headers["location"]) == (303, HERE)


class TestUndo:
    async def test_an_action_stands_at_the_edge_until_it_is_done_or_undone(self, work: Pages) -> None:
        patient(work)
        answer = await post(work, "resolve", resolution="solved")
        assert 'id="news"' in answer.text
        assert "T-1001: завершаем…" in answer.text
        assert f'hx-post="{HERE}/undo"' in answer.text
        assert (await work.world.request()).state == State.ASSIGNED
        undone = await post(work, "undo")
        assert (undone.status_code, "завершаем" in undone.text) == (200, False)
        assert [one.state for one in await work.world.rows(select(Planned))] == ["undone"]
        again = await post(work, "undo")
        assert (again.status_code, "Отменить не получится: уже выполнено." in again.text) == (409, True)
        assert [action for _, action, _ in await audited(work)] == ["resolve", "undo", "undo"]

    async def test_a_second_action_waits_for_the_first(self, work: Pages) -> None:
        patient(work)
        await post(work, "resolve", resolution="solved")
        answer = await post(work, "transfer", target="queue:masters", comment="Нужна ось")
        assert (answer.status_code, "уже выполняется другое действие" in answer.text) == (409, True)

    async def test_who_ends_the_shift_loses_nothing_of_what_was_decided(self, work: Pages) -> None:
        patient(work)
        await post(work, "resolve", resolution="solved")
        async with work.as_("anna") as browser:
            await browser.post("/desk/shift", data={"on": "0"}, headers=HTMX)
        assert (await work.world.request()).state == State.SOLVED

    async def test_who_lost_a_request_reads_so_and_puts_it_away(self, work: Pages) -> None:
        await post(work, "step-in", "chief")
        (row,) = await work.world.rows(select(Planned))
        answer = await post(work, "take", "anna")
        assert answer.status_code == 409
        async with work.as_("anna") as browser:
            other = await browser.post(f"/desk/news/{row.id}/seen", headers=HTMX)
        assert "теперь обращение" not in other.text
        (row,) = await work.world.rows(select(Planned))
        assert row.seen

    async def test_who_opens_the_request_has_read_what_became_of_it(self, work: Pages) -> None:
        await post(work, "step-in", "chief")
        for name, read in (("boris", False), ("anna", True)):
            async with work.as_(name) as browser:
                await browser.get("/desk/requests/T-1001")
            assert [row.seen for row in await work.world.rows(select(Planned))] == [read]

    async def test_nobody_puts_away_what_others_are_told(self, work: Pages) -> None:
        await post(work, "step-in", "chief")
        (row,) = await work.world.rows(select(Planned))
        async with work.as_("boris") as browser:
            await browser.post(f"/desk/news/{row.id}/seen", headers=HTMX)
        (row,) = await work.world.rows(select(Planned))
        assert not row.seen


async def test_nothing_private_stands_in_the_audit(work: Pages) -> None:
    at = (work.world.clock.now() + timedelta(hours=3)).isoformat()
    await post(work, "call-back", phone="other", phone_other="89161234567", when=at, confirmed="1", comment="Про раму")
    await post(work, "transfer", target="to:boris", comment="Клиент Пётр, +79161234567")
    told = str(await audited(work))
    assert "916" not in told
    assert "Пётр" not in told
    assert "раму" not in told


async def test_the_timeline_tells_what_was_done(work: Pages) -> None:
    await post(work, "priority", priority="high", reason="Ждёт давно")
    kinds = [one.kind for one in await work.world.rows(select(RequestEvent).order_by(RequestEvent.id))]
    assert kinds[-1] == "prioritised"
