"""What customers attach in Telegram: its kind, name and size, albums and captions, and the bytes behind it."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from aiohttp import web

from bot.channels import Kind, Media
from bot.channels.telegram_files import MOST_BYTES
from bot.errors import DeliveryFailed, Rejected, RetryLater
from bot.standins import faults
from bot.standins.telegram import refuses, too_many
from tests.bot.channels.conftest import TelegramRig

FILE = {"file_id": "f", "file_unique_id": "u"}
SIZED = {**FILE, "file_size": 1234}
VIDEO = {**SIZED, "width": 9, "height": 9, "duration": 3}
STICKER = {**SIZED, "type": "regular", "width": 9, "height": 9, "is_animated": False, "is_video": False, "emoji": "👍"}
PLACE = {"latitude": 54.19, "longitude": 37.61}
POLL = {
    "id": "1", "question": "Кто?", "options": [], "total_voter_count": 0, "is_closed": False, "is_anonymous": True,
    "type": "regular", "allows_multiple_answers": False, "allows_revoting": False, "members_only": False,
}  # fmt: skip
SIZES = [
    {"file_id": "small", "file_unique_id": "s", "width": 90, "height": 60, "file_size": 900},
    {"file_id": "large", "file_unique_id": "l", "width": 1280, "height": 960, "file_size": 90_000},
    {"file_id": "middle", "file_unique_id": "m", "width": 320, "height": 240, "file_size": 9_000},
]

MEDIA: list[tuple[dict[str, Any], Media]] = [
    ({"photo": SIZES}, Media("photo", None, "large", 90_000)),
    ({"voice": {**SIZED, "duration": 3, "mime_type": "audio/ogg"}}, Media("voice", None, "f", 1234, "audio/ogg")),
    (
        {"video": {**VIDEO, "file_name": "box.mp4", "mime_type": "video/mp4"}},
        Media("video", "box.mp4", "f", 1234, "video/mp4"),
    ),
    ({"video_note": {**FILE, "length": 9, "duration": 3}}, Media("video", None, "f")),
    (
        {"animation": {**VIDEO, "file_name": "a.gif"}, "document": {**SIZED, "file_name": "a.gif"}},
        Media("video", "a.gif", "f", 1234),
    ),
    (
        {"document": {**SIZED, "file_name": "чек.pdf", "mime_type": "application/pdf"}},
        Media("file", "чек.pdf", "f", 1234, "application/pdf"),
    ),
    ({"document": {**SIZED, "file_name": "а\x00б.pdf"}}, Media("file", "аб.pdf", "f", 1234)),
    ({"audio": {**FILE, "duration": 3, "file_name": "a.mp3"}}, Media("file", "a.mp3", "f")),
    ({"audio": {**FILE, "duration": 3, "title": "Песня"}}, Media("file", "Песня", "f")),
    ({"sticker": STICKER}, Media("sticker", "👍", "f", 1234)),
    ({"live_photo": {**VIDEO, "photo": SIZES}}, Media("photo", None, "large", 90_000)),
    ({"dice": {"emoji": "🎲", "value": 3}}, Media("sticker")),
    ({"location": PLACE}, Media("place", "54.19000, 37.61000")),
    ({"poll": POLL}, Media("file", "poll")),
    ({"something_new": {"what": "nobody knows"}}, Media("file", "unknown")),
]


class TestKinds:
    @pytest.mark.rule("CX-14")
    @pytest.mark.parametrize(("content", "media"), MEDIA, ids=[next(iter(content)) for content, _ in MEDIA])
    async def test_media_become_attachments(self, telegram: TelegramRig, content: dict[str, Any], media: Media) -> None:
        await telegram.start()
        telegram.server.writes(42, **content)
        [update] = await telegram.received(1)
        assert (update.kind, update.text, update.attachments) == (Kind.MESSAGE, "", (media,))

    async def test_a_venue_is_its_words_and_its_place(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.writes(42, venue={"location": PLACE, "title": "Почта", "address": "Ленина, 5"}, location=PLACE)
        [update] = await telegram.received(1)
        assert update.text == "Почта, Ленина, 5"
        assert update.attachments == (Media("place", "54.19000, 37.61000"),)

    async def test_a_service_message_needs_no_answer(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.writes(42, message_auto_delete_timer_changed={"message_auto_delete_time": 60})
        [update] = await telegram.received(1)
        assert update.kind is Kind.OTHER

    async def test_the_parts_of_an_album_say_that_they_belong_together(self, telegram: TelegramRig) -> None:
        await telegram.start()
        telegram.server.sends_album(42, {"photo": SIZES}, {"photo": SIZES}, {"document": SIZED}, caption="вот коробка")
        telegram.server.writes(42, photo=SIZES)
        *album, other = await telegram.received(4)
        assert len({part.album for part in album}) == 1
        assert album[0].album is not None
        assert other.album is None
        assert [part.text for part in album] == ["вот коробка", "", ""]
        assert [part.attachments[0].kind for part in album] == ["photo", "photo", "file"]

    async def test_a_caption_that_is_changed_is_an_edit(self, telegram: TelegramRig) -> None:
        await telegram.start()
        message = telegram.server.writes(42, photo=SIZES, caption="заказ 48213")
        telegram.server.edits(message, "заказ 48214")
        first, second = await telegram.received(2)
        assert (second.kind, second.text, second.message_id) == (Kind.EDIT, "заказ 48214", first.message_id)
        assert second.attachments == first.attachments

    @pytest.mark.parametrize("field", ["quote", "reply_to_message", "entities", "sticker"])
    async def test_words_are_read_whatever_else_the_message_holds(self, telegram: TelegramRig, field: str) -> None:
        await telegram.start()
        telegram.server.writes(42, "где заказ 48213", **{field: "of a shape that nobody knows"})
        telegram.server.writes(42, photo="of a shape that nobody knows")
        words, thing = await telegram.received(2)
        assert (words.kind, words.text) == (Kind.MESSAGE, "где заказ 48213")
        assert (thing.kind, thing.attachments) == (Kind.MESSAGE, (Media("file", "unknown"),))


async def fetched(telegram: TelegramRig, ref: str) -> list[bytes]:
    if telegram.channel is None:
        telegram.channel = telegram.make()
    return [piece async for piece in telegram.channel.fetch(ref)]


class TestFetching:
    async def test_the_bytes_come_in_pieces(self, telegram: TelegramRig) -> None:
        content = bytes(range(256)) * 1000
        await telegram.start()
        telegram.server.writes(42, document=telegram.server.keeps(content))
        [update] = await telegram.received(1)
        [media] = update.attachments
        assert media.ref is not None
        pieces = await fetched(telegram, media.ref)
        assert b"".join(pieces) == content
        assert (len(pieces) > 1, media.size) == (True, len(content))

    async def test_an_empty_file_has_no_bytes(self, telegram: TelegramRig) -> None:
        assert b"".join(await fetched(telegram, telegram.server.keeps(b"")["file_id"])) == b""

    async def test_a_file_is_asked_for_anew_each_time_for_its_address_is_soon_gone(self, telegram: TelegramRig) -> None:
        ref = telegram.server.keeps(b"a")["file_id"]
        assert [await fetched(telegram, ref), await fetched(telegram, ref)] == [[b"a"], [b"a"]]
        assert telegram.server.calls.count("getFile") == 2

    async def test_a_file_too_big_is_rejected_before_it_is_fetched(self, telegram: TelegramRig) -> None:
        with pytest.raises(Rejected):
            await fetched(telegram, telegram.server.keeps(b"x", size=MOST_BYTES + 1)["file_id"])
        assert "file" not in telegram.server.calls

    async def test_a_file_that_is_bigger_than_told_is_cut_off(self, telegram: TelegramRig) -> None:
        ref = telegram.server.keeps(bytes(MOST_BYTES + 1), size=1)["file_id"]
        with pytest.raises(Rejected):
            await fetched(telegram, ref)

    async def test_a_file_that_telegram_never_had_is_rejected(self, telegram: TelegramRig) -> None:
        with pytest.raises(Rejected):
            await fetched(telegram, "nonsense")

    async def test_a_file_that_telegram_does_not_have_now_is_tried_later(self, telegram: TelegramRig) -> None:
        ref = telegram.server.keeps(b"x")["file_id"]
        telegram.server.loses(ref)
        with pytest.raises(RetryLater):
            await fetched(telegram, ref)

    @pytest.mark.parametrize(
        "fault",
        [
            too_many(1), refuses(500, "Internal Server Error"), refuses(401, "Unauthorized"), faults.garbage(),
            faults.garbage(200), faults.lost(),
        ],
    )  # fmt: skip
    async def test_trouble_with_asking_passes(self, telegram: TelegramRig, fault: faults.Fault) -> None:
        telegram.server.faults.add("getFile", fault)
        ref = telegram.server.keeps(b"x")["file_id"]
        with pytest.raises(RetryLater):
            await fetched(telegram, ref)
        assert await fetched(telegram, ref) == [b"x"]

    @pytest.mark.parametrize(
        "fault", [refuses(404, "Not Found"), refuses(500, "Internal Server Error"), faults.garbage(502)]
    )
    async def test_trouble_with_the_bytes_passes(self, telegram: TelegramRig, fault: faults.Fault) -> None:
        telegram.server.faults.add("file", fault)
        ref = telegram.server.keeps(b"x")["file_id"]
        with pytest.raises(RetryLater):
            await fetched(telegram, ref)
        assert await fetched(telegram, ref) == [b"x"]

    async def test_a_line_that_breaks_in_the_middle_gives_no_whole_file(self, telegram: TelegramRig) -> None:
        async def breaks(request: web.Request, answer: faults.Answer) -> web.StreamResponse:
            response = web.StreamResponse(headers={"Content-Length": "1000000"})
            await response.prepare(request)
            await response.write(b"x" * 200_000)
            assert request.transport is not None
            request.transport.abort()
            return response

        telegram.server.faults.add("file", breaks)
        with pytest.raises(RetryLater):
            await fetched(telegram, telegram.server.keeps(b"x" * 1_000_000)["file_id"])

    async def test_the_token_in_a_files_address_is_told_nobody(
        self, telegram: TelegramRig, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        ref = telegram.server.keeps(b"x")["file_id"]

        async def goes_round(request: web.Request, answer: faults.Answer) -> web.StreamResponse:
            raise web.HTTPFound(str(request.url))  # aiohttp's TooManyRedirects names the address

        for method, fault in (
            ("file", refuses(404, "Not Found")), ("file", faults.lost()), ("file", goes_round),
            ("getFile", faults.lost()), ("getFile", goes_round),
        ):  # fmt: skip
            telegram.server.faults.add(method, fault, 20)
            with pytest.raises(DeliveryFailed) as caught:
                await fetched(telegram, ref)
            telegram.server.faults._next[method].clear()
            shown: BaseException | None = caught.value
            assert shown is not None
            assert telegram.server.token.split(":")[1] not in f"{shown!r} {shown}"
            assert shown.__cause__ is None
            assert shown.__suppress_context__ or shown.__context__ is None
        assert "stand-in-token" not in caplog.text + str([record.__dict__ for record in caplog.records])
