"""Content in plain Russian: conditions, steps and values as `explain` and `draw` show them to those who write it.

With `titled` they are told in the words of the pack's titles, for agents, without the code names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from flows.known import When
from flows.match import COMPARISON
from flows.pack import (
    ActStep,
    AnyStep,
    Branch,
    Call,
    CaseStep,
    Collect,
    Count,
    HandoffStep,
    Pack,
    SayStep,
    SetStep,
    Special,
    Stop,
    TableStep,
)
from flows.phrases import PLACEHOLDER
from flows.titles import flow_title, known_title, table_title, value_words
from flows.trace import kind_of

SIGNS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">", "min": "≥", "max": "≤", "above": ">", "below": "<"}
VERBS = {
    "say": "Сказать", "collect": "Спросить", "table": "Решить по таблице", "branch": "Развилка", "call": "Перейти в поток",
    "set": "Запомнить", "count": "Сосчитать", "act": "Изменить в CRM", "handoff": "Передать людям", "case": "Завести задачу",
    "stop": "Закончить ответ", "do": "Сделать",
}  # fmt: skip
SPECIALS = {
    "cancel_request": "отменить обращение", "close": "закрыть обращение", "forget": "забыть открытые вопросы",
    "repeat": "повторить вопрос", "previous": "вернуться к прежнему",
}  # fmt: skip
HITS = {
    "first": "действует первая строка, чьи условия выполнены",
    "priority": "из подходящих действует строка с наибольшим priority, затем с большим числом условий",
    "rank": "из подходящих решает строка с наименьшим rank; строки без rank действуют вместе с ней",
    "collect": "действуют все подходящие строки, сверху вниз",
    "unique": "подходит не больше одной строки",
}  # fmt: skip


def value_text(pack: Pack, name: str, value: Any, *, titled: bool = False) -> str:
    """A value of a slot or fact, with its label where the pack has one; titled: in words alone."""
    if value is None:
        return "неизвестно"
    if isinstance(value, bool):
        return "да" if value else "нет"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(value_text(pack, name, one, titled=titled) for one in value) or "пусто"
    if titled:
        return value_words(pack, name, value)
    label = pack.manifest.directories.get(f"labels_{name}", {}).get(str(value), {}).get("title")
    return f"{value} ({label})" if label else str(value)


def condition_text(pack: Pack, name: str, wants: Any, *, titled: bool = False) -> str:
    """One condition: «stage: не arrived (прибыл в город)», «days_left ≤ 14»; titled: «где посылка: не прибыл в город»."""
    about, told = condition_parts(pack, name, wants, titled=titled)
    return told if not about else f"{about} {told}" if told[:1] in "<>≤≥" else f"{about}: {told}"


def condition_parts(pack: Pack, name: str, wants: Any, *, titled: bool = False) -> tuple[str, str]:
    """What a condition is about ("" for alternatives) and what it wants."""
    if name == "any":
        arms = [when_text(pack, arm, titled=titled) for arm in wants]
        return "", " или ".join(f"({arm})" if "; " in arm else arm for arm in arms)
    about = known_title(pack, name) if titled else None
    return about or name, _wanted(pack, name, wants, titled=titled)


def when_text(pack: Pack, when: When, *, titled: bool = False) -> str:
    """Conditions of a step, row or arm, in one line."""
    return "; ".join(condition_text(pack, name, wants, titled=titled) for name, wants in when.items())


def _wanted(pack: Pack, name: str, wants: Any, *, titled: bool) -> str:
    if isinstance(wants, Mapping):
        return ", ".join(_operator(pack, name, *one, titled=titled) for one in wants.items())
    if isinstance(wants, list | tuple):
        *first, last = [_wanted(pack, name, one, titled=titled) for one in wants] or [""]
        return f"{', '.join(first)} или {last}" if first else last
    if isinstance(wants, str) and (found := COMPARISON.match(wants)):
        number = value_words(pack, name, found[2]) if titled else found[2]
        return f"{SIGNS[found[1]]} {number}"
    return value_text(pack, name, wants, titled=titled)


def _operator(pack: Pack, name: str, operator: str, operand: Any, *, titled: bool) -> str:
    match operator:
        case "not":
            return f"не {_wanted(pack, name, operand, titled=titled)}"
        case "known":
            return "известно" if operand else "неизвестно"
        case "not_empty":
            return "не пусто" if operand else "пусто"
        case "all":
            return f"всё из: {', '.join(value_text(pack, name, one, titled=titled) for one in operand)}"
        case "starts_with":
            return f"начинается с {operand}"
    return f"{SIGNS.get(operator, operator)} {operand}"


def verb(step: AnyStep) -> str:
    """What a step does, in a word or two."""
    return VERBS[kind_of(step)]


def targets(step: AnyStep) -> str:
    """What a step does it with: the names of phrases, tables, flows, slots, queues."""
    match step:
        case SayStep():
            return ", ".join(step.say)
        case Collect():
            return step.collect
        case TableStep():
            return step.table
        case Call():
            return step.call
        case SetStep():
            return "; ".join(f"{name} = {_assigned(value)}" for name, value in step.set.items())
        case Count():
            return step.count
        case ActStep():
            return step.act
        case HandoffStep():
            return step.handoff
        case CaseStep():
            return step.case
        case Special():
            return SPECIALS.get(step.do, step.do)
        case Branch() | Stop():
            return ""


def titled_target(pack: Pack, step: AnyStep) -> str:
    """What a step does it with, by the pack's titles; nothing where the words of `texts` say it all."""
    match step:
        case Collect():
            return known_title(pack, step.collect) or step.collect
        case TableStep():
            return f"«{table_title(pack, step.table) or step.table}»"
        case Call():
            return f"«{flow_title(pack, step.call) or step.call}»"
        case SetStep():
            return titled_values(pack, step.set)
        case Count():
            return known_title(pack, step.count) or step.count
        case ActStep():
            return value_words(pack, "deeds", step.act)
        case HandoffStep():
            return f"«{pack.queues[step.handoff].title}»" if step.handoff in pack.queues else ""
        case CaseStep():
            return f"«{pack.categories[step.case].title}»" if step.case in pack.categories else step.case
        case Special():
            return SPECIALS.get(step.do, step.do)
        case SayStep() | Branch() | Stop():
            return ""


def titled_values(pack: Pack, values: Mapping[str, Any]) -> str:
    """Slots and what they are set to, by the pack's titles."""
    told = (
        (known_title(pack, name) or name, value_text(pack, name, value, titled=True)) for name, value in values.items()
    )
    return "; ".join(f"{title} — {value}" for title, value in told)


def texts(pack: Pack, step: AnyStep) -> Sequence[str]:
    """What a step comes to for the customer or the agent: the words of its phrases, the reason of a handoff."""
    match step:
        case SayStep():
            return [phrase_text(pack, name) for name in step.say]
        case Collect():
            return [phrase_text(pack, step.ask)]
        case HandoffStep() | CaseStep():
            return [step.why, *([f"дальше: {step.next_step}"] if step.next_step else [])]
        case _:
            return []


def phrase_text(pack: Pack, name: str) -> str:
    """A phrase's first variant; its name where there is no such phrase."""
    return pack.phrases[name].say[0] if name in pack.phrases else name


def readable(text: str, pack: Pack | None = None) -> str:
    """A text with placeholders as people read it: without filters and brackets, a plural in its last form.

    pack: its titles stand in place of the names
    """
    text = re.sub(r"\{[\w.$]+\|plural:(?:[^{}|,]*,){2}([^{}|,]*)\}", r"\1", text)
    text = PLACEHOLDER.sub(lambda found: f"{{{(pack and known_title(pack, found[1])) or found[1]}}}", text)
    return text.replace("[[", "").replace("]]", "")


def _assigned(value: Any) -> str:
    if isinstance(value, str) and value.startswith("$"):
        return value[1:]
    if value is None or isinstance(value, bool):
        return {None: "ничего", True: "да", False: "нет"}[value]
    return str(value)
