"""Chapter 1: sizes of models, what a loss costs, and the road through the chapters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.labels import beside, name_points, name_rows
from tuppence.figures.course.layout import SMALL_TEXT, chart, drawing, text_width, unit, wrapped, write
from tuppence.figures.format import dollars_label, shorten, size_label
from tuppence.figures.style import BLUE, DASHED, GREEN, GRID, INK, MUTED, ORANGE, Array, drawable, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def scale(
    parameters: Mapping[str, float],
    *,
    rumours: Mapping[str, str] | None = None,
    ours: Collection[str] = (),
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows models by their number of parameters, largest first, on a logarithmic axis.

    Args:
        parameters: name → number of parameters.
        rumours: name → where an unconfirmed number comes from; its point is hollow, and the note is beside it.
        ours: names of the models that the course trains; their points have another colour.
        title: the message; by default, how far apart the sizes are.
        alt: the description; by default, all names and numbers.
    """
    names = sorted(parameters, key=lambda name: -parameters[name])
    notes = dict(rumours or {})
    known = [name for name in names if name not in notes] or names
    times = parameters[known[0]] / parameters[known[-1]]
    title = title or f"{known[0]} has {_rounded(times)} times the parameters of {known[-1]}"
    sizes = [f"{name} {size_label(parameters[name])}{' (rumour)' if name in notes else ''}" for name in names]
    with styled():
        figure, (axes,) = chart(title, 0.62 + 0.3 * len(names), alt=alt or f"Parameters of models: {', '.join(sizes)}.")
        axes.set_xscale("log")
        low, high = min(parameters.values()), max(parameters.values())
        left, right = low / 2.5, high * (high / low) ** 0.13 * 1.6
        axes.set_xlim(left, right)
        for place, name in enumerate(names):
            value, colour = parameters[name], GREEN if name in ours else BLUE
            if name in notes:
                axes.plot(value, place, "o", markersize=7, markerfacecolor="none", markeredgecolor=ORANGE)
                beside(axes, value, place, shorten(notes[name], 24), -9, ORANGE)
            else:
                axes.plot([left, value], [place, place], color=colour, linewidth=1.4, alpha=0.45)
                axes.plot(value, place, "o", markersize=7, color=colour)
            beside(axes, value, place, size_label(value), 9, INK)
        name_rows(axes, names)
        axes.xaxis.set_major_formatter(size_label)
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("parameters, logarithmic", loc="right")
    return figure


def dollars_against_loss(
    dollars: Array,
    losses: Array,
    *,
    names: Sequence[str] = (),
    budget: float = 100.0,
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows the loss that money buys, on a logarithmic axis of dollars, with a line at the budget.

    Args:
        dollars, losses: (N,), the points of the curve.
        names: of the N points, such as the models; none are drawn by default.
        budget: in dollars.
        title: the message; by default, the loss at the budget, interpolated between the points.
        alt: the description; by default, the ends of the curve.
    """
    order = np.argsort(np.asarray(dollars, dtype=float))
    spent, reached = np.asarray(dollars, dtype=float)[order], np.asarray(losses, dtype=float)[order]
    at_budget = float(np.interp(np.log(budget), np.log(spent), reached))
    inside = spent[0] <= budget <= spent[-1]
    limit = f"${budget:,.0f}" if budget >= 1 else dollars_label(budget)
    title = title or (f"{limit} buys a loss of {at_budget:.2f}" if inside else "The loss that money buys")
    ends = f"from {reached[0]:.2f} for {dollars_label(spent[0])} to {reached[-1]:.2f} for {dollars_label(spent[-1])}"
    with styled():
        figure, (axes,) = chart(title, 2.9, alt=alt or f"Loss against dollars, {ends}; the budget is {limit}.")
        axes.set_xscale("log")
        axes.plot(spent, reached, color=BLUE, marker="o", markersize=5.5)
        low, high = min(reached), max(reached)
        room = 0.18 * (high - low) or 0.1
        axes.set_ylim(low - room, high + 1.5 * room)
        axes.set_xlim(min(spent[0], budget) / 2, max(spent[-1], budget) * (6 if names else 2))
        axes.axvline(budget, color=ORANGE, linewidth=1.2, linestyle=DASHED)
        axes.annotate(
            drawable(f"budget {limit}"),
            (budget, 0),
            xycoords=("data", "axes fraction"),
            xytext=(5, 5),
            textcoords="offset points",
            va="bottom",
            color=INK,
            fontsize=SMALL_TEXT,
        )
        if len(names):
            name_points(figure, axes, spent, reached, [names[place] for place in order])
        unit(axes, "validation loss, nats per token")
        axes.xaxis.set_major_formatter(lambda value, _: drawable(f"${value:g}" if value < 1 else f"${value:,.0f}"))
        axes.xaxis.set_minor_formatter("")
        axes.set_xlabel("dollars, logarithmic", loc="right")
    return figure


def roadmap(
    chapters: Sequence[str],
    minutes: Array,
    lines: Sequence[int],
    *,
    ideas: Sequence[str] = (),
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows the chapters in their order, with measured minutes as bars, lines of code, and what is new in each.

    Args:
        chapters: names of the C chapters.
        minutes: (C,), measured time to run each.
        lines: (C,), lines of code of each.
        ideas: (C,), what each adds, a few words.
        title: the message; by default, the sum of the minutes.
        alt: the description; by default, chapters and minutes.
    """
    took = np.asarray(minutes, dtype=float)
    title = title or f"{len(chapters)} chapters, {_minutes(float(took.sum()))} to run them all"
    listed = "; ".join(f"{name} {_minutes(time)}" for name, time in zip(chapters, took, strict=True))
    bar, left, step = 3.1, 1.75, 0.44
    known = ideas or [""] * len(chapters)
    texts = [wrapped(idea, bar, SMALL_TEXT) for idea in known]
    heights = [step + 0.17 * max(0, len(text) - 1) - (0.0 if text else 0.12) for text in texts]
    with styled():
        from matplotlib.patches import Rectangle

        figure, axes, top = drawing(title, sum(heights) + 0.05, alt=alt or f"Minutes by chapter: {listed}.")
        for number, (name, height) in enumerate(zip(chapters, heights, strict=True)):
            y = top - 0.12
            share = took[number] / (took.max() or 1.0)
            label = f"{_minutes(took[number])} · {lines[number]:,} lines"
            width = max(0.03, share * (bar - text_width(label, SMALL_TEXT) - 0.15))
            write(axes, 0.32, y, str(number + 1), color=MUTED, ha="right")
            write(axes, 0.42, y, shorten(name, 15), weight="bold")
            axes.add_patch(Rectangle((left, y - 0.06), width, 0.12, facecolor=BLUE))
            write(axes, left + width + 0.07, y, label, size=SMALL_TEXT, color=MUTED)
            for row, line in enumerate(texts[number]):
                write(axes, left, y - 0.19 - 0.17 * row, line, size=SMALL_TEXT)
            top -= height
            if number + 1 < len(chapters):
                axes.plot([0.1, 4.9], [top + 0.03] * 2, color=GRID, linewidth=0.8)
    return figure


def _minutes(value: float) -> str:
    return f"{60 * value:.0f} s" if value < 1 else f"{value:.1f} min" if value < 10 else f"{value:.0f} min"


def _rounded(times: float) -> str:
    """Rounds to two digits: 1,364 → 1,400."""
    return f"{float(f'{times:.2g}'):,.0f}" if times >= 10 else f"{times:.1f}"
