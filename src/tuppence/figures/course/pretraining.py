"""Chapter 5: losses of runs, samples during training, the schedule, scaling laws, and a run that was killed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.labels import beside, name_ends, name_points
from tuppence.figures.course.layout import SMALL_TEXT, TEXT, WIDTH, chart, drawing, style_ticks, unit, wrapped, write
from tuppence.figures.course.series import ends_of, plot_series, round_ticks
from tuppence.figures.format import rate_label
from tuppence.figures.style import BLUE, DASHED, GREEN, INK, MUTED, ORANGE, Array, drawable, finite_points, styled, thin

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def loss_curves(
    curves: Mapping[str, tuple[Array, Array]],
    *,
    x_label: str = "step",
    unit: str = "loss, nats per token",
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows the losses of several runs, each named at its end.

    Args:
        curves: name of the run → its steps and its losses.
        x_label: of the steps.
        unit: of the losses.
        title: the message; by default, the lowest last loss.
        alt: the description; by default, the last loss of each run.
    """
    last = {name: finite_points(*points)[1] for name, points in curves.items()}
    best = min((name for name in last if len(last[name])), key=lambda name: last[name][-1], default="")
    found = f"Lowest at the end: {' '.join(best.split())}, {last[best][-1]:.2f}" if best else "Loss by step"
    figure, _ = plot_series(
        curves,
        title=title or found,
        alt=alt or f"Losses by step; at the end: {ends_of(curves) or 'none'}.",
        x_label=x_label,
        y_unit=unit,
    )
    return figure


def schedule(
    steps: Array,
    rates: Mapping[str, Array],
    *,
    warmup: int = 0,
    unit: str = "learning rate",
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows learning rates by step, with the steps of the warm-up shaded.

    Args:
        steps: (N,).
        rates: name of the schedule → (N,), the learning rate or its share of the peak.
        warmup: number of steps of the warm-up; 0 for none.
        unit: of the rates.
        title: the message; by default, the peak.
        alt: the description; by default, peak and end of each schedule.
    """
    tables = {name: np.asarray(values, dtype=float) for name, values in rates.items()}
    listed = ", ".join(
        f"{name} up to {rate_label(v.max())}, then down to {rate_label(v[-1])}" for name, v in tables.items()
    )
    after = f"{warmup} steps up, then" if warmup else "From the peak"
    figure, axes = plot_series(
        {name: (steps, values) for name, values in tables.items()},
        title=title or f"{after} down to {min(v[-1] / (v.max() or 1.0) for v in tables.values()):.0%} of the peak",
        alt=alt or f"Learning rate by step: {listed}.",
        x_label="step",
        y_unit=unit,
        y_limits=(0, 1.12 * max(float(values.max()) for values in tables.values()) or 1.0),
        height=2.5,
    )
    axes.yaxis.set_major_formatter(rate_label if max(v.max() for v in tables.values()) < 0.05 else "{x:g}")
    if warmup:
        axes.axvspan(float(np.asarray(steps)[0]), warmup, facecolor=MUTED, alpha=0.13, linewidth=0)
        axes.annotate(
            "warm-up", (warmup, 0), textcoords="offset points", xytext=(5, 7), fontsize=SMALL_TEXT, color=MUTED
        )
    return figure


def loss_and_samples(
    steps: Array, losses: Array, samples: Sequence[tuple[int, str]], *, title: str = "", alt: str = ""
) -> Figure:
    """Shows the loss by step and, below it, what the model wrote at some of the steps.

    Args:
        steps, losses: (N,).
        samples: step and text, in the order of the steps.
        title: the message; by default, the first and last loss.
        alt: the description; by default, losses and steps of the samples.
    """
    xs, ys = finite_points(steps, losses)
    title = title or f"The loss falls from {ys[0]:.2f} to {ys[-1]:.2f}; what the model wrote on the way"
    at = ", ".join(str(step) for step, _ in samples)
    texts = [wrapped(text, WIDTH - 0.62, SMALL_TEXT, mono=True) for _, text in samples]
    line, gap = 0.165, 0.26
    below = sum(gap + line * len(lines) for lines in texts)
    plot = 2.1
    described = f"Loss by step from {ys[0]:.2f} to {ys[-1]:.2f}, with samples of text at the steps {at}."
    with styled():
        figure, page, _ = drawing(title, plot + 0.72 + below, alt=alt or described)
        total = figure.get_size_inches()[1]
        axes = figure.add_axes((0.085, (below + 0.5) / total, 0.875, plot / total))
        style_ticks(axes)
        axes.plot(*thin(xs, ys), color=BLUE)
        axes.margins(y=0.14)
        round_ticks(axes, [xs])
        unit(axes, "loss, nats per token")
        axes.set_xlabel("step", loc="right", fontsize=SMALL_TEXT)
        y = below + 0.02
        for number, ((step, _), lines) in enumerate(zip(samples, texts, strict=True), 1):
            height = float(np.interp(step, xs, ys))
            axes.plot(step, height, "o", markersize=7, color=ORANGE)
            axes.annotate(
                str(number),
                (step, height),
                textcoords="offset points",
                xytext=(7, 6),
                va="bottom",
                fontsize=TEXT,
                color=INK,
                fontweight="bold",
            )
            write(page, 0.14, y - 0.1, str(number), color=ORANGE, weight="bold")
            write(page, 0.42, y - 0.1, f"step {step:,}, loss {height:.2f}", size=SMALL_TEXT, color=MUTED)
            for row, text in enumerate(lines):
                write(page, 0.42, y - 0.28 - line * row, text, size=SMALL_TEXT, mono=True)
            y -= gap + line * len(lines)
    return figure


def scaling_law(
    compute: Array,
    losses: Array,
    *,
    names: Sequence[str] = (),
    law: tuple[Array, Array] | None = None,
    prediction: tuple[float, float, float] | None = None,
    x_label: str = "compute, FLOPs, logarithmic",
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows losses of runs against what they cost, the fitted law, and a run that was predicted before it ran.

    Args:
        compute, losses: (N,), of the runs.
        names: of the N runs; none are drawn by default.
        law: x and y of the fitted curve.
        prediction: the compute of the predicted run, its predicted and its measured loss.
        x_label: what `compute` is.
        title: the message; by default, the error of the prediction, or the best run.
        alt: the description; by default, the number of runs and the prediction.
    """
    xs, ys = np.asarray(compute, dtype=float), np.asarray(losses, dtype=float)
    found = f"The lowest of {len(xs)} losses is {ys.min():.2f}"
    if prediction is not None:
        error = (prediction[1] - prediction[2]) / prediction[2]
        found = f"Predicted {prediction[1]:.2f}, measured {prediction[2]:.2f}: {abs(error):.1%} off"
    everything_y = [*ys, *(prediction[1:] if prediction else ())]
    everything_x = [*xs, *(prediction[:1] if prediction else ())]
    low, high = min(everything_y), max(everything_y)
    with styled():
        figure, (axes,) = chart(title or found, 3.1, alt=alt or f"Loss against compute of {len(xs)} runs. {found}.")
        axes.set_xscale("log")
        ratio = max(10.0, max(everything_x) / min(everything_x))
        axes.set_xlim(
            min(everything_x) / ratio**0.06, max(everything_x) * ratio ** (0.3 if prediction or len(names) else 0.08)
        )
        axes.set_ylim(low - 0.12 * (high - low or 1), high + 0.15 * (high - low or 1))
        if law is not None:
            axes.plot(*finite_points(*law), color=MUTED, linestyle=DASHED, linewidth=1.4)
        axes.plot(xs, ys, "o", color=BLUE, markersize=6.5)
        round_ticks(axes, [xs], log_x=True)
        axes.xaxis.set_major_formatter(power_label)
        if len(names):
            name_points(figure, axes, xs, ys, names)
        if prediction is not None:
            x, predicted, measured = prediction
            axes.plot(
                x, predicted, "D", markersize=7, markerfacecolor="none", markeredgecolor=ORANGE, markeredgewidth=1.6
            )
            axes.plot(x, measured, "D", markersize=7, color=GREEN)
            apart = 0.075 * (axes.get_ylim()[1] - axes.get_ylim()[0])
            middle, half = (predicted + measured) / 2, max(abs(predicted - measured), apart) / 2
            sign = 1 if predicted >= measured else -1
            beside(axes, x, middle + sign * half, f"predicted {predicted:.2f}", 9, ORANGE)
            beside(axes, x, middle - sign * half, f"measured {measured:.2f}", 9, GREEN)
        unit(axes, "validation loss, nats per token")
        axes.set_xlabel(drawable(x_label), loc="right")
    return figure


def resume_proof(
    steps: Array,
    losses: Array,
    resumed_steps: Array,
    resumed_losses: Array,
    *,
    killed_at: int,
    hashes: tuple[str, str],
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows a run without interruption and the same run, killed and resumed, with the hashes of their last weights.

    Args:
        steps, losses: of the run without interruption.
        resumed_steps, resumed_losses: of the run that was killed and resumed.
        killed_at: the step of the kill.
        hashes: of the weights at the end, without and with interruption.
        title: the message; by default, whether the hashes are equal.
        alt: the description; by default, whether the hashes are equal.
    """
    equal = hashes[0] == hashes[1]
    verdict = "the same weights to the last bit" if equal else "the weights differ"
    xs, ys = finite_points(steps, losses)
    again_x, again_y = finite_points(resumed_steps, resumed_losses)
    described = f"Losses of a run without interruption and of one killed at step {killed_at}: {verdict}."
    with styled():
        figure, (axes,) = chart(title or f"Killed, resumed: {verdict}", 2.9, alt=alt or described)
        axes.plot(*thin(xs, ys), color=BLUE, linewidth=6, alpha=0.35)
        axes.plot(*thin(again_x, again_y), color=ORANGE, linewidth=1.5)
        axes.axvline(killed_at, color=MUTED, linewidth=1.2, linestyle=DASHED)
        axes.annotate(
            f"killed at step {killed_at:,}",
            (killed_at, 1),
            xycoords=("data", "axes fraction"),
            va="top",
            textcoords="offset points",
            xytext=(5, -3),
            color=MUTED,
            fontsize=SMALL_TEXT,
        )
        round_ticks(axes, [xs])
        unit(axes, "loss, nats per token")
        axes.set_xlabel("step", loc="right")
        short = [f"SHA-256 {value[:8]}…" for value in hashes]
        first = (float(xs[-1]), float(ys[-1]), f"uninterrupted\n{short[0]}", BLUE)
        second = (float(again_x[-1]), float(again_y[-1]), f"resumed\n{short[1]}", ORANGE)
        name_ends(figure, axes, [first, second])
    return figure


def power_label(value: float, _: object = None) -> str:
    """Formats a power of ten: 1e15 → 10¹⁵."""
    exponent = int(np.floor(np.log10(value) + 1e-9)) if value > 0 else 0
    mantissa = value / 10.0**exponent
    raised = f"10{str(exponent).translate(str.maketrans('0123456789-', '⁰¹²³⁴⁵⁶⁷⁸⁹⁻'))}"
    if 0.01 <= value < 10_000:
        return f"{value:,.4g}"
    return raised if abs(mantissa - 1) < 1e-6 else f"{mantissa:.2g}·{raised}"
