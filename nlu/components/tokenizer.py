"""The text as Rasa's later components see it: mended, and cut into words with lemma and normalised form."""

from __future__ import annotations

from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from nlu.core.focus import focus
from nlu.progress import report
from nlu.text.normalise import normalise

MENDED = "mended"
"""Message attribute: the text with layout, transliteration and look-alike letters put right, without a greeting."""


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER, is_trainable=False)
class RussianTokenizer(Tokenizer):
    """Mends the text and cuts it into words; positions stay those of the text as it was sent."""

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return Rasa's defaults: intents are never split."""
        return {"intent_tokenization_flag": False, "intent_split_symbol": "_"}

    def process_training_data(self, training_data: TrainingData) -> TrainingData:
        """Cut all training messages into words."""
        report("words", f"mending {len(training_data.training_examples)} messages and cutting them into words")
        return super().process_training_data(training_data)

    def tokenize(self, message: Message, attribute: str) -> list[Token]:
        """Return the words of a message, each with its lemma and normalised form."""
        mended, words = focus(normalise(message.get(attribute)))
        message.set(MENDED, mended)
        return [
            Token(token.text, token.start, token.end, data={"norm": token.norm}, lemma=token.lemma) for token in words
        ]
