"""A table as a page: its rows in words, and the proof that every case has a row."""

from __future__ import annotations

from typing import Any

import htpy as h

from bot.pages.parts import Linker, conditions, pills, rules, steps
from flows.coverage import Coverage, Map, cover, draw_map
from flows.places import place_of
from flows.words import HITS, value_text


def table_parts(links: Linker, name: str, *, first: bool = True) -> h.Node:
    """A table: how it decides, its coverage, its map, its rows."""
    pack, table = links.pack, links.pack.tables[name]
    found, drawn = cover(pack, table), draw_map(pack, table)
    title = h.h1 if first else h.h2
    return h.fragment[
        title[f"Таблица {name}"],
        h.p(".lead")[
            HITS[table.hit.value][:1].upper() + HITS[table.hit.value][1:], ".", h.br if table.note else None, table.note,
            h.br, h.small(".code")[place_of(pack, f"table:{name}")],
        ],
        pills(_verdicts(links, name, found)),
        links.callers("table", name),
        _map(links, name, drawn) if drawn else None,
        h.div(".rows")[[_row(links, name, number, found) for number in range(1, len(table.rows) + 1)]],
    ]  # fmt: skip


def _verdicts(links: Linker, name: str, found: Coverage) -> list[tuple[str, str]]:
    table = links.pack.tables[name]
    told = [(f"строк: {len(table.rows)}", ""), (f"проверено сочетаний: {found.cases}", "")]
    if found.gap is not None:
        told.append((f"нет строки для: {_case(links, found.gap)}", "bad"))
    elif table.open:
        told.append(("строка может и не найтись: так задумано (open)", ""))
    else:
        told.append(("пропусков нет", "good"))
    if found.dead:
        told.append((f"никогда не сработают строки: {', '.join(map(str, found.dead))}", "bad"))
    else:
        told.append(("лишних строк нет", "good"))
    if not found.complete:
        told.append(("сочетаний слишком много, проверены не все", "bad"))
    return told


def _case(links: Linker, case: dict[str, Any]) -> str:
    return "; ".join(f"{name}: {_value(links, name, value)}" for name, value in sorted(case.items())) or "любых данных"


def _value(links: Linker, name: str, value: Any) -> str:
    if value == "·something else·":
        return "что-то другое"
    if isinstance(value, float) and value == int(value):
        value = int(value)
    return value_text(links.pack, name, value)


def _row(links: Linker, name: str, number: int, found: Coverage) -> h.Node:
    row = links.pack.tables[name].rows[number - 1]
    weight = [f"rank {row.rank}"] if row.rank is not None else []
    weight += [f"priority {row.priority}"] if row.priority else []
    example = found.examples.get(number)
    return h.div(".row", id=f"{name}.{number}")[
        h.div(".number")[number],
        h.div[
            h.div[rules(row.rule), [h.span(".rule")[one] for one in weight]],
            conditions(links.pack, row.when) if row.when else h.ul(".when")[h.li["во всех остальных случаях"]],
            h.small(".dim.code")[place_of(links.pack, f"table:{name}.{number}")],
        ],
        h.div[
            steps(links, row.steps),
            h.p(".small.dim")[row.note] if row.note else None,
        ],
        h.div(".example")["например: ", _case(links, example)]
        if example
        else h.div(".example")["ни одно сочетание сюда не приводит"],
    ]


def _map(links: Linker, name: str, drawn: Map) -> h.Node:
    """Which rows may apply, by two facts; a cell with one row is decided by these two alone."""

    def cell(line: Any, column: Any) -> h.Node:
        rows = drawn.cells[line, column]
        if not rows:
            return h.td(".none" if not links.pack.tables[name].open else "")["—"]
        return h.td(".one" if len(rows) == 1 else "")[[h.a(href=f"#{name}.{number}")[number] for number in rows]]

    head = [h.th[h.code[drawn.down], " ↓  ", h.code[drawn.across], " →"] if drawn.down else h.th[h.code[drawn.across]]]
    head += [h.th[_value(links, drawn.across, column)] for column in drawn.columns]
    lines = [
        h.tr[
            h.th[_value(links, drawn.down, line) if drawn.down else "строка"],
            [cell(line, column) for column in drawn.columns],
        ]
        for line in drawn.lines
    ]
    about = "Номера строк, которые могут сработать при этих значениях, какими бы ни были остальные; синяя клетка решается сразу."
    return h.div(".card")[
        h.p(".small.dim")[about], h.div(".scroll")[h.table(".map")[h.thead[h.tr[head]], h.tbody[lines]]]
    ]
