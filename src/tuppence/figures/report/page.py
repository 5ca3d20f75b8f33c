"""The page of `tuppence report`: one run on one self-contained page.

RUN/report.html has the headline numbers, the curves, samples, the evaluation, the receipt, the settings, and the facts
that are needed to reproduce the run. It loads nothing from other hosts, so it can be mailed, archived and opened
offline. It can be written at any time; for a run that is still training it shows the present state.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuppence import __version__
from tuppence.core import files
from tuppence.core.console import warn
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.core.outputs import refuse_unwritable
from tuppence.core.run import Run
from tuppence.figures.costs import TIME_COLOURS, plot_dollars, plot_time_shares
from tuppence.figures.curves import plot_gradient_norm, plot_learning_rate, plot_loss, plot_throughput
from tuppence.figures.format import dollars_label, moment, number, setting
from tuppence.figures.html import render
from tuppence.figures.page.small import live_if_small
from tuppence.figures.report import classification
from tuppence.figures.report.receipt import Receipt, dollars_by_time, read_receipt, time_spent
from tuppence.figures.run_data import Row, RunData, finite, last, read_run, series
from tuppence.figures.style import SMALL, WIDE, Size
from tuppence.figures.svg import to_svg
from tuppence.storage import is_remote, location_of, output_path

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure

    from tuppence.figures.page.live import Live

SHOWN_SAMPLES = 24
"""At most this many earlier samples are shown: evenly spaced ones, with the first and the last."""

_STATUS_CLASSES = ("done", "running", "stopped", "failed")
_NARROW = (SMALL[0], 3.2)


def write_report(run: str | Path, out: str | Path | None = None, *, live: bool = True) -> Path:
    """Writes RUN/report.html, or `out`, and returns its path. Warns of files that could not be read.

    Args:
        live: whether a small language model is part of the page, and runs in it (`page.small`).

    Raises:
        InputError: `run` is not a run folder.
        MissingExtraError: matplotlib is not installed.
    """
    data = read_run(run)
    target = page_file(data.folder, out)
    problems = list(data.problems)
    model = live_if_small([data.folder], problems) if live else None
    for problem in problems:
        warn(problem)
    page = render_report(replace(data, problems=problems), model)
    files.write_text(target, page, follow_link=out is not None)
    return target


def page_file(folder: Path, out: str | Path | None) -> Path:
    """Returns the path of the page of a folder: `out`, or report.html in the folder.

    Raises:
        InputError: `out` is remote; or there is no `out`, and the folder is a local copy of a remote one; or the page
            cannot be written.
    """
    if out is None and is_remote(location_of(folder)):
        raise InputError(f"{folder} cannot be written to", "name the page to write: --out FILE")
    page = Run(folder).report_file if out is None else output_path(out)
    refuse_unwritable(page, file=True)
    return page


def render_report(run: RunData, live: Live | None = None) -> str:
    """Returns the page as HTML, with the model of the run if `live` has it."""
    receipt = read_receipt(run)
    status = str(run.get("status") or "unknown")
    return render(
        "run.html",
        title=run.folder.resolve().name,
        status=status,
        badge=status if status in _STATUS_CLASSES else "muted",
        summary=_summary(run),
        model=_chosen_model(run),
        headline=list(_headline(run, receipt)),
        loss=loss_figures(run, "loss", "Training and validation loss by step"),
        curves=list(_curves(run, receipt)),
        samples=_samples(run),
        live=live,
        evaluation=list(_evaluation(run)),
        times=_times(run, receipt),
        receipt=_receipt_values(run, receipt),
        machine=_machine(run),
        settings=_settings(run),
        provenance=_provenance(run),
        problems=run.problems,
        version=__version__,
    )


def loss_figures(run: RunData, name: str, label: str) -> dict[str, Markup] | None:
    """Returns the loss curve as SVG, wide and narrow; None if no loss was logged.

    Args:
        run: the run with the losses.
        name: unique in the page.
        label: for screen readers.
    """
    wide, narrow = loss_figure(run, WIDE), loss_figure(run, _NARROW)
    if wide is None or narrow is None:
        return None
    return {"wide": to_svg(wide, name, label), "narrow": to_svg(narrow, f"{name}-narrow", label)}


def loss_figure(run: RunData, size: Size) -> Figure | None:
    """Returns the loss curve; None if no loss was logged."""
    steps, losses = series(run.metrics, "loss")
    val_steps, val_losses = series(run.metrics, "val_loss")
    if not losses and not val_losses:
        return None
    token_steps, tokens = series(run.metrics, "tokens")
    unit = "nats per text" if _classifies(run) else "nats per token"
    return plot_loss(steps, losses, val_steps, val_losses, token_steps=token_steps, tokens=tokens, unit=unit, size=size)


def _summary(run: RunData) -> list[str]:
    """Returns the verb, the size, the reason for the end, and the times of start and end."""
    parameters = run.number("parameters")
    size = f"{number(parameters)} parameters" if parameters else ""
    when = " → ".join(moment(time) for time in (run.get("started"), run.get("ended")) if time)
    return [str(part) for part in (run.get("verb"), size, run.get("ended_because"), when) if part]


def _chosen_model(run: RunData) -> str:
    step, because = run.number("result", "model_step"), run.get("result", "model_because")
    return f"the model has the weights of step {step:,.0f}: {because}" if step is not None and because else ""


def _headline(run: RunData, receipt: Receipt) -> Iterator[tuple[str, str]]:
    """Yields (label, value) of the numbers at the top of the page, if they are known."""
    steps, losses = series(run.metrics, "val_loss")
    best = min(losses) if losses else run.number("result", "best_val_loss")
    if best is not None:
        at = run.number("result", "best_step") or (steps[losses.index(best)] if losses else None)
        yield f"best validation loss{f', step {at:,.0f}' if at is not None else ''}", f"{best:.3f}"
        if not _classifies(run):
            yield "perplexity at that loss", number(math.exp(min(best, 700)))
    elif (loss := last(run.metrics, "loss")) is not None:
        yield "training loss", f"{loss:.3f}"
    classes = run.evaluation.get("classification")
    if isinstance(classes, Mapping):
        yield from classification.headline(classes)
    score = run.evaluation.get("perplexity")
    bits = finite(score.get("bits_per_byte")) if isinstance(score, Mapping) else None
    if bits is not None:
        yield "bits per byte", f"{bits:.3f}"
    tokens = run.number("result", "tokens") or last(run.metrics, "tokens")
    if tokens is not None:
        yield "tokens trained", number(tokens)
    speed = run.number("result", "tokens_per_second") or last(run.metrics, "tokens_per_second")
    if speed is not None:
        mfu = run.number("result", "mfu") or last(run.metrics, "mfu")
        yield f"tokens per second{f', MFU {mfu:.0%}' if mfu else ''}", f"{speed:,.0f}"
    if receipt.attempts:
        yield "wall time", duration(receipt.seconds)
        if receipt.dollars:
            yield "dollars", dollars_label(receipt.dollars)


def _curves(run: RunData, receipt: Receipt) -> Iterator[Markup]:
    for key, plot, name, label in (
        ("learning_rate", plot_learning_rate, "rate", "Learning rate by step"),
        ("grad_norm", plot_gradient_norm, "norm", "Gradient norm by step"),
        ("tokens_per_second", plot_throughput, "speed", "Trained tokens per second by step"),
    ):
        steps, values = series(run.metrics, key)
        if values:
            yield to_svg(plot(steps, values), name, label)
    seconds, dollars = dollars_by_time(run)
    if len(dollars) > 1 and max(dollars) > 0:
        figure = plot_dollars(seconds, dollars, budget=receipt.budget_usd)
        yield to_svg(figure, "dollars", "Dollars spent by time")


def _samples(run: RunData) -> dict[str, Any] | None:
    """Returns the last samples, and at most `SHOWN_SAMPLES` earlier ones."""
    rows = [row for row in run.samples if row.get("text")]
    if not rows:
        return None
    step = rows[-1].get("step")
    earlier = [row for row in rows if row.get("step") != step]
    if len(earlier) > SHOWN_SAMPLES:
        stride = (len(earlier) - 1) / (SHOWN_SAMPLES - 1)
        earlier = [earlier[round(index * stride)] for index in range(SHOWN_SAMPLES)]
    return {
        "step": _step(step),
        "last": [prompt_and_continuation(row) for row in rows if row.get("step") == step],
        "earlier": [(_step(row.get("step")), *prompt_and_continuation(row)) for row in earlier],
    }


def prompt_and_continuation(row: Row) -> tuple[str, str]:
    """Returns the prompt and the continuation of a sample. The text of a row can begin with the prompt."""
    prompt, text = str(row.get("prompt") or ""), str(row.get("text"))
    return prompt, text.removeprefix(prompt)


def _evaluation(run: RunData) -> Iterator[dict[str, Any]]:
    for task, metrics in run.evaluation.items():
        if not isinstance(metrics, Mapping):
            continue
        if task == "classification":
            with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):  # an edited file
                yield {"classifier": classification.template_values(metrics)}
        else:
            yield {"classifier": None, "name": task, "facts": _facts(metrics, "")}


def _classifies(run: RunData) -> bool:
    """Whether the run is a classifier: its loss is in nats per text, and it has no perplexity."""
    return str(run.get("verb")) == "finetune classify"


def _times(run: RunData, receipt: Receipt) -> dict[str, Any] | None:
    spent = time_spent(run, receipt)
    total = sum(spent.values())
    if not total > 0:
        return None
    return {
        "bar": to_svg(plot_time_shares(spent, legend=False, size=(8.4, 0.35)), "time", "Where the time went"),
        "rows": [
            (TIME_COLOURS[name], name, duration(seconds), f"{seconds / total:.1%}") for name, seconds in spent.items()
        ],
    }


def _receipt_values(run: RunData, receipt: Receipt) -> dict[str, Any]:
    rate, running = receipt.rate_usd_per_hour, run.get("status") == "running"
    attempts = [
        (
            one.number,
            duration(one.seconds),
            f"{dollars_label(one.rate_usd_per_hour)} an hour",
            dollars_label(one.dollars),
            "" if one.ended else "running" if running and one is receipt.attempts[-1] else "killed",
        )
        for one in receipt.attempts
    ]
    facts = {
        "total": f"{dollars_label(receipt.dollars)} in {duration(receipt.seconds)}",
        "rate": None if rate is None else f"{dollars_label(rate)} an hour: {receipt.rate_source or 'no source given'}",
        "budget": None if receipt.budget_usd is None else dollars_label(receipt.budget_usd),
    }
    return {"attempts": attempts, "facts": facts}


def _machine(run: RunData) -> dict[str, Any]:
    places = [run.get(group) for group in ("environment", "machine")]
    return {name: value for place in places for name, value in _facts(place, "").items()}


def _settings(run: RunData) -> dict[str, dict[str, Any]]:
    config = run.get("config")
    if not isinstance(config, Mapping):
        return {}
    config = {**config, "limits": run.get("limits") or {}}
    groups = {
        str(group): {str(key): setting(value) for key, value in values.items()}
        for group, values in config.items()
        if isinstance(values, Mapping)
    }
    single = {str(key): setting(value) for key, value in config.items() if not isinstance(value, Mapping)}
    return {**groups, "other": single}


def _provenance(run: RunData) -> dict[str, Any]:
    facts: dict[str, Any] = {"seed": run.get("seed"), "git commit": run.get("git_commit")}
    for group in ("versions", "data", "tokenizer"):
        facts |= _facts(run.get(group), f"{group} ")
    return facts


def _facts(values: Any, prefix: str) -> dict[str, Any]:
    """Returns names and values as the page shows them; {} if `values` is not a mapping."""
    if not isinstance(values, Mapping):
        return {}
    return {prefix + str(key).replace("_", " "): setting(value) for key, value in values.items()}


def _step(value: Any) -> str:
    step = finite(value)
    return f"{step:,.0f}" if step is not None else "unknown"
