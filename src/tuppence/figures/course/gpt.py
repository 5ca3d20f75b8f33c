"""Chapter 4: ablations, parameters by part, norms of the residual stream, sampling, and the cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tuppence.figures.course.labels import beside, name_rows
from tuppence.figures.course.layout import SMALL_TEXT, chart
from tuppence.figures.course.series import ends_of, plot_series
from tuppence.figures.format import shorten, size_label
from tuppence.figures.style import BLUE, GREEN, INK, MUTED, ORANGE, Array, drawable, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def ablations(losses: Mapping[str, float], *, baseline: str = "whole", title: str = "", alt: str = "") -> Figure:
    """Shows the loss of models with a part removed, lowest first, and their distance to the whole model.

    Args:
        losses: name → validation loss in nats per token.
        baseline: the name of the whole model.
        title: the message; by default, the largest loss.
        alt: the description; by default, all losses.
    """
    names = sorted(losses, key=lambda name: losses[name])
    whole, worst = losses[baseline], names[-1]
    title = title or f"Largest loss: {worst}, {losses[worst] - whole:+.2f} nats".replace("-", "−")
    listed = ", ".join(f"{name} {losses[name]:.3f}" for name in names)
    with styled():
        figure, (axes,) = chart(title, 0.6 + 0.31 * len(names), alt=alt or f"Validation losses: {listed}.")
        axes.axvline(whole, color=MUTED, linewidth=1)
        low, high = losses[names[0]], losses[worst]
        room = (high - low) or 0.1 * abs(high) or 0.1
        axes.set_xlim(low - 0.08 * room, high + 0.5 * room)
        for place, name in enumerate(names):
            loss, colour = losses[name], MUTED if name == baseline else ORANGE if losses[name] > whole else GREEN
            axes.plot([whole, loss], [place, place], color=colour, linewidth=2.2, alpha=0.5)
            axes.plot(loss, place, "o", markersize=7, color=colour)
            difference = "" if name == baseline else f"  ({loss - whole:+.3f})".replace("-", "−")
            beside(axes, max(loss, whole), place, f"{loss:.3f}{difference}", 9, INK)
        name_rows(axes, names)
        axes.set_xlabel("validation loss, nats per token", loc="right")
    return figure


def parameters_by_part(
    parameters: Mapping[str, float], flops: Mapping[str, float] | None = None, *, title: str = "", alt: str = ""
) -> Figure:
    """Shows the shares of the parts in the parameters, largest first, and in the computation beside them.

    Args:
        parameters: part → number of parameters.
        flops: part → floating-point operations per token.
        title: the message; by default, the shares of the largest part.
        alt: the description; by default, all shares.
    """
    names = sorted(parameters, key=lambda name: -parameters[name])
    names += [name for name in flops or {} if name not in parameters]
    tables = {"parameters": parameters} | ({"FLOPs per token": flops} if flops else {})
    shares = {
        measure: [100 * table.get(name, 0.0) / (sum(table.values()) or 1.0) for name in names]
        for measure, table in tables.items()
    }
    first = f"{names[0]}: {shares['parameters'][0]:.0f} % of the parameters"
    title = title or first + (f", {shares['FLOPs per token'][0]:.0f} % of the computation" if flops else "")
    described = "; ".join(
        f"{measure}: {', '.join(f'{name} {share:.0f} %' for name, share in zip(names, values, strict=True))}"
        for measure, values in shares.items()
    )
    with styled():
        figure, charts = chart(
            title,
            0.45 + 0.3 * len(names),
            columns=len(tables),
            sharey=True,
            alt=alt or f"Shares of parts. {described}.",
        )
        for axes, (measure, values), colour in zip(charts, shares.items(), (BLUE, ORANGE), strict=False):
            axes.barh(range(len(names)), values, height=0.62, color=colour)
            for place, share in enumerate(values):
                beside(axes, share, place, f"{share:.0f} %" if share >= 1 or share == 0 else "< 1 %", 5, INK)
            axes.set_xlim(0, 1.35 * max(values))
            total = size_label(sum(tables[measure].values()))
            axes.set_title(
                f"{total} {measure}", fontsize=SMALL_TEXT, fontweight="normal", color=colour, loc="left", pad=5
            )
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
        name_rows(charts[0], names)
        for axes in charts[1:]:
            axes.tick_params(labelleft=False)
            axes.grid(visible=False)
    return figure


def residual_norms(norms: Mapping[str, Array], *, title: str = "", alt: str = "") -> Figure:
    """Shows the norm of the residual stream before the first block and after each block.

    Args:
        norms: initialisation → (L + 1,), mean norm of a token's vector.
        title: the message; by default, the growth of the largest.
        alt: the description; by default, the norms after the last block.
    """
    values = {name: np.asarray(table, dtype=float) for name, table in norms.items()}
    most = max(values, key=lambda name: values[name][-1])
    growth = values[most][-1] / (values[most][0] or 1.0)
    curves = {name: (np.arange(len(table)), table) for name, table in values.items()}
    figure, _ = plot_series(
        curves,
        title=title or f"The residual stream grows {growth:.1f} times: {' '.join(most.split())}",
        alt=alt or f"Norm of the residual stream after the last block: {ends_of(curves)}.",
        x_label="block",
        y_unit="norm of a token's vector, mean",
        y_limits=(0, 1.08 * max(float(table.max()) for table in values.values())),
    )
    return figure


def sampling_cut(
    tokens: Sequence[str],
    probabilities: Mapping[str, Array],
    *,
    title: str = "What each setting leaves of the same probabilities",
    alt: str = "",
) -> Figure:
    """Shows the probabilities of the likeliest tokens under several settings of sampling, side by side.

    Args:
        tokens: N tokens, likeliest first.
        probabilities: setting, such as "top-k 3" → (N,), after the cut; zero where the token is cut.
        title: the message.
        alt: the description; by default, the number of tokens that each setting leaves.
    """
    tables = {name: 100 * np.asarray(values, dtype=float) for name, values in probabilities.items()}
    left = ", ".join(f"{' '.join(name.split())} {int((table > 0).sum())}" for name, table in tables.items())
    names = [shorten(token.replace(" ", "·").replace("\n", "↵"), 14) for token in tokens]
    with styled():
        figure, charts = chart(
            title,
            0.5 + 0.27 * len(names),
            columns=len(tables),
            sharey=True,
            sharex=True,
            alt=alt or f"Of {len(names)} tokens, settings of sampling leave: {left}.",
        )
        for axes, (setting, table) in zip(charts, tables.items(), strict=True):
            axes.barh(range(len(names)), table, height=0.62, color=BLUE)
            for place, share in enumerate(table):
                text, colour = ("cut", MUTED) if share == 0 else (f"{share:.0f}", INK)
                beside(axes, share, place, text, 4, colour)
            axes.set_title(drawable(shorten(setting, 24)), fontsize=SMALL_TEXT, fontweight="normal", loc="left", pad=5)
            axes.spines["bottom"].set_visible(False)
            axes.set_xticks([])
        charts[0].set_xlim(0, 1.4 * max(float(table.max()) for table in tables.values()))
        name_rows(charts[0], names)
        for axes in charts[1:]:
            axes.tick_params(labelleft=False)
            axes.grid(visible=False)
        charts[0].set_xlabel("probability, %", loc="left")
    return figure


def cache_speed(lengths: Array, without: Array, cached: Array, *, title: str = "", alt: str = "") -> Figure:
    """Shows the time to generate a text with and without the cache of keys and values.

    Args:
        lengths: (N,), generated tokens.
        without, cached: (N,), seconds.
        title: the message; by default, the ratio at the largest length.
        alt: the description; by default, the ratios at all lengths.
    """
    sizes = np.asarray(lengths, dtype=float)
    slow, fast = np.asarray(without, dtype=float), np.asarray(cached, dtype=float)
    ratios = slow / np.maximum(fast, 1e-12)
    listed = ", ".join(f"{size:,.0f} tokens {ratio:.1f}" for size, ratio in zip(sizes, ratios, strict=True))
    figure, axes = plot_series(
        {"without\ncache": (sizes, slow), "with\ncache": (sizes, fast)},
        title=title or f"Without the cache, {sizes[-1]:,.0f} tokens take {ratios[-1]:.1f} times as long",
        alt=alt or f"Time without the cache as multiples of the time with it: {listed}.",
        x_label="generated tokens",
        y_unit="seconds",
        y_limits=(0, 1.18 * float(max(slow.max(), fast.max()))),
        colours=(ORANGE, BLUE),
    )
    with styled():
        for size, high, ratio in zip(sizes, slow, ratios, strict=True):
            axes.annotate(
                f"{ratio:.1f} ×",
                (size, high),
                textcoords="offset points",
                xytext=(-3, 7),
                ha="right" if size > sizes[0] else "left",
                fontsize=SMALL_TEXT,
                color=INK,
            )
    return figure
