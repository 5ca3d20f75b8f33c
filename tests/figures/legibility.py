"""What every figure must satisfy, so that it can be read on a phone, in light and dark, and by a screen reader."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from tuppence.figures.style import styled
from tuppence.figures.themes import BACKGROUNDS, recolour

PHONE = 360
"""The width in pixels at which a figure must be legible."""

SMALLEST_TEXT = 8.9
"""In pixels, on the phone."""

CONTRAST = 4.5
"""WCAG 2.2, criterion 1.4.3, level AA, for text."""


def faults(figure: Figure) -> list[str]:
    """Returns what is wrong with a figure, one line for each fault."""
    with styled(), warnings.catch_warnings():
        warnings.simplefilter("error")  # missing glyphs, layouts that do not fit
        figure.set_dpi(PHONE / figure.get_size_inches()[0])
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        texts = visible_texts(figure)
        figure.set_layout_engine("none")  # hiding texts below must not move the axes
        found = [*_alt(figure), *_too_small(texts, figure), *_outside(texts, canvas), *_overlapping(texts, canvas)]
        return found + [fault for theme in ("light", "dark") for fault in _pale(figure, texts, canvas, theme)]


def visible_texts(figure: Figure) -> list[Text]:
    """Returns the texts that are drawn: no empty ones, and no ticks outside the limits of their axis."""
    hidden: set[Any] = set()
    for axes in figure.findobj(lambda artist: hasattr(artist, "xaxis")):
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            room = 1e-6 * (high - low)
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                drawn = axes.axison and axis.get_visible() and low - room <= tick.get_loc() <= high + room
                hidden |= set() if drawn else {tick.label1, tick.label2}
            if not axes.axison or not axis.get_visible():
                hidden |= {axis.label, axis.offsetText}
    return [one for one in figure.findobj(Text) if one.get_visible() and one.get_text().strip() and one not in hidden]


def _alt(figure: Figure) -> list[str]:
    alt = getattr(figure, "alt", "")
    return [] if len(alt) >= 20 and "\n" not in alt and "nan" not in alt.split() else [f"no description: {alt!r}"]


def _too_small(texts: list[Text], figure: Figure) -> list[str]:
    sizes = [(one.get_fontsize() / 72 * figure.dpi, one) for one in texts]
    return [f"{size:.1f} pixels high: {_name(one)}" for size, one in sizes if size < SMALLEST_TEXT]


def _outside(texts: list[Text], canvas: FigureCanvasAgg) -> list[str]:
    width, height = canvas.get_width_height()
    boxes = [(one.get_window_extent(canvas.get_renderer()), one) for one in texts]
    return [
        f"outside the canvas: {_name(one)}"
        for box, one in boxes
        if box.x0 < -0.5 or box.y0 < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5
    ]


def _overlapping(texts: list[Text], canvas: FigureCanvasAgg) -> list[str]:
    boxes = []
    for one in texts:  # the box of a line is higher than its letters
        box = one.get_window_extent(canvas.get_renderer())
        boxes.append((box.x0 + 0.5, box.x1 - 0.5, box.y0 + 0.1 * box.height, box.y1 - 0.1 * box.height, one))
    return [
        f"overlapping: {_name(a[4])} and {_name(b[4])}"
        for a, b in combinations(boxes, 2)
        if a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3]
    ]


def _pale(figure: Figure, texts: list[Text], canvas: FigureCanvasAgg, theme: Any) -> list[str]:
    """Compares each text with what is drawn behind it: nine tenths of that must give it enough contrast."""
    recolour(figure, theme)
    figure.set_facecolor(BACKGROUNDS[theme])
    for one in texts:
        one.set_visible(False)
    canvas.draw()
    behind = _luminance(np.asarray(canvas.buffer_rgba())[..., :3] / 255)
    for one in texts:
        one.set_visible(True)
    found = []
    for one in texts:
        box = one.get_window_extent(canvas.get_renderer())
        rows = slice(max(0, round(behind.shape[0] - box.y1)), max(1, round(behind.shape[0] - box.y0)))
        pixels = behind[rows, max(0, round(box.x0)) : max(1, round(box.x1))]
        letters = float(_luminance(np.array(to_rgb(one.get_color()))))
        contrast = (np.maximum(pixels, letters) + 0.05) / (np.minimum(pixels, letters) + 0.05)
        if pixels.size and np.quantile(contrast, 0.1) < CONTRAST:
            found.append(f"contrast {np.quantile(contrast, 0.1):.1f} in {theme}: {_name(one)}")
    return found


def _luminance(rgb: Any) -> Any:
    """Returns the relative luminance of WCAG 2.2."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def _name(one: Text) -> str:
    return repr(one.get_text().replace("\n", " / "))
