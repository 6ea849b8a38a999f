"""Learn the weights by which a message is divided into requests, and print them for thresholds.yml.

    python -m nlu.joining [--models DIR]

Run with nlu's own Python from the repository's root; about ten minutes. The messages of three writers are read by a model that
learnt from the others only. Every place in them where a cut is possible should be none, as each holds one request; two of
them, of different intents, with or without a joint between, should be cut where they meet. A logistic regression over the
signs and measures of `nlu.text.clauses` tells both apart. `gain`, the sum from which a message is cut, is not learnt here: it is
chosen on nlu/dev.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from nlu import progress
from nlu.build import ROOT, default_models
from nlu.core.encoders import encoder
from nlu.core.model import NOTHING, IntentModel, Settings
from nlu.core.sparse import Words
from nlu.corpus import Example, training
from nlu.text.clauses.bounds import bounds
from nlu.text.clauses.requests import LONE, SOCIAL, Ranking, Read, measures
from nlu.text.entities import extract
from nlu.text.normalise import normalise
from nlu.threads import use_cores
from nlu.validation import features, mended

WRITERS = ("voice_a", "voice_b", "voice_c")
SINGLES, PAIRS = 2600, 3600
LONGEST, LONGEST_HALF, LONG_HALF = 45, 24, 9
"""Words: of a single message, of one half of a pair, and of a half from which only two in five are used."""
HARDEST = 4
"""So many places of a single message are learnt from: those most like a cut."""
ROUNDS = 4
JOINTS = (
    (0.35, " "),
    (0.5, ", "),
    (0.62, " и "),
    (0.72, ", и "),
    (0.8, ", а "),
    (0.83, ", и ещё "),
    (0.86, ", кстати "),
)
"""How two messages are joined, up to which draw of a number from 0 to 1; above: by a full stop."""
_GREETING = re.compile(r"^(здравствуйте|привет|добрый день|доброе утро|добрый вечер)[,.! ]*", re.IGNORECASE)
Row = dict[str, float]


def reader(models: Path) -> Read:
    """Return a cheap reading by a model that has not learnt from WRITERS."""
    known = [example for example in training(ROOT / "data") if example.voice not in WRITERS]
    learnt = features(known, ("use",), models / ".cache")
    model = IntentModel(Settings())
    model.fit(learnt.words, [learnt.embeddings["use"]], [one.intent for one in known], [one.voice for one in known])

    def read(texts: Sequence[str]) -> list[Ranking]:
        readings = [mended(text) for text in texts]
        vectors = encoder("use").encode([text for text, _, _ in readings])
        rows = model.predict([Words.of(*reading) for reading in readings], [vectors])
        return [[(model.intents[at], float(row[at])) for at in np.argsort(-row)] for row in rows]

    return read


def pairs(examples: Sequence[Example], draw: random.Random) -> Iterator[tuple[str, int, set[str]]]:
    """Give PAIRS messages of two requests, each with the place where they meet and its intents."""
    halves = [one for one in examples if len(one.text.split()) <= LONGEST_HALF and one.intent not in LONE]
    made = 0
    while made < PAIRS:
        first, second = draw.sample(halves, 2)
        longer = max(len(first.text.split()), len(second.text.split()))
        after = _GREETING.sub("", second.text)
        if first.intent == second.intent or not after or (longer > LONG_HALF and draw.random() < 0.6):
            continue
        before, drawn = first.text.rstrip(" .,!"), draw.random()
        joint = next((joint for upto, joint in JOINTS if drawn < upto), None)
        if joint is None:
            before += " " if before.endswith("?") else ". "
            yield before + after[:1].upper() + after[1:], len(before), {first.intent, second.intent}
        else:
            before = before.rstrip("?")
            cut = len(before) + len(joint) - len(joint.lstrip(" ,"))
            yield before + joint + after[:1].lower() + after[1:], cut, {first.intent, second.intent}
        made += 1


def rows(text: str, read: Read, at: int | None = None, intents: set[str] | None = None) -> list[Row]:
    """Return signs and measures of each place of a message, or of the one place `at` if read as `intents` there."""
    tokens = normalise(text).tokens
    cuts = [cut for cut in bounds(text, tokens, extract(text, None, tokens)) if at is None or cut.start == at]
    parts = [text, *(part for cut in cuts for part in (text[: cut.start], text[cut.start :]))]
    whole, *rankings = read(parts)
    found = []
    for cut, first, second in zip(cuts, rankings[::2], rankings[1::2], strict=True):
        measured = measures(whole, first, second)
        asked = {next((name for name, _ in ranking if name not in LONE), "") for ranking in (first, second)}
        if measured and (intents is None or asked == intents):
            found.append({**cut.signs, **measured})
    return found


def learn(joined: Sequence[Row], singles: Sequence[Sequence[Row]]) -> Row:
    """Return the weights: of all places in `singles` only those count that are hardest to tell from `joined`."""
    names = list(joined[0])

    def table(some: Sequence[Row]) -> np.ndarray:  # type: ignore[type-arg]
        return np.array([[row[name] for name in names] for row in some])

    hard = [row for some in singles for row in some]
    weights: Row = {}
    for _ in range(ROUNDS):
        values = np.vstack([table(joined), table(hard)])
        truth = np.r_[np.ones(len(joined)), np.zeros(len(hard))]
        share = np.r_[np.ones(len(joined)), np.full(len(hard), len(joined) / len(hard))]
        centre, width = values.mean(axis=0), values.std(axis=0) + 1e-9
        model = LogisticRegression(max_iter=3000).fit((values - centre) / width, truth, sample_weight=share)
        slopes = model.coef_[0] / width
        start = float(model.intercept_[0] - slopes @ centre)
        weights = {"start": start, **dict(zip(names, map(float, slopes), strict=True))}
        hard = [
            row
            for some in singles
            if some
            for row in (some[at] for at in np.argsort(-(table(some) @ slopes))[:HARDEST])
        ]
    return weights


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m nlu.joining", description="Learn how messages are divided.")
    parser.add_argument("--models", type=Path, default=default_models(), help="folder with the embeddings' cache")
    arguments = parser.parse_args()
    progress.start()
    use_cores(1)
    draw = random.Random(5)
    examples = [
        one
        for one in training(ROOT / "data")
        if one.voice in WRITERS
        and one.intent not in SOCIAL | {"foreign_language", NOTHING}
        and re.search("[а-я]", one.text)
    ]
    draw.shuffle(examples)
    read = reader(arguments.models)
    joined = []
    for number, (text, at, intents) in enumerate(pairs(examples, draw)):
        if number % 500 == 0:
            progress.report("pairs", "reading messages of two requests", done=number, of=PAIRS)
        joined += rows(text, read, at, intents)
    singles = []
    for number, one in enumerate([one for one in examples if 4 <= len(one.text.split()) <= LONGEST][:SINGLES]):
        if number % 500 == 0:
            progress.report("singles", "reading messages of one request", done=number, of=SINGLES)
        singles.append(rows(one.text, read))
    weights = learn(joined, singles)
    print("  " + ", ".join(f"{name}: {value:.2f}" for name, value in weights.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
