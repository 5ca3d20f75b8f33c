"""Chapter 2: merges, what languages pay, vocabulary sizes, and windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.labels import beside, name_rows
from tuppence.figures.course.layout import MONOSPACE_EM, SMALL_TEXT, TEXT, WIDTH, arrow, box, chart, drawing, write
from tuppence.figures.course.series import plot_series
from tuppence.figures.format import shorten
from tuppence.figures.style import BLUE, DASHED, GREEN, INK, MUTED, ORANGE, Array, drawable, styled, with_escapes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LETTERS = 44
"""Of the text of a merge tree, which is one line."""


def merge_tree(steps: Sequence[Sequence[str]], *, title: str = "", alt: str = "") -> Figure:
    """Shows how merges shrink a text: a row for each step, in which the tokens of the last merge are marked.

    Args:
        steps: the tokens after 0, 1, 2, … merges. All rows join to the same text.
        title: the message; by default, the number of merges and of tokens.
        alt: the description; by default, the first and the last row.

    Raises:
        ValueError: the rows do not join to one text, or it has more than `MOST_LETTERS` letters.
    """
    text = "".join(steps[0])
    if any("".join(row) != text for row in steps):
        raise ValueError("the rows of a merge tree must join to the same text")
    with styled():
        letters = [with_escapes(letter, mono=True) for letter in text]
    columns = sum(map(len, letters))
    if columns > MOST_LETTERS:
        raise ValueError(f"a merge tree has room for {MOST_LETTERS} letters, not {columns}")
    title = title or f"{len(steps) - 1} merges turn {len(steps[0])} tokens into {len(steps[-1])}"
    described = f"Merges, from {' | '.join(steps[0])} to {' | '.join(steps[-1])}."
    left, count_width, row_height = 0.12, 0.62, 0.29
    cell = min(0.28, (WIDTH - 2 * left - count_width) / max(1, columns))
    column_of = [0, *np.cumsum([len(letter) for letter in letters]).tolist()]
    before: set[tuple[int, int]] = set()
    with styled():
        figure, axes, top = drawing(title, row_height * len(steps) + 0.28, alt=alt or described)
        right = left + cell * columns + 0.5
        write(axes, right, top - 0.1, "tokens", size=SMALL_TEXT, color=MUTED, ha="right")
        for number, row in enumerate(steps):
            y = top - 0.22 - row_height * (number + 1) + 0.04
            places = np.cumsum([0, *(len(token) for token in row)])
            spans = {(int(start), int(end)) for start, end in pairwise(places)}
            for start, end in sorted(spans):
                fresh = number > 0 and (start, end) not in before
                colour, depth = (ORANGE, 0.3) if fresh else (BLUE, 0.1)
                x, width = left + cell * column_of[start], cell * (column_of[end] - column_of[start]) - 0.03
                box(axes, x, y, width, 0.23, colour, fill_alpha=depth, linewidth=0.8)
                shown = text[start:end].replace(" ", "·")
                size = min(TEXT, 72 * cell / MONOSPACE_EM * 0.97)
                write(axes, x + width / 2, y + 0.11, shown, size=size, mono=True, ha="center")
            write(axes, right, y + 0.115, str(len(row)), ha="right")
            before = spans
    return figure


def fertility(tokens: Mapping[str, float], *, reference: str = "", title: str = "", alt: str = "") -> Figure:
    """Shows how many tokens the same text needs in each language, as multiples of one of them, most first.

    Args:
        tokens: language → number of tokens.
        reference: the language of the unit; by default the cheapest.
        title: the message; by default, the most expensive language.
        alt: the description; by default, all multiples.
    """
    base = reference or min(tokens, key=lambda name: tokens[name])
    times = {name: count / tokens[base] for name, count in tokens.items()}
    names = sorted(times, key=lambda name: -times[name])
    title = title or f"The same text costs {times[names[0]]:.1f} times as much in {names[0]} as in {base}"
    listed = ", ".join(f"{name} {times[name]:.1f}" for name in names)
    with styled():
        figure, (axes,) = chart(title, 0.5 + 0.3 * len(names), alt=alt or f"Tokens as multiples of {base}: {listed}.")
        colours = [MUTED if name == base else BLUE for name in names]
        axes.barh(range(len(names)), [times[name] for name in names], height=0.62, color=colours)
        for place, name in enumerate(names):
            beside(axes, times[name], place, f"{times[name]:.1f} ×", 5, INK)
        axes.axvline(1, color=MUTED, linewidth=1, linestyle=DASHED)
        name_rows(axes, names)
        axes.set_xlim(0, 1.13 * times[names[0]])
        axes.set_xlabel(drawable(f"tokens, as multiples of {base}"), loc="right")
    return figure


def bytes_per_token(vocab_sizes: Array, ratios: Array, *, title: str = "", alt: str = "") -> Figure:
    """Shows how many bytes a token holds on average, by size of the vocabulary.

    Args:
        vocab_sizes: (N,), ascending.
        ratios: (N,), bytes of a text by number of its tokens.
        title: the message; by default, growth of both.
        alt: the description; by default, all points.
    """
    sizes, values = np.asarray(vocab_sizes, dtype=float), np.asarray(ratios, dtype=float)
    growth, gain = sizes[-1] / sizes[0], values[-1] / values[0]
    title = title or f"{growth:.0f} times the vocabulary holds {gain:.1f} times the bytes in a token"
    listed = ", ".join(f"{size:,.0f}: {value:.2f}" for size, value in zip(sizes, values, strict=True))
    figure, axes = plot_series(
        {"": (sizes, values)},
        title=title,
        alt=alt or f"Bytes per token by size of the vocabulary: {listed}.",
        x_label="size of the vocabulary, logarithmic",
        y_unit="bytes per token",
        log_x=True,
    )
    with styled():
        for size, value in zip(sizes, values, strict=True):
            axes.annotate(
                f"{value:.2f}",
                (size, value),
                textcoords="offset points",
                xytext=(-4, 6),
                ha="right",
                fontsize=SMALL_TEXT,
                color=INK,
            )
        axes.set_xlim(sizes[0] / 1.6, sizes[-1] * 1.15)
        axes.set_ylim(0, 1.15 * values.max())
    return figure


def windows(
    tokens: Sequence[str], context: int, *, stride: int | None = None, title: str = "", alt: str = ""
) -> Figure:
    """Shows how a stream of tokens is cut into windows, each with its inputs and, one place later, its targets.

    Args:
        tokens: the stream, about ten tokens.
        context: T, tokens in a window.
        stride: distance between the starts of windows; by default `context`, so that each token is a target once.
        title: the message; by default, what the stride means.
        alt: the description; by default, the inputs and targets of all windows.

    Raises:
        ValueError: the stream is too short for one window.
    """
    step = context if stride is None else stride
    starts = range(0, len(tokens) - context, step)
    if not starts:
        raise ValueError(f"a window of {context} tokens and its targets need {context + 1} tokens, not {len(tokens)}")
    title = title or f"Targets are the inputs one token later; windows start every {step} tokens"
    spans = [(tokens[start : start + context], tokens[start + 1 : start + context + 1]) for start in starts]
    listed = "; ".join(f"inputs {'|'.join(inputs)}, targets {'|'.join(targets)}" for inputs, targets in spans)
    left, row, gap = 0.78, 0.28, 0.2
    cell = (WIDTH - left - 0.1) / len(tokens)
    with styled():
        figure, axes, top = drawing(title, 0.38 + len(starts) * (2 * row + 2 * gap), alt=alt or f"Windows: {listed}.")

        def show(name: str, colour: str, first: int, last: int, y: float) -> None:
            write(axes, 0.1, y + row / 2, name, size=SMALL_TEXT, color=colour)
            for place in range(first, last):
                x = left + cell * place
                box(axes, x + 0.02, y, cell - 0.04, row, colour, fill_alpha=0.16)
                most = max(1, int((cell - 0.06) * 72 / SMALL_TEXT / MONOSPACE_EM))
                shown = shorten(with_escapes(tokens[place].strip() or "·", mono=True), most)
                write(axes, x + cell / 2, y + row / 2, shown, size=SMALL_TEXT, mono=True, ha="center")

        y = top - row - 0.02
        show("stream", MUTED, 0, len(tokens), y)
        for start in starts:
            y -= row + gap
            show("inputs", BLUE, start, start + context, y)
            for place in range(start, start + context):
                x = left + cell * (place + 0.5)
                arrow(axes, (x, y - 0.02), (x + cell * 0.75, y - gap + 0.03), linewidth=0.9, mutation_scale=7)
            y -= row + gap
            show("targets", GREEN, start + 1, start + context + 1, y)
    return figure
