"""The NLU service as a process of ours: trained when needed, started, watched, started again, stopped.

Its process runs in a group of its own and watches a pipe to us: when this process ends, however it ends, the pipe closes and
the service ends, too. A service that is meant to last says in the data folder how it is reached, so that other commands use
it instead of loading the model once more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import httpx

from bot import nlu_environment
from bot.errors import FirstlineError
from bot.home import Home
from bot.nlu_environment import bare_environment, project
from bot.progress import Step, Steps

log = logging.getLogger(__name__)

READY_WITHIN = 300.0
"""Seconds that loading the model may take on a busy machine."""
STOP_WITHIN = 10.0
LOOK_EVERY = 2.0
LOG_SIZE = 5_000_000

# Runs a module of nlu; ends the process when the pipe on standard input closes, which it does with the bot's process.
_WATCHED = """
import os, runpy, sys, threading
def watch():
    while os.read(0, 1024):
        pass
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
sys.path[0] = os.getcwd()
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""


class NluTrainingFailed(FirstlineError):
    """The NLU model could not be trained."""


class NluNotStarted(FirstlineError):
    """The NLU service did not start."""


async def launch(
    python: Path, module: str, *arguments: str, environment: dict[str, str] | None = None, errors: int | None = None
) -> asyncio.subprocess.Process:
    """Start `python -m module` of nlu in a process group of its own, tied to the life of this process."""
    return await asyncio.create_subprocess_exec(
        str(python), "-c", _WATCHED, module, *arguments, cwd=project(), start_new_session=True,
        env=bare_environment() | {"PYTHONUNBUFFERED": "1", "RASA_TELEMETRY_ENABLED": "false"} | (environment or {}),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
    )  # fmt: skip


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process started by `launch`, with its whole group."""
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(STOP_WITHIN):
            await process.wait()
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


# ------------------------------------------------------------------------------------------------------------- training
async def train(home: Home, python: Path, steps: Steps, *, force: bool = False) -> str:
    """Return the name of the model for the present content, trained now where there is none."""
    home.make()
    with steps.step("NLU model for the present content") as step:
        async with home.alone("model"):
            return await _build(home, python, step, force=force)


async def _build(home: Home, python: Path, step: Step, *, force: bool) -> str:
    arguments = ["--models", str(home.models), "--json", *(["--force"] if force else [])]
    journal = home.logs / "nlu-training.log"
    name = None
    with journal.open("wb") as errors:
        process = await launch(python, "nlu.build", *arguments, errors=errors.fileno())
        try:
            assert process.stdout is not None
            async for line in process.stdout:
                if said := _json(line):
                    name = str(said["text"]) if said.get("step") == "done" else name
                    step.update(said.get("text"), done=said.get("done"), of=said.get("of"))
            status = await process.wait()
        finally:
            await end(process)
    if status != 0 or name is None:
        raise NluTrainingFailed(f"The NLU model could not be trained: {_last_words(journal)} (all of it: {journal})")
    return name


def _json(line: bytes) -> dict[str, Any] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) else None


def _last_words(journal: Path) -> str:
    lines = journal.read_text("utf-8", "replace").split("\n") if journal.exists() else []
    said = [line.strip() for line in lines if line.strip()]
    return said[-1][:400] if said else "it said nothing"


# -------------------------------------------------------------------------------------------------------------- serving
class NluService:
    """A running NLU service: our own process, or one that another command of this data folder runs."""

    def __init__(
        self, home: Home, python: Path, model: str, *, lasting: bool = False, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        """`lasting`: let other commands of the data folder use it. `port`: 0 lets the system choose."""
        self._home, self._python, self._lasting = home, python, lasting
        self.model = model
        self._host, self.port = host, port
        self.token = secrets.token_urlsafe(32)
        self._process: asyncio.subprocess.Process | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.restarts = 0

    @property
    def url(self) -> str:
        """Where it answers; stays the same when the process is started again."""
        return f"http://{'127.0.0.1' if self._host == '0.0.0.0' else self._host}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of our own process."""
        return self._process.pid if self._process else None

    async def __aenter__(self) -> Self:
        self._home.make()
        if not await self._join():
            await self._start()
            if self._lasting:
                self._announce()
        self._watcher = asyncio.create_task(self._watch(), name="nlu")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._process is not None:
            if self._announced().get("pid") == os.getpid():
                self._home.nlu_service.unlink(missing_ok=True)
            await end(self._process)

    # ------------------------------------------------------------------------------------------------ our own process
    async def _start(self) -> None:
        """Start the process and wait until it is ready. After the first time it takes the same port again."""
        journal = self._home.logs / "nlu.log"
        if journal.exists() and journal.stat().st_size > LOG_SIZE:
            journal.replace(journal.with_suffix(".log.1"))
        with journal.open("ab") as errors:
            process = await launch(
                self._python, "nlu.server", "--models", str(self._home.models), "--model", self.model, "--host", self._host, "--port", str(self.port),
                environment={"FIRSTLINE_NLU_TOKEN": self.token}, errors=errors.fileno(),
            )  # fmt: skip
        try:
            async with asyncio.timeout(READY_WITHIN):
                ready = await _ready(process)
        except BaseException as error:
            await end(process)
            if isinstance(error, TimeoutError):
                raise NluNotStarted(f"The NLU service was not ready within {READY_WITHIN:.0f} seconds.") from error
            raise
        if ready is None:
            await end(process)
            raise NluNotStarted(f"The NLU service did not start: {_last_words(journal)} (all of it: {journal})")
        self._process, self.port = process, int(ready["port"])
        log.info("nlu_started", extra={"pid": process.pid, "port": self.port, "model": self.model})

    async def _watch(self) -> None:
        """Start the service again when it dies; a borrowed one is replaced by our own on the same port."""
        pause = 1.0
        while True:
            if self._process is not None:
                await self._drain(self._process)
                status = await self._process.wait()
                log.error("nlu_died", extra={"status": status, "model": self.model})
                await end(self._process)
            else:
                await self._until_it_leaves()
                log.warning("nlu_left", extra={"url": self.url})
            try:
                await self._start()
                self.restarts += 1
                pause = 1.0
                if self._lasting:
                    self._announce()
            except FirstlineError as error:
                log.error("nlu_not_restarted", extra={"error": str(error), "again_in_s": pause})
                await asyncio.sleep(pause)
                pause = min(pause * 2, 60.0)

    async def _until_it_leaves(self) -> None:
        """Come back when another's service does not answer twice in a row."""
        missed = 0
        while missed < 2:
            await asyncio.sleep(LOOK_EVERY)
            missed = 0 if await healthy(self.url, self.model) else missed + 1

    @staticmethod
    async def _drain(process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while await process.stdout.read(4096):
            pass

    # ---------------------------------------------------------------------------------------------- another's process
    async def _join(self) -> bool:
        """Use the service that the data folder names, if it answers with this very model."""
        told = self._announced()
        if not {"port", "token", "model"} <= told.keys() or told["model"] != self.model:
            return False
        if not await healthy(f"http://127.0.0.1:{told['port']}", self.model, token=str(told["token"])):
            return False
        self.port, self.token = int(told["port"]), str(told["token"])
        return True

    def _announce(self) -> None:
        told = {"port": self.port, "token": self.token, "model": self.model, "pid": os.getpid()}
        path = self._home.nlu_service
        beside = path.with_suffix(f".{os.getpid()}")
        beside.touch(mode=0o600)
        beside.write_text(json.dumps(told), "utf-8")
        beside.replace(path)

    def _announced(self) -> dict[str, Any]:
        try:
            return _json(self._home.nlu_service.read_bytes()) or {}
        except OSError:
            return {}


async def _ready(process: asyncio.subprocess.Process) -> dict[str, Any] | None:
    """Wait for the line that says that the service is ready; None when it ended before."""
    assert process.stdout is not None
    async for line in process.stdout:
        said = _json(line)
        if said and said.get("ready") is True:
            return said
    return None


async def healthy(url: str, model: str | None = None, *, token: str | None = None) -> bool:
    """Tell whether a service is ready (with a model, and takes a token)."""
    try:
        async with httpx.AsyncClient(base_url=url, timeout=5.0, trust_env=False) as client:
            answer = await client.get("/health")
            said = _json(answer.content) or {}
            ready = answer.status_code == 200 and said.get("model") == (model or said.get("model"))
            if ready and token is not None:
                headers = {"Authorization": f"Bearer {token}"}
                ready = (await client.post("/parse/batch", json={"texts": []}, headers=headers)).status_code == 200
            return ready
    except httpx.HTTPError:
        return False


@contextlib.asynccontextmanager
async def serving(
    home: Home, steps: Steps, *, lasting: bool = False, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[NluService]:
    """Everything from nothing to a ready service: environment, model, process."""
    python = await nlu_environment.ensure(home, steps)
    model = await train(home, python, steps)
    service = NluService(home, python, model, lasting=lasting, host=host, port=port)
    async with contextlib.AsyncExitStack() as stack:
        with steps.step("NLU service") as step:
            step.update("loading the model")
            await stack.enter_async_context(service)
            step.update(model)
        yield service


async def evaluate(home: Home, python: Path, *arguments: str) -> int:
    """Run nlu's evaluation with its output shown as it is; return its exit status."""
    process = await asyncio.create_subprocess_exec(
        str(python),
        "-m",
        "nlu.evaluate",
        "--models",
        str(home.models),
        *arguments,
        cwd=project(),
        env=bare_environment(),
    )
    return await process.wait()
