"""Agents' own files: stored, then sent with a reply's rules, from the store."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select

from bot import delivery, desk, files, outgoing_files, tidying
from bot.channels import MOST_CAPTION, OutFile, Outgoing
from bot.errors import DeliveryUnknown, FileNotTaken, FileStoreUnavailable, FileTooBig, NotYourRequest
from bot.models import File, Message
from bot.outgoing_files import Kept
from tests.bot.files.place import ANY_TIME, Place
from tests.bot.files.test_kinds import JPEG, PDF, PE
from tests.bot.world import World, act


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


@pytest.mark.rule("CX-10")
class TestDelivery:
    @pytest.fixture
    def posted(self, in_hand: Place) -> Place:
        object.__setattr__(in_hand.world.post, "files", in_hand.store)
        return in_hand

    async def sent(self, place: Place) -> list[OutFile | None]:
        await place.world.jobs.run_until_idle()
        return [one.file for one in place.world.channels["telegram"].sent]

    async def state(self, place: Place) -> tuple[str | None, str | None]:
        [line] = await place.world.rows(select(Message).where(Message.sender == "agent"))
        return line.delivery, line.error

    async def test_the_customer_gets_it_with_its_caption_in_order(self, posted: Place) -> None:
        await act(posted.world, desk.reply, "anna", "Вот он:")
        await send(posted, await keep(posted, "чек.pdf", PDF), caption="Чек")
        await act(posted.world, desk.reply, "anna", "Подойдёт?")
        out = posted.world.channels["telegram"].sent[-3:]
        await posted.world.jobs.run_until_idle()
        assert [one.text for one in out] == ["Вот он:", "Чек", "Подойдёт?"]
        assert out[1].file == OutFile(name="чек.pdf", kind="file", mime="application/pdf", data=PDF)
        assert (out[0].file, out[2].file) == (None, None)

    async def test_while_the_store_is_away_it_waits_and_nothing_was_sent(
        self, posted: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await send(posted, await keep(posted, "чек.pdf", PDF))

        async def away(key: str) -> AsyncIterator[bytes]:
            raise FileStoreUnavailable

        with monkeypatch.context() as patched:
            patched.setattr(posted.store, "get", away)
            assert (await self.sent(posted))[-1] is None
        assert (await self.state(posted))[0] == "pending"
        assert posted.world.channels["telegram"].attempts[-1:] != [await self.line(posted)]
        posted.world.clock.forward(seconds=15)
        await delivery.deliver(posted.world.post, await posted.world.id_of("c1"))
        assert (await self.sent(posted))[-1] is not None
        assert await self.state(posted) == ("sent", None)

    async def line(self, place: Place) -> int:
        [found] = await place.world.rows(select(Message.id).where(Message.sender == "agent"))
        return int(found)

    async def test_what_is_no_longer_kept_is_a_failure_that_holds_up_nothing(self, posted: Place) -> None:
        kept = await keep(posted, "чек.pdf", PDF)
        await send(posted, kept)
        await posted.store.delete([kept.key])
        await self.sent(posted)
        state, error = await self.state(posted)
        assert (state, error) == ("failed", "Rejected: The file is no longer kept.")
        assert await posted.world.do(
            desk.reply, posted.world.desk, "anna", await posted.world.id_of("c1"), "Не дошло?", now=posted.world.clock.now()
        )  # fmt: skip
        assert posted.world.channels["telegram"].sent[-1].text == "Не дошло?"

    async def test_an_unclear_attempt_is_repeated_once_as_with_a_text(self, posted: Place) -> None:
        posted.world.channels["telegram"].outcomes = [DeliveryUnknown(), DeliveryUnknown()]
        await send(posted, await keep(posted, "чек.pdf", PDF))
        await self.sent(posted)
        posted.world.clock.forward(seconds=3)
        await delivery.deliver(posted.world.post, await posted.world.id_of("c1"))
        assert (await self.state(posted))[0] == "unknown"

    async def test_a_sender_of_a_file_is_given_longer_before_it_counts_as_dead(self, posted: Place) -> None:
        await send(posted, await keep(posted, "чек.pdf", PDF))
        seen: list[Message] = []

        async def look(message: Outgoing) -> str:
            seen.extend(await posted.world.rows(select(Message).where(Message.id == message.id)))
            return "m1"

        posted.world.channels["telegram"].send = look  # type: ignore[method-assign]
        await self.sent(posted)
        [line] = seen
        assert line.delivery == "sending"
        assert (
            line.retry_at
            == posted.world.clock.now() + delivery.FILE_ATTEMPT
            > posted.world.clock.now() + delivery.ATTEMPT
        )
