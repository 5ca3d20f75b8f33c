"""`tuppence quickstart`: the whole life of a small model, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuppence.cli import options
from tuppence.core import console
from tuppence.quickstart import STAGES


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    app.command()(quickstart)


def quickstart(
    out: Annotated[Path, typer.Option(help="Where to put everything.")] = Path("runs/quickstart"),
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to pretrain.")] = 2.1,
    stories: Annotated[int, typer.Option(min=100, help="How many stories to make.")] = 20_000,
    rows: Annotated[
        int | None, typer.Option(min=100, help="The most messages, tasks and preferences to make; thousands if absent.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End each training stage after so many steps.")] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help=f"Leave a stage out, and what needs it; repeatable: {', '.join(STAGES)}."),
    ] = None,
    rate: options.HourlyRate = 0.0,
    json: options.Json = False,
) -> None:
    """The whole life of a small model: under six minutes on two cores.

    Makes stories, learns a tokenizer, pretrains a GPT, finetunes it to tell spam and to follow instructions, aligns it
    with preferences, evaluates all of that, and tells it on one page: OUT/report.html. Every stage says which command
    line does the same. Stopped at any point, the same command continues; a stage whose result stands is passed over.

    \b
    Examples:
      tuppence quickstart --out runs/quickstart
      tuppence quickstart --minutes 10 --skip spam --out runs/longer
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.cost.ledger import Rate
    from tuppence.quickstart.life import quickstart as run
    from tuppence.quickstart.plan import Plan

    price = Rate(rate, "given by --rate") if rate else Rate()
    results = run(Plan(out, minutes, stories, rows, max_steps, price, frozenset(skip or ())))
    if json:
        console.emit_json(results)
    elif "pretrain" in results:
        console.out(results["pretrain"]["sample"])
