"""Measure how well messages are read, and write a page about it.

    python -m nlu.evaluate [--models DIR] [--model NAME] [--out DIR] [--ablate] [--only PART …]

Run with nlu's own Python from the repository's root. It measures the trained model (the newest archive of the models
folder, or the one named) on the held-out messages of nlu/tests: single intents, several intents, entities, speed;
and the pipeline by cross-validation over nlu/data: five seeded folds, and leaving one writer out. `--ablate` adds what
each step of the pipeline gains. `--only` picks parts: corpus, heldout, multi, entities, cross, ablate. Embeddings are taken
from the models folder's cache. Figures are printed, and written to `--out` (default `data/reports/nlu`) as
`nlu.html`, one file with its pictures inside, and `nlu.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from nlu import metrics, progress
from nlu.build import ROOT, default_models
from nlu.corpus import Example, held_out, make_up, obvious, training, unseen
from nlu.metrics import Prediction
from nlu.server import find_model
from nlu.threads import use_cores

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
PARTS = ("corpus", "heldout", "multi", "entities", "cross", "ablate")


def single_held_out() -> list[Example]:
    """Return the held-out messages of one intent, without those that the training data happen to hold too."""
    return unseen(held_out(ROOT / "tests", "heldout_*.yml"), training(ROOT / "data"))


def figures(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """Return the figures of one set of single-intent messages."""
    return {
        "messages": len(predictions),
        "accuracy": metrics.accuracy(predictions),
        "top3": metrics.accuracy(predictions, 3),
        "macro_f1": metrics.macro_f1(predictions),
        "surest_80": metrics.accuracy_at(predictions, 0.8),
        "ece": metrics.calibration_error(predictions),
        "reliability": [(part.count, part.confidence, part.accuracy) for part in metrics.reliability(predictions)],
        "coverage": metrics.coverage(predictions),
        "cuts": {
            name: [astuple(cut) for cut in metrics.cuts(predictions, THRESHOLDS, lead=name == "lead")]
            for name in ("understood", "lead")
        },
        "intents": {
            name: {"precision": s.precision, "recall": s.recall, "f1": s.f1, "messages": s.expected}
            for name, s in metrics.per_intent(predictions).items()
        },
    }


def confused(predictions: Sequence[Prediction], examples: Sequence[Example], pairs: int = 25) -> list[dict[str, Any]]:
    """Return the pairs most often confused, with examples."""
    texts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for given, example in zip(predictions, examples, strict=True):
        if not given.right:
            texts[given.truth, given.best].append(example.text)
    return [
        {"truth": truth, "read": read, "count": count, "examples": texts[truth, read][:3]}
        for (truth, read), count in metrics.confusions(predictions).most_common(pairs)
    ]


def on_model(reader: Any, parts: Sequence[str]) -> dict[str, Any]:
    """Measure the trained model through Rasa's graph, as the service runs it."""
    result: dict[str, Any] = {"model": reader.model}
    single = single_held_out()
    several = held_out(ROOT / "tests", "multi_*.yml")
    lookalikes = held_out(ROOT / "tests", "single_*.yml")
    nonsense = held_out(ROOT / "tests", "nonsense_*.yml")
    readings = {}
    times = []
    for number, example in enumerate([*single, *several, *lookalikes, *nonsense]):
        if number % 100 == 0:
            progress.report("read", "reading held-out messages", done=number, of=len(single) + len(several))
        started = time.thread_time()
        readings[example.text] = reader.read(example.text)
        times.append((time.thread_time() - started) * 1000)
    # Of the processor's time: what a parse takes on a core of its own, however busy this machine is.
    result["parse_ms"] = {"median": statistics.median(times), "p95": statistics.quantiles(times, n=20)[-1]}
    if "heldout" in parts:
        predictions = [
            Prediction(e.intent, [(r["name"], r["confidence"]) for r in readings[e.text]["ranking"]]) for e in single
        ]
        result["heldout"] = figures(predictions)
        result["heldout"]["kinds"] = _by_kind(single, predictions)
        result["heldout"]["confused"] = confused(predictions, single)
        result["verdicts"] = _verdicts(single, readings)
        result["nonsense"] = {
            "messages": len(nonsense),
            "not_understood": sum(readings[e.text]["verdict"] == "not_understood" for e in nonsense),
        }
    if "multi" in parts and several:
        found = [(e.intents, [i["name"] for i in readings[e.text]["intents"]]) for e in several]
        score = metrics.sets(found)
        false_splits = [e.text for e in lookalikes if len(readings[e.text]["intents"]) > 1]
        single_splits = sum(len(readings[e.text]["intents"]) > 1 for e in single)
        result["multi"] = {
            "messages": len(several),
            "precision": score.precision,
            "recall": score.recall,
            "f1": score.f1,
            "exact": sum(set(wanted) == set(given) for wanted, given in found) / len(found),
            "lookalikes": len(lookalikes),
            "false_splits": len(false_splits),
            "false_splits_heldout": single_splits / len(single) if single else 0.0,
            "false_split_examples": false_splits[:8],
            "missed_examples": [e.text for e, (w, g) in zip(several, found, strict=True) if not set(w) <= set(g)][:12],
        }
    if "entities" in parts:
        result["entities"] = _entities([*single, *several, *lookalikes], readings)
    return result


def _by_kind(examples: Sequence[Example], predictions: Sequence[Prediction]) -> dict[str, dict[str, float]]:
    kinds: dict[str, list[Prediction]] = defaultdict(list)
    for example, given in zip(examples, predictions, strict=True):
        kinds[example.kind].append(given)
    return {
        kind: {"messages": len(some), "accuracy": metrics.accuracy(some), "top3": metrics.accuracy(some, 3)}
        for kind, some in sorted(kinds.items())
    }


def _verdicts(examples: Sequence[Example], readings: dict[str, Any]) -> dict[str, dict[str, float]]:
    verdicts: dict[str, list[bool]] = defaultdict(list)
    for example in examples:
        reading = readings[example.text]
        verdicts[reading["verdict"]].append(reading["ranking"][0]["name"] == example.intent)
    return {
        verdict: {"share": len(some) / len(examples), "accuracy": sum(some) / len(some)}
        for verdict, some in sorted(verdicts.items())
    }


def _entities(examples: Sequence[Example], readings: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Return precision, recall and F1 per kind; a hit has the kind and overlaps, `exact` has the very same span."""
    kinds = sorted({span.entity for example in examples for span in example.entities})
    table: dict[str, dict[str, float]] = {}
    for kind in kinds:
        strict, loose = [], []
        for _number, example in enumerate(examples):
            wanted = [(s.start, s.end) for s in example.entities if s.entity == kind]
            given = [(f["start"], f["end"]) for f in readings[example.text]["entities"] if f["entity"] == kind]
            strict.append((wanted, given))
            paired = [next((w for w in wanted if w[0] < g[1] and g[0] < w[1]), ("none", *g)) for g in given]
            loose.append((wanted, paired))
        exact, overlap = metrics.sets(_numbered(strict)), metrics.sets(_numbered(loose))
        table[kind] = {
            "messages": overlap.expected,
            "precision": overlap.precision,
            "recall": overlap.recall,
            "f1": overlap.f1,
            "exact_f1": exact.f1,
        }
    return table


def _numbered(pairs: Sequence[tuple[Sequence[Any], Sequence[Any]]]) -> list[tuple[list[Any], list[Any]]]:
    return [([(n, w) for w in wanted], [(n, g) for g in given]) for n, (wanted, given) in enumerate(pairs)]


def cross(models: Path, ablate: bool) -> dict[str, Any]:
    """Cross-validate the pipeline, and its lesser relatives where asked."""
    from nlu import validation
    from nlu.core.model import NOTHING, folds
    from nlu.evaluation import SHIPPED, VARIANTS

    train, test = training(ROOT / "data"), single_held_out()
    asking = [example for example in train if example.intent != NOTHING]
    groupings = {"writers": [example.voice for example in train], "folds": folds(len(train))}
    result: dict[str, Any] = {
        "messages": len(asking),
        "intents": len({example.intent for example in asking}),
        "writers": len(set(groupings["writers"])),
    }
    cache = models / ".cache"
    prepared: dict[bool, Any] = {}
    for variant in VARIANTS if ablate else (SHIPPED,):
        progress.report("cross", f"cross-validating: {variant.name}")
        if variant.raw not in prepared:
            read = validation.as_sent if variant.raw else validation.mended
            encoders = () if variant.raw else ("use", "e5")
            prepared[variant.raw] = [validation.features(some, encoders, cache, read) for some in (train, test)]
        learnt, left = prepared[variant.raw]
        found = validation.evaluate(variant, learnt, left, groupings)
        result.setdefault("steps", []).append(
            {"name": variant.name, **{name: _short(some) for name, some in found.items()}}
        )
        if variant == SHIPPED:
            for name in ("writers", "folds"):
                result[name] = figures(found[name])
                result[name]["confused"] = confused(found[name], asking)
            result["each_writer"] = {
                writer: metrics.accuracy(
                    [p for p, e in zip(found["writers"], asking, strict=True) if e.voice == writer]
                )
                for writer in sorted({example.voice for example in asking})
            }
    return result


def _short(predictions: Sequence[Prediction]) -> dict[str, float]:
    return {
        "accuracy": metrics.accuracy(predictions),
        "top3": metrics.accuracy(predictions, 3),
        "ece": metrics.calibration_error(predictions),
    }


def main() -> int:
    """Do what the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m nlu.evaluate", description="Measure how well messages are read.")
    parser.add_argument("--models", type=Path, default=default_models(), help="folder of model archives")
    parser.add_argument("--model", help="name of the model to measure; otherwise the newest")
    parser.add_argument("--out", type=Path, default=Path("data/reports/nlu"), help="folder for the page and figures")
    parser.add_argument("--ablate", action="store_true", help="measure what each step of the pipeline gains")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="measure only these parts")
    arguments = parser.parse_args()
    parts = set(arguments.only or PARTS[:-1]) | ({"ablate"} if arguments.ablate else set())
    progress.start()
    use_cores(1)
    result: dict[str, Any] = {}
    if "corpus" in parts:
        words = obvious(ROOT / "obvious_words.yml")
        result["corpus"] = {
            "training": make_up(training(ROOT / "data"), words),
            "held-out": make_up(single_held_out(), words),
        }
    if parts & {"heldout", "multi", "entities"}:
        progress.report("load", "loading Rasa and the model")
        from nlu.reader import Reader

        result |= on_model(Reader(find_model(arguments.models, arguments.model)), sorted(parts))
    if parts & {"cross", "ablate"}:
        result["cross"] = cross(arguments.models, "ablate" in parts)
    from nlu.evaluation import page, summary

    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "nlu.json").write_text(json.dumps(result, ensure_ascii=False, indent=1), encoding="utf-8")
    (arguments.out / "nlu.html").write_text(page(result), encoding="utf-8")
    print(summary(result))
    progress.report("done", f"written to {arguments.out / 'nlu.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
