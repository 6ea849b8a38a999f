"""A world with a file store, and a messenger that keeps attachments for us."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from sqlalchemy import select

from bot import fetching, file_store, files, jobs
from bot.channels import Media
from bot.errors import Rejected
from bot.file_store import FileStore
from bot.models import File
from bot.settings import Settings
from tests.bot.world import World

MB = 1024 * 1024
ANY_TIME = timedelta(seconds=-5)
"""Everything is older than that."""


class Attachments:
    """What a messenger keeps for us: bytes by `ref`, or what it answers instead."""

    def __init__(self) -> None:
        self.there: dict[str, bytes | list[Exception | bytes]] = {}
        self.asked: list[str] = []
        self.gate: asyncio.Event | None = None
        # half of a file comes at once, the rest when it is set
        self.half_given = asyncio.Event()
        self.given = 0

    async def fetch(self, ref: str) -> AsyncIterator[bytes]:
        self.asked.append(ref)
        answer = self.there.get(ref, Rejected("no such file"))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        for at in range(0, len(answer), 65536):
            if self.gate is not None and at >= len(answer) // 2:
                self.half_given.set()
                await self.gate.wait()
            self.given += len(answer[at : at + 65536])
            yield answer[at : at + 65536]


@dataclass
class Place:
    """A world with a file store."""

    world: World
    work: fetching.Files
    messenger: Attachments
    store: FileStore

    async def send(self, *media: Media, chat: str = "c1", text: str = "", **more: Any) -> list[str]:
        """The customer attaches something; returns what they hear until all is quiet."""
        return await self.world.hear(self.world.incoming(chat, text=text, attachments=media, **more))

    async def photo(self, ref: str, data: bytes, *, name: str | None = None, **more: Any) -> list[str]:
        self.messenger.there[ref] = data
        return await self.send(Media("photo", name, ref), **more)

    async def rows(self) -> list[File]:
        return await self.world.rows(select(File).order_by(File.id))

    async def row(self) -> File:
        (only,) = await self.rows()
        return only

    async def later(self, **step: float) -> list[str]:
        """Time passes, and the job comes (it waits by PostgreSQL's clock); returns what the customer hears."""
        self.world.clock.forward(**step)
        await fetching.fetch(self.work, await self.world.id_of("c1"))
        return await self.world.settle()

    async def stored(self) -> list[str]:
        """The keys that are in the store."""
        today = self.world.clock.now().date()
        days = [today - timedelta(days=days) for days in range(3)]
        return [key for day in days for key in await self.store.keys(day, older=ANY_TIME)]

    async def read(self, file_id: int) -> tuple[files.Download, bytes]:
        async with self.world.sessions() as session:
            download = await files.read(session, self.store, file_id)
        return download, b"".join([piece async for piece in download.pieces])


def work_of(world: World, store: FileStore, **limits: float) -> tuple[fetching.Files, Attachments]:
    """Let a world fetch attachments from a messenger's stand-in."""
    messenger = Attachments()
    world.channels["telegram"].fetch = messenger.fetch  # type: ignore[method-assign]
    work = fetching.Files(
        sessions=world.sessions, channels=world.channels, desk=world.desk, clock=world.clock, store=store,
        limits=fetching.Limits.of(**{"file_mb": 1, "day_mb": 3, **limits}),
    )  # fmt: skip

    async def fetch(conversation_id: int) -> None:
        await fetching.fetch(work, conversation_id)

    world.jobs.register(jobs.FILES, fetch)
    return work, messenger


def s3_server(port: int = 0) -> tuple[ThreadedMotoServer, str]:
    """Start an S3-compatible server that has the bucket `attachments`; return it and its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )
    client.create_bucket(Bucket="attachments")
    return server, address


def of_settings(home: Path, s3: str | None = None, prefix: str = "") -> FileStore:
    made = Settings(home=home, _env_file=None)  # type: ignore[call-arg]
    if s3 is not None:
        keys = {"s3_key_id": SecretStr("key"), "s3_secret_key": SecretStr("secret"), "s3_endpoint": s3}
        made = made.model_copy(update={**keys, "files_url": f"s3://attachments/{prefix}"})
    return file_store.open_store(made)


def found_in(folder: Path) -> list[Path]:
    """The files in a folder and the folders below it."""
    return [path for path in folder.rglob("*") if path.is_file()]
