"""Figures and reports of runs.

    curves.py, classification.py, answers.py, costs.py   the figures: `plot_…` functions from arrays to a Figure
    course/                                              the figures of the course's chapters, from arrays to a Figure
    style.py, svg.py, themes.py, notebook.py, format.py  the style of figures, and their display in pages and notebooks
    run_data.py                                          reads the files of a run folder
    html.py, templates/                                  HTML pages from jinja2 templates, with autoescape
    report/                                              `tuppence report RUN`: one run on one page
    quickstart_report/                                   the page of a whole quickstart
    export.py, page/                                     `tuppence export RUN`: a model live in a page, or as a folder

The figures are also names of this package: `from tuppence.figures import plot_loss, scale`. They do not use pyplot and
do not change global state, so they work in notebooks, reports and tests. Each has a description for those who cannot
see it, `figure.alt`. matplotlib is imported by the first figure.
"""

from __future__ import annotations

from tuppence.figures.answers import plot_exact_match, plot_exact_match_by_kind
from tuppence.figures.classification import plot_calibration, plot_confusion_matrix, plot_roc_curve, plot_scores
from tuppence.figures.costs import plot_dollars, plot_stage_seconds, plot_time_shares
from tuppence.figures.course.alignment import gae_ladder, reward_against_length, reward_frontier
from tuppence.figures.course.attention import (
    attention_cost,
    attention_map,
    attention_maps,
    attention_steps,
    saturation,
)
from tuppence.figures.course.diagrams import architecture, masks, stages
from tuppence.figures.course.finetuning import label_efficiency, rank_and_forgetting, singular_values
from tuppence.figures.course.fundamentals import dollars_against_loss, roadmap, scale
from tuppence.figures.course.gpt import ablations, cache_speed, parameters_by_part, residual_norms, sampling_cut
from tuppence.figures.course.pretraining import (
    loss_and_samples,
    loss_curves,
    resume_proof,
    scaling_law,
    schedule,
)
from tuppence.figures.course.strips import loss_mask, token_values, tokens_strip
from tuppence.figures.course.text import bytes_per_token, fertility, merge_tree, windows
from tuppence.figures.curves import (
    plot_gradient_norm,
    plot_learning_rate,
    plot_loss,
    plot_preference_accuracy,
    plot_reward_margin,
    plot_throughput,
)

__all__ = [
    "ablations",
    "architecture",
    "attention_cost",
    "attention_map",
    "attention_maps",
    "attention_steps",
    "bytes_per_token",
    "cache_speed",
    "dollars_against_loss",
    "fertility",
    "gae_ladder",
    "label_efficiency",
    "loss_and_samples",
    "loss_curves",
    "loss_mask",
    "masks",
    "merge_tree",
    "parameters_by_part",
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
    "rank_and_forgetting",
    "residual_norms",
    "resume_proof",
    "reward_against_length",
    "reward_frontier",
    "roadmap",
    "sampling_cut",
    "saturation",
    "scale",
    "scaling_law",
    "schedule",
    "singular_values",
    "stages",
    "token_values",
    "tokens_strip",
    "windows",
]
