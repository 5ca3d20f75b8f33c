"""`tuppence quickstart`: the whole life of a small model, in minutes."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.places import OutputFolder, add_verb
from tuppence.cli.training import Json
from tuppence.core import console
from tuppence.quickstart import STAGES


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, quickstart)


def quickstart(
    out: Annotated[OutputFolder, typer.Option(help="Where to put everything.")] = "runs/quickstart",
    minutes: Annotated[
        float | None, typer.Option(min=0.05, help="How long to pretrain; what fits into five minutes if absent.")
    ] = None,
    stories: Annotated[
        int | None, typer.Option(min=100, help="How many stories to make; up to 20,000 if absent.")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(min=100, help="The most messages, tasks and preferences to make; thousands if absent.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End each training stage after so many steps.")] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help=f"Leave a stage out, and what needs it; repeatable: {', '.join(STAGES)}."),
    ] = None,
    rate: Annotated[float, typer.Option(help="What an hour of this machine costs, in dollars.")] = 0.0,
    json: Json = False,
) -> None:
    """The whole life of a small model: about five minutes on two quiet cores, at most ten on slower ones.

    Makes stories, learns a tokenizer, pretrains a GPT, finetunes it to tell spam and to follow instructions, aligns it
    with preferences, evaluates all of that, and tells it on one page: OUT/report.html. Every stage says which command
    line does the same. It measures the machine before it starts and again before every stage: where other programs use
    the cores, stages have fewer rows and steps, and what does not fit is left out and named. Stopped at any point, the
    same command continues; a stage whose result stands is passed over.

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
    from tuppence.storage import output_path

    price = Rate(rate, "given by --rate") if rate else Rate()
    results = run(Plan(output_path(out), minutes, stories, rows, max_steps, price, frozenset(skip or ())))
    if json:
        console.emit_json(results)
    elif "pretrain" in results:
        console.out(results["pretrain"]["sample"])
