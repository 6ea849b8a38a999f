"""Sentence embeddings as dense features: multilingual E5 (small) and Google's multilingual USE.

They are frozen: what is learnt sits in the classifier.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.components.tokenizer import MENDED
from nlu.core.encoders import ENCODERS, EmbeddingCache, encoder
from nlu.progress import report


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=False)
class SentenceEmbedding(DenseFeaturizer, GraphComponent):
    """One embedding of the mended text, as a message's sentence feature."""

    @classmethod
    def required_components(cls) -> list[type]:
        """Return what must come before: the tokenizer, which mends the text."""
        return [Tokenizer]

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the defaults; `encoder` names one of `nlu.core.encoders`."""
        return {**DenseFeaturizer.get_default_config(), "encoder": ENCODERS[0]}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse an encoder that does not exist."""
        if config.get("encoder", ENCODERS[0]) not in ENCODERS:
            raise ValueError(f"encoder: {config['encoder']!r} is none of {', '.join(ENCODERS)}")

    def __init__(self, config: dict[str, Any]) -> None:
        """Make the featurizer; the encoder itself is shared by the process."""
        super().__init__(config["encoder"], config)
        self._name: str = config["encoder"]

    @classmethod
    def create(
        cls,
        config: dict[str, Any],
        model_storage: ModelStorage,
        resource: Resource,
        execution_context: ExecutionContext,
    ) -> SentenceEmbedding:
        """Make the component, as Rasa's graph asks for it."""
        return cls(config)

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Embed all training messages, reusing what an earlier build has computed."""
        messages = [message for message in training_data.training_examples if message.get(TEXT)]

        def progress(done: int, of: int) -> None:
            report("embed", f"embedding messages ({self._name})", done=done, of=of)

        vectors = EmbeddingCache(self._name).encode([_text(message) for message in messages], progress)
        self._add(messages, vectors)
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Embed incoming messages, all in one batch."""
        self._add(messages, encoder(self._name).encode([_text(message) for message in messages]))
        return messages

    def _add(self, messages: list[Message], vectors: np.ndarray) -> None:
        for message, vector in zip(messages, vectors, strict=True):
            self.add_features_to_message(None, vector[None, :], TEXT, message)


def _text(message: Message) -> str:
    return str(message.get(MENDED) or message.get(TEXT) or "")
