"""Chapter 1: drawings of the architecture, of the three kinds of transformer, and of the three stages of training."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.cells import draw_cells
from tuppence.figures.course.layout import SMALL_TEXT, TEXT, WIDTH, arrow, box, chart, drawing, wrapped, write
from tuppence.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, Array, drawable, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEFT, _RIGHT, _MIDDLE = 0.9, 3.3, 2.1
"""Of the boxes of the architecture, in inches."""

_LOW, _HIGH = 0.3, 0.22
"""Height of a box, and of the arrow above it."""


def architecture(
    shapes: Mapping[str, Sequence[int]], *, layers: int | None = None, title: str = "", alt: str = ""
) -> Figure:
    """Shows a GPT from the tokens at the bottom to the logits at the top, with the shapes of a forward pass.

    Args:
        shapes: part → shape of its output. The parts are the names of the modules of `model.gpt.GPT`
            (`token_embedding`, `blocks.0.attention`, …), `tokens` for the input and `logits` for the output; others are
            ignored, and a part that is not named has no shape beside it.
        layers: number of blocks; by default, counted from the names `blocks.0`, `blocks.1`, ….
        title: the message; by default, the number of blocks.
        alt: the description; by default, the parts from bottom to top.
    """
    numbers = [int(found[1]) for name in shapes if (found := re.match(r"blocks\.(\d+)", name))]
    count = max(numbers, default=-1) + 1 if layers is None else layers
    times = f" × {count}" if count else ""
    title = title or f"Tokens go in at the bottom, pass {count or 'the'} equal blocks, and leave as logits"
    description = (
        f"The architecture of a GPT from bottom to top: tokens, token and position embeddings, block{times} of layer "
        "norm, attention, layer norm and MLP with residual connections, final layer norm, logits."
    )
    with styled():
        figure, axes, _ = drawing(title, 5.25, alt=alt or description)
        y = 0.12
        y = _part(axes, y, "token ids", MUTED, shapes.get("tokens"), "batch × tokens")
        y = _part(axes, y, "token + position embedding", BLUE, shapes.get("token_embedding"), "… × width")
        frame = y - _HIGH / 2
        y = _branch(
            axes, y, "attention", ORANGE, shapes.get("blocks.0.attention_norm"), shapes.get("blocks.0.attention")
        )
        y = _branch(axes, y, "MLP", GREEN, shapes.get("blocks.0.mlp_norm"), shapes.get("blocks.0.mlp"))
        box(axes, 0.3, frame, WIDTH - 0.4, y - _HIGH / 2 - frame, MUTED, fill_alpha=0.04, linestyle=(0, (4, 3)))
        write(axes, WIDTH - 0.22, y - _HIGH / 2 - 0.16, f"block{times}", weight="bold", ha="right")
        y = _part(axes, y, "layer norm", PURPLE, shapes.get("final_norm"))
        _part(axes, y, "logits: token embedding again", BLUE, shapes.get("logits"), "… × vocabulary", last=True)
    return figure


def masks(
    allowed: Mapping[str, Array],
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    title: str = "Three kinds of transformer differ in what a token may look at",
    alt: str = "",
) -> Figure:
    """Shows attention masks side by side: a row for each token that looks, a column for each one looked at.

    Args:
        allowed: name of the kind (line breaks allowed) → (T, S), true where row t may look at column s.
        labels: name of the kind → the S tokens, if all have room.
        title: the message.
        alt: the description; by default, the share of allowed cells of each kind.
    """
    tables = {name: np.asarray(mask, dtype=bool) for name, mask in allowed.items()}
    shares = ", ".join(f"{' '.join(name.split())} {mask.mean():.0%}" for name, mask in tables.items())
    with styled():
        figure, charts = chart(
            title, 2.15, columns=len(tables), alt=alt or f"Share of allowed pairs of tokens: {shares}."
        )
        for axes, (name, mask) in zip(charts, tables.items(), strict=True):
            axes.set_title(drawable(name), fontsize=TEXT, fontweight="normal", loc="center", pad=6)
            draw_cells(axes, mask * 0.75, BLUE, columns=(labels or {}).get(name, ()), rows=(labels or {}).get(name, ()))
        charts[0].set_xlabel("filled: the row's token may look at the column's", loc="left")
    return figure


def stages(
    stages: Sequence[tuple[str, str, str, str]],
    *,
    title: str = "One model, three stages: only the data and the loss change",
    alt: str = "",
) -> Figure:
    """Shows the stages of training from top to bottom, each with a real row of its data.

    Args:
        stages: for each stage: its name, one row of its data, what its loss compares, and what it took (measured).
        title: the message.
        alt: the description; by default, names and losses.
    """
    described = "; ".join(f"{name}: {loss}" for name, _, loss, _ in stages)
    colours = (BLUE, GREEN, ORANGE, PURPLE)
    width, line, gap = WIDTH - 0.2, 0.17, 0.26
    rows = [wrapped(row, width - 0.3, SMALL_TEXT, mono=True) for _, row, _, _ in stages]
    losses = [wrapped(f"loss: {loss}", width - 0.3, SMALL_TEXT) for _, _, loss, _ in stages]
    heights = [0.42 + line * (len(row) + len(loss)) for row, loss in zip(rows, losses, strict=True)]
    with styled():
        total = sum(heights) + gap * (len(stages) - 1) + 0.12
        figure, axes, top = drawing(title, total, alt=alt or f"The stages of training. {described}.")
        for number, (name, _, _, took) in enumerate(stages):
            colour, height = colours[number % len(colours)], heights[number]
            box(axes, 0.1, top - height, width, height, colour, fill_alpha=0.08)
            write(axes, 0.22, top - 0.16, f"{number + 1} {name}", weight="bold", color=colour)
            write(axes, WIDTH - 0.2, top - 0.16, took, size=SMALL_TEXT, color=INK, ha="right")
            y = top - 0.38
            for text in rows[number]:
                write(axes, 0.22, y, text, size=SMALL_TEXT, mono=True)
                y -= line
            for text in losses[number]:
                write(axes, 0.22, y - 0.02, text, size=SMALL_TEXT, color=INK, style="italic")
                y -= line
            top -= height + gap
            if number + 1 < len(stages):
                arrow(axes, (_MIDDLE, top + gap - 0.03), (_MIDDLE, top + 0.03))
                write(axes, _MIDDLE + 0.12, top + gap / 2, "the same weights go on", size=SMALL_TEXT, color=MUTED)
    return figure


def _part(
    axes: Axes,
    y: float,
    name: str,
    colour: str,
    shape: Sequence[int] | None,
    dimensions: str = "",
    *,
    last: bool = False,
) -> float:
    """Draws a box with the arrow above it and the shape beside it; returns where the next box begins."""
    box(axes, _LEFT, y, _RIGHT - _LEFT, _LOW, colour)
    write(axes, _MIDDLE, y + _LOW / 2, name, ha="center")
    if shape is not None:
        middle = y + _LOW / 2 + (0.08 if dimensions else 0)
        write(axes, _RIGHT + 0.12, middle, " × ".join(f"{size:,}" for size in shape), size=SMALL_TEXT)
        write(axes, _RIGHT + 0.12, middle - 0.17, dimensions, size=SMALL_TEXT, color=MUTED)
    if not last:
        arrow(axes, (_MIDDLE, y + _LOW), (_MIDDLE, y + _LOW + _HIGH))
    return y + _LOW + _HIGH


def _branch(
    axes: Axes, y: float, name: str, colour: str, normed: Sequence[int] | None, out: Sequence[int] | None
) -> float:
    """Draws a layer norm and a sublayer, and the residual connection around both."""
    from matplotlib.patches import Circle

    split = y - 0.05
    y = _part(axes, y + 0.08, "layer norm", PURPLE, normed)
    y = _part(axes, y, name, colour, out)
    radius = 0.1
    plus = y + radius
    axes.add_patch(Circle((_MIDDLE, plus), radius, facecolor="none", edgecolor=INK, linewidth=1.1))
    axes.plot([_MIDDLE - 0.055, _MIDDLE + 0.055], [plus, plus], color=INK, linewidth=1.1)
    axes.plot([_MIDDLE, _MIDDLE], [plus - 0.055, plus + 0.055], color=INK, linewidth=1.1)
    axes.plot([_MIDDLE, 0.68, 0.68], [split, split, plus], color=MUTED, linewidth=1.2)
    write(axes, 0.53, (split + plus) / 2, "residual", size=SMALL_TEXT, color=MUTED, rotation=90, ha="center")
    arrow(axes, (0.68, plus), (_MIDDLE - radius, plus))
    arrow(axes, (_MIDDLE, plus + radius), (_MIDDLE, plus + radius + _HIGH))
    return plus + radius + _HIGH
