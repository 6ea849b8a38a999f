"""The rules of the specification: how many of each family stand in the pack, in the code and in tests.

A checkout's tests/rules.yml lists them; a rule stands where its id (STATUS-03) is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.errors import SettingsInvalid

ROOT = Path(__file__).resolve().parent.parent
LIST = "tests/rules.yml"
ID = re.compile(r"\b[A-Z][A-Z0-9]*-\d+\b")


@dataclass(frozen=True, slots=True)
class Family:
    """Rules of one family, with the places where they stand."""

    kind: str
    # the file of the specification: shop, escalation …
    name: str
    rules: tuple[str, ...]
    pack: frozenset[str]
    code: frozenset[str]
    tests: frozenset[str]

    @property
    def missing(self) -> tuple[str, ...]:
        """Rules that are not both in the product and in a test."""
        return tuple(rule for rule in self.rules if rule not in (self.pack | self.code) & self.tests)


def families(root: Path = ROOT) -> list[Family]:
    """All families of a checkout's list. SettingsInvalid where there is none (an installed Firstline has no tests)."""
    path = root / LIST
    if not path.is_file():
        raise SettingsInvalid(f"There is no {LIST}: the list of rules is part of a checkout.")
    listed = yaml.safe_load(path.read_text("utf-8"))
    pack = ids_in(root, "flows/packs", suffixes=(".yml",))
    code, tests = (
        ids_in(root, "flows", "bot", suffixes=(".py",)),
        ids_in(root, "tests", suffixes=(".py", ".yml", ".yaml")),
    )
    made = []
    for kind, members in listed.items():
        for name, numbers in members.items() if kind != "not_yet" else ():
            rules = tuple(f"{name}-{number}" for number in numbers)
            made.append(Family(kind, name, rules, pack & set(rules), code & set(rules), tests & set(rules)))
    return made


def ids_in(root: Path, *folders: str, suffixes: tuple[str, ...] = (".py", ".yml", ".yaml")) -> frozenset[str]:
    """All rule ids that occur in the files of some folders, but for the list itself and the test that reads it."""
    own = {root / LIST, root / "tests" / "test_rules.py"}
    files = (
        file for folder in folders for file in (root / folder).rglob("*") if file.suffix in suffixes and file not in own
    )
    return frozenset(found for file in files for found in ID.findall(file.read_text("utf-8")))


def markdown(found: list[Family]) -> Iterator[str]:
    """The families as a table in Markdown, their sum in the last line."""
    yield "| правила | семейство | всего | в наборе | в коде | в тестах | ещё нет |"
    yield "|---|---|---:|---:|---:|---:|---|"
    for one in found:
        numbers = (len(one.rules), len(one.pack), len(one.code), len(one.tests))
        yield f"| {one.kind} | {one.name} | {' | '.join(map(str, numbers))} | {_listed(one.missing)} |"
    sums = [
        sum(map(len, (getattr(one, key) for one in found))) for key in ("rules", "pack", "code", "tests", "missing")
    ]
    yield f"| **всего** | {len(found)} | {' | '.join(map(str, sums))} |"


def _listed(rules: tuple[str, ...]) -> str:
    return ", ".join(rule.rpartition("-")[2] for rule in rules) or "—"
