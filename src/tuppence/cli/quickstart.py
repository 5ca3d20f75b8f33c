"""`tuppence quickstart`: all stages of a small model's life, in minutes."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.flags import NO_RATE, HourlyRate, Json
from tuppence.cli.places import OutputFolder, add_verb
from tuppence.core import console
from tuppence.quickstart import STAGES


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, quickstart)


def quickstart(
    out: Annotated[OutputFolder, typer.Option(help="Folder for all results.")] = "runs/quickstart",
    minutes: Annotated[
        float | None,
        typer.Option(min=0.05, help="Minutes of pretraining; by default what fits into five minutes in all."),
    ] = None,
    stories: Annotated[int | None, typer.Option(min=100, help="Number of stories; by default up to 20,000.")] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=100, help="Largest number of messages, tasks and preferences; by default some thousands."),
    ] = None,
    max_steps: Annotated[
        int | None, typer.Option(min=1, help="Largest number of steps of each training stage.")
    ] = None,
    skip: Annotated[
        list[str] | None,
        typer.Option(
            metavar="STAGE", help=f"Skip a stage and all stages that need it. Repeatable. Stages: {', '.join(STAGES)}."
        ),
    ] = None,
    rate: HourlyRate = NO_RATE,
    json: Json = False,
) -> None:
    """Run all stages of a small model's life in minutes.

    Takes about five minutes on two quiet cores, at most twelve on slower ones. Makes stories, trains a tokenizer,
    pretrains a GPT, finetunes it to detect spam and to follow instructions, aligns it with preferences, evaluates all
    models, and writes a report: OUT/report.html. Every stage prints the command line that does the same. The speed of
    the machine is measured before every stage. On a slow or busy machine, stages have fewer rows and steps; a stage
    that does not fit is skipped, with a message. After an interruption the same command continues with the stages that
    are not done.

    \b
    Examples:
      tuppence quickstart --out runs/quickstart
      tuppence quickstart --minutes 10 --skip spam --out runs/longer
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.quickstart.life import quickstart as run
    from tuppence.quickstart.plan import Plan
    from tuppence.storage import output_path

    results = run(Plan(output_path(out), minutes, stories, rows, max_steps, rate, frozenset(skip or ())))
    if json:
        console.emit_json(results)
    elif "pretrain" in results:
        console.out(results["pretrain"]["sample"])
