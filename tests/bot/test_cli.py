"""The command line: what is wrong is one sentence and an exit status, never a traceback."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import flows
from bot import cli, cli_nlu, programs
from bot.benches.turns import Times, example_messages, summary
from bot.clients.shop import Order, Shop
from bot.errors import FirstlineError, StoreUnavailable
from tests.bot.world import MINI, ScriptedNlu

SHOP_PACK = Path(flows.__file__).parent / "packs" / "shop"


@pytest.fixture(autouse=True)
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A data folder of its own, and the test's own logging afterwards."""
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    for name in ("FIRSTLINE_NLU_URL", "FIRSTLINE_DATABASE_URL", "FIRSTLINE_PACK", "FIRSTLINE_SHOP_FILE"):
        monkeypatch.delenv(name, raising=False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, list(arguments))


def assert_sentence(result: Result, *words: str, status: int = 1) -> None:
    assert result.exit_code == status, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.output.replace("\n", " ")


class TestCheck:
    def test_a_sound_pack_has_no_problems(self) -> None:
        result = run("check", str(MINI))
        assert result.exit_code == 0, result.output
        assert "no problems" in result.output

    def test_every_problem_has_its_file_and_line(self, tmp_path: Path) -> None:
        pack = tmp_path / "pack"
        shutil.copytree(MINI, pack)
        phrases = next((pack / "phrases").glob("*.yml"))
        phrases.write_text(phrases.read_text("utf-8").replace("glad:", "cheerful:"), "utf-8")
        result = run("check", str(pack))
        assert_sentence(result, "flows/", ".yml:", "'glad'")

    def test_what_cannot_be_read_is_a_problem_too(self, tmp_path: Path) -> None:
        pack = tmp_path / "pack"
        shutil.copytree(MINI, pack)
        (pack / "queues.yml").write_text("queues: [", "utf-8")
        assert_sentence(run("check", str(pack)), "queues.yml:1", "is no YAML")

    def test_the_demo_shop_is_checked_with_its_pack(self, tmp_path: Path) -> None:
        pack = tmp_path / "pack"
        shutil.copytree(MINI, pack)
        (pack / "demo").mkdir()
        (pack / "demo" / "shop.yml").write_text("customers:\n  - {id: a}\n", "utf-8")
        assert_sentence(run("check", str(pack)), "demo/shop.yml:2", "full_name")

    def test_a_pack_that_does_not_exist_is_named_with_those_that_do(self) -> None:
        assert_sentence(run("check", "nosuch"), "'nosuch'", "shop", status=2)


TALK = """
- name: a part is for the masters
  pack: mini
  talk:
    - say: нужна деталь
      as: spare_part
      expect: {queue: masters, rules: [PART-1]}
"""


@pytest.fixture
def mini(tmp_path: Path) -> Path:
    """A copy of the small pack with a talk of its own."""
    pack = tmp_path / "pack"
    shutil.copytree(MINI, pack)
    (pack / "talks").mkdir()
    (pack / "talks" / "state.yml").write_text(TALK, "utf-8")
    return pack


class TestCheckWithTalks:
    def test_content_that_no_talk_comes_to_is_a_remark(self, mini: Path) -> None:
        result = run("check", "--pack", str(mini))
        assert result.exit_code == 0, result.output
        assert "1 talks held" in result.output
        assert "tables/all.yml:4: (remark) table 'state', row 1 (STATE-1): no talk comes to it" in result.output
        assert "table 'priority', row 2" not in result.output
        assert "flow 'spare_part'" not in result.output
        assert "flow 'pickup': no talk comes to it" in result.output
        assert "phrase 'booked': no talk comes to it" in result.output
        assert "phrase 'n_closed'" not in result.output  # said by the desk, where no talk comes

    def test_strict_makes_problems_of_remarks(self, mini: Path) -> None:
        assert run("check", "--pack", str(mini), "--strict").exit_code == 1
        assert run("check", "--pack", str(mini), "--no-talks", "--strict").exit_code == 0

    def test_a_talk_that_goes_otherwise_is_a_problem_with_its_line(self, mini: Path) -> None:
        talk = mini / "talks" / "state.yml"
        talk.write_text(TALK.replace("queue: masters", "queue: desk"), "utf-8")
        assert_sentence(run("check", str(mini)), "talks/state.yml:5: turn 1", "queue is masters, not desk")

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            ("as: spare_part", "as: spare_prat", ["state.yml:6", "no intent 'spare_prat'", "did you mean 'spare_part'?"]),
            ("expect:", "expects:", ["state.yml:7", "a turn has no 'expects'", "did you mean 'expect'?"]),
            ("queue: masters", "queue: mosters", ["state.yml:7", "no queue 'mosters'", "did you mean 'masters'?", "desk"]),
            ("rules: [", "phrases: [redy], rules: [", ["state.yml:7", "no phrase 'redy'", "did you mean 'ready'?"]),
            ("  pack: mini", "  shop: {orders: [{color: red}]}", ["state.yml:2", "color", "unknown key"]),
            ("  talk:", "  talk: да\n  rest:", ["state.yml:4", "talk must be a list of turns"]),
        ],
    )  # fmt: skip
    def test_a_mistake_in_a_talk_is_told_with_its_line(self, mini: Path, old: str, new: str, words: list[str]) -> None:
        (mini / "talks" / "state.yml").write_text(TALK.replace(old, new), "utf-8")
        assert_sentence(run("check", str(mini)), *words)

    def test_talks_of_another_folder_are_held(self, mini: Path, tmp_path: Path) -> None:
        (mini / "talks").rename(tmp_path / "elsewhere")
        assert "talks held" not in run("check", str(mini)).output
        assert "1 talks held" in run("check", str(mini), "--talks", str(tmp_path / "elsewhere")).output
        assert_sentence(run("check", str(mini), "--talks", "nowhere"), "nowhere", status=2)

    def test_a_mistake_in_what_talks_leave_out_is_told(self, mini: Path) -> None:
        (mini / "demo").mkdir()
        (mini / "demo" / "talk.yml").write_text("now: 2026-11-20T12:00:00+03:00\nplian: {}\n", "utf-8")
        assert_sentence(run("check", str(mini)), "demo/talk.yml:2", "did you mean 'plain'?")

    def test_rules_are_counted_by_family(self) -> None:
        result = run("check", "--rules")
        assert result.exit_code == 0
        assert "| shop | STATUS | 32 |" in result.output


NOW = ("--now", "2026-11-20T12:00:00+03:00")


def test_a_table_is_put_between_its_marks_of_a_file(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("a\n<!-- rules:begin -->\nold\n<!-- rules:end -->\nb\n", "utf-8")
    assert run("check", "--rules", "--into", str(page)).exit_code == 0
    text = page.read_text("utf-8")
    assert text.startswith("a\n<!-- rules:begin -->\n| ")
    assert text.endswith("\n<!-- rules:end -->\nb\n")
    assert "old" not in text
    page.write_text("nothing", "utf-8")
    assert_sentence(run("check", "--rules", "--into", str(page)), "has no place for this", status=2)


class TestExplain:
    def test_a_message_is_explained_without_the_nlu(self) -> None:
        result = run("explain", "где мой заказ 48213", "--as", "order_status", "--known", *NOW)
        assert result.exit_code == 0, result.output
        for piece in (
            r"Прочитано: order_status", r"поток order_status", r"✓ \d+ STATUS-01 .*status: exported",
            r"✗ \d+ STATUS-01 arrival_overdue > 0 — сейчас -3 +tables/order\.yml:\d+", r"фраза on_its_way_post, вариант \d из \d",
            r"status +exported \(отправлен\) +order\.status", r"Заказ 48213|заказ 48213",
        ):  # fmt: skip
            assert re.search(piece, result.output), piece

    def test_messages_and_presses_go_on_in_one_conversation(self) -> None:
        result = run("explain", "где мой заказ 48213", "[Да, это я]", "--as", "order_status", *NOW)
        assert "Клиент: [Да, это я]" in result.output
        assert "Бот спрашивал: name_confirmed — это ответ" in result.output
        assert "Мария Петровна" in result.output

    def test_a_handoff_tells_its_queue_its_priority_and_the_notice(self) -> None:
        result = run("explain", "безобразие, позовите человека", "--as", "human_request", *NOW)
        assert "Срочность обращения: таблица priority" in result.output
        assert "Передано (людям): general, high" in result.output
        assert "Сообщение системы" in result.output

    def test_as_json_one_object_a_turn(self) -> None:
        result = run("explain", "привет", "[нет такой]", "--as", "greet", "--json", *NOW)
        first, second = (json.loads(line) for line in result.stdout.splitlines())
        assert first["requests"][0]["name"] == "greet"
        assert second["decision"]["messages"]

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["--as", "order_statu"], ["no intent 'order_statu'", "did you mean 'order_status'?"]),
            (["--as", "greet", "--channel", "email"], ["'email'", "telegram, vk"]),
            (["--as", "greet", "--shop", "nowhere.yml"], ["nowhere.yml"]),
            (["--as", "greet", "--pack", "nowhere"], ["'nowhere'"]),
            (["--as", "greet", "--now", "soon"], ["--now"]),
        ],
    )
    def test_what_is_given_wrongly_is_a_sentence(self, arguments: list[str], words: list[str]) -> None:
        assert_sentence(run("explain", "привет", *arguments), *words, status=2)


class TestDraw:
    def test_a_flow_is_drawn_by_the_ending_of_the_file(self, tmp_path: Path) -> None:
        for name, begins in (("a.svg", "<svg "), ("a.mmd", "flowchart TD"), ("a.html", "<!doctype html>")):
            assert run("draw", "pickup", "--pack", str(MINI), "-o", str(tmp_path / name)).exit_code == 0
            assert (tmp_path / name).read_text("utf-8").startswith(begins)

    def test_without_a_file_it_goes_to_standard_output(self) -> None:
        result = run("draw", "pickup", "--pack", str(MINI), "--format", "mermaid")
        assert result.stdout.startswith("flowchart TD")

    def test_all_of_a_pack_goes_to_a_folder(self, tmp_path: Path) -> None:
        result = run("draw", "--all", "-o", str(tmp_path / "site"), "--pack", str(MINI))
        assert result.exit_code == 0, result.output
        assert (tmp_path / "site" / "index.html").is_file()
        assert (tmp_path / "site" / "table-state.html").is_file()

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (["pikup"], ["'pikup'", "did you mean 'pickup'?"]),
            (["state", "--format", "svg"], ["'state' is a table", "--format html"]),
            (["--all"], ["-o FOLDER"]),
            ([], ["FLOW or TABLE"]),
            (["pickup", "--pack", "nowhere"], ["'nowhere'"]),
        ],
    )
    def test_what_is_given_wrongly_is_a_sentence(self, arguments: list[str], words: list[str]) -> None:
        pack = [] if "--pack" in arguments else ["--pack", str(MINI)]
        assert_sentence(run("draw", *arguments, *pack), *words, status=2)

    def test_a_place_that_cannot_be_written_is_a_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        assert_sentence(
            run("draw", "pickup", "--pack", str(MINI), "-o", str(tmp_path / "file" / "a.svg")),
            "cannot be written",
            status=2,
        )
        assert_sentence(run("draw", "--all", "--pack", str(MINI), "-o", str(tmp_path / "file")), "no folder", status=2)


class TestErrors:
    def test_a_wrong_setting_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRSTLINE_WORKERS", "many")
        assert_sentence(run("run"), "FIRSTLINE_WORKERS", status=2)

    def test_a_home_that_cannot_be_made_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "file" / "home"))
        assert_sentence(run("chat", "--json"), "FIRSTLINE_HOME", status=2)

    @pytest.mark.parametrize("now", ["yesterday", "2026-11-20T12:00:00"])
    def test_a_time_without_offset_or_sense_is_refused(self, now: str) -> None:
        assert_sentence(run("chat", "--json", "--now", now), "--now", status=2)

    def test_all_mistakes_of_a_shop_file_are_told_with_their_lines(self, tmp_path: Path) -> None:
        shop = tmp_path / "shop.yml"
        shop.write_text("customers:\n  - {id: a, full_name: Б, flags: [rich]}\norders: {}\ncolour: red\n", "utf-8")
        result = run("chat", "--json", "--shop", str(shop))
        assert_sentence(result, "shop.yml:2", "vip", "shop.yml:4", "unknown key", status=2)

    def test_a_shop_file_that_is_not_there_is_a_sentence(self) -> None:
        assert_sentence(run("chat", "--json", "--shop", "nowhere.yml"), "nowhere.yml", status=2)

    def test_a_pack_that_is_not_there_is_a_sentence(self) -> None:
        assert_sentence(run("chat", "--json", "--pack", "nowhere"), "'nowhere'", status=2)

    def test_a_database_that_does_not_answer_is_a_sentence(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FIRSTLINE_DATABASE_URL", "postgresql://localhost:1/none")
        assert_sentence(run("migrate"), "database")

    def test_wrong_usage_has_status_2(self) -> None:
        assert run("dance").exit_code == 2
        assert run("chat", "--colour").exit_code == 2

    def test_nlu_parse_wants_one_of_its_two_ways(self) -> None:
        assert_sentence(run("nlu", "parse"), "TEXT", status=2)
        assert_sentence(run("nlu", "parse", "где заказ", "--jsonl"), "TEXT", status=2)

    def test_of_several_errors_ours_is_told(self) -> None:
        several = ExceptionGroup("x", [ValueError("a"), ExceptionGroup("y", [StoreUnavailable("b")])])
        assert isinstance(programs.first_error(several), FirstlineError)


def test_version_is_printed() -> None:
    assert run("--version").output.startswith("firstline ")


class TestParseLines:
    def play(self, *lines: bytes) -> tuple[int, list[dict[str, Any]]]:
        waiting, out = list(lines), list[dict[str, Any]]()

        async def next_line() -> bytes:
            return waiting.pop(0) if waiting else b""

        return asyncio.run(cli_nlu.read_lines(ScriptedNlu(), next_line, out.append)), out

    def test_one_line_each_in_order_with_other_keys_passed_through(self) -> None:
        status, out = self.play('{"text": "привет", "id": 7}'.encode(), b"\n", '{"text": "спасибо"}'.encode())
        assert status == 0
        assert list(out[0]) == ["text", "id", "intents", "ranking", "entities", "verdict", "model"]
        assert out[0]["intents"] == [{"name": "hello", "confidence": 0.9}]
        assert (out[0]["id"], out[1]["text"], out[1]["verdict"]) == (7, "спасибо", "sure")

    @pytest.mark.parametrize("bad", [b"{", b"[]", b'{"txt": "a"}', b'{"text": 5}', b"\xff"])
    def test_a_malformed_line_is_an_error_and_the_rest_is_read(self, bad: bytes) -> None:
        status, out = self.play(bad, '{"text": "привет"}'.encode())
        assert status == 2
        assert out[0]["line"] == 1
        assert out[1]["verdict"] == "sure"


class TestBench:
    def test_the_figures_are_of_all_messages(self) -> None:
        times = Times()
        times.spent |= {"turn": [0.1, 0.1], "nlu": [0.05, 0.05], "deciding": [0.01, 0.01]}
        figures = summary([0.1, 0.2, 0.3, 0.4], 2.0, times, conversations=2)
        assert figures["turns_per_second"] == 2.0
        assert figures["latency_ms"]["median"] == 250.0
        assert figures["where"]["nlu"]["share_of_turns"] == 0.5

    def test_customers_write_what_the_held_out_set_has_without_its_marks(self) -> None:
        texts = example_messages(SHOP_PACK, Shop())
        assert len(texts) > 100
        assert not any("](" in text for text in texts)

    def test_without_a_held_out_set_they_ask_for_the_shops_orders(self, tmp_path: Path) -> None:
        order = Order.model_construct(number="48213")
        shop = Shop.model_construct(orders=(order,))
        assert example_messages(tmp_path / "a" / "b" / "c", shop) == ["где мой заказ 48213?"]
