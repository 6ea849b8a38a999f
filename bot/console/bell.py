"""The bell: how many wait, on every page, and what tells the browser of a new one (sound, notice, title).

It counts what the list «Ждут» shows: for supervisors all queues. A page rings when `data-news` grows: that counts what came to
one's own queues while somebody was looking, from wherever it came. Shared by all who see and have the same queues.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

import htpy as h

from bot import listing
from bot.console import words
from bot.console.live import EVERYWHERE, View
from bot.console.parts import Parts
from bot.console.seat import Seat
from bot.live import Change
from bot.sight import Scope


class Bell(View):
    """What waits where somebody may see it; news are what came to their own queues."""

    def __init__(self, parts: Parts, scope: Scope, queues: frozenset[str]) -> None:
        self.parts, self.scope, self.queues = parts, scope, queues
        self.key: Hashable = ("bell", scope, queues)
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
        own = [one for one in waiting if one.queue in self.queues]
        came = [one for one in own if self._known is not None and one.id not in self._known]
        if came:
            self._news += len(came)
            newest = max(came, key=lambda one: one.id)
            self._newest = (
                newest.number,
                f"{words.topic(self.parts.pack, newest.topic)} · {words.queue(self.parts.pack, newest.queue)}",
            )
        self._known = frozenset(one.id for one in own)
        number, about = self._newest or ("", "")
        n = len(waiting)
        told = f"{n} {words.plural(n, 'обращение ждёт', 'обращения ждут', 'обращений ждут')}"
        return [
            h.span(
                "#bell", class_="count", hidden=not n, title=told, data_waiting=n, data_news=self._news, data_number=number,
                data_about=about,
            )[h.span(aria_hidden="true")[n], h.span(".visually-hidden")[f", {told}"]]
        ]  # fmt: skip


async def _bell(parts: Parts, who: Seat, query: Mapping[str, str]) -> Bell | None:
    scope = replace(who.scope, agent=None)
    return Bell(parts, scope, frozenset(who.queues)) if scope.everything or scope.queues else None


EVERYWHERE.append(_bell)
