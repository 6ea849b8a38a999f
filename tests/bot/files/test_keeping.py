"""What customers attach is kept whole, under names of our own."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from bot.channels import Kind, Media
from bot.errors import SettingsInvalid
from bot.settings import load as load_settings
from tests.bot.files.place import MB, Place, found_in
from tests.bot.files.test_kinds import JPEG, MP4, OGG, PDF


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
        await place.send(Media("sticker", "🙂", "s1"), Media("place", "55.7, 37.6"))
        assert await place.rows() == []

    async def test_an_edited_caption_does_not_fetch_the_photo_again(self, place: Place) -> None:
        await place.photo("p1", JPEG, text="царапина", message_id="7")
        await place.send(Media("photo", None, "p1"), kind=Kind.EDIT, text="царапина слева", message_id="7")
        assert len(await place.rows()) == 1
        place.messenger.there["p2"] = PDF
        await place.send(Media("photo", None, "p2"), kind=Kind.EDIT, text="вот другое фото", message_id="7")
        assert [row.ref for row in await place.rows()] == ["p1", "p2"]

    @pytest.mark.parametrize("read", [True, False])
    async def test_what_an_edit_attaches_to_the_same_words_is_kept(self, place: Place, read: bool) -> None:
        place.messenger.there |= {"https://vk/p1?sign=1": JPEG, "https://vk/p2?sign=2": PDF}
        photo = Media("photo", None, "https://vk/p1?sign=1")
        await place.world.receive(place.world.incoming("c1", text="сроки", attachments=(photo,), message_id="7"))
        if read:
            await place.world.settle()
        same = Media("photo", None, "https://vk/p1?sign=9")
        assert await place.send(same, kind=Kind.EDIT, text="сроки", message_id="7") == (
            [] if read else ["Чиним два дня."]
        )
        await place.send(
            same, Media("photo", None, "https://vk/p2?sign=2"), kind=Kind.EDIT, text="сроки", message_id="7"
        )
        assert [row.mime for row in await place.rows()] == ["image/jpeg", "application/pdf"]
        assert place.world.nlu.texts == ["сроки"]

    async def test_an_unread_line_that_is_changed_keeps_what_the_edit_attaches(self, place: Place) -> None:
        place.messenger.there["p1"] = JPEG
        await place.world.receive(place.world.incoming("c1", text="привет", message_id="7"))
        await place.send(Media("photo", None, "p1"), kind=Kind.EDIT, text="сроки", message_id="7")
        assert [row.mime for row in await place.rows()] == ["image/jpeg"]
        assert place.world.nlu.texts == ["сроки"]

    async def test_a_place_that_moves_on_is_no_new_line(self, place: Place) -> None:
        await place.send(Media("place", "55.7, 37.6"), message_id="7")
        moved = await place.send(Media("place", "55.8, 37.6"), kind=Kind.EDIT, message_id="7")
        assert moved == []
        assert [who for who, _ in await place.world.transcript()] == ["customer", "bot"]

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


@pytest.mark.parametrize("address", ["ftp://host/folder", "s3://", "s3:///folder", "/home/files"])
def test_an_address_that_names_no_bucket_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIRSTLINE_FILES_URL", address)
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_FILES_URL"):
        load_settings()
