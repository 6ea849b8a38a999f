"""Fetching attachments: within limits, again when it fails, told when it is no use."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import textwrap
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from bot import desk, fetching, file_store, files, metrics, tidying, upkeep
from bot.channels import Media
from bot.errors import FileStoreUnavailable, RetryLater
from bot.models import File, Message, RequestEvent
from tests.bot.files.place import ANY_TIME, MB, Place, found_in, of_settings, s3_server, work_of
from tests.bot.files.test_kinds import JPEG, MP4, PE, SVG
from tests.bot.world import World, act, make_world


def counted(result: str) -> float:
    """What the metrics say of Telegram's files."""
    labels = {"channel": "telegram", "result": result}
    return metrics.REGISTRY.get_sample_value("firstline_files_total", labels) or 0.0


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
        before = counted("refused"), counted("kept")
        heard = await place.send(*[Media("file", None, ref) for ref in "abc"], text="готов ли велосипед")
        assert (counted("refused"), counted("kept")) == (before[0] + 2, before[1] + 1)
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
        server, address = s3_server()
        store = of_settings(tmp_path, address)
        place = Place(world, *work_of(world, store), store)
        server.stop()
        await place.photo("p1", JPEG)
        row = await place.row()
        assert (row.state, row.attempts, row.retry_at) == ("waiting", 0, world.clock.now() + fetching.STORE_PAUSE)
        server, _ = s3_server(int(address.rpartition(":")[2]))
        await place.later(seconds=31)
        server.stop()
        assert (await place.row()).state == "kept"
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
    from tests.bot.files.place import work_of
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
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "half\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(20)
