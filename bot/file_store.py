"""Where attachments are kept: a folder of the data folder, or an S3-compatible bucket; streamed, and whole or not at all.

Keys are made here: the day, the id of the file's row if there is one yet, and chance. Nothing of what the sender calls the file is in them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, S3Store

from bot.errors import FileGone, FileStoreUnavailable
from bot.settings import Settings

PART = 5 * 1024 * 1024
"""Bytes that are sent to a bucket at a time: the least that S3 takes. At most two such parts are in memory."""
READ = 256 * 1024
TIMEOUT = timedelta(seconds=60)
RETRIES: Any = {"max_retries": 2, "retry_timeout": timedelta(seconds=20)}


class FileStore:
    """A store of bytes under keys of our own. What fails in it is FileStoreUnavailable."""

    def __init__(self, store: Callable[[], LocalStore | S3Store], *, folder: Path | None = None) -> None:
        """`store`: opens it, when it is needed first. `folder`: of a local store."""
        self._open, self._folder = store, folder

    @cached_property
    def _store(self) -> LocalStore | S3Store:
        return self._open()

    async def put(self, key: str, pieces: AsyncGenerator[bytes, None]) -> None:
        """Keep what comes, once all of it is there. What `pieces` raises goes through, and nothing is kept then."""
        with _failures():
            try:
                await obstore.put_async(self._store, key, pieces, chunk_size=PART, max_concurrency=2)
            finally:
                with contextlib.suppress(RuntimeError):  # it is at work still: its own end closes it
                    await pieces.aclose()
            if self._folder is not None:
                await asyncio.to_thread(_settle, self._folder / key)

    async def get(self, key: str) -> AsyncIterator[bytes]:
        """Open what is kept under a key, to be read in pieces. Raises FileGone when there is nothing."""
        with _failures():
            try:
                found = await obstore.get_async(self._store, key)
            except FileNotFoundError:
                raise FileGone from None
        return _pieces(found)

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete; what is not there is deleted already."""
        # a bucket takes many in one call; a folder would stop at the first that is missing
        for some in [[key] for key in keys] if self._folder else [list(keys)] if keys else []:
            with _failures(), contextlib.suppress(FileNotFoundError):
                await obstore.delete_async(self._store, some)

    async def keys(self, day: date, *, older: timedelta) -> list[str]:
        """The keys of a day that were written so long ago."""
        before, found = datetime.now(UTC) - older, []
        with _failures():
            async for batch in obstore.list(self._store, prefix=day.isoformat()):
                found += [one["path"] for one in batch if one["last_modified"] <= before]
        return found

    def clear(self, *, older: timedelta) -> int:
        """Delete what killed processes have left half written in a folder; return how much it was.

        In a bucket such parts are invisible; a rule of its life cycle ("abort incomplete multipart uploads") clears them.
        """
        before, gone = datetime.now(UTC).timestamp() - older.total_seconds(), 0
        for path in self._folder.glob("*/*#*") if self._folder else ():
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime <= before:
                    path.unlink()
                    gone += 1
        return gone


def open_store(settings: Settings) -> FileStore:
    """The store of an installation: the bucket of `files_url`, or the folder `files` in the data folder."""
    if settings.files_url is None:
        return folder(settings.home / "files")
    bucket, _, prefix = settings.files_url.removeprefix("s3://").partition("/")
    keys = [one.get_secret_value() if one else None for one in (settings.s3_key_id, settings.s3_secret_key)]
    endpoint = settings.s3_endpoint
    return FileStore(
        lambda: S3Store(
            bucket, prefix=prefix.strip("/") or None, endpoint=endpoint, region=settings.s3_region,
            access_key_id=keys[0], secret_access_key=keys[1], retry_config=RETRIES,
            client_options={"allow_http": (endpoint or "").startswith("http://"), "timeout": TIMEOUT},
        )
    )  # fmt: skip


def folder(path: Path) -> FileStore:
    """A store in a folder that nobody else can enter; it is made when it is needed first."""

    def made() -> LocalStore:
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        return LocalStore(path, automatic_cleanup=True)

    return FileStore(made, folder=path)


def new_key(file_id: int, day: date) -> str:
    """A key that was never used: `<day>/<id of the row>-<chance>`; `file_id` is 0 where the row comes after the bytes."""
    return f"{day.isoformat()}/{file_id}-{secrets.token_hex(16)}"


def _settle(path: Path) -> None:
    """Let only the owner read a new file, and wait until the disk has it."""
    path.chmod(0o600)
    for one in (path, path.parent):
        handle = os.open(one, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


async def _pieces(found: Any) -> AsyncIterator[bytes]:
    with _failures():
        async for piece in found.stream(min_chunk_size=READ):
            yield bytes(piece)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turn what the library raises into our error, without addresses and keys."""
    try:
        yield
    except (BaseError, OSError) as error:
        raise FileStoreUnavailable(f"the file store fails: {type(error).__name__}") from error
