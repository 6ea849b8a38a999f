"""Loading a pack: every error at once, each with file and line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import flows
from flows.check import check

LIBRARY = Path(__file__).parent.parent / "packs" / "library"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LIBRARY, tmp_path / "library"))


def problems(folder: Path) -> list[str]:
    """What loading or checking finds, as lines."""
    try:
        return [str(problem) for problem in check(flows.load(folder))]
    except flows.PackInvalid as error:
        return [str(problem) for problem in error.problems]


def change(folder: Path, name: str, old: str, new: str) -> int:
    """Put text in place of text in a file; returns the line of the change."""
    path = folder / name
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def test_a_sound_pack_has_no_problems(folder: Path) -> None:
    assert problems(folder) == []


def test_all_problems_come_at_once_with_file_and_line(folder: Path) -> None:
    first = change(folder, "tables/all.yml", "say: due_on", "sai: due_on")
    second = change(folder, "queues.yml", "desk: {title: Стойка}", "desk: {name: Стойка}")
    found = problems(folder)
    assert any(line.startswith(f"tables/all.yml:{first}:") and "sai" in line for line in found)
    assert any(line.startswith(f"queues.yml:{second}:") and "title" in line for line in found)


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("flows/all.yml", "{case: letter, why", "{case: letter, ruel: X, why", "ruel: unknown key; did you mean 'rule'?; allowed are"),
        ("flows/all.yml", "{say: fine_noted}", "{sya: fine_noted}", "'sya' is no step; did you mean 'say'?; a step has one of"),
        ("flows/all.yml", "{say: fine_noted}", "{say: fine_noted, stop: true}", "a step does one thing, this one has say and stop"),
        ("tables/all.yml", "hit: first", "hit: frist", "hit: 'frist' is none of first, priority, rank, collect, unique"),
        ("phrases/all.yml", "buttons: [person]", "butons: [person]", "butons: unknown key; did you mean 'buttons'?"),
        ("slots.yml", "type: number", "type: nomber", "type: 'nomber' is none of text, bool, number"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_with_its_own_line_and_what_is_allowed(
    folder: Path, name: str, old: str, new: str, sentence: str
) -> None:
    line = change(folder, name, old, new)
    found = problems(folder)
    about = [one for one in found if one.startswith(f"{name}:{line}: ")]
    assert len(about) == 1, found
    assert sentence in about[0]


def test_a_likely_misprint_of_a_name_is_offered(folder: Path) -> None:
    line = change(folder, "flows/all.yml", "ask: ask_days", "ask: ask_dais")
    assert [one for one in problems(folder) if one.startswith(f"flows/all.yml:{line}:")] == [
        f"flows/all.yml:{line}: flow 'loan_extend': there is no phrase 'ask_dais'; did you mean 'ask_days'?"
    ]


def test_a_name_defined_twice_is_an_error_not_a_silent_win(folder: Path) -> None:
    (folder / "phrases" / "more.yml").write_text("hello: {say: Салют}\n", "utf-8")
    assert any("stands in" in line and "hello" in line for line in problems(folder))
    change(folder, "phrases/all.yml", 'fine: {say: "Хорошо."}', 'fine: {say: "Хорошо."}\nfine: {say: "Ладно."}')
    assert any("'fine' stands here twice" in line for line in problems(folder))


def test_broken_yaml_and_missing_files_are_told_in_words(folder: Path) -> None:
    (folder / "buttons.yml").unlink()
    (folder / "slots.yml").write_text("slots: {a: [", "utf-8")
    found = problems(folder)
    assert any(line.startswith("buttons.yml:1: cannot be read") for line in found)
    assert any(line.startswith("slots.yml:") and "is no YAML" in line for line in found)


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("tables/all.yml", "say: due_on", "say: due_onn", "there is no phrase 'due_onn'"),
        ("flows/all.yml", "ask: ask_days", "ask: ask_dayz", "there is no phrase 'ask_dayz'"),
        ("flows/all.yml", "handoff: archive", "handoff: cellar", "there is no queue 'cellar'"),
        ("flows/all.yml", "case: letter", "case: note", "there is no category 'note'"),
        ("flows/all.yml", "intents: fine", "intents: fines", "there is no intent 'fines'"),
        ("flows/all.yml", "intents: hello, ", "", "is served by no flow"),
        ("tables/all.yml", "loan_state: out, days_left: \">0\"", "loan_state: gone, days_left: \">0\"", "loan_state is never 'gone'"),
        ("tables/all.yml", "loan_state: [back, lost]", "loan_stat: [back, lost]", "there is no slot or fact 'loan_stat'"),
        ("tables/all.yml", "days_left: \"<=0\"", "days_left: {almost: 0}", "unknown operator almost"),
        ("tables/all.yml", "days_left: \"<=0\"", "days_left: \"<=$misses\"", "compares with misses: make a fact of it"),
        ("phrases/all.yml", "{due|day}.\"}", "{dew|day}.\"}", "there is no value 'dew'"),
        ("phrases/all.yml", "{due|day}.\"}", "{due|daily}.\"}", "there is no filter 'daily'"),
        ("phrases/all.yml", "Получили.", "Получили секрет.", "says what must never be said"),
        ("phrases/all.yml", "buttons: [person]", "buttons: [persona]", "there is no button 'persona'"),
        ("phrases/all.yml", "stale: {", "unused: {say: Ой}\nstale: {", "phrase 'unused': nothing leads to it"),
        ("slots.yml", "from: loan.due", "from: loam.due", "there is no slot or fact 'loam.due'"),
        ("pack.yml", "priority: priority", "priority: urgency", "there is no table 'urgency'"),
    ],
)  # fmt: skip
def test_each_kind_of_mistake_is_found(folder: Path, name: str, old: str, new: str, found: str) -> None:
    change(folder, name, old, new)
    assert any(found in line for line in problems(folder)), problems(folder)


LONG = "Ж" * 41


@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("phrases/all.yml", "kept: {say", "kept: {convey: [book], say", "phrase 'kept': variant 1 does not tell {book}"),
        ("phrases/all.yml", 'hello: {say: ["Здравствуйте!", "Добрый день!"]', 'hello: {convey: [now], say: ["Сейчас {now}!", "Добрый день!"]',
         "phrase 'hello': variant 2 does not tell {now}"),
        ("phrases/all.yml", "due_on: {say", "due_on: {convey: [shelf_place], say", "does not tell {shelf_place} but in [[…]], which may be left out"),
        ("phrases/all.yml", "Хорошо, не продлеваем.", "Ж" * 3501, "phrase 'kept': variant 1 has 3501 characters, more than 3500"),
        ("phrases/all.yml", "Хорошо, не продлеваем.", "Ж" * 601, "(remark) phrase 'kept': variant 1 has 601 characters"),
        ("buttons.yml", "title: Позвать человека", f"title: {LONG}", f"the button '{LONG}' is longer than 40 characters"),
        ("phrases/all.yml", "buttons: [person]", f"buttons: [{{title: {LONG}, value: 'no'}}]", f"the button '{LONG}' is longer than 40"),
        ("phrases/all.yml", "buttons: [person]", "buttons: [{title: 'Книга с длинным названием «{book}»', value: 'no'}]", "leaves its value 12 of 40 characters"),
        ("pack.yml", "settings: {", f"settings: {{description: {'Ж' * 513}, ", "setting 'description': has 513 characters, more than 512"),
        ("pack.yml", "settings: {", f"settings: {{short_description: {'Ж' * 121}, ", "setting 'short_description': has 121 characters, more than 120"),
        ("pack.yml", "settings: {", "settings: {commands: {Помощь: Помогите}, ", "'Помощь' is no command"),
        ("pack.yml", "settings: {", "settings: {commands: {help: ''}, ", "/help needs words"),
        ("pack.yml", "settings: {", "settings: {deep_links: {my_book: 'Где {}?'}, ", "'my_book' begins no link"),
        ("phrases/all.yml", "buttons: [person]", f"buttons: [{', '.join(['person'] * 11)}]", "may have 11 buttons: from 11 on VK shows them as a numbered list"),
    ],
)  # fmt: skip
def test_what_no_messenger_shows_and_what_a_phrase_must_tell_is_found(
    folder: Path, name: str, old: str, new: str, found: str
) -> None:
    change(folder, name, old, new)
    assert any(found in line for line in problems(folder)), problems(folder)


def test_problems_are_sorted_by_line_not_by_its_digits(folder: Path) -> None:
    first = change(folder, "flows/all.yml", "ask: ask_ticket", "ask: ask_tickets")
    second = change(folder, "flows/all.yml", "case: letter", "case: note")
    lines = [int(line.split(":")[1]) for line in problems(folder) if line.startswith("flows/all.yml:")]
    assert (first, second) == (3, 25)
    assert lines == sorted(lines)


def test_a_gap_and_a_dead_row_are_found_in_the_pack(folder: Path) -> None:
    change(folder, "tables/all.yml", "{rule: DUE-4, handoff", "{rule: DUE-4, when: {loan_state: lost}, handoff")
    found = problems(folder)
    assert any("table 'due': no row for days_left=unknown, loan_state=out" in line for line in found), found
    assert any("table 'due', row 4: this row can never apply" in line for line in found), found
