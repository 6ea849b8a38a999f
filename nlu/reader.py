"""A trained model that reads messages: the object of `firstline nlu parse`, from one run of Rasa's graph a message."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rasa.core.agent import Agent
from rasa.core.channels.channel import UserMessage
from rasa.engine.constants import PLACEHOLDER_MESSAGE, PLACEHOLDER_TRACKER

from nlu import thresholds
from nlu._text import split
from nlu.thresholds import Verdict

RANKING = 5
Reading = dict[str, Any]


class Reader:
    """One loaded model; not for several threads at once."""

    def __init__(self, archive: Path) -> None:
        """Load the archive through Rasa and read a first message, so that the encoders are warm."""
        self.model = archive.name.removesuffix(".tar.gz")
        self._agent = Agent.load(str(archive))
        if self._agent.processor is None:
            raise FileNotFoundError(f"Rasa could not load {archive}.")
        self._runner = self._agent.processor.graph_runner
        self._target = self._agent.processor.model_metadata.nlu_target
        self._thresholds = thresholds.load()
        self.read("Здравствуйте, где мой заказ 12345?")

    def read(self, text: str, *, now: datetime | None = None, clauses: bool = True) -> Reading:
        """Return what is to be understood from one message."""
        parts = split(text) if clauses else []
        texts = [text, *(part.text for part in parts)] if len(parts) > 1 else [text]
        whole, *rest = self._graph(texts, now)
        ranking = whole["intent_ranking"]
        verdict = self._thresholds.verdict([reading["confidence"] for reading in ranking])
        intents = [] if verdict is Verdict.NOT_UNDERSTOOD else [ranking[0]]
        return {
            "text": text,
            "intents": intents,
            "ranking": ranking[:RANKING],
            "entities": [_entity(entity, 0) for entity in whole["entities"]],
            "verdict": verdict.value,
            "model": self.model,
        }

    def _graph(self, texts: Sequence[str], now: datetime | None) -> list[Reading]:
        """Run the NLU part of Rasa's graph over some texts at once."""
        metadata = {"now": now.isoformat()} if now else {}
        messages = [UserMessage(text, metadata=metadata) for text in texts]
        results = self._runner.run(
            inputs={PLACEHOLDER_MESSAGE: messages, PLACEHOLDER_TRACKER: None}, targets=[self._target]
        )
        return [message.data for message in results[self._target]]


def _entity(entity: Reading, of: int) -> Reading:
    return {**{key: entity[key] for key in ("entity", "value", "text", "start", "end")}, "of": of}
