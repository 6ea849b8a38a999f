"""`check(pack) -> problems`: everything that is wrong with a pack's content, at once.

One function, one kind of mistake. What cannot even be read is found by `load`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from flows.coverage import cover
from flows.errors import Problem
from flows.match import OPERATORS, compared_with, names
from flows.pack import (
    ActStep,
    AnyStep,
    Branch,
    Call,
    CaseStep,
    Collect,
    Count,
    Fact,
    HandoffStep,
    Kind,
    Pack,
    SayStep,
    SetStep,
    Step,
    TableStep,
    When,
)  # fmt: skip
from flows.phrases import FILTERS, OPTIONAL, PLACEHOLDER, placeholders
from flows.steps import MAX_EACH
from flows.wording import near, none_of

BUTTON_TITLE = 40
"""VK's limit for a button's label, in characters; Telegram's is wider."""
BUTTONS = 10
"""VK's limit for the buttons of one message (what a button carries is ours and always fits)."""
TEXT = 3500
"""Characters of a phrase that are sure to go into one message (4096) once its values are put in."""
READABLE = 600
"""Characters that fit the screen of a phone."""

_OWN = re.compile(
    r"^(topics?|misses|strays|down|readings|handing_to|previous_topic|topic_changed|turn\.\w+|deed\.[\w.]+|request\.\w+|setting\.\w+|told\.\w+|queue_open\.\w+|it\.[\w.]+)$"
)


def check(pack: Pack) -> list[Problem]:
    """Return all problems of a pack, sorted by place; an empty list means it is sound."""
    return sorted(set(chain.from_iterable(one(pack) for one in CHECKS)))


def every_step(pack: Pack) -> Iterator[tuple[str, AnyStep]]:
    """All steps of flows and tables with their places: flow:name.step, table:name.row.step, and so on inside branches."""

    def inside(place: str, steps: Sequence[AnyStep]) -> Iterator[tuple[str, AnyStep]]:
        for number, step in enumerate(steps, start=1):
            here = f"{place}.{number}"
            yield here, step
            if isinstance(step, Branch):
                for at, arm in enumerate(step.branch, start=1):
                    yield from inside(f"{here}.{at}", arm.steps)

    for name, flow in pack.flows.items():
        yield from inside(f"flow:{name}", flow.steps)
    for name, table in pack.tables.items():
        for number, row in enumerate(table.rows, start=1):
            yield from inside(f"table:{name}.{number}", row.steps)


def every_when(pack: Pack) -> Iterator[tuple[str, When]]:
    """All conditions of a pack with their places."""
    for place, step in every_step(pack):
        if step.when:
            yield place, step.when
        if isinstance(step, Branch):
            yield from ((place, arm.when) for arm in step.branch)
    for name, table in pack.tables.items():
        yield from ((f"table:{name}.{number}", row.when) for number, row in enumerate(table.rows, start=1))
    for name, fact in pack.facts.items():
        if fact.when:
            yield f"fact:{name}", fact.when
        yield from ((f"fact:{name}", case.when) for case in fact.cases or ())


def known_name(pack: Pack, name: str) -> bool:
    """Tell whether a name is a slot, a fact, a path into a source, a setting or one of the turn's own."""
    if name in pack.slots or name in pack.facts or name in pack.sources or name in pack.manifest.settings:
        return True
    root = name.split(".")[0]
    return bool(_OWN.match(name)) or ("." in name and (root in pack.sources or root in pack.facts))


def place_of(pack: Pack, place: str) -> str:
    """The file and line of a place (kind:name, with numbers of rows and steps behind dots)."""
    while place not in pack.places and "." in place:
        place = place.rpartition(".")[0]
    file, line = pack.places.get(place, ("pack.yml", 1))
    return f"{file}:{line}"


def _problem(pack: Pack, place: str, text: str) -> Problem:
    kind, _, name = place.partition(":")
    name, *numbers = name.split(".") if kind in ("flow", "table") else (name,)
    row = f", row {numbers[0]}" if kind == "table" and numbers else ""
    return Problem(place_of(pack, place), f"{kind} {name!r}{row}: {text}")


def _remark(pack: Pack, place: str, text: str) -> Problem:
    return replace(_problem(pack, place, text), remark=True)


# -------------------------------------------------------------------------------------------------------- the checks
def names_in_steps_exist(pack: Pack) -> Iterator[Problem]:
    """Steps may name only phrases, tables, flows, slots, queues and categories that there are."""
    for place, step in every_step(pack):
        for kind, name, there in _references(pack, step):
            if name not in there:
                yield _problem(pack, place, f"there is no {kind} {name!r}{near(name, there)}")


def _references(pack: Pack, step: Step) -> Iterator[tuple[str, str, Collection[str]]]:
    match step:
        case SayStep():
            yield from (("phrase", name, pack.phrases) for name in step.say)
        case Collect():
            yield from (("phrase", step.ask, pack.phrases), ("slot", step.collect, pack.slots))
            if step.otherwise:
                yield "flow", step.otherwise, pack.flows
        case TableStep():
            yield "table", step.table, pack.tables
        case Call():
            yield "flow", step.call, pack.flows
        case SetStep():
            yield from (("slot", name, {*pack.slots, "priority"}) for name in step.set)
        case CaseStep():
            yield "category", step.case, pack.categories
            if step.queue:
                yield "queue", step.queue, pack.queues
        case HandoffStep():
            if not step.handoff.startswith("$"):
                yield "queue", step.handoff, pack.queues
            if step.category:
                yield "category", step.category, pack.categories
            if step.notice:
                yield "phrase", step.notice, pack.phrases
        case ActStep():
            yield from (("slot", name, pack.slots) for name in (*filter(None, [step.result]), *step.take))
        case Branch() | Count() | Step():
            return


def manifest_names_exist(pack: Pack) -> Iterator[Problem]:
    """The flows, phrases, tables, queues and buttons that pack.yml names must be there."""
    manifest = pack.manifest
    wanted: list[tuple[str, str, Collection[str]]] = [("flow", manifest.before, pack.flows)]
    wanted += [("flow", name, pack.flows) for name in manifest.repair.model_dump().values()]
    wanted += [("flow", name, pack.flows) for name in (manifest.after,) if name]
    wanted += [("flow", flow.beside, pack.flows) for flow in pack.flows.values() if flow.beside]
    wanted += [("phrase", name, pack.phrases) for name in manifest.notices.model_dump().values()]
    wanted += [("button", name, pack.buttons) for name in (manifest.specialist, manifest.cancel) if name]
    wanted += [("table", manifest.priority, pack.tables)]
    wanted += [("queue", name, pack.queues) for name in (*manifest.queue_priority, manifest.queue_default)]
    wanted += [("category", manifest.case_default, pack.categories), ("fact", manifest.mood, pack.facts)]
    for kind, name, there in wanted:
        if name not in there:
            yield _problem(pack, "manifest:pack.yml", f"there is no {kind} {name!r}{near(name, there)}")


def queues_name_known_things(pack: Pack) -> Iterator[Problem]:
    """Hours, topics, cases and other queues that a queue names must be there."""
    for place, queue in pack.queues.items():
        own = queue.topics.values()
        named: list[tuple[str, Collection[str], Sequence[str | None]]] = [
            ("hours", {*pack.hours, "always"}, (queue.hours, *(one.hours for one in own))),
            ("category", pack.categories, (queue.out_of_hours, *(one.out_of_hours for one in own))),
            ("intent", pack.intents, tuple(queue.topics)),
            ("queue", pack.queues, (queue.handoff_to,)),
        ]
        for kind, there, names_ in named:
            for name in names_:
                if name is not None and name not in there:
                    yield _problem(pack, f"queue:{place}", f"there is no {kind} {name!r}{near(name, there)}")


def every_intent_has_one_flow(pack: Pack) -> Iterator[Problem]:
    """Every intent ends in an answer or a queue, so exactly one flow serves it."""
    served: dict[str, list[str]] = {}
    for name, flow in pack.flows.items():
        for intent in flow.intents:
            served.setdefault(intent, []).append(name)
            if intent not in pack.intents:
                yield _problem(pack, f"flow:{name}", f"there is no intent {intent!r}{near(intent, pack.intents)}")
    for intent in pack.intents:
        flows = served.get(intent, [])
        if len(flows) != 1:
            yield _problem(pack, f"intent:{intent}", f"is served by {', '.join(flows) or 'no flow'}")


def _near_name(pack: Pack, name: str) -> str:
    return near(name, [*pack.slots, *pack.facts, *pack.sources])


def conditions_name_known_things(pack: Pack) -> Iterator[Problem]:
    """Conditions may speak only of slots and facts that there are, in values that those can have."""
    for place, when in every_when(pack):
        for name in names(when):
            if not known_name(pack, name):
                yield _problem(pack, place, f"there is no slot or fact {name!r}{_near_name(pack, name)}")
        yield from (_problem(pack, place, text) for text in _wrong_values(pack, when))


def _wrong_values(pack: Pack, when: When) -> Iterator[str]:
    for name, condition in when.items():
        if name == "any":
            for arm in condition:
                yield from _wrong_values(pack, arm)
            continue
        if isinstance(condition, dict) and not set(condition) <= OPERATORS:
            wrong = sorted(set(condition) - OPERATORS)
            yield f"{name}: unknown operator {', '.join(wrong)}{none_of(wrong[0], sorted(OPERATORS))}"
            continue
        fact, slot = pack.facts.get(name), pack.slots.get(name)
        allowed: set[object] = set(fact.values if fact else ()) | set((slot.values or {}) if slot else ())
        kind = fact.type if fact else slot.type if slot else None
        if kind is Kind.ENUM and allowed:
            for value in _flat(condition):
                if isinstance(value, str) and value not in allowed:
                    yield f"{name} is never {value!r}{none_of(value, sorted(map(str, allowed)))}"


def _flat(condition: object) -> Iterator[object]:
    if isinstance(condition, dict):
        for operator, operand in condition.items():
            if operator in ("not", "all"):
                yield from _flat(operand)
    elif isinstance(condition, list | tuple):
        for one in condition:
            yield from _flat(one)
    else:
        yield condition


def facts_name_known_things(pack: Pack) -> Iterator[Problem]:
    """Facts and sources may be derived only from what there is."""
    for name, fact in pack.facts.items():
        for other in _fact_names(fact):
            if not known_name(pack, other):
                yield _problem(pack, f"fact:{name}", f"there is no slot or fact {other!r}{_near_name(pack, other)}")
    for name, source in pack.sources.items():
        for other in source.args.values():
            if not known_name(pack, other):
                yield _problem(pack, f"source:{name}", f"there is no slot or fact {other!r}{_near_name(pack, other)}")


def _fact_names(fact: Fact) -> Iterator[str]:
    yield from (name for name in (fact.path, fact.days_since, fact.month_of) if name)
    yield from (*(fact.known or ()), *(fact.sum_of or ()))
    yield from (case.take for case in fact.cases or () if case.take)
    if fact.plus_days:
        yield fact.plus_days[0]
    for pair in (fact.same_name, fact.same_place):
        if pair:
            yield from (pair.said, pair.known)
    if fact.entry:
        yield fact.entry.key
    for query in (fact.count, fact.leading, fact.pick, fact.last, fact.those, fact.every):
        if query:
            yield query.of


def phrases_can_be_rendered(pack: Pack) -> Iterator[Problem]:
    """Placeholders name known values and filters; buttons exist."""
    for name, phrase in pack.phrases.items():
        place = f"phrase:{name}"
        for text in phrase.say:
            for found in PLACEHOLDER.finditer(text):
                if not known_name(pack, found[1]):
                    yield _problem(pack, place, f"there is no value {found[1]!r}{_near_name(pack, found[1])}")
                for spec in filter(None, found[2].split("|")):
                    if (name_of := spec.split(":")[0]) not in FILTERS:
                        yield _problem(pack, place, f"there is no filter {name_of!r}{none_of(name_of, FILTERS)}")
        for button in phrase.buttons:
            if isinstance(button, str) and button not in pack.buttons:
                yield _problem(pack, place, f"there is no button {button!r}{none_of(button, pack.buttons)}")


def phrases_tell_what_they_must(pack: Pack) -> Iterator[Problem]:
    """What a phrase must convey stands in every variant, and not in brackets, which may be left out."""
    for name, phrase in pack.phrases.items():
        for number, text in enumerate(phrase.say, start=1):
            sure, anywhere = placeholders(OPTIONAL.sub("", text)), placeholders(text)
            for needed in phrase.convey:
                if needed not in sure:
                    only = " but in [[…]], which may be left out" if needed in anywhere else ""
                    yield _problem(pack, f"phrase:{name}", f"variant {number} does not tell {{{needed}}}{only}")


def texts_fit_messengers(pack: Pack) -> Iterator[Problem]:
    """A text fits into one message, and is short enough to be read."""
    for name, phrase in pack.phrases.items():
        for number, text in enumerate(phrase.say, start=1):
            if len(text) > TEXT:
                yield _problem(pack, f"phrase:{name}", f"variant {number} has {len(text)} characters, more than {TEXT}")
            elif len(text) > READABLE:
                told = (
                    f"variant {number} has {len(text)} characters: more than the {READABLE} that fit a phone's screen"
                )
                yield _remark(pack, f"phrase:{name}", told)


def buttons_fit_messengers(pack: Pack) -> Iterator[Problem]:
    """A title fits onto a button and there are not more buttons than a message may have: else VK shows numbers."""
    for name, button in pack.buttons.items():
        yield from _title(pack, f"button:{name}", button.title)
    for name, phrase in pack.phrases.items():
        place, own = f"phrase:{name}", [one for one in phrase.buttons if not isinstance(one, str)]
        for button in own:
            yield from _title(pack, place, button.title)
        most = len(phrase.buttons) + (MAX_EACH if phrase.each else 0)
        if most > BUTTONS:
            yield _remark(
                pack, place, f"may have {most} buttons: from {BUTTONS + 1} on VK shows them as a numbered list"
            )


def _title(pack: Pack, place: str, title: str) -> Iterator[Problem]:
    fixed = PLACEHOLDER.sub("", title)
    if len(fixed) > BUTTON_TITLE:
        yield _problem(
            pack, place, f"the button {title!r} is longer than {BUTTON_TITLE} characters, the most that VK shows"
        )
    elif fixed != title and len(fixed) > BUTTON_TITLE // 2:
        yield _remark(
            pack,
            place,
            f"the button {title!r} leaves its value {BUTTON_TITLE - len(fixed)} of {BUTTON_TITLE} characters",
        )


def texts_for_people_can_be_filled(pack: Pack) -> Iterator[Problem]:
    """Placeholders in reasons, next steps, notes and what the CRM is told name known values."""
    for place, step in every_step(pack):
        match step:
            case HandoffStep() | CaseStep():
                texts = [step.why, step.next_step or ""]
            case ActStep():
                texts = list(step.args.values())
            case _:
                continue
        for name in {name for text in texts for name in placeholders(text)}:
            if not known_name(pack, name):
                yield _problem(pack, place, f"there is no value {name!r}")


def nothing_forbidden_is_said(pack: Pack) -> Iterator[Problem]:
    """No phrase says what must never be said."""
    patterns = [re.compile(pattern, re.I) for pattern in pack.manifest.never_say]
    for name, phrase in pack.phrases.items():
        for text in phrase.say:
            for pattern in patterns:
                if pattern.search(text):
                    yield _problem(pack, f"phrase:{name}", f"says what must never be said: {pattern.pattern}")


def everything_is_used(pack: Pack) -> Iterator[Problem]:
    """A phrase, table or flow that nothing leads to is dead content."""
    steps = [step for _, step in every_step(pack)]
    manifest = pack.manifest
    said = {name for step in steps if isinstance(step, SayStep) for name in step.say}
    said |= {step.ask for step in steps if isinstance(step, Collect)}
    said |= {step.notice for step in steps if isinstance(step, HandoffStep) and step.notice}
    said |= set(manifest.notices.model_dump().values())
    asked = {step.table for step in steps if isinstance(step, TableStep)} | {manifest.priority}
    buttons = [one for phrase in pack.phrases.values() for one in phrase.buttons if not isinstance(one, str)]
    pressed = {one.value.removeprefix("flow:") for one in (*buttons, *pack.buttons.values())}
    pressed |= {phrase.offer.removeprefix("flow:") for phrase in pack.phrases.values() if phrase.offer}
    called = {step.call for step in steps if isinstance(step, Call)} | pressed | {manifest.before}
    called |= {name for name in (manifest.after, *(flow.beside for flow in pack.flows.values())) if name}
    called |= {step.otherwise for step in steps if isinstance(step, Collect) and step.otherwise}
    called |= set(manifest.repair.model_dump().values()) | {name for name, flow in pack.flows.items() if flow.intents}
    for kind, there, used in (
        ("phrase", pack.phrases, said),
        ("table", pack.tables, asked),
        ("flow", pack.flows, called),
    ):
        for name in set(there) - used:
            yield _problem(pack, f"{kind}:{name}", "nothing leads to it")


def tables_are_complete(pack: Pack) -> Iterator[Problem]:
    """No combination of values falls through a table, and no row is dead."""
    for name, table in pack.tables.items():
        if any(text for row in table.rows for text in _wrong_values(pack, row.when)):
            continue  # told by another check
        found = cover(pack, table)
        if found.gap is not None:
            case = ", ".join(
                f"{key}={'unknown' if value is None else value}" for key, value in sorted(found.gap.items())
            )
            yield _problem(pack, f"table:{name}", f"no row for {case or 'anything'}")
        for number in found.dead:
            yield _problem(pack, f"table:{name}.{number}", "this row can never apply")
        if not found.complete:
            yield _problem(pack, f"table:{name}", "has too many combinations to check; split it")


def rows_compare_with_numbers(pack: Pack) -> Iterator[Problem]:
    """A table's row compares with a number, not with a name: only so can it be proved that no case falls through."""
    for name, table in pack.tables.items():
        for number, row in enumerate(table.rows, start=1):
            if named := compared_with(row.when):
                yield _problem(pack, f"table:{name}.{number}", f"compares with {', '.join(named)}: make a fact of it")


CHECKS: tuple[Callable[[Pack], Iterator[Problem]], ...] = (
    names_in_steps_exist,
    manifest_names_exist,
    queues_name_known_things,
    every_intent_has_one_flow,
    conditions_name_known_things,
    facts_name_known_things,
    phrases_can_be_rendered,
    texts_for_people_can_be_filled,
    phrases_tell_what_they_must,
    texts_fit_messengers,
    buttons_fit_messengers,
    nothing_forbidden_is_said,
    everything_is_used,
    rows_compare_with_numbers,
    tables_are_complete,
)
