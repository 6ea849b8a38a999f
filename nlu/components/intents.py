"""The intent classifier in Rasa's graph: Firstline's own model over the words and embeddings of a message.

It may stand in the pipeline twice: once over the cheap embedding alone, and again over both embeddings for the messages
that have the dear one because the first was in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.classifiers.classifier import IntentClassifier
from rasa.nlu.constants import TOKENS_NAMES
from rasa.nlu.featurizers.featurizer import Featurizer
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.components.importer import WRITER
from nlu.components.tokenizer import MENDED
from nlu.core.model import Floats, IntentModel, Settings
from nlu.core.sparse import Words
from nlu.text.excerpt import telling

_FILE = "intents.npz"
_RANKING = "intent_ranking"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class KernelIntentClassifier(IntentClassifier, GraphComponent):
    """Ranks the intents of a message with confidences that can be taken at their word."""

    @classmethod
    def required_components(cls) -> list[type]:
        """Return what must come before: something that makes features."""
        return [Featurizer]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the defaults: the embeddings it reads, and the settings of the model."""
        return {"embeddings": ["use"], "words": 1.0, "near": 2.0, "sharpness": 0.75, "ridge": 0.2}

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        model: IntentModel | None = None,
    ) -> None:
        """Make the component around a model, untrained where none is given."""
        self._storage, self._resource = model_storage, resource
        self._embeddings: list[str] = config["embeddings"]
        self._model = model or IntentModel(
            Settings(**{name: float(config[name]) for name in ("words", "near", "sharpness", "ridge")})
        )

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> KernelIntentClassifier:
        """Make an untrained component, as Rasa's graph asks for it."""
        return cls(config, model_storage, resource)

    @classmethod
    def load(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
        **kwargs: Any,
    ) -> KernelIntentClassifier:
        """Read the trained component from the model archive."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(folder / _FILE))

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from the training messages and keep the result in the model archive."""
        messages = [message for message in training_data.intent_examples if message.get(TEXT)]
        self._model.fit(
            _words(messages),
            self._vectors(messages),
            [message.get(INTENT) for message in messages],
            [message.get(WRITER) or "" for message in messages],
        )
        with self._storage.write_to(self._resource) as folder:
            self._model.save(folder / _FILE)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the ranking of intents on each message that has the features this classifier reads."""
        readable = [message for message in messages if self._embeddings_of(message).keys() >= set(self._embeddings)]
        if not readable:
            return messages
        intents = self._model.intents
        for message, row in zip(readable, self._model.predict(_words(readable), self._vectors(readable)), strict=True):
            ranking = [{"name": intents[at], "confidence": float(row[at])} for at in np.argsort(-row)]
            message.set(INTENT, ranking[0], add_to_output=True)
            message.set(_RANKING, ranking, add_to_output=True)
        return messages

    def _vectors(self, messages: Sequence[Message]) -> list[Floats]:
        """Return one matrix an embedding."""
        found = [self._embeddings_of(message) for message in messages]
        return [np.stack([vectors[name] for vectors in found]) for name in self._embeddings]

    @staticmethod
    def _embeddings_of(message: Message) -> dict[str, Floats]:
        return {
            features.origin: features.features[0]
            for features in message.features
            if features.is_dense() and features.attribute == TEXT
        }


def _words(messages: Sequence[Message]) -> list[Words]:
    read = [(message, telling(message.get(TOKENS_NAMES[TEXT]) or [])) for message in messages]
    return [
        Words.of(
            str(message.get(MENDED) or ""),
            [token.lemma for token in tokens],
            [token.get("norm", token.text) for token in tokens],
        )
        for message, tokens in read
    ]
