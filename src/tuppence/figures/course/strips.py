"""Tokens as boxes in lines of text: all tokens, those that the loss counts, and those with a value each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tuppence.figures.course.layout import SMALL_TEXT, TEXT, WIDTH, box, drawing, text_width, write
from tuppence.figures.format import printable
from tuppence.figures.style import BLUE, GREEN, GRID, INK, MUTED, ORANGE, PURPLE, Array, styled, with_escapes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MARGIN, _PADDING, _GAP = 0.12, 0.05, 0.05
_VISIBLE = str.maketrans({" ": "·", "\n": "↵", "\t": "→", "\r": "←"})
"""Space and line breaks as visible letters."""


class _Cell(NamedTuple):
    x: float
    line: int
    width: float
    text: str
    label: str
    has_escapes: bool


def tokens_strip(tokens: Sequence[str], ids: Sequence[int] = (), *, title: str = "", alt: str = "") -> Figure:
    """Shows a text as its tokens, with their ids below.

    Args:
        tokens: the text of each token; spaces become dots, and characters that no font here has become escapes.
        ids: of the tokens.
        title: the message; by default, the number of characters and of tokens.
        alt: the description; by default, the tokens.
    """
    letters = sum(len(token) for token in tokens)
    title = title or f"{letters} characters are {len(tokens)} tokens"
    colours = (BLUE, ORANGE, GREEN, PURPLE)
    fills = [(colours[place % len(colours)], 0.16) for place in range(len(tokens))]
    return _strip(tokens, [str(one) for one in ids], fills, title, alt or f"The tokens {' | '.join(tokens)}.")


def loss_mask(tokens: Sequence[str], counted: Array, *, title: str = "", alt: str = "") -> Figure:
    """Shows which tokens the loss counts: filled boxes; the others are read but not learned.

    Args:
        tokens: N texts; spaces become dots.
        counted: (N,), true where the token is a target of the loss.
        title: the message; by default, the number of counted tokens.
        alt: the description; by default, the counted tokens.
    """
    chosen = np.asarray(counted, dtype=bool)
    title = title or f"The loss counts {chosen.sum()} of {len(tokens)} tokens"
    learned = " | ".join(token for token, used in zip(tokens, chosen, strict=True) if used)
    fills = [(BLUE, 0.28) if used else (GRID, 0.0) for used in chosen]
    return _strip(tokens, [], fills, title, alt or f"Tokens that the loss counts: {learned}.")


def token_values(
    tokens: Sequence[str],
    values: Array,
    *,
    label: str = "P(spam)",
    title: str = "",
    alt: str = "",
) -> Figure:
    """Shows a number between 0 and 1 for each token, as the depth of its colour and in hundredths below it.

    Args:
        tokens: N texts; spaces become dots.
        values: (N,), such as the probability of a class after each token.
        label: what the numbers are.
        title: the message; by default, the first and the last value.
        alt: the description; by default, tokens and values.
    """
    numbers = np.asarray(values, dtype=float)
    title = title or f"{label} after each token, from {numbers[0]:.0%} to {numbers[-1]:.0%}"
    listed = ", ".join(f"{token.strip()} {value:.2f}" for token, value in zip(tokens, numbers, strict=True))
    fills = [(ORANGE, 0.45 * float(np.clip(value, 0, 1))) for value in numbers]
    labels = [f"{100 * value:.0f}" for value in numbers]
    return _strip(
        tokens,
        labels,
        fills,
        title,
        alt or f"{label} after each token: {listed}.",
        note=f"below each token: {label}, in %",
    )


def _strip(
    tokens: Sequence[str],
    labels: Sequence[str],
    fills: Sequence[tuple[str, float]],
    title: str,
    alt: str,
    note: str = "",
) -> Figure:
    line = 0.5 if labels else 0.34
    with styled():
        cells = _flow(tokens, labels or [""] * len(tokens))
        lines = cells[-1].line + 1 if cells else 0
        if any(cell.has_escapes for cell in cells):
            note = "; ".join(filter(None, (note, r"\u… is a character that no font here has")))
        figure, axes, top = drawing(title, line * lines + (0.25 if note else 0.06), alt=alt)
        for cell, (colour, opacity) in zip(cells, fills, strict=True):
            y = top - 0.3 - line * cell.line
            edge = GRID if opacity == 0 else colour
            box(axes, cell.x, y, cell.width, 0.26, colour, fill_alpha=opacity, edgecolor=edge)
            middle = cell.x + cell.width / 2
            colour = MUTED if opacity == 0 and not labels else INK
            write(axes, middle, y + 0.125, cell.text, mono=True, ha="center", color=colour)
            write(axes, middle, y - 0.09, cell.label, size=SMALL_TEXT, ha="center", color=MUTED)
        if note:
            write(axes, WIDTH - _MARGIN, 0.12, note, size=SMALL_TEXT, color=MUTED, ha="right")
    return figure


def _flow(tokens: Sequence[str], labels: Sequence[str]) -> list[_Cell]:
    """Places boxes from left to right in lines, as words on a page."""
    cells: list[_Cell] = []
    x, line = _MARGIN, 0
    for token, label in zip(tokens, labels, strict=True):
        given = token.translate(_VISIBLE)
        shown = with_escapes(given, mono=True)
        text = _fitted(shown)
        inside = max(text_width(text, TEXT, mono=True), text_width(label, SMALL_TEXT) if label else 0.0)
        width = inside + 2 * _PADDING
        if x > _MARGIN and x + width > WIDTH - _MARGIN:
            x, line = _MARGIN, line + 1
        cells.append(_Cell(x, line, width, text, label, shown != printable(given)))
        x += width + _GAP
    return cells


def _fitted(text: str) -> str:
    """Cuts a text that is longer than a line."""
    room = WIDTH - 2 * (_MARGIN + _PADDING)
    while text_width(text, TEXT, mono=True) > room:
        text = text[: -max(2, len(text) // 20)] + "…"
    return text
