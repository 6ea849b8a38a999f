"""The request page in a real browser: what is written is never lost, never doubled, and found by a few letters."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route, expect
from sqlalchemy import select

from bot import desk
from bot.channels import Kind
from bot.models import Message, Request
from tests.bot.world import World, until
from tests.e2e.console.browsers import launched
from tests.e2e.console.seed import TALKS, fill, shop_world
from tests.e2e.console.served import served

WIDE = {"width": 1440, "height": 900}


@dataclass
class Desk:
    """A desk with one talk in Anna's hands, and a browser."""

    world: World
    address: str
    browser: Browser
    number: str
    chat: str = "500001"

    async def page(self, name: str = "anna", *, now: bool = False, **more: object) -> Page:
        """The request's page, opened by an agent. now: the page's clock is the shop's, and can be put forward."""
        context = await self.browser.new_context(**{"viewport": WIDE, "locale": "ru-RU", **more})  # type: ignore[arg-type]
        await context.add_cookies([{"name": "sits", "value": name, "url": self.address}])
        page = await context.new_page()
        if now:
            await page.clock.install(time=self.world.clock.now())
        await page.goto(f"{self.address}/desk/requests/{self.number}")
        await expect(page.locator("#lines .line").first).to_be_visible()
        return page

    async def said(self) -> list[str]:
        """What agents have written in the talk, notes too."""
        return list(await self.world.rows(select(Message.text).where(Message.sender.in_(("agent", "note"))).order_by(Message.id)))  # fmt: skip


@pytest.fixture
async def shop(address: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with shop_world(address, tmp_path) as world, launched() as browser:
        await fill(world, [one for one in TALKS if one.name == "Лена Новикова"])
        number = (await world.rows(select(Request.number)))[0]
        async with served(world, tmp_path) as at:
            yield Desk(world, at, browser, number)


async def test_a_draft_survives_a_reload_and_an_update_of_the_page(shop: Desk) -> None:
    page = await shop.page()
    text = page.locator("#reply-text")
    await text.fill("Елена, перенес")
    await expect(page.locator("#reply-saved")).to_have_text("Черновик сохранён")
    await page.reload()
    await expect(text).to_have_value("Елена, перенес")
    await text.focus()
    await page.keyboard.press("End")
    await shop.world.receive(shop.world.incoming(shop.chat, text="Вы тут?"))
    await expect(page.locator("#lines")).to_contain_text("Вы тут?")
    await page.keyboard.type("у сегодня")
    await expect(text).to_have_value("Елена, перенесу сегодня")


async def test_a_phrase_is_found_by_letters_and_several_go_into_one_reply(shop: Desk) -> None:
    page = await shop.page()
    text = page.locator("#reply-text")
    await text.focus()
    await page.keyboard.type("/")
    await expect(page.locator("#quick-find")).to_be_focused()
    await page.keyboard.type("вижу зак")
    await expect(page.locator("#quick-list [aria-selected=true] b")).to_have_text("Вижу заказ")
    await page.keyboard.press("Enter")
    await expect(text).to_be_focused()
    await page.keyboard.type(" /")
    await page.keyboard.type("xnj-yb,elm")  # «что-нибудь» with the keyboard in English
    await expect(page.locator("#quick-list [aria-selected=true] b")).to_have_text("Что-нибудь ещё?")
    await page.keyboard.press("Enter")
    await expect(text).to_have_value(
        "Вижу ваш заказ № 48331 от 17 ноября: Набор полотенец. Могу ещё чем-нибудь помочь?"
    )
    await page.keyboard.type(" /")
    await page.keyboard.type("трек-номер")
    await expect(page.locator("#quick-list [aria-selected=true]")).to_contain_text("не хватает: трек-номер")
    await page.keyboard.press("Enter")
    await expect(page.locator("#quick")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(text).to_be_focused()


async def test_what_is_sent_in_haste_is_sent_once(shop: Desk) -> None:
    page = await shop.page()
    await page.locator("#reply-text").fill("Да, сделаю")
    for _ in range(3):
        await page.keyboard.press("Control+Enter")
    await expect(page.locator("#reply-text")).to_have_value("")
    await expect(page.locator("#lines")).to_contain_text("Да, сделаю")
    await page.locator("label", has_text="Заметка").first.click()
    await page.locator("#reply-text").fill("проверить завтра")
    await page.locator("#reply-send").dblclick()
    await expect(page.locator("#lines .note").last).to_contain_text("проверить завтра")
    assert [one for one in await shop.said() if one in ("Да, сделаю", "проверить завтра")] == [
        "Да, сделаю",
        "проверить завтра",
    ]


@pytest.mark.rule("L2-12")
async def test_a_known_question_waits_for_a_second_thought(shop: Desk) -> None:
    page = await shop.page()
    await page.locator("#reply-text").fill("Как вас зовут?")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#reply-warning")).to_contain_text("Елена Викторовна")
    await expect(page.locator("#reply-text")).to_have_value("Как вас зовут?")
    assert "Как вас зовут?" not in await shop.said()
    await page.get_by_role("button", name="Всё равно отправить").click()
    await expect(page.locator("#reply-text")).to_have_value("")
    assert "Как вас зовут?" in await shop.said()


@pytest.mark.rule("L2-11")
async def test_a_phrase_of_patience_goes_by_one_click(shop: Desk) -> None:
    page = await shop.page()
    await page.locator("#reply-text").fill("ещё пишу")
    await page.get_by_role("button", name="Смотрю заказ").click()
    await expect(page.locator("#reply-clock")).to_contain_text("попросили подождать")
    await expect(page.locator("#reply-text")).to_have_value("ещё пишу")
    assert (await shop.said())[-1] in ("Секунду, смотрю заказ.", "Уже смотрю заказ, одну минуту.")


@pytest.mark.rule("L2-11")
async def test_who_was_asked_for_patience_is_not_forgotten(shop: Desk) -> None:
    page = await shop.page(now=True)
    await page.get_by_role("button", name="Смотрю заказ").click()
    clock, toasts = page.locator("#reply-clock"), page.locator("#toasts")
    await expect(clock).to_contain_text("попросили подождать")
    await page.clock.fast_forward("01:50")
    await expect(clock).to_contain_text("1 мин")
    await expect(toasts).not_to_contain_text("Клиент ждёт")
    await page.clock.fast_forward("00:15")
    await expect(toasts).to_contain_text("Клиент ждёт уже две минуты")
    await page.locator("#reply-text").fill("Нашла: посылка в Казани")
    await page.keyboard.press("Control+Enter")
    await expect(clock).to_have_text("")


async def test_both_sides_see_that_the_other_writes(shop: Desk) -> None:
    page = await shop.page(now=True)
    text, typing = page.locator("#reply-text"), page.locator("#typing")
    told = shop.world.channels["telegram"].typed
    await shop.world.receive(shop.world.incoming(shop.chat, kind=Kind.TYPING))
    await expect(typing).to_have_text("Елена Викторовна печатает…")
    await page.clock.fast_forward("00:08")
    await expect(typing).to_have_text("")
    await page.locator("label", has_text="Заметка").first.click()
    await text.press_sequentially("сама")
    await page.locator("label", has_text="Ответ клиенту").first.click()
    assert told == []  # of notes the customer learns nothing
    await text.press_sequentially(" перенесу")
    await until(lambda: told == [shop.chat])


async def test_new_lines_follow_the_reader_only_at_the_end(shop: Desk) -> None:
    page = await shop.page()
    lines, pill = page.locator("#lines"), page.locator("#new-lines")
    await lines.evaluate("node => { node.scrollTop = 0; }")
    await page.wait_for_function("document.querySelector('#lines').scrollTop === 0")
    await shop.world.receive(shop.world.incoming(shop.chat, text="Первая новая"))
    await expect(pill).to_be_visible()
    assert await lines.evaluate("node => node.scrollTop") == 0
    await pill.click()
    await expect(pill).to_be_hidden()
    await shop.world.receive(shop.world.incoming(shop.chat, text="Вторая новая"))
    await expect(page.get_by_text("Вторая новая")).to_be_in_viewport()
    await expect(pill).to_be_hidden()


async def test_the_end_of_the_talk_stays_in_sight_when_the_box_comes(shop: Desk) -> None:
    await shop.world.do(
        desk.decline, shop.world.desk, "anna", await shop.world.id_of(shop.chat), "Обед", now=shop.world.clock.now()
    )
    page = await shop.page(viewport={"width": 1440, "height": 640})
    await page.keyboard.press("t")
    await expect(page.locator("#reply-form")).to_be_visible()
    await expect(page.locator("#lines").get_by_text("Взято в работу").last).to_be_in_viewport()
    assert await page.locator("#lines").evaluate("one => one.scrollHeight - one.scrollTop - one.clientHeight") < 2


async def test_what_is_written_on_while_a_reply_goes_is_the_next_one(shop: Desk) -> None:
    page = await shop.page()
    goes, may_go = asyncio.Event(), asyncio.Event()

    async def held(route: Route) -> None:
        goes.set()
        await may_go.wait()
        await route.continue_()

    await page.route("**/reply", held)
    text = page.locator("#reply-text")
    await text.fill("Да, перенесу.")
    await page.keyboard.press("Control+Enter")
    await goes.wait()
    await page.keyboard.type(" Завтра")
    may_go.set()
    await expect(text).to_have_value("Завтра")
    await expect(page.locator("#reply-saved")).to_have_text("Черновик сохранён")
    assert (await shop.said())[-1] == "Да, перенесу."


async def test_a_picture_is_pasted_and_sent(shop: Desk) -> None:
    page = await shop.page()
    await page.locator("#reply-text").fill("Вот так")
    await page.locator("#reply-text").evaluate(
        """async (node) => {
          const canvas = new OffscreenCanvas(60, 40), drawn = canvas.getContext("2d");
          drawn.fillRect(0, 0, 30, 30);
          const data = new DataTransfer();
          data.items.add(new File([await canvas.convertToBlob({type: "image/png"})], "снимок.png", {type: "image/png"}));
          node.dispatchEvent(new ClipboardEvent("paste", {clipboardData: data, bubbles: true, cancelable: true}));
        }"""
    )
    await expect(page.locator("#reply-files li")).to_have_count(1)
    await page.keyboard.press("Control+Enter")
    picture = page.locator("#lines .agent .photo img")
    await expect(picture).to_be_visible()
    await expect(picture).to_have_js_property("naturalWidth", 60)
    await expect(page.locator("#reply-files li")).to_have_count(0)


async def test_what_is_written_stays_when_a_supervisor_steps_in(shop: Desk) -> None:
    page = await shop.page()
    await page.locator("#reply-text").fill("Почти дописала")
    async with shop.world.sessions() as session:
        request = await session.scalar(select(Request))
    assert request is not None
    await shop.world.do(
        desk.step_in,
        shop.world.desk,
        "boris",
        request.conversation_id,
        now=shop.world.clock.now(),
        request_id=request.id,
    )
    await expect(page.locator("#reply-state")).to_contain_text("Клиенту отвечает")
    await expect(page.locator("#reply-send")).to_be_disabled()
    await expect(page.locator("#reply-text")).to_have_value("Почти дописала")
