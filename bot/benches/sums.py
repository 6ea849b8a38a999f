"""Whether it all adds up: what customers wrote, what the database holds, and what reached them.

Nothing here trusts the engine's own word alone: what was written and what arrived is known from the stand-in messengers; the
database tells what became of each message.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bot.benches.evidence import Line
from bot.benches.ledger import ANSWERED, ARRIVED, DOUBLED, ONCE, ORDER, SILENT, Broken, Ledger, Written
from bot.benches.system import Ears, Said

SAME_CLOCK = 0.5
"""Seconds by which the database's clock and ours may differ."""
IN_FLIGHT = 1.0
"""Seconds after an agent has taken a conversation in which a message of the bot's may still arrive that was on its way."""


@dataclass(slots=True)
class Sums:
    """What came of it all."""

    written: int = 0
    presses: int = 0
    stored: int = 0
    answered: int = 0
    named: int = 0
    # answers that name the order that was asked for
    handed_over: int = 0
    delivered: int = 0
    replies: int = 0
    repeated: list[str] = field(default_factory=list)
    # messages that came twice in Telegram's one unavoidable window
    broken: list[Broken] = field(default_factory=list)


def add_up(ledger: Ledger, stored: Sequence[Line], ears: Ears) -> Sums:
    """Compare what was written, stored and heard."""
    sums = Sums(written=len(ledger.written), presses=ledger.presses.total(), replies=len(ledger.replied))
    ours = [line for line in stored if line.sender == "customer"]
    outgoing = [line for line in stored if line.delivery is not None]
    sums.stored = len(ours)
    sums.broken += _stored_once(ledger, ours)
    sums.broken += _taken_care_of(ledger, ours, outgoing, sums)
    heard = _match(outgoing, ears.said)
    sums.delivered = sum(len(copies) > 0 for copies in heard.values())
    sums.broken += _arrived_once(ledger, outgoing, heard, ears, sums)
    sums.broken += _in_order(ledger, stored, heard)
    sums.broken += _agents(ledger, outgoing, heard)
    return sums


def _stored_once(ledger: Ledger, ours: Sequence[Line]) -> list[Broken]:
    broken = []
    counted = Counter((line.channel, line.chat, line.message_id) for line in ours if not line.pressed)
    for written in ledger.written:
        times = counted.pop((written.channel, written.chat, str(written.message_id)), 0)
        if times != 1:
            broken.append(Broken(ONCE, f"{times} times: {_name(written)}"))
    broken += [Broken(ONCE, f"nobody wrote {key}") for key in counted]
    pressed = Counter((line.channel, line.chat) for line in ours if line.pressed)
    for chat in pressed.keys() | ledger.presses.keys():
        if pressed[chat] != ledger.presses[chat]:
            broken.append(Broken(ONCE, f"{chat}: {ledger.presses[chat]} presses, {pressed[chat]} stored"))
    return broken


def _taken_care_of(ledger: Ledger, ours: Sequence[Line], outgoing: Sequence[Line], sums: Sums) -> list[Broken]:
    """Each line was read, and a turn of it was answered or an agent has it."""
    broken = []
    of_turn: dict[int, list[Line]] = defaultdict(list)
    last_said: dict[int, int] = {}
    for line in outgoing:
        last_said[line.conversation] = line.id
        if line.turn is not None:
            of_turn[line.turn].append(line)
    asked = {(one.channel, one.chat, str(one.message_id)): one for one in ledger.written}
    for line in ours:
        written = asked.get((line.channel, line.chat, line.message_id or "")) if not line.pressed else None
        answers = of_turn.get(line.turn, []) if line.turn is not None else []
        if not line.read:
            broken.append(Broken(ANSWERED, f"never read: {_line(line)}"))
        elif answers or line.request is not None:
            sums.answered += bool(answers)
            sums.handed_over += line.request is not None
            if written is not None and written.order is not None:
                sums.named += any(written.order in answer.text for answer in answers)
        elif (
            last_said.get(line.conversation, 0) < line.id
        ):  # a notice (who is at it, that it is closed) is an answer, too
            broken.append(Broken(ANSWERED, f"nothing was said after: {_line(line)}"))
        else:
            sums.answered += 1
    turns = {line.turn for line in ours}
    for turn, answers in of_turn.items():
        if turn not in turns:
            broken.append(Broken(DOUBLED, f"turn {turn} answers lines that another turn answered: {_line(answers[0])}"))
    return broken


def _match(outgoing: Sequence[Line], said: Sequence[Said]) -> dict[int, list[Said]]:
    """Which copies of each message arrived: by the messenger's number of it where that was written down, else by its text.

    Under 0 stands what nobody of ours has said.
    """
    heard: dict[int, list[Said]] = {0: [], **{line.id: [] for line in outgoing}}
    numbered: dict[tuple[str, int, str | None], Line] = {
        (line.channel, line.chat, line.message_id): line for line in outgoing if line.message_id
    }
    same: dict[tuple[str, int, str], list[Line]] = defaultdict(list)
    for line in outgoing:
        if line.attempts:
            same[line.channel, line.chat, _plain(line.text)].append(line)
    rest = []
    for one in said:
        known = numbered.get((one.channel, one.chat, str(one.sent.message_id)))
        if known is None:
            rest.append(one)
        else:
            heard[known.id].append(one)
    for one in rest:  # a copy whose number was lost is of the newest that may have been sent once more
        those = same.get((one.channel, one.chat, _plain(one.text)), [])
        of = max(
            those,
            key=lambda line: (line.stored <= one.at + SAME_CLOCK, len(heard[line.id]) < line.attempts, line.id),
            default=None,
        )
        heard[of.id if of is not None else 0].append(one)
    for copies in heard.values():
        copies.sort(key=lambda one: one.number)
    return heard


def _arrived_once(
    ledger: Ledger, outgoing: Sequence[Line], heard: dict[int, list[Said]], ears: Ears, sums: Sums
) -> list[Broken]:
    broken = [Broken(DOUBLED, f"nobody of ours has said {_said(one)}") for one in heard[0]]
    for line in outgoing:
        copies = heard[line.id]
        if len(copies) > 1:
            if line.channel == "telegram" and len(copies) == 2 and ledger.excused(copies[0]):
                sums.repeated.append(_line(line))
            else:
                gaps = ", ".join(f"+{copy.at - copies[0].at:.1f} s" for copy in copies[1:])
                broken.append(Broken(DOUBLED, f"{len(copies)} times ({gaps}): {_line(line)}"))
        if not copies and line.delivery in ("sent", "unknown", "failed"):
            broken.append(Broken(ARRIVED, f"{line.delivery}, but it never arrived: {_line(line)}"))
    return broken


def _in_order(ledger: Ledger, stored: Sequence[Line], heard: dict[int, list[Said]]) -> list[Broken]:
    """Lines stand as they were written, turns read them in order, and messages arrive as they were said."""
    broken = []
    by_chat: dict[int, list[Line]] = defaultdict(list)
    for line in stored:
        by_chat[line.conversation].append(line)
    swapped = {(one.channel, one.chat, str(one.message_id)) for one in ledger.written if one.swapped}
    for those in by_chat.values():
        ours = [line for line in those if line.sender == "customer"]
        typed = [
            line for line in ours if not line.pressed and (line.channel, line.chat, line.message_id) not in swapped
        ]
        broken += _rising(
            typed, [int(line.message_id or 0) for line in typed], "stored before what was written before it"
        )
        turned = [line for line in ours if line.turn is not None]
        broken += _rising(turned, [line.turn or 0 for line in turned], "read before what was written before it")
        said = [line for line in those if heard.get(line.id)]
        broken += _rising(said, [heard[line.id][0].number for line in said], "arrived before what was said before it")
    return broken


def _rising(those: Sequence[Line], numbers: Sequence[int], what: str) -> list[Broken]:
    return [
        Broken(ORDER, f"{what}: {_line(line)}")
        for line, before, number in zip(those[1:], numbers, numbers[1:], strict=False)
        if number < before
    ]


def _agents(ledger: Ledger, outgoing: Sequence[Line], heard: dict[int, list[Said]]) -> list[Broken]:
    """Each reply is there once (that it arrived once is looked at with all others); the bot is silent beside an agent."""
    broken = []
    counted = Counter((line.conversation, line.text) for line in outgoing if line.sender == "agent")
    for reply in ledger.replied:
        if counted[reply.conversation, reply.text] != 1:
            times = counted[reply.conversation, reply.text]
            broken.append(Broken(DOUBLED, f"an agent's reply stands {times} times in the transcript: {reply.text!r}"))
    for line in outgoing:
        if line.sender != "bot":
            continue
        for taken in ledger.taken:
            if taken.conversation != line.conversation or taken.until is None:
                continue
            for copy in heard[line.id]:
                stood_still = any(
                    begun <= taken.since + IN_FLIGHT and copy.at <= ended + IN_FLIGHT for begun, ended in ledger.stopped
                )
                if taken.since + IN_FLIGHT < copy.at < taken.until and not stood_still:
                    broken.append(
                        Broken(SILENT, f"{copy.at - taken.since:.1f} s after an agent took it: {_line(line)}")
                    )
    return broken


# ------------------------------------------------------------------------------------------------------------ for people
def _plain(text: str) -> str:
    return " ".join(text.split())


def _name(written: Written) -> str:
    return f"{written.channel} {written.chat} message {written.message_id} {written.text!r}"


def _line(line: Line) -> str:
    return f"{line.channel} {line.chat} line {line.id} ({line.sender}, {line.delivery or 'read'}) {line.text[:60]!r}"


def _said(said: Said) -> str:
    return f"{said.channel} {said.chat} {said.text[:60]!r}"


def diary(ledger: Ledger, stored: Sequence[Line], ears: Ears, begun: float) -> str:
    """All that was seen, one JSON object a line, times in seconds since the begin: to find out what went wrong."""
    told: list[dict[str, Any]] = [
        *({"written": asdict(one)} for one in ledger.written),
        *({"heard": {"number": one.number, "channel": one.channel, "chat": one.chat, "text": one.text, "at": one.at}} for one in ears.said),
        *({"unclear": {"channel": channel, "chat": chat, "at": at}} for channel, chat, at in ledger.unclear),
        *({"stopped": {"at": since, "until": until}} for since, until in ledger.stopped),
        *({"taken": {"conversation": one.conversation, "at": one.since, "until": one.until}} for one in ledger.taken),
    ]  # fmt: skip
    told.sort(key=lambda entry: next(iter(entry.values()))["at"])
    for entry in told:
        for what in entry.values():
            what |= {name: round(what[name] - begun, 2) for name in ("at", "until") if what.get(name) is not None}
    told += [{"line": asdict(line)} for line in stored]
    return "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in told)
