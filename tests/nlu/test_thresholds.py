"""From confidences to a verdict."""

from __future__ import annotations

import pytest

from nlu import thresholds
from nlu.thresholds import Thresholds, Verdict

GIVEN = Thresholds(understood=0.3, lead=0.1)


class TestVerdict:
    @pytest.mark.parametrize(
        ("confidences", "verdict"),
        [
            ([0.8, 0.1], Verdict.SURE),
            ([0.8], Verdict.SURE),
            ([0.41, 0.38], Verdict.AMBIGUOUS),
            ([0.29, 0.01], Verdict.NOT_UNDERSTOOD),
            ([], Verdict.NOT_UNDERSTOOD),
        ],
    )
    def test_follows_from_the_best_reading_and_its_lead(self, confidences: list[float], verdict: Verdict) -> None:
        assert GIVEN.verdict(confidences) is verdict


class TestFile:
    def test_the_shipped_thresholds_are_probabilities(self) -> None:
        shipped = thresholds.load()
        assert 0 < shipped.understood < 1
        assert 0 < shipped.lead < 1
        assert shipped.understood < shipped.strange <= 1


class TestStrangeMessages:
    def test_without_a_known_word_more_confidence_is_asked_for(self) -> None:
        assert GIVEN.verdict([0.6, 0.1], strange=True) is Verdict.NOT_UNDERSTOOD
        assert GIVEN.verdict([0.9, 0.1], strange=True) is Verdict.SURE
