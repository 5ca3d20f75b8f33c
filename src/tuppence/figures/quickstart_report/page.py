"""The page of a whole quickstart: ROOT/report.html, from the files of `tuppence quickstart` below ROOT.

Each stage has the command that does the same, a figure, and numbers and answers before and after it. The receipt is at
the end. The page links to the reports of the runs. Like every report, it loads nothing from other hosts. Called by the
quickstart, and by `tuppence report ROOT`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuppence import __version__
from tuppence.core import files
from tuppence.core.console import warn
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.figures.costs import plot_stage_seconds
from tuppence.figures.format import dollars_label
from tuppence.figures.html import render
from tuppence.figures.page.small import live_if_small
from tuppence.figures.quickstart_report import sections
from tuppence.figures.quickstart_report.data import QuickstartData, number_at
from tuppence.figures.quickstart_report.sections import NAMES
from tuppence.figures.report.page import page_file
from tuppence.figures.run_data import finite
from tuppence.figures.svg import to_svg
from tuppence.storage import stage_run

if TYPE_CHECKING:
    from tuppence.figures.page.live import Live


def write_quickstart_report(root: str | Path, out: str | Path | None = None, *, live: bool = True) -> Path:
    """Writes ROOT/report.html, or `out`, and returns its path.

    Args:
        live: whether the base and the model that was aligned from it are part of the page, and run in it, if they are
            small (`page.small`).

    Raises:
        InputError: no stage of a quickstart is done there.
        MissingExtraError: matplotlib is not installed.
    """
    life = QuickstartData.read(stage_run(root))
    target = page_file(life.root, out)
    if not life.stages:
        raise InputError(f"{root} is not a quickstart with a finished stage", "name the --out of a quickstart")
    problems: list[str] = []
    shown = _live_runs(life) if live else []
    places, names = [life.runs[name].folder for name in shown], [NAMES[name] for name in shown]
    models = live_if_small(places, problems, names)
    for problem in problems:
        warn(problem)
    files.write_text(target, render_quickstart_report(life, models), follow_link=out is not None)
    return target


def render_quickstart_report(life: QuickstartData, live: Live | None = None) -> str:
    """Returns the page as HTML, with the models that `live` has."""
    return render(
        "quickstart.html",
        title="The life of a small model",
        summary=_summary(life),
        left_out={name: why for name, why in life.state.left_out.items() if name not in life.stages},
        headline=list(_headline(life)),
        data=sections.data(life),
        pretraining=sections.pretraining(life),
        spam=sections.spam(life),
        instructions=sections.instructions(life),
        preferences=sections.preferences(life),
        live=live,
        evaluation=sections.evaluation(life),
        receipt=_receipt(life),
        version=__version__,
    )


def _live_runs(life: QuickstartData) -> list[str]:
    """The names of the base, and of the last language model that was made from it."""
    made = [name for name in NAMES if name in life.runs]
    return made if len(made) < 2 else [made[0], made[-1]]


def _summary(life: QuickstartData) -> list[str]:
    size = life.runs["pretrain"].number("parameters") if "pretrain" in life.runs else None
    return [*([f"{size / 1e6:.1f}M parameters"] if size else []), f"made in {duration(life.seconds)}"]


def _headline(life: QuickstartData) -> Iterator[tuple[str, str]]:
    scores = life.scores
    if (perplexity := number_at(scores, "pretrain", "perplexity", "perplexity")) is not None:
        yield "perplexity of held-out stories", f"{perplexity:.2f}"
    if (accuracy := finite(life.classes.get("accuracy"))) is not None:
        yield "spam test accuracy", f"{accuracy:.1%}"
    for run in ("pretrain", "instruct"):
        if (share := number_at(scores, run, "exact_match", "accuracy")) is not None:
            yield f"tasks exactly right, {NAMES[run]}", f"{share:.1%}"
    if (accuracy := life.last("dpo", "val_rewards/accuracies")) is not None:
        yield "preferences in the right order", f"{accuracy:.1%}"
    yield "wall time", duration(life.seconds)
    if dollars := sum(finite(stage.get("dollars")) or 0.0 for stage in life.stages.values()):
        yield "dollars", dollars_label(dollars)


def _receipt(life: QuickstartData) -> dict[str, Any]:
    stages = {name: stage for name, stage in life.stages.items() if name != "report"}
    seconds = {name: float(stage["seconds"]) for name, stage in stages.items()}
    dollars = {name: finite(stage.get("dollars")) or 0.0 for name, stage in stages.items()}
    rows = [(name, duration(seconds[name]), dollars_label(dollars[name])) for name in stages]
    return {
        "bar": to_svg(plot_stage_seconds(seconds, size=(8.4, 2.6)), "time") if any(seconds.values()) else None,
        "rows": [*rows, ("together", duration(sum(seconds.values())), dollars_label(sum(dollars.values())))],
    }
