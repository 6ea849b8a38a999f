"""Decision tables: which rows apply, by the table's hit policy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from flows.errors import ContentError
from flows.match import Get, matches, size
from flows.pack import Hit, Row, Table


@dataclass(frozen=True, slots=True)
class TableHit:
    """A row that applied, with its number (1 is the first)."""

    number: int
    row: Row
    beside: tuple[str, ...] = ()
    # rules of other rows that hold too and agree: of the same rank, or without one and with nothing to do


def hits(table: Table, get: Get) -> list[TableHit]:
    """Return the rows that apply, in the order in which their steps are to be taken.

    Raises ContentError when a `unique` table has two matching rows.
    """
    numbered = ((number, row) for number, row in enumerate(table.rows, start=1))
    if table.hit is Hit.FIRST:
        return [TableHit(n, row) for n, row in islice(((n, r) for n, r in numbered if matches(r.when, get)), 1)]
    found = [TableHit(n, row) for n, row in numbered if matches(row.when, get)]
    match table.hit:
        case Hit.COLLECT:
            return found
        case Hit.UNIQUE:
            if len(found) > 1:
                raise ContentError(f"rows {found[0].number} and {found[1].number} both match, the table is unique")
            return found
        case Hit.PRIORITY:
            return sorted(found, key=lambda hit: (-hit.row.priority, -size(hit.row.when), hit.number))[:1]
        case _:
            return _by_rank(found)


def _by_rank(found: list[TableHit]) -> list[TableHit]:
    """The row of the lowest rank, of several the one with most conditions; the rows without a rank go before it."""
    ranked = [hit for hit in found if hit.row.rank is not None]
    unranked = [hit for hit in found if hit.row.rank is None]
    if not ranked:
        return unranked
    decisive = min(ranked, key=lambda hit: (hit.row.rank or 0, -size(hit.row.when), hit.number))
    agreeing = [hit for hit in ranked if hit is not decisive and hit.row.rank == decisive.row.rank]
    silent = [hit for hit in unranked if not hit.row.steps]
    beside = tuple(rule for hit in (*agreeing, *silent) for rule in hit.row.rule)
    return [*unranked, TableHit(decisive.number, decisive.row, beside)]
