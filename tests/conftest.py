"""What runs really in tests: PostgreSQL, the embedded one (a test that asks for `address` gets a database of its own), and the
NLU service with the trained model."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot import database

ROOT = Path(__file__).resolve().parents[1]
_told = pytest.StashKey[Path]()
_service = pytest.StashKey[subprocess.Popen[bytes]]()

ssl.create_default_context = functools.cache(ssl.create_default_context)
# Each client would read the machine's certificates anew.


def pytest_xdist_auto_num_workers() -> int:
    """How many workers `-n auto` means: one more than there are cores, for tests often wait for a server."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """A worker knows from the run that it belongs to where the NLU service says its address."""
    told = getattr(config, "workerinput", {}).get("nlu")
    if told is not None:
        config.stash[_told] = Path(told)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Several workers (`-n`) share one NLU service, which starts while they look for their tests."""
    if "FIRSTLINE_NLU_URL" not in os.environ:
        node.workerinput["nlu"] = str(_serve(node.config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """The service ends with the run that started it."""
    service = config.stash.get(_service, None)
    if service is not None:
        service.terminate()
        service.wait(30)
        shutil.rmtree(config.stash[_told].parent, ignore_errors=True)


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
    if os.environ.get("FIRSTLINE_NLU_URL"):
        return {name: os.environ[name] for name in ("FIRSTLINE_NLU_URL", "FIRSTLINE_NLU_TOKEN") if name in os.environ}
    told = request.config.stash.get(_told, None) or _serve(request.config)
    while True:
        said = dict(line.split("=", 1) for line in told.read_text("utf-8").split("\n")[:-1] if "=" in line)
        if {"FIRSTLINE_NLU_URL", "FIRSTLINE_NLU_TOKEN"} <= said.keys():
            return said
        assert not told.with_suffix(".ended").exists(), "the NLU service did not start; see above"
        time.sleep(0.2)


def _serve(config: pytest.Config) -> Path:
    """Start the NLU service of this run, once; return the file in which it says its address."""
    if _told in config.stash:
        return config.stash[_told]
    told = Path(tempfile.mkdtemp(prefix="firstline-tests-")) / "nlu"
    config.stash[_told] = told
    command = [sys.executable, "-m", "bot.cli", "nlu", "serve"]
    capture = config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), told.open("wb") as said:  # the first time it trains, and shows how far
        service = subprocess.Popen(command, cwd=ROOT, stdout=said)
    config.stash[_service] = service
    threading.Thread(target=_tell_end, args=(service, told), daemon=True).start()
    return told


def _tell_end(service: subprocess.Popen[bytes], told: Path) -> None:
    service.wait()
    with contextlib.suppress(OSError):  # the run is over, too
        told.with_suffix(".ended").touch()
