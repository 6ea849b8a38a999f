"""Hours of queues, and of topics within them: a transfer, or a case with the time of the answer."""

from __future__ import annotations

from datetime import datetime, time

import pytest

import flows
from flows.check import check
from flows.decision import Topic
from flows.pack import Pack
from flows.queues import Hours, TopicHours

NIGHT = datetime.fromisoformat("2026-11-20T02:00:00+03:00")
EVENING = datetime.fromisoformat("2026-11-20T19:00:00+03:00")


@pytest.fixture(scope="module")
def shop() -> Pack:
    """The shop whose technicians work from nine to six."""
    pack = flows.load_shipped("shop")
    return pack.model_copy(update={"hours": {**pack.hours, "technical": Hours(open=time(9), close=time(18))}})


def decide(pack: Pack, intent: str, now: datetime, done: str) -> flows.Decision:
    """A turn with one intent, after another request was answered; the shop's systems know nothing."""
    turn = flows.Turn(
        now=now, text="не помогло", state=flows.ConversationState(done=(Topic(intent=done, words="сайт"),), turns=2),
        parse=flows.Parse(text="не помогло", intents=(flows.Reading(intent, 0.95),)),
    )  # fmt: skip
    decision = flows.decide(pack, turn)
    while decision.lookups:
        turn = turn.with_facts(dict.fromkeys(decision.lookups))
        decision = flows.decide(pack, turn)
    return decision


@pytest.mark.rule("L2-20")
def test_a_fault_while_the_technicians_are_away_is_a_case_of_theirs(shop: Pack) -> None:
    assert flows.place(shop, "general", EVENING, "tech_issue") == (
        "general", "technical", datetime.fromisoformat("2026-11-21T09:10:00+03:00"),
    )  # fmt: skip
    assert flows.place(shop, "general", EVENING, "product_question") == ("general", None, None)
    assert flows.place(shop, "general", EVENING.replace(hour=12), "tech_issue") == ("general", None, None)


@pytest.mark.rule("L2-20")
def test_advice_that_did_not_help_is_about_the_fault(shop: Pack) -> None:
    handoff = decide(shop, "not_helpful", EVENING, "tech_issue").handoff
    assert handoff is not None
    assert (handoff.queue, handoff.category) == ("general", "technical")
    other = decide(shop, "not_helpful", EVENING, "account_registration").handoff
    assert other is not None
    assert other.category is None


@pytest.mark.rule("L2-16")
@pytest.mark.rule("L2-17")
def test_the_lines_hours(shop: Pack) -> None:
    assert flows.place(shop, "supervisor", NIGHT) == (
        "supervisor", "second_line_transfer", datetime.fromisoformat("2026-11-20T04:10:00+03:00"),
    )  # fmt: skip
    assert flows.place(shop, "supervisor", NIGHT.replace(hour=4)) == ("supervisor", None, None)


def test_another_queue_may_take_it_instead(shop: Pack) -> None:
    queue = shop.queues["supervisor"].model_copy(update={"handoff_to": "general"})
    pack = shop.model_copy(update={"queues": {**shop.queues, "supervisor": queue}})
    assert flows.place(pack, "supervisor", NIGHT) == ("general", None, None)


def test_names_that_are_not_there_are_told(shop: Pack) -> None:
    wrong = shop.queues["general"].model_copy(
        update={"hours": "sometimes", "topics": {"nothing": TopicHours(hours="never", out_of_hours="no_case")}}
    )
    found = check(shop.model_copy(update={"queues": {**shop.queues, "general": wrong}}))
    told = " ".join(problem.text for problem in found)
    assert all(f"'{name}'" in told for name in ("sometimes", "nothing", "never", "no_case"))


@pytest.mark.rule("CX-01")
def test_a_wish_for_a_person_waits_for_no_technician(shop: Pack) -> None:
    """Ruling 15: at any hour; so its topic is not the fault, whose people are away, but stays the wish."""
    handoff = decide(shop, "human_request", EVENING, "tech_issue").handoff
    assert handoff is not None
    assert (handoff.queue, handoff.category, handoff.topic) == ("general", None, "human_request")
    other = decide(shop, "human_request", EVENING, "product_question").handoff
    assert other is not None
    assert (other.queue, other.category, other.topic) == ("general", None, "product_question")
