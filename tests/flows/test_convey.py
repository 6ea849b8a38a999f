"""Every fact that a rule has the customer told stands in every variant of the phrases that tell it (`convey` of the rules).

Which phrases tell what is written in worked/convey.yml. That the phrases are said where the rule holds is shown by the
talks of tests/dialogues; here is what no talk can show, because it hears one variant of several.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

import flows
from bot.expectations import plain
from tests.flows.test_never_say import rules_of_phrases

PACK = flows.load_shipped("shop")
TOLD: dict[str, Any] = yaml.safe_load((Path(__file__).parent / "worked" / "convey.yml").read_text("utf-8"))
RULES = yaml.safe_load((Path(__file__).parents[1] / "rules.yml").read_text("utf-8"))
FAMILIES = {
    "AUTH", "ID", "PARTNER", "SERIAL", "RETURN", "STATUS", "CHANGE", "REFUND", "CALLS", "CARD", "FAQ", "PHONE", "ORDER", "PHRASE",
}  # fmt: skip
CASES = [(rule, names) for rule, told in TOLD.items() if isinstance(told, dict) for names in told]


def variants(name: str) -> list[str]:
    """What a phrase says, in each of its wordings, with all that may be left out."""
    return [plain(re.sub(r"\[\[|\]\]", "", variant)) for variant in PACK.phrases[name].say]


def untold(names: list[str], facts: list[str]) -> list[str]:
    """The facts that none of the phrases tells in all of its variants."""
    return [fact for fact in facts if not any(all(re.search(fact, one) for one in variants(name)) for name in names)]


@pytest.mark.parametrize(("rule", "names"), CASES, ids=[f"{rule}: {names}" for rule, names in CASES])
def test_every_variant_tells_every_fact(rule: str, names: str) -> None:
    assert not untold(names.split(" + "), TOLD[rule][names])


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_rule_of_a_family_tells_something_or_says_why_not(family: str) -> None:
    assert {f"{family}-{number}" for number in RULES["shop"][family]} == {
        rule for rule in TOLD if rule.startswith(f"{family}-")
    }


def test_the_phrases_are_said_for_the_rule() -> None:
    """The place of a phrase names the rule; a rule that no phrase's place names is told by what follows a deed."""
    said_for = rules_of_phrases()
    marked = {rule for rules in said_for.values() for rule in rules}
    wrong = []
    for rule, told in TOLD.items():
        if rule in marked and isinstance(told, dict):
            names = {name for joined in told for name in joined.split(" + ")}
            wrong += [rule] * (not any(rule in said_for[name] for name in names))
    assert not wrong
