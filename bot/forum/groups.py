"""Which forum groups there are, and whose requests they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import flows
from bot.errors import SettingsInvalid


@dataclass(frozen=True, slots=True)
class Group:
    """A forum group, and the queues whose requests have topics in it."""

    chat: str
    # Telegram's id of it: -100…
    queues: frozenset[str]


def groups(desks: Mapping[int, Sequence[str]], pack: flows.Pack) -> dict[str, Group]:
    """The groups of the setting FIRSTLINE_TELEGRAM_DESKS, by their ids. SettingsInvalid for a queue that the pack has not."""
    for chat, queues in desks.items():
        if unknown := sorted(set(queues) - set(pack.queues)):
            raise SettingsInvalid(
                f"FIRSTLINE_TELEGRAM_DESKS: the pack has no queue {unknown[0]!r} (group {chat}); "
                f"it has {', '.join(sorted(pack.queues))}."
            )
        if chat >= 0:
            raise SettingsInvalid(f"FIRSTLINE_TELEGRAM_DESKS: {chat} is no group; ids of groups begin with -100.")
    return {str(chat): Group(str(chat), frozenset(queues)) for chat, queues in desks.items()}
