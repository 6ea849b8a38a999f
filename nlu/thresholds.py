"""From confidences to a verdict: sure, ambiguous, not understood. The thresholds live in thresholds.yml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    strange: float = 0.8
    """What a message without a single known word must reach to be understood: slang, a brand, a typo."""
    joining: Mapping[str, float] = field(default_factory=dict)
    """The weights of nlu.text.clauses.divide, by name."""

    def verdict(self, confidences: Sequence[float], *, strange: bool = False) -> Verdict:
        """Return the verdict on a ranking's confidences, best first; `strange`: no word of the message is known."""
        if not confidences or confidences[0] < (self.strange if strange else self.understood):
            return Verdict.NOT_UNDERSTOOD
        if len(confidences) > 1 and confidences[0] - confidences[1] < self.lead:
            return Verdict.AMBIGUOUS
        return Verdict.SURE


def load(path: Path = FILE) -> Thresholds:
    """Read the thresholds; other keys of the file are the record of how they were chosen."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    joining = {name: float(value) for name, value in (content.get("joining") or {}).items()}
    return Thresholds(float(content["understood"]), float(content["lead"]), float(content["strange"]), joining)
