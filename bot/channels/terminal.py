"""The terminal as a channel: one customer at the keyboard. Buttons are pressed by their numbers.

Lines that begin with a slash do what a messenger's own controls do:

    /contact +79990000001    share one's own number        /edit text        change the last message
    /photo [caption]         send a photo; also /file /voice /video /sticker        /quit        leave
"""

from __future__ import annotations

import asyncio
import itertools
import sys
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import phonenumbers
from prompt_toolkit import PromptSession
from prompt_toolkit.patch_stdout import patch_stdout
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from bot.channels import Channel, Incoming, Kind, Media, Outgoing, Receive, clean, payload

MEDIA = ("photo", "file", "voice", "video", "sticker")


class TerminalChannel(Channel):
    """A chat in this terminal. It passes for one of the messengers, by name, so that the shop's data apply to it."""

    def __init__(
        self,
        *,
        name: str = "telegram",
        chat: str = "terminal",
        assistant: str = "",
        customer: str | None = None,
        console: Console | None = None,
        lines: AsyncIterator[str] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Make the channel.

        assistant: the name printed before replies
        customer: the name that the messenger would show
        lines: what is typed; by default read from the terminal, or from standard input when it is none
        """
        self.name = name
        self._chat, self._assistant, self._customer = chat, assistant, customer
        self._console = console or Console(highlight=False)
        self._lines, self._now = lines, now
        self._run_id = uuid.uuid4().hex[:12]
        self._numbers, self._sent = itertools.count(1), itertools.count(1)
        self._last = 0
        # number of the last message typed, which /edit changes
        self._buttons: list[tuple[str, str]] = []
        # title and payload of what can be pressed now: the buttons of all replies since the last line typed
        self._typed_since = False

    # ---------------------------------------------------------------------------------------------- typing
    async def run(self, receive: Receive) -> None:
        """Hand over what is typed, line by line, until /quit or the end of the input."""
        async for line in self._lines or _typed():
            text = clean(line).strip()
            if text == "/quit":
                return
            try:
                update = self._read(text)
            except ValueError as error:
                self._console.print(Text(str(error), style="yellow"))
                continue
            self._typed_since = True
            await receive(update)

    def _read(self, text: str) -> Incoming:
        """Turn a line into an update. ValueError says what is wrong with it."""
        if not self._typed_since and text.isdecimal() and 1 <= int(text) <= len(self._buttons):
            title, press = self._buttons[int(text) - 1]
            return self._update(Kind.PRESS, text=title, press=press)
        command, _, rest = text.removeprefix("/").partition(" ")
        if text.startswith("/"):
            match command:
                case "contact":
                    return self._update(Kind.CONTACT, contact=_e164(rest))
                case "edit" if self._last:
                    return self._update(Kind.EDIT, text=rest, message_id=str(self._last))
                case media if media in MEDIA:
                    return self._update(Kind.MESSAGE, text=rest, attachments=(Media(media),))
        return self._update(Kind.MESSAGE, text=text)

    def _update(
        self,
        kind: Kind,
        *,
        text: str = "",
        press: str | None = None,
        contact: str | None = None,
        attachments: tuple[Media, ...] = (),
        message_id: str | None = None,
    ) -> Incoming:
        number = next(self._numbers)
        if kind is Kind.MESSAGE:
            self._last = number
            message_id = str(number)
        return Incoming(
            channel=self.name,
            chat=self._chat,
            external_id=f"terminal:{self._run_id}:{number}",
            kind=kind,
            at=self._now(),
            text=text,
            name=self._customer,
            press=press,
            contact=contact,
            attachments=attachments,
            message_id=message_id,
        )

    # ---------------------------------------------------------------------------------------------- replies
    async def send(self, message: Outgoing) -> str:
        """Print a reply with its buttons, numbered."""
        if self._assistant:
            self._console.print(Text(self._assistant, style="bold cyan"))
        said = [f"[{message.file.name}]"] if message.file is not None else []
        said += [message.text] if message.text or not said else []
        self._console.print(Padding(Text("\n".join(said)), (0, 0, 0, 2)))
        if self._typed_since:
            self._buttons, self._typed_since = [], False
        begin = len(self._buttons)
        self._buttons += [(button.title, payload(message.id, at)) for at, button in enumerate(message.buttons)]
        for number, (title, _) in enumerate(self._buttons[begin:], start=begin + 1):
            self._console.print(Text.assemble("  ", (f"[{number}]", "bold green"), " ", title))
        if message.ask_contact:
            self._console.print(Text("  /contact +7…", style="green"))
        self._console.print()
        return f"terminal:{next(self._sent)}"


def _e164(text: str) -> str:
    try:
        number = phonenumbers.parse(text, "RU")
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_possible_number(number):
        raise ValueError("/contact +79990000001")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


async def _typed() -> AsyncIterator[str]:
    """Lines from the keyboard, with history and editing; replies appear above the line that is being typed."""
    if not sys.stdin.isatty():
        while line := await asyncio.to_thread(sys.stdin.readline):
            yield line
        return
    session: PromptSession[str] = PromptSession()
    with patch_stdout(raw=True):
        while True:
            try:
                yield await session.prompt_async("> ")
            except (EOFError, KeyboardInterrupt):
                return
