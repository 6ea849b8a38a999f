"""The evaluation's pictures, as SVG inside the page."""

from __future__ import annotations

import io
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

Sets = dict[str, dict[str, Any]]


def _svg(figure: Any) -> str:
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight")
    plt.close(figure)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def reliability(sets: Sets) -> str:
    """Confidence against accuracy: on the diagonal the model's word can be taken."""
    figure, axes = plt.subplots(figsize=(4.8, 4.4))
    axes.plot([0, 1], [0, 1], color="#b8c0cc", linestyle="--", linewidth=1)
    for name, row in sets.items():
        points = row["reliability"]
        axes.plot(
            [c for _, c, _ in points], [a for _, _, a in points], marker="o", label=f"{name}, ECE {row['ece']:.3f}"
        )
    axes.set(xlabel="confidence", ylabel="share right", title="Calibration", xlim=(0, 1), ylim=(0, 1))
    axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def coverage(sets: Sets) -> str:
    """Accuracy on the surest share of the messages."""
    figure, axes = plt.subplots(figsize=(4.8, 4.4))
    for name, row in sets.items():
        axes.plot([share for share, _ in row["coverage"]], [right for _, right in row["coverage"]], label=name)
    axes.axvline(0.8, color="#b8c0cc", linestyle="--", linewidth=1)
    axes.set(
        xlabel="share of messages, the surest first",
        ylabel="accuracy",
        title="Coverage and accuracy",
        ylim=(0.6, 1.005),
    )
    axes.legend(frameon=False, fontsize=8, loc="lower left")
    return _svg(figure)


def intents(rows: dict[str, dict[str, float]]) -> str:
    """F1 of every intent, the worst at the top."""
    names = sorted((name for name in rows if rows[name]["messages"]), key=lambda name: -rows[name]["f1"])
    figure, axes = plt.subplots(figsize=(8, 0.19 * len(names) + 1))
    axes.barh(names, [rows[name]["f1"] for name in names], color="#4c78a8")
    axes.set(xlim=(0, 1), xlabel="F1")
    axes.tick_params(axis="y", labelsize=8)
    axes.margins(y=0.01)
    return _svg(figure)


def steps(found: list[dict[str, Any]]) -> str:
    """Accuracy of each variant of the pipeline, writers left out and held-out."""
    figure, axes = plt.subplots(figsize=(8, 0.5 * len(found) + 1))
    height = 0.38
    for at, name in enumerate(("writers", "held-out")):
        values = [step[name]["accuracy"] for step in found if name in step]
        if len(values) == len(found):
            places = [row + (at - 0.5) * height for row in range(len(found))]
            axes.barh(places, values, height=height, label={"writers": "one writer left out"}.get(name, name))
    axes.set_yticks(range(len(found)), [step["name"] for step in found], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlim=(0.4, 1), xlabel="accuracy")
    axes.legend(frameon=False, fontsize=8, loc="lower right")
    return _svg(figure)
