"""A flow's blocks as a picture: an SVG of its own, readable in light and dark, with nothing cut off.

The layout follows the shape of a script: what is done always stands on one axis, from top to bottom; a condition opens a
column to its right. Every part is laid out by itself and then set beside or below its neighbour, so lines never cross boxes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from flows.draw import OTHERWISE, Block, Box, Choice, Link, Only, blocks, boxes
from flows.pack import Pack
from flows.titles import flow_title

WIDTH = 292.0
PAD = 11.0
LINE = 17.0
GAP = 26.0
"""Between what stands below one another."""
SIDE = 46.0
"""Between a condition and what it leads to."""
BUS = 20.0
"""Room for the line that leads on behind a branch."""
NO = 22.0
"""Room for the word below a condition."""
EDGE = 16.0
SIZE = 13.0
_WIDE, _NARROW = set("жмшщыюфЖМШЩЫЮФДQWM@%mwОГ№«»—"), set("ilj.,:;!|'()[]{}tfrI-1 ")

STYLE = """
.fl{--bg:#fff;--line:#8a94a3;--text:#1c2430;--dim:#5b6675;--when:#fff6e0;--when-line:#d3a03a;--say:#eaf2ff;--say-line:#5b8fd6;
--collect:#f1ebff;--collect-line:#9274d6;--table:#e2f6f1;--table-line:#3aa58f;--call:#eef1f5;--call-line:#8794a6;
--set:#f6f7f9;--set-line:#b7c0cc;--act:#fff0e3;--act-line:#dd8a3c;--handoff:#ffecee;--handoff-line:#d9697a;
--case:#ffeef8;--case-line:#cc6ba5;--stop:#f0f1f3;--stop-line:#8d97a5;--rule:#3c4656;--link:#1f5fbf}
.fl text{font:13px/17px system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",Arial,sans-serif;fill:var(--text)}
.fl .t{font-weight:600}.fl .d{fill:var(--dim)}.fl .r{font-size:11px;font-weight:600;fill:var(--rule)}.fl .l{font-size:12px;fill:var(--dim)}
.fl path.w{fill:none;stroke:var(--line);stroke-width:1.4}.fl path.a{fill:var(--line)}.fl circle{fill:var(--line)}
.fl rect{stroke-width:1.3}.fl .bg{fill:var(--bg)}.fl a text.t{fill:var(--link);text-decoration:underline}.fl .join{stroke-dasharray:none}
.fl .taken rect{stroke-width:3}.fl .left{opacity:.5}
@media (prefers-color-scheme:dark){.fl{--bg:#1b2027;--line:#76818f;--text:#e7ebf1;--dim:#aab4c1;--when:#3a2f16;--when-line:#a9822f;--say:#1b2b45;
--say-line:#4f7fc2;--collect:#2c2447;--collect-line:#8468c4;--table:#15352f;--table-line:#37937f;--call:#262c35;--call-line:#66717f;
--set:#22272e;--set-line:#56606d;--act:#3d2a17;--act-line:#b9732f;--handoff:#43222a;--handoff-line:#bb5767;--case:#3e2236;
--case-line:#ac588b;--stop:#262a30;--stop-line:#727c89;--rule:#ccd4de;--link:#8ab8ff}}
"""
KINDS = ("say", "collect", "table", "call", "set", "act", "handoff", "case", "stop", "when")
FILLS = "".join(f".fl .k-{kind}{{fill:var(--{kind});stroke:var(--{kind}-line)}}" for kind in KINDS)
_LIKE = {"count": "set", "do": "set", "branch": "call"}


@dataclass(slots=True)
class _Placed:
    """A part of the picture: its size, where it is entered and left, and its elements relative to its corner."""

    width: float = 0.0
    height: float = 0.0
    entry: float = 0.0
    # y at which a line from the left meets its first box …
    top: float = 0.0
    # … and one from above
    exits: bool = True
    parts: list[str] = field(default_factory=list)

    def put(self, other: _Placed, x: float, y: float) -> None:
        if other.parts:
            self.parts.append(f'<g transform="translate({x:g} {y:g})">{"".join(other.parts)}</g>')
        self.width, self.height = max(self.width, x + other.width), max(self.height, y + other.height)

    def wire(self, *points: tuple[float, float], arrow: bool = True) -> None:
        """A line through points, with an arrow at its end."""
        (x, y), *rest = points
        path = f"M{x:g} {y:g}" + "".join(f"L{a:g} {b:g}" for a, b in rest)
        self.parts.append(f'<path class="w" d="{path}"/>')
        if arrow:
            (bx, by), (ex, ey) = points[-2], points[-1]
            head = (
                f"M{ex:g} {ey:g}l-4 -7h8z"
                if ey > by
                else f"M{ex:g} {ey:g}l-7 -4v8z"
                if ex > bx
                else f"M{ex:g} {ey:g}l7 -4v8z"
            )
            self.parts.append(f'<path class="a" d="{head}"/>')

    def label(self, x: float, y: float, text: str) -> None:
        self.parts.append(f'<text class="l" x="{x:g}" y="{y:g}">{escape(text)}</text>')


AXIS = WIDTH / 2


@dataclass(frozen=True, slots=True)
class _Look:
    """What is drawn besides the steps themselves: where boxes lead to, which steps were taken."""

    link: Link
    taken: Collection[str] | None = None
    # None: nothing is told of that

    def shown(self, parts: list[str], places: Iterable[str]) -> list[str]:
        """Parts of a box, as taken when one of its places was."""
        if self.taken is None:
            return parts
        kind = "taken" if any(place in self.taken for place in places) else "left"
        return [f'<g class="{kind}">{"".join(parts)}</g>']


def svg(
    pack: Pack,
    name: str,
    link: Link = lambda kind, name: None,
    *,
    taken: Collection[str] | None = None,
    styled: bool = True,
    titled: bool = False,
) -> str:
    """A flow as an SVG document.

    taken: places (file:line) of the steps that a decision took: they stand out, the others step back
    styled: its style is in it; without it the page has STYLE and FILLS elsewhere
    titled: in the words of the pack's titles, without code names
    """
    look = _Look(link, taken)
    whole = _Placed()
    title = (flow_title(pack, name) if titled else None) or name
    head = _box(Box(kind="stop", title=title), _Look(link))
    body = _sequence(blocks(pack, pack.flows[name].steps, f"flow:{name}", titled=titled), look)
    whole.put(head, 0, 0)
    whole.wire((AXIS, head.height), (AXIS, head.height + GAP + body.top))
    whole.put(body, 0, head.height + GAP)
    if body.exits:
        whole.wire((AXIS, whole.height), (AXIS, whole.height + GAP - 4))
        whole.parts.append(f'<circle cx="{AXIS:g}" cy="{whole.height + GAP:g}" r="4.5"/>')
        whole.height += GAP + 5
    width, height = whole.width + 2 * EDGE, whole.height + 2 * EDGE
    style = f"<style>{STYLE}{FILLS}</style>" if styled else ""
    return (
        f'<svg class="fl" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" role="img" aria-label="{escape(title)}">{style}'
        f'<rect class="bg" width="{width:g}" height="{height:g}" rx="12"/>'
        f'<g transform="translate({EDGE:g} {EDGE:g})">{"".join(whole.parts)}</g></svg>\n'
    )


# -------------------------------------------------------------------------------------------------------- layout
def _sequence(body: Iterable[Block], look: _Look) -> _Placed:
    """Blocks one below the other on one axis."""
    made, before = _Placed(width=WIDTH), None
    for block in body:
        placed = _placed(block, look)
        y = made.height + (GAP if before else 0)
        if before is not None and before.exits:
            made.wire((AXIS, made.height), (AXIS, y + placed.top))
        if before is None:
            made.entry, made.top = placed.entry, placed.top
        made.put(placed, 0, y)
        made.height = y + placed.height
        before = placed
    made.exits = before is None or before.exits
    return made


def _placed(block: Block, look: _Look) -> _Placed:
    match block:
        case Box():
            return _box(block, look)
        case Only(condition, body):
            return _only(condition, body, look)
        case Choice(arms):
            return _choice(arms, look)


def _only(condition: str, body: Sequence[Block], look: _Look) -> _Placed:
    """A condition, to its right what is done only then, which comes back to the axis unless it ends the flow."""
    made, asked, inside = _Placed(), _condition(condition, look, body), _sequence(body, look)
    x = WIDTH + SIDE
    top_asked, top_inside = _level(asked, inside)
    made.put(asked, 0, top_asked)
    made.put(inside, x, top_inside)
    middle, bottom = top_asked + asked.entry, top_asked + asked.height
    made.wire((WIDTH, middle), (x, middle))
    made.label(WIDTH + 6, middle - 6, "да")
    made.height = max(made.height + (10 if inside.exits else 0), bottom + NO)
    if inside.exits:
        below = top_inside + inside.height
        made.wire((x + AXIS, below), (x + AXIS, made.height), (AXIS, made.height), arrow=False)
    made.wire((AXIS, bottom), (AXIS, made.height), arrow=False)
    made.label(AXIS + 7, bottom + 14, "нет")
    made.entry, made.top = middle, top_asked
    return made


def _choice(arms: Sequence[tuple[str, Sequence[Block]]], look: _Look) -> _Placed:
    """Conditions one below the other, to the right what each leads to; all of it meets behind the last."""
    made, y, before, open_ends, falls = _Placed(), 0.0, 0.0, list[tuple[float, float]](), True
    x = WIDTH + SIDE
    for number, (condition, body) in enumerate(arms):
        asked = _condition(condition or OTHERWISE, look, body)
        inside = _sequence(body, look) if body else None
        top_asked, top_inside = _level(asked, inside) if inside else (0.0, 0.0)
        made.put(asked, 0, y + top_asked)
        middle, bottom = y + top_asked + asked.entry, y + top_asked + asked.height
        if number == 0:
            made.entry, made.top = middle, top_asked
        else:
            made.wire((AXIS, before), (AXIS, y + top_asked))
            made.label(AXIS + 7, before + 14, "нет")
        if inside is None:
            open_ends.append((WIDTH, middle))
        else:
            made.put(inside, x, y + top_inside)
            made.wire((WIDTH, middle), (x, middle))
            if inside.exits:
                open_ends.append((x + AXIS, y + top_inside + inside.height))
        if condition:
            made.label(WIDTH + 6, middle - 6, "да")
        falls = bool(condition)
        height = max(bottom - y, top_inside + inside.height + (12 if inside.exits else 0) if inside else 0)
        y, before = y + height + GAP, bottom
    last = y - GAP
    if open_ends:
        bus, meeting = made.width + BUS, last + 16
        for ex, ey in open_ends:
            turn = ey if ex == WIDTH else ey + 12
            made.wire((ex, ey), (ex, turn), (bus, turn), arrow=False)
        made.wire(
            (bus, min(ey if ex == WIDTH else ey + 12 for ex, ey in open_ends)),
            (bus, meeting),
            (AXIS, meeting),
            arrow=False,
        )
        made.width, last = bus + 2, meeting
    if falls:
        last = max(last, before + NO)
        made.wire((AXIS, before), (AXIS, last), arrow=False)
        made.label(AXIS + 7, before + 14, "нет")
    made.height, made.exits = last, bool(open_ends) or falls
    return made


def _level(left: _Placed, right: _Placed) -> tuple[float, float]:
    """Tops of two parts so that a straight line leads from the middle of one into the first box of the other."""
    lower = max(left.entry, right.entry)
    return lower - left.entry, lower - right.entry


# --------------------------------------------------------------------------------------------------------- boxes
def _box(box: Box, look: _Look) -> _Placed:
    titles, rules = wrapped(box.title, bold=True), wrapped(" ".join(box.rules), size=11)
    lines = [line for text in box.lines for line in wrapped(text)]
    height = 2 * PAD + LINE * (len(titles) + len(lines) + len(rules)) - 3
    kind = _LIKE.get(box.kind, box.kind)
    texts = [("t", line) for line in titles] + [("d", line) for line in lines] + [("r", line) for line in rules]
    parts = [f'<rect class="k-{kind}" width="{WIDTH:g}" height="{height:g}" rx="9"/>', *_written(texts)]
    address = look.link(*box.target) if box.target else None
    if address:
        parts = [f'<a href="{escape(address)}">{"".join(parts)}</a>']
    parts = look.shown(parts, [box.where])
    return _Placed(WIDTH, height, height / 2, exits=not box.ends, parts=parts)


def _condition(text: str, look: _Look, body: Sequence[Block]) -> _Placed:
    lines = [line for one in text.split("\n") for line in wrapped(one)]
    height = 2 * PAD + LINE * len(lines) - 3
    radius = min(height / 2, 20)
    rect = f'<rect class="k-when" width="{WIDTH:g}" height="{height:g}" rx="{radius:g}"/>'
    parts = look.shown([rect, *_written([("", line) for line in lines])], [box.where for box in boxes(body)])
    return _Placed(WIDTH, height, height / 2, parts=parts)


def _written(lines: Sequence[tuple[str, str]]) -> list[str]:
    return [
        f'<text class="{kind}" x="{PAD + 2:g}" y="{PAD + 11 + number * LINE:g}">{escape(line)}</text>'
        for number, (kind, line) in enumerate(lines)
    ]


def wrapped(text: str, *, bold: bool = False, size: float = SIZE) -> list[str]:
    """A text in lines that fit a box, whatever common font draws it; a word too long for a line is broken."""
    room, made = WIDTH - 2 * PAD - 4, list[str]()
    for word in text.split():
        candidate = f"{made[-1]} {word}" if made else word
        if made and measured(candidate, bold=bold, size=size) <= room:
            made[-1] = candidate
            continue
        while measured(word, bold=bold, size=size) > room:
            cut = next(at for at in range(len(word), 0, -1) if measured(word[:at], bold=bold, size=size) <= room)
            made.append(word[:cut])
            word = word[cut:]
        made.append(word)
    return made


def measured(text: str, *, bold: bool = False, size: float = SIZE) -> float:
    """Width of a text in pixels, rather too wide than too narrow: fonts differ."""
    units = sum(0.88 if one in _WIDE else 0.36 if one in _NARROW else 0.72 if one.isupper() else 0.61 for one in text)
    return units * size * (1.08 if bold else 1.0)
