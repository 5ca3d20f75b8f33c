"""The curves of a training run: loss, learning rate, gradient norm, throughput.

Each function takes the rows of metrics.jsonl (see `record.read_run`) and returns a Figure, or None where the run
has logged nothing to draw. Called by `report` and by notebooks.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.record import Row, finite, series
from tuppence.figures.style import (
    BLUE,
    GREEN,
    MUTED,
    ORANGE,
    PURPLE,
    SMALL,
    WIDE,
    count_label,
    new_figure,
    smooth,
    styled,
    thin,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def loss_curve(metrics: Sequence[Row], size: tuple[float, float] = WIDE, unit: str = "nats per token") -> Figure | None:
    """Training loss, faint as measured and strong as smoothed, and the validation points; by step and by tokens."""
    steps, losses = series(metrics, "loss")
    val_steps, val_losses = series(metrics, "val_loss")
    if not losses and not val_losses:
        return None
    with styled():
        figure, axes = new_figure("Loss", size)
        if losses:
            axes.plot(*thin(steps, losses), color=BLUE, alpha=0.22, linewidth=0.9)
            axes.plot(*thin(steps, smooth(losses)), color=BLUE, label="training, smoothed")
        if val_losses:
            axes.plot(
                val_steps, val_losses, color=ORANGE, marker="o", markersize=3.5, linewidth=1.3, label="validation"
            )
            _mark_best(axes, val_steps, val_losses)
        axes.set_ylabel(unit)
        _by_step(axes)
        _by_tokens_too(axes, metrics)
        _fit_past_the_first_drop(axes, [*losses, *val_losses])
        axes.legend(loc="upper right")
    return figure


def learning_rate_curve(metrics: Sequence[Row], size: tuple[float, float] = SMALL) -> Figure | None:
    """The schedule as it was followed."""
    return _single(metrics, "learning_rate", "Learning rate", PURPLE, size)


def gradient_norm_curve(metrics: Sequence[Row], size: tuple[float, float] = SMALL) -> Figure | None:
    """The norm of the whole gradient before clipping, on a logarithmic axis: a spike is seen at any height."""
    figure = _single(metrics, "grad_norm", "Gradient norm", GREEN, size)
    if figure is not None and min(series(metrics, "grad_norm")[1]) > 0:
        with styled():
            from matplotlib.ticker import LogLocator

            axes = figure.axes[0]
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter(count_label)
            axes.yaxis.set_minor_formatter("")
    return figure


def throughput_curve(metrics: Sequence[Row], size: tuple[float, float] = SMALL) -> Figure | None:
    """Trained tokens per second, without the time of evaluations and checkpoints."""
    figure = _single(metrics, "tokens_per_second", "Tokens per second", BLUE, size)
    if figure is not None:
        figure.axes[0].set_ylim(bottom=0)
    return figure


def _single(metrics: Sequence[Row], key: str, title: str, colour: str, size: tuple[float, float]) -> Figure | None:
    steps, values = series(metrics, key)
    if not values:
        return None
    with styled():
        figure, axes = new_figure(title, size)
        axes.plot(*thin(steps, values), color=colour, linewidth=1.3, marker="o" if len(values) == 1 else None)
        axes.yaxis.set_major_formatter(_plain_or_scientific if key == "learning_rate" else count_label)
        _by_step(axes)
    return figure


def _plain_or_scientific(value: float, _: object = None) -> str:
    """0.001 → 1e-3: the way people write learning rates."""
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.2e}".partition("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def _by_step(axes: Axes) -> None:
    axes.set_xlabel("step", loc="right")
    axes.xaxis.set_major_formatter(count_label)
    ticks(axes, whole_steps=True)


def _by_tokens_too(axes: Axes, metrics: Sequence[Row]) -> None:
    """A second axis at the top: runs of different batch sizes compare by tokens, not by steps."""
    steps, tokens = series(metrics, "tokens")
    if len(steps) < 2 or tokens[-1] <= tokens[0] or any(b <= a for a, b in pairwise(tokens)):
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


def _mark_best(axes: Axes, steps: Sequence[float], losses: Sequence[float]) -> None:
    best = int(np.argmin(losses))
    axes.plot(steps[best], losses[best], "o", color=ORANGE, markersize=7)
    axes.annotate(
        f"best {losses[best]:.3f}",
        (steps[best], losses[best]),
        textcoords="offset points",
        xytext=(0, 11),
        ha="right" if steps[best] > np.mean([steps[0], steps[-1]]) else "left",
        color=MUTED,
        fontsize=8.5,
    )


def _fit_past_the_first_drop(axes: Axes, losses: Sequence[float]) -> None:
    """The first steps, down from ln V, would take most of the axis and leave a sliver to all that follows."""
    finite_losses = [value for loss in losses if (value := finite(loss)) is not None]
    low, usual, high = min(finite_losses), float(np.quantile(finite_losses, 0.9)), max(finite_losses)
    if high - low > 2.5 * (usual - low) > 0:
        high = low + 2.5 * (usual - low)
    margin = 0.06 * (high - low) or 0.1 * abs(low) or 0.1
    axes.set_ylim(low - margin, high + margin)
