"""Worlds with a file store: a folder, or a bucket of a server that speaks S3."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.file_store import FileStore
from tests.bot.files.place import Place, of_settings, s3_server, work_of
from tests.bot.world import World


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """Address of an S3-compatible server with the bucket `attachments`."""
    server, address = s3_server()
    yield address
    server.stop()


@pytest.fixture
def local(tmp_path: Path) -> FileStore:
    return of_settings(tmp_path)


@pytest.fixture
async def place(world: World, local: FileStore) -> Place:
    work, messenger = work_of(world, local)
    return Place(world, work, messenger, local)


@pytest.fixture(params=["folder", "bucket"])
async def anywhere(request: pytest.FixtureRequest, world: World, tmp_path: Path, s3: str) -> Place:
    """A place with either store."""
    store = of_settings(tmp_path, s3 if request.param == "bucket" else None, prefix=tmp_path.name)
    work, messenger = work_of(world, store, file_mb=20, day_mb=50)
    return Place(world, work, messenger, store)
