"""Replay: what a changed pack would answer to conversations of the past, and what nobody can know any more."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import func, select, update
from typer.testing import CliRunner

import flows
from bot import cli
from bot.errors import SettingsInvalid
from bot.expectations import hold
from bot.models import TurnRow
from bot.replay import Answer, Replayed, as_json, compare_played, replay_stored, replay_talks
from bot.replay_view import markdown, summary, talk_said
from bot.replaying import base_folder, played
from bot.settings import load as load_settings
from bot.stored import StoredTurn, Unreadable, again, stored_turns
from bot.talks import read_stage, talks
from tests.bot.world import MINI, START, ScriptedNlu, World

ROOT = Path(__file__).parent.parent.parent
TALKS = """
- name: a part is wanted
  pack: mini
  talk:
    - say: нужна деталь
      as: spare_part
    - clock: +1h
    - say: привет
      as: hello
- name: thanks alone
  pack: mini
  talk:
    - {say: спасибо, as: thanks}
"""


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the small pack, to be changed."""
    folder = tmp_path / "changed"
    shutil.copytree(MINI, folder)
    return folder


@pytest.fixture
def talk_file(tmp_path: Path) -> Path:
    path = tmp_path / "talks.yml"
    path.write_text(TALKS, "utf-8")
    return path


def change(folder: Path, name: str, old: str, new: str) -> None:
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


class TestTalks:
    def found(self, talk_file: Path, folder: Path) -> Replayed:
        return replay_talks(list(talks(talk_file)), read_stage(MINI), read_stage(folder))

    def test_the_same_pack_answers_the_same(self, talk_file: Path, changed: Path) -> None:
        found = self.found(talk_file, changed)
        assert (found.conversations, found.turns, found.differences) == (2, 3, [])
        assert "все ответы те же" in summary(found)

    def test_an_answer_that_would_differ_is_told_with_its_place(self, talk_file: Path, changed: Path) -> None:
        change(changed, "phrases/all.yml", "Здравствуйте!", "Добрый день!")
        (one,) = self.found(talk_file, changed).differences
        assert (one.conversation, one.turn, one.said) == ("a part is wanted", 3, "привет")
        assert one.where.endswith("talks.yml:8")
        assert one.changed == ("texts",)
        assert one.after is not None
        assert (one.before.texts, one.after.texts) == (("Здравствуйте!",), ("Добрый день!",))

    def test_another_queue_and_another_comment_are_told(self, talk_file: Path, changed: Path) -> None:
        change(changed, "flows/all.yml", "handoff: masters, why: Нужна деталь", "handoff: desk, why: Нужна запчасть")
        one = self.found(talk_file, changed).differences[0]
        assert {"queue", "comment"} <= set(one.changed)
        assert one.after is not None
        assert (one.before.queue, one.after.queue) == ("masters", "desk")

    def test_a_pack_that_fails_is_a_difference_and_not_the_end(self, talk_file: Path, changed: Path) -> None:
        change(changed, "phrases/all.yml", 'hello: {say: "Здравствуйте!"}', 'hello: {say: "Здравствуйте, {colour}!"}')
        (one,) = self.found(talk_file, changed).differences
        assert one.changed[-1] == "error"
        assert one.after is not None
        assert "colour not known" in str(one.after.error)

    def test_counts_are_by_kind(self, talk_file: Path, changed: Path) -> None:
        change(changed, "phrases/all.yml", "Здравствуйте!", "Добрый день!")
        change(changed, "phrases/all.yml", "Рады помочь.", "Рады.")
        found = self.found(talk_file, changed)
        assert found.counts() == {"texts": 2}
        assert "ответ стал бы другим в 2 ходах (текст — 2)" in summary(found)
        assert [line.get("differ") for line in as_json(found)] == [None, None, 2]


class TestStoredTurns:
    async def past(self, world: World) -> list[StoredTurn]:
        async with world.sessions() as session:
            found = [one async for one in stored_turns(session)]
        assert all(isinstance(one, StoredTurn) for one in found)
        return [one for one in found if isinstance(one, StoredTurn)]

    def replayed(self, past: list[StoredTurn], pack: flows.Pack) -> Replayed:
        found, seen = Replayed(), dict[str, int]()
        for one in past:
            replay_stored(one, pack, found, seen)
        return found

    async def day(self, world: World) -> list[StoredTurn]:
        """A day at the workshop: questions, a change in the CRM, a handoff, a press."""
        for chat, text in (
            ("c1", "готов ли велосипед"),
            ("c1", "спасибо"),
            ("c2", "заберите"),
            ("c3", "нужна деталь"),
            ("c4", "ахалай"),
        ):
            await world.say(chat, text)
        await world.press("c4", "Готов ли велосипед")
        return await self.past(world)

    async def test_stored_turns_come_back_as_they_were_decided(self, world: World) -> None:
        past = await self.day(world)
        assert [one.conversation for one in past] == [
            f"telegram:{chat}" for chat in ("c1", "c1", "c2", "c3", "c4", "c4")
        ]
        assert past[0].turn.parse is not None
        assert past[2].acts == ("book_pickup",)
        assert past[3].decision.handoff is not None
        for one in past:
            decision, _, needs = again(world.tools.pack, one)
            assert (decision, needs) == (one.decision, ())

    async def test_the_same_pack_gives_no_difference(self, world: World) -> None:
        found = self.replayed(await self.day(world), world.tools.pack)
        assert (found.conversations, found.turns, found.differences, found.unreadable) == (4, 6, [], [])

    async def test_what_a_changed_pack_would_have_said_is_told(self, world: World, changed: Path) -> None:
        past = await self.day(world)
        change(changed, "phrases/all.yml", "Велосипед готов.", "Готов, забирайте.")
        change(
            changed,
            "flows/all.yml",
            "handoff: masters, why: Нужна деталь, rule: PART-1",
            "handoff: desk, why: Нужна деталь, rule: PART-2",
        )
        first, second = self.replayed(past, flows.load(changed)).differences
        assert (first.conversation, first.turn, first.changed) == ("telegram:c1", 1, ("texts",))
        assert first.said == "готов ли велосипед"
        assert second.conversation == "telegram:c3"
        assert second.after is not None
        assert (second.before.queue, second.after.queue) == ("masters", "desk")
        assert (second.before.rules, second.after.rules) == (("PART-1",), ("PART-2",))

    async def test_what_was_not_known_then_is_named(self, world: World, changed: Path) -> None:
        past = await self.day(world)
        change(
            changed,
            "slots.yml",
            "bicycle: {lookup: bicycle, with: {account: turn.account}}",
            "bicycle: {lookup: workshop, with: {chat: turn.chat}}",
        )
        found = self.replayed(past, flows.load(changed)).differences
        assert [(one.conversation, one.after, one.needs) for one in found] == [
            ("telegram:c1", None, ("workshop(chat=c1)",)), ("telegram:c4", None, ("workshop(chat=c4)",)),
        ]  # fmt: skip
        assert found[0].changed == ("needs",)

    async def test_a_change_that_was_not_made_then_is_named_and_never_made(self, world: World, changed: Path) -> None:
        past = await self.day(world)
        change(changed, "flows/all.yml", "act: book_pickup", "act: order_taxi")
        before = list(world.crm.asked)
        (one,) = self.replayed(past, flows.load(changed)).differences
        assert (one.conversation, one.after) == ("telegram:c2", None)
        assert one.needs[0].startswith("order_taxi(")
        assert world.crm.asked == before

    async def test_a_system_that_was_down_stays_down(self, world: World) -> None:
        world.crm.down = {"crm"}
        await world.say("c1", "готов ли велосипед")
        past = await self.past(world)
        assert self.replayed(past, world.tools.pack).differences == []

    async def test_only_the_newest_are_taken(self, world: World) -> None:
        await self.day(world)
        async with world.sessions() as session:
            assert [
                one.conversation async for one in stored_turns(session, limit=2) if isinstance(one, StoredTurn)
            ] == ["telegram:c4"] * 2
            assert [one async for one in stored_turns(session, since=world.clock.now().replace(year=2031))] == []

    async def test_a_turn_of_another_shape_is_told_and_the_others_are_read(self, world: World) -> None:
        await self.day(world)
        async with world.sessions.begin() as session:
            first = await session.scalar(select(func.min(TurnRow.id)))
            await session.execute(update(TurnRow).where(TurnRow.id == first).values(given={"now": "once"}))
        async with world.sessions() as session:
            found = [one async for one in stored_turns(session)]
        assert isinstance(found[0], Unreadable)
        assert "telegram:c1: now" in found[0].why
        assert len(found) == 6

    async def test_an_answer_after_a_change_is_of_after_it(self, world: World) -> None:
        await world.say("c2", "заберите")
        (one,) = await self.past(world)
        again_known = replace(
            one, known=(*one.known, {"source": "bicycle", "args": {"account": "telegram:c2"}, "answer": None})
        )
        assert again(world.tools.pack, again_known)[0] == one.decision


LINES = [b'{"chat": "c1", "text": "one"}', b'{"agent": "anna", "do": "take"}', b'{"chat": "c2", "press": "two"}']


class TestPlayedLines:
    def message(self, chat: str, text: str, **more: Any) -> dict[str, Any]:
        return {"chat": chat, "event": "message", "from": "bot", "text": text, "buttons": [], "rules": ["A-1"], **more}

    def test_each_chat_of_a_line_is_compared(self) -> None:
        old = [[self.message("c1", "a")], [self.message("c1", "joined", rules=[])], [self.message("c2", "b")]]
        new = [
            [self.message("c1", "a")],
            [self.message("c1", "joined", rules=[])],
            [self.message("c2", "B", rules=["A-2"])],
        ]
        found = compare_played(LINES, old, new)
        (one,) = found.differences
        assert (one.conversation, one.where, one.turn, one.said) == ("c2", "line 3", 1, "[two]")
        assert one.changed == ("texts", "rules")
        assert (found.conversations, found.turns) == (2, 2)

    def test_queues_cases_changes_and_refusals_are_compared(self) -> None:
        handoff = {
            "chat": "c1",
            "event": "handoff",
            "queue": "desk",
            "priority": "normal",
            "rules": ["H-1"],
            "comment": "c",
        }
        case = {"chat": "c1", "event": "case", "category": "letter", "queue": "desk", "rules": [], "comment": "d"}
        crm = {"chat": "c1", "event": "crm", "action": "cancel", "ok": False}
        refused = {"agent": "anna", "event": "refused", "chat": "c1", "why": "no"}
        (one,) = compare_played(LINES[:1], [[]], [[handoff, case, crm, refused]]).differences
        assert one.after == Answer(
            rules=("H-1",),
            queue="desk",
            priority="normal",
            cases=("letter",),
            crm=("cancel (не вышло)",),
            comment="c\n\nd",
            error="no",
        )


async def test_lines_of_chat_are_played_with_both_packs_and_read_once(
    postgres: str, changed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", postgres)
    change(changed, "phrases/all.yml", "Здравствуйте!", "Добрый день!")
    lines = ['{"chat": "c1", "text": "привет"}'.encode(), '{"chat": "c1", "text": "нужна деталь"}'.encode(), b"{"]
    nlu = ScriptedNlu()
    old, new = [one async for one in played(load_settings(), nlu, [MINI, changed], lines, shop=None, now=START)]
    found = compare_played(lines, old, new)
    (one,) = found.differences
    assert (one.conversation, one.where, one.changed) == ("c1", "line 1", ("texts",))
    assert found.turns == 2
    assert [event["event"] for event in old[1] if event["event"] == "handoff"] == ["handoff"]
    assert old[2][0]["event"] == "error"
    assert nlu.texts == ["привет", "нужна деталь"]


class TestShow:
    def test_a_talk_is_printed_as_a_customer_sees_it(self, talk_file: Path) -> None:
        on = read_stage(MINI)
        text = "\n".join(markdown("Привет", talk_said(next(iter(talks(talk_file))), on, {})))
        assert text.startswith("## Привет\n")
        assert "> **Клиент:** нужна деталь" in text
        assert "T-1001" in text
        assert "`Отменить обращение`" in text

    def test_the_nlus_reading_replaces_the_talks(self, talk_file: Path) -> None:
        read = {"спасибо": flows.Parse(text="спасибо", intents=(flows.Reading("hello", 0.9),))}
        said = list(talk_said(list(talks(talk_file))[1], read_stage(MINI), read))
        assert said[1].text == "Здравствуйте!"


class TestBase:
    def git(self, folder: Path, *arguments: str) -> None:
        subprocess.run(
            ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
            check=True,
            capture_output=True,
        )

    def test_a_pack_changed_in_place_is_compared_with_what_is_committed(self, changed: Path) -> None:
        self.git(changed.parent, "init", "-q")
        self.git(changed.parent, "add", "changed")
        self.git(changed.parent, "commit", "-qm", "first")
        change(changed, "phrases/all.yml", "Здравствуйте!", "Добрый день!")
        with base_folder(None, changed, str(changed)) as base:
            assert "Здравствуйте!" in (base / "phrases" / "all.yml").read_text("utf-8")
            flows.load(base)
        assert not base.exists()

    def test_another_pack_is_compared_with_the_usual_one(self, changed: Path) -> None:
        with base_folder(None, changed, str(MINI)) as base:
            assert base == MINI
        with base_folder(str(MINI), MINI, str(MINI)) as base:
            assert base == MINI

    def test_without_git_it_asks_for_a_base(self, changed: Path) -> None:
        with pytest.raises(SettingsInvalid, match="--base"), base_folder(None, changed, str(changed)):
            pass


class TestCommand:
    @pytest.fixture(autouse=True)
    def away(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("FIRSTLINE_PACK", str(MINI))
        root = logging.getLogger()
        handlers, level = root.handlers[:], root.level
        yield
        root.handlers[:], root.level = handlers, level

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.app, ["replay", *arguments])

    def test_status_1_and_the_two_texts_when_something_differs(self, talk_file: Path, changed: Path) -> None:
        assert self.run(str(talk_file), "--pack", str(changed)).exit_code == 0
        change(changed, "phrases/all.yml", "Здравствуйте!", "Добрый день!")
        result = self.run(str(talk_file), "--pack", str(changed))
        assert result.exit_code == 1, result.output
        assert "− Здравствуйте!" in result.output
        assert "+ Добрый день!" in result.output
        assert "ответ стал бы другим в 1 ходе" in result.output

    def test_as_json_each_difference_is_a_line_and_the_sum_is_the_last(self, talk_file: Path, changed: Path) -> None:
        change(changed, "phrases/all.yml", "Здравствуйте!", "Добрый день!")
        result = self.run(str(talk_file), "--pack", str(changed), "--json")
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert lines[0]["before"]["texts"] == ["Здравствуйте!"]
        assert lines[-1]["differ"] == 1

    @pytest.mark.parametrize(
        ("arguments", "word"),
        [(["nowhere"], "nowhere"), (["."], "no talks"), ([str(MINI), "--pack", "nowhere"], "'nowhere'"), (["store", "--since", "soon"], "--since")],
    )  # fmt: skip
    def test_what_is_given_wrongly_is_a_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], word: str
    ) -> None:
        (tmp_path / "empty").mkdir()
        monkeypatch.chdir(tmp_path / "empty")
        result = self.run(*arguments)
        assert result.exit_code == 2, result.output
        assert word in result.output.replace("\n", " ")

    def test_a_mistake_in_a_talk_is_told_and_counts(self, talk_file: Path, changed: Path) -> None:
        talk_file.write_text(TALKS.replace("as: hello", "az: hello"), "utf-8")
        result = self.run(str(talk_file), "--pack", str(changed))
        assert result.exit_code == 1
        assert "a turn has no 'az'" in result.output


def test_the_conversations_of_the_docs_go_as_they_are_shown() -> None:
    found = list(talks(ROOT / "docs" / "dialogues.yml"))
    assert len(found) == 5
    for talk in found:
        held = hold(talk)
        assert not held.wrong, "\n".join([*map(str, held.wrong), *held.lines])
