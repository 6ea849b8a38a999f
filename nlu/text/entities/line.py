"""A message as the entity finders see it: its text, its words, and what stands around a place."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from nlu.text.normalise import Token


@dataclass(frozen=True, slots=True)
class Entity:
    """Something named in a message."""

    entity: str
    value: str | int | float
    """Normalised: phone E.164, date ISO 8601, amount a number, order number without signs and spaces."""
    text: str
    """As written."""
    start: int
    end: int
    """Place in the text as it was sent."""


@dataclass(slots=True)
class Line:
    """A message under examination; finders take spans of it, the surest finder first."""

    text: str
    tokens: Sequence[Token]
    found: list[Entity] = field(default_factory=list)
    _starts: list[int] = field(default_factory=list)
    _ends: list[int] = field(default_factory=list)
    _taken: list[tuple[int, ...]] = field(default_factory=list)
    """The spans of what was found, in order."""

    def __post_init__(self) -> None:
        self._starts = [token.start for token in self.tokens]
        self._ends = [token.end for token in self.tokens]

    def free(self, start: int, end: int) -> bool:
        """Tell whether nothing has been found in this span yet."""
        after = bisect_left(self._taken, (start + 1,))
        return (not after or self._taken[after - 1][1] <= start) and (
            after == len(self._taken) or end <= self._taken[after][0]
        )

    def take(self, entity: str, value: str | int | float, start: int, end: int) -> bool:
        """Note an entity unless something else holds the span; tell whether it was noted."""
        if start >= end or not self.free(start, end):
            return False
        self.found.append(Entity(entity, value, self.text[start:end], start, end))
        insort(self._taken, (start, end))
        return True

    def index_at(self, position: int) -> int:
        """Return the index of the first word that starts at or after a position."""
        return bisect_left(self._starts, position)

    def index_before(self, position: int) -> int:
        """Return the index of the last word that ends at or before a position, or -1."""
        return bisect_right(self._ends, position) - 1

    def before(self, position: int, count: int = 1) -> list[Token]:
        """Return up to `count` words before a position, the nearest first."""
        index = self.index_before(position)
        return list(self.tokens[max(0, index - count + 1) : index + 1])[::-1]

    def after(self, position: int, count: int = 1) -> list[Token]:
        """Return up to `count` words after a position, the nearest first."""
        index = self.index_at(position)
        return list(self.tokens[index : index + count])

    def adjacent(self, left: int, right: int) -> bool:
        """Tell whether only blanks (or a dot of an abbreviation) stand between two neighbouring words."""
        return not self.text[self.tokens[left].end : self.tokens[right].start].strip(" .\u00a0")
