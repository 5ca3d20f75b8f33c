"""Chapter 3: attention in three steps, maps of heads, saturation of the softmax, and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.cells import draw_cells
from tuppence.figures.course.layout import SMALL_TEXT, TEXT, WIDTH, chart
from tuppence.figures.course.series import ends_of, plot_series
from tuppence.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, Array, Floats, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_NUMBERS = 6
"""A larger table of attention has no numbers in its cells: they would not fit. Above four, they are whole numbers."""

MOST_LABELS = 24
"""A larger map has no labels."""

_DEPTH = 0.42
"""Opacity of the deepest cell with a number in it."""


def attention_steps(
    scores: Array, mask: Array, *, tokens: Sequence[str] = (), title: str = "", alt: str = ""
) -> Figure:
    """Shows scores, the mask, and the weights that the softmax makes of them, side by side.

    Args:
        scores: (T, S), q·k / √K; row t looks at column s.
        mask: (T, S), true where row t may look at column s.
        tokens: the S tokens, as labels of the first table.
        title: the message; by default, what the three steps do.
        alt: the description; by default, the largest weight.
    """
    table, allowed = np.asarray(scores, dtype=float), np.asarray(mask, dtype=bool)
    hidden = np.where(allowed, table, -np.inf)
    raised = np.exp(hidden - hidden.max(axis=1, keepdims=True))
    weights = raised / raised.sum(axis=1, keepdims=True)
    row, column = np.unravel_index(int(weights.argmax()), weights.shape)
    largest = f"the largest weight is {weights[row, column]:.0%}, of row {row + 1} on column {column + 1}"
    title = title or "The mask removes the future, then the softmax makes each row sum to 100 %"
    signs = np.where(table >= 0, BLUE, ORANGE)
    depth = _DEPTH * np.abs(table) / (np.abs(table).max() or 1.0)
    with styled():
        figure, (first, second, third) = chart(
            title, 2.05, columns=3, alt=alt or f"Scores, mask and softmax of attention: {largest}."
        )
        draw_cells(first, depth, signs, rows=tokens)
        draw_cells(second, np.where(allowed, depth, 0), signs)
        draw_cells(third, _DEPTH * weights, GREEN)
        for axes, name in ((first, "scores"), (second, "masked"), (third, "weights, %")):
            axes.set_title(name, fontsize=TEXT, fontweight="normal", loc="center", pad=5)
        if len(table) <= MOST_NUMBERS:
            rounded = table.round(1 if len(table) <= 4 else 0) + 0.0  # no −0
            numbers = np.char.mod("%.1f" if len(table) <= 4 else "%.0f", rounded)
            _numbers(first, numbers)
            _numbers(second, np.where(allowed, numbers, "−∞"))
            _numbers(third, np.char.mod("%.0f", 100 * weights))
    return figure


def attention_map(weights: Array, tokens: Sequence[str] = (), *, title: str = "", alt: str = "") -> Figure:
    """Shows the weights of one head: a row for each token that looks, a column for each one looked at.

    Args:
        weights: (T, S), each row sums to 1.
        tokens: the tokens, as labels of rows and columns; for T = S up to `MOST_LABELS`.
        title: the message; by default, the largest weight, other than that of the first token, which has no choice.
        alt: the description; by default, the same.
    """
    table = np.asarray(weights, dtype=float)
    first = min(1, len(table) - 1)
    row, column = np.unravel_index(int(table[first:].argmax()) + first * table.shape[1], table.shape)
    names = [token.strip() or "·" for token in tokens] if len(tokens) <= MOST_LABELS else []
    who, what = (f"“{names[at]}”" if names else f"token {at + 1}" for at in (int(row), int(column)))
    found = f"{who} looks at {what} most: {table[row, column]:.0%} of its attention"
    with styled():
        figure, (axes,) = chart(title or found, 3.9, alt=alt or f"Attention of one head: {found}.")
        draw_cells(axes, table, BLUE, columns=names, rows=names)
        if names:
            axes.xaxis.tick_top()
            axes.tick_params(length=0)
        axes.set_xlabel("looked at →", loc="left")
        axes.set_ylabel("← looks", loc="top", fontsize=SMALL_TEXT)
    return figure


def attention_maps(weights: Array, *, title: str = "", alt: str = "") -> Figure:
    """Shows the weights of all heads: a row of maps for each layer, a column for each head.

    Args:
        weights: (L, H, T, S), each row of a map sums to 1.
        title: the message; by default, the number of heads.
        alt: the description; by default, the mean largest weight of each layer.

    Raises:
        ValueError: `weights` has other dimensions.
    """
    table = np.asarray(weights, dtype=float)
    if table.ndim != 4:
        raise ValueError(f"weights must have the shape (layers, heads, T, S), not {table.shape}")
    layers, heads = table.shape[:2]
    title = title or f"What {layers * heads} heads look at: rows are tokens, columns what they look at"
    sharpness = table.max(axis=-1).mean(axis=(1, 2))
    described = ", ".join(f"layer {layer + 1} {value:.0%}" for layer, value in enumerate(sharpness))
    side = min(1.5, (WIDTH - 0.6) / heads)
    with styled():
        figure, charts = chart(
            title,
            0.35 + layers * (side + 0.05),
            columns=heads,
            rows=layers,
            alt=alt or f"Attention maps of {layers} layers and {heads} heads; mean largest weight: {described}.",
        )
        for number, axes in enumerate(charts):
            layer, head = divmod(number, heads)
            draw_cells(axes, table[layer, head], BLUE)
            for side_name in ("left", "right", "top", "bottom"):
                axes.spines[side_name].set_visible(True)
            if layer == 0:
                axes.set_title(
                    f"head {head + 1}" if heads <= 6 else str(head + 1),
                    fontsize=SMALL_TEXT,
                    fontweight="normal",
                    loc="center",
                    color=MUTED,
                    pad=4,
                )
            if head == 0:
                axes.set_ylabel(f"layer {layer + 1}", fontsize=SMALL_TEXT)
    return figure


def saturation(head_sizes: Array, unscaled: Array, scaled: Array, *, title: str = "", alt: str = "") -> Figure:
    """Shows how the largest attention weight of random queries and keys grows with K, with and without 1/√K.

    Args:
        head_sizes: (N,), K.
        unscaled, scaled: (N,), mean largest weight of a softmax over q·k and over q·k / √K.
        title: the message; by default, both values at the largest K.
        alt: the description; by default, both values at the largest K.
    """
    sizes = np.asarray(head_sizes, dtype=float)
    curves = {"without 1/√K": (sizes, unscaled), "with 1/√K": (sizes, scaled)}
    ends = f"at K = {sizes[-1]:.0f}, {ends_of(curves)}"
    last = float(np.asarray(unscaled, dtype=float)[-1])
    figure, _ = plot_series(
        curves,
        title=title or f"Without 1/√K the softmax saturates: one token gets {last:.0%} of the attention",
        alt=alt or f"Mean largest attention weight by size of the head; {ends}.",
        x_label="K, size of a head, logarithmic",
        y_unit="largest weight, mean",
        log_x=True,
        y_limits=(0, 1.02),
        colours=(ORANGE, BLUE),
    )
    return figure


def attention_cost(lengths: Array, milliseconds: Mapping[str, Array], *, title: str = "", alt: str = "") -> Figure:
    """Shows the time of attention by length of the text, both logarithmic.

    Args:
        lengths: (N,), T.
        milliseconds: implementation → (N,).
        title: the message; by default, the slowest against the fastest at the largest length.
        alt: the description; by default, all times at the largest length.
    """
    sizes = np.asarray(lengths, dtype=float)
    last = {name: float(np.asarray(times, dtype=float)[-1]) for name, times in milliseconds.items()}
    slow, fast = max(last, key=lambda name: last[name]), min(last, key=lambda name: last[name])
    found = f"At {sizes[-1]:,.0f} tokens, {slow} takes {last[slow] / last[fast]:.1f} times as long as {fast}"
    curves = {name: (sizes, times) for name, times in milliseconds.items()}
    figure, _ = plot_series(
        curves,
        title=title or found,
        alt=alt or f"Milliseconds of attention at {sizes[-1]:,.0f} tokens: {ends_of(curves)}.",
        x_label="tokens, logarithmic",
        y_unit="milliseconds, logarithmic",
        log_x=True,
        log_y=True,
        colours=(ORANGE, BLUE, GREEN, MUTED),
    )
    return figure


def _numbers(axes: Axes, table: Floats | np.ndarray) -> None:
    for (row, column), text in np.ndenumerate(table):
        axes.text(column, row, str(text).replace("-", "−"), ha="center", va="center", fontsize=9, color=INK)
