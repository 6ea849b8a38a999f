"""A trained model that reads messages: the object of `firstline nlu parse`, out of Rasa's graph.

A message is read as a whole; then parts of it are read too, in batches, to find where one request ends and the next begins.
Only the nodes of the graph that are needed run: parts need no entities, and nothing needs Rasa's handling of
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
from nlu.text.clauses import Reading, divide
from nlu.text.entities import Entity
from nlu.text.normalise import normalise
from nlu.thresholds import Verdict

RANKING = 5
FOREIGN = "foreign_language"
SIGNS = frozenset(("+", "++", "-"))
"""Messages without a word that say something all the same: yes, no."""
OTHER_LETTERS = re.compile(r"[^\W\d_a-zа-яё]")
"""Letters of neither Russian nor English: words that have them are foreign, not nonsense."""
PART_STAGE = 0
"""Which of the pipeline's classifiers reads parts of a message: the first, without the dear embedding."""
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
        self._part_intents = [name for name, node in nodes.items() if node.uses is KernelIntentClassifier][PART_STAGE]
        self._entities = next(name for name, node in nodes.items() if node.uses is RuleEntityExtractor)
        self._thresholds = thresholds.load()
        self.read("Здравствуйте, где мой заказ 12345? И когда вернёте деньги за прошлый?")

    def read(self, text: str, *, now: datetime | None = None, clauses: bool = True) -> dict[str, Any]:
        """Return what is to be understood from one message; without `clauses` it is taken for one request."""
        [whole] = self._run([text], self._entities, now)
        ranking: Ranking = whole["intent_ranking"]
        entities = [_entity(found) for found in whole["entities"]]
        words = [token.get("norm") for token in whole["text_tokens"]]
        readings = self._requests(text, entities, ranking) if clauses and words else [_one(text, ranking)]
        verdict = self._verdict(text, words, ranking) if len(readings) == 1 else Verdict.SURE
        if verdict is Verdict.NOT_UNDERSTOOD:
            readings = []
        return {
            "text": text,
            "intents": [
                {"name": one.intent, "confidence": one.confidence, "start": one.start, "end": one.end}
                for one in readings
            ],
            "ranking": ranking[:RANKING],
            "entities": [
                {
                    "entity": found.entity,
                    "value": found.value,
                    "text": found.text,
                    "start": found.start,
                    "end": found.end,
                    "of": _owner(found, readings),
                }
                for found in entities
            ],
            "verdict": verdict.value,
            "model": self.model,
        }

    def _requests(self, text: str, entities: Sequence[Entity], ranking: Ranking) -> list[Reading]:
        tokens = normalise(text).tokens
        return divide(text, tokens, entities, _pairs(ranking), self._parts, self._thresholds.joining)

    def _parts(self, texts: Sequence[str]) -> list[list[tuple[str, float]]]:
        return [_pairs(message["intent_ranking"]) for message in self._run(texts, self._part_intents)]

    def _verdict(self, text: str, words: Sequence[str], ranking: Ranking) -> Verdict:
        if not any(char.isalpha() for word in words for char in word) and text.strip() not in SIGNS:
            return Verdict.NOT_UNDERSTOOD  # a bare number answers a question, it asks none
        strange = is_gibberish(words) and not OTHER_LETTERS.search(" ".join(words))
        if strange and ranking[0]["name"] == FOREIGN:
            return Verdict.NOT_UNDERSTOOD
        return self._thresholds.verdict([reading["confidence"] for reading in ranking], strange=strange)

    def _run(self, texts: Sequence[str], target: str, now: datetime | None = None) -> list[dict[str, Any]]:
        """Run the graph over some texts at once, as far as `target`."""
        metadata = {NOW: now.isoformat()} if now else {}
        messages = [UserMessage(text, metadata=metadata) for text in texts]
        results = self._runner.run(inputs={PLACEHOLDER_MESSAGE: messages, PLACEHOLDER_TRACKER: None}, targets=[target])
        return [message.data for message in results[target]]


def _pairs(ranking: Ranking) -> list[tuple[str, float]]:
    return [(reading["name"], reading["confidence"]) for reading in ranking]


def _one(text: str, ranking: Ranking) -> Reading:
    return Reading(ranking[0]["name"], ranking[0]["confidence"], 0, len(text))


def _owner(entity: Entity, readings: Sequence[Reading]) -> int:
    """Return the index of the request in whose words an entity stands."""
    return next((at for at, one in enumerate(readings) if one.start <= entity.start < one.end), 0)


def _entity(found: dict[str, Any]) -> Entity:
    return Entity(found["entity"], found["value"], found["text"], found["start"], found["end"])
