"""Every talk of this folder keeps what it expects, and every rule it names occurs in it."""

from __future__ import annotations

import pytest

from bot.testing import Talk, hold, talks

ALL = list(talks())


@pytest.mark.parametrize("talk", ALL, ids=[f"{talk.file}: {talk.name}" for talk in ALL])
def test_talk_goes_as_written(talk: Talk) -> None:
    wrong, _, lines = hold(talk)
    assert not wrong, "\n".join([*wrong, "", *lines])


def test_names_of_talks_are_unique() -> None:
    names = [(talk.file, talk.name) for talk in ALL]
    assert len(names) == len(set(names))
