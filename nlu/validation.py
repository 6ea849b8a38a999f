"""How the model reads messages whose writer it has never seen: cross-validation in closed form, no training anew.

Vocabulary and centring are learnt from all messages, labels never are; everything else is left out honestly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlu.core.encoders import EmbeddingCache
from nlu.core.focus import focus
from nlu.core.model import NOTHING, Floats, IntentModel, Settings
from nlu.core.sparse import Words
from nlu.corpus import Example
from nlu.metrics import Prediction
from nlu.text.normalise import normalise

Reading = Callable[[str], tuple[str, list[str], list[str]]]
"""A text -> the text for the encoders, lemmas, normalised forms."""


@dataclass(frozen=True)
class Features:
    """Messages, as the model wants them."""

    examples: Sequence[Example]
    words: Sequence[Words]
    embeddings: Mapping[str, Floats]


@dataclass(frozen=True)
class Variant:
    """A pipeline to compare: which embeddings, which settings, and whether the cheap one is asked first."""

    name: str
    encoders: tuple[str, ...]
    settings: Settings
    unless_sure: float | None = None
    raw: bool = False
    """Without the normaliser and lemmas."""


def mended(text: str) -> tuple[str, list[str], list[str]]:
    """Read a text as the tokenizer does."""
    text, words = focus(normalise(text))
    return text, [token.lemma for token in words], [token.norm for token in words]


def as_sent(text: str) -> tuple[str, list[str], list[str]]:
    """Read a text without mending it: words in lower case."""
    words = "".join(char if char.isalnum() else " " for char in text.lower()).split()
    return text, words, words


def features(examples: Sequence[Example], encoders: Sequence[str], cache: Path, read: Reading = mended) -> Features:
    """Return the features of messages, embeddings from the cache where they are known."""
    readings = [read(example.text) for example in examples]
    texts = [text for text, _, _ in readings]
    return Features(
        examples,
        [Words.of(*reading) for reading in readings],
        {name: EmbeddingCache(name, cache).encode(texts) for name in encoders},
    )


def evaluate(
    variant: Variant, train: Features, held_out: Features, groupings: Mapping[str, Sequence[str]]
) -> dict[str, list[Prediction]]:
    """Return predictions by grouping, each group read by a model without it, and those on the `held_out` messages.

    Messages that ask nothing are learnt from but not predicted: they have no true intent.
    """
    stages = [variant.encoders[:1], variant.encoders] if variant.unless_sure is not None else [variant.encoders]
    labels = [example.intent for example in train.examples]
    writers = [example.voice for example in train.examples]
    found: dict[str, Floats] = {}
    for encoders in stages:
        model = IntentModel(variant.settings)
        solution = model.fit(train.words, _pick(train, encoders), labels, writers)
        stage = {name: model.probabilities(solution.left_out(groups)) for name, groups in groupings.items()}
        if held_out.examples:
            stage["held-out"] = model.predict(held_out.words, _pick(held_out, encoders))
        for name, probabilities in stage.items():
            earlier = found.get(name)
            if earlier is not None and variant.unless_sure is not None:
                sure = earlier.max(axis=1) >= variant.unless_sure
                probabilities = np.where(sure[:, None], earlier, probabilities)
            found[name] = probabilities
    return {
        name: _predictions(held_out.examples if name == "held-out" else train.examples, model.intents, probabilities)
        for name, probabilities in found.items()
    }


def _pick(given: Features, encoders: Sequence[str]) -> list[Floats]:
    """Return the embeddings asked for; none: one empty column, so that words decide alone."""
    return [given.embeddings[name] for name in encoders] or [np.zeros((len(given.examples), 1), dtype=np.float32)]


def _predictions(examples: Sequence[Example], intents: Sequence[str], probabilities: Floats) -> list[Prediction]:
    return [
        Prediction(example.intent, [(intents[at], float(row[at])) for at in np.argsort(-row)[:10]])
        for example, row in zip(examples, probabilities, strict=True)
        if example.intent != NOTHING
    ]
