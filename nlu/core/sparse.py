"""Words and pieces of words as a sparse matrix: idf-weighted log counts, each half of a message of equal length."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from nlu.core.language import marks

_DIGITS = re.compile(r"\d+")
_LONGEST = 9


@dataclass(frozen=True)
class Words:
    """A message for the sparse part: its words' lemmas and normalised forms."""

    lemmas: tuple[str, ...]
    norms: tuple[str, ...]

    @classmethod
    def of(cls, mended: str, lemmas: Sequence[str], norms: Sequence[str]) -> Words:
        """Return the words with digits replaced by their shape, and the marks of the writing beside them."""
        marked = marks(mended)
        return cls((*map(_shape, lemmas), *marked), (*map(_shape, norms), *marked))


def _shape(word: str) -> str:
    return _DIGITS.sub(lambda digits: "#" * min(len(digits.group()), _LONGEST), word)


class SparseFeatures:
    """Lemmas in ones and twos beside character pieces of the normalised forms."""

    def __init__(self) -> None:
        """Make both vectorisers; they learn in `fit` or get their state in `restore`."""
        self._words = TfidfVectorizer(analyzer=_lemma_ngrams, sublinear_tf=True)
        self._chars = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True, min_df=2, lowercase=False
        )

    def fit(self, messages: Sequence[Words]) -> SparseFeatures:
        """Learn vocabulary and weights."""
        self._words.fit(messages)
        self._chars.fit([" ".join(message.norms) for message in messages])
        return self

    def transform(self, messages: Sequence[Words]) -> sparse.csr_matrix:
        """Return one row a message, of unit length."""
        halves = [
            self._words.transform(messages),
            self._chars.transform([" ".join(message.norms) for message in messages]),
        ]
        return (sparse.hstack(halves, format="csr", dtype=np.float32) * np.float32(np.sqrt(0.5))).tocsr()

    def state(self) -> dict[str, Any]:
        """Return all that was learnt, as arrays."""
        state: dict[str, Any] = {}
        for name, vectoriser in (("words", self._words), ("chars", self._chars)):
            state[f"{name}_vocabulary"] = np.array(vectoriser.get_feature_names_out(), dtype=str)
            state[f"{name}_idf"] = vectoriser.idf_
        return state

    @classmethod
    def restore(cls, state: dict[str, Any]) -> SparseFeatures:
        """Return what `state` described."""
        features = cls()
        for name, vectoriser in (("words", features._words), ("chars", features._chars)):
            vectoriser.vocabulary = {term: at for at, term in enumerate(state[f"{name}_vocabulary"].tolist())}
            vectoriser.idf_ = state[f"{name}_idf"]
        return features


def _lemma_ngrams(message: Words) -> list[str]:
    lemmas = message.lemmas
    return [*lemmas, *(f"{first} {second}" for first, second in zip(lemmas, lemmas[1:]))]
