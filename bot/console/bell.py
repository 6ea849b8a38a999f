"""The bell: how many wait, on every page, and what tells the browser of a new one (sound, notice, title).

Shared by all who have the same queues. A page rings when `data-news` grows: that counts the requests that came to the
queues while somebody was looking, from wherever they came.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import htpy as h

from bot import listing
from bot.console import words
from bot.console.live import EVERYWHERE, View
from bot.console.parts import Parts
from bot.console.seat import Seat
from bot.live import Change
from bot.sight import Scope


class Bell(View):
    """What waits in some queues."""

    def __init__(self, parts: Parts, queues: tuple[str, ...]) -> None:
        self.parts = parts
        self.scope = Scope(queues=queues)
        self.key: Hashable = ("bell", queues)
        self._known: frozenset[int] | None = None
        self._news = 0
        self._newest: tuple[str, str] | None = None

    def concerns(self, change: Change) -> bool:
        """Requests come and go."""
        return change.kind == "request"

    async def fragments(self) -> Sequence[h.Element]:
        """The number beside «Очередь», with what the newest request is about: never the customer's name or words, for it
        is shown on locked screens too."""
        async with self.parts.sessions() as session:
            waiting = await listing.waiting_ids(session, self.scope)
        ids = frozenset(one.id for one in waiting)
        came = [one for one in waiting if self._known is not None and one.id not in self._known]
        if came:
            self._news += len(came)
            newest = max(came, key=lambda one: one.id)
            self._newest = (
                newest.number,
                f"{words.topic(self.parts.pack, newest.topic)} · {words.queue(self.parts.pack, newest.queue)}",
            )
        self._known = ids
        number, about = self._newest or ("", "")
        n = len(ids)
        told = f"{n} {words.plural(n, 'обращение ждёт', 'обращения ждут', 'обращений ждут')}"
        return [
            h.span(
                "#bell", class_="count", hidden=not n, title=told, data_waiting=n, data_news=self._news, data_number=number,
                data_about=about,
            )[h.span(aria_hidden="true")[n], h.span(".visually-hidden")[f", {told}"]]
        ]  # fmt: skip


async def _bell(parts: Parts, who: Seat, query: Mapping[str, str]) -> Bell | None:
    return Bell(parts, tuple(sorted(who.queues))) if who.queues else None


EVERYWHERE.append(_bell)
