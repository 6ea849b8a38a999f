"""`check(pack) -> problems`: everything that is wrong with a pack's content, at once.

One function, one kind of mistake. What cannot even be read is found by `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, combinations

from flows import check_quick, check_texts, check_titles
from flows.coverage import cover
from flows.errors import Problem
from flows.hours import never_opens
from flows.known import Fact, Kind, When
from flows.match import OPERATORS, compared_with, names
from flows.pack import (
    ActStep,
    Branch,
    Call,
    CaseStep,
    Collect,
    Count,
    HandoffStep,
    Pack,
    SayStep,
    SetStep,
    Step,
    TableStep,
)
from flows.places import every_step, every_when, known_name, near_name, problem
from flows.queues import days_of
from flows.wording import near, none_of

SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)
"""From which hours are tried: what holds every year holds from then on."""


def check(pack: Pack) -> list[Problem]:
    """Return all problems of a pack, sorted by place; an empty list means it is sound."""
    return sorted(set(chain.from_iterable(one(pack) for one in CHECKS)))


# -------------------------------------------------------------------------------------------------------- the checks
def names_in_steps_exist(pack: Pack) -> Iterator[Problem]:
    """Steps may name only phrases, tables, flows, slots, queues and categories that there are."""
    for place, step in every_step(pack):
        for kind, name, there in _references(pack, step):
            if name not in there:
                yield problem(pack, place, f"there is no {kind} {name!r}{near(name, there)}")


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
    wanted += [("phrase", name, pack.phrases) for name in manifest.notices.model_dump(exclude_none=True).values()]
    if manifest.marks is not None:
        marks = manifest.marks
        wanted += [("phrase", name, pack.phrases) for name in marks.phrases]
        intents = (*marks.comment_intents, *marks.service_intents, *marks.refusing_intents, *marks.back_intents)
        wanted += [("intent", name, pack.intents) for name in intents]
    wanted += [("button", name, pack.buttons) for name in (manifest.specialist, manifest.cancel) if name]
    wanted += [("table", manifest.priority, pack.tables)]
    wanted += [("queue", name, pack.queues) for name in (*manifest.queue_priority, manifest.queue_default)]
    wanted += [("category", manifest.case_default, pack.categories), ("fact", manifest.mood, pack.facts)]
    for kind, name, there in wanted:
        if name not in there:
            yield problem(pack, "manifest:pack.yml", f"there is no {kind} {name!r}{near(name, there)}")


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
                    yield problem(pack, f"queue:{place}", f"there is no {kind} {name!r}{near(name, there)}")


def hours_open_at_some_time(pack: Pack) -> Iterator[Problem]:
    """A queue that never opens would leave its customers waiting for ever."""
    for name, hours in pack.hours.items():
        if never_opens(hours, SOME_DAY):
            yield problem(pack, f"hours:{name}", "never open: no day of the week and no holiday has hours")
        for one, other in combinations(hours.holidays, 2):
            first, second = days_of(one), days_of(other)
            both = first.has(second.first) or second.has(first.first)
            if both and first.rank == second.rank and hours.holidays[one] != hours.holidays[other]:
                yield problem(pack, f"hours:{name}", f"the holidays {one} and {other} say different things of a day")


def skills_name_known_things(pack: Pack) -> Iterator[Problem]:
    """Topics and marks that a skill names must be there, and a skill that nothing wants is a misprint."""
    marks = {mark for _, step in every_step(pack) if isinstance(step, HandoffStep) for mark in step.mark}
    for name, skill in pack.skills.items():
        for kind, wanted, there in (("intent", skill.topics, pack.intents), ("mark", skill.marks, marks)):
            for one in wanted:
                if one not in there:
                    yield problem(pack, f"skill:{name}", f"there is no {kind} {one!r}{near(one, there)}")
        if not skill.topics and not skill.marks and name not in marks:
            yield problem(pack, f"skill:{name}", "no topic and no mark wants it")


def every_intent_has_one_flow(pack: Pack) -> Iterator[Problem]:
    """Every intent ends in an answer or a queue, so exactly one flow serves it."""
    served: dict[str, list[str]] = {}
    for name, flow in pack.flows.items():
        for intent in flow.intents:
            served.setdefault(intent, []).append(name)
            if intent not in pack.intents:
                yield problem(pack, f"flow:{name}", f"there is no intent {intent!r}{near(intent, pack.intents)}")
    for intent in pack.intents:
        flows = served.get(intent, [])
        if len(flows) != 1:
            yield problem(pack, f"intent:{intent}", f"is served by {', '.join(flows) or 'no flow'}")


def conditions_name_known_things(pack: Pack) -> Iterator[Problem]:
    """Conditions may speak only of slots and facts that there are, in values that those can have."""
    for place, when in every_when(pack):
        for name in names(when):
            if not known_name(pack, name):
                yield problem(pack, place, f"there is no slot or fact {name!r}{near_name(pack, name)}")
        yield from (problem(pack, place, text) for text in _wrong_values(pack, when))


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
                yield problem(pack, f"fact:{name}", f"there is no slot or fact {other!r}{near_name(pack, other)}")
    for name, source in pack.sources.items():
        for other in source.args.values():
            if not known_name(pack, other):
                yield problem(pack, f"source:{name}", f"there is no slot or fact {other!r}{near_name(pack, other)}")


def _fact_names(fact: Fact) -> Iterator[str]:
    yield from (name for name in (fact.path, fact.days_since, fact.hours_since, fact.month_of) if name)
    yield from (*(fact.known or ()), *(fact.sum_of or ()))
    yield from (case.take for case in fact.cases or () if case.take)
    if fact.plus_days:
        yield fact.plus_days[0]
    for pair in (fact.same_name, fact.same_place, fact.nothing_new):
        if pair:
            yield from (pair.said, pair.known)
    if fact.entry:
        yield fact.entry.key
    for query in (fact.count, fact.leading, fact.pick, fact.last, fact.those, fact.every):
        if query:
            yield query.of


def everything_is_used(pack: Pack) -> Iterator[Problem]:
    """A phrase, table or flow that nothing leads to is dead content."""
    steps = [step for _, step in every_step(pack)]
    manifest = pack.manifest
    said = {name for step in steps if isinstance(step, SayStep) for name in step.say}
    said |= {step.ask for step in steps if isinstance(step, Collect)}
    said |= {step.notice for step in steps if isinstance(step, HandoffStep) and step.notice}
    said |= {
        *manifest.notices.model_dump(exclude_none=True).values(),
        *(manifest.marks.phrases if manifest.marks else ()),
    }
    asked = {step.table for step in steps if isinstance(step, TableStep)} | {manifest.priority}
    buttons = [one for phrase in pack.phrases.values() for one in phrase.buttons if not isinstance(one, str)]
    pressed = {one.value.removeprefix("flow:") for one in (*buttons, *pack.buttons.values())}
    pressed |= {phrase.offer.removeprefix("flow:") for phrase in pack.phrases.values() if phrase.offer}
    called = {step.call for step in steps if isinstance(step, Call)} | pressed | {manifest.before}
    called |= {name for name in (manifest.after, *(flow.beside for flow in pack.flows.values())) if name}
    called |= {step.otherwise for step in steps if isinstance(step, Collect) and step.otherwise}
    called |= set(manifest.repair.model_dump().values()) | {
        name for name, flow in pack.flows.items() if flow.intents or flow.hears
    }
    for kind, there, used in (
        ("phrase", pack.phrases, said),
        ("table", pack.tables, asked),
        ("flow", pack.flows, called),
    ):
        for name in set(there) - used:
            yield problem(pack, f"{kind}:{name}", "nothing leads to it")


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
            yield problem(pack, f"table:{name}", f"no row for {case or 'anything'}")
        for number in found.dead:
            yield problem(pack, f"table:{name}.{number}", "this row can never apply")
        if not found.complete:
            yield problem(pack, f"table:{name}", "has too many combinations to check; split it")


def rows_compare_with_numbers(pack: Pack) -> Iterator[Problem]:
    """A table's row compares with a number, not with a name: only so can it be proved that no case falls through."""
    for name, table in pack.tables.items():
        for number, row in enumerate(table.rows, start=1):
            if named := compared_with(row.when):
                yield problem(pack, f"table:{name}.{number}", f"compares with {', '.join(named)}: make a fact of it")


CHECKS: tuple[Callable[[Pack], Iterator[Problem]], ...] = (
    names_in_steps_exist,
    manifest_names_exist,
    queues_name_known_things,
    hours_open_at_some_time,
    skills_name_known_things,
    every_intent_has_one_flow,
    conditions_name_known_things,
    facts_name_known_things,
    *check_texts.CHECKS,
    *check_quick.CHECKS,
    *check_titles.CHECKS,
    everything_is_used,
    rows_compare_with_numbers,
    tables_are_complete,
)
