"""The ledger of the bench of faults finds each kind of broken promise: what it does not find, the bench would not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bot.benches.evidence import Line
from bot.benches.ledger import (
    ANSWERED,
    ARRIVED,
    DOUBLED,
    ONCE,
    ORDER,
    SILENT,
    Ledger,
    Replied,
    Taken,
    Written,
)
from bot.benches.sums import Sums, add_up
from bot.benches.system import Ears, Said
from bot.standins.telegram_customers import Sent

ASKED = Line(
    id=1, conversation=7, channel="telegram", chat=42, sender="customer", text="где 50001?", message_id="11", turn=1,
    request=None, read=True, pressed=False, delivery=None, unclear=0, attempts=0, stored=0.0,
)  # fmt: skip
ANSWER = replace(
    ASKED, id=2, sender="bot", text="50001 в пути", message_id="12", read=False, delivery="sent", attempts=1
)
ASKED_NEXT = replace(ASKED, id=3, text="где 50002?", message_id="13", turn=2)
ANSWER_NEXT = replace(ANSWER, id=4, text="50002 в пути", message_id="14", turn=2)
ALL = (ASKED, ANSWER, ASKED_NEXT, ANSWER_NEXT)


def summed(
    stored: Sequence[Line] = ALL,
    heard: Sequence[tuple[float, str]] = ((1.0, ANSWER.text), (2.0, ANSWER_NEXT.text)),
    ledger: Ledger | None = None,
    channel: str = "telegram",
) -> Sums:
    """Two questions and their answers, with changes."""
    book = ledger or Ledger()
    for line, order in ((ASKED, "50001"), (ASKED_NEXT, "50002")):
        book.wrote(Written(channel, 42, int(line.message_id or 0), line.text, order))
    ears = Ears()
    for number, (at, text) in enumerate(heard):
        own = next(
            (line.message_id for line in stored if line.delivery and line.message_id and line.text == text), None
        )
        first = text not in [said.text for said in ears.said]
        sent = Sent(42, int(own) if own and first else 900 + number, text)
        ears.said.append(Said(number, channel, 42, text, at, sent))
    return add_up(book, [replace(line, channel=channel) for line in stored], ears)


def promises(sums: Sums) -> list[str]:
    return [one.promise for one in sums.broken]


def test_all_is_well_when_each_message_is_stored_answered_and_heard_once() -> None:
    sums = summed()
    assert promises(sums) == []
    assert (sums.stored, sums.answered, sums.named, sums.delivered) == (2, 2, 2, 2)


def test_a_message_that_is_not_stored_and_one_stored_twice_are_found() -> None:
    assert ONCE in promises(summed(ALL[:2], [(1.0, ANSWER.text)]))
    assert ONCE in promises(summed([*ALL, replace(ASKED_NEXT, id=5)]))


def test_a_line_of_nobody_is_found() -> None:
    assert ONCE in promises(summed([*ALL, replace(ASKED, id=5, message_id="99")]))


def test_a_line_that_no_turn_has_read_is_found() -> None:
    lines = [ASKED, ANSWER, replace(ASKED_NEXT, read=False, turn=None)]
    assert promises(summed(lines, [(1.0, ANSWER.text)])) == [ANSWERED]


def test_a_line_that_was_read_and_left_without_a_word_is_found_unless_people_have_it() -> None:
    silent = replace(ASKED_NEXT, turn=None)
    assert promises(summed([ASKED, ANSWER, silent], [(1.0, ANSWER.text)])) == [ANSWERED]
    assert promises(summed([ASKED, ANSWER, replace(silent, request=5)], [(1.0, ANSWER.text)])) == []


def test_a_message_that_never_arrived_is_found() -> None:
    assert promises(summed(heard=[(1.0, ANSWER.text)])) == [ARRIVED]


def test_a_message_given_up_is_not_mistaken_for_a_later_one_with_the_same_words() -> None:
    given_up = replace(ANSWER, delivery="unknown", message_id=None, attempts=2, unclear=2)
    later = replace(ANSWER_NEXT, text=ANSWER.text)
    sums = summed([ASKED, given_up, ASKED_NEXT, later], [(2.0, later.text)])
    assert [(one.promise, "line 2" in one.what) for one in sums.broken] == [(ARRIVED, True)]


def test_a_copy_without_a_number_belongs_to_a_message_that_was_there_when_it_came() -> None:
    first = replace(ANSWER, attempts=2, unclear=1)
    later = replace(ANSWER_NEXT, text=ANSWER.text, message_id=None, delivery="unknown", unclear=2, stored=50.0)
    heard = [(1.0, first.text), (1.5, first.text), (51.0, later.text)]
    sums = summed([ASKED, first, ASKED_NEXT, later], heard, Ledger(unclear=[("telegram", 42, 1.0)]))
    assert promises(sums) == []
    assert len(sums.repeated) == 1


def test_a_message_that_arrived_twice_is_found() -> None:
    twice = [(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (5.0, ANSWER.text)]
    assert promises(summed(heard=twice)) == [DOUBLED]


def test_a_second_copy_is_excused_in_telegram_alone_when_the_answer_to_the_first_was_lost() -> None:
    twice = [(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (5.0, ANSWER.text)]
    for channel, broken in (("telegram", []), ("vk", [DOUBLED])):
        sums = summed(heard=twice, ledger=Ledger(unclear=[(channel, 42, 1.0)]), channel=channel)
        assert promises(sums) == broken
        assert len(sums.repeated) == (not broken)


def test_a_second_copy_is_excused_when_the_sender_died_in_the_call_but_not_long_after_it() -> None:
    twice = [(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (5.0, ANSWER.text)]
    assert promises(summed(heard=twice, ledger=Ledger(stopped=[(1.2, 1.2)]))) == []
    assert promises(summed(heard=twice, ledger=Ledger(stopped=[(4.0, 4.0)]))) == [DOUBLED]


def test_a_third_copy_is_never_excused() -> None:
    thrice = [(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (5.0, ANSWER.text), (9.0, ANSWER.text)]
    assert promises(summed(heard=thrice, ledger=Ledger(unclear=[("telegram", 42, 1.0)]))) == [DOUBLED]


def test_words_that_nobody_of_ours_has_said_are_found() -> None:
    assert promises(summed(heard=[(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (3.0, "что?")])) == [DOUBLED]


def test_answers_of_a_turn_that_has_no_lines_are_found() -> None:
    again = replace(ANSWER, id=5, turn=9, text="50001 в пути!", message_id="15")
    heard = [(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (3.0, again.text)]
    assert promises(summed([*ALL, again], heard)) == [DOUBLED]


def test_answers_that_arrive_in_the_wrong_order_are_found() -> None:
    assert promises(summed(heard=[(1.0, ANSWER_NEXT.text), (2.0, ANSWER.text)])) == [ORDER]


def test_lines_that_were_read_in_the_wrong_order_are_found() -> None:
    lines = [replace(ASKED, turn=2), replace(ANSWER, turn=2), replace(ASKED_NEXT, turn=1), replace(ANSWER_NEXT, turn=1)]
    assert promises(summed(lines)) == [ORDER]


def test_a_bot_that_speaks_beside_an_agent_is_found_but_not_what_was_on_its_way() -> None:
    assert promises(summed(ledger=Ledger(taken=[Taken(7, since=0.5, until=9.0)]))) == [SILENT]
    assert promises(summed(ledger=Ledger(taken=[Taken(7, since=1.8, until=9.0)]))) == []
    assert promises(summed(ledger=Ledger(taken=[Taken(8, since=0.5, until=9.0)]))) == []


def test_a_reply_of_an_agent_that_is_missing_or_stands_twice_is_found() -> None:
    reply = replace(ANSWER, id=5, sender="agent", text="смотрю", turn=None, request=3, message_id="15")
    heard = [(1.0, ANSWER.text), (2.0, ANSWER_NEXT.text), (3.0, "смотрю")]
    told = Ledger(replied=[Replied(7, "смотрю")])
    assert promises(summed([*ALL, reply], heard, told)) == []
    assert promises(summed(ledger=Ledger(replied=[Replied(7, "смотрю")]))) == [DOUBLED]
    twice = [*heard, (4.0, "смотрю")]
    both = [*ALL, reply, replace(reply, id=6, message_id=None)]
    assert promises(summed(both, twice, Ledger(replied=[Replied(7, "смотрю")]))) == [DOUBLED]
