"""Every error that an agent may meet has a Russian sentence of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot import errors
from bot.sentences import SENTENCES, sentence


def _all(kind: type[errors.FirstlineError]) -> Iterator[type[errors.FirstlineError]]:
    yield kind
    for one in kind.__subclasses__():
        yield from _all(one)


def test_each_refusal_has_a_sentence_in_russian() -> None:
    """One that is missing here would reach an agent as its parent's: vague, and nobody would notice."""
    known = [
        one
        for parent in (errors.Refused, errors.Invalid, errors.NotFound)
        for one in _all(parent)
        if one.__module__.startswith("bot.errors.")
    ]
    assert len(known) > 50
    assert [one.__name__ for one in known if one not in SENTENCES] == []
    for said in SENTENCES.values():
        assert re.fullmatch(r"(CRM|[А-ЯЁ«]).*[.!]", said), said
        assert not re.search(r"\b[a-z]{2,}", said), said


def test_what_has_none_gets_its_parents_and_at_last_a_plain_one() -> None:
    class Special(errors.OffShift):
        """A special case."""

    assert sentence(Special()) == SENTENCES[errors.OffShift]
    assert sentence(ValueError("x")) == "Не получилось. Обновите страницу и попробуйте ещё раз."
