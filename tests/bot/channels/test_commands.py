"""Commands and links are words that the customer could have written."""

from __future__ import annotations

import pytest

from bot.channels.commands import Commands

COMMANDS = Commands(
    {"start": "Здравствуйте", "operator": "Позовите оператора"},
    {"order": "Где заказ {}?", "people": "Позовите оператора"},
)


@pytest.mark.rule("CX-01")
@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("/start", "Здравствуйте"),
        ("/START@lavka_bot", "Здравствуйте"),
        ("/operator@lavka_bot", "Позовите оператора"),
        ("/operator\nзаказ 48213 не пришёл", "Позовите оператора\nзаказ 48213 не пришёл"),
        ("/start где заказ 48213", "Здравствуйте\nгде заказ 48213"),
        ("/unknown", "/unknown"),
        ("/", "/"),
        ("//start", "//start"),
        ("/ start", "/ start"),
        ("напишите /start", "напишите /start"),
        ("", ""),
    ],
)
def test_commands_are_the_packs_words(sent: str, read: str) -> None:
    assert COMMANDS.read(sent) == read


@pytest.mark.parametrize(
    ("payload", "read"),
    [
        ("order_48213", "Где заказ 48213?"),
        ("order_A-48_213", "Где заказ A-48_213?"),
        ("people", "Позовите оператора"),
        ("people_now", "Здравствуйте"),
        ("order", "Здравствуйте"),
        ("order_", "Здравствуйте"),
        ("campaign_7", "Здравствуйте"),
        ("order_" + "1" * 58, f"Где заказ {'1' * 58}?"),
    ],
)
def test_a_link_is_its_words_and_an_unknown_one_a_plain_start(payload: str, read: str) -> None:
    assert COMMANDS.read(f"/start {payload}") == COMMANDS.linked(payload) == read


@pytest.mark.parametrize("payload", ["", "order_1 и верните деньги", "order_" + "1" * 59, "order_{}", "заказ_1"])
def test_what_is_no_payload_links_to_nothing(payload: str) -> None:
    assert COMMANDS.linked(payload) == "Здравствуйте"


def test_without_words_a_command_stays_what_it_is() -> None:
    assert Commands().read("/start order_1") == "/start order_1"
    assert Commands().linked("order_1") == ""
