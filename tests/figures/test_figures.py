"""What all public figures have in common."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from tuppence import figures
from tuppence.figures.svg import to_svg

EMPTY: dict[str, tuple[Any, ...]] = {
    "plot_calibration": ([0.9], [1.0], [3]),  # a calibration error needs a row
    "plot_confusion_matrix": ([[0]], ["one"]),
    "plot_dollars": ([], []),
    "plot_exact_match": ([], [], []),
    "plot_exact_match_by_kind": ([], [], {}),
    "plot_gradient_norm": ([], []),
    "plot_learning_rate": ([], []),
    "plot_loss": ([], []),
    "plot_preference_accuracy": ([], []),
    "plot_reward_margin": ([], []),
    "plot_roc_curve": ([], []),
    "plot_scores": ([], {"accuracy": []}),
    "plot_stage_seconds": ({},),
    "plot_throughput": ([], []),
    "plot_time_shares": ({},),
}
MORE: dict[str, dict[str, Any]] = {"plot_roc_curve": {"positive": "spam", "area": 0.5}}


def test_every_figure_of_a_report_is_tested_here() -> None:
    assert sorted(EMPTY) == [name for name in figures.__all__ if name.startswith("plot_")]


@pytest.mark.parametrize("name", EMPTY)
def test_every_figure_returns_a_figure_even_of_empty_arrays(name: str) -> None:
    from matplotlib.figure import Figure

    figure = getattr(figures, name)(*EMPTY[name], **MORE.get(name, {}))
    assert isinstance(figure, Figure)
    assert to_svg(figure, "x", "x").startswith("<svg")


def test_importing_the_figures_imports_neither_torch_nor_matplotlib() -> None:
    code = "import sys, tuppence.figures; print({'torch', 'matplotlib'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
