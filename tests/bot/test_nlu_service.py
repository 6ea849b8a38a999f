"""The NLU service as a process: what becomes of it when it dies, is borrowed, or loses its parent.

A stand-in takes the place of nlu's own server here (the real one is under tests/e2e): a Python program that speaks the same
first line and the same two routes.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot import nlu_environment, nlu_service
from bot.home import Home
from bot.nlu_environment import HOW_TO_INSTALL, NluEnvironmentFailed, NluNotHere
from bot.nlu_service import NluNotStarted, NluService, NluTrainingFailed, healthy
from bot.progress import Step, Steps

ROOT = Path(__file__).resolve().parents[2]
MODEL = "nlu-0123456789ab"

SERVER = """
import argparse, http.server, json, os, sys
parser = argparse.ArgumentParser()
for name in ("--models", "--model", "--host"):
    parser.add_argument(name)
parser.add_argument("--port", type=int)
given = parser.parse_args()
if given.model == "nlu-000000000000":
    sys.exit("There is no model.")
class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, body):
        self.send_response(status); self.end_headers(); self.wfile.write(json.dumps(body).encode())
    def do_GET(self):
        self.answer(200, {"ready": True, "model": given.model})
    def do_POST(self):
        right = self.headers["Authorization"] == "Bearer " + os.environ["FIRSTLINE_NLU_TOKEN"]
        self.answer(200 if right else 401, {})
    def log_message(self, *rest): pass
server = http.server.ThreadingHTTPServer((given.host, given.port), Handler)
print("some noise")
print(json.dumps({"ready": True, "port": server.server_port, "model": given.model}), flush=True)
server.serve_forever()
"""
BUILD = """
import json, sys
if "--force" in sys.argv:
    sys.exit("the data are wrong")
print(json.dumps({"at": 0.1, "step": "embed", "text": "embedding", "done": 1, "of": 2}), flush=True)
print(json.dumps({"at": 0.2, "step": "done", "text": "nlu-0123456789ab", "done": None, "of": None}), flush=True)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A data folder, and a repository whose nlu is a stand-in."""
    nlu = tmp_path / "repository" / "nlu"
    nlu.mkdir(parents=True)
    (nlu / "__init__.py").write_text("")
    (nlu / "uv.lock").write_text("")
    (nlu / "pyproject.toml").write_text("")
    (nlu / "server.py").write_text(SERVER)
    (nlu / "build.py").write_text(BUILD)
    monkeypatch.setattr(nlu_environment, "ROOT", tmp_path / "repository")
    return Home(tmp_path / "home").make()


def service(home: Home, *, lasting: bool = False, model: str = MODEL) -> NluService:
    return NluService(home, Path(sys.executable), model, lasting=lasting)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except OSError:
        return False


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  processes tell nobody
            await asyncio.sleep(0.05)


class TestService:
    async def test_it_is_ready_when_entered_and_gone_when_left(self, home: Home) -> None:
        async with service(home) as running:
            assert await healthy(running.url, MODEL, token=running.token)
            assert not await healthy(running.url, MODEL, token="wrong")
            pid = running.pid
            assert pid is not None
        assert not alive(pid)
        assert not home.nlu_service.exists()

    async def test_one_that_dies_is_started_again_where_it_was(self, home: Home) -> None:
        async with service(home) as running:
            url, pid = running.url, running.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda: running.restarts == 1)
            assert running.url == url
            assert await healthy(url, MODEL, token=running.token)

    async def test_a_lasting_one_is_used_by_others_and_replaced_by_them_when_it_goes(
        self, home: Home, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nlu_service, "LOOK_EVERY", 0.1)
        first = service(home, lasting=True)
        await first.__aenter__()
        assert home.nlu_service.stat().st_mode & 0o077 == 0
        async with service(home) as second:
            assert (second.url, second.token, second.pid) == (first.url, first.token, None)
            await first.__aexit__()
            await until(lambda: second.pid is not None)
            assert await healthy(second.url, MODEL, token=second.token)

    async def test_another_model_is_not_borrowed(self, home: Home) -> None:
        async with service(home, lasting=True), service(home, model="nlu-ffffffffffff") as second:
            assert second.pid is not None

    async def test_one_that_cannot_start_says_why(self, home: Home) -> None:
        with pytest.raises(NluNotStarted, match="There is no model"):
            async with service(home, model="nlu-000000000000"):
                pass

    def test_nothing_is_left_when_the_parent_is_killed(self, home: Home, tmp_path: Path) -> None:
        program = textwrap.dedent(f"""
            import asyncio, sys
            from pathlib import Path
            sys.path.insert(0, {str(ROOT)!r})
            from bot import nlu_environment
            from bot.home import Home
            from bot.nlu_service import NluService
            nlu_environment.ROOT = Path({str(tmp_path / "repository")!r})
            async def main():
                async with NluService(Home(Path({str(home.root)!r})), Path(sys.executable), {MODEL!r}) as running:
                    print(running.pid, flush=True)
                    await asyncio.sleep(60)
            asyncio.run(main())
        """)
        parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert alive(child)
        parent.kill()
        parent.wait()
        asyncio.run(until(lambda: not alive(child)))


class _Seen(Step):
    def __init__(self) -> None:
        self.updates: list[tuple[str | None, int | None, int | None]] = []

    def update(self, detail: str | None = None, *, done: int | None = None, of: int | None = None) -> None:
        self.updates.append((detail, done, of))


class TestTraining:
    async def test_progress_is_shown_and_the_last_line_names_the_model(self, home: Home) -> None:
        seen = _Seen()
        name = await nlu_service._build(home, Path(sys.executable), seen, force=False)
        assert name == MODEL
        assert seen.updates[0] == ("embedding", 1, 2)

    async def test_a_failure_is_a_sentence(self, home: Home) -> None:
        with pytest.raises(NluTrainingFailed, match="the data are wrong"):
            await nlu_service.train(home, Path(sys.executable), Steps(), force=True)


class TestEnvironment:
    def test_python_is_looked_for_on_path_then_under_pyenv(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(nlu_environment, "_uv_finds", lambda: None)
        folder, pyenv = tmp_path / "bin", tmp_path / "pyenv"
        for path in (folder / "python3.10", pyenv / "versions" / "3.10.13" / "bin" / "python"):
            path.parent.mkdir(parents=True)
            path.write_text("")
            path.chmod(0o755)
        environment = {"PATH": str(folder), "PYENV_ROOT": str(pyenv), "HOME": str(tmp_path)}
        found = list(nlu_environment.candidates(environment))
        assert found == [str(folder / "python3.10"), str(pyenv / "versions" / "3.10.13" / "bin" / "python")]

    def test_only_a_python_that_runs_and_is_3_10_counts(self, tmp_path: Path) -> None:
        def fake(name: str, body: str) -> str:
            path = tmp_path / name
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
            return str(path)

        shim = fake("shim", "echo 'pyenv: python3.10: command not found' >&2; exit 127")
        other = fake("other", "echo 3.11; echo /usr/bin/python3.11")
        right = fake("right", "echo 3.10; echo /usr/bin/python3.10")
        tried: Iterator[str] = iter([str(tmp_path / "missing"), shim, other, right])
        assert nlu_environment.first_that_runs(tried) == "/usr/bin/python3.10"

    def test_without_any_the_error_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nlu_environment, "candidates", lambda: iter(()))
        monkeypatch.setattr(nlu_environment, "_fetched", lambda step: None)
        with pytest.raises(NluEnvironmentFailed) as failed:
            nlu_environment.find_python()
        assert str(failed.value) == HOW_TO_INSTALL

    def test_a_wheel_without_nlu_says_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nlu_environment, "ROOT", tmp_path)
        with pytest.raises(NluNotHere, match="FIRSTLINE_NLU_URL"):
            nlu_environment.project()

    def test_the_bots_own_python_does_not_leak_into_nlus(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("VIRTUAL_ENV", "/somewhere")
        monkeypatch.setenv("PYTHONPATH", "/somewhere")
        assert not {"VIRTUAL_ENV", "PYTHONPATH"} & nlu_environment.bare_environment().keys()

    def test_what_uv_says_becomes_a_short_detail(self) -> None:
        told: list[str] = []
        watch = nlu_environment._Downloads(told.append)
        for line in (
            "Downloading numpy (17.4MiB)",
            "Downloading tensorflow (455.0MiB)",
            " Downloaded tensorflow",
            "Prepared 170 packages in 3s",
        ):
            watch.hear(line)
        assert told[1] == "downloading tensorflow (455.0MiB), 2 more to come"
        assert told[-1] == "installing 170 packages"


async def test_a_service_that_answers_nonsense_is_not_healthy() -> None:
    async def nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert not await healthy(f"http://127.0.0.1:{port}", MODEL)


def test_the_line_a_service_says_is_json() -> None:
    assert nlu_service._json(b"not json") is None
    assert nlu_service._json(json.dumps([1]).encode()) is None
