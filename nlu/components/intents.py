"""The intent classifier in Rasa's graph: Firstline's own model over the words and embeddings of a message."""

from __future__ import annotations

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

from nlu.core.model import IntentModel
from nlu.core.sparse import Words

_FILE = "intents.npz"


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.INTENT_CLASSIFIER, is_trainable=True)
class CalibratedIntentClassifier(IntentClassifier, GraphComponent):
    """Ranks the intents of a message with confidences that can be taken at their word."""

    @classmethod
    def required_components(cls) -> list[type]:
        """Return what must come before: something that makes features."""
        return [Featurizer]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the defaults; `ranking_length` 0 keeps all intents."""
        return {"ranking_length": 0, "strength": 10.0}

    def __init__(
        self,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        model: IntentModel | None = None,
    ) -> None:
        """Make the component around a model, untrained where none is given."""
        self._config = config
        self._storage, self._resource = model_storage, resource
        self._model = model or IntentModel(strength=config["strength"])

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> CalibratedIntentClassifier:
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
    ) -> CalibratedIntentClassifier:
        """Read the trained component from the model archive."""
        with model_storage.read_from(resource) as folder:
            return cls(config, model_storage, resource, IntentModel.load(folder / _FILE))

    def train(self, training_data: TrainingData) -> Resource:
        """Learn from the training messages and keep the result in the model archive."""
        messages = [message for message in training_data.intent_examples if message.get(TEXT)]
        self._model.fit(_words(messages), _dense(messages), [message.get(INTENT) for message in messages])
        with self._storage.write_to(self._resource) as folder:
            self._model.save(folder / _FILE)
        return self._resource

    def process(self, messages: list[Message]) -> list[Message]:
        """Set the likeliest intent and the ranking on each message."""
        if not messages:
            return messages
        probabilities = self._model.predict(_words(messages), _dense(messages))
        length = self._config["ranking_length"] or len(self._model.intents)
        for message, row in zip(messages, probabilities, strict=True):
            ranking = [
                {"name": self._model.intents[at], "confidence": float(row[at])}
                for at in np.argsort(-row)[:length]
            ]
            message.set("intent", ranking[0], add_to_output=True)
            message.set("intent_ranking", ranking, add_to_output=True)
        return messages


def _words(messages: list[Message]) -> list[Words]:
    tokens = [message.get(TOKENS_NAMES[TEXT]) or [] for message in messages]
    return [
        Words(tuple(token.lemma for token in some), tuple(token.get("norm", token.text) for token in some))
        for some in tokens
    ]


def _dense(messages: list[Message]) -> dict[str, np.ndarray]:
    names = [features.origin for features in messages[0].features if not features.is_sparse()]
    return {
        name: np.concatenate(
            [
                features.features
                for message in messages
                for features in message.features
                if features.origin == name
            ]
        )
        for name in names
    }
