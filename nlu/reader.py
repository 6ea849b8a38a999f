"""A trained model that reads messages: the object of `firstline nlu parse`, out of Rasa's graph.

A message is read as a whole; where it may hold several requests its clauses are read too, in one batch, and joined.
Only the nodes of the graph that are needed run: clauses need no entities, and nothing needs Rasa's handling of
`/intent` messages, which would let a customer dictate a reading.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER

from nlu import thresholds
from nlu.components.entities import NOW, RuleEntityExtractor
from nlu.components.intents import KernelIntentClassifier
from nlu.core.language import is_gibberish
from nlu.text import clauses as parts
from nlu.text.entities import Entity
from nlu.thresholds import Verdict

RANKING = 5
MOST_CLAUSES = 40
FOREIGN = "foreign_language"
SIGNS = frozenset(("+", "++", "-"))
"""Messages without a word that say something all the same: yes, no."""
OTHER_LETTERS = re.compile(r"[^\W\d_a-zа-яё]")
"""Letters of neither Russian nor English: words that have them are foreign, not nonsense."""
CLAUSE_STAGE = 0
"""Which of the pipeline's classifiers reads clauses: the first, without the dear embedding."""
Ranking = list[dict[str, Any]]


class Reader:
    """One loaded model; not for several threads at once."""

    def __init__(self, archive: Path) -> None:
        """Load the archive through Rasa and read a first message, so that the encoders are warm."""
        self.model = archive.name.removesuffix(".tar.gz")
        processor = Agent.load(str(archive)).processor
        if processor is None:
            raise FileNotFoundError(f"Rasa could not load {archive}.")
        self._runner = processor.graph_runner
        nodes = processor.model_metadata.predict_schema.nodes
        self._clause_intents = [name for name, node in nodes.items() if node.uses is KernelIntentClassifier][
            CLAUSE_STAGE
        ]
        self._entities = next(name for name, node in nodes.items() if node.uses is RuleEntityExtractor)
        self._thresholds = thresholds.load()
        self.read("Здравствуйте, где мой заказ 12345? И когда вернёте деньги за прошлый?")

    def read(self, text: str, *, now: datetime | None = None, clauses: bool = True) -> dict[str, Any]:
        """Return what is to be understood from one message."""
        [whole] = self._run([text], self._entities, now)
        ranking: Ranking = whole["intent_ranking"]
        entities = [_entity(found) for found in whole["entities"]]
        words = [token.get("norm") for token in whole["text_tokens"]]
        cut = parts.split(text, entities)[:MOST_CLAUSES] if clauses and words else []
        readings = self._join(ranking, cut)
        verdict = self._verdict(text, words, ranking) if len(readings) == 1 else Verdict.SURE
        if verdict is Verdict.NOT_UNDERSTOOD:
            readings = []
        owners = parts.attach(entities, cut, readings) if len(readings) > 1 else [0] * len(entities)
        return {
            "text": text,
            "intents": [{"name": reading.intent, "confidence": reading.confidence} for reading in readings],
            "ranking": ranking[:RANKING],
            "entities": [
                {
                    "entity": found.entity,
                    "value": found.value,
                    "text": found.text,
                    "start": found.start,
                    "end": found.end,
                    "of": of or 0,
                }
                for found, of in zip(entities, owners, strict=True)
            ],
            "verdict": verdict.value,
            "model": self.model,
        }

    def _verdict(self, text: str, words: Sequence[str], ranking: Ranking) -> Verdict:
        if not any(char.isalpha() for word in words for char in word) and text.strip() not in SIGNS:
            return Verdict.NOT_UNDERSTOOD  # a bare number answers a question, it asks none
        strange = is_gibberish(words) and not OTHER_LETTERS.search(" ".join(words))
        if strange and ranking[0]["name"] == FOREIGN:
            return Verdict.NOT_UNDERSTOOD
        return self._thresholds.verdict([reading["confidence"] for reading in ranking], strange=strange)

    def _join(self, ranking: Ranking, cut: Sequence[parts.Clause]) -> list[parts.Reading]:
        whole = _pairs(ranking)
        if len(cut) > 1:
            messages = self._run([clause.text for clause in cut], self._clause_intents)
            rankings = [_pairs(message["intent_ranking"]) for message in messages]
        else:
            rankings = [whole] * len(cut)
        return parts.join(whole, cut, rankings, **self._thresholds.joining)

    def _run(self, texts: Sequence[str], target: str, now: datetime | None = None) -> list[dict[str, Any]]:
        """Run the graph over some texts at once, as far as `target`."""
        metadata = {NOW: now.isoformat()} if now else {}
        messages = [UserMessage(text, metadata=metadata) for text in texts]
        results = self._runner.run(inputs={PLACEHOLDER_MESSAGE: messages, PLACEHOLDER_TRACKER: None}, targets=[target])
        return [message.data for message in results[target]]


def _pairs(ranking: Ranking) -> list[tuple[str, float]]:
    return [(reading["name"], reading["confidence"]) for reading in ranking]


def _entity(found: dict[str, Any]) -> Entity:
    return Entity(found["entity"], found["value"], found["text"], found["start"], found["end"])
