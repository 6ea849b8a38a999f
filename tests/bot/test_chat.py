"""`chat --json` without its process: the contract's lines, played against the real store with the mini pack."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from typing import Any

import pytest

import flows
from bot.app import Assistant
from bot.chat import RunClock, Script, SwitchedNlu, Switches
from bot.clients.shop import Agent, Shop
from bot.content import Content
from bot.scripted import SUMMARY, dump, read
from bot.settings import Settings
from tests.bot.world import MINI, START, ScriptedCrm, ScriptedNlu

ANNA = Agent(name="anna", title="Анна", queues=("desk", "masters"), on_shift=True)
BORIS = Agent(name="boris", title="Борис", queues=("masters",))


class Crm(ScriptedCrm):
    """The workshop's systems, which can be switched off."""

    def set_down(self, systems: Collection[str]) -> None:
        self.down = set(systems)


@dataclass
class Play:
    """Plays lines and keeps what comes out."""

    script: Script
    crm: Crm
    output: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0

    async def __call__(self, *lines: dict[str, Any] | bytes, strict: bool = False) -> list[dict[str, Any]]:
        """Play some lines; returns their output."""
        before = len(self.output)
        waiting = [line if isinstance(line, bytes) else dump(line).encode() + b"\n" for line in lines]

        async def next_line() -> bytes:
            return waiting.pop(0) if waiting else b""

        self.status = await self.script.play(next_line, strict=strict)
        return self.output[before:]

    async def say(self, text: str, chat: str = "c1", **more: Any) -> list[dict[str, Any]]:
        """A customer writes; returns what comes out before turn_end."""
        out = await self({"chat": chat, "text": text, **more})
        assert out[-1]["event"] == "turn_end"
        return out[:-1]


@pytest.fixture
async def play(address: str) -> AsyncIterator[Play]:
    content = Content(pack=flows.load(MINI), shop=Shop(agents=(ANNA, BORIS)))
    clock, nlu = RunClock(START), SwitchedNlu(ScriptedNlu())
    switches = Switches(nlu)
    settings, crm = Settings(_env_file=None, slow_seconds=0.2), Crm()
    async with Assistant(
        address, content, nlu, settings=settings, clock=clock, quiet=0.0, down=switches, crm=crm
    ) as assistant:
        played: list[dict[str, Any]] = []
        script = Script(assistant, clock, switches, lambda event: played.append(json.loads(dump(event))))
        try:
            yield Play(script, crm, played)
        finally:
            script.close()


def kinds(output: list[dict[str, Any]]) -> list[str]:
    return [one["event"] for one in output]


def texts(output: list[dict[str, Any]]) -> list[str]:
    return [one["text"] for one in output if one["event"] == "message"]


class TestShapes:
    """Each event has the contract's keys in the contract's order."""

    async def test_an_answer_is_understood_message_and_turn_end(self, play: Play) -> None:
        understood, message, end = await play({"chat": "c1", "text": "готов ли велосипед"})
        assert understood == {
            "chat": "c1", "event": "understood", "intents": [{"name": "repair_state", "confidence": 0.9}], "entities": [],
        }  # fmt: skip
        assert list(message) == ["chat", "event", "from", "text", "buttons", "rules"]
        assert (message["from"], message["text"], message["buttons"]) == ("bot", "Велосипед готов.", [])
        assert list(end) == ["event", "ms"]
        assert end["ms"] >= 0

    async def test_a_handoff_is_stored_before_the_customer_hears_of_it(self, play: Play) -> None:
        output = await play.say("мастера")
        assert kinds(output) == ["understood", "handoff", "state", "message"]
        handoff, state, message = output[1:]
        assert list(handoff) == [
            "chat", "event", "request", "queue", "priority", "rules", "comment", "summary",
        ]  # fmt: skip
        assert (handoff["request"], handoff["queue"], handoff["rules"]) == ("T-1001", "desk", ["PER-1"])
        assert handoff["summary"]["request"] == "T-1001"
        assert state == {"chat": "c1", "event": "state", "request": "T-1001", "state": "queued"}
        assert (message["from"], message["buttons"]) == ("system", ["Отменить обращение"])

    async def test_a_case_has_a_category_and_a_due_time_in_the_shops_zone(self, play: Play) -> None:
        case = next(one for one in await play.say("напишите") if one["event"] == "case")
        assert list(case) == [
            "chat", "event", "request", "queue", "category", "due", "rules", "comment", "summary",
        ]  # fmt: skip
        assert (case["category"], case["due"]) == ("letter", "2026-11-20T12:00:00+03:00")

    async def test_a_change_in_the_crm_is_told(self, play: Play) -> None:
        told = [one for one in await play.say("заберите") if one["event"] == "crm"]
        assert told == [
            {"chat": "c1", "event": "crm", "action": "book_pickup", "order": "c1", "ok": True, "rules": ["PICK-1"]}
        ]


class TestCustomer:
    async def test_messages_in_quick_succession_are_answered_together(self, play: Play) -> None:
        first = await play({"chat": "c1", "text": "готов ли велосипед", "more": True})
        assert kinds(first) == ["turn_end"]
        assert texts(await play.say("напишите")) == [
            "Велосипед готов.",
            "Напишем письмо.",
            "Номер T-1001. Срок 20 ноября.",
        ]

    async def test_a_press_is_the_last_button_of_that_title(self, play: Play) -> None:
        await play.say("абракадабра")
        output = await play({"chat": "c1", "press": "Готов ли велосипед"})
        assert texts(output) == ["Велосипед готов."]

    async def test_a_title_that_no_message_has_is_an_old_button(self, play: Play) -> None:
        await play.say("привет")
        assert texts(await play({"chat": "c1", "press": "Такой кнопки нет"})) == ["Эта кнопка уже не нужна."]

    async def test_an_edit_changes_the_last_message(self, play: Play) -> None:
        await play.say("привет")
        assert texts(await play({"chat": "c1", "edit": "готов ли велосипед"})) == ["Велосипед готов."]

    async def test_an_edit_without_a_message_is_malformed(self, play: Play) -> None:
        assert kinds(await play({"chat": "c1", "edit": "x"})) == ["error", "turn_end"]

    async def test_a_contact_is_shared_on_telegram_only(self, play: Play) -> None:
        shared = await play({"chat": "c1", "contact": "+79161234567"})
        assert texts(shared) == ["Рады помочь."]
        refused = await play({"chat": "c2", "channel": "vk", "contact": "+79161234567"})
        assert kinds(refused) == ["error", "turn_end"]

    async def test_attachments_and_empty_texts_are_messages(self, play: Play) -> None:
        photo = await play({"chat": "c1", "attachment": {"kind": "photo", "name": "box.jpg"}})
        assert texts(photo) == ["Получили."]
        assert texts(await play({"chat": "c1", "text": ""})) == ["Скажите иначе?"]

    async def test_chats_and_channels_are_apart(self, play: Play) -> None:
        await play.say("мастера")
        output = await play.say("готов ли велосипед", chat="c2", channel="vk", name="Пётр")
        assert {one["chat"] for one in output} == {"c2"}
        wrong = await play({"chat": "c2", "channel": "telegram", "text": "привет"})
        assert kinds(wrong) == ["error", "turn_end"]


class TestAgents:
    async def test_from_taking_to_reopening(self, play: Play) -> None:
        await play.say("мастера")
        taken = await play({"agent": "anna", "do": "take"})
        inbox = next(one for one in taken if one["event"] == "inbox")
        assert list(inbox) == ["agent", "event", "chat", "text", "summary", "comment", "transcript"]
        assert (inbox["agent"], inbox["chat"], inbox["text"]) == ("anna", "c1", "мастера")
        assert inbox["transcript"][0]["from"] == "customer"
        reply = await play({"agent": "anna", "do": "reply", "chat": "c1", "text": "Добрый день"})
        assert [(one["from"], one["text"]) for one in reply if one["event"] == "message"] == [("agent", "Добрый день")]
        told = await play.say("спасибо большое")
        assert told == [{"agent": "anna", "event": "inbox", "chat": "c1", "text": "спасибо большое"}]
        solved = await play({"agent": "anna", "do": "resolve", "chat": "c1", "resolution": "solved", "text": "сделано"})
        assert [one["state"] for one in solved if one["event"] == "state"] == ["solved"]
        again = await play.say("готов ли велосипед")
        assert [one["state"] for one in again if one["event"] == "state"] == ["reopened"]

    async def test_what_is_not_possible_now_is_refused(self, play: Play) -> None:
        nothing, end = await play({"agent": "anna", "do": "take"})
        assert list(nothing) == ["agent", "event", "chat", "why"]
        assert (nothing["event"], nothing["chat"], end["event"]) == ("refused", None, "turn_end")
        assert kinds(await play({"agent": "boris", "do": "take"}))[0] == "refused"
        assert kinds(await play({"agent": "nobody", "do": "shift_on"}))[0] == "refused"
        assert kinds(await play({"agent": "anna", "do": "reply", "chat": "c9", "text": "?"}))[0] == "refused"
        assert play.status == 0

    async def test_the_clock_closes_what_was_solved(self, play: Play) -> None:
        await play.say("мастера")
        await play({"agent": "anna", "do": "take"}, {"agent": "anna", "do": "resolve", "resolution": "solved"})
        output = await play({"clock": "2026-11-19T13:00:00+03:00"})
        assert kinds(output) == ["state", "message", "turn_end"]
        assert output[0]["state"] == "closed"


class TestSlow:
    @pytest.mark.rule("PHRASE-03")
    @pytest.mark.rule("PHRASE-05")
    async def test_the_customer_hears_at_once_that_it_is_looked_for(self, play: Play) -> None:
        play.crm.pause = 0.5
        output = await play.say("готов ли велосипед")
        messages = [one for one in output if one["event"] == "message"]
        assert [one["rules"] for one in messages] == [["PHRASE-03"], ["PHRASE-05", "STATE-1"]]
        assert [one["from"] for one in messages] == ["bot", "bot"]
        assert messages[0]["text"] in ("Ищу.", "Смотрю.")
        assert messages[1]["text"] == "Спасибо, что подождали. Велосипед готов."


class TestOutages:
    async def test_each_outage_has_its_words_and_ends(self, play: Play) -> None:
        assert kinds(await play({"down": ["crm"]})) == ["turn_end"]
        assert "Система не отвечает." in texts(await play.say("готов ли велосипед"))
        await play({"down": ["nlu"]})
        output = await play.say("готов ли велосипед", chat="c2")
        assert "understood" not in kinds(output)
        assert "handoff" in kinds(output)
        await play({"down": []})
        assert texts(await play.say("привет", chat="c3")) == ["Здравствуйте!"]

    @pytest.mark.rule("CX-02")
    async def test_a_request_that_cannot_be_stored_is_not_pretended(self, play: Play) -> None:
        await play({"down": ["store"]})
        output = await play.say("мастера")
        assert kinds(output) == ["understood", "message"]
        assert texts(output) == ["Не смогли записать обращение."]
        await play({"down": []})
        assert "handoff" in kinds(await play.say("мастера"))


class TestMalformed:
    BAD = (
        b"{no json\n", b"[]\n", b"42\n", b"null\n", b'"text"\n', b"\xff\xfe\n", b"{}\n", b'{"chat": "c1"}\n',
        b'{"chat": "c1", "text": "a", "press": "b"}\n', b'{"chat": "c1", "text": "a", "colour": 1}\n',
        b'{"chat": "", "text": "a"}\n', b'{"chat": 5, "text": "a"}\n', b'{"chat": "c1", "channel": "icq", "text": "a"}\n',
        b'{"chat": "c1", "attachment": {"kind": "smell"}}\n', b'{"chat": "c1", "contact": "call me"}\n',
        b'{"agent": "anna"}\n', b'{"agent": "anna", "do": "dance"}\n', b'{"agent": "anna", "do": "reply", "chat": "c1"}\n',
        b'{"agent": "anna", "do": "transfer", "chat": "c1", "text": "x"}\n', b'{"agent": "anna", "do": "note", "text": "x"}\n',
        b'{"agent": "anna", "do": "resolve", "chat": "c1", "category": "no_such_intent"}\n',
        b'{"clock": "yesterday"}\n', b'{"clock": "2026-11-20T12:00:00"}\n', b'{"clock": "2020-01-01T12:00:00+03:00"}\n',
        b'{"down": ["moon"]}\n', b'{"down": "crm"}\n', b'{"chat": "c1", "press": "a", "more": true}\n',
    )  # fmt: skip

    async def test_each_is_an_error_with_its_line_and_the_run_goes_on(self, play: Play) -> None:
        output = await play(*self.BAD, {"chat": "c1", "text": "привет"})
        errors = [one for one in output if one["event"] == "error"]
        assert [one["line"] for one in errors] == list(range(1, len(self.BAD) + 1))
        assert all(list(one) == ["event", "line", "message"] and one["message"] for one in errors)
        assert kinds(output).count("turn_end") == len(self.BAD) + 1
        assert texts(output) == ["Здравствуйте!"]
        assert play.status == 2

    async def test_strict_stops_at_the_first(self, play: Play) -> None:
        output = await play(b"{no json\n", {"chat": "c1", "text": "привет"}, strict=True)
        assert kinds(output) == ["error", "turn_end"]
        assert play.status == 2

    async def test_what_no_text_can_hold_is_a_message_all_the_same(self, play: Play) -> None:
        output = await play(b'{"chat": "c1", "text": "a\\u0000b \\ud83d"}\n', {"chat": "c1", "text": "я" * 10_000})
        assert kinds(output).count("turn_end") == 2
        assert "error" not in kinds(output)
        assert len(texts(output)) == 2


def test_numbers_and_names_are_read_as_they_are_written() -> None:
    line = read('{"chat": "чат 1", "text": "привет", "name": "Ёжик"}'.encode())
    assert line.model_dump(exclude_none=True) == {"chat": "чат 1", "text": "привет", "name": "Ёжик", "more": False}


class TestReview:
    """Found by using the interface: shapes down to the last key, and lines that only look right."""

    async def test_the_summary_keeps_its_order_through_the_store(self, play: Play) -> None:
        handoff = next(one for one in await play.say("мастера") if one["event"] == "handoff")
        await play({"agent": "anna", "do": "shift_on"})
        taken = await play({"agent": "anna", "do": "take"})
        inbox = next(one for one in taken if one["event"] == "inbox")
        assert list(inbox["summary"]) == list(handoff["summary"]) == list(SUMMARY)
        customer = ["id", "name", "phone_masked", "identified_by", "flags"]
        assert list(inbox["summary"]["customer"]) == list(handoff["summary"]["customer"]) == customer

    async def test_phones_are_masked_in_the_summary_and_whole_in_the_transcript(self, play: Play) -> None:
        """Ruling 31."""
        output = [*await play.say("мастера"), *await play.say("мой номер 8 916 123-45-67")]
        await play({"agent": "anna", "do": "shift_on"})
        inbox = next(one for one in await play({"agent": "anna", "do": "take"}) if one["event"] == "inbox")
        assert "•••4567" in inbox["summary"]["wants"]
        assert "123-45-67" not in dump(inbox["summary"]) + inbox["comment"]
        assert any("8 916 123-45-67" in line["text"] for line in inbox["transcript"])
        assert output

    @pytest.mark.parametrize(
        "line",
        [
            {"clock": 5},
            {"clock": "9999-12-31T00:00:00+00:00"},
            {"clock": "2026-11-23"},
            {"chat": "c1", "text": "привет", "more": "yes"},
        ],
    )
    async def test_what_only_looks_right_is_malformed(self, play: Play, line: dict[str, Any]) -> None:
        assert kinds(await play(line)) == ["error", "turn_end"]

    async def test_a_byte_order_mark_is_no_mistake(self, play: Play) -> None:
        output = await play(b'\xef\xbb\xbf{"chat": "c1", "text": "\xd0\xbf\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"}\n')
        assert kinds(output) == ["understood", "message", "turn_end"]

    async def test_nobody_passes_a_request_to_themselves(self, play: Play) -> None:
        await play.say("мастера")
        await play({"agent": "anna", "do": "take"})
        output = await play({"agent": "anna", "do": "transfer", "chat": "c1", "to": "anna", "text": "себе"})
        assert kinds(output) == ["refused", "turn_end"]

    async def test_a_wait_ends_later_and_is_told_once(self, play: Play) -> None:
        await play.say("мастера")
        await play({"agent": "anna", "do": "take"})
        past = await play({"agent": "anna", "do": "wait", "chat": "c1", "until": "2026-11-18T08:59:00+00:00"})
        assert kinds(past) == ["refused", "turn_end"]
        first = await play({"agent": "anna", "do": "wait", "chat": "c1", "until": "2026-11-18T10:00:00+00:00"})
        assert kinds(first) == ["state", "message", "turn_end"]
        again = await play({"agent": "anna", "do": "wait", "chat": "c1", "until": "2026-11-18T11:00:00+00:00"})
        assert kinds(again) == ["turn_end"]
        assert kinds(await play({"clock": "2026-11-18T10:30:00+00:00"})) == ["turn_end"]
        assert kinds(await play({"clock": "2026-11-18T11:00:00+00:00"})) == ["state", "turn_end"]
