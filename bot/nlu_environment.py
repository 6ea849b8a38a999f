"""Rasa's own Python 3.10 environment, made from nlu/'s lock by uv.

The environment belongs to the data folder and is made anew when the lock changes. Python 3.10 is looked for on PATH, through
uv and under pyenv; where there is none, uv fetches it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import uv

from bot.errors import FirstlineError
from bot.home import Home
from bot.progress import Step, Steps

ROOT = Path(__file__).resolve().parent.parent
VERSION = "3.10"
HOW_TO_INSTALL = (
    "Rasa needs Python 3.10 beside this one, and none was found on PATH, by uv or under pyenv; fetching it failed, too. "
    "Install it (Debian and Ubuntu: apt install python3.10; macOS: brew install python@3.10; anywhere: "
    "uv python install 3.10, or pyenv install 3.10) and run the same command again."
)


class NluNotHere(FirstlineError):
    """The NLU's sources are not part of this installation (a wheel holds only bot and flows). Run Firstline from a clone of
    the repository, or let FIRSTLINE_NLU_URL and FIRSTLINE_NLU_TOKEN name a running NLU service."""

    def __init__(self) -> None:
        super().__init__(" ".join((type(self).__doc__ or "").split()))


class NluEnvironmentFailed(FirstlineError):
    """Rasa's environment could not be made."""


def project() -> Path:
    """The repository's root, from which nlu's commands run. Raises NluNotHere."""
    if not (ROOT / "nlu" / "uv.lock").is_file():
        raise NluNotHere
    return ROOT


def bare_environment() -> dict[str, str]:
    """The environment variables for nlu's commands: without those that belong to the Python of the bot."""
    ours = {
        "VIRTUAL_ENV",
        "PYTHONHOME",
        "PYTHONPATH",
        "UV_PROJECT_ENVIRONMENT",
        "UV_PYTHON",
        "UV_PROJECT",
        "UV_NO_SYNC",
    }
    return {name: value for name, value in os.environ.items() if name not in ours}


async def ensure(home: Home, steps: Steps) -> Path:
    """Return the interpreter of Rasa's environment, making the environment where it is missing or old."""
    wanted = _wanted(project())
    python = home.nlu_environment / "bin" / "python"
    if _made(home, wanted):
        return python
    home.make()
    with steps.step("Python environment of the NLU (Rasa 3.6)") as step:
        async with home.alone("nlu"):
            if not _made(home, wanted):
                base = await asyncio.to_thread(find_python, step)
                await _sync(home, base, step)
                _stamp(home).write_text(wanted, "utf-8")
    return python


def _wanted(root: Path) -> str:
    files = [root / "nlu" / "pyproject.toml", root / "nlu" / "uv.lock"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()


def _stamp(home: Home) -> Path:
    return home.nlu_environment / ".firstline"


def _made(home: Home, wanted: str) -> bool:
    try:
        stamped = _stamp(home).read_text("utf-8") == wanted
    except OSError:
        return False
    return stamped and (home.nlu_environment / "bin" / "python").exists()


# ----------------------------------------------------------------------------------------------------------- python 3.10
def find_python(step: Step | None = None) -> str:
    """Return a Python 3.10, letting uv fetch one where there is none. Raises NluEnvironmentFailed."""
    return first_that_runs(candidates()) or _fetched(step) or _none_found()


def candidates(environment: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Places where a Python 3.10 may be: PATH, what uv knows, pyenv's versions."""
    for name in ("python3.10", "python3", "python"):
        if (found := shutil.which(name, path=environment.get("PATH"))) is not None:
            yield found
    if (found := _uv_finds()) is not None:
        yield found
    for root in (environment.get("PYENV_ROOT"), str(Path(environment.get("HOME", "~")).expanduser() / ".pyenv")):
        versions = sorted(Path(root, "versions").glob(f"{VERSION}*"), reverse=True) if root else []
        yield from (str(path / "bin" / "python") for path in versions)


def first_that_runs(pythons: Iterator[str]) -> str | None:
    """The first of some interpreters that really is a 3.10: its own path (a shim of pyenv may be none)."""
    ask = "import sys; print(*sys.version_info[:2], sep='.'); print(getattr(sys, '_base_executable', None) or sys.executable)"
    for python in pythons:
        try:
            done = subprocess.run(
                [python, "-c", ask], capture_output=True, text=True, timeout=20, env=bare_environment(), check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            continue
        version, _, path = done.stdout.strip().partition("\n")
        if done.returncode == 0 and version == VERSION:
            return path
    return None


def _uv_finds() -> str | None:
    done = _uv("python", "find", VERSION, "--no-project")
    return done.stdout.strip() if done.returncode == 0 else None


def _fetched(step: Step | None) -> str | None:
    if step is not None:
        step.update("fetching Python 3.10")
    if _uv("python", "install", VERSION, timeout=600).returncode != 0:
        return None
    return _uv_finds()


def _none_found() -> str:
    raise NluEnvironmentFailed(HOW_TO_INSTALL)


def _uv(*arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [uv.find_uv_bin(), *arguments]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, env=bare_environment(), check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "it took too long")


# ----------------------------------------------------------------------------------------------------------------- sync
async def _sync(home: Home, python: str, step: Step) -> None:
    """Let uv install exactly what the lock says."""
    step.update("installing what the lock names")
    command = [
        uv.find_uv_bin(), "sync", "--project", "nlu", "--frozen", "--no-dev", "--no-progress", "--python", python,
    ]  # fmt: skip
    environment = bare_environment() | {"UV_PROJECT_ENVIRONMENT": str(home.nlu_environment)}
    process = await asyncio.create_subprocess_exec(
        *command, cwd=project(), env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    said, watch = [], _Downloads(step.update)
    try:
        async for line in process.stderr:
            text = line.decode(errors="replace").rstrip()
            said.append(text)
            watch.hear(text)
        status = await process.wait()
    except BaseException:
        process.kill()
        await process.wait()
        raise
    if status != 0:
        raise NluEnvironmentFailed(
            "Rasa's environment could not be made: " + " ".join(line.strip() for line in said if line.strip())[-600:]
        )


class _Downloads:
    """What uv says while it installs, as a short detail: `downloading tensorflow (455.0MiB)`."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._open: dict[str, str] = {}

    def hear(self, line: str) -> None:
        if found := re.match(r"\s*Downloading (\S+) \((.+)\)", line):
            self._open[found[1]] = found[2]
        elif found := re.match(r"\s*Downloaded (\S+)", line):
            self._open.pop(found[1], None)
        elif found := re.match(r"\s*(Prepared|Installed) (\d+ packages)", line):
            self._open.clear()
            self._tell(f"{'installing' if found[1] == 'Prepared' else 'installed'} {found[2]}")
        if self._open:
            largest = max(self._open, key=lambda name: _bytes(self._open[name]))
            self._tell(f"downloading {largest} ({self._open[largest]}), {len(self._open)} more to come")


def _bytes(size: str) -> float:
    found = re.match(r"([\d.]+)\s*([KMG]?)", size)
    return float(found[1]) * {"": 1, "K": 1e3, "M": 1e6, "G": 1e9}[found[2]] if found else 0.0
