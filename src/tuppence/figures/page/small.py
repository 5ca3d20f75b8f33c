"""The live part of a report, for models that are small enough to be in every report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tuppence.core.errors import TuppenceError
from tuppence.core.run import Run

if TYPE_CHECKING:
    from tuppence.figures.page.live import Live

LARGEST_PARAMETERS = 3_000_000
"""All models of a report together: 4 MB of text. A quickstart's two models have 2.7 million."""


def live_if_small(runs: Sequence[Path], problems: list[str], names: Sequence[str] = ()) -> Live | None:
    """Packs the language models of run folders for a report.

    Args:
        names: of the models for people; by default those of the runs.
        problems: a message is appended if a model cannot be read, or cannot be in a page.

    Returns:
        None if there is no model, if one is no language model, or if they are too large.
    """
    weights = [Run(folder).weights for folder in runs]
    if not weights or not all(path.is_file() for path in weights):
        return None
    if sum(path.stat().st_size for path in weights) > 5 * LARGEST_PARAMETERS:  # float32, and the names
        return None
    from tuppence.figures.page.live import live
    from tuppence.model.loaded import inspect

    try:
        models = [inspect(folder) for folder in runs]
        if any(info.kind != "language model" for info in models):
            return None
        if sum(info.config.parameter_count() for info in models) > LARGEST_PARAMETERS:
            return None
        return live(models, names)
    except TuppenceError as error:
        problems.append(f"the model is not live in this page: {error.message}")
        return None
