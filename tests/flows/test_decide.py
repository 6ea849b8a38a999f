"""How a talk goes: the engine on a small pack that is no shop."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import flows
from flows import Decision, Entity, Lookup, OpenRequest, Parse, Reading, Turn, Unavailable, Verdict
from flows.check import check

PACK = flows.load(Path(__file__).parent.parent / "packs" / "library")
NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)  # a Wednesday, noon in Moscow
LOANS = [
    {"number": 1, "title": "Идиот", "state": "out", "due": "2026-11-20"},
    {"number": 2, "title": "Бесы", "state": "out", "due": "2026-11-10"},
]


class Talk:
    """A conversation with the engine: the outside answers, the state is kept."""

    def __init__(self) -> None:
        self.state = flows.ConversationState()
        self.now = NOW
        self.down: dict[str, Unavailable] = {}
        self.request: OpenRequest | None = None
        self.asked: list[Lookup] = []
        self.acts: list[str] = []
        self.loans = [dict(loan) for loan in LOANS]

    def say(self, text: str = "", *intents: str, entities: dict[str, Any] | None = None, **more: Any) -> Decision:
        """Say something that the NLU reads as these intents (none: not understood)."""
        found = tuple(Entity(entity=kind, value=value, text=str(value)) for kind, value in (entities or {}).items())
        readings = tuple(Reading(name, 0.9) for name in intents)
        verdict = Verdict.SURE if intents else Verdict.NOT_UNDERSTOOD
        parse = Parse(text=text, intents=readings, ranking=readings, entities=found, verdict=verdict) if text else None
        parse = more.pop("parse", parse)
        return self.take(Turn(now=self.now, text=text, parse=parse, state=self.state, request=self.request, **more))

    def take(self, turn: Turn) -> Decision:
        for _ in range(20):
            decision = flows.decide(PACK, turn)
            if decision.lookups:
                turn = turn.with_facts({lookup: self.look_up(lookup) for lookup in decision.lookups})
            elif decision.acts:
                (act,) = decision.acts
                self.acts.append(act.key)
                turn = turn.with_change(act, self.extend(act))
            else:
                self.state = decision.state
                return decision
        raise AssertionError("the engine asks without end")

    def extend(self, act: flows.Act) -> dict[str, Any]:
        """The library lends longer, up to two weeks."""
        args = dict(act.args)
        loan = next(loan for loan in self.loans if str(loan["number"]) == args["loan"])
        if "loans" in self.down:
            return {"ok": False, "unavailable": True}
        if float(args["days"]) > 14:
            return {"ok": False}
        loan["due"] = (date.fromisoformat(loan["due"]) + timedelta(days=float(args["days"]))).isoformat()
        return {"ok": True, "by": int(float(args["days"]))}

    def look_up(self, lookup: Lookup) -> Any:
        self.asked.append(lookup)
        if lookup.source in self.down:
            return self.down[lookup.source]
        answers: dict[str, Any] = {
            "reader": {"id": "r1", "full_name": "Кац Лев Ильич", "phones": ["+79990001234"]}
            if "7" in lookup.args[0][1]
            else None,
            "loans": [dict(loan) for loan in self.loans],
            "shelf": {"place": "зал 2"},
        }
        return answers[lookup.source]


@pytest.fixture
def talk() -> Talk:
    return Talk()


def texts(decision: Decision) -> list[str]:
    return [message.text for message in decision.messages]


def test_the_pack_of_these_tests_is_sound() -> None:
    assert check(PACK) == []


class TestAsking:
    def test_what_is_not_known_is_asked_and_the_answer_leads_on(self, talk: Talk) -> None:
        assert texts(talk.say("когда сдавать", "loan_due")) == ["Номер билета?"]
        assert texts(talk.say("7", "deny", entities={"ticket": "7"})) == ["Какая книга?"]
        decision = talk.say("Идиот", entities={"book": "Идиот"})
        assert texts(decision) == ["«Идиот» ждём 20 ноября. Место: зал 2."]
        assert "DUE-1" in decision.rules

    def test_what_was_said_in_the_first_message_is_not_asked(self, talk: Talk) -> None:
        decision = talk.say("когда сдавать Бесы, билет 7", "loan_due", entities={"ticket": "7", "book": "Бесы"})
        assert texts(decision) == ["«Бесы» пора вернуть: срок был 10 ноября."]

    def test_an_answer_that_is_none_is_asked_for_once_more_then_a_person(self, talk: Talk) -> None:
        talk.say("когда сдавать", "loan_due")
        again = talk.say("ну это самое")
        assert texts(again)[-1] == "Номер билета?"
        assert again.handoff is None
        given_up = talk.say("да не знаю я")
        assert given_up.handoff is not None
        assert "NOANS-1" in given_up.rules

    def test_a_wrong_card_reveals_nothing_and_is_counted(self, talk: Talk) -> None:
        talk.say("когда сдавать", "loan_due")
        decision = talk.say("3", entities={"ticket": "3"})
        assert texts(decision) == ["Такого билета не вижу.\n\nНомер билета?"]
        assert len(decision.state.counters["wrong"]) == 1

    def test_a_number_and_a_yes_are_read_as_answers(self, talk: Talk) -> None:
        talk.say("продлить Идиота, билет 7", "loan_extend", entities={"ticket": "7", "book": "Идиот"})
        assert texts(talk.say("на 3 дня")) == ["Продлить на 3 дня?"]
        decision = talk.say("да", "affirm")
        assert texts(decision) == ["Продлили на 3 дня, до 23 ноября."]
        assert talk.acts == ["1|extend|loan=1|days=3|note=зал 2!"]
        assert decision.state.promised[0]["what"] == "книга продлена"

    def test_a_no_ends_it(self, talk: Talk) -> None:
        talk.say("продлить Идиота, билет 7", "loan_extend", entities={"ticket": "7", "book": "Идиот"})
        talk.say("5")
        assert texts(talk.say("нет", "deny")) == ["Хорошо, не продлеваем."]
        assert talk.acts == []


class TestChanges:
    """A change is asked of the CRM once; the steps after it see what the systems say since then."""

    def agree(self, talk: Talk, days: str = "3", book: str = "Идиот") -> Decision:
        talk.say(f"продлить {book}, билет 7", "loan_extend", entities={"ticket": "7", "book": book})
        talk.say(days)
        return talk.say("да", "affirm")

    def test_a_step_after_a_change_sees_it_and_a_step_before_does_not(self, talk: Talk) -> None:
        decision = self.agree(talk)
        assert texts(decision) == ["Продлили на 3 дня, до 23 ноября."]
        assert talk.asked.count(Lookup("loans", (("reader", "r1"),))) == 2  # before the change and after it
        assert "EXT-1" in decision.rules

    def test_nothing_is_asked_of_the_crm_before_the_customer_agrees(self, talk: Talk) -> None:
        talk.say("продлить Идиота, билет 7", "loan_extend", entities={"ticket": "7", "book": "Идиот"})
        talk.say("3")
        assert talk.acts == []

    def test_a_refusal_leads_on_by_the_result(self, talk: Talk) -> None:
        decision = self.agree(talk, "30")
        assert decision.handoff is not None
        assert decision.handoff.summary["reason"] == "Продлить не вышло (refused)"

    def test_a_system_that_falls_silent_is_a_result_too(self, talk: Talk) -> None:
        talk.say("продлить Идиота, билет 7", "loan_extend", entities={"ticket": "7", "book": "Идиот"})
        talk.say("3")
        looking_up = talk.extend
        talk.extend = lambda act: (talk.down.update(loans=Unavailable.CRM), looking_up(act))[1]  # type: ignore[method-assign]
        decision = talk.say("да", "affirm")
        assert decision.handoff is not None
        assert decision.handoff.summary["reason"] == "Продлить не вышло (unavailable)"

    def test_what_is_not_known_is_a_dash_to_people(self, talk: Talk) -> None:
        talk.loans = [loan for loan in talk.loans if loan["title"] != "Идиот"]
        decision = self.agree(talk)
        assert talk.acts == []
        assert decision.handoff is not None
        assert decision.handoff.summary["reason"] == "Продлить не вышло (—)"

    def test_the_same_wish_later_is_another_change(self, talk: Talk) -> None:
        self.agree(talk)
        assert texts(self.agree(talk)) == ["Продлили на 3 дня, до 26 ноября."]
        assert len(set(talk.acts)) == 2

    def test_two_wishes_of_one_message_are_two_changes_each_seen_by_what_follows(self, talk: Talk) -> None:
        talk.loans[1]["due"] = "2026-11-20"
        talk.say("билет 7", "hello", entities={"ticket": "7"})
        talk.state = replace(talk.state, slots={**talk.state.slots, "ticket": "7"})
        entities = tuple(Entity(entity="book", value=book, text=book, of=n) for n, book in enumerate(["Идиот", "Бесы"]))
        readings = (Reading("loan_extend", 0.9), Reading("loan_extend", 0.9))
        talk.say(parse=Parse(text="продлите обе", intents=readings, ranking=readings, entities=entities), text="обе")
        talk.say("3")
        talk.say("да", "affirm")
        talk.say("4")
        decision = talk.say("да", "affirm")
        assert [loan["due"] for loan in talk.loans] == ["2026-11-23", "2026-11-24"], (talk.acts, texts(decision))

    def test_what_is_put_right_after_a_change_does_not_make_it_again(self, talk: Talk) -> None:
        self.agree(talk)
        talk.say("Бесы", entities={"book": "Бесы"})
        assert len(talk.acts) == 1

    def test_a_change_has_its_place_in_the_stored_state(self, talk: Talk) -> None:
        state = flows.state_from_json(flows.to_json(self.agree(talk).state))
        (deed,) = state.deeds.values()
        assert deed == {
            "action": "extend",
            "args": {"loan": "1", "days": "3", "note": "зал 2!"},
            "result": {"ok": True, "by": 3},
        }


class TestSeveralRequests:
    @pytest.mark.rule("CX-05")
    def test_each_is_answered_in_order(self, talk: Talk) -> None:
        decision = talk.take(
            Turn(
                now=NOW,
                text="когда сдать Идиота и что с архивом, билет 7",
                parse=Parse(
                    text="…",
                    intents=(Reading("loan_due", 0.9), Reading("old_papers", 0.9)),
                    entities=(
                        Entity(entity="ticket", value="7", text="7", of=0),
                        Entity(entity="book", value="Идиот", text="Идиота", of=0),
                    ),
                ),
            )
        )
        assert texts(decision)[0].startswith("«Идиот» ждём")
        assert decision.handoff is not None
        assert decision.handoff.queue == "archive"
        assert [one["rule"] for one in decision.handoff.summary["answered"]] == ["DUE-1"]
        assert decision.handoff.summary["orders"][0]["number"] == 1

    def test_one_question_is_asked_once_for_all(self, talk: Talk) -> None:
        decision = talk.say("когда сдавать и за что штраф", "loan_due", "fine")
        assert texts(decision) == ["Номер билета?"]
        assert texts(talk.say("7", entities={"ticket": "7"})) == ["Какая книга?"]
        assert texts(talk.say("Бесы", entities={"book": "Бесы"})) == [
            "«Бесы» пора вернуть: срок был 10 ноября.",
            "За что штраф?",
        ]

    @pytest.mark.rule("BOT-04")
    def test_another_matter_in_the_middle_is_answered_and_the_question_asked_again(self, talk: Talk) -> None:
        talk.say("продлить, билет 7", "loan_extend", entities={"ticket": "7"})
        decision = talk.say("а Идиота когда сдавать", "loan_due", entities={"book": "Идиот"})
        assert texts(decision) == ["«Идиот» ждём 20 ноября. Место: зал 2.", "На сколько дней?"]
        assert texts(talk.say("4")) == ["Продлить на 4 дня?"]

    def test_a_value_put_right_gives_the_answer_anew(self, talk: Talk) -> None:
        talk.say("когда сдавать Идиота, билет 7", "loan_due", entities={"ticket": "7", "book": "Идиот"})
        decision = talk.say("ой, Бесы", entities={"book": "Бесы"})
        assert texts(decision) == ["«Бесы» пора вернуть: срок был 10 ноября."]


class TestPeople:
    @pytest.mark.rule("CX-01")
    def test_a_person_is_given_at_once_and_open_questions_are_dropped(self, talk: Talk) -> None:
        talk.say("когда сдавать", "loan_due")
        decision = talk.say("человека!", "person")
        assert decision.handoff is not None
        assert decision.handoff.queue == "desk"
        assert "когда сдавать" in decision.handoff.summary["wants"]
        assert decision.state.open == ()
        assert texts(decision) == []

    def test_a_closed_queue_gets_a_case_with_the_time_of_the_answer(self, talk: Talk) -> None:
        talk.now = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)  # Friday, 19:00 in Moscow
        decision = talk.say("что в архиве", "old_papers")
        assert decision.handoff is not None
        assert decision.handoff.category == "later"
        assert decision.handoff.due == datetime(2026, 11, 23, 6, 10, tzinfo=UTC)

    def test_a_case_is_made_beside_the_answer(self, talk: Talk) -> None:
        talk.say("штраф, билет 7", "fine", entities={"ticket": "7"})
        decision = talk.say("за порванную страницу, это безобразие")
        assert texts(decision) == ["Записали, ответим письмом."]
        (case,) = decision.cases
        assert (case.queue, case.category, case.due) == ("archive", "letter", NOW + timedelta(hours=48))
        assert case.summary["reason"] == "Штраф: за порванную страницу, это безобразие"
        assert case.summary["mood"] == "angry"
        assert "Кац" not in case.comment
        assert "Лев Ильич" in case.comment

    @pytest.mark.rule("CX-03")
    def test_with_an_open_request_no_second_one_is_opened(self, talk: Talk) -> None:
        talk.request = OpenRequest(number="T-1", state="queued", queue="desk", place=3)
        decision = talk.say("человека", "person")
        assert decision.handoff is None
        assert decision.append == "Просит человека"
        assert texts(decision) == ["Вы в очереди. Перед вами 3."]

    @pytest.mark.rule("CX-09")
    def test_the_second_miss_in_a_row_goes_to_a_person(self, talk: Talk) -> None:
        first = talk.say("бла бла")
        assert texts(first) == ["Скажите иначе?"]
        assert first.messages[0].buttons[0].value == "intent:person"
        second = talk.say("бла")
        assert second.handoff is not None
        assert second.rules == ("MISS-2",)

    def test_an_understood_message_between_resets_the_count(self, talk: Talk) -> None:
        talk.say("бла бла")
        talk.say("когда сдавать", "loan_due")
        assert talk.state.misses == 0

    def test_a_button_calls_a_person(self, talk: Talk) -> None:
        decision = talk.say(press="intent:person")
        assert decision.handoff is not None


class TestTrouble:
    @pytest.mark.rule("BOT-03")
    def test_a_system_that_does_not_answer_leads_to_its_flow(self, talk: Talk) -> None:
        talk.down["reader"] = Unavailable.CRM
        decision = talk.say("когда сдавать, билет 7", "loan_due", entities={"ticket": "7"})
        assert texts(decision) == ["Система не отвечает."]
        assert decision.handoff is not None
        assert "DOWN-1" in decision.handoff.rules

    def test_an_optional_system_that_is_down_leaves_its_part_out(self, talk: Talk) -> None:
        talk.down["shelf"] = Unavailable.TRACKING
        decision = talk.say("когда сдавать Идиота, билет 7", "loan_due", entities={"ticket": "7", "book": "Идиот"})
        assert texts(decision) == ["«Идиот» ждём 20 ноября."]

    def test_without_the_nlu_a_person_takes_over(self, talk: Talk) -> None:
        decision = talk.say("когда сдавать", parse=None)
        assert decision.handoff is not None

    @pytest.mark.rule("CX-19")
    @pytest.mark.parametrize(
        ("more", "text"),
        [
            ({"stale_press": True}, "Эта кнопка уже не нужна."),
            ({}, "Скажите иначе?"),
            ({"press": "slot:days=3"}, "Эта кнопка уже не нужна."),
        ],
    )
    def test_odd_input_gets_a_reply(self, talk: Talk, more: dict[str, Any], text: str) -> None:
        assert texts(talk.say(**more)) == [text]

    @pytest.mark.rule("CX-14")
    def test_a_picture_is_acknowledged(self, talk: Talk) -> None:
        decision = talk.say(attachments=(flows.Attachment("photo", "a.jpg"),))
        assert texts(decision) == ["Получили."]

    @pytest.mark.rule("CX-06")
    def test_the_same_reply_is_not_sent_twice(self, talk: Talk) -> None:
        told = {"ticket": "7", "book": "Бесы"}
        talk.say("когда сдавать Бесы", "loan_due", entities=told)
        decision = talk.say("так когда сдавать Бесы", "loan_due", entities=told)
        assert texts(decision)[0] == "Ничего не изменилось."
        assert "SAME-1" in decision.rules

    def test_variants_of_a_phrase_take_turns(self, talk: Talk) -> None:
        said = [texts(talk.say("привет", "hello"))[0] for _ in range(4)]
        assert said[0] != said[1]
        assert said[0] == said[2]


def test_the_same_turn_gives_the_same_decision() -> None:
    turn = Turn(now=NOW, text="привет", parse=Parse(text="привет", intents=(Reading("hello", 1.0),)), seed=5)
    assert flows.decide(PACK, turn) == flows.decide(PACK, replace(turn))


def test_state_and_parse_survive_json() -> None:
    talk = Talk()
    talk.say("продлить, билет 7", "loan_extend", entities={"ticket": "7"})
    assert flows.state_from_json(flows.to_json(talk.state)) == talk.state
