"""Channels: how messages come from a messenger and go back to it.

A channel maps and reports errors in our terms; of conversations it knows nothing. It moves its stored offset only after
`receive` has returned, so a message is never lost; it may come twice, and `external_id` tells that it has. What customers get is the same on all of them (CX-10).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, Protocol

import flows
from bot.errors import Rejected


class Kind(StrEnum):
    """What an update of a messenger is about."""

    MESSAGE = "message"
    EDIT = "edit"
    PRESS = "press"
    CONTACT = "contact"
    BLOCKED = "blocked"
    # the customer stopped the bot: nothing can be delivered until UNBLOCKED
    UNBLOCKED = "unblocked"
    TYPING = "typing"
    # the customer is writing just now: nothing is stored. Telegram does not tell its bots of it, VK does
    OTHER = "other"
    # nothing to answer: a kind that the channel does not know, or the customer's name that has become known
    DESK = "desk"
    # no customer's: somebody wrote or pressed in a group where agents work (`Incoming.desk`)


@dataclass(frozen=True, slots=True)
class Media:
    """Something that a customer attached, as the messenger names it."""

    kind: str
    # photo, voice, video, sticker, file, place (on a map)
    name: str | None = None
    # what the sender calls it, or what it is: for people to read, never a path
    ref: str | None = None
    # what `Channel.fetch` needs; None: there are no bytes (a location, a forwarded message)
    size: int | None = None
    # bytes, as far as the messenger says
    mime: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AtDesk:
    """Where something was written or pressed in a group of agents, and by whom."""

    author: str | None = None
    # the messenger's id of the person; None: in the name of the group itself
    thread: str | None = None
    # the topic; None: the general one
    query: str | None = None
    # what a press is answered by
    edited: bool = False
    # a message was changed
    rights: bool = False
    # nobody wrote: what the bot may do in the group has changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One update of a messenger, mapped."""

    channel: str
    chat: str
    # the conversation's id on the channel
    external_id: str
    # unique per channel: Telegram's update_id, VK's message or event_id
    kind: Kind
    at: datetime
    # aware, UTC
    text: str = ""
    name: str | None = None
    # what the messenger calls the customer: never proof of identity
    press: str | None = None
    # the payload of a button as we sent it: "<message id>.<button index>"
    contact: str | None = None
    # the sender's OWN number as the messenger verified it, E.164
    attachments: tuple[Media, ...] = ()
    album: str | None = None
    # what the parts of one album have in common: they come as messages of their own and are read together
    no_buttons: bool | None = None
    # whether the customer's app shows no buttons; None: not known
    message_id: str | None = None
    # the messenger's own id of the message (an edit names the message it changes)
    answer: str | None = None
    # what the channel needed to acknowledge a press
    desk: AtDesk | None = None
    # of kind DESK

    def called(self, name: str | None) -> Incoming:
        """Return the update with the customer's name."""
        return replace(self, name=name)


Receive = Callable[[Incoming], Awaitable[None]]
"""Stores an update for good, or raises; the channel offers the update again then."""


MOST_CAPTION = 1000
"""Characters of the words that go with a file; Telegram takes 1024."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutFile:
    """A file that goes out."""

    name: str
    # what the customer's messenger calls it
    kind: Literal["photo", "file"]
    # a photo is shown, a file is to be saved
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A message to a customer: a text, or one file with an optional caption as its text."""

    id: int
    # of the stored message: makes the payloads of buttons, and VK's idempotency key
    chat: str
    text: str
    buttons: tuple[flows.Button, ...] = ()
    ask_contact: bool = False
    # offer the messenger's own "share my number" button where there is one
    no_buttons: bool = False
    # the customer's app shows none
    doubtful: bool = False
    # nobody knows whether an attempt before this one sent it
    file: OutFile | None = None
    # the caption has MOST_CAPTION characters at the most; no buttons go with a file


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a messenger's server is answered that has called our webhook."""

    status: int = 200
    text: str = "ok"
    headers: Mapping[str, str] = field(default_factory=dict)


class Channel(Protocol):
    """A messenger. One object both receives and sends; a process may use it for one of the two."""

    name: str
    repeats_safely: bool = False
    # the messenger knows a message that is sent again by its id, and shows it once

    async def run(self, receive: Receive) -> None:
        """Fetch updates and hand them to `receive` until cancelled. Raises ChannelStopped when the token is refused.

        Only one process at a time runs a channel. With a public address it keeps the webhook set meanwhile and fetches
        nothing; `hook` gets the updates then, in every process that receives.
        """
        ...

    async def send(self, message: Outgoing) -> str:
        """Send a message and return the messenger's id of it.

        Raises RetryLater, Unreachable, Rejected, ChannelStopped or DeliveryUnknown of `bot.errors`.
        """
        ...

    # what not every channel has
    async def about(self) -> str:
        """Whose bot it is, how updates come and what is missing, in one line for the operator. Raises DeliveryFailed."""
        return self.name

    def numbers(self, message: Outgoing) -> bool:
        """Whether the buttons of a message are sent as a numbered list, so that a number alone chooses one."""
        return False

    async def hook(self, headers: Mapping[str, str], body: bytes, receive: Receive) -> HookAnswer:
        """Take a call of the messenger's server: check its secret, store what it brings, and only then answer.

        headers: names in lower case
        """
        return HookAnswer(404, "not found")

    async def withdraw(self, message: Outgoing, sent: str) -> None:
        """Take the buttons away from a message that was sent; `sent` is the messenger's id of it.

        Never raises: a press of a button that is still there is answered all the same.
        """
        return

    async def typing(self, chat: str) -> None:
        """Show the customer that an answer is being made. Never raises: it is an ornament."""
        return

    def fetch(self, ref: str) -> AsyncIterator[bytes]:
        """The bytes of an attachment, in pieces. Raises RetryLater, or Rejected when there is no such file (any more)."""
        raise Rejected("This channel keeps no files.")

    async def close(self) -> None:
        """Close the connections."""
        return


class OffsetStore(Protocol):
    """Remembers how far a channel has read."""

    async def load(self, key: str) -> str | None:
        """Return the offset stored under a key, or None."""
        ...

    async def save(self, key: str, value: str) -> None:
        """Store an offset, for good."""
        ...

    async def settle(self, key: str, value: str) -> str:
        """Store a value where none is yet, and return the one that is stored: all processes agree on it."""
        ...


def payload(message: int, index: int) -> str:
    """Return what a button carries: the id of the message it stands under and its place there, from 0."""
    return f"{message}.{index}"


SHORT_TITLE = 2
IN_A_ROW = 5
"""VK has no more buttons in a row."""


def side_by_side(titles: Sequence[str]) -> int:
    """So many buttons stand in a row: several where all titles are as short as a number, else one."""
    return IN_A_ROW if all(len(title) <= SHORT_TITLE for title in titles) else 1


_CUTS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?…])[»”\"')\]]*()\s+(?![a-zа-яё])"))
# a paragraph, a line, the end of a sentence


def split(text: str, limit: int = 4096) -> list[str]:
    """Cut a text into pieces that a messenger takes: at a paragraph, a line, the end of a sentence or a word.

    limit: in UTF-16 code units, as messengers count (an emoji is two). Nothing but white space at the cuts is lost; no
    piece is empty, and an empty text gives none.
    """
    pieces: list[str] = []
    rest = text.strip()
    while len(rest) > (room := _room(rest, limit)):
        cut = _cut(rest, room)
        pieces.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*pieces, rest] if rest else pieces


def _room(text: str, limit: int) -> int:
    """So many of a text's first characters have at most so many UTF-16 code units."""
    if len(text) * 2 <= limit:
        return len(text)
    units = 0
    for at, character in enumerate(text):
        units += 2 if character > "\uffff" else 1
        if units > limit:
            return max(1, at)
    return len(text)


def _cut(text: str, room: int) -> int:
    """Where to cut a text whose first `room` characters fit: the best place in their second half, else the last word."""
    head = text[: room + 1]
    for place in _CUTS:
        ends = [found.start(1) if found.re.groups else found.start() for found in place.finditer(head)]
        if fitting := [at for at in ends if room // 2 <= at <= room and at]:
            return fitting[-1]
    words = [found.start() for found in re.finditer(r"\s+", head)]
    return words[-1] if words else room


def clean(text: str | None) -> str:
    """Return a text without what no store takes: NUL characters and halves of surrogate pairs."""
    return (text or "").replace("\x00", "").encode("utf-8", "replace").decode()
