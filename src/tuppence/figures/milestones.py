"""The pictures of a model's whole life: right answers by model and by kind of task, preferences by step, time by stage.

Each function takes plain numbers as story.json has them and returns a Figure, or None where there is nothing to draw.
Called by `story`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.record import Row, series
from tuppence.figures.style import BLUE, GREEN, MUTED, ORANGE, SMALL, new_figure, styled, ticks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = (MUTED, BLUE, GREEN, ORANGE)
"""Of the models, the base first."""

_ROW_INCHES = 0.27


def exact_match_bars(runs: Mapping[str, Mapping[str, Any]], size: tuple[float, float] = SMALL) -> Figure | None:
    """The share of exactly right answers of each model, with its 95 % interval.

    Args:
        runs: model → {"accuracy", "stderr"}; no whiskers where the latter is None.
    """
    if not runs:
        return None
    with styled():
        figure, axes = new_figure("Exactly right on held-out tasks", size)
        for place, numbers in enumerate(runs.values()):
            share, around = 100 * numbers["accuracy"], 196 * (numbers["stderr"] or 0)
            axes.barh(place, share, height=0.6, color=COLOURS[place % len(COLOURS)], alpha=0.85)
            below = min(share, around)
            axes.errorbar(share, place, xerr=[[below], [around]], fmt="none", ecolor=MUTED, capsize=2.5)
            axes.annotate(
                f"{share:.1f} %",
                (share + around, place),
                textcoords="offset points",
                xytext=(6, 0),
                va="center",
                fontsize=9,
            )
        axes.set_yticks(range(len(runs)), list(runs))
        axes.invert_yaxis()
        axes.set_xlim(
            0, max(5.0, max(100 * one["accuracy"] + 196 * (one["stderr"] or 0) for one in runs.values()) * 1.25)
        )
        axes.set_xlabel("% of answers", loc="right")
    return figure


def right_by_kind(kinds: Mapping[str, Mapping[str, Any]], width: float = 8.4) -> Figure | None:
    """The share of right answers by kind of task: a row for each kind, a point for each model.

    Args:
        kinds: kind → {"rows", "right": {model: share}}, as `quickstart.measure` makes them.
    """
    if not kinds:
        return None
    models = list(next(iter(kinds.values()))["right"])
    best_first = sorted(kinds.items(), key=lambda item: max(item[1]["right"].values()), reverse=True)
    with styled():
        figure, axes = new_figure("", (width, 0.8 + _ROW_INCHES * len(kinds)))
        for place, (_, found) in enumerate(best_first):
            shares = [100 * found["right"][model] for model in models]
            axes.plot([min(shares), max(shares)], [place, place], color=MUTED, linewidth=1, alpha=0.6)
        for number, model in enumerate(models):
            shares = [100 * found["right"][model] for _, found in best_first]
            axes.scatter(
                shares, range(len(shares)), s=34, color=COLOURS[number % len(COLOURS)], label=model, zorder=3 + number
            )
        axes.set_yticks(range(len(best_first)), [f"{kind} ({found['rows']})" for kind, found in best_first])
        axes.set_ylim(len(best_first) - 0.4, -0.6)
        axes.set_xlim(-3, 103)
        axes.set_xlabel("% right", loc="right")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=len(models) if width > 6 else 1)
    return figure


def preference_curve(metrics: Sequence[Row], size: tuple[float, float] = SMALL) -> Figure | None:
    """How often the held-out chosen answer has the higher reward, by step; from a coin's half at step 0."""
    return _from_start(metrics, "val_rewards/accuracies", 50.0, "Held-out pairs in the right order", "%", 100, size)


def margin_curve(metrics: Sequence[Row], size: tuple[float, float] = SMALL) -> Figure | None:
    """How far the rewards of held-out chosen and rejected answers are apart, by step; nothing at step 0."""
    return _from_start(metrics, "val_rewards/margins", 0.0, "Reward margin, held-out pairs", "nats", 1, size)


def seconds_bar(stages: Mapping[str, float], size: tuple[float, float] = (8.4, 2.6)) -> Figure | None:
    """The wall time of each stage, one bar below the other."""
    if not any(stages.values()):
        return None
    with styled():
        figure, axes = new_figure("", size)
        axes.barh(range(len(stages)), list(stages.values()), height=0.62, color=BLUE, alpha=0.85)
        axes.set_yticks(range(len(stages)), list(stages))
        axes.invert_yaxis()
        _few_ticks(axes)
        axes.set_xlabel("seconds", loc="right")
    return figure


def _from_start(
    metrics: Sequence[Row],
    key: str,
    start: float,
    title: str,
    unit: str,
    scale: float,
    size: tuple[float, float],
) -> Figure | None:
    steps, values = series(metrics, key)
    if not values:
        return None
    with styled():
        figure, axes = new_figure(title, size)
        shown = [start, *(scale * np.array(values)).tolist()]
        axes.plot([0, *steps], shown, color=GREEN, marker="o", markersize=4)
        axes.axhline(start, color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
        axes.set_ylabel(unit)
        axes.set_xlabel("step", loc="right")
        ticks(axes, whole_steps=True)
    return figure


def _few_ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
