"""Figures of a classifier: confusion matrix, calibration, ROC curve, and comparison with baselines.

Each function takes arrays and returns a Figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.format import shorten
from tuppence.figures.style import (
    BLUE,
    DASHED,
    GREEN,
    GRID,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SMALL,
    SQUARE,
    Array,
    Size,
    drawable,
    new_figure,
    styled,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CELLS = 20
"""A confusion matrix of more classes has no counts: they would overlap."""

DARKEST = 0.42
"""Opacity of a cell with all rows of its class: the count in it needs contrast."""

_LONGEST_NAME = 16
_MEASURE_COLOURS = (BLUE, GREEN, ORANGE, PURPLE)


def plot_confusion_matrix(counts: Array, labels: Sequence[object], *, size: Size = SQUARE) -> Figure:
    """Plots the counts of rows by true and predicted class. The shade is the share of the true class.

    Args:
        counts: (C, C), true classes in rows, predicted ones in columns.
        labels: the C names of the classes.
        size: width and height in inches.
    """
    table = np.asarray(counts, dtype=float)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    names = [_name(label) for label in labels]
    with styled():
        right = f"{np.trace(table):,.0f} of {table.sum():,.0f} rows"
        figure, axes = new_figure(
            "Confusion matrix", size, alt=f"Confusion matrix of {len(names)} classes: {right} right."
        )
        axes.grid(visible=False)
        for (row, column), share in np.ndenumerate(shares):  # rectangles, whose colours follow the theme of the page
            corner = (column - 0.5, row - 0.5)
            axes.add_patch(_square(corner, BLUE if row == column else ORANGE, DARKEST * share))
            if len(names) <= MOST_CELLS:
                count = f"{int(table[row, column]):,}"
                axes.text(column, row, count, ha="center", va="center", color=INK, fontsize=10)
        axes.set_xlim(-0.5, len(names) - 0.5)
        axes.set_ylim(len(names) - 0.5, -0.5)
        places = range(len(names))
        axes.set_xticks(places, names, rotation=0 if len(names) <= 4 else 90)
        axes.set_yticks(places, names)
        axes.set_xlabel("predicted")
        axes.set_ylabel("true")
    return figure


def plot_calibration(
    confidence: Array, accuracy: Array, rows: Array, *, classes: int = 2, size: Size = SQUARE
) -> Figure:
    """Plots a reliability diagram: accuracy against confidence, with the expected calibration error in the title.

    Args:
        confidence: mean probability of the predicted class in each bin.
        accuracy: share of right predictions in each bin.
        rows: number of rows in each bin, shown as the area of its point.
        classes: number of classes; the lowest possible confidence is 1 / classes.
        size: width and height in inches.
    """
    confidence, accuracy, rows = (np.asarray(values, dtype=float) for values in (confidence, accuracy, rows))
    error = float(np.average(np.abs(accuracy - confidence), weights=rows))
    with styled():
        title = f"Calibration (expected error {error:.3f})"
        figure, axes = new_figure(title, size, alt=f"{title}: accuracy against confidence in {len(rows)} bins.")
        _diagonal(axes)
        axes.plot(confidence, accuracy, color=BLUE, linewidth=1.2)
        axes.scatter(confidence, accuracy, s=20 + 180 * rows / rows.max(), color=BLUE, alpha=0.75, linewidths=0)
        axes.set_xlim(max(0.0, 1 / classes - 0.05), 1.03)
        axes.set_ylim(-0.05, 1.08)
        axes.set_xlabel("probability of the predicted class")
        axes.set_ylabel("share that is right")
        ticks(axes)
    return figure


def plot_roc_curve(
    false_positive_rate: Array, true_positive_rate: Array, *, positive: object, area: float, size: Size = SQUARE
) -> Figure:
    """Plots the true against the false positive rate for all thresholds.

    Args:
        false_positive_rate, true_positive_rate: the points of the curve.
        positive: the name of the positive class.
        area: under the curve, for the title.
        size: width and height in inches.
    """
    with styled():
        title = f"ROC of {_name(positive)} (area {area:.4f})"
        figure, axes = new_figure(title, size, alt=f"{title}: true against false positive rate.")
        _diagonal(axes)
        axes.plot(np.asarray(false_positive_rate), np.asarray(true_positive_rate), color=BLUE)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.05)
        axes.set_xlabel("false positive rate")
        axes.set_ylabel("true positive rate")
        ticks(axes)
    return figure


def plot_scores(models: Sequence[str], measures: Mapping[str, Array], *, size: Size = SMALL) -> Figure:
    """Plots bars that compare models by measures between 0 and 1, with their confidence intervals.

    Args:
        models: M names.
        measures: name → (M, 3), for at most four measures. A row has a value and the ends of its interval; NaN if
            undefined.
        size: width and height in inches.
    """
    with styled():
        described = "; ".join(f"{name}: {_values(models, rows)}" for name, rows in measures.items())
        figure, axes = new_figure("Against the baselines", size, alt=f"Models against the baselines. {described}.")
        for number, (name, rows) in enumerate(measures.items()):
            values, low, high = np.asarray(rows, dtype=float).reshape(-1, 3).T
            places = np.arange(len(models)) + 0.76 / len(measures) * (number - (len(measures) - 1) / 2)
            colour = _MEASURE_COLOURS[number]
            axes.barh(places, values, height=0.68 / len(measures), color=colour, alpha=0.85, label=drawable(name))
            around = np.abs(np.stack((low, high)) - values)
            axes.errorbar(values, places, xerr=around, fmt="none", ecolor=INK, elinewidth=1.1, capsize=2.5)
        axes.set_yticks(range(len(models)), [drawable(name).replace(" + ", " +\n") for name in models])
        axes.invert_yaxis()
        axes.set_xlim(0, 1.05)
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.08), ncols=2)
    return figure


def _values(models: Sequence[str], rows: Array) -> str:
    values = np.asarray(rows, dtype=float).reshape(-1, 3)[:, 0]
    return ", ".join(f"{name} {value:.3f}" for name, value in zip(models, values, strict=True))


def _square(corner: tuple[float, float], colour: str, alpha: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle(corner, 1, 1, facecolor=colour, alpha=alpha, edgecolor=GRID)


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=DASHED)


def _name(label: object) -> str:
    """Shortens the name of a class for an axis."""
    return drawable(shorten(" ".join(str(label).split()), _LONGEST_NAME))
