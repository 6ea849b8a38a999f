"""Agents' own files: stored, then sent with a reply's rules, from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from bot import files, outgoing_files, tidying
from bot.channels import MOST_CAPTION
from bot.errors import FileNotTaken, FileTooBig, NotYourRequest
from bot.models import File, Message
from bot.outgoing_files import Kept
from tests.bot.files.place import ANY_TIME, Place
from tests.bot.files.test_kinds import JPEG, PDF, PE
from tests.bot.world import World


async def pieces(data: bytes, size: int = 1000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def keep(place: Place, name: str | None, data: bytes) -> Kept:
    return await outgoing_files.keep(
        place.store, name, pieces(data), limit=place.work.limits.file, now=place.world.clock.now()
    )


async def send(place: Place, kept: Kept, name: str = "anna", **more: object) -> Message:
    world = place.world
    async with world.sessions.begin() as session:
        return await outgoing_files.send(
            session, world.desk, name, await world.id_of("c1"), kept, now=world.clock.now(), **more  # type: ignore[arg-type]
        )  # fmt: skip


@pytest.fixture
async def in_hand(joined: World, place: Place) -> Place:
    return place


class TestKeeping:
    @pytest.mark.parametrize(
        ("given", "data", "called", "kind"),
        [
            ("C:\\Users\\anna\\Чек от 5 мая.pdf", PDF, "Чек от 5 мая.pdf", "file"),
            ("../../etc/накладная", PDF, "накладная.pdf", "file"),
            ("фото.JPEG", JPEG, "фото.jpeg", "photo"),
            ("cчёт.exe", PDF, "cчёт.exe.pdf", "file"),
            ("\u202egpj.pdf", JPEG, "gpj.pdf.jpg", "photo"),
            (None, JPEG, "file.jpg", "photo"),
        ],
    )
    async def test_the_customer_reads_a_harmless_name_with_the_ending_of_the_real_kind(
        self, place: Place, given: str | None, data: bytes, called: str, kind: str
    ) -> None:
        kept = await keep(place, given, data)
        assert (kept.name, kept.kind, kept.size) == (called, kind, len(data))

    async def test_what_customers_may_not_send_agents_may_not_either(self, place: Place) -> None:
        with pytest.raises(FileNotTaken):
            await keep(place, "чек.pdf", PE)
        with pytest.raises(FileNotTaken):
            await keep(place, "пусто.pdf", b"")
        with pytest.raises(FileTooBig):
            await keep(place, "большой.pdf", PDF + bytes(place.work.limits.file))
        assert await place.stored() == []

    async def test_what_was_never_sent_is_tidied_up(self, place: Place) -> None:
        await keep(place, "чек.pdf", PDF)
        assert await tidying.tidy(place.work) == 0
        assert await tidying.tidy(place.work, left_behind=ANY_TIME) == 1
        assert await place.stored() == []


class TestSending:
    async def test_it_is_a_reply_with_the_file_in_the_transcript_and_in_the_request(self, in_hand: Place) -> None:
        kept = await keep(in_hand, "чек.pdf", PDF)
        message = await send(in_hand, kept, caption=" Ваш чек ")
        assert (message.text, message.sender, message.agent, message.delivery) == (
            "Ваш чек",
            "agent",
            "Анна",
            "pending",
        )
        request = await in_hand.world.request()
        assert request.answered_at is not None
        async with in_hand.world.sessions() as session:
            [shown] = await files.of_request(session, request.id)
        assert (shown.message_id, shown.kind, shown.name, shown.state, shown.size) == (
            message.id, "file", "чек.pdf", "kept", len(PDF),
        )  # fmt: skip
        assert await tidying.tidy(in_hand.work, left_behind=ANY_TIME) == 0
        download, data = await in_hand.read(shown.id)
        assert (download.mime, data) == ("application/pdf", PDF)

    async def test_a_long_caption_goes_before_it(self, in_hand: Place) -> None:
        message = await send(in_hand, await keep(in_hand, "чек.pdf", PDF), caption="слово " * MOST_CAPTION)
        lines = await in_hand.world.rows(select(Message).where(Message.sender == "agent").order_by(Message.id))
        assert [bool(line.attachments) for line in lines] == [False, False, True]
        assert (lines[-1].id, lines[-1].text) == (message.id, "")

    async def test_only_whose_request_it_is_may_send(self, in_hand: Place) -> None:
        kept = await keep(in_hand, "чек.pdf", PDF)
        with pytest.raises(NotYourRequest):
            await send(in_hand, kept, "boris")
        assert await in_hand.world.rows(select(File)) == []

    async def test_it_takes_nothing_from_what_the_customer_may_send(self, in_hand: Place) -> None:
        await send(in_hand, await keep(in_hand, "чек.pdf", PDF))
        async with in_hand.world.sessions() as session:
            used = await files.kept_bytes(
                session, await in_hand.world.id_of("c1"), since=in_hand.world.clock.now() - files.DAY
            )
        assert used == 0
