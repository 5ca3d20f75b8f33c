"""The pictures of a classifier: what it confuses, whether it knows how sure it is, and whether it pays.

Each function takes the numbers of the task `classification` as evaluation.json has them, and returns a Figure, or
None where there is nothing to draw. Called by `report` and by notebooks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, SMALL, new_figure, styled, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Numbers = Mapping[str, Any]

SQUARE = (4.2, 3.6)
MOST_CELLS = 20
"""A confusion matrix of more classes than this shows no counts: they would overlap."""

_LONGEST_NAME = 16


def confusion_matrix(numbers: Numbers, size: tuple[float, float] = SQUARE) -> Figure | None:
    """Counts of rows by true and predicted class; the shade is the share of the true class."""
    counts = numbers.get("confusion")
    if not counts:
        return None
    labels = [_name(label) for label in numbers["labels"]]
    table = np.array(counts, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    with styled():
        figure, axes = new_figure("Confusion matrix", size)
        axes.grid(visible=False)
        for (row, column), share in np.ndenumerate(shares):  # rectangles: the page's colours serve light and dark
            box = (column - 0.5, row - 0.5)
            axes.add_patch(_rectangle(box, BLUE if row == column else ORANGE, 0.9 * share))
            if len(labels) <= MOST_CELLS:
                count = f"{int(table[row, column]):,}"
                axes.text(column, row, count, ha="center", va="center", color=INK, fontsize=10)
        axes.set_xlim(-0.5, len(labels) - 0.5)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        places = range(len(labels))
        axes.set_xticks(places, labels, rotation=0 if len(labels) <= 4 else 90)
        axes.set_yticks(places, labels)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
    return figure


def reliability_diagram(numbers: Numbers, size: tuple[float, float] = SQUARE) -> Figure | None:
    """How often the model is right against how sure it says it is; the area of a point is its number of rows."""
    bins: Sequence[Mapping[str, Any]] = numbers.get("reliability") or []
    if not bins:
        return None
    rows = np.array([one["rows"] for one in bins], dtype=float)
    with styled():
        figure, axes = new_figure(f"Calibration (expected error {numbers['ece']:.3f})", size)
        _diagonal(axes)
        confidence, accuracy = ([one[key] for one in bins] for key in ("confidence", "accuracy"))
        axes.plot(confidence, accuracy, color=BLUE, linewidth=1.2)
        axes.scatter(confidence, accuracy, s=20 + 180 * rows / rows.max(), color=BLUE, alpha=0.75, linewidths=0)
        axes.set_xlim(max(0.0, 1 / len(numbers["labels"]) - 0.05), 1.03)
        axes.set_ylim(-0.05, 1.08)
        axes.set_xlabel("probability of the predicted class")
        axes.set_ylabel("share that is right")
        ticks(axes)
    return figure


def roc_curve(numbers: Numbers, size: tuple[float, float] = SQUARE) -> Figure | None:
    """True positives against false positives at every threshold; of two classes only."""
    roc = numbers.get("roc")
    if not roc:
        return None
    with styled():
        figure, axes = new_figure(f"ROC of {_name(numbers['f1_of'])} (area {numbers['auc']:.4f})", size)
        _diagonal(axes)
        axes.plot(roc["false_positive_rate"], roc["true_positive_rate"], color=BLUE)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.05)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        ticks(axes)
    return figure


def against_baselines(numbers: Numbers, size: tuple[float, float] = SMALL) -> Figure | None:
    """Accuracy and F1 of the model and of the baselines, with their 95 % intervals."""
    baselines: Mapping[str, Numbers] = numbers.get("baselines") or {}
    models = {"language model": numbers, **baselines}
    if not baselines:
        return None
    with styled():
        figure, axes = new_figure("Against the baselines", size)
        for shift, key, colour, label in (
            (-0.19, "accuracy", BLUE, "accuracy"),
            (0.19, "f1", GREEN, f"F1 ({_name(numbers['f1_of'])})"),
        ):
            places = np.arange(len(models)) + shift
            values = np.array([one[key] for one in models.values()], dtype=float)  # NaN where it is not defined
            ends = np.array([one["intervals"][key] or (one[key], one[key]) for one in models.values()], dtype=float)
            around = np.abs(ends.T - values)
            axes.barh(places, values, height=0.34, color=colour, alpha=0.85, label=label)
            axes.errorbar(values, places, xerr=around, fmt="none", ecolor=INK, elinewidth=1.1, capsize=2.5)
        axes.set_yticks(range(len(models)), [name.replace(" + ", " +\n") for name in models])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.05)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.08), ncols=2)
    return figure


def _rectangle(corner: tuple[float, float], colour: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, facecolor=colour, alpha=alpha, edgecolor=GRID)


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))


def _name(label: Any) -> str:
    """A label as matplotlib shows it: short, and with dollars that begin no formula."""
    text = " ".join(str(label).split())
    return (text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…").replace("$", r"\$")
