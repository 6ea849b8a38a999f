"""`firstline key`: a key is shown once, works in somebody's name, and can be taken back."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from bot import cli, database


@pytest.fixture(autouse=True)
def store(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with one agent, which the command works on."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", address)
    with psycopg.connect(database.conninfo(address)) as connection:
        connection.execute(
            "INSERT INTO agents (name, title, queues, skills, role, on_shift) VALUES ('anna', 'Анна', '{}', '{}', 'agent', false)"
        )
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield address
    root.handlers[:], root.level = handlers, level


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, ["key", *arguments])


def rows(address: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database.conninfo(address)) as connection:
        return connection.execute(query).fetchall()


def test_a_key_is_printed_once_and_kept_as_a_digest(store: str) -> None:
    made = run("add", "zendesk", "--as", "anna")
    assert made.exit_code == 0, made.output
    key = made.stdout.strip()
    assert key.startswith("flk_")
    assert "off shift" in made.stderr
    listed = run("list")
    assert listed.exit_code == 0
    assert "zendesk" in listed.stdout
    assert "masked" in listed.stdout
    assert key not in listed.output
    assert key not in str(rows(store, "SELECT * FROM api_keys"))
    assert rows(store, "SELECT action, data FROM audit") == [
        ("api_key_added", {"as": "anna", "phones": False, "api_key": "zendesk"})
    ]


def test_a_disabled_key_stays_in_the_list(store: str) -> None:
    run("add", "zendesk", "--as", "anna", "--phones")
    assert run("disable", "zendesk").exit_code == 0
    assert rows(store, "SELECT phones, disabled_at IS NOT NULL FROM api_keys") == [(True, True)]
    assert [one[0] for one in rows(store, "SELECT action FROM audit ORDER BY id")] == [
        "api_key_added",
        "api_key_disabled",
    ]
    assert "in full" in run("list").stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "x", "--as", "nobody"), "There is no agent of this name."),
        (("add", "zendesk", "--as", "anna"), "There is an API key of this name already."),
        (("add", "a b", "--as", "anna"), "A name has letters, digits"),
        (("disable", "nobody"), "There is no API key of this name."),
    ],
)
def test_what_cannot_be_is_one_sentence(arguments: tuple[str, ...], sentence: str) -> None:
    run("add", "zendesk", "--as", "anna")
    refused = run(*arguments)
    assert refused.exit_code == 1
    assert sentence in refused.output.replace("\n", " ")
    assert "Traceback" not in refused.output
