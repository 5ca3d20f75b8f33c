"""Chapter 8: reward against distance from the reference, reward against length, and generalised advantages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tuppence.figures.course.labels import name_points
from tuppence.figures.course.layout import (
    SMALL_TEXT,
    TEXT,
    WIDTH,
    arrow,
    box,
    chart,
    drawing,
    style_ticks,
    text_width,
    unit,
    wrapped,
    write,
)
from tuppence.figures.course.series import round_ticks
from tuppence.figures.format import shorten
from tuppence.figures.style import BLUE, DASHED, GREEN, INK, MUTED, ORANGE, PURPLE, Array, Floats, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_STEPS = 6
"""A ladder of more tokens has no room for its numbers."""

_MOST_POINTS = 500


def reward_frontier(
    kl: Array,
    rewards: Array,
    betas: Sequence[float],
    answers: Sequence[str] = (),
    *,
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows the reward that policies reach and how far they move from the reference, with an answer of each below.

    Args:
        kl: (N,), mean KL divergence of an answer from the reference, in nats; the axis is logarithmic if all are
            above zero.
        rewards: (N,), mean reward.
        betas: (N,), strength of the KL penalty.
        answers: one of each policy; none are written by default.
        title: the message; by default, what the policy without a penalty, or with the smallest one, pays.
        alt: the description; by default, all points.
    """
    distance, reward = np.asarray(kl, dtype=float), np.asarray(rewards, dtype=float)
    order = np.argsort(np.asarray(betas, dtype=float), kind="stable")
    free = order[0]
    found = f"β = {betas[free]:g} gets a reward of {reward[free]:.1f} and goes {distance[free]:.0f} nats away"
    listed = ", ".join(f"β = {betas[at]:g}: reward {reward[at]:.2f}, KL {distance[at]:.1f}" for at in order)
    texts = [wrapped(answers[at], WIDTH - 0.3, SMALL_TEXT, mono=True)[:3] for at in order] if len(answers) else []
    line, gap, plot = 0.165, 0.29, 2.35
    below = sum(gap + line * len(lines) for lines in texts)
    with styled():
        figure, page, _ = drawing(title or found, plot + 0.75 + below, alt=alt or f"Reward against KL. {listed}.")
        total = figure.get_size_inches()[1]
        axes = figure.add_axes((0.085, (below + 0.52) / total, 0.875, plot / total))
        style_ticks(axes)
        logarithmic = bool(distance.min() > 0)
        if logarithmic:
            axes.set_xscale("log")
            axes.set_xlim(distance.min() / 1.6, distance.max() * 3)
        else:
            axes.set_xlim(-0.04 * distance.max(), 1.25 * distance.max() or 1.0)
        room = (reward.max() - reward.min()) or 1.0
        axes.set_ylim(reward.min() - 0.22 * room, reward.max() + 0.1 * room)
        path = np.argsort(distance, kind="stable")
        axes.plot(distance[path], reward[path], color=MUTED, linewidth=1, linestyle=DASHED)
        axes.plot(distance, reward, "o", color=BLUE, markersize=7)
        name_points(figure, axes, distance, reward, [f"β = {value:g}" for value in betas], above=False)
        round_ticks(axes, [], log_x=logarithmic)
        unit(axes, "mean reward")
        axes.set_xlabel(f"KL from the reference, nats{', logarithmic' if logarithmic else ''}", loc="right")
        axes.xaxis.label.set_fontsize(SMALL_TEXT)
        y = below + 0.02
        for at, lines in zip(order, texts, strict=False):
            write(page, 0.14, y - 0.1, f"β = {betas[at]:g}", weight="bold", color=BLUE)
            about = f"reward {reward[at]:.2f}, KL {distance[at]:.1f}"
            write(page, WIDTH - 0.14, y - 0.1, about, size=SMALL_TEXT, color=MUTED, ha="right")
            for row, text in enumerate(lines):
                write(page, 0.14, y - 0.29 - line * row, text, size=SMALL_TEXT, mono=True)
            y -= gap + line * len(lines)
    return figure


def reward_against_length(
    lengths: Array, rewards: Array, chosen: Array | None = None, *, title: str = "", alt: str = ""
) -> Figure:
    """Shows the reward of answers by their length, with the line of least squares.

    Args:
        lengths: (N,), tokens of the answers.
        rewards: (N,).
        chosen: (N,), true for the preferred answer of a pair; by default all answers look alike.
        title: the message; by default, the correlation.
        alt: the description; by default, correlation and slope.
    """
    x, y = np.asarray(lengths, dtype=float), np.asarray(rewards, dtype=float)
    varied = len(x) > 1 and np.ptp(x) > 0 and np.ptp(y) > 0
    correlation = float(np.corrcoef(x, y)[0, 1]) if varied else 0.0
    slope, offset = (float(value) for value in np.polyfit(x, y, 1)) if varied else (0.0, float(y.mean()))
    found = f"Reward and length of an answer: correlation {correlation:.2f}".replace("-", "−")
    described = f"{found}; each token adds {slope:.3g} to the reward."
    some = np.unique(np.linspace(0, len(x) - 1, min(len(x), _MOST_POINTS)).astype(int))
    better = np.ones(len(x), dtype=bool) if chosen is None else np.asarray(chosen, dtype=bool)
    groups = [("chosen", better, BLUE, "o"), ("rejected", ~better, ORANGE, "s")]
    with styled():
        figure, (axes,) = chart(title or found, 2.9, alt=alt or described)
        right = 1.0
        for name, members, colour, marker in reversed(groups[: 1 if chosen is None else 2]):
            shown = some[members[some]]
            axes.plot(x[shown], y[shown], marker, color=colour, markersize=4.5, alpha=0.45, markeredgewidth=0)
            if chosen is not None:
                place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "xytext": (0, 6)}
                symbol = {"o": "●", "s": "■"}[marker]
                axes.annotate(f"{symbol} {name}", (right, 1), ha="right", color=colour, fontsize=SMALL_TEXT, **place)
                right -= (text_width(f"{symbol} {name}  ", SMALL_TEXT)) / (0.88 * WIDTH)
        ends = np.array([x.min(), x.max()])
        axes.plot(ends, offset + slope * ends, color=INK, linewidth=1.6)
        round_ticks(axes, [x])
        unit(axes, "reward")
        axes.set_xlabel("tokens of the answer", loc="right")
    return figure


def gae_ladder(
    rewards: Array,
    values: Array,
    advantages: Array,
    *,
    tokens: Sequence[str] = (),
    gamma: float = 1.0,
    gae_lambda: float = 0.95,
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows how generalised advantages are computed from the last token back to the first.

    Schulman et al. 2016, arXiv:1506.02438, equations 11 and 16: δ_t = r_t + γ V_{t+1} − V_t, with no value after the
    end, and A_t = δ_t + γλ A_{t+1}.

    Args:
        rewards, values, advantages: (T,), of one answer.
        tokens: of the answer.
        gamma: γ, the discount.
        gae_lambda: λ.
        title: the message; by default, the recursion.
        alt: the description; by default, the advantages.

    Raises:
        ValueError: more than `MOST_STEPS` tokens.
    """
    r, v, a = (np.asarray(numbers, dtype=float) for numbers in (rewards, values, advantages))
    if len(r) > MOST_STEPS:
        raise ValueError(f"a ladder has room for {MOST_STEPS} tokens, not {len(r)}")
    errors = r + gamma * np.append(v[1:], 0.0) - v
    title = title or "From right to left: each advantage is its δ plus γλ times the next advantage"
    left, step, size = 1.12, 0.46, 0.3
    cell = (WIDTH - left - 0.1) / max(1, len(r))
    wide = min(0.62, cell - 0.12)
    with styled():
        height = 1.2 + step * len(r)
        figure, axes, top = drawing(title, height, alt=alt or f"Advantages of the tokens: {_listed(a)}.")
        middle = [left + cell * (place + 0.5) for place in range(len(r))]
        names = [shorten(token.strip() or "·", max(1, int(cell / 0.085))) for token in tokens] or [""] * len(r)
        for row, (label, texts, colour) in enumerate(
            (
                ("token", names, MUTED),
                ("reward r", [_signed(number) for number in r], INK),
                ("value V", [_signed(number) for number in v], INK),
            )
        ):
            y = top - 0.12 - 0.26 * row
            write(axes, 0.1, y, label, size=SMALL_TEXT, color=MUTED)
            for x, text in zip(middle, texts, strict=True):
                write(axes, x, y, text, ha="center", color=colour, size=TEXT if row else SMALL_TEXT)
        y = top - 1.08
        write(axes, 0.1, y + size / 2 + 0.03, "δ = r + γV′ − V", size=SMALL_TEXT, color=ORANGE)
        write(axes, 0.1, y - step + size / 2 - 0.02, "advantage A", size=SMALL_TEXT, color=GREEN)
        for place, x in enumerate(middle):
            box(axes, x - wide / 2, y, wide, size, ORANGE)
            write(axes, x, y + size / 2, _signed(errors[place]), ha="center")
            low = y - step * (place + 1)
            box(axes, x - wide / 2, low, wide, size, GREEN, fill_alpha=0.22)
            write(axes, x, low + size / 2, _signed(a[place]), ha="center", weight="bold")
            arrow(axes, (x, y), (x, low + size))
            if place:
                before = (middle[place - 1], low + step)
                axes.plot([x - wide / 2, before[0]], [low + size / 2] * 2, color=PURPLE, linewidth=1.3)
                arrow(axes, (before[0], low + size / 2), before, color=PURPLE)
        if len(r) > 1:
            write(
                axes,
                middle[0] - 0.08,
                y - 2 * step + size / 2,
                f"× γλ = {gamma * gae_lambda:g}",
                size=SMALL_TEXT,
                color=PURPLE,
                ha="right",
            )
    return figure


def _signed(number: float) -> str:
    """Formats a number with two decimals and its sign: −0.25, 0.00, +1.00."""
    text = f"{number:+.2f}".replace("-", "−")
    return "0.00" if text in ("+0.00", "−0.00") else text


def _listed(numbers: Floats) -> str:
    return ", ".join(_signed(number) for number in numbers)
