"""What runs really in tests: PostgreSQL, the embedded one (a test that asks for `address` gets a database of its own), and the
NLU service with the trained model."""

from __future__ import annotations

import functools
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from bot import database

ROOT = Path(__file__).resolve().parents[1]
ssl.create_default_context = functools.cache(
    ssl.create_default_context
)  # each client would read the machine's certificates


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` means: one more than there are cores, for tests often wait for a server."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(tryfirst=True)  # before the workers look for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one of several workers have all tests that read with the model: one service is enough for them."""
    for item in items:
        if "nlu" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("nlu"))


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


@pytest.fixture(scope="session")
def nlu(request: pytest.FixtureRequest) -> Iterator[Mapping[str, str]]:
    """Environment variables that name a running NLU service with the model of the present content."""
    if os.environ.get("FIRSTLINE_NLU_URL"):
        yield {name: os.environ[name] for name in ("FIRSTLINE_NLU_URL", "FIRSTLINE_NLU_TOKEN") if name in os.environ}
        return
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        service = subprocess.Popen(
            [sys.executable, "-m", "bot.cli", "nlu", "serve"], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert service.stdout is not None
        told = dict(
            line.strip().split("=", 1) for line in (service.stdout.readline(), service.stdout.readline()) if line
        )
    assert "FIRSTLINE_NLU_URL" in told, "the NLU service did not start; see above"
    try:
        yield told
    finally:
        service.terminate()
        service.wait(30)
