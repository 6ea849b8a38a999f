"""Every talk of this folder keeps what it expects, and every rule it names occurs in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.expectations import hold
from bot.talks import Talk, talks
from tests.talk import conversation, hold_always

ALL = list(talks(Path(__file__).parent))


@pytest.mark.parametrize("talk", ALL, ids=[f"{talk.file}: {talk.name}" for talk in ALL])
def test_talk_goes_as_written(talk: Talk) -> None:
    held = hold(talk, begun=None if talk.problems else conversation(talk.data), holds=hold_always)
    assert not held.wrong, "\n".join([*map(str, held.wrong), "", *held.lines])


def test_names_of_talks_are_unique() -> None:
    names = [(talk.file, talk.name) for talk in ALL]
    assert len(names) == len(set(names))
