"""Progress of long work, as lines on standard output: for people, or as JSON for a program that renders it."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field


@dataclass
class Progress:
    """Says what is being done and how long it has taken so far."""

    as_json: bool = False
    quiet: bool = False
    started: float = field(default_factory=time.monotonic)

    def say(self, step: str, text: str, *, done: int | None = None, of: int | None = None) -> None:
        """Print one line at once: seconds since the start, the step's name, what is happening."""
        if self.quiet:
            return
        at = time.monotonic() - self.started
        if self.as_json:
            line = json.dumps(
                {"at": round(at, 1), "step": step, "text": text, "done": done, "of": of}, ensure_ascii=False
            )
        else:
            counted = f" {done}/{of}" if done is not None and of is not None else ""
            line = f"{at:7.1f} s  {text}{counted}"
        print(line, file=sys.stdout, flush=True)


_current = Progress(quiet=True)


def start(*, as_json: bool = False) -> Progress:
    """Begin to report from this process; the components inside Rasa's graph report through the same."""
    global _current
    _current = Progress(as_json=as_json)
    return _current


def report(step: str, text: str, *, done: int | None = None, of: int | None = None) -> None:
    """Report from deep inside; silent unless `start` was called."""
    _current.say(step, text, done=done, of=of)
