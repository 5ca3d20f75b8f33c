"""Figures and reports of runs.

    curves.py, classification.py, answers.py, costs.py   the figures: `plot_…` functions from arrays to a Figure
    style.py, svg.py, notebook.py, format.py             how figures look, and how pages and notebooks show them
    run_data.py                                          reads what a run left in its folder
    html.py, templates/                                  HTML pages from jinja2 templates, with autoescape
    report/                                              `tuppence report RUN`: one run on one page
    quickstart_report/                                   the page of a whole quickstart

The figures are also names of this package: `from tuppence.figures import plot_loss`. They do not use pyplot and change
no global state, so that a notebook, a report and a test can call them alike.
"""

from __future__ import annotations

from tuppence.figures.answers import plot_exact_match, plot_exact_match_by_kind
from tuppence.figures.classification import plot_calibration, plot_confusion_matrix, plot_roc_curve, plot_scores
from tuppence.figures.costs import plot_dollars, plot_stage_seconds, plot_time_shares
from tuppence.figures.curves import (
    plot_gradient_norm,
    plot_learning_rate,
    plot_loss,
    plot_preference_accuracy,
    plot_reward_margin,
    plot_throughput,
)

__all__ = [
    "plot_calibration",
    "plot_confusion_matrix",
    "plot_dollars",
    "plot_exact_match",
    "plot_exact_match_by_kind",
    "plot_gradient_norm",
    "plot_learning_rate",
    "plot_loss",
    "plot_preference_accuracy",
    "plot_reward_margin",
    "plot_roc_curve",
    "plot_scores",
    "plot_stage_seconds",
    "plot_throughput",
    "plot_time_shares",
]
