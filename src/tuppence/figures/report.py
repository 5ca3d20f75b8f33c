"""`tuppence report`: a run on one page, complete in itself.

RUN/report.html has the headline numbers, the curves, what the model wrote, the evaluation, the receipt, the settings
and what it takes to make the run again. It asks no other host for anything, so it can be mailed, archived and opened
without a network. It can be written at any time: of a run that goes on it shows the state of this moment.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuppence import __version__
from tuppence.core import files
from tuppence.core.console import warn
from tuppence.core.run import Run
from tuppence.figures import classification_page, curves, page, receipt
from tuppence.figures.record import RunRecord, finite, last, read_run, series
from tuppence.figures.style import SMALL, dollars_label
from tuppence.figures.svg import to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_SAMPLES = 24
"""Samples beyond this many are thinned out evenly: the first and the last always stay."""

_STATUS_CLASSES = ("done", "running", "stopped", "failed")


def write_report(run: str | Path) -> Path:
    """Writes RUN/report.html and returns its path; warns of what could not be shown.

    Raises:
        InputError: `run` is not a run folder.
        MissingExtraError: matplotlib is not installed.
    """
    record = read_run(run)
    for problem in record.problems:
        warn(problem)
    target = Run(record.folder).report_file
    files.write_text(target, render(record))
    return target


def render(run: RunRecord) -> str:
    """The page as HTML; everything that comes from the run is escaped."""
    name = run.folder.resolve().name
    body = [
        _header(run, name),
        page.tiles(_headline(run)),
        page.section("Curves", *_curves(run)),
        page.section("What it wrote", *_samples(run)),
        page.section("Evaluation", *_evaluation(run)),
        page.section("Receipt", *_receipt(run)),
        page.section("Where it ran", *_machine(run)),
        page.section("Settings", *_settings(run)),
        page.section("To make it again", *_provenance(run)),
        _footer(run),
    ]
    return page.page(f"{name} · tuppence", "\n".join(piece for piece in body if piece))


def _header(run: RunRecord, name: str) -> str:
    status = str(run.get("status") or "unknown")
    badge = status if status in _STATUS_CLASSES else "muted"
    ended = run.get("ended_because")
    parameters = run.number("parameters")
    size = f"{_number(parameters)} parameters" if parameters else ""
    started, finished = run.get("started"), run.get("ended")
    when = " → ".join(_moment(moment) for moment in (started, finished) if moment)
    line = " · ".join(page.text(piece) for piece in (run.get("verb"), size, ended, when) if piece)
    step, because = run.number("result", "model_step"), run.get("result", "model_because")
    chosen = f"the model has the weights of step {step:,.0f}: {because}" if step is not None and because else ""
    model = f'<p class="muted">{page.text(chosen)}</p>' if chosen else ""
    return (
        f"<header><h1>{page.text(name)}</h1>"
        f'<p><span class="badge {badge}">{page.text(status)}</span> <span class="muted">{line}</span></p>'
        f"{model}</header>"
    )


def _headline(run: RunRecord) -> Iterator[tuple[str, str]]:
    """(label, number) of what a person asks first; only what is known."""
    steps, losses = series(run.metrics, "val_loss")
    best = min(losses) if losses else run.number("result", "best_val_loss")
    if best is not None:
        at = run.number("result", "best_step") or (steps[losses.index(best)] if losses else None)
        yield f"best validation loss{f', step {at:,.0f}' if at is not None else ''}", f"{best:.3f}"
        if not _classifies(run):
            yield "perplexity at that loss", _number(math.exp(min(best, 700)))
    elif (loss := last(run.metrics, "loss")) is not None:
        yield "training loss", f"{loss:.3f}"
    classes = run.evaluation.get("classification")
    if isinstance(classes, Mapping):
        yield from classification_page.headline(classes)
    score = run.evaluation.get("perplexity")
    bits = finite(score.get("bits_per_byte")) if isinstance(score, Mapping) else None
    if bits is not None:
        yield "bits per byte", f"{bits:.3f}"
    tokens = run.number("result", "tokens") or last(run.metrics, "tokens")
    if tokens is not None:
        yield "tokens trained", _number(tokens)
    speed = run.number("result", "tokens_per_second") or last(run.metrics, "tokens_per_second")
    if speed is not None:
        share = run.number("result", "mfu") or last(run.metrics, "mfu")
        yield f"tokens per second{f', MFU {share:.0%}' if share else ''}", f"{speed:,.0f}"
    bill = receipt.read_receipt(run)
    if bill.attempts:
        yield "wall time", duration(bill.seconds)
        if bill.dollars:
            yield "dollars", dollars_label(bill.dollars)


def _curves(run: RunRecord) -> Iterator[str]:
    label = "Training and validation loss by step"
    unit = "nats per text" if _classifies(run) else "nats per token"
    wide = _picture(curves.loss_curve(run.metrics, unit=unit), "loss", label)
    narrow = _picture(curves.loss_curve(run.metrics, size=(SMALL[0], 3.2), unit=unit), "loss-narrow", label)
    yield page.card(page.responsive(wide, narrow))
    yield page.pair(
        page.card(_picture(curves.learning_rate_curve(run.metrics), "rate", "Learning rate by step")),
        page.card(_picture(curves.gradient_norm_curve(run.metrics), "norm", "Gradient norm by step")),
        page.card(_picture(curves.throughput_curve(run.metrics), "speed", "Trained tokens per second by step")),
        page.card(_picture(receipt.dollars_curve(run), "dollars", "Dollars spent by time")),
    )


def _samples(run: RunRecord) -> Iterator[str]:
    rows = [row for row in run.samples if row.get("text")]
    if not rows:
        return
    final_step = rows[-1].get("step")
    for row in rows:
        if row.get("step") == final_step:
            yield page.sample(*_split(row))
    yield f'<p class="muted">written at step {page.text(_step(final_step))}</p>'
    earlier = [row for row in rows if row.get("step") != final_step]
    if len(earlier) > SHOWN_SAMPLES:
        stride = (len(earlier) - 1) / (SHOWN_SAMPLES - 1)
        earlier = [earlier[round(index * stride)] for index in range(SHOWN_SAMPLES)]
    pieces = [f"<h3>step {page.text(_step(row.get('step')))}</h3>{page.sample(*_split(row))}" for row in earlier]
    yield page.details("While it was learning", *pieces)


def _split(row: Mapping[str, Any]) -> tuple[str, str]:
    """A sample's prompt and what the model added; the text may or may not repeat the prompt."""
    prompt, text = str(row.get("prompt") or ""), str(row.get("text"))
    return prompt, text.removeprefix(prompt)


def _evaluation(run: RunRecord) -> Iterator[str]:
    for task, numbers in run.evaluation.items():
        if not isinstance(numbers, Mapping):
            continue
        if task == "classification":
            with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):  # a file that somebody edited
                yield "".join(classification_page.cards(numbers))
        else:
            rows = {str(key).replace("_", " "): _shown(value) for key, value in numbers.items()}
            yield page.card(page.facts(rows), title=str(task))


def _classifies(run: RunRecord) -> bool:
    """Whether the loss is nats per text, and no perplexity."""
    return str(run.get("verb")) == "finetune classify"


def _receipt(run: RunRecord) -> Iterator[str]:
    bill = receipt.read_receipt(run)
    spent = receipt.time_spent(run)
    total = sum(spent.values())
    yield page.card(
        _picture(receipt.time_bar(spent, (8.4, 0.35), legend=False), "time", "Where the time went"),
        page.legend(
            (receipt.TIME_COLOURS[name], name, duration(seconds), f"{seconds / total:.1%}")
            for name, seconds in spent.items()
        ),
        title="Where the time went",
    )
    if not bill.attempts:
        return
    rate, running = bill.dollars_per_hour, run.get("status") == "running"
    yield page.card(
        page.table(
            ("attempt", "wall time", "rate", "dollars", ""),
            [
                (
                    one.number,
                    duration(one.seconds),
                    f"{dollars_label(one.dollars_per_hour)} an hour",
                    dollars_label(one.dollars),
                    "" if one.ended else "going on" if running and one is bill.attempts[-1] else "killed",
                )
                for one in bill.attempts
            ],
        ),
        page.facts(
            {
                "total": f"{dollars_label(bill.dollars)} in {duration(bill.seconds)}",
                "rate": None
                if rate is None
                else f"{dollars_label(rate)} an hour: {bill.rate_source or 'no source given'}",
                "cap": None if bill.cap is None else dollars_label(bill.cap),
            }
        ),
        title="Dollars",
    )


def _machine(run: RunRecord) -> Iterator[str]:
    places = [run.get(group) for group in ("environment", "machine")]
    environment = {key: value for place in places if isinstance(place, Mapping) for key, value in place.items()}
    if environment:
        yield page.card(page.facts({str(key).replace("_", " "): _shown(value) for key, value in environment.items()}))


def _settings(run: RunRecord) -> Iterator[str]:
    config = run.get("config")
    if not isinstance(config, Mapping):
        return
    config = {**config, "limits": run.get("limits") or {}}
    groups = {str(key): value for key, value in config.items() if isinstance(value, Mapping)}
    single = {str(key): _shown(value) for key, value in config.items() if not isinstance(value, Mapping)}
    for title, group in groups.items():
        yield page.details(title, page.facts({str(key): _shown(value) for key, value in group.items()}))
    yield page.details("other", page.facts(single))


def _provenance(run: RunRecord) -> Iterator[str]:
    rows: dict[str, Any] = {"seed": run.get("seed"), "git commit": run.get("git_commit")}
    for group in ("versions", "data", "tokenizer"):
        content = run.get(group)
        if isinstance(content, Mapping):
            rows |= {f"{group} {str(key).replace('_', ' ')}": _shown(value) for key, value in content.items()}
    yield page.card(page.facts({name: value for name, value in rows.items() if value is not None}))


def _footer(run: RunRecord) -> str:
    problems = "".join(f"<p>{page.text(problem)}</p>" for problem in run.problems)
    return f"<footer>{problems}<p>written by tuppence {page.text(__version__)}</p></footer>"


def _picture(figure: Figure | None, name: str, label: str) -> str:
    return to_svg(figure, name, label) if figure is not None else ""


def duration(seconds: float) -> str:
    """Seconds as people say them.

    Example:
        >>> [duration(value) for value in (0.4, 42, 605, 7322)]
        ['0.4 s', '42 s', '10 min 5 s', '2 h 2 min']
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _moment(value: Any) -> str:
    """An ISO time to the minute: 2026-01-05 10:00 UTC; anything else as it is."""
    found = re.match(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(Z|\+00:00)?", str(value))
    return f"{found[1]} {found[2]}{' UTC' if found[3] else ''}" if found else str(value)


def _number(value: float) -> str:
    """Large counts short, small ones in full: 1.52M, 12,345, 158.2."""
    if value >= 1e6:
        return f"{value / 1e9:.2f}B" if value >= 1e9 else f"{value / 1e6:.2f}M"
    return f"{value:,.0f}" if value >= 1000 or float(value).is_integer() else f"{value:,.1f}"


def _step(value: Any) -> str:
    number = finite(value)
    return f"{number:,.0f}" if number is not None else "unknown"


def _shown(value: Any) -> Any:
    """A setting as a person reads it."""
    if value is None or isinstance(value, bool):
        return {None: None, True: "yes", False: "no"}[value]
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(_shown(item)) for item in value)
    return str(value)
