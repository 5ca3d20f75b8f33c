"""The values of the sections of quickstart.html, a function for each section; None for a stage that was skipped.

The numbers come from files that a user can edit. A part whose numbers are wrong is left out.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tuppence.core.run import Run
from tuppence.figures.answers import plot_exact_match, plot_exact_match_by_kind
from tuppence.figures.curves import plot_preference_accuracy, plot_reward_margin
from tuppence.figures.format import shorten
from tuppence.figures.quickstart_report.data import QuickstartData, number_at
from tuppence.figures.report.classification import confusion_figure, scores_figure
from tuppence.figures.report.page import loss_figure, loss_figures, prompt_and_continuation
from tuppence.figures.run_data import finite, series
from tuppence.figures.style import SMALL
from tuppence.figures.svg import to_svg

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

Values = dict[str, Any]

NAMES = {"pretrain": "base", "instruct": "instruction model", "dpo": "DPO model"}
"""Name of a language model's run folder → its name on the page."""

SHOWN_MISTAKES = 3
LONGEST_ANSWER = 160

_EDITED = (LookupError, TypeError, ValueError, AttributeError)
"""Errors that wrong values in an edited file cause."""


def data(life: QuickstartData) -> Values | None:
    """Returns the values of the stages `stories`, `tokenizer` and `data`."""
    stories, tokenizer, tokens = (life.numbers(name) for name in ("stories", "tokenizer", "data"))
    if not stories:
        return None
    facts = {
        "stories": _count(stories.get("stories")),
        "bytes": _count(stories.get("bytes")),
        "vocabulary": _count(tokenizer.get("vocab_size")),
        "tokens to train on": _count(tokens.get("train")),
        "tokens held out": _count(tokens.get("val")),
        "tokens of a sentence": " | ".join(map(str, tokenizer.get("pieces") or [])),
    }
    return {**_done(life, "stories", "tokenizer", "data"), "facts": facts, "sample": str(stories.get("sample") or "")}


def pretraining(life: QuickstartData) -> Values | None:
    """Returns the values of the stage `pretrain`."""
    run = life.runs.get("pretrain")
    if run is None or not (numbers := life.numbers("pretrain")):
        return None
    early = next((row for row in run.samples if row.get("text")), None) if len(run.samples) > 1 else None
    prompt = str(numbers.get("prompt") or "")
    return {
        **_done(life, "pretrain"),
        "loss": loss_figures(run, "pretrain-loss", "Loss of pretraining by step"),
        "before_and_after": _before_and_after(life),
        "early": None if early is None else (early.get("step"), *prompt_and_continuation(early)),
        "sample": (prompt, str(numbers.get("sample") or "").removeprefix(prompt)),
        "copied": numbers.get("copied"),
    }


def spam(life: QuickstartData) -> Values | None:
    """Returns the values of the stage `spam`."""
    run, classes = life.runs.get("spam"), life.classes
    if run is None or not classes:
        return None
    mistakes = [one for one in classes.get("mistakes") or [] if isinstance(one, Mapping)][:SHOWN_MISTAKES]
    return {
        **_done(life, "spam"),
        "verdict": classes.get("verdict") or "",
        "figures": [
            _svg(lambda: loss_figure(run, SMALL), "spam-loss", "Loss by step"),
            _svg(lambda: scores_figure(classes), "spam-bars", "Model and baselines"),
            _svg(lambda: confusion_figure(classes), "spam-confusion", "Confusion matrix"),
        ],
        "rows": classes.get("rows"),
        "f1_of": classes.get("f1_of"),
        "scores": _spam_scores(classes),
        "mistakes": [
            (one.get("text"), one.get("label"), one.get("predicted"), _percent(one.get("probability")))
            for one in mistakes
        ],
    }


def instructions(life: QuickstartData) -> Values | None:
    """Returns the values of the stage `instruct`."""
    run, numbers = life.runs.get("instruct"), life.numbers("evaluate")
    if run is None or "instruct" not in life.stages:
        return None
    trained, size = run.number("trained_parameters"), run.number("parameters")
    kinds = numbers.get("kinds")
    by_kind = None
    if isinstance(kinds, Mapping):
        wide = _svg(lambda: _kinds_figure(kinds, 8.4), "kinds", "Right answers by kind of task")
        narrow = _svg(lambda: _kinds_figure(kinds, 4.2), "kinds-narrow", "Right answers by kind of task")
        by_kind = {"wide": wide, "narrow": narrow} if wide else None
    return {
        **_done(life, "instruct"),
        "adapter": f"{trained:,.0f} of {size:,.0f} parameters were trained" if trained and size else "",
        "figures": [
            _svg(lambda: loss_figure(run, SMALL), "instruct-loss", "Loss by step"),
            _svg(lambda: _exact_match_figure(life.scores), "exact", "Exactly right answers by model"),
        ],
        "by_kind": by_kind,
        "answers": answers(numbers.get("answers")),
    }


def preferences(life: QuickstartData) -> Values | None:
    """Returns the values of the stage `dpo`."""
    run = life.runs.get("dpo")
    if run is None or "dpo" not in life.stages:
        return None
    figures = []
    for key, plot, name, label in (
        ("val_rewards/accuracies", plot_preference_accuracy, "dpo-order", "Held-out pairs in order by step"),
        ("val_rewards/margins", plot_reward_margin, "dpo-margin", "Reward margin by step"),
    ):
        steps, values = series(run.metrics, key)
        figures.append(to_svg(plot(steps, values), name, label) if values else None)
    accuracy, margin = (life.last("dpo", key) for key in ("val_rewards/accuracies", "val_rewards/margins"))
    loss = life.last("dpo", "val_loss")
    return {
        **_done(life, "dpo"),
        "figures": figures,
        "before_and_after": [
            ("pairs in the right order", "50 %, by chance", _percent(accuracy)),
            ("reward margin, nats", "0 by definition", None if margin is None else f"{margin:.3f}"),
            ("loss", f"{math.log(2):.3f}, which is ln 2", None if loss is None else f"{loss:.3f}"),
        ],
        "answers": answers(life.numbers("evaluate").get("preferences"), "the preferred answer"),
    }


def evaluation(life: QuickstartData) -> Values | None:
    """Returns the values of the stage `evaluate`."""
    scores = life.scores
    if not scores:
        return None
    rows = []
    for label, task, key, show in (
        ("perplexity of held-out stories", "perplexity", "perplexity", "{:.2f}"),
        ("bits per byte", "perplexity", "bits_per_byte", "{:.3f}"),
        ("tasks exactly right", "exact_match", "accuracy", "{:.1%}"),
        ("answers ended by the model", "exact_match", "ended", "{:.1%}"),
    ):
        values = [number_at(scores, run, task, key) for run in scores]
        if any(value is not None for value in values):
            rows.append((label, *(None if value is None else show.format(value) for value in values)))
    return {
        **_done(life, "evaluate"),
        "models": [NAMES.get(run, run) for run in scores],
        "rows": rows,
        "differences": _differences(life),
    }


def answers(rows: Any, reference: str = "right") -> Values | None:
    """Returns a table of prompts with the answer of each model. Right answers are marked.

    Args:
        rows: from story.json; the first damaged row and those after it are left out.
        reference: the heading of the reference answers.
    """
    if not isinstance(rows, Sequence) or not rows:
        return None
    models: list[str] = []
    shown: list[tuple[str, ...]] = []
    with contextlib.suppress(*_EDITED):
        models = list(rows[0]["answers"])
        for row in rows:
            right = row.get("right") or {}
            marked = [f"✓ {row['answers'][name]}" if right.get(name) else row["answers"][name] for name in models]
            shown.append((row["prompt"], *(_one_line(answer) for answer in marked), row["reference"]))
    return {"columns": ("prompt", *(NAMES.get(name, name) for name in models), reference), "rows": shown}


def _done(life: QuickstartData, *stages: str) -> Values:
    """Returns the commands and the time of stages, and the link to the report of the last stage's run."""
    present = [life.stages[name] for name in stages if name in life.stages]
    report = Run(life.root / stages[-1]).report_file
    return {
        "commands": "\n".join(str(stage.get("command") or "") for stage in present),
        "seconds": sum(float(stage["seconds"]) for stage in present),
        "report": report.relative_to(life.root).as_posix() if report.is_file() else None,
    }


def _before_and_after(life: QuickstartData) -> list[tuple[str, str, str]]:
    """Returns validation loss and perplexity, of a model with equal probabilities and of the trained one."""
    run = life.runs["pretrain"]
    vocabulary = run.number("config", "model", "vocab_size") or finite(life.numbers("tokenizer").get("vocab_size"))
    best = run.number("result", "best_val_loss")
    if best is None:
        return []
    loss_before, perplexity_before = (f"{math.log(vocabulary):.2f}", f"{vocabulary:,.0f}") if vocabulary else ("", "")
    return [
        ("validation loss, nats per token", loss_before, f"{best:.3f}"),
        ("perplexity", perplexity_before, f"{math.exp(min(best, 700)):.2f}"),
    ]


def _spam_scores(classes: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    baselines = classes.get("baselines")
    if not isinstance(baselines, Mapping):
        return []
    models = {"language model, after": classes, **baselines}
    return [(name, _percent(one.get("accuracy")), _percent(one.get("f1"))) for name, one in models.items()]


def _exact_match_figure(scores: Mapping[str, Any]) -> Figure | None:
    exact = {
        NAMES.get(name, name): tasks["exact_match"]
        for name, tasks in scores.items()
        if isinstance(tasks, Mapping) and isinstance(tasks.get("exact_match"), Mapping)
    }
    if not exact:
        return None
    found = list(exact.values())
    return plot_exact_match(list(exact), [one["accuracy"] for one in found], [one["stderr"] or 0.0 for one in found])


def _kinds_figure(kinds: Mapping[str, Any], width: float) -> Figure | None:
    if not kinds:
        return None
    models = next(iter(kinds.values()))["right"]
    shares = {NAMES.get(name, name): [found["right"][name] for found in kinds.values()] for name in models}
    return plot_exact_match_by_kind(list(kinds), [found["rows"] for found in kinds.values()], shares, width=width)


def _differences(life: QuickstartData) -> list[tuple[str, ...]]:
    """Returns the difference of each model to the base, for the metrics of the task exact_match."""
    comparison = life.numbers("evaluate").get("comparison")
    rows: list[tuple[str, ...]] = []
    with contextlib.suppress(*_EDITED):
        for metric, others in comparison["tasks"]["exact_match"].items():  # type: ignore[index]
            for run, found in others.items():
                if found:
                    ends = f"{found['low']:+.1%} to {found['high']:+.1%}"
                    label = f"{metric.replace('_', ' ')}, {NAMES.get(run, run)}"
                    rows.append((label, f"{found['difference']:+.1%}", ends, f"{found['units']:,} {found['unit']}"))
    return rows


def _svg(draw: Callable[[], Figure | None], name: str, label: str) -> Markup | None:
    """Returns the figure as SVG; None if there is none, or if its numbers are wrong."""
    with contextlib.suppress(*_EDITED):
        figure = draw()
        return None if figure is None else to_svg(figure, name, label)
    return None


def _one_line(text: Any) -> str:
    return shorten(" ".join(str(text).split()), LONGEST_ANSWER)


def _percent(value: Any) -> str | None:
    share = finite(value)
    return None if share is None else f"{share:.1%}"


def _count(value: Any) -> str | None:
    count = finite(value)
    return None if count is None else f"{count:,.0f}"
