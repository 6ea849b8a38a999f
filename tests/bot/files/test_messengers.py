"""Attachments from the messengers themselves: the whole of Firstline between their stand-in servers and the file store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import select

import flows
from bot import agents, conversations, desk, file_store, files, outgoing_files
from bot.app import Assistant
from bot.clients.shop import Shop
from bot.content import Content
from bot.models import File
from bot.settings import Settings
from bot.standins.telegram import TelegramServer
from bot.standins.vk import VkServer
from tests.bot.files.place import found_in
from tests.bot.files.test_kinds import JPEG, OGG, PDF, PE
from tests.bot.world import MINI, ScriptedNlu, until


@asynccontextmanager
async def running(address: str, settings: Settings) -> AsyncIterator[Assistant]:
    """A whole Firstline at work."""
    content = Content(pack=flows.load(MINI), shop=Shop())
    async with Assistant(address, content, ScriptedNlu(), settings=settings, quiet=0.0) as assistant:
        assistant.connect()
        work = asyncio.create_task(assistant.run())
        try:
            yield assistant
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def settled(assistant: Assistant, count: int) -> list[tuple[File, bytes | None]]:
    """Wait until nothing is to be fetched of so many files; return them with what is kept."""
    rows: list[File] = []
    async with asyncio.timeout(60):
        while len(rows) < count or any(row.state == "waiting" for row in rows):
            await asyncio.sleep(0.1)
            async with assistant.sessions() as session:
                rows = list(await session.scalars(select(File).order_by(File.id)))
    store, found = file_store.open_store(assistant.settings), []
    for row in rows:
        async with assistant.sessions() as session:
            data = await files.read(session, store, row.id) if row.key else None
        found.append((row, b"".join([piece async for piece in data.pieces]) if data else None))
    return found


async def test_a_customer_of_telegram_sends_a_photo_a_document_and_a_program(address: str, tmp_path: Path) -> None:
    photo = JPEG + bytes(300_000)
    async with TelegramServer() as server:
        settings = Settings(
            _env_file=None, home=tmp_path, telegram_token=SecretStr(server.token), telegram_api_base=server.url
        )  # type: ignore[call-arg]
        async with running(address, settings) as assistant:
            small, large = server.keeps(JPEG, "photos/0.jpg"), server.keeps(photo, "photos/1.jpg")
            receipt, program = server.keeps(PDF, "documents/0.pdf"), server.keeps(PE, "documents/1.jpg")
            server.writes(42, photo=[{**small, "width": 90, "height": 90}, {**large, "width": 900, "height": 900}])
            server.writes(42, document={**receipt, "file_name": "../../чек.pdf", "mime_type": "application/pdf"})
            server.writes(42, document={**program, "file_name": "фото.jpg", "mime_type": "image/jpeg"})
            found = await settled(assistant, 3)
            await until(lambda: any(one.text == "Такое не берём." for one in server.sent), seconds=60)
    assert [(row.state, row.mime, data) for row, data in found[:2]] == [
        ("kept", "image/jpeg", photo), ("kept", "application/pdf", PDF)
    ]  # fmt: skip
    assert (found[2][0].state, found[2][0].reason, found[2][1]) == ("refused", "kind", None)
    assert {path.relative_to(tmp_path / "files").as_posix() for path in found_in(tmp_path / "files")} == {
        found[0][0].key, found[1][0].key
    }  # fmt: skip


async def test_a_customer_of_vk_sends_a_photo_and_a_voice_message(address: str, tmp_path: Path) -> None:
    async with VkServer() as server:
        settings = Settings(_env_file=None, home=tmp_path, vk_token=SecretStr(server.token), vk_api_base=server.url)  # type: ignore[call-arg]
        async with running(address, settings) as assistant:
            await until(lambda: "a_check" in server.calls, seconds=60)  # VK hands out what comes from now on
            photo = {"sizes": [{"type": "z", "width": 900, "height": 900, "url": server.file("z.jpg", JPEG)}]}
            voice = {"duration": 2, "link_ogg": server.file("a.ogg", OGG), "link_mp3": server.file("a.mp3", "")}
            server.writes(7, "мастера", attachments=[{"type": "photo", "photo": photo}])
            server.writes(7, "", attachments=[{"type": "audio_message", "audio_message": voice}])
            found = await settled(assistant, 2)
            await until(lambda: any("T-1001" in one.text for one in server.sent), seconds=60)
            again = await settled(assistant, 2)
    assert [(row.state, row.mime, data) for row, data in found] == [
        ("kept", "image/jpeg", JPEG),
        ("kept", "audio/ogg", OGG),
    ]
    assert again[0][0].request_id is not None


@pytest.mark.rule("CX-10")
async def test_an_agents_file_goes_to_both_messengers_from_the_store(address: str, tmp_path: Path) -> None:
    async with TelegramServer() as telegram, VkServer() as vk:
        settings = Settings(
            _env_file=None,
            home=tmp_path,
            telegram_token=SecretStr(telegram.token),
            telegram_api_base=telegram.url,
            vk_token=SecretStr(vk.token),
            vk_api_base=vk.url,
        )  # type: ignore[call-arg]
        async with running(address, settings) as assistant:
            await until(lambda: "a_check" in vk.calls, seconds=60)
            async with assistant.sessions.begin() as session:
                await agents.save(session, "anna", queues=("desk",), on_shift=True, title="Анна")
            telegram.writes(42, "мастера")
            vk.writes(7, "мастера")
            await until(lambda: telegram.sent and vk.sent, seconds=60)
            for channel, chat in (("telegram", "42"), ("vk", "7")):
                kept = await outgoing_files.keep(
                    assistant.store, "чек.pdf", _in_pieces(PDF), limit=assistant.files.limits.file, now=assistant.clock.now()
                )  # fmt: skip
                async with assistant.sessions.begin() as session:
                    where, now = (await conversations.find(session, channel, chat)).id, assistant.clock.now()
                    await desk.take(session, assistant.desk, "anna", now=now, conversation_id=where)
                    await outgoing_files.send(session, assistant.desk, "anna", where, kept, caption="Ваш чек", now=now)
            await until(lambda: telegram.sent[-1].data and vk.sent[-1].uploaded, seconds=60)
    assert (telegram.sent[-1].kind, telegram.sent[-1].text, telegram.sent[-1].data) == ("document", "Ваш чек", PDF)
    uploaded = vk.sent[-1].uploaded
    assert uploaded is not None
    assert (uploaded.kind, uploaded.name, uploaded.data, vk.sent[-1].text) == ("doc", "чек.pdf", PDF, "Ваш чек")


async def _in_pieces(data: bytes) -> AsyncIterator[bytes]:
    yield data[:10]
    yield data[10:]
