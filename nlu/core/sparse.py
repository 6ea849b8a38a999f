"""Words and pieces of words as a sparse matrix: idf-weighted log counts, each half of a message of equal length."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from nlu.core.language import marks

_DIGITS = re.compile(r"\d+")
_LONGEST = 9
_PIECES = range(2, 6)


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


def lemma_terms(message: Words) -> Iterator[str]:
    """Give the lemmas in ones and twos."""
    yield from message.lemmas
    yield from map(" ".join, zip(message.lemmas, message.lemmas[1:], strict=False))


def piece_terms(message: Words) -> Iterator[str]:
    """Give the pieces of two to five characters of each word with a space on both sides."""
    for norm in message.norms:
        word = f" {norm} "
        for size in _PIECES:
            if len(word) <= size:
                yield word
                break
            yield from (word[at : at + size] for at in range(len(word) - size + 1))


@dataclass
class Terms:
    """One kind of terms: which there are, and how telling each is."""

    terms: Callable[[Words], Iterator[str]]
    rarest: int
    """Terms of fewer messages than this are left out."""
    columns: dict[str, int]
    weights: NDArray[np.float32]

    def fit(self, messages: Sequence[Words]) -> None:
        """Learn the terms and their inverse document frequencies."""
        counts = Counter(term for message in messages for term in set(self.terms(message)))
        kept = sorted(term for term, count in counts.items() if count >= self.rarest)
        self.columns = {term: at for at, term in enumerate(kept)}
        frequencies = np.array([counts[term] for term in kept], dtype=np.float32)
        self.weights = (np.log((1 + len(messages)) / (1 + frequencies)) + 1).astype(np.float32)

    def transform(self, messages: Sequence[Words]) -> sparse.csr_matrix:
        """Return one row a message, of unit length where it has a known term."""
        data: list[NDArray[np.float32]] = []
        indices: list[NDArray[np.int32]] = []
        ends = [0]
        for message in messages:
            counts = Counter(column for term in self.terms(message) if (column := self.columns.get(term)) is not None)
            at = np.fromiter(counts.keys(), dtype=np.int32, count=len(counts))
            row = (1 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))) * self.weights[at]
            data.append(row / (np.sqrt(row @ row) or 1))
            indices.append(at)
            ends.append(ends[-1] + len(at))
        return sparse.csr_matrix(
            (np.concatenate(data), np.concatenate(indices), np.array(ends)), shape=(len(messages), len(self.weights))
        )


class SparseFeatures:
    """Lemmas in ones and twos beside character pieces of the normalised forms."""

    def __init__(self) -> None:
        """Make both kinds of terms; they learn in `fit` or get their state in `restore`."""
        nothing = np.zeros(0, dtype=np.float32)
        self._kinds = {"words": Terms(lemma_terms, 1, {}, nothing), "pieces": Terms(piece_terms, 2, {}, nothing)}

    def fit(self, messages: Sequence[Words]) -> SparseFeatures:
        """Learn terms and weights."""
        for kind in self._kinds.values():
            kind.fit(messages)
        return self

    def transform(self, messages: Sequence[Words]) -> sparse.csr_matrix:
        """Return one row a message, of unit length."""
        halves = [kind.transform(messages) for kind in self._kinds.values()]
        return sparse.hstack(halves, format="csr", dtype=np.float32) * np.float32(np.sqrt(0.5))

    def state(self) -> dict[str, Any]:
        """Return all that was learnt, as arrays."""
        state: dict[str, Any] = {}
        for name, kind in self._kinds.items():
            state |= {f"{name}.terms": np.array(list(kind.columns), dtype=str), f"{name}.weights": kind.weights}
        return state

    @classmethod
    def restore(cls, state: dict[str, Any]) -> SparseFeatures:
        """Return what `state` described."""
        features = cls()
        for name, kind in features._kinds.items():
            kind.columns = {term: at for at, term in enumerate(state[f"{name}.terms"].tolist())}
            kind.weights = state[f"{name}.weights"]
        return features
