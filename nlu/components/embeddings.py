"""Sentence embeddings as dense features: multilingual E5 (small) or Google's multilingual USE.

They are frozen: what is learnt sits in the classifier. The dear one can be kept for messages that the cheap one left
in doubt (`unless_sure`): most messages are easy.
"""

from __future__ import annotations

from typing import Any

from rasa.engine.graph import ExecutionContext, GraphComponent
from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.engine.storage.resource import Resource
from rasa.engine.storage.storage import ModelStorage
from rasa.nlu.featurizers.dense_featurizer.dense_featurizer import DenseFeaturizer
from rasa.nlu.tokenizers.tokenizer import Tokenizer
from rasa.shared.nlu.constants import INTENT, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.components.tokenizer import MENDED
from nlu.core.encoders import ENCODERS, EmbeddingCache, Vectors, encoder
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
        """Return the defaults; `unless_sure` is a confidence, None: every message is embedded."""
        return {**DenseFeaturizer.get_default_config(), "encoder": ENCODERS[0], "unless_sure": None}

    @classmethod
    def validate_config(cls, config: dict[str, Any]) -> None:
        """Refuse an encoder that does not exist."""
        if config.get("encoder", ENCODERS[0]) not in ENCODERS:
            raise ValueError(f"encoder: {config['encoder']!r} is none of {', '.join(ENCODERS)}")

    def __init__(self, config: dict[str, Any]) -> None:
        """Make the featurizer; the encoder itself is shared by the process."""
        super().__init__(config["encoder"], config)
        self._name: str = config["encoder"]
        self._identifier = self._name  # the features' origin, by which a classifier asks for them
        self._unless_sure: float | None = config["unless_sure"]

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

        self._add(messages, EmbeddingCache(self._name).encode([_text(message) for message in messages], progress))
        return training_data

    def process(self, messages: list[Message]) -> list[Message]:
        """Embed incoming messages in one batch, but for those already read with enough confidence."""
        doubtful = [message for message in messages if not self._is_sure(message)]
        if doubtful:
            self._add(doubtful, encoder(self._name).encode([_text(message) for message in doubtful]))
        return messages

    def _is_sure(self, message: Message) -> bool:
        reading = message.get(INTENT)
        return bool(self._unless_sure and reading and reading["confidence"] >= self._unless_sure)

    def _add(self, messages: list[Message], vectors: Vectors) -> None:
        for message, vector in zip(messages, vectors, strict=True):
            self.add_features_to_message(None, vector[None, :], TEXT, message)


def _text(message: Message) -> str:
    return str(message.get(MENDED) or message.get(TEXT) or "")
