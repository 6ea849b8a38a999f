"""The figures of the NLU's evaluation."""

from __future__ import annotations

import pytest

from nlu import metrics
from nlu.metrics import Prediction


def read(truth: str, *ranking: tuple[str, float]) -> Prediction:
    return Prediction(truth, ranking)


PREDICTIONS = [
    read("greet", ("greet", 0.9), ("thanks", 0.1)),
    read("thanks", ("greet", 0.6), ("thanks", 0.4)),
    read("thanks", ("thanks", 0.8), ("greet", 0.2)),
    read("deny", ("thanks", 0.5), ("greet", 0.3), ("deny", 0.2)),
]


class TestAccuracy:
    def test_only_the_first_reading_counts(self) -> None:
        assert metrics.accuracy(PREDICTIONS) == 0.5

    def test_a_truth_among_the_first_three_counts_for_top_three(self) -> None:
        assert metrics.accuracy(PREDICTIONS, 3) == 1.0

    def test_no_messages_give_nought(self) -> None:
        assert metrics.accuracy([]) == 0.0

    def test_the_surest_half_is_right(self) -> None:
        assert metrics.accuracy_at(PREDICTIONS, 0.5) == 1.0


class TestPerIntent:
    def test_hits_found_and_expected_are_counted(self) -> None:
        thanks = metrics.per_intent(PREDICTIONS)["thanks"]
        assert (thanks.hits, thanks.found, thanks.expected) == (1, 2, 2)
        assert thanks.f1 == 0.5

    def test_macro_f1_is_the_mean_over_expected_intents(self) -> None:
        assert metrics.macro_f1(PREDICTIONS) == pytest.approx((2 / 3 + 0.5 + 0) / 3)

    def test_confusions_name_truth_and_reading(self) -> None:
        assert metrics.confusions(PREDICTIONS) == {("thanks", "greet"): 1, ("deny", "thanks"): 1}


class TestCalibration:
    def test_confidence_as_good_as_its_word_has_no_error(self) -> None:
        assert metrics.calibration_error([read("a", ("a", 1.0)), read("b", ("b", 1.0))]) == 0.0

    def test_error_is_the_distance_of_confidence_and_accuracy(self) -> None:
        assert metrics.calibration_error([read("a", ("b", 0.75)), read("a", ("a", 0.75))]) == pytest.approx(0.25)

    def test_full_confidence_falls_into_the_last_bin(self) -> None:
        assert metrics.reliability([read("a", ("a", 1.0))]) == [metrics.Bin(1, 1.0, 1.0)]


class TestSets:
    def test_several_intents_are_scored_over_all_messages(self) -> None:
        score = metrics.sets([(["a", "b"], ["b", "a"]), (["c", "d"], ["c"]), (["e"], ["e", "f"])])
        assert (score.hits, score.found, score.expected) == (4, 5, 5)
        assert score.f1 == pytest.approx(0.8)
