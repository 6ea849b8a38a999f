"""What can go wrong with content."""

from __future__ import annotations

from dataclasses import dataclass


class FlowError(Exception):
    """Something in a pack went wrong."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class ContentError(FlowError):
    """The pack's content contradicts itself; `firstline check` tells where."""


class EndlessFlow(ContentError):
    """A flow took too many steps in one turn: two flows probably call each other."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a file of content, with its place (file:line)."""

    where: str
    text: str
    remark: bool = False
    # worth a look, but the content can be used as it is

    def __str__(self) -> str:
        return f"{self.where}: {'(remark) ' if self.remark else ''}{self.text}"

    def __lt__(self, other: Problem) -> bool:
        return self._order() < other._order()

    def _order(self) -> tuple[str, int, str]:
        file, _, line = self.where.rpartition(":")
        return (file, int(line), self.text) if line.isdecimal() else (self.where, 0, self.text)


class PackInvalid(FlowError):
    """The pack cannot be used; all its problems are in `problems`."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
