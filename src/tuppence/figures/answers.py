"""Figures of the answers to tasks: the share of exactly right answers, by model and by kind of task.

Each function takes arrays and returns a Figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.format import shorten
from tuppence.figures.style import BLUE, GREEN, MEDIUM, MUTED, ORANGE, SMALL, Array, Size, drawable, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODEL_COLOURS = (MUTED, BLUE, GREEN, ORANGE)
_ROW_INCHES = 0.27
_LONGEST_NAME = 24


def plot_exact_match(models: Sequence[str], shares: Array, stderrs: Array, *, size: Size = SMALL) -> Figure:
    """Plots the share of exactly right answers of each model, with its 95 % interval.

    Args:
        models: M names, the base first.
        shares, stderrs: (M,), between 0 and 1; a standard error of NaN draws no interval.
        size: width and height in inches.
    """
    percent = 100 * np.asarray(shares, dtype=float)
    around = 196 * np.nan_to_num(np.asarray(stderrs, dtype=float))
    with styled():
        listed = ", ".join(f"{name} {share:.1f} %" for name, share in zip(models, percent, strict=True))
        figure, axes = new_figure(
            "Exactly right on held-out tasks", size, alt=f"Exactly right answers: {listed or 'none'}."
        )
        for place, (share, above) in enumerate(zip(percent, around, strict=True)):
            axes.barh(place, share, height=0.6, color=_MODEL_COLOURS[place % len(_MODEL_COLOURS)], alpha=0.85)
            axes.errorbar(share, place, xerr=[[min(share, above)], [above]], fmt="none", ecolor=MUTED, capsize=2.5)
            axes.annotate(
                f"{share:.1f} %",
                (share + above, place),
                textcoords="offset points",
                xytext=(6, 0),
                va="center",
                fontsize=9,
            )
        axes.set_yticks(range(len(models)), [drawable(name) for name in models])
        axes.invert_yaxis()
        axes.set_xlim(0, max(5.0, 1.25 * max(percent + around, default=0.0)))
        axes.set_xlabel("% of answers", loc="right")
    return figure


def plot_exact_match_by_kind(
    kinds: Sequence[str], rows: Sequence[int], shares: Mapping[str, Array], *, width: float = MEDIUM[0]
) -> Figure:
    """Plots the share of exactly right answers by kind of task: a row for each kind, a point for each model.

    Args:
        kinds: K names; sorted by the share of the best model.
        rows: the number of tasks of each kind.
        shares: model → (K,), between 0 and 1.
        width: in inches; the height grows with K.
    """
    percent_MK = 100 * np.array([np.asarray(values, dtype=float) for values in shares.values()])
    order = np.argsort(-percent_MK.max(axis=0), kind="stable") if percent_MK.size else np.arange(0)
    with styled():
        best = ", ".join(f"{kinds[kind]} {percent_MK[:, kind].max():.0f} %" for kind in order)
        columns = max(1, len(shares)) if width > 6 else 1
        size = (width, 0.6 + 0.2 * np.ceil(len(shares) / columns) + _ROW_INCHES * max(1, len(order)))
        figure, axes = new_figure("", size, alt=f"Right answers of the best model by kind of task: {best or 'none'}.")
        for place, kind in enumerate(order):
            low, high = percent_MK[:, kind].min(), percent_MK[:, kind].max()
            axes.plot([low, high], [place, place], color=MUTED, linewidth=1, alpha=0.6)
        for number, model in enumerate(shares):
            colour = _MODEL_COLOURS[number % len(_MODEL_COLOURS)]
            points = percent_MK[number, order]
            axes.scatter(points, range(len(order)), s=34, color=colour, label=drawable(model), zorder=3 + number)
        axes.set_yticks(range(len(order)), [f"{_name(kinds[kind])} ({rows[kind]})" for kind in order])
        axes.set_ylim(len(order) - 0.4, -0.6)
        axes.set_xlim(-3, 103)
        axes.set_xlabel("% right", loc="right")
        if shares:
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)
    return figure


def _name(kind: str) -> str:
    """Shortens the name of a kind for an axis."""
    return drawable(shorten(kind, _LONGEST_NAME))
