"""Every rule of the specification is in the product and in a test, but for a list of exceptions that may only shrink."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from bot import rules
from bot.errors import SettingsInvalid

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
    return rules.ids_in(ROOT, *folders)


@pytest.mark.parametrize("rule", [rule for rule in ALL if rule not in NOT_YET])
def test_a_rule_is_in_the_product_and_in_a_test(rule: str) -> None:
    assert rule in ids_in("flows", "bot"), f"{rule} is nowhere in the pack or the code"
    assert rule in ids_in("tests"), f"{rule} is in no test"


@pytest.mark.parametrize("rule", sorted(NOT_YET))
def test_an_exception_is_needed(rule: str) -> None:
    assert rule in ALL, f"{rule} is no rule"
    both = rule in ids_in("flows", "bot") and rule in ids_in("tests")
    assert not both, f"{rule} is there now: take it off the list"


class TestTable:
    """`firstline check --rules`."""

    def test_every_family_is_counted(self) -> None:
        found = rules.families()
        assert [rule for family in found for rule in family.rules] == ALL
        for family in found:
            assert set(family.missing) <= NOT_YET, family.missing
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
