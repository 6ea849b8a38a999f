"""Every rule of the specification is in the product and in a test, but for a list of exceptions that may only shrink."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot import rules
from bot.errors import SettingsInvalid

ROOT = Path(__file__).parent.parent
RULES = yaml.safe_load((Path(__file__).parent / "rules.yml").read_text("utf-8"))
FAMILIES = {kind: families for kind, families in RULES.items() if kind != "not_yet"}
NOT_YET: dict[str, str] = RULES["not_yet"] or {}
ALL = [
    f"{family}-{number}" for families in FAMILIES.values() for family, numbers in families.items() for number in numbers
]
ID = re.compile(r"\b[A-Z][A-Z0-9]*-\d+\b")
CLAIMS = ("rules", "rule", "shows", "expect")
"""Keys of a talk or example whose rules are held against what happens; `shows` are those that no decision names."""


@lru_cache
def in_product() -> frozenset[str]:
    """All rule ids that occur in the pack and in the code."""
    files = [file for folder in ("flows", "bot") for file in (ROOT / folder).rglob("*")]
    return frozenset(
        found
        for file in files
        if file.suffix in {".py", ".yml", ".yaml"}
        for found in ID.findall(file.read_text("utf-8"))
    )


@lru_cache
def in_tests() -> frozenset[str]:
    """Rule ids that a test is about: named in a claim of a talk or example, or in the code of a test (no comment)."""
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("*.yml"):
        if file.name != "rules.yml":
            found |= set(_claimed(yaml.safe_load(file.read_text("utf-8"))))
    for file in (ROOT / "tests").rglob("*.py"):
        if file != Path(__file__):
            found |= set(_in_code(ast.parse(file.read_text("utf-8"))))
    return frozenset(found)


def _claimed(data: Any) -> Iterator[str]:
    if isinstance(data, list):
        for one in data:
            yield from _claimed(one)
    elif isinstance(data, dict):
        for key, value in data.items():
            if ID.fullmatch(str(key)):  # tables that are keyed by rules
                yield str(key)
            if key in CLAIMS:
                yield from ID.findall(str(value))
            else:
                yield from _claimed(value)


def _in_code(tree: ast.Module) -> Iterator[str]:
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # docstrings
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield from ID.findall(node.value)


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule not in NOT_YET])
def test_a_rule_is_in_the_product_and_in_a_test(rule: str) -> None:
    assert rule in in_product(), f"{rule} is nowhere in the pack or the code"
    assert rule in in_tests(), f"{rule} is in no test"


@pytest.mark.parametrize("rule", sorted(NOT_YET))
def test_an_exception_is_needed_and_has_a_reason(rule: str) -> None:
    assert rule in ALL, f"{rule} is no rule"
    assert len(NOT_YET[rule]) > 10, f"{rule} needs a reason"
    assert not (rule in in_product() and rule in in_tests()), f"{rule} is there now: take it off the list"


class TestTable:
    """`firstline check --rules`."""

    def test_every_family_is_counted(self) -> None:
        found = rules.families()
        assert [rule for family in found for rule in family.rules] == ALL
        for family in found:
            assert set(family.missing) <= set(NOT_YET), family.missing
            assert set(family.rules) >= family.pack | family.code | family.tests

    def test_a_rule_counts_where_its_id_is_written(self, tmp_path: Path) -> None:
        for name, text in {
            "tests/rules.yml": 'shop:\n  AB: ["01", "02", "03"]\nnot_yet:\n  AB: ["03"]\n',
            "tests/test_ab.py": "# AB-01 AB-03",
            "flows/packs/x/flows/a.yml": "rule: AB-01",
            "bot/a.py": '"""AB-02"""',
        }.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, "utf-8")
        (family,) = rules.families(tmp_path)
        assert (family.pack, family.code) == ({"AB-01"}, {"AB-02"})
        assert family.missing == ("AB-02", "AB-03")
        assert list(rules.markdown([family]))[2] == "| shop | AB | 3 | 1 | 1 | 2 | 02, 03 |"

    def test_without_a_checkout_it_says_so(self, tmp_path: Path) -> None:
        with pytest.raises(SettingsInvalid, match="part of a checkout"):
            rules.families(tmp_path)
