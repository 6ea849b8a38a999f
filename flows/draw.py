"""A flow as a drawing: its steps as blocks, the blocks as Mermaid. `flows.svg` draws the same blocks as a picture.

A flow is a script that is read from the top: boxes one below the other; a condition sends to the right what is done only
then, and the way goes on below; a branch asks its conditions in order and does the first that holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from flows.known import When
from flows.pack import AnyStep, Branch, Call, HandoffStep, Pack, Stop, TableStep
from flows.places import place_of
from flows.trace import kind_of
from flows.words import condition_text, readable, targets, texts, titled_target, verb

LONGEST = 150
"""Characters of a phrase that a box shows."""
OTHERWISE = "иначе"
Link = Callable[[str, str], str | None]
"""Address of the page of a flow or table (kind, name); None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A step."""

    kind: str
    # say, collect, table …
    title: str
    lines: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    target: tuple[str, str] | None = None
    # kind and name of what it leads to
    ends: bool = False
    # nothing follows it
    where: str = ""
    # file:line


@dataclass(frozen=True, slots=True)
class Only:
    """Steps that are taken only under a condition."""

    condition: str
    body: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """A branch: condition and steps of each arm; the first arm whose condition holds is taken, "" holds always."""

    arms: tuple[tuple[str, tuple[Block, ...]], ...]


Block = Box | Only | Choice


def blocks(pack: Pack, steps: Sequence[AnyStep], place: str = "", *, titled: bool = False) -> tuple[Block, ...]:
    """Steps as blocks; neighbours under the same condition stand together.

    place: of the list of steps (flow:NAME); titled: in the words of the pack's titles, without code names
    """
    made: list[Block] = []
    number = 0
    while number < len(steps):
        step = steps[number]
        if step.when is None:
            made.append(_block(pack, step, f"{place}.{number + 1}", titled=titled))
            number += 1
            continue
        same = [step]
        while number + len(same) < len(steps) and steps[number + len(same)].when == step.when:
            same.append(steps[number + len(same)])
        first = number + 1
        body = tuple(_block(pack, one, f"{place}.{at}", titled=titled) for at, one in enumerate(same, start=first))
        made.append(Only(_asked(pack, step.when, titled=titled), body))
        number += len(same)
    return tuple(made)


def _block(pack: Pack, step: AnyStep, place: str, *, titled: bool) -> Block:
    if isinstance(step, Branch):
        arms = [
            (_asked(pack, arm.when, titled=titled), blocks(pack, arm.steps, f"{place}.{at}", titled=titled))
            for at, arm in enumerate(step.branch, start=1)
        ]
        return Choice(tuple(arms))
    target = None
    if isinstance(step, TableStep) and step.table in pack.tables:
        target = ("table", step.table)
    elif isinstance(step, Call) and step.call in pack.flows:
        target = ("flow", step.call)
    lines = tuple(_short(readable(text, pack if titled else None)) for text in texts(pack, step))
    what = titled_target(pack, step) if titled else targets(step)
    return Box(
        kind=kind_of(step), title=f"{verb(step)}: {what}" if what else verb(step), lines=lines, rules=step.rule, target=target,
        ends=isinstance(step, Stop) or (isinstance(step, HandoffStep) and not step.goes_on), where=place_of(pack, place),
    )  # fmt: skip


def _asked(pack: Pack, when: When, *, titled: bool = False) -> str:
    """Conditions, each on a line of its own."""
    return "\n".join(condition_text(pack, name, wants, titled=titled) for name, wants in when.items())


def boxes(body: Sequence[Block]) -> Iterator[Box]:
    """All steps of blocks, in order."""
    for block in body:
        match block:
            case Box():
                yield block
            case Only():
                yield from boxes(block.body)
            case Choice():
                for _, arm in block.arms:
                    yield from boxes(arm)


def exits(body: Sequence[Block]) -> bool:
    """Whether something follows after blocks: not after an answer that is finished or handed over."""
    if not body:
        return True
    last = body[-1]
    if isinstance(last, Box):
        return not last.ends
    if isinstance(last, Only):
        return True
    return all(condition for condition, _ in last.arms) or any(exits(arm) for _, arm in last.arms)


def leads_to(pack: Pack, steps: Sequence[AnyStep]) -> Iterator[tuple[str, str]]:
    """Flows and tables that steps lead to, each once, in order."""

    def inside(body: Sequence[Block]) -> Iterator[tuple[str, str]]:
        for block in body:
            if isinstance(block, Box):
                if block.target:
                    yield block.target
            elif isinstance(block, Only):
                yield from inside(block.body)
            else:
                for _, arm in block.arms:
                    yield from inside(arm)

    yield from dict.fromkeys(inside(blocks(pack, steps)))


# -------------------------------------------------------------------------------------------------------- Mermaid
def mermaid(pack: Pack, name: str, link: Link = lambda kind, name: None) -> str:
    """A flow as a Mermaid flowchart."""
    drawing = _Mermaid(link)
    loose = drawing.sequence(blocks(pack, pack.flows[name].steps), [("start", "")])
    drawing.join(loose, "finish")
    start = f'    start(["{_escaped(name)}"])'
    return "\n".join(["flowchart TD", start, *drawing.lines, '    finish(["дальше"])', *_CLASSES]) + "\n"


Loose = list[tuple[str, str]]
"""Ends that lead to what comes next: node and label."""


class _Mermaid:
    def __init__(self, link: Link) -> None:
        self.link, self.lines, self.count = link, list[str](), 0

    def sequence(self, body: Sequence[Block], loose: Loose) -> Loose:
        for block in body:
            loose = self.block(block, loose)
        return loose

    def block(self, block: Block, loose: Loose) -> Loose:
        match block:
            case Box():
                node = self.box(block, loose)
                return [] if block.ends else [(node, "")]
            case Only(condition, body):
                node = self.condition(condition, loose)
                return [*self.sequence(body, [(node, "да")]), (node, "нет")]
            case Choice(arms):
                done: Loose = []
                for condition, body in arms:
                    if not condition:
                        return [*done, *self.sequence(body, loose)]
                    node = self.condition(condition, loose)
                    done += self.sequence(body, [(node, "да")])
                    loose = [(node, "нет")]
                return [*done, *loose]

    def box(self, box: Box, loose: Loose) -> str:
        node = self.next()
        rules = f"<br/><b>{_escaped(' '.join(box.rules))}</b>" if box.rules else ""
        text = "<br/>".join([f"<b>{_escaped(box.title)}</b>", *map(_escaped, box.lines)])
        self.lines.append(f'    {node}["{text}{rules}"]:::{box.kind}')
        self.join(loose, node)
        if box.target and (address := self.link(*box.target)):
            self.lines.append(f'    click {node} "{address}"')
        return node

    def condition(self, text: str, loose: Loose) -> str:
        node = self.next()
        self.lines.append(f'    {node}{{"{_escaped(text)}"}}:::when')
        self.join(loose, node)
        return node

    def next(self) -> str:
        self.count += 1
        return f"n{self.count}"

    def join(self, loose: Loose, node: str) -> None:
        self.lines += [f"    {before} -->{f'|{label}|' if label else ''} {node}" for before, label in loose]


_CLASSES = (
    "    classDef when fill:#fff3d1,stroke:#c08a1e,color:#33270a", "    classDef say fill:#e3efff,stroke:#3b74c4,color:#0d2547",
    "    classDef collect fill:#ede6ff,stroke:#7a5ac8,color:#251650", "    classDef handoff fill:#ffe3e6,stroke:#c74a5c,color:#4a0d18",
    "    classDef case fill:#ffe9f5,stroke:#b9528f,color:#4a1236", "    classDef table fill:#dcf5f0,stroke:#2a9480,color:#0a382f",
)  # fmt: skip


def _escaped(text: str) -> str:
    for mark, code in (
        ("#", "#35;"),
        ('"', "#quot;"),
        ("<", "#lt;"),
        (">", "#gt;"),
        ("{", "#123;"),
        ("}", "#125;"),
        ("|", "#124;"),
    ):
        text = text.replace(mark, code)
    return text.replace("\n", "<br/>")


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
