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
from typing import Any

import pytest

from bot import database

ROOT = Path(__file__).resolve().parents[1]
_SERVICE = pytest.StashKey[subprocess.Popen[str]]()
_TOLD = pytest.StashKey[dict[str, str]]()

ssl.create_default_context = functools.cache(ssl.create_default_context)
# Each client would read the machine's certificates anew.


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` means: one more than there are cores, for tests often wait for a server."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Several workers (`-n`) share one NLU service, which is there before they begin: a training would slow all tests down."""
    node.workerinput["nlu"] = _serve(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The service ends with the run that started it."""
    service = config.stash.get(_SERVICE, None)
    if service is not None:
        service.terminate()
        service.wait(30)


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
def nlu(request: pytest.FixtureRequest) -> Mapping[str, str]:
    """Environment variables that name a running NLU service with the model of the present content."""
    given: dict[str, str] | None = getattr(request.config, "workerinput", {}).get("nlu")
    return given or _serve(request.config)


def _serve(config: pytest.Config) -> dict[str, str]:
    """The NLU service of this run: the one that the environment names, else one that is started, once."""
    if os.environ.get("FIRSTLINE_NLU_URL"):
        return {name: os.environ[name] for name in ("FIRSTLINE_NLU_URL", "FIRSTLINE_NLU_TOKEN") if name in os.environ}
    if _TOLD not in config.stash:
        command = [sys.executable, "-m", "bot.cli", "nlu", "serve"]
        capture = config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():  # the first time it trains, and shows how far it is
            service = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            config.stash[_SERVICE] = service
            assert service.stdout is not None
            said = (service.stdout.readline(), service.stdout.readline())
        config.stash[_TOLD] = dict(line.strip().split("=", 1) for line in said if line)
    assert "FIRSTLINE_NLU_URL" in config.stash[_TOLD], "the NLU service did not start; see above"
    return config.stash[_TOLD]
