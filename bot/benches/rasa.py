"""`firstline bench rasa`: Rasa's own full server under the same customers, as a measure to hold Firstline against.

It is run as Rasa's documentation has it for one machine: `rasa run` with the REST channel, an SQL tracker store in
PostgreSQL, the lock store in memory (one server process), a model with the pipeline of nlu/config.yml and RulePolicy: one
rule an intent, which answers with the intent's title and a button. What differs from Firstline, all in Rasa's favour: no
messenger stands between (the answer is the answer to the POST), no shop is asked, nothing is handed over, no second
request is looked for in a message; a press is read as `/intent`, which needs no NLU.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml
from rich.console import Console

from bot import nlu_environment, nlu_service
from bot.benches import load
from bot.benches.customers import PATIENCE, Crowd, RasaRest
from bot.benches.processes import family
from bot.benches.system import free_port
from bot.benches.turns import machine
from bot.content import pack_folder
from bot.database import Store
from bot.errors import FirstlineError
from bot.home import Home
from bot.progress import Steps, on_console
from bot.settings import Settings

READY_WITHIN = 600.0
"""Seconds that Rasa may take to load its model on a busy machine."""
BUTTON = "human_request"
"""The intent of the button under each answer."""


class RasaFailed(FirstlineError):
    """Rasa could not be trained or started."""


@dataclass(frozen=True, slots=True)
class Project:
    """A Rasa project in a folder of the data folder, made from the pack's intents and the NLU's data."""

    folder: Path

    def write(self, inventory: Path, config: Path) -> str:
        """Write domain, rules and configuration; return a name that changes with them."""
        content = yaml.safe_load(inventory.read_text("utf-8"))
        entities = list(content.pop("entities", {}))
        intents = {name: about for group in content.values() for name, about in group.items()}
        button = {"title": intents[BUTTON]["title"], "payload": f"/{BUTTON}"} if BUTTON in intents else None
        buttons = {"buttons": [button]} if button else {}
        files = {
            "domain.yml": {
                "version": "3.1", "intents": list(intents), "entities": entities,
                "responses": {f"utter_{name}": [{"text": about["title"], **buttons}] for name, about in intents.items()},
            },
            "rules.yml": {
                "version": "3.1",
                "rules": [
                    {"rule": name, "steps": [{"intent": name}, {"action": f"utter_{name}"}]} for name in intents
                ],
            },
            "config.yml": yaml.safe_load(config.read_text("utf-8")) | {"policies": [{"name": "RulePolicy"}]},
            "credentials.yml": {"rest": None},
        }  # fmt: skip
        self.folder.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        for name, what in files.items():
            text = yaml.safe_dump(what, sort_keys=False, allow_unicode=True)
            digest.update(text.encode())
            (self.folder / name).write_text(text, "utf-8")
        return digest.hexdigest()[:8]

    def endpoints(self, address: str) -> Path:
        """Write which tracker store is used; return the file."""
        path = self.folder / "endpoints.yml"
        path.write_text(
            yaml.safe_dump({"tracker_store": {"type": "SQL", "dialect": "postgresql", "url": address}}), "utf-8"
        )
        return path


async def trained(home: Home, python: Path, folder: Path, steps: Steps) -> tuple[Project, Path]:
    """The project and its model, trained now where it is not there for the present content (some minutes)."""
    nlu = nlu_environment.project() / "nlu"
    model = await nlu_service.train(home, python, steps)  # computes the embeddings that both use
    project = Project(home.root / "bench-rasa")
    name = f"{model}-{project.write(folder / 'intents.yml', nlu / 'config.yml')}"
    archive = project.folder / "models" / f"{name}.tar.gz"
    if archive.exists():
        return project, archive
    with steps.step("Rasa's model, with rules"), (home.logs / "rasa-training.log").open("wb") as errors:
        process = await nlu_service.launch(
            python, "rasa", "train", "--config", str(project.folder / "config.yml"), "--data", str(nlu / "data"),
            str(project.folder / "rules.yml"), "--domain", str(project.folder / "domain.yml"), "--out",
            str(archive.parent), "--fixed-model-name", name,
            environment={
                "FIRSTLINE_NLU_CACHE": str(home.models / ".cache"), "RASA_MAX_CACHE_SIZE": "0",
                "RASA_CACHE_DIRECTORY": str(project.folder / "cache"),
            }, errors=errors.fileno(),
        )  # fmt: skip
        try:
            await _drained(process)
            status = await process.wait()
        finally:
            await nlu_service.end(process)
    if status != 0 or not archive.exists():
        raise RasaFailed(f"Rasa's model could not be trained; see {home.logs / 'rasa-training.log'}.")
    return project, archive


@asynccontextmanager
async def serving(
    home: Home, python: Path, project: Project, archive: Path, address: str, steps: Steps
) -> AsyncIterator[tuple[str, int]]:
    """A running Rasa server: its address and process id."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    with steps.step("Rasa's server"), (home.logs / "rasa.log").open("wb") as errors:
        process = await nlu_service.launch(
            python, "rasa", "run", "--model", str(archive), "--endpoints", str(project.endpoints(address)),
            "--credentials", str(project.folder / "credentials.yml"), "--interface", "127.0.0.1", "--port", str(port),
            errors=errors.fileno(),
        )  # fmt: skip
        try:
            reading = asyncio.create_task(_drained(process))
            await _answers(url, process)
        except BaseException as error:
            await nlu_service.end(process)
            if isinstance(error, TimeoutError):
                raise RasaFailed(f"Rasa's server was not ready within {READY_WITHIN:.0f} seconds.") from error
            raise
    try:
        yield url, process.pid
    finally:
        await nlu_service.end(process)
        await reading


async def _drained(process: asyncio.subprocess.Process) -> None:
    assert process.stdout is not None
    while await process.stdout.read(65536):
        pass


async def _answers(url: str, process: asyncio.subprocess.Process) -> None:
    """Wait until the server answers."""
    async with httpx.AsyncClient(trust_env=False, timeout=5.0) as http, asyncio.timeout(READY_WITHIN):
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get(url)).status_code == 200:
                    return
            if process.returncode is not None:
                raise RasaFailed("Rasa's server did not start.")
            await asyncio.sleep(0.5)


async def measure(settings: Settings, steps: Steps, options: load.Options) -> dict[str, Any]:
    """The figures of Rasa's server."""
    home, folder = Home(settings.home).make(), pack_folder(settings.pack)
    python = await nlu_environment.ensure(home, steps)
    project, archive = await trained(home, python, folder, steps)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store(settings))
        address = await stack.enter_async_context(store.throwaway())
        url, pid = await stack.enter_async_context(serving(home, python, project, archive, address, steps))
        http = await stack.enter_async_context(
            httpx.AsyncClient(trust_env=False, timeout=PATIENCE, limits=httpx.Limits(max_connections=None))
        )
        crowd = Crowd(load.texts_of(settings), seed=options.seed)
        processes = {
            "rasa": lambda: family(pid), "postgresql": lambda: load.of_database(address), "customers": load.ourselves,
        }  # fmt: skip
        best, played = await load.climbed(crowd, RasaRest(http, url), processes, options, steps)
    return load.figures_of(best, played)


async def beside(
    settings: Settings, console: Console, *, options: load.Options, as_json: bool, into: Path | None = None
) -> int:
    """Measure Firstline, then Rasa's server; print both figures, or put them between a file's marks `load`."""
    with on_console(console) as steps:
        firstline = await load.measure(settings, steps, options)
        rasa = await measure(settings, steps, options)
    load.show({"machine": machine(), "firstline": firstline, "rasa": rasa}, as_json=as_json, into=into)
    return 0
