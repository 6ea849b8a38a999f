"""Long steps, shown: bars with times on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Column
from rich.text import Text

SLOW = 1.5
"""Seconds after which a finished step is worth a line where there is no terminal."""


class Step:
    """One step of long work, as its doer sees it."""

    def update(self, detail: str | None = None, *, done: int | None = None, of: int | None = None) -> None:
        """Tell what is being done now, and how far it is where that is known."""


class Steps:
    """Shows steps; several may run at the same time. Use as a context manager."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to take down."""

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """Show one step for the time of the block."""
        yield Step()


class _Done(ProgressColumn):
    """`120/173` where it is known and not all."""

    def render(self, task: Task) -> Text:
        if task.finished:
            return Text()
        return Text(f"{round(task.completed + 0.1)}/{int(task.total)}" if task.total else "", style="progress.download")


class TerminalSteps(Steps):
    """Bars on a terminal. What has been done stays on the screen with its time."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]", table_column=Column(min_width=1, no_wrap=True)),
            TextColumn("{task.description}", table_column=Column(min_width=42, no_wrap=True)),
            BarColumn(24, table_column=Column(min_width=24)), _Done(table_column=Column(min_width=7, no_wrap=True)),
            TimeElapsedColumn(table_column=Column(min_width=7, no_wrap=True)),
            TextColumn("[dim]{task.fields[detail]}[/]", table_column=Column(ratio=1, overflow="ellipsis", no_wrap=True)),
            console=console, expand=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        task = self._progress.add_task(title, total=None, detail="")
        step = _TerminalStep(self._progress, task)
        try:
            yield step
        except BaseException:
            self._progress.update(task, description=f"[red]✗[/] {title}", detail="")
            self._progress.stop_task(task)
            raise
        self._progress.update(task, total=1, completed=1, detail=step.last)


class _TerminalStep(Step):
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self.last = ""

    def update(self, detail: str | None = None, *, done: int | None = None, of: int | None = None) -> None:
        if detail is not None:
            self.last = detail
        task = next(task for task in self._progress.tasks if task.id == self._task)
        task.total = of  # `Progress.update` cannot take a total away again
        almost = None if done is None or of is None else min(done, of - 0.5)  # a full bar would stop the step's time
        self._progress.update(self._task, completed=almost or 0, detail=self.last)


class PlainSteps(Steps):
    """A line when a step begins to be slow work and one when it is done; for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        started = time.monotonic()
        step = _PlainStep(self._console, title, started)
        yield step
        took = time.monotonic() - started
        if took >= SLOW:
            self._console.print(f"{title}: done in {took:.1f} s", highlight=False, markup=False, soft_wrap=True)


class _PlainStep(Step):
    EVERY = 5.0

    def __init__(self, console: Console, title: str, started: float) -> None:
        self._console, self._title, self._started, self._said = console, title, started, started

    def update(self, detail: str | None = None, *, done: int | None = None, of: int | None = None) -> None:
        now = time.monotonic()
        if detail and now - self._said >= self.EVERY:
            self._said = now
            counted = f" {done}/{of}" if of else ""
            self._console.print(
                f"{self._title}: {detail}{counted} ({now - self._started:.0f} s)",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


def on_console(console: Console) -> Steps:
    """The kind of steps that suits where the console writes."""
    return TerminalSteps(console) if console.is_terminal else PlainSteps(console)
