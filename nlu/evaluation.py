"""What evaluate.py compares and how it tells it: the variants of the pipeline, the printed summary, the page."""

from __future__ import annotations

from html import escape
from typing import Any

import yaml

from nlu import pictures
from nlu.build import ROOT
from nlu.core.model import Settings
from nlu.validation import Variant

_PIPELINE = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))["pipeline"]
UNLESS_SURE = next(float(step["unless_sure"]) for step in _PIPELINE if "unless_sure" in step)
SHIPPED = Variant("the shipped pipeline: e5 only where in doubt", ("use", "e5"), Settings(), unless_sure=UNLESS_SURE)
VARIANTS = (
    Variant("words as sent, linear", (), Settings(near=0.0), raw=True),
    Variant("words mended, with lemmas", (), Settings(near=0.0)),
    Variant("+ USE, linear", ("use",), Settings(near=0.0, straight=1.0)),
    Variant("+ e5, linear", ("use", "e5"), Settings(near=0.0, straight=2.0)),
    Variant("words + USE near (the first stage)", ("use",), Settings()),
    Variant("both embeddings near, without words", ("use", "e5"), Settings(words=0.0)),
    Variant("words + both embeddings near", ("use", "e5"), Settings()),
    SHIPPED,
)

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1100px;margin:2rem auto;padding:0 1rem;color:#1c2330}
h1{font-size:1.6rem}h2{margin-top:2.2rem;font-size:1.2rem;border-bottom:1px solid #d9dee7;padding-bottom:.2rem}
table{border-collapse:collapse;margin:.6rem 0}th,td{padding:.25rem .7rem;text-align:right;border-bottom:1px solid #eceff4}
th:first-child,td:first-child{text-align:left}th{font-weight:600;background:#f6f8fb}.small{color:#5a6577;font-size:.9rem}
td.text{text-align:left;font-size:.9rem}.row{display:flex;flex-wrap:wrap;gap:1.5rem}svg{max-width:100%;height:auto}
"""


def summary(result: dict[str, Any]) -> str:
    """Return the figures as lines for a terminal."""
    lines: list[str] = []
    for name, row in result.get("corpus", {}).items():
        lines.append(
            f"{name}: {row['messages']} messages, {row['long']:.3f} of 15 words or more, {row['indirect']:.3f} without "
            "the intent's obvious word"
        )
    if held := result.get("heldout"):
        lines.append(f"held-out ({held['messages']}): {_line(held)}")
        lines += [
            f"  {kind:<10} {row['accuracy']:.3f}  top-3 {row['top3']:.3f}  ({row['messages']:.0f})"
            for kind, row in held["kinds"].items()
        ]
        lines += [
            f"  {verdict:<15} {row['share']:.3f} of the messages, {row['accuracy']:.3f} right"
            for verdict, row in result["verdicts"].items()
        ]
        lines.append(f"  nonsense not understood: {result['nonsense']}")
    if "parse_ms" in result:
        lines.append(
            f"a parse, processor time: median {result['parse_ms']['median']:.1f} ms, p95 {result['parse_ms']['p95']:.1f} ms"
        )
    if several := result.get("multi"):
        lines.append(
            f"several intents: precision {several['precision']:.3f} recall {several['recall']:.3f} "
            f"F1 {several['f1']:.3f}, exact {several['exact']:.3f}; false splits {several['false_splits']} of "
            f"{several['lookalikes']} look-alikes, {several['false_splits_heldout']:.3f} of the held-out messages"
        )
    for kind, row in result.get("entities", {}).items():
        lines.append(
            f"  {kind:<16} F1 {row['f1']:.3f} (exact span {row['exact_f1']:.3f}) precision {row['precision']:.3f} "
            f"recall {row['recall']:.3f} ({row['messages']:.0f})"
        )
    if found := result.get("cross"):
        if "writers" in found:
            lines.append(f"one writer left out ({found['messages']}): {_line(found['writers'])}")
            lines.append("  " + "  ".join(f"{name} {value:.3f}" for name, value in found["each_writer"].items()))
            lines.append(f"five folds: {_line(found['folds'])}")
        for step in found.get("steps", []):
            held_out = f"  held-out {step['held-out']['accuracy']:.3f}" if "held-out" in step else ""
            lines.append(
                f"  {step['name']:<46} writers {step['writers']['accuracy']:.3f} top-3 {step['writers']['top3']:.3f} "
                f" folds {step['folds']['accuracy']:.3f}{held_out}"
            )
    return "\n".join(lines)


def _line(row: dict[str, Any]) -> str:
    return (
        f"top-1 {row['accuracy']:.3f}  top-3 {row['top3']:.3f}  macro-F1 {row['macro_f1']:.3f}  "
        f"surest 80 % {row['surest_80']:.3f}  ECE {row['ece']:.3f}"
    )


def page(result: dict[str, Any]) -> str:
    """Return one self-contained HTML page with pictures."""
    parts = [f"<h1>How well Firstline reads: {escape(str(result.get('model', 'the pipeline')))}</h1>"]
    sets = {"held-out messages": result.get("heldout")}
    if found := result.get("cross"):
        sets |= {"one writer left out": found.get("writers"), "five seeded folds": found.get("folds")}
    known = {name: row for name, row in sets.items() if row}
    if known:
        parts.append("<h2>Single intents</h2>" + _figures(known))
        parts.append(f"<div class=row>{pictures.reliability(known)}{pictures.coverage(known)}</div>")
    if corpus := result.get("corpus"):
        parts.append("<h2>What the messages are like</h2>" + _table(corpus, ("messages", "long", "indirect")))
        parts.append("<p class=small>long: 15 words or more; indirect: without the intent's obvious word.</p>")
    if held := result.get("heldout"):
        parts.append("<h2>By kind of message</h2>" + _table(held["kinds"], ("messages", "accuracy", "top3")))
        parts.append("<h2>Verdicts on the held-out messages</h2>" + _table(result["verdicts"], ("share", "accuracy")))
        time = result["parse_ms"]
        parts.append(
            f"<p class=small>A parse takes of a core, at the median, {time['median']:.1f} ms; 95 % take less than {time['p95']:.1f} ms.</p>"
        )
    if several := result.get("multi"):
        parts.append("<h2>Several intents in a message</h2>" + _several(several))
    if entities := result.get("entities"):
        parts.append("<h2>Entities</h2>" + _table(entities, ("messages", "precision", "recall", "f1", "exact_f1")))
    if found and len(found.get("steps", [])) > 1:
        parts.append("<h2>What each step gains</h2>" + _steps(found["steps"]) + pictures.steps(found["steps"]))
    for name, row in known.items():
        parts.append(f"<h2>What thresholds would set apart: {escape(name)}</h2>" + _cuts(row["cuts"]))
    for name, row in known.items():
        parts.append(f"<h2>Most confused: {escape(name)}</h2>" + _confused(row["confused"]))
    for name, row in known.items():
        parts.append(f"<h2>Every intent: {escape(name)}</h2>{pictures.intents(row['intents'])}")
        parts.append(_table(row["intents"], ("messages", "precision", "recall", "f1")))
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Firstline NLU</title><style>{_STYLE}</style>'
        + "".join(parts)
    )


def _cell(value: Any) -> str:
    return f"<td>{value:.3f}</td>" if isinstance(value, float) else f"<td>{escape(str(value))}</td>"


def _table(rows: dict[str, dict[str, Any]], columns: tuple[str, ...]) -> str:
    head = "".join(f"<th>{column.replace('_', ' ')}</th>" for column in ("", *columns))
    body = "".join(
        f"<tr><td>{escape(name)}</td>{''.join(_cell(row[column]) for column in columns)}</tr>"
        for name, row in rows.items()
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _figures(sets: dict[str, dict[str, Any]]) -> str:
    return _table(sets, ("messages", "accuracy", "top3", "macro_f1", "surest_80", "ece"))


def _several(row: dict[str, Any]) -> str:
    table = _table({"messages with several": row}, ("messages", "precision", "recall", "f1", "exact"))
    notes = (
        f"<p>Split although one request: {row['false_splits']} of {row['lookalikes']} look-alikes, "
        f"{row['false_splits_heldout']:.1%} of the held-out messages.</p>"
    )
    missed = "".join(f"<li>{escape(text)}</li>" for text in row["missed_examples"])
    return f"{table}{notes}<p class=small>Not all found:</p><ul class=small>{missed}</ul>"


def _steps(steps: list[dict[str, Any]]) -> str:
    rows = {
        step["name"]: {
            f"{name} {figure}": step[name][figure]
            for name in ("writers", "folds", "held-out")
            if name in step
            for figure in ("accuracy", "top3")
        }
        for step in steps
    }
    return _table(rows, tuple(next(iter(rows.values()))))


def _cuts(found: dict[str, list[Any]]) -> str:
    columns = ("share below", "first right", "one of two right")
    return "".join(
        f"<p class=small>{'Confidence' if name == 'understood' else 'Lead over the second'} below …</p>"
        + _table({f"{row[0]:.2f}": dict(zip(columns, row[1:], strict=True)) for row in rows}, columns)
        for name, rows in found.items()
    )


def _confused(pairs: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{pair['truth']}</td><td>{pair['read']}</td><td>{pair['count']}</td>"
        f"<td class=text>{'<br>'.join(escape(text) for text in pair['examples'])}</td></tr>"
        for pair in pairs
    )
    return f"<table><tr><th>truth</th><th>read as</th><th>times</th><th>examples</th></tr>{rows}</table>"
