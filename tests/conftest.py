"""PostgreSQL for tests: the embedded one, really running; each test that asks for `address` gets a database of its own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import database


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL server that belongs to this run (FIRSTLINE_TEST_DATABASE_URL: one that is there)."""
    given = os.environ.get("FIRSTLINE_TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="firstline-tests-"))
    folder.chmod(0o755)
    server = database.EmbeddedServer(folder / "postgres", durable=False)
    try:
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def address(postgres: str) -> Iterator[str]:
    """Address of an empty migrated database, for one test."""
    made = database.create_database(postgres, prefix="firstline_test")
    yield made
    database.drop_database(made)
