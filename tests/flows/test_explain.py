"""An explanation tells what stands behind a decision, and changes nothing about it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import flows
from bot.expectations import hold
from bot.talks import Talk, talks
from bot.testing import of_talk
from flows import Entity, Lookup, Parse, Reading, Turn
from flows.explain import Explanation, explain, explanation_json
from flows.trace import Trace, Went

ROOT = Path(__file__).parent.parent
PACK = flows.load(ROOT / "packs" / "library")
NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
LOANS = [{"number": 1, "title": "Идиот", "state": "out", "due": "2026-11-10"}]
ANSWERS: dict[str, Any] = {
    "reader": {"id": "r1", "full_name": "Кац Лев Ильич", "phones": []}, "loans": LOANS, "shelf": {"place": "зал 2"},
}  # fmt: skip


def turn(text: str, intent: str, **entities: str) -> Turn:
    """A turn with everything that the systems know."""
    found = tuple(Entity(entity=kind, value=value, text=value) for kind, value in entities.items())
    parse = Parse(text=text, intents=(Reading(intent, 0.9),), entities=found)
    made = Turn(now=NOW, text=text, parse=parse)
    while (decision := flows.decide(PACK, made)).lookups:
        made = made.with_facts({lookup: ANSWERS[lookup.source] for lookup in decision.lookups})
    return made


def due() -> Explanation:
    return explain(PACK, turn("когда вернуть Идиота, билет 17", "loan_due", ticket="17", book="Идиот"))


def test_the_decision_is_the_same_with_and_without_an_explanation() -> None:
    asked = turn("когда вернуть Идиота, билет 17", "loan_due", ticket="17", book="Идиот")
    assert explain(PACK, asked).decision == flows.decide(PACK, asked)


def test_every_row_of_a_table_that_was_asked_tells_what_became_of_it_and_why() -> None:
    rows = due().tables()["due"]
    assert [(row.name, row.went) for row in rows] == [
        ("1", Went.SKIPPED), ("2", Went.TAKEN), ("3", Went.UNTRIED), ("4", Went.UNTRIED),
    ]  # fmt: skip
    failed = rows[0].conditions[-1]
    assert (failed.name, failed.wants, failed.value, failed.holds) == ("days_left", "<=0", 8, False)
    assert [one.holds for one in rows[1].conditions] == [True, True]
    assert rows[1].rules == ("DUE-2",)
    assert rows[1].where == "tables/all.yml:5"
    assert rows[2].conditions == ()


def test_the_phrase_tells_its_variant_and_its_text() -> None:
    (spoken,) = due().nodes("phrase")
    assert spoken.name == "overdue"
    assert spoken.detail["text"] == due().decision.messages[0].text
    assert (spoken.detail["variant"], spoken.detail["of"]) == (1, 1)
    assert spoken.where.startswith("phrases/all.yml:")


def test_facts_tell_their_value_and_where_they_are_described() -> None:
    facts = {known.name: known for known in due().facts}
    assert (facts["days_left"].value, facts["days_left"].kind) == (8, "fact")
    assert facts["days_left"].where.startswith("slots.yml:")
    assert facts["loan_state"].how == "from loan.state"
    assert facts["ticket"].kind == "slot"
    assert facts["days_left"].matters
    assert not any(isinstance(known.value, dict) for known in due().facts)


def test_a_step_left_out_names_the_condition_that_failed() -> None:
    talk = of_talk({"known": True, "shop": {"orders": [{"status": "exported", "stage": "line_haul"}]}, "talk": []})
    talk.take({"say": "где заказ 48213", "as": ["order_status"]})
    assert talk.decided is not None
    explained = explain(talk.pack, talk.decided[0])
    skipped = [node for node in explained.nodes("step") if node.went is Went.SKIPPED]
    assert skipped
    for node in skipped:
        failed = [one for one in node.conditions if one.holds is False]
        assert len(failed) == 1, node
        assert all(one.holds is None for one in node.conditions[node.conditions.index(failed[0]) + 1 :])


def test_a_branch_tells_the_arm_that_was_taken() -> None:
    arms = list(due().nodes("arm"))
    assert [(arm.name, arm.went) for arm in arms] == [("1", Went.SKIPPED), ("2", Went.TAKEN)]


def test_missing_facts_are_named() -> None:
    parse = Parse(
        text="билет 17", intents=(Reading("loan_due", 0.9),), entities=(Entity(entity="ticket", value="17", text="17"),)
    )
    explained = explain(PACK, Turn(now=NOW, text="билет 17", parse=parse))
    assert explained.decision.lookups
    assert explained.asked == ()


def test_systems_that_were_asked_and_their_answers_are_told() -> None:
    asked = turn("когда вернуть Идиота, билет 17", "loan_due", ticket="17", book="Идиот")
    told = {one.source: one for one in explain(PACK, asked).asked}
    assert told["loans"].answer == LOANS
    down = Lookup("loans", tuple(told["loans"].args.items()))
    explained = explain(PACK, asked.with_facts({down: flows.Unavailable.CRM}))
    assert {one.source: one.down for one in explained.asked}["loans"]
    assert "crm_down" in {request.detail.get("flow") for request in explained.requests}


def test_an_answer_to_a_question_is_told_as_one() -> None:
    asked = turn("когда вернуть", "loan_due", ticket="17")
    state = flows.decide(PACK, asked).state
    read = Parse(text="Идиот", entities=(Entity(entity="book", value="Идиот", text="Идиот"),))
    answer = Turn(now=NOW, text="Идиот", parse=read, state=state, facts=asked.facts)
    heard = explain(PACK, answer).heard
    assert (heard.asked, heard.answered, heard.requests) == ("book", True, ())


def test_an_explanation_is_json() -> None:
    made = json.loads(json.dumps(explanation_json(due()), ensure_ascii=False))
    assert "state" not in made["decision"]
    request = made["requests"][0]
    assert (request["kind"], request["name"], request["went"]) == ("request", "loan_due", "taken")
    assert made["pack"].startswith("library@")


def test_rows_that_hold_without_being_chosen_are_told_apart() -> None:
    talk = of_talk({"talk": []})
    talk.take({"say": "почему закрыли рассрочку", "as": ["fin_installment"]})
    assert talk.decided is not None
    explained = explain(talk.pack, talk.decided[0])
    went = {row.rules[0]: row.went for row in explained.tables()["escalation"] if row.rules}
    assert went["ESC-16"] is Went.TAKEN
    assert went["ESC-15"] is Went.BEATEN
    priority = [row.went for row in explained.tables()["priority"]]
    assert priority.count(Went.TAKEN) == 1


@pytest.mark.parametrize("talk", list(talks(ROOT / "dialogues" / "order"))[:40:4], ids=lambda talk: talk.name)
def test_a_trace_never_changes_what_a_talk_comes_to(talk: Talk) -> None:
    seen: list[tuple[flows.Pack, Turn]] = []
    hold(talk, watch=lambda at, heard: seen.append((at.pack, at.decided[0])) if at.decided else None)
    assert seen
    for pack, given in seen:
        trace = Trace(pack)
        assert flows.decide(pack, given) == flows.decide(pack, given, trace)
        said = {node.name for request in trace.requests for node in request.walk() if node.kind == "phrase"}
        spoken = {name for say in flows.decide(pack, given).messages for name in say.phrases}
        assert spoken <= said
