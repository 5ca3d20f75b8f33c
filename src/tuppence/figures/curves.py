"""Curves over training steps: loss, learning rate, gradient norm, throughput, and the rewards of preference pairs.

Each function takes arrays of equal length and returns a Figure; for empty arrays its axes are empty. NaN and infinite
points are left out. `run_data.series` returns the arrays from the metrics of a run.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.format import count_label, rate_label
from tuppence.figures.style import (
    BLUE,
    DASHED,
    GREEN,
    MEDIUM,
    MUTED,
    ORANGE,
    PURPLE,
    SMALL,
    Array,
    Floats,
    Size,
    finite_points,
    new_figure,
    smooth,
    styled,
    thin,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_loss(
    steps: Array,
    losses: Array,
    val_steps: Array = (),
    val_losses: Array = (),
    *,
    token_steps: Array = (),
    tokens: Array = (),
    unit: str = "nats per token",
    size: Size = MEDIUM,
) -> Figure:
    """Plots the training loss, as measured (faint) and smoothed, and the validation losses with the best one marked.

    Args:
        steps, losses: of training.
        val_steps, val_losses: of the evaluations.
        token_steps, tokens: trained tokens by step, for a second axis at the top, because runs with different batch
            sizes are compared by tokens. Without them there is no such axis.
        unit: of the losses.
        size: width and height in inches.
    """
    steps, losses = finite_points(steps, losses)
    val_steps, val_losses = finite_points(val_steps, val_losses)
    known = [("training", losses), ("validation", val_losses)]
    alt = " ".join(_summary(f"{name} loss in {unit} by step", values) for name, values in known)
    with styled():
        figure, axes = new_figure("Loss", size, alt=alt)
        if losses.size:
            axes.plot(*thin(steps, losses), color=BLUE, alpha=0.22, linewidth=0.9)
            axes.plot(*thin(steps, smooth(losses)), color=BLUE, label="training, smoothed")
        if val_losses.size:
            axes.plot(
                val_steps, val_losses, color=ORANGE, marker="o", markersize=3.5, linewidth=1.3, label="validation"
            )
            _mark_best(axes, val_steps, val_losses)
        axes.set_ylabel(unit)
        _by_step(axes)
        _add_token_axis(axes, *finite_points(token_steps, tokens))
        if losses.size or val_losses.size:
            _limit_to_the_later_losses(axes, np.concatenate((losses, val_losses)))
            axes.legend(loc="upper right")
    return figure


def plot_learning_rate(steps: Array, rates: Array, *, size: Size = SMALL) -> Figure:
    """Plots the learning rate of each step."""
    figure = _plot_curve("Learning rate", steps, rates, PURPLE, size)
    figure.axes[0].yaxis.set_major_formatter(rate_label)
    return figure


def plot_gradient_norm(steps: Array, norms: Array, *, size: Size = SMALL) -> Figure:
    """Plots the norm of the whole gradient before clipping; on a logarithmic axis if all norms are above zero."""
    figure = _plot_curve("Gradient norm", steps, norms, GREEN, size)
    _, known = finite_points(steps, norms)
    if known.size and known.min() > 0:
        with styled():
            from matplotlib.ticker import LogLocator

            axes = figure.axes[0]
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(count_label)
            axes.yaxis.set_minor_formatter("")
    return figure


def plot_throughput(steps: Array, tokens_per_second: Array, *, size: Size = SMALL) -> Figure:
    """Plots trained tokens per second, without the time of evaluations and checkpoints."""
    figure = _plot_curve("Tokens per second", steps, tokens_per_second, BLUE, size)
    figure.axes[0].set_ylim(bottom=0)
    return figure


def plot_preference_accuracy(steps: Array, shares: Array, *, size: Size = SMALL) -> Figure:
    """Plots the share of held-out pairs whose chosen answer has the higher reward; it is one half at step 0."""
    percent = 100 * np.asarray(shares, dtype=float)
    return _plot_from_step_0("Held-out pairs in the right order", steps, percent, 50.0, "%", size)


def plot_reward_margin(steps: Array, margins: Array, *, size: Size = SMALL) -> Figure:
    """Plots the mean reward of held-out chosen minus rejected answers; it is zero at step 0."""
    return _plot_from_step_0("Reward margin, held-out pairs", steps, margins, 0.0, "nats", size)


def _summary(name: str, values: Floats) -> str:
    """Describes a curve for those who cannot see it."""
    name = name[0].upper() + name[1:]
    if not values.size:
        return f"{name}: no points."
    first, last, low, high = (f"{value:.4g}" for value in (values[0], values[-1], values.min(), values.max()))
    return f"{name}: from {first} to {last}, lowest {low}, highest {high}."


def _plot_curve(title: str, steps: Array, values: Array, colour: str, size: Size) -> Figure:
    steps, values = finite_points(steps, values)
    with styled():
        figure, axes = new_figure(title, size, alt=_summary(f"{title} by step", values))
        if values.size:
            axes.plot(*thin(steps, values), color=colour, linewidth=1.3, marker="o" if values.size == 1 else None)
        axes.yaxis.set_major_formatter(count_label)
        _by_step(axes)
    return figure


def _plot_from_step_0(title: str, steps: Array, values: Array, start: float, unit: str, size: Size) -> Figure:
    steps, values = finite_points(steps, values)
    with styled():
        figure, axes = new_figure(title, size, alt=_summary(f"{title} by step", values))
        axes.plot([0, *steps], [start, *values], color=GREEN, marker="o", markersize=4)
        axes.axhline(start, color=MUTED, linewidth=1, linestyle=DASHED)
        axes.set_ylabel(unit)
        axes.set_xlabel("step", loc="right")
        ticks(axes, whole_steps=True)
    return figure


def _by_step(axes: Axes) -> None:
    axes.set_xlabel("step", loc="right")
    axes.xaxis.set_major_formatter(count_label)
    ticks(axes, whole_steps=True)


def _add_token_axis(axes: Axes, steps: Floats, tokens: Floats) -> None:
    if tokens.size < 2 or any(later <= earlier for earlier, later in pairwise(tokens)):
        return
    slope = (tokens[-1] - tokens[0]) / (steps[-1] - steps[0])

    def to_tokens(step: Any) -> Any:
        return tokens[-1] + (np.asarray(step) - steps[-1]) * slope

    def to_steps(token: Any) -> Any:
        return steps[-1] + (np.asarray(token) - tokens[-1]) / slope

    top = axes.secondary_xaxis("top", functions=(to_tokens, to_steps))
    top.set_xlabel("tokens", loc="right")
    top.xaxis.set_major_formatter(count_label)
    top.spines["top"].set_visible(False)


def _mark_best(axes: Axes, steps: Floats, losses: Floats) -> None:
    best = int(np.argmin(losses))
    axes.plot(steps[best], losses[best], "o", color=ORANGE, markersize=7)
    axes.annotate(
        f"best {losses[best]:.3f}",
        (steps[best], losses[best]),
        textcoords="offset points",
        xytext=(0, 11),
        ha="right" if steps[best] > np.mean([steps[0], steps[-1]]) else "left",
        color=MUTED,
        fontsize=9,
    )


def _limit_to_the_later_losses(axes: Axes, losses: Floats) -> None:
    """Cuts the axis below the losses of the first steps, which fall from ln V and would flatten all later losses."""
    low, usual, high = losses.min(), np.quantile(losses, 0.9), losses.max()
    if high - low > 2.5 * (usual - low) > 0:
        high = low + 2.5 * (usual - low)
    margin = 0.06 * (high - low) or 0.1 * abs(low) or 0.1
    axes.set_ylim(low - margin, high + margin)
