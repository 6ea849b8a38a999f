"""The main job, for real: customers, agents and the clock through `firstline chat --json` with the trained model."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.conftest import FIRSTLINE, NOW, ROOT, SHOP, Chat, Conversation, Run

TWO_QUESTIONS = "Подскажите, где мой заказ 48213? И ещё вопрос: что с моей рассрочкой, почему её закрыли?"


def bot_texts(events: list[dict[str, Any]]) -> str:
    return "\n".join(event["text"] for event in events if event["event"] == "message" and event["from"] == "bot")


@pytest.fixture(scope="module")
def run(chat: Chat) -> Run:
    """One run with several chats: starting a process is the dear part."""
    return chat(
        {"chat": "c1", "text": TWO_QUESTIONS},
        {"chat": "c1", "press": "Да"},
        {"chat": "c2", "text": "где моя посылка?"},
        {"chat": "c2", "text": "89990000002"},
        {"chat": "c2", "text": "Соколов Пётр Андреевич"},
        {"chat": "c3", "text": "позовите живого человека"},
        {"chat": "c3", "press": "Такой кнопки не было"},
        {"chat": "c4", "channel": "vk", "text": "где мой", "more": True},
        {"chat": "c4", "text": "заказ 48213"},
    )


class TestCustomer:
    def test_every_line_is_answered_and_the_status_is_0(self, run: Run) -> None:
        assert run.status == 0
        assert len(run.lines) == 9
        assert run.lines[7] == ()  # `more`: stored, answered by turn_end alone
        assert all(line for number, line in enumerate(run.lines) if number != 7)

    def test_both_questions_of_one_message_are_understood(self, run: Run) -> None:
        understood = next(event for event in run.lines[0] if event["event"] == "understood")
        assert [one["name"] for one in understood["intents"]] == ["order_status", "fin_installment"]
        assert understood["entities"][0] == {"entity": "order_number", "value": "48213", "text": "48213"}

    def test_one_is_handed_over_with_a_summary_and_the_customer_is_told(self, run: Run) -> None:
        handed = [event for line in run.lines[:2] for event in line if event["event"] == "handoff"]
        assert len(handed) == 1
        summary = handed[0]["summary"]
        assert summary["request"] == handed[0]["request"]
        assert "48213" in summary["wants"]
        assert handed[0]["comment"]
        told = [event for line in run.lines[:2] for event in line if event["event"] == "message"]
        assert any(event["from"] == "system" and handed[0]["request"] in event["text"] for event in told)

    def test_the_order_is_shown_after_the_name_fits_and_not_before(self, run: Run) -> None:
        before, after = bot_texts([*run.lines[2], *run.lines[3]]), bot_texts(list(run.lines[4]))
        assert "48777" not in before
        assert "Калуга" not in before
        assert "48777" in after
        assert "STATUS-04" in {rule for event in run.lines[4] for rule in event.get("rules", ())}

    def test_a_wish_for_a_person_is_a_handoff_and_an_unknown_button_gets_a_reply(self, run: Run) -> None:
        assert [event["queue"] for event in run.lines[5] if event["event"] == "handoff"] == ["general"]
        assert any(event["event"] == "message" for event in run.lines[6])

    def test_messages_in_quick_succession_are_one_turn(self, run: Run) -> None:
        understood = [event for event in run.lines[8] if event["event"] == "understood"]
        assert [one["name"] for one in understood[0]["intents"]] == ["order_status"]

    def test_every_answer_can_be_traced_to_a_rule(self, run: Run) -> None:
        assert all(event["rules"] for event in run.of("message") if event["from"] != "agent")
        assert all(event["rules"] for event in run.of("handoff"))


def test_an_agent_takes_answers_solves_and_the_customer_comes_back(chat: Chat) -> None:
    run = chat(
        {"chat": "c1", "text": "позовите оператора"},
        {"agent": "boris", "do": "take"},
        {"agent": "anna", "do": "take"},
        {"agent": "anna", "do": "note", "chat": "c1", "text": "звонить после шести"},
        {"agent": "anna", "do": "reply", "chat": "c1", "text": "Здравствуйте, слушаю вас."},
        {"chat": "c1", "text": "у меня сломалась сковорода"},
        {
            "agent": "anna",
            "do": "resolve",
            "chat": "c1",
            "resolution": "solved",
            "category": "return_defect",
            "text": "обмен",
        },
        {"chat": "c1", "text": "нет, так ничего и не решилось"},
        {"agent": "boris", "do": "shift_on"},
        {"agent": "anna", "do": "transfer", "chat": "c1", "to": "boris", "text": "продолжи, пожалуйста"},
        {"agent": "boris", "do": "resolve", "chat": "c1", "resolution": "solved"},
        {"clock": "2026-11-22T12:00:00+03:00"},
    )
    assert run.status == 0
    assert [event["event"] for event in run.lines[1]] == ["refused"]
    inbox = next(event for event in run.lines[2] if event["event"] == "inbox")
    assert (inbox["agent"], inbox["chat"]) == ("anna", "c1")
    assert inbox["comment"]
    assert inbox["transcript"][0]["text"] == "позовите оператора"
    said = [event for event in run.lines[4] if event["event"] == "message"]
    assert [(event["from"], event["text"]) for event in said] == [("agent", "Здравствуйте, слушаю вас.")]
    # a person owns the conversation: the bot is silent, the agent reads
    assert [(event["event"], event.get("agent")) for event in run.lines[5]] == [("inbox", "anna")]
    taken_over = next(event for event in run.lines[9] if event["event"] == "inbox")
    assert "звонить после шести" in [line["text"] for line in taken_over["transcript"]]
    states = [event["state"] for event in run.of("state")]
    assert states == ["queued", "assigned", "solved", "reopened", "transferred", "solved", "closed"]


def test_what_is_down_has_its_words_and_the_customer_is_never_lost(chat: Chat) -> None:
    run = chat(
        {"down": ["nlu"]},
        {"chat": "n1", "text": "где мой заказ 48213"},
        {"down": ["crm"]},
        {"chat": "c1", "text": "где мой заказ 48213"},
        {"down": ["store"]},
        {"chat": "s1", "text": "позовите оператора"},
        {"down": []},
        {"chat": "s1", "text": "позовите оператора"},
    )
    assert run.status == 0
    assert not any(event["event"] == "understood" for event in run.lines[1])
    for number in (1, 3, 5, 7):
        assert any(event["event"] == "message" for event in run.lines[number]), f"line {number + 1} has no reply"
    assert "80082154312345" not in bot_texts(list(run.lines[3]))
    # CX-02: nothing is pretended while nothing can be stored
    assert not any(event["event"] in ("handoff", "case", "state") for event in run.lines[5])
    assert any(event["event"] == "handoff" for event in run.lines[7])


def test_malformed_lines_are_errors_with_their_numbers_and_status_2(chat: Chat) -> None:
    run = chat("{", "[]", {"chat": "c1"}, {"agent": "anna", "do": "fly"}, {"chat": "c1", "text": "здравствуйте"})
    assert run.status == 2
    assert [event["line"] for event in run.of("error")] == [1, 2, 3, 4]
    assert len(run.lines) == 5
    assert bot_texts(run.events)
    assert "Traceback" not in run.errors
    strict = chat("{", {"chat": "c1", "text": "здравствуйте"}, options=["--strict"])
    assert (strict.status, len(strict.lines)) == (2, 1)


def test_bad_input_is_answered_or_passed_over(chat: Chat) -> None:
    odd = ["", "   ", "я" * 10_000, "🙂" * 50, "\u0000", "'; DROP TABLE messages; --", "{order.number}", "<b>жирно</b>"]
    run = chat(*({"chat": f"o{number}", "text": text} for number, text in enumerate(odd)))
    assert run.status == 0
    assert all(any(event["event"] == "message" for event in line) for line in run.lines)


def test_each_run_is_alone_and_says_the_same(chat: Chat) -> None:
    lines = [{"chat": "c1", "text": "где мой заказ 48213"}, {"chat": "c2", "text": "позовите оператора"}]
    first, second = chat(*lines), chat(*lines)
    assert first.events == second.events
    assert first.of("handoff")[0]["request"] == "T-1001"


def test_output_comes_before_the_next_line_is_read(environment: dict[str, str]) -> None:
    command = [*FIRSTLINE, "chat", "--json", "--shop", str(SHOP), "--now", NOW]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT, env=environment
    )
    talk = Conversation(process)
    assert [event["event"] for event in talk(chat="c1", text="здравствуйте")][-2:] == ["message", "turn_end"]
    assert talk(clock="2026-11-20T12:05:00+03:00")[-1]["event"] == "turn_end"
    assert talk.close() == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_stopped_by_a_signal_it_leaves_nothing(environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [*FIRSTLINE, "chat", "--json"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment
    )
    talk = Conversation(process)
    talk(chat="c1", text="здравствуйте")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 128 + signal.SIGTERM
    talk.close()
    assert not [pid for pid in os.listdir("/proc") if pid.isdecimal() and _parent(pid) == process.pid]


def _parent(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return int(stat.read().rpartition(")")[2].split()[1])
    except OSError:
        return None


def test_nlu_parse_reads_line_by_line(environment: dict[str, str]) -> None:
    given = "".join(
        json.dumps(one, ensure_ascii=False) + "\n"
        for one in ({"text": "где заказ 48213?", "id": 1}, {"text": "кто вы, робот?"})
    )
    done = subprocess.run(
        [*FIRSTLINE, "nlu", "parse", "--jsonl"],
        input=given.encode(),
        capture_output=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert done.returncode == 0
    assert first["id"] == 1
    assert first["intents"][0]["name"] == "order_status"
    assert len(first["ranking"]) == 5
    entity = first["entities"][0]
    assert (entity["entity"], entity["value"], entity["of"]) == ("order_number", "48213", 0)
    assert first["text"][entity["start"] : entity["end"]] == entity["text"]
    assert second["intents"][0]["name"] == "bot_challenge"


@pytest.mark.skipif("FIRSTLINE_NLU_URL" in os.environ, reason="the NLU service of this run is somebody else's")
def test_with_nothing_configured_everything_is_found_or_started(nlu: object) -> None:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("FIRSTLINE_")}
    if "FIRSTLINE_HOME" in os.environ:
        bare["FIRSTLINE_HOME"] = os.environ["FIRSTLINE_HOME"]
    run = Chat(bare)({"chat": "c1", "text": "где мой заказ 48213"})
    assert run.status == 0
    assert run.of("understood")[0]["intents"][0]["name"] == "order_status"
    assert bot_texts(run.events)
