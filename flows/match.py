"""The condition language of tables, branches and facts: a mapping of names to conditions, all of which must hold.

    status: exported                    equals
    delivery: [post, courier, null]     is one of these (null: not known); of a set: at least one is in it
    days_since_buyout: "<=14"           a number compares; false when not known
    last_returns_in_row: ">=$serial_returner_orders"    with the value of a setting, slot or fact (not in a table's rows)
    bought_out: null                    is not known
    stage: {not: arrived}               is none of these; what is not known satisfies it; {not: ">14"} too
    customer.flags: {all: [b2b, vip]}   a set holds them all; {not_empty: true}
    warehouse: {starts_with: FRESH_}    {min, max, above, below} for numbers, {known: true}
    any: [{…}, {…}]                     at least one of these mappings holds

An unknown value (None) satisfies only null, {not: …} and {known: false}: unknown is not false.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Get = Callable[[str], Any]
"""Gives a slot's or fact's value by name; None when it is not known."""

COMPARISON = re.compile(r"^(<=|>=|<|>)\s*(-?\d+(?:\.\d+)?)$")
BY_NAME = re.compile(r"^(<=|>=|<|>)\s*\$([a-z_][\w.]*)$")
OPERATORS = frozenset({"not", "all", "not_empty", "starts_with", "min", "max", "above", "below", "known"})
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}


def matches(when: Mapping[str, Any], get: Get) -> bool:
    """Tell whether all conditions hold. Values are asked for one by one, so a false one saves the rest."""
    for name, condition in when.items():
        if name == "any":
            if not any(matches(arm, get) for arm in condition):
                return False
        elif not holds(_limit(condition, get), get(name)):
            return False
    return True


def holds(condition: Any, value: Any) -> bool:
    """Tell whether one condition holds for one value."""
    if isinstance(condition, Mapping):
        return all(_operator(name, operand, value) for name, operand in condition.items())
    if isinstance(condition, list | tuple):
        return any(holds(one, value) for one in condition)
    if condition is None or value is None:
        return condition is None and value is None
    if isinstance(condition, str) and (comparison := COMPARISON.match(condition)):
        number = _number(value)
        return number is not None and _COMPARE[comparison[1]](number, float(comparison[2]))
    if isinstance(value, list | tuple | set | frozenset):
        return condition in value
    return (type(condition) is type(value) and condition == value) or _same_number(condition, value)


def names(when: Mapping[str, Any]) -> set[str]:
    """Names of all slots and facts that the conditions speak of."""
    found: set[str] = set()
    for name, condition in when.items():
        if name == "any":
            for arm in condition:
                found |= names(arm)
        else:
            found |= {name, *compared_with(condition)}
    return found


def compared_with(condition: Any) -> set[str]:
    """Names whose values a condition compares with (">=$serial_returner_orders")."""
    if isinstance(condition, Mapping):
        return set().union(*map(compared_with, condition.values()))
    if isinstance(condition, list | tuple):
        return set().union(*map(compared_with, condition))
    found = BY_NAME.match(condition) if isinstance(condition, str) else None
    return {found[2]} if found else set()


def size(when: Mapping[str, Any]) -> int:
    """Number of conditions: among answers of one priority the one with most conditions wins."""
    return len(when)


def _limit(condition: Any, get: Get) -> Any:
    """Put the value of a name into a comparison with it."""
    if isinstance(condition, Mapping):
        return {name: _limit(operand, get) for name, operand in condition.items()}
    if isinstance(condition, list | tuple):
        return [_limit(one, get) for one in condition]
    found = BY_NAME.match(condition) if isinstance(condition, str) else None
    return f"{found[1]}{get(found[2])}" if found else condition


def _operator(name: str, operand: Any, value: Any) -> bool:
    match name:
        case "not":
            return (value is None and operand is not None) or not holds(operand, value)
        case "known":
            return (value is not None) is bool(operand)
        case "not_empty":
            return bool(value) is bool(operand)
        case "all":
            return isinstance(value, list | tuple | set | frozenset) and all(one in value for one in operand)
        case "starts_with":
            return isinstance(value, str) and value.startswith(operand)
        case "min" | "max" | "above" | "below":
            sign = {"min": ">=", "max": "<=", "above": ">", "below": "<"}[name]
            number = _number(value)
            return number is not None and _COMPARE[sign](number, float(operand))
        case _:
            raise ValueError(f"unknown operator {name!r}")


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _same_number(condition: Any, value: Any) -> bool:
    both = (condition, value)
    return all(isinstance(one, int | float) and not isinstance(one, bool) for one in both) and condition == value
