"""The bytes of what customers attach in VK come from VK's own servers, and from nowhere else."""

from __future__ import annotations

import pytest

from bot.channels import vk_media
from bot.errors import Rejected, RetryLater
from tests.bot.channels.conftest import VkRig


async def fetched(vk: VkRig, ref: str) -> bytes:
    channel = vk.channel or vk.make()
    vk.channel = channel
    return b"".join([piece async for piece in channel.fetch(ref)])


class TestFetch:
    async def test_the_largest_picture_is_fetched(self, vk: VkRig) -> None:
        await vk.start()
        vk.photo("вот коробка")
        [update] = await vk.received(1)
        assert await fetched(vk, update.attachments[0].ref or "") == b"a photo"

    async def test_a_redirection_within_vk_is_followed(self, vk: VkRig) -> None:
        ref = vk.server.file("first", vk.server.file("second", b"document"))
        assert await fetched(vk, ref) == b"document"

    @pytest.mark.parametrize(
        "target",
        [
            "http://169.254.169.254/latest/meta-data",
            "https://vk.com@evil.example/x",
            "file:///etc/passwd",
            "//evil.example/x",
        ],
    )
    async def test_a_redirection_to_elsewhere_is_not(self, vk: VkRig, target: str) -> None:
        with pytest.raises(Rejected):
            await fetched(vk, vk.server.file("out", target))

    async def test_a_circle_ends(self, vk: VkRig) -> None:
        ref = vk.server.file("circle", "circle")
        with pytest.raises(Rejected):
            await fetched(vk, ref)

    async def test_what_is_gone_is_rejected(self, vk: VkRig) -> None:
        with pytest.raises(Rejected):
            await fetched(vk, f"{vk.server.url}/files/nothing")

    async def test_a_server_that_is_away_is_tried_later(self, vk: VkRig) -> None:
        ref = vk.server.file("a", b"a")
        vk.channel = vk.make()
        await vk.server.__aexit__()
        with pytest.raises(RetryLater):
            await fetched(vk, ref)

    @pytest.mark.parametrize(
        ("ref", "allowed"),
        [
            ("https://sun9-1.userapi.com/x.jpg", True),
            ("https://vk.com/doc1_2?hash=3", True),
            ("https://psv4.vkuseraudio.net/x.ogg", True),
            ("http://vk.com/doc1_2", False),
            ("https://vk.com:8443/x", False),
            ("https://evilvk.com/x", False),
            ("https://vk.com.evil.example/x", False),
            ("https://127.0.0.1/x", False),
            ("https://user@vk.com@[::1]/x", False),
            ("not an address", False),
            ("", False),
        ],
    )
    def test_only_vks_own_addresses_are_asked(self, ref: str, allowed: bool) -> None:
        if allowed:
            assert str(vk_media._allowed(ref, "https://api.vk.ru")) == ref
        else:
            with pytest.raises(Rejected):
                vk_media._allowed(ref, "https://api.vk.ru")
