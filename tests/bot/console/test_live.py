"""A page is told what others changed, once, however many show the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import htpy as h
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bot import agents, desk
from bot.console import live
from bot.console.live import VIEWS
from bot.live import Change
from tests.bot.console.conftest import Pages
from tests.bot.shifts import change
from tests.bot.world import act


@dataclass
class Counter:
    """A view of two parts, of which one changes."""

    key: str = "counter"
    made: int = 0
    said: list[Mapping[str, Any]] = field(default_factory=list)

    def concerns(self, change: Change) -> bool:
        return change.kind == "typing" and change.conversation == 1

    async def fragments(self) -> list[h.Element]:
        self.made += 1
        return [h.p("#same")["always"], h.p("#count")[str(self.made)]]

    async def hear(self, said: Mapping[str, Any]) -> None:
        self.said.append(said)


@pytest.fixture(autouse=True)
def no_frame(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages have only the views that they ask for."""
    monkeypatch.setattr(live, "EVERYWHERE", [])


@pytest.fixture
def counter() -> Iterator[Counter]:
    view = Counter()

    async def make(*_: object) -> Counter:
        return view

    VIEWS["counter"] = make
    yield view
    del VIEWS["counter"]


def _socket(pages: Pages, query: str = "view=counter", agent: str | None = "anna") -> connect:
    address = pages.address.replace("http", "ws")
    headers = {"X-Test-Agent": agent} if agent else {}
    return connect(f"{address}/desk/live?{query}", additional_headers=headers)


async def test_a_page_gets_everything_first_and_then_what_differs(pages: Pages, counter: Counter) -> None:
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages) as socket:
        assert await asyncio.wait_for(socket.recv(), 10) == '<p id="same">always</p><p id="count">1</p>'
        pages.parts.live.tell(Change(kind="typing", conversation=2))  # concerns others
        pages.parts.live.tell(Change(kind="typing", conversation=1))
        assert await asyncio.wait_for(socket.recv(), 10) == '<p id="count">2</p>'


async def test_pages_that_show_the_same_are_rendered_once(pages: Pages, counter: Counter) -> None:
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages) as one:
        await asyncio.wait_for(one.recv(), 10)
        async with _socket(pages) as two:
            await asyncio.wait_for(two.recv(), 10)
            made = counter.made
            for _ in range(5):
                pages.parts.live.tell(Change(kind="typing", conversation=1))
            await asyncio.wait_for(one.recv(), 10)
            await asyncio.wait_for(two.recv(), 10)
            assert counter.made == made + 1


async def test_what_a_page_says_reaches_its_view(pages: Pages, counter: Counter) -> None:
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages) as socket:
        await asyncio.wait_for(socket.recv(), 10)
        await socket.send("no json")
        await socket.send('{"typing": true}')
        pages.parts.live.tell(Change(kind="typing", conversation=1))
        await asyncio.wait_for(socket.recv(), 10)
    assert counter.said == [{"typing": True}]


async def test_an_open_page_says_that_its_agent_is_there(pages: Pages, counter: Counter) -> None:
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages) as socket:
        await asyncio.wait_for(socket.recv(), 10)
        for _ in range(100):
            async with pages.world.sessions() as session:
                found = await agents.get(session, "anna")
                if found.seen_at == pages.world.clock.now():
                    return
            await asyncio.sleep(0.05)
    pytest.fail("seen_at was never written")


@dataclass
class Rows:
    """A list whose rows move."""

    key: str = "rows"
    rows: list[str] = field(default_factory=lambda: ["a", "b"])

    def concerns(self, change: Change) -> bool:
        return change.kind == "typing"

    async def fragments(self) -> list[h.Element]:
        return [h.ul("#rows", data_rows=" ".join(self.rows)), *(h.li(id=row)[f"row {row}"] for row in self.rows)]


@pytest.fixture
def rows() -> Iterator[Rows]:
    view = Rows()

    async def make(*_: object) -> Rows:
        return view

    VIEWS["rows"] = make
    yield view
    del VIEWS["rows"]


async def test_a_fragment_is_known_by_its_id_wherever_it_stands(pages: Pages, rows: Rows) -> None:
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages, "view=rows") as socket:
        await asyncio.wait_for(socket.recv(), 10)
        rows.rows = ["c", "a", "b"]
        pages.parts.live.tell(Change(kind="typing"))
        assert await asyncio.wait_for(socket.recv(), 10) == '<ul id="rows" data-rows="c a b"></ul><li id="c">row c</li>'
        rows.rows = ["b"]
        pages.parts.live.tell(Change(kind="typing"))
        assert await asyncio.wait_for(socket.recv(), 10) == '<ul id="rows" data-rows="b"></ul>'
        rows.rows = ["a", "b"]  # who has gone and comes back is sent again
        pages.parts.live.tell(Change(kind="typing"))
        assert await asyncio.wait_for(socket.recv(), 10) == '<ul id="rows" data-rows="a b"></ul><li id="a">row a</li>'


async def test_a_page_may_have_several_views_and_has_those_of_the_frame(
    pages: Pages, counter: Counter, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def frame(*_: object) -> Counter:
        return Counter("frame", made=100)

    async def not_for_this_person(*_: object) -> None:
        return None

    monkeypatch.setattr(live, "EVERYWHERE", [frame, not_for_this_person])
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages, "view=counter&view=rows") as socket:
        told = "".join([str(await asyncio.wait_for(socket.recv(), 10)) for _ in range(3)])
    assert '<p id="count">1</p>' in told
    assert '<li id="b">row b</li>' in told
    assert '<p id="count">101</p>' in told


@pytest.mark.parametrize(
    ("query", "agent", "code"),
    [
        ("view=counter", None, live.SIGNED_OUT),
        ("view=other", "anna", live.NOT_FOUND),
        ("view=counter&view=other", "anna", live.NOT_FOUND),
    ],
)
async def test_a_socket_without_a_person_or_a_view_is_closed_with_the_reason(
    pages: Pages, counter: Counter, query: str, agent: str | None, code: int
) -> None:
    await pages.world.agent("anna", title="Анна")
    async with _socket(pages, query, agent) as socket:
        with pytest.raises(ConnectionClosed):
            await asyncio.wait_for(socket.recv(), 10)
        assert socket.close_code == code


class TestAnotherRole:
    """A page shows what its reader may see, and no longer than they may."""

    async def _code(self, socket: ClientConnection) -> int | None:
        await asyncio.wait_for(socket.wait_closed(), 10)
        return socket.close_code

    @pytest.mark.parametrize(
        "changes", [{"role": "agent"}, {"queues": ["desk", "masters"]}, {"skills": ["vip"]}], ids=lambda one: next(iter(one))
    )  # fmt: skip
    async def test_a_page_is_closed_when_its_reader_may_see_other_things(
        self, pages: Pages, counter: Counter, changes: dict[str, Any]
    ) -> None:
        await pages.world.agent("vera", role="supervisor")
        await pages.world.agent("anna")
        async with _socket(pages, agent="vera") as socket, _socket(pages) as other:
            await asyncio.wait_for(socket.recv(), 10)
            await asyncio.wait_for(other.recv(), 10)
            await change(pages.world, "vera", on_shift=False, title="Вера", quiet=True)  # no reason
            pages.parts.live.tell(Change(kind="typing", conversation=1))
            assert "count" in str(await asyncio.wait_for(socket.recv(), 10))
            await change(pages.world, "vera", **changes)
            assert await self._code(socket) == live.ANOTHER
            await asyncio.wait_for(other.recv(), 10)
            pages.parts.live.tell(Change(kind="typing", conversation=1))
            assert "count" in str(await asyncio.wait_for(other.recv(), 10))

    async def test_a_page_that_was_away_meanwhile_is_not_shown_anything(self, pages: Pages, counter: Counter) -> None:
        await pages.world.agent("anna")
        async with pages.as_("anna") as browser:
            html = (await browser.get("/desk/")).text
        mark = html.split('data-rights="')[1].split('"')[0]
        async with _socket(pages, f"view=counter&rights={mark}") as socket:
            await asyncio.wait_for(socket.recv(), 10)
        await change(pages.world, "anna", queues=["masters"])
        async with _socket(pages, f"view=counter&rights={mark}") as socket:
            assert await self._code(socket) == live.ANOTHER

    async def test_a_request_that_goes_where_its_reader_sees_nothing_is_gone(self, pages: Pages) -> None:
        world = pages.world
        for name in ("anna", "boris"):
            await world.agent(name, title=name)
        await world.say("c1", "мастера")
        await world.take("anna")
        async with (
            _socket(pages, "view=request&number=T-1001&since=0", "boris") as his,
            _socket(pages, "view=request&number=T-1001&since=0") as hers,
        ):
            await asyncio.wait_for(his.recv(), 10)
            await asyncio.wait_for(hers.recv(), 10)
            await act(world, desk.transfer, "anna", "Деталь", queue="masters")
            assert await self._code(his) == live.ANOTHER
            assert "piece-" in str(await asyncio.wait_for(hers.recv(), 10))  # she has had it in hand
        async with pages.as_("boris") as browser:
            assert (await browser.get("/desk/requests/T-1001")).status_code == 404
