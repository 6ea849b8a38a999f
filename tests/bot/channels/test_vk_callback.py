"""VK's Callback API: our server is registered, confirmed, called, and taken away again; nothing is `ok` before the store."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

import flows
from bot import signs
from bot.channels import HookAnswer, Kind
from bot.channels.vk_callback import NOT_REACHED, TITLE
from bot.channels.vk_events import KINDS
from bot.errors import ChannelStopped, StoreUnavailable
from bot.standins import faults
from bot.standins.vk import GROUP, refuses
from tests.bot.channels.conftest import VkRig, until


def secret(vk: VkRig) -> str:
    [server] = vk.server.callbacks.servers.values()
    return server.secret


async def hook(vk: VkRig, event: Any) -> HookAnswer:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    answer: HookAnswer = await vk.channel.hook({}, body, vk.inbox.receive)
    return answer


def event(vk: VkRig, **more: Any) -> dict[str, Any]:
    """A customer's message as VK brings it."""
    content = {"message": vk.server.message(42, "раз"), "client_info": vk.server.app}
    base = {"type": "message_new", "group_id": GROUP, "event_id": "e", "v": "5.199", "object": content}
    return {**base, "secret": secret(vk), **more}


class TestRegistering:
    async def test_our_server_is_set_with_its_events_and_taken_away_at_the_end(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        [server] = vk_hooked.server.callbacks.servers.values()
        assert (server.url, server.title, server.status) == (f"{vk_hooked.door.url}/hooks/vk", TITLE, "ok")
        assert server.kinds == set(KINDS)
        assert 32 <= len(server.secret) <= 50
        assert vk_hooked.server.token not in server.secret
        await vk_hooked.stop()
        assert vk_hooked.server.callbacks.servers == {}

    async def test_a_server_that_a_killed_run_left_is_used_again(self, vk_hooked: VkRig) -> None:
        left = vk_hooked.server.callbacks.add("https://old.example/hooks/vk", TITLE, "old")
        vk_hooked.server.callbacks.add("https://someone.example/vk", "Рассылки", "theirs")
        await vk_hooked.start()
        servers = vk_hooked.server.callbacks.servers
        assert [servers[left].url, len(servers)] == [f"{vk_hooked.door.url}/hooks/vk", 2]
        await vk_hooked.stop()
        assert [one.title for one in servers.values()] == ["Рассылки"]

    async def test_fetching_takes_away_what_a_killed_run_with_an_address_left(self, vk: VkRig) -> None:
        vk.server.callbacks.add("https://old.example/hooks/vk", TITLE, "old")
        vk.server.callbacks.add("https://someone.example/vk", "Рассылки", "theirs")
        await vk.start()
        assert [one.title for one in vk.server.callbacks.servers.values()] == ["Рассылки"]

    @pytest.mark.parametrize("code", [15, 27, 2000])
    async def test_a_token_that_may_not_set_it_stops_the_channel(self, vk_hooked: VkRig, code: int) -> None:
        vk_hooked.server.faults.add("groups.addCallbackServer", refuses(code))
        await vk_hooked.start()
        with pytest.raises(ChannelStopped):
            await vk_hooked.running

    async def test_trouble_at_vk_is_waited_for(self, vk_hooked: VkRig) -> None:
        vk_hooked.server.faults.add("groups.addCallbackServer", faults.garbage())
        vk_hooked.server.faults.add("groups.getCallbackServers", refuses(10))
        vk_hooked.channel = vk_hooked.make()
        task = asyncio.create_task(vk_hooked.channel.run(vk_hooked.inbox.receive))
        await until(vk_hooked.listens, 60)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class TestBeingCalled:
    async def test_each_process_knows_the_secret_and_the_code(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        other = vk_hooked.make()
        try:
            answer = await other.hook({}, json.dumps(event(vk_hooked)).encode(), vk_hooked.inbox.receive)
            assert answer == HookAnswer(200, "ok")
            asked = json.dumps({"type": "confirmation", "group_id": GROUP}).encode()
            assert (await other.hook({}, asked, vk_hooked.inbox.receive)).text == vk_hooked.server.callbacks.code
            vk_hooked.server.faults.add("groups.getCallbackConfirmationCode", faults.garbage(), 5)
            assert (await other.hook({}, asked, vk_hooked.inbox.receive)).text == vk_hooked.server.callbacks.code
        finally:
            await other.close()

    async def test_ok_and_nothing_else_once_it_is_stored(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        assert await hook(vk_hooked, event(vk_hooked)) == HookAnswer(200, "ok")
        assert vk_hooked.inbox.texts == ["раз"]

    @pytest.mark.parametrize("more", [{"secret": "wrong"}, {"secret": None}, {"secret": ["x"]}, {"group_id": 77}])
    async def test_who_is_not_vk_is_sent_away(self, vk_hooked: VkRig, more: dict[str, Any]) -> None:
        await vk_hooked.start()
        assert (await hook(vk_hooked, event(vk_hooked, **more))).status == 403
        assert vk_hooked.inbox.got == []

    async def test_a_confirmation_for_another_community_or_with_a_wrong_secret_gets_no_code(
        self, vk_hooked: VkRig
    ) -> None:
        await vk_hooked.start()
        assert (await hook(vk_hooked, {"type": "confirmation", "group_id": 77})).status == 403
        assert (await hook(vk_hooked, {"type": "confirmation", "group_id": GROUP, "secret": "?"})).status == 403

    @pytest.mark.parametrize(
        "body", [b"", b"{", b"[]", b"7", b'{"type": "x"}', b"\xff\xfe", b'{"type": 1, "group_id": []}']
    )
    async def test_what_is_no_event_is_a_bad_request(self, vk_hooked: VkRig, body: bytes) -> None:
        await vk_hooked.start()
        assert (await hook(vk_hooked, body)).status == 400

    async def test_events_that_nobody_can_read_are_let_go(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        for content in ({"message": {"text": "?"}}, {}, [], None, "text"):
            assert await hook(vk_hooked, event(vk_hooked, object=content)) == HookAnswer(200, "ok")
        assert await hook(vk_hooked, event(vk_hooked, type="wall_post_new")) == HookAnswer(200, "ok")

    async def test_without_the_store_vk_is_asked_to_come_again(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        vk_hooked.inbox.failures = [StoreUnavailable()]
        before = datetime.now(UTC)
        answer = await hook(vk_hooked, event(vk_hooked))
        assert answer.status == 503
        again = parsedate_to_datetime(answer.headers["retry-after"])
        assert 0 < (again - before).total_seconds() < 3600

    async def test_without_a_public_address_there_is_no_hook(self, vk: VkRig) -> None:
        await vk.start()
        assert (await hook(vk, b"{}")).status == 404


class TestGaps:
    async def test_a_press_is_answered(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        await vk_hooked.send(7, "Это вы?", buttons=(flows.Button("Да", "yes"),))
        press = vk_hooked.server.presses(vk_hooked.server.sent[-1], "Да")
        [update] = await vk_hooked.received(1)
        assert (update.kind, update.press) == (Kind.PRESS, "7.0")
        await until(lambda: vk_hooked.server.answered == [press])

    async def test_an_event_that_was_refused_comes_after_the_next_and_is_not_lost(self, vk_hooked: VkRig) -> None:
        await vk_hooked.start()
        vk_hooked.inbox.failures = [StoreUnavailable()]
        vk_hooked.server.writes(42, "раз")
        vk_hooked.server.writes(42, "два")
        await vk_hooked.received(2)
        assert vk_hooked.inbox.texts == ["два", "раз"]
        assert [int(update.message_id or 0) for update in vk_hooked.inbox.got] == [2, 1]

    async def test_when_vk_stops_calling_the_dialogues_are_read_and_the_server_is_set_again(
        self, vk_hooked: VkRig
    ) -> None:
        vk_hooked.watch = 0.3
        await vk_hooked.start()
        [server] = vk_hooked.server.callbacks.servers.values()
        server.status = "failed"
        for number in range(3):
            vk_hooked.server.writes(42, f"никто не звонил {number}")
        assert len(vk_hooked.server.callbacks.lost) == 3
        await until(lambda: len({update.external_id for update in vk_hooked.inbox.got}) == 3)
        assert list(dict.fromkeys(vk_hooked.inbox.texts)) == [f"никто не звонил {number}" for number in range(3)]
        await until(lambda: server.status == "ok")
        assert signs.of(signs.CHANNEL, "vk").why == NOT_REACHED
        await until(lambda: signs.of(signs.CHANNEL, "vk").well)
        vk_hooked.server.writes(42, "снова")
        await until(lambda: "снова" in vk_hooked.inbox.texts)

    async def test_a_single_event_that_got_lost_is_found(self, vk_hooked: VkRig) -> None:
        vk_hooked.watch = 0.3
        await vk_hooked.start()
        vk_hooked.server.message(43, "событие пропало")
        await until(lambda: "событие пропало" in vk_hooked.inbox.texts)

    async def test_what_was_lost_has_the_same_id_as_its_event(self, vk_hooked: VkRig) -> None:
        vk_hooked.watch = 0.3
        await vk_hooked.start()
        vk_hooked.server.writes(42, "раз")
        await until(lambda: len(vk_hooked.inbox.got) >= 2)
        assert len({update.external_id for update in vk_hooked.inbox.got}) == 1
