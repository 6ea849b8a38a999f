"""Attachments: kept within limits, linked to the request, told when they are not kept, handed out as something to save."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from sqlalchemy import select, text, update

from bot import desk, fetching, file_store, files, jobs, tidying, upkeep
from bot.channels import Kind, Media
from bot.errors import FileGone, FileStoreUnavailable, FileUnknown, Rejected, RetryLater, SettingsInvalid
from bot.file_store import FileStore
from bot.models import File, Message, RequestEvent
from bot.settings import Settings
from bot.settings import load as load_settings
from tests.bot.test_file_kinds import JPEG, MP4, OGG, PDF, PE, SVG
from tests.bot.world import World, act, make_world

MB = 1024 * 1024
ANY_TIME = timedelta(seconds=-5)
"""Everything is older than that."""


# ---------------------------------------------------------------------------------------------------------- stand-ins
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


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Address of an S3-compatible server with the bucket `attachments`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    bucket(address).create_bucket(Bucket="attachments")
    yield address
    server.stop()


def bucket(address: str) -> Any:
    return boto3.client(
        "s3", endpoint_url=address, region_name="us-east-1", aws_access_key_id="key", aws_secret_access_key="secret"
    )


def of_settings(home: Path, s3: str | None = None, prefix: str = "") -> FileStore:
    made = Settings(home=home, _env_file=None)  # type: ignore[call-arg]
    if s3 is not None:
        keys = {"s3_key_id": SecretStr("key"), "s3_secret_key": SecretStr("secret"), "s3_endpoint": s3}
        made = made.model_copy(update={**keys, "files_url": f"s3://attachments/{prefix}"})
    return file_store.open_store(made)


def found_in(folder: Path) -> list[Path]:
    """The files in a folder and the folders below it."""
    return [path for path in folder.rglob("*") if path.is_file()]


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


# ------------------------------------------------------------------------------------------------------------ keeping
class TestKeeping:
    @pytest.mark.rule("CX-14")
    async def test_what_is_attached_is_kept_whole(self, anywhere: Place) -> None:
        photo = JPEG + os.urandom(12 * MB)
        assert await anywhere.photo("p1", photo) == ["Получили."]
        row = await anywhere.row()
        assert (row.state, row.size, row.mime, row.reason) == ("kept", len(photo), "image/jpeg", None)
        assert row.sha256 == hashlib.sha256(photo).hexdigest()
        download, data = await anywhere.read(row.id)
        assert data == photo
        assert (download.name, download.size) == (f"attachment-{row.id}.jpg", len(photo))
        assert await anywhere.stored() == [row.key]

    @pytest.mark.parametrize(
        ("data", "mime"), [(JPEG, "image/jpeg"), (OGG, "audio/ogg"), (PDF, "application/pdf"), (MP4, "video/mp4")]
    )
    async def test_small_ones_too(self, anywhere: Place, data: bytes, mime: str) -> None:
        await anywhere.photo("p1", data)
        row = await anywhere.row()
        assert (row.state, row.mime, (await anywhere.read(row.id))[1]) == ("kept", mime, data)

    @pytest.mark.parametrize(
        "name", ["../../../etc/passwd", "/etc/passwd", "a/../../b", "\x00", "C:\\x.exe", "‮gpj.exe", "a" * 5000]
    )
    async def test_the_senders_name_is_nowhere_in_the_store(self, place: Place, tmp_path: Path, name: str) -> None:
        await place.photo("p1", JPEG, name=name.replace("\x00", ""))
        row = await place.row()
        assert row.state == "kept"
        (path,) = found_in(tmp_path)
        assert path == tmp_path / "files" / str(row.key)
        assert str(row.key).startswith(f"2026-11-18/{row.id}-")
        assert (await place.read(row.id))[0].name == f"attachment-{row.id}.jpg"

    async def test_only_the_owner_may_read_the_folder_and_its_files(self, place: Place, tmp_path: Path) -> None:
        await place.photo("p1", JPEG)
        (path,) = found_in(tmp_path)
        assert (path.stat().st_mode & 0o777, (tmp_path / "files").stat().st_mode & 0o777) == (0o600, 0o700)

    async def test_a_sticker_and_what_has_no_bytes_are_not_fetched(self, place: Place) -> None:
        await place.send(Media("sticker", "🙂", "s1"), Media("file", "location 55.7, 37.6"))
        assert await place.rows() == []

    async def test_an_edited_caption_does_not_fetch_the_photo_again(self, place: Place) -> None:
        await place.photo("p1", JPEG, text="царапина", message_id="7")
        await place.send(Media("photo", None, "p1"), kind=Kind.EDIT, text="царапина слева", message_id="7")
        assert len(await place.rows()) == 1
        place.messenger.there["p2"] = PDF
        await place.send(Media("photo", None, "p2"), kind=Kind.EDIT, text="вот другое фото", message_id="7")
        assert [row.ref for row in await place.rows()] == ["p1", "p2"]

    async def test_an_update_that_comes_twice_is_fetched_once(self, place: Place) -> None:
        place.messenger.there["p1"] = JPEG
        twice = place.world.incoming("c1", attachments=(Media("photo", None, "p1"),))
        await place.world.hear(twice)
        await place.world.hear(twice)
        assert (len(await place.rows()), place.messenger.asked) == (1, ["p1"])

    async def test_all_of_an_album_is_kept_in_order(self, place: Place) -> None:
        place.messenger.there |= {"p1": JPEG, "p2": PDF}
        await place.send(Media("photo", None, "p1"), Media("file", "чек.pdf", "p2"))
        assert [(row.place, row.mime) for row in await place.rows()] == [(0, "image/jpeg"), (1, "application/pdf")]


# -------------------------------------------------------------------------------------------------------------- limits
class TestRefusing:
    @pytest.mark.rule("CX-14")
    async def test_a_size_that_the_messenger_tells_is_refused_without_fetching(self, place: Place) -> None:
        heard = await place.send(Media("video", None, "v1", size=2 * MB))
        assert heard == ["Больше 1 МБ не берём."]
        row = await place.row()
        assert (row.state, row.reason, place.messenger.asked) == ("refused", "too_big", [])

    async def test_a_size_that_is_a_lie_is_refused_while_it_comes(self, anywhere: Place) -> None:
        anywhere.messenger.there["v1"] = MP4 + bytes(40 * MB)
        await anywhere.send(Media("video", None, "v1", size=100))
        row = await anywhere.row()
        assert (row.state, row.reason, row.key) == ("refused", "too_big", None)
        assert anywhere.messenger.given < 21 * MB
        assert await anywhere.stored() == []

    @pytest.mark.parametrize(
        ("data", "name"), [(PE, "photo.jpg"), (SVG, "logo.svg"), (b"@echo off", "run.bat"), (b"", "empty.txt")]
    )
    async def test_a_kind_that_is_not_taken(self, place: Place, tmp_path: Path, data: bytes, name: str) -> None:
        assert await place.photo("p1", data, name=name) == ["Такое не берём."]
        row = await place.row()
        assert (row.state, row.reason) == ("refused", "kind")
        assert found_in(tmp_path) == []

    async def test_a_customer_fills_a_day_and_no_more(self, place: Place) -> None:
        big = JPEG + bytes(MB - 1000)
        for number in range(3):
            await place.photo(f"p{number}", big)
        assert await place.photo("p4", big) == ["На сегодня хватит."]
        await place.photo("p5", JPEG, chat="c2")  # another customer's day is their own
        assert [row.state for row in await place.rows()] == ["kept", "kept", "kept", "refused", "kept"]
        place.world.clock.forward(days=1, seconds=1)
        await place.photo("p6", big)
        assert (await place.rows())[-1].state == "kept"

    async def test_of_several_the_customer_is_told_once(self, place: Place) -> None:
        place.messenger.there |= {"a": PE, "b": PE, "c": JPEG}
        heard = await place.send(*[Media("file", None, ref) for ref in "abc"], text="готов ли велосипед")
        assert heard.count("Такое не берём.") == 1
        assert "Велосипед готов." in "".join(heard)
        assert [row.state for row in await place.rows()] == ["refused", "refused", "kept"]
        place.world.clock.forward(minutes=6)
        assert await place.photo("d", PE) == ["Такое не берём."]

    async def test_nobody_says_that_it_was_received(self, place: Place) -> None:
        await place.photo("p1", PE)
        assert await place.world.transcript() == [("customer", ""), ("system", "Такое не берём.")]

    async def test_an_agent_who_speaks_with_the_customer_finds_it(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.world.say("c1", "мастера")
        await place.world.take("anna")
        await act(place.world, desk.reply, "anna", "Пришлите фото.")
        assert await place.photo("p1", PE, name="фото.exe") == ["Такое не берём."]
        request = await place.world.request()
        async with place.world.sessions() as session:
            (found,) = await files.of_request(session, request.id)
        assert (found.name, found.state, found.reason, found.kind) == ("фото.exe", "refused", "kind", "photo")
        events = await place.world.rows(select(RequestEvent).where(RequestEvent.kind == "file_refused"))
        assert [one.data for one in events] == [{"file": found.id, "message": found.message_id, "reason": "kind"}]
        said = await place.world.rows(select(Message).where(Message.text == "Такое не берём."))
        assert [one.request_id for one in said] == [request.id]


# ------------------------------------------------------------------------------------------------------------ failures
class TestFailures:
    async def test_a_messenger_that_asks_to_wait_is_asked_again_later_and_later(self, place: Place) -> None:
        place.messenger.there["p1"] = [RetryLater(after=2), ConnectionError(), TimeoutError(), JPEG]
        await place.send(Media("photo", None, "p1"))
        pauses = []
        while (row := await place.row()).state == "waiting":
            assert row.retry_at is not None
            pauses.append((row.retry_at - place.world.clock.now()).total_seconds())
            await place.later(seconds=pauses[-1] - 1)
            assert len(place.messenger.asked) == len(pauses)
            await place.later(seconds=1.1)
        assert (row.state, pauses, row.attempts) == ("kept", [5.0, 15.0, 45.0], 3)

    async def test_a_longer_pause_that_the_messenger_asks_for_is_kept(self, place: Place) -> None:
        place.messenger.there["p1"] = [RetryLater(after=90), JPEG]
        await place.send(Media("photo", None, "p1"))
        row = await place.row()
        assert row.retry_at == place.world.clock.now() + timedelta(seconds=90)

    def test_it_is_tried_for_about_a_day(self) -> None:
        pauses = [fetching.pause(attempts, ConnectionError()) for attempts in range(1, fetching.ATTEMPTS)]
        assert 20 < sum(pauses, timedelta()).total_seconds() / 3600 < 27

    @pytest.mark.rule("CX-14")
    async def test_then_it_is_lost_and_the_customer_is_asked_for_it_once(self, place: Place) -> None:
        place.messenger.there["p1"] = [RetryLater(), RetryLater(), JPEG]
        assert await place.send(Media("photo", None, "p1")) == ["Получили."]
        async with place.world.sessions.begin() as session:
            await session.execute(update(File).values(attempts=fetching.ATTEMPTS - 1))
        assert await place.later(seconds=900) == ["Не дошло, пришлите ещё раз."]
        assert await place.later(seconds=900) == []
        row = await place.row()
        assert (row.state, row.reason, len(place.messenger.asked)) == ("lost", "gone", 2)

    async def test_a_file_that_the_messenger_no_longer_has_is_lost_at_once(self, place: Place) -> None:
        assert await place.send(Media("photo", None, "unknown")) == ["Не дошло, пришлите ещё раз."]
        assert ((await place.row()).reason, len(place.messenger.asked)) == ("gone", 1)

    async def test_a_channel_without_files_loses_them(self, place: Place) -> None:
        await place.world.hear(place.world.incoming("c1", channel="vk", attachments=(Media("photo", None, "p1"),)))
        assert (await place.row()).state == "lost"

    async def test_what_breaks_off_in_the_middle_leaves_nothing(self, anywhere: Place) -> None:
        class BreaksOff(bytes):
            def __getitem__(self, key: Any) -> Any:
                if isinstance(key, slice) and key.start > 9 * MB:
                    raise ConnectionError
                return bytes(super().__getitem__(key))

        anywhere.messenger.there["v1"] = [BreaksOff(MP4 + bytes(12 * MB)), MP4 + bytes(12 * MB)]
        await anywhere.send(Media("video", None, "v1"))
        assert ((await anywhere.row()).state, await anywhere.stored()) == ("waiting", [])
        await anywhere.later(seconds=60)
        row = await anywhere.row()
        assert (row.state, await anywhere.stored()) == ("kept", [row.key])

    async def test_a_store_that_is_down_costs_no_attempt(self, world: World, tmp_path: Path) -> None:
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        address = "http://{}:{}".format(*server.get_host_and_port())
        bucket(address).create_bucket(Bucket="attachments")
        server.stop()
        store = of_settings(tmp_path, address)
        work, messenger = work_of(world, store)
        place = Place(world, work, messenger, store)
        await place.photo("p1", JPEG)
        row = await place.row()
        assert (row.state, row.attempts, row.retry_at) == ("waiting", 0, world.clock.now() + fetching.STORE_PAUSE)
        again = ThreadedMotoServer(ip_address="127.0.0.1", port=int(address.rpartition(":")[2]), verbose=False)
        again.start()
        try:
            bucket(address).create_bucket(Bucket="attachments")
            await place.later(seconds=31)
            assert (await place.row()).state == "kept"
        finally:
            again.stop()
        with pytest.raises(FileStoreUnavailable):
            await place.read(row.id)

    async def test_a_folder_that_cannot_be_written_costs_no_attempt(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "files").write_text("in the way")
        store = of_settings(tmp_path)
        work, messenger = work_of(world, store)
        place = Place(world, work, messenger, store)
        await place.photo("p1", JPEG)
        assert ((await place.row()).state, (await place.row()).attempts) == ("waiting", 0)
        (tmp_path / "files").unlink()
        await place.later(seconds=31)
        assert (await place.row()).state == "kept"

    async def test_two_processes_fetch_the_same_file_and_one_copy_stays(self, anywhere: Place, address: str) -> None:
        async with make_world(address) as other:
            work, messenger = work_of(other, anywhere.store)
            anywhere.messenger.there["p1"] = messenger.there["p1"] = JPEG + bytes(500_000)
            await anywhere.world.receive(
                anywhere.world.incoming("c1", attachments=(Media("photo", None, "p1"),)), turn=False
            )
            conversation = await anywhere.world.id_of("c1")
            anywhere.messenger.gate = messenger.gate = asyncio.Event()
            fetches = [asyncio.create_task(fetching.fetch(one, conversation)) for one in (anywhere.work, work)]
            await asyncio.gather(anywhere.messenger.half_given.wait(), messenger.half_given.wait())
            messenger.gate.set()
            assert sorted(await asyncio.gather(*fetches)) == [0, 1]
        row = await anywhere.row()
        assert (row.state, await anywhere.stored()) == ("kept", [row.key])

    async def test_a_job_that_was_lost_is_added_again(self, place: Place) -> None:
        place.messenger.there["p1"] = JPEG
        await place.world.receive(place.world.incoming("c1", attachments=(Media("photo", None, "p1"),)), turn=False)
        async with place.world.sessions.begin() as session:
            await session.execute(text("DELETE FROM procrastinate_jobs"))
            await session.execute(update(Message).values(stored_at=Message.stored_at - timedelta(minutes=1)))
        assert await upkeep.upkeep(place.world.sessions, place.world.desk, place.world.clock) == 2
        assert await place.world.settle() == ["Получили."]
        assert (await place.row()).state == "kept"


KILLED = """
    import asyncio, sys
    from pathlib import Path
    from bot import fetching, file_store
    from tests.bot.test_files import work_of
    from tests.bot.world import make_world

    async def endless(ref):
        yield bytes.fromhex("ffd8ffe000104a464946") + bytes(6_000_000)
        yield bytes(6_000_000)
        print("half", flush=True)
        await asyncio.sleep(600)
        yield b""

    async def main(address, home):
        async with make_world(address) as world:
            work, messenger = work_of(world, file_store.folder(Path(home)), file_mb=50, day_mb=100)
            world.channels["telegram"].fetch = endless
            await world.jobs.run_until_idle()

    asyncio.run(main(*sys.argv[1:]))
"""


async def test_a_process_killed_in_the_middle_leaves_nothing_and_the_file_is_kept(
    address: str, world: World, tmp_path: Path
) -> None:
    store = file_store.folder(tmp_path / "files")
    work, messenger = work_of(world, store, file_mb=50, day_mb=100)
    place = Place(world, work, messenger, store)
    await world.receive(world.incoming("c1", attachments=(Media("photo", None, "p1"),)), turn=False)
    await asyncio.to_thread(fetch_half_and_kill, address, tmp_path / "files")
    assert found_in(tmp_path)
    assert (await place.row()).state == "waiting"
    messenger.there["p1"] = JPEG
    world.clock.forward(minutes=1)
    async with asyncio.timeout(60):
        while not await world.jobs.rescue_stalled():  # noqa: ASYNC110  a dead process tells nobody
            await asyncio.sleep(0.2)
    await world.settle()
    row = await place.row()
    assert row.state == "kept"
    await tidying.tidy(work, left_behind=ANY_TIME)
    assert found_in(tmp_path) == [tmp_path / "files" / str(row.key)]


def fetch_half_and_kill(address: str, folder: Path) -> None:
    """Let a process fetch until half of a file is there, and kill it."""
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), address, str(folder)], stdout=subprocess.PIPE, text=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "half\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(20)


# -------------------------------------------------------------------------------------------------------------- linked
class TestRequests:
    @pytest.mark.rule("CX-14")
    async def test_what_was_sent_before_and_with_the_request_belongs_to_it(self, place: Place) -> None:
        await place.photo("p1", JPEG)
        await place.photo("p2", PDF, text="мастера")
        request = await place.world.request()
        assert [row.request_id for row in await place.rows()] == [request.id, request.id]
        assert [one["kind"] for one in request.summary["attachments"]] == ["photo", "photo"]

    async def test_what_comes_while_it_waits_and_while_it_is_in_hand(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.world.say("c1", "мастера")
        await place.photo("p1", JPEG)
        await place.world.take("anna")
        await place.photo("p2", PDF)
        request = await place.world.request()
        async with place.world.sessions() as session:
            found = await files.of_request(session, request.id)
            by_line = await files.of_messages(session, [one.message_id for one in found])
        assert [(one.state, one.mime) for one in found] == [("kept", "image/jpeg"), ("kept", "application/pdf")]
        assert [one for line in sorted(by_line) for one in by_line[line]] == found

    async def test_what_belongs_to_an_earlier_request_stays_there(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.photo("p1", JPEG, text="мастера")
        await place.world.take("anna")
        await act(place.world, desk.resolve, "anna")
        await place.world.pass_time(days=2)
        await place.photo("p2", PDF)
        await place.world.say("c1", "мастера")
        first, second = await place.world.request("T-1001"), await place.world.request("T-1002")
        assert [row.request_id for row in await place.rows()] == [first.id, second.id]

    async def test_what_was_never_asked_about_is_left_out_of_a_later_request(self, place: Place) -> None:
        await place.world.say("c1", "мастера")
        await place.world.say("c1", "отмена")
        async with place.world.sessions.begin() as session:
            await session.execute(update(File).values(request_id=None))
        place.messenger.there["p1"] = JPEG
        late = place.world.incoming(
            "c1", attachments=(Media("photo", None, "p1"),), at=place.world.clock.now() - timedelta(hours=1)
        )
        await place.world.hear(late)
        place.world.clock.forward(minutes=1)
        await place.world.say("c1", "мастера")
        assert [row.request_id for row in await place.rows()] == [None]

    async def test_a_reply_that_reopens_brings_its_files(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.world.say("c1", "мастера")
        await place.world.take("anna")
        await act(place.world, desk.reply, "anna", "Готово.")
        await act(place.world, desk.resolve, "anna")
        await place.photo("p1", JPEG, text="не помогло, смотрите")
        assert [row.request_id for row in await place.rows()] == [(await place.world.request()).id]

    async def test_work_beside_the_talk_has_what_was_sent_with_it(self, place: Place) -> None:
        await place.photo("p1", JPEG, text="передайте")
        task = await place.world.request()
        assert (task.task, [row.request_id for row in await place.rows()]) == (True, [task.id])

    async def test_the_lines_that_agents_are_shown_stay_as_they_were(self, place: Place) -> None:
        await place.world.agent("anna", title="Анна")
        await place.photo("p1", JPEG, name="чек.jpg", text="мастера")
        await place.world.take("anna")
        (inbox,) = place.world.told("inbox")
        assert inbox["attachment"] == {"kind": "photo", "name": "чек.jpg"}
        assert inbox["transcript"][0]["attachment"] == {"kind": "photo", "name": "чек.jpg"}

    async def test_the_desk_is_told_when_a_file_has_come(self, place: Place) -> None:
        await place.photo("p1", JPEG)
        row = await place.row()
        (told,) = place.world.told("file")
        assert (told["file"], told["message"], told["state"], told["chat"]) == (row.id, row.message_id, "kept", "c1")


# ------------------------------------------------------------------------------------------------------------- reading
class TestReading:
    async def test_no_browser_shows_or_runs_what_is_handed_out(self, place: Place) -> None:
        await place.photo("p1", b"a,b\n1,2\n", name='x"\r\nSet-Cookie: a.csv')
        row = await place.row()
        download, _ = await place.read(row.id)
        headers = download.headers
        assert headers["Content-Disposition"] == f'attachment; filename="attachment-{row.id}.csv"'
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert headers["Content-Type"] == download.mime == "text/csv"
        assert all("\r" not in value and "\n" not in value for value in headers.values())

    async def test_what_was_not_kept_is_gone_and_what_never_was_is_unknown(self, place: Place) -> None:
        await place.photo("p1", PE)
        with pytest.raises(FileGone):
            await place.read((await place.row()).id)
        with pytest.raises(FileUnknown):
            await place.read(10**6)

    async def test_bytes_that_somebody_has_deleted_are_gone(self, anywhere: Place) -> None:
        await anywhere.photo("p1", JPEG)
        row = await anywhere.row()
        await anywhere.store.delete([str(row.key)])
        with pytest.raises(FileGone):
            await anywhere.read(row.id)


# ------------------------------------------------------------------------------------------------------------ tidying
class TestTidying:
    async def test_files_go_when_their_time_is_over_and_the_rows_say_so(self, anywhere: Place) -> None:
        await anywhere.photo("p1", JPEG)
        anywhere.world.clock.forward(days=179)
        await anywhere.photo("p2", PDF)
        assert await tidying.tidy(anywhere.work) == 0
        anywhere.world.clock.forward(days=2)
        old = await anywhere.rows()
        assert await tidying.tidy(anywhere.work) == 1
        assert [(row.state, row.reason) for row in await anywhere.rows()] == [("lost", "old"), ("kept", None)]
        assert await anywhere.store.keys(old[0].at.date(), older=ANY_TIME) == []
        assert await anywhere.store.keys(old[1].at.date(), older=ANY_TIME) == [old[1].key]

    async def test_bytes_without_a_row_go_and_those_on_their_way_stay(self, anywhere: Place) -> None:
        async def pieces() -> Any:
            yield JPEG

        await anywhere.photo("p1", JPEG)
        row = await anywhere.row()
        await anywhere.store.put(file_store.new_key(row.id, anywhere.world.clock.now().date()), pieces())
        assert await tidying.tidy(anywhere.work) == 0
        assert await tidying.tidy(anywhere.work, left_behind=ANY_TIME) == 1
        assert await anywhere.stored() == [row.key]

    async def test_one_process_at_a_time_tidies_up_once_an_hour(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looks: list[object] = []

        async def looked(work: object) -> int:
            looks.append(work)
            return 0

        monkeypatch.setattr(tidying, "tidy", looked)
        await tidying.tidy_hourly(place.work)
        await tidying.tidy_hourly(place.work)
        assert len(looks) == 1


# ------------------------------------------------------------------------------------------------------------ settings
@pytest.mark.parametrize("address", ["ftp://host/folder", "s3://", "s3:///folder", "/home/files"])
def test_an_address_that_names_no_bucket_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_FILES_URL", address)
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_FILES_URL"):
        load_settings()
