"""The intent model: sparse and dense features side by side, a linear classifier, calibrated confidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from nlu.core.sparse import SparseFeatures, Words
from nlu.progress import report

Floats = NDArray[np.float32]
SCALES = {"e5": 4.0, "use": 1.5}
"""How loud each embedding is beside the sparse part (unit length)."""


class IntentModel:
    """Reads a message's features as probabilities of intents."""

    def __init__(self, *, strength: float = 10.0, folds: int = 3, seed: int = 7) -> None:
        """Make an untrained model; `strength` is the inverse of the regularisation."""
        self.strength, self.folds, self.seed = strength, folds, seed
        self.intents: list[str] = []
        self.temperature = 1.0
        self._sparse = SparseFeatures()
        self._means: dict[str, Floats] = {}
        self._weights: Floats = np.zeros((0, 0), dtype=np.float32)
        self._bias: Floats = np.zeros(0, dtype=np.float32)

    def fit(self, words: Sequence[Words], dense: Mapping[str, Floats], labels: Sequence[str]) -> IntentModel:
        """Learn from messages, then set the temperature on logits of messages that were left out."""
        self.intents = sorted(set(labels))
        targets = np.array([self.intents.index(label) for label in labels])
        self._sparse.fit(words)
        self._means = {name: matrix.mean(axis=0) for name, matrix in dense.items()}
        features = self._features(words, dense)
        out_of_fold = np.zeros((len(labels), len(self.intents)))
        folds = StratifiedKFold(self.folds, shuffle=True, random_state=self.seed)
        for number, (train, test) in enumerate(folds.split(features, targets), start=1):
            weights, bias = self._solve(features[train], targets[train])
            out_of_fold[test] = features[test] @ weights + bias
            report("calibrate", "calibrating on left-out messages", done=number, of=self.folds)
        self.temperature = best_temperature(out_of_fold, targets)
        report("fit", "learning from all messages")
        self._weights, self._bias = self._solve(features, targets)
        return self

    def predict(self, words: Sequence[Words], dense: Mapping[str, Floats]) -> Floats:
        """Return one row of probabilities a message, in the order of `intents`."""
        logits = self._features(words, dense) @ self._weights + self._bias
        return np.exp(log_softmax(logits / self.temperature, axis=1))

    def save(self, path: Path) -> None:
        """Write all that was learnt as plain arrays."""
        state: dict[str, Any] = {f"sparse.{name}": value for name, value in self._sparse.state().items()}
        state |= {f"mean.{name}": value for name, value in self._means.items()}
        np.savez_compressed(
            path,
            intents=np.array(self.intents),
            temperature=self.temperature,
            weights=self._weights.astype(np.float16),
            bias=self._bias,
            **state,
        )

    @classmethod
    def load(cls, path: Path) -> IntentModel:
        """Read what `save` wrote."""
        model = cls()
        with np.load(path, allow_pickle=False) as state:
            model.intents = state["intents"].tolist()
            model.temperature = float(state["temperature"])
            model._weights = state["weights"].astype(np.float32)
            model._bias = state["bias"]
            model._means = {name[5:]: state[name] for name in state.files if name.startswith("mean.")}
            model._sparse = SparseFeatures.restore(
                {name[7:]: state[name] for name in state.files if name.startswith("sparse.")}
            )
        return model

    def _features(self, words: Sequence[Words], dense: Mapping[str, Floats]) -> sparse.csr_matrix:
        parts = [self._sparse.transform(words)]
        parts += [sparse.csr_matrix((dense[name] - mean) * SCALES[name]) for name, mean in self._means.items()]
        return sparse.hstack(parts, format="csr", dtype=np.float32)

    def _solve(self, features: sparse.csr_matrix, targets: NDArray[np.int64]) -> tuple[Floats, Floats]:
        classifier = LogisticRegression(C=self.strength, max_iter=100, tol=1e-3)
        classifier.fit(features, targets)
        weights = np.zeros((features.shape[1], len(self.intents)), dtype=np.float32)
        bias = np.full(len(self.intents), -1e3, dtype=np.float32)
        weights[:, classifier.classes_] = classifier.coef_.T
        bias[classifier.classes_] = classifier.intercept_
        return weights, bias


def best_temperature(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> float:
    """Return the temperature under which left-out messages are likeliest."""

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(targets)), targets].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))
