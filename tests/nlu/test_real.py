"""What the trained model makes of messages as they come, through the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

import flows
from flows.load import PACKS

Read = Callable[[str], dict[str, Any]]


@pytest.fixture(scope="module")
def read(nlu: Mapping[str, str]) -> Read:
    headers = {"Authorization": f"Bearer {nlu['FIRSTLINE_NLU_TOKEN']}"} if "FIRSTLINE_NLU_TOKEN" in nlu else {}

    def read(text: str) -> dict[str, Any]:
        answer = httpx.post(f"{nlu['FIRSTLINE_NLU_URL']}/parse", json={"text": text}, headers=headers, timeout=60)
        answer.raise_for_status()
        reading: dict[str, Any] = answer.json()
        return reading

    return read


def intents(reading: dict[str, Any]) -> list[str]:
    return [one["name"] for one in reading["intents"]]


class TestShortMessages:
    @pytest.mark.parametrize(
        "text",
        ["не помню", "не знаю", "решите вопрос", "есть вопрос", "и что теперь", "ну и", "срочно", "помогите", "потом"],
    )
    def test_what_asks_nothing_is_taken_for_no_request(self, read: Read, text: str) -> None:
        assert read(text)["verdict"] == "not_understood"
        assert intents(read(text)) == []

    @pytest.mark.parametrize(
        ("text", "intent"),
        [
            ("где мой заказ", "order_status"),
            ("алло", "greet"),
            ("ок понял", "affirm"),
            ("оператора", "human_request"),
            ("ошиблась адресом", "order_change_address"),
            ("мне не ответили", "case_followup"),
            ("что с возвратом", "refund_status"),
        ],
    )
    def test_the_plainest_ways_to_say_it_are_understood(self, read: Read, text: str, intent: str) -> None:
        assert (read(text)["verdict"], intents(read(text))) == ("sure", [intent])

    def test_the_commands_of_messengers_are_understood(self, read: Read) -> None:
        words = flows.load(PACKS / "shop").manifest.settings
        commands = {name: read(text) for name, text in words["commands"].items()}
        assert {name: (one["verdict"], intents(one)) for name, one in commands.items()} == {
            "start": ("sure", ["greet"]), "help": ("sure", ["chitchat"]), "operator": ("sure", ["human_request"]),
        }  # fmt: skip
        links = {name: read(text.replace("{}", "48213")) for name, text in words["deep_links"].items()}
        assert {name: (one["verdict"], intents(one)) for name, one in links.items()} == {
            "order": ("sure", ["order_status"]), "return": ("sure", ["return_terms"]), "operator": ("sure", ["human_request"]),
        }  # fmt: skip


class TestSeveralRequests:
    def test_each_has_its_own_words_and_numbers(self, read: Read) -> None:
        text = "где заказ 48213 и когда вернёте деньги за 39112"
        reading = read(text)
        assert intents(reading) == ["order_status", "refund_status"]
        first, second = reading["intents"]
        assert text[first["start"] : first["end"]].strip() == "где заказ 48213"
        assert text[second["start"] : second["end"]] == "и когда вернёте деньги за 39112"
        numbers = [(one["value"], one["of"]) for one in reading["entities"] if one["entity"] == "order_number"]
        assert numbers == [("48213", 0), ("39112", 1)]

    def test_one_request_has_the_whole_message(self, read: Read) -> None:
        text = "Здравствуйте, где мой заказ 48213?"
        [one] = read(text)["intents"]
        assert (one["start"], one["end"]) == (0, len(text))

    def test_a_request_without_a_mark_before_it_is_found(self, read: Read) -> None:
        assert intents(read("отмените заказ 39112 деньги когда вернутся на карту")) == ["order_cancel", "refund_status"]


class TestLetters:
    def test_the_longest_message_is_read_to_its_last_number(self, read: Read) -> None:
        story = "Я давно у вас покупаю и всегда всё было хорошо. "
        text = ("Где мой заказ? " + story * 220)[:9_950] + " Номер заказа 48213."
        reading = read(text)
        assert [one["value"] for one in reading["entities"] if one["entity"] == "order_number"] == ["48213"]
        assert reading["text"] == text
