"""Chapters 6 and 7: scores by number of labels, ranks of LoRA with what they forget, and singular values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.layout import COLOURS, SMALL_TEXT, chart, unit
from tuppence.figures.course.series import ends_of, plot_series, round_ticks
from tuppence.figures.style import BLUE, DASHED, INK, MUTED, ORANGE, Array, drawable, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def label_efficiency(
    rows: Array, scores: Mapping[str, Array], *, unit: str = "accuracy", title: str = "", alt: str = ""
) -> Figure:
    """Shows the score of several models by the number of labelled rows, on a logarithmic axis.

    Args:
        rows: (N,), numbers of labelled rows, ascending.
        scores: model → (N,) scores, or (N, 3) scores with the ends of their intervals, which are shaded.
        unit: what the scores are.
        title: the message; by default, the best model at the fewest rows.
        alt: the description; by default, first and last score of each model.
    """
    counts = np.asarray(rows, dtype=float)
    tables = {name: np.asarray(values, dtype=float).reshape(len(counts), -1) for name, values in scores.items()}
    first = {name: table[0, 0] for name, table in tables.items()}
    best = max(first, key=lambda name: first[name])
    listed = ", ".join(f"{name} {table[0, 0]:.3f} and {table[-1, 0]:.3f}" for name, table in tables.items())
    low = min(float(np.nanmin(table)) for table in tables.values())
    high = max(float(np.nanmax(table)) for table in tables.values())
    room = 0.08 * (high - low) or 0.05
    figure, axes = plot_series(
        {name: (counts, table[:, 0]) for name, table in tables.items()},
        title=title or f"With {counts[0]:,.0f} labels, best: {' '.join(best.split())}, {unit} {first[best]:.2f}",
        alt=alt or f"{unit} with {counts[0]:,.0f} and with {counts[-1]:,.0f} labelled rows: {listed}.",
        x_label="labelled rows, logarithmic",
        y_unit=unit,
        log_x=True,
        y_limits=(low - room, high + room),
    )
    for number, table in enumerate(tables.values()):
        if table.shape[1] == 3:
            colour = COLOURS[number % len(COLOURS)]
            axes.fill_between(counts, table[:, 1], table[:, 2], color=colour, alpha=0.13, linewidth=0)
    return figure


def rank_and_forgetting(
    ranks: Sequence[str],
    answers: Array,
    stories: Array,
    *,
    before: tuple[float, float] | None = None,
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows, for several ranks of LoRA, the loss on answers, and below it the loss on the old task.

    Args:
        ranks: R names, such as "rank 4", smallest first; line breaks allowed, for the share of trained numbers.
        answers: (R,), loss on the task that was learned.
        stories: (R,), loss on the task of the base model.
        before: both losses of the base model.
        title: the message; by default, what learns and what forgets most.
        alt: the description; by default, all losses.
    """
    learned, kept = np.asarray(answers, dtype=float), np.asarray(stories, dtype=float)
    names = [" ".join(name.split()) for name in ranks]
    most, worst = ranks[int(learned.argmin())], ranks[int(kept.argmax())]
    first, second = most.split("\n")[0], worst.split("\n")[0]
    found = f"Most learned: {first}; most forgotten: {second}"
    listed = ", ".join(f"{name} {a:.2f} and {b:.2f}" for name, a, b in zip(names, learned, kept, strict=True))
    with styled():
        figure, (above, below) = chart(
            title or found,
            3.7,
            rows=2,
            sharex=True,
            alt=alt or f"Loss on answers and loss on stories by rank: {listed}.",
        )
        _levels(above, learned, BLUE, None if before is None else before[0])
        _levels(below, kept, ORANGE, None if before is None else before[1])
        unit(above, "learned: loss on answers, nats per token")
        unit(below, "forgotten: loss on stories, nats per token")
        below.set_xticks(range(len(ranks)), [drawable(name) for name in ranks], color=INK)
        below.set_xlim(-0.4, len(ranks) - 0.55)
    return figure


def singular_values(values: Mapping[str, Array], *, title: str = "", alt: str = "") -> Figure:
    """Shows the singular values of weight changes ΔW, largest first, on a logarithmic axis.

    Args:
        values: name of the change → singular values, descending.
        title: the message; by default, how many carry 90 % of the squared norm of the first change.
        alt: the description; by default, the same for every change.
    """
    needed = {name: _directions(np.asarray(table, dtype=float)) for name, table in values.items()}
    first = next(iter(needed))
    listed = ", ".join(f"{' '.join(name.split())} {count}" for name, count in needed.items())
    positive = {name: np.asarray(table, dtype=float) for name, table in values.items()}
    curves = {
        name: (np.arange(1, len(table) + 1), np.where(table > 1e-6 * table.max(), table, np.nan))
        for name, table in positive.items()
    }
    figure, _ = plot_series(
        curves,
        title=title
        or f"{needed[first]} of {len(positive[first])} directions hold 90 % of ΔW: {' '.join(first.split())}",
        alt=alt or f"Singular values that hold 90 % of the squared norm of ΔW: {listed}. Smallest: {ends_of(curves)}.",
        x_label="number of the singular value",
        y_unit="singular value, logarithmic",
        log_y=True,
    )
    return figure


def _directions(values: Array) -> int:
    """Returns how many of the largest singular values hold 90 % of the sum of their squares."""
    squares = np.sort(np.asarray(values, dtype=float) ** 2)[::-1]
    return int(np.searchsorted(np.cumsum(squares), 0.9 * squares.sum()) + 1)


def _levels(axes: Axes, values: Array, colour: str, before: float | None) -> None:
    """Draws one point for each rank with its value above it, and the value before training as a line."""
    points = np.asarray(values, dtype=float)
    axes.plot(range(len(points)), points, color=colour, marker="o", markersize=6)
    for place, value in enumerate(points):
        axes.annotate(
            f"{value:.2f}",
            (place, value),
            textcoords="offset points",
            xytext=(0, 7),
            ha="center",
            va="bottom",
            fontsize=SMALL_TEXT,
            color=INK,
        )
    if before is not None:
        axes.axhline(before, color=MUTED, linewidth=1, linestyle=DASHED)
        axes.annotate(
            f"before: {before:.2f}",
            (1, before),
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            xytext=(-2, 3),
            ha="right",
            va="bottom",
            fontsize=SMALL_TEXT,
            color=MUTED,
        )
    low, high = min([*points, before or points[0]]), max([*points, before or points[0]])
    room = (high - low) or 0.1
    axes.set_ylim(low - 0.15 * room, high + 0.38 * room)
    round_ticks(axes, [])
    axes.grid(visible=False, axis="x")
