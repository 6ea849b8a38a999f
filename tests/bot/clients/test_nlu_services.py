"""Several NLU services share the work: the least busy first, another when one fails, and back when it is well again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web

from bot.clients.nlu import HttpNlu, NluServices
from bot.errors import NluUnavailable
from bot.standins.loopback import LoopbackServer
from tests.bot.world import until

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Service(LoopbackServer):
    """A stand-in for an NLU service over real HTTP."""

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model
        self.status = 200
        self.read: list[str] = []
        self.goes_on = asyncio.Event()
        # cleared: it takes a call and does not answer
        self.goes_on.set()

    def routes(self, app: web.Application) -> None:
        app.router.add_get("/health", self._health)
        app.router.add_post("/parse", self._parse)

    async def _health(self, request: web.Request) -> web.Response:
        self.calls.append("health")
        return web.json_response({"ready": self.status == 200, "model": self.model}, status=self.status)

    async def _parse(self, request: web.Request) -> web.Response:
        self.read.append((await request.json())["text"])
        await self.goes_on.wait()
        return web.json_response({"verdict": "not_understood", "model": self.model}, status=self.status)


@pytest.fixture
async def two() -> AsyncIterator[tuple[Service, Service]]:
    async with Service("one") as one, Service("two") as two:
        yield one, two
        one.goes_on.set()
        two.goes_on.set()


def client(*services: Service, timeout: float = 20.0) -> NluServices:
    return NluServices([HttpNlu(one.url, timeout=timeout) for one in services], timeout=timeout, look_every=0.05)


async def test_addresses_stand_with_commas_between_them(two: tuple[Service, Service]) -> None:
    nlu = NluServices.at(f" {two[0].url} , {two[1].url},", timeout=20)
    assert await nlu.models() == {two[0].url: "one", two[1].url: "two"}
    await nlu.close()


async def test_calls_go_to_the_one_with_the_fewest(two: tuple[Service, Service]) -> None:
    nlu = client(*two)
    for one in two:
        one.goes_on.clear()
    calls = [asyncio.create_task(nlu.parse(str(number), now=NOW)) for number in range(6)]
    await until(lambda: len(two[0].read) + len(two[1].read) == 6)
    assert [len(one.read) for one in two] == [3, 3]
    for one in two:
        one.goes_on.set()
    await asyncio.gather(*calls)
    await nlu.close()


async def test_a_failed_call_goes_to_another_and_the_failed_service_rests_until_it_is_well(
    two: tuple[Service, Service],
) -> None:
    ill, well = two
    nlu = client(*two)
    ill.status = 503
    for number in range(8):
        assert (await nlu.parse(str(number), now=NOW)).model == "two"
    assert len(well.read) == 8
    assert len(ill.read) <= 1
    ill.status = 200
    before = len(ill.read)
    async with asyncio.timeout(20):
        while len(ill.read) == before:
            await nlu.parse("?", now=NOW)
            await asyncio.sleep(0.02)
    await nlu.close()


async def test_one_that_hangs_leaves_time_for_another(two: tuple[Service, Service]) -> None:
    hangs, well = two
    hangs.goes_on.clear()
    nlu = client(*two, timeout=3.0)
    for number in range(3):
        assert (await nlu.parse(str(number), now=NOW)).model == "two"
    assert len(well.read) == 3
    await nlu.close()


async def test_when_none_answers_it_says_so_within_the_time_and_asks_all_again_next_time(
    two: tuple[Service, Service],
) -> None:
    nlu = client(*two)
    for one in two:
        one.status = 500
    with pytest.raises(NluUnavailable):
        await nlu.parse("а", now=NOW)
    assert [one.read for one in two] == [["а"], ["а"]]
    two[1].status = 200
    assert (await nlu.parse("б", now=NOW)).model == "two"
    await nlu.close()


async def test_models_of_all_and_of_any_that_is_ready(two: tuple[Service, Service]) -> None:
    nlu = client(*two)
    two[0].status = 503
    assert await nlu.models() == {two[0].url: None, two[1].url: "two"}
    assert await nlu.model() == "two"
    two[1].status = 503
    with pytest.raises(NluUnavailable):
        await nlu.model()
    await nlu.close()


async def test_without_a_service_nothing_is_read() -> None:
    nlu = NluServices([])
    with pytest.raises(NluUnavailable):
        await nlu.parse("а", now=NOW)
    with pytest.raises(NluUnavailable):
        await nlu.model()
    await nlu.close()
