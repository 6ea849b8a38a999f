"""A talk in the terminal: the customer's side as a chat, and what agents would see of it in panels beside."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.channels import Channel
from bot.channels.terminal import TerminalChannel
from bot.clients.shop import Customer, Order
from bot.clock import Clock
from bot.content import Content
from bot.events import Event

NAMES = ("telegram", "vk", "terminal")
EXAMPLES = 4
SILENCE = 4.0
"""Seconds without news after which a talk from a pipe is over, once its input has ended."""
LONGEST_SILENCE = 60.0


class TerminalTalk:
    """The terminal's channel, and a listener that shows what happens behind it."""

    def __init__(
        self, content: Content, clock: Clock, *, taken: frozenset[str], read: Callable[[], Awaitable[bytes]]
    ) -> None:
        """`taken`: names of channels that are connected for real; the terminal passes for another one.

        `read`: reads a line where standard input is no terminal.
        """
        self._content = content
        self._console = Console(highlight=False)
        self._read, self._news = read, time.monotonic()
        self.channel: Channel = TerminalChannel(
            name=next(name for name in NAMES if name not in taken),
            assistant=str(content.pack.manifest.settings.get("assistant_name", "")),
            console=self._console,
            lines=None if sys.stdin.isatty() else self._piped(),
            now=clock.now,
        )

    def greet(self) -> None:
        """Say how to begin, and with whose data."""
        self._console.print(
            "[bold]Write as a customer would.[/] A number presses a button, /quit or Ctrl-C ends the talk."
        )
        examples = list(self._examples())
        if examples:
            table = Table(title="Some of the shop's customers", title_justify="left", box=None, header_style="dim")
            for column in ("name", "phone", "order", "status"):
                table.add_column(column)
            for customer, order in examples:
                table.add_row(customer.full_name, next(iter(customer.phones), ""), order.number, order.status)
            self._console.print(table)
        self._console.print()

    def _examples(self) -> Iterator[tuple[Customer, Order]]:
        shop, seen = self._content.shop, set[str]()
        customers = {customer.id: customer for customer in shop.customers}
        for order in shop.orders:
            if order.status not in seen and order.customer in customers and len(seen) < EXAMPLES:
                seen.add(order.status)
                yield customers[order.customer], order

    def heard(self, told: Event) -> None:
        """Show an event that the customer does not see."""
        self._news = time.monotonic()
        match told["event"]:
            case "handoff" | "case":
                kind = f"{told['category']}, due {told['due']}" if told["event"] == "case" else told["priority"]
                title = f"{told['request']} → {told['queue']} ({kind})"
                self._console.print(
                    Panel(Text(told["comment"]), title=title, title_align="left", border_style="magenta")
                )
            case "state" if told["state"] != "queued":
                self._console.print(Text(f"  {told['request']}: {told['state']}", style="magenta"))
            case "crm":
                outcome = "done" if told["ok"] else "refused"
                self._console.print(Text(f"  CRM {told['action']} {told['order'] or ''}: {outcome}", style="magenta"))

    async def _piped(self) -> AsyncIterator[str]:
        while raw := await self._read():
            yield raw.decode("utf-8", "replace")
        await self._silence()

    async def _silence(self) -> None:
        """Wait until nothing has happened for a while: the replies to the last lines are still to come."""
        ended = self._news = time.monotonic()
        while time.monotonic() - self._news < SILENCE and time.monotonic() - ended < LONGEST_SILENCE:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
