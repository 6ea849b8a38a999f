"""From confidences to a verdict: sure, ambiguous, not understood. The two thresholds live in thresholds.yml."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import yaml

FILE = Path(__file__).with_name("thresholds.yml")


class Verdict(str, Enum):
    """How far a reading can be trusted."""

    SURE = "sure"
    AMBIGUOUS = "ambiguous"
    NOT_UNDERSTOOD = "not_understood"


@dataclass(frozen=True)
class Thresholds:
    """What a best reading must reach."""

    understood: float
    lead: float

    def verdict(self, confidences: Sequence[float]) -> Verdict:
        """Return the verdict on a ranking's confidences, best first."""
        if not confidences or confidences[0] < self.understood:
            return Verdict.NOT_UNDERSTOOD
        if len(confidences) > 1 and confidences[0] - confidences[1] < self.lead:
            return Verdict.AMBIGUOUS
        return Verdict.SURE


def load(path: Path = FILE) -> Thresholds:
    """Read the thresholds; other keys of the file are the record of how they were chosen."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Thresholds(understood=float(content["understood"]), lead=float(content["lead"]))
