"""`tuppence quickstart`: every stage of a small model's life, in minutes."""

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
    max_steps: Annotated[int | None, typer.Option(min=1, help="The most steps of each training stage.")] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(metavar="STAGE", help=f"Leave a stage out, and what needs it; repeatable: {', '.join(STAGES)}."),
    ] = None,
    rate: Annotated[float, typer.Option(help="What an hour of this machine costs, in dollars.")] = 0.0,
    json: Json = False,
) -> None:
    """Every stage of a small model's life: about five minutes on two quiet cores, at most twelve on slower ones.

    Makes stories, trains a tokenizer, pretrains a GPT, finetunes it to detect spam and to follow instructions, aligns
    it with preferences, evaluates all models, and writes one page about them: OUT/report.html. Every stage prints the
    command line that does the same. The speed of the machine is measured before every stage: on a slow or busy one,
    stages have fewer rows and steps, and what does not fit is left out and named. After an interruption the same
    command continues with the stages that are not done.

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
