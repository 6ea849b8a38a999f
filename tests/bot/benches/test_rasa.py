"""The Rasa project of the bench: what `rasa train` is given."""

from __future__ import annotations

from pathlib import Path

import yaml

from bot.benches.rasa import Project
from bot.content import pack_folder
from bot.nlu_environment import project

CONFIG = project() / "nlu" / "config.yml"


def test_every_intent_has_a_rule_that_answers_it(tmp_path: Path) -> None:
    Project(tmp_path).write(pack_folder("shop") / "intents.yml", CONFIG)
    domain = yaml.safe_load((tmp_path / "domain.yml").read_text("utf-8"))
    rules = yaml.safe_load((tmp_path / "rules.yml").read_text("utf-8"))["rules"]
    ours = yaml.safe_load((project() / "nlu" / "domain.yml").read_text("utf-8"))
    assert domain["intents"] == ours["intents"]
    assert [rule["steps"][0]["intent"] for rule in rules] == domain["intents"]
    assert all(rule["steps"][1]["action"] in domain["responses"] for rule in rules)
    pressed = {button["payload"] for said in domain["responses"].values() for button in said[0]["buttons"]}
    assert {payload.removeprefix("/") for payload in pressed} <= set(domain["intents"])


def test_the_pipeline_is_firstlines_own(tmp_path: Path) -> None:
    Project(tmp_path).write(pack_folder("shop") / "intents.yml", CONFIG)
    made = yaml.safe_load((tmp_path / "config.yml").read_text("utf-8"))
    assert made.pop("policies") == [{"name": "RulePolicy"}]
    assert made == yaml.safe_load(CONFIG.read_text("utf-8"))


def test_another_inventory_makes_another_model(tmp_path: Path) -> None:
    intents = tmp_path / "intents.yml"
    intents.write_text("talk:\n  greet: {title: Привет}\n", "utf-8")
    one = Project(tmp_path / "one").write(intents, CONFIG)
    assert Project(tmp_path / "two").write(intents, CONFIG) == one
    intents.write_text("talk:\n  greet: {title: Привет}\n  bye: {title: Пока}\n", "utf-8")
    assert Project(tmp_path / "three").write(intents, CONFIG) != one
