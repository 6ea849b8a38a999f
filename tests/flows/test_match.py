"""The condition language: what holds, and that unknown is not false."""

from __future__ import annotations

from typing import Any

import pytest

from flows.match import holds, matches, names


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("exported", "exported", True),
        ("exported", "new", False),
        ("exported", None, False),
        (["post", "courier"], "courier", True),
        (["post", None], None, True),
        (["post"], None, False),
        (True, True, True),
        (True, 1, False),
        (True, None, False),
        (None, None, True),
        (None, False, False),
        (3, 3.0, True),
        ("<30", 29, True),
        ("<30", 30, False),
        ("<=14", 14, True),
        (">14", 15, True),
        (">=2", "2", True),
        (">14", None, False),
        ({"not": "arrived"}, "line_haul", True),
        ({"not": "arrived"}, None, True),
        ({"not": ["new", "cart"]}, "cart", False),
        ({"not": ">14"}, 14, True),
        ({"not": ">14"}, 15, False),
        ({"not": ">14"}, None, True),
        ({"not": None}, None, False),
        ({"not": None}, "x", True),
        ({"known": True}, 0, True),
        ({"known": False}, None, True),
        (["vip"], ["b2b", "vip"], True),
        ("vip", ["b2b"], False),
        ({"all": ["b2b", "vip"]}, ["vip", "b2b", "x"], True),
        ({"all": ["b2b", "vip"]}, ["vip"], False),
        ({"not": ["b2b"]}, ["vip"], True),
        ({"not": ["b2b"]}, ["vip", "b2b"], False),
        ({"not_empty": True}, [], False),
        ({"not_empty": True}, ["x"], True),
        ({"starts_with": "FRESH_MINI_"}, "FRESH_MINI_17", True),
        ({"starts_with": "FRESH_MINI_"}, None, False),
        ({"min": 1, "max": 15}, 15, True),
        ({"min": 1, "max": 15}, 0, False),
        ({"above": 1}, 1, False),
        ({"below": 2}, 1, True),
    ],
)
def test_a_condition_holds_as_the_rules_say(condition: Any, value: Any, expected: bool) -> None:
    assert holds(condition, value) is expected


def test_all_conditions_must_hold_and_one_arm_of_any() -> None:
    known = {"status": "exported", "stage": "arrived", "flag": None}
    assert matches({"status": "exported", "any": [{"stage": "none"}, {"stage": "arrived"}]}, known.get)
    assert not matches({"status": "exported", "any": [{"stage": "none"}, {"flag": True}]}, known.get)
    assert matches({}, known.get)


def test_an_unknown_operator_is_an_error_not_a_miss() -> None:
    with pytest.raises(ValueError, match="unknown operator"):
        holds({"nearly": 3}, 3)


def test_names_are_found_inside_of_any() -> None:
    assert names({"a": 1, "any": [{"b": 2}, {"c": {"not": 1}}]}) == {"a", "b", "c"}


def test_a_limit_may_be_the_value_of_a_setting() -> None:
    known = {"returns": 2, "setting.most": 3, "nothing": None}
    assert not matches({"returns": ">=$setting.most"}, known.get)
    assert matches({"returns": {"not": ">=$setting.most"}}, known.get)
    assert matches({"any": [{"returns": ["<$setting.most", None]}]}, known.get)
    assert not matches({"returns": ">=$nothing"}, known.get)
    assert names({"returns": {"not": ">=$setting.most"}}) == {"returns", "setting.most"}
