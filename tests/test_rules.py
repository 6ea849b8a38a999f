"""Every rule of the specification is in the product and in a test, but for a list of exceptions that may only shrink."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
RULES = yaml.safe_load((Path(__file__).parent / "rules.yml").read_text("utf-8"))
FAMILIES = {kind: families for kind, families in RULES.items() if kind != "not_yet"}
NOT_YET = {f"{family}-{number}" for family, numbers in RULES["not_yet"].items() for number in numbers}
ALL = [
    f"{family}-{number}" for families in FAMILIES.values() for family, numbers in families.items() for number in numbers
]


@lru_cache
def ids_in(*folders: str) -> frozenset[str]:
    """All rule ids that occur in the YAML and Python files of some folders."""
    files = [
        file for folder in folders for file in (ROOT / folder).rglob("*") if file.suffix in {".py", ".yml", ".yaml"}
    ]
    own = {Path(__file__), Path(__file__).parent / "rules.yml"}
    return frozenset(
        found
        for file in files
        if file not in own
        for found in re.findall(r"\b[A-Z][A-Z0-9]*-\d+\b", file.read_text("utf-8"))
    )


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule not in NOT_YET])
def test_a_rule_is_in_the_product_and_in_a_test(rule: str) -> None:
    assert rule in ids_in("flows", "bot"), f"{rule} is nowhere in the pack or the code"
    assert rule in ids_in("tests"), f"{rule} is in no test"


@pytest.mark.parametrize("rule", sorted(NOT_YET))
def test_an_exception_is_needed(rule: str) -> None:
    assert rule in ALL, f"{rule} is no rule"
    both = rule in ids_in("flows", "bot") and rule in ids_in("tests")
    assert not both, f"{rule} is there now: take it off the list"
