"""What a process does. Any number of processes have any of the roles, on one database."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """A part of the work that a process can have to itself."""

    RECEIVER = "receiver"
    # takes in what customers write; of all receivers one at a time asks a messenger for news
    WORKER = "worker"
    # takes turns, and looks for what has fallen due or was left behind
    SENDER = "sender"
    # delivers messages, fetches attachments
    CONSOLE = "console"
    # shows how all of it is


EVERYTHING = frozenset(Role)
