"""The API keeps what its own description promises, whatever is sent to it: schemathesis with all its checks."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from bot.web import api
from tests.bot.web.api_calls import help_desk
from tests.bot.world import World

SEED = 7
EXAMPLES = 6
"""Calls of each kind that are made up for each operation; the ones that are reasoned out come besides."""


async def run(*arguments: str, folder: Path) -> tuple[int, str]:
    """Run schemathesis; its status and what it says."""
    command = (sys.executable, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", *arguments)
    program = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    said, _ = await program.communicate()
    assert program.returncode is not None
    return program.returncode, said.decode()


@pytest.fixture
async def busy(world: World) -> World:
    """A desk with work in every state."""
    await world.agent("anna", title="Анна", role="supervisor")
    await world.agent("boris", title="Борис")
    for number in range(1, 13):
        await world.say(f"c{number}", "мастера, мой номер 8 916 123 45 67" if number % 2 else "мастера")
        await world.say(f"c{number}", "мастера")
    for number in range(1, 7):
        await world.take("anna" if number % 2 else "boris", f"c{number}")
    return world


async def test_it_keeps_what_it_promises(busy: World, address: str, tmp_path: Path) -> None:
    async with help_desk(busy, address, tmp_path, api_per_minute=10_000_000) as desk:
        key = await desk.key("anna")
        status, said = await run(
            f"{desk.address}{api.PREFIX}/openapi.json", "--checks", "all", "--phases", "examples,coverage,fuzzing,stateful",
            "--seed", str(SEED), "--max-examples", str(EXAMPLES), "-H", f"Authorization: Bearer {key}",
            "--warnings", "off", "--continue-on-failure", folder=tmp_path,
        )  # fmt: skip
    assert status == 0, said
    assert "Tested: 11" in said, said
    assert all(f"✅ {phase}" in said for phase in ("Examples", "Coverage", "Fuzzing", "Stateful")), said
