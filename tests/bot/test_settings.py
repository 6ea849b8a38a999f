"""Settings: from the environment, with defaults, secrets hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import settings
from bot.errors import SettingsInvalid


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No .env of a developer's folder."""
    monkeypatch.chdir(tmp_path)


def test_everything_has_a_default_that_works_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    made = settings.load()
    assert (made.pack, made.url(), made.quiet_seconds, made.reopen_hours) == ("shop", None, 2.0, None)


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_TELEGRAM_TOKEN", "1:very-secret")
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", "postgresql://me:very-secret@db/firstline")
    made = settings.load()
    assert "very-secret" not in repr(made)
    assert made.url() == "postgresql://me:very-secret@db/firstline"


def test_all_that_is_wrong_is_told_at_once_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_QUIET_SECONDS", "soon-ish")
    monkeypatch.setenv("FIRSTLINE_WORKERS", "0")
    with pytest.raises(SettingsInvalid) as wrong:
        settings.load()
    text = str(wrong.value)
    assert "FIRSTLINE_QUIET_SECONDS" in text
    assert "FIRSTLINE_WORKERS" in text
    assert "soon-ish" not in text


def test_a_database_that_is_no_postgresql_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", "mysql://user:secret@host/db")
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_DATABASE_URL: must be the address of a PostgreSQL") as told:
        settings.load()
    assert "secret" not in str(told.value)
