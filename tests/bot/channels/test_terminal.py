"""The terminal as a channel: what is typed, and what is printed."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pytest
from rich.console import Console

import flows
from bot.channels import Incoming, Kind, Media, Outgoing, split
from bot.channels.terminal import TerminalChannel

BUTTONS = (flows.Button("Да", "yes"), flows.Button("[Нет]", "no"))


async def typed(*lines: str) -> AsyncIterator[str]:
    for line in lines:
        yield line + "\n"


class Terminal:
    """A terminal with lines typed in advance."""

    def __init__(self, *lines: str) -> None:
        self.screen = io.StringIO()
        self.got: list[Incoming] = []
        console = Console(file=self.screen, width=60)
        self.channel = TerminalChannel(lines=typed(*lines), console=console, assistant="Лада", customer="Я")

    async def receive(self, update: Incoming) -> None:
        self.got.append(update)

    async def run(self) -> list[Incoming]:
        await self.channel.run(self.receive)
        return self.got


async def test_it_passes_for_a_messenger() -> None:
    [update] = await Terminal("где заказ").run()
    assert (update.channel, update.chat, update.kind, update.text) == (
        "telegram",
        "terminal",
        Kind.MESSAGE,
        "где заказ",
    )


async def test_two_runs_have_no_external_ids_in_common() -> None:
    [first], [second] = await Terminal("раз").run(), await Terminal("раз").run()
    assert first.external_id != second.external_id


async def test_buttons_are_printed_with_numbers_and_pressed_by_them() -> None:
    terminal = Terminal("2", "2")
    await terminal.channel.send(Outgoing(id=12, chat="terminal", text="Это вы?", buttons=BUTTONS))
    press, text = await terminal.run()
    assert (press.kind, press.press, press.text) == (Kind.PRESS, "12.1", "[Нет]")
    assert (text.kind, text.text) == (Kind.MESSAGE, "2")
    screen = terminal.screen.getvalue()
    assert "Лада" in screen
    assert "  [2] [Нет]" in screen


async def test_numbers_go_on_over_the_replies_of_one_turn() -> None:
    terminal = Terminal("2")
    await terminal.channel.send(Outgoing(id=12, chat="terminal", text="Это вы?", buttons=BUTTONS))
    more = (flows.Button("Отменить обращение", "flow:cancel_request"),)
    await terminal.channel.send(Outgoing(id=13, chat="terminal", text="Вы в очереди", buttons=more))
    [press] = await terminal.run()
    assert press.press == "12.1"
    assert f"  [{len(BUTTONS) + 1}] Отменить обращение" in terminal.screen.getvalue()


async def test_controls_of_a_messenger() -> None:
    sent = await Terminal(
        "где заказ 1", "/edit где заказ 2", "/contact 8 999 000-00-01", "/photo вот", "/sticker", "/operator"
    ).run()
    assert [update.kind for update in sent] == [
        Kind.MESSAGE, Kind.EDIT, Kind.CONTACT, Kind.MESSAGE, Kind.MESSAGE, Kind.MESSAGE
    ]  # fmt: skip
    assert sent[1].message_id == sent[0].message_id
    assert sent[2].contact == "+79990000001"
    assert (sent[3].attachments, sent[3].text) == ((Media("photo"),), "вот")
    assert sent[5].text == "/operator"


async def test_quit_ends_it_and_a_bad_number_is_told() -> None:
    terminal = Terminal("/contact abc", "/quit", "после")
    assert await terminal.run() == []
    assert "/contact +7" in terminal.screen.getvalue()


class TestSplit:
    @pytest.mark.parametrize(
        ("text", "pieces"),
        [
            ("", []),
            ("  ", []),
            ("раз", ["раз"]),
            ("a" * 10, ["a" * 10]),
            ("a" * 25, ["a" * 10, "a" * 10, "a" * 5]),
            ("один два три", ["один два", "три"]),
            ("первая\nвторая", ["первая", "вторая"]),
            ("абв абв\n\nгде где где", ["абв абв", "где где", "где"]),
        ],
    )
    def test_at_paragraphs_lines_and_words(self, text: str, pieces: list[str]) -> None:
        assert split(text, 10) == pieces
