"""The options that every training verb has, and what it does with them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.core import console
from tuppence.core.errors import InputError, Interrupted

if TYPE_CHECKING:
    from tuppence.tasks.job import RunOptions

Base = Annotated[Path, typer.Option(help="The model to start from: a run, or a Hugging Face GPT-2 folder.")]
Out = Annotated[Path, typer.Option(help="The run folder; the same command again continues it.")]
Recipe = Annotated[
    str | None, typer.Option("--config", metavar="RECIPE", help="A YAML file, or a recipe by name, such as gpt2-124m.")
]
Set = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE on top of the recipe; repeatable.")]
SkipBadRows = Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows we cannot use, and count them.")]
Epochs = Annotated[float | None, typer.Option(help="How often to see the rows, where nothing else ends the run.")]
MaxSteps = Annotated[int | None, typer.Option(min=1, help="End after so many optimizer steps.")]
MaxMinutes = Annotated[float | None, typer.Option(help="End after so many minutes, saving included.")]
Budget = Annotated[float | None, typer.Option(help="Never spend more dollars than this; needs --rate.")]
HourlyRate = Annotated[float, typer.Option(help="What an hour of this machine costs, in dollars.")]
Resume = Annotated[str, typer.Option(help="auto, never, or the folder of a checkpoint.")]
Track = Annotated[str, typer.Option(help="none or tensorboard.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


_command_began: float | None = None


def begin() -> None:
    """Notes when the command line began: time and money count from there, imports and all."""
    global _command_began
    _command_began = time.monotonic()


def overrides(given: list[str] | None, **flags: Any) -> list[str]:
    """What stands over the recipe: `--set`, then each flag that was given, by its key ("train__max_steps")."""
    named = [f"{key.replace('__', '.')}={value}" for key, value in flags.items() if value is not None]
    return [*(given or []), *named]


def run_options(max_minutes: float | None, budget: float | None, rate: float, resume: str, track: str) -> RunOptions:
    """What the command line adds to a recipe."""
    from tuppence.cost.ledger import Rate
    from tuppence.tasks.job import RunOptions

    for flag, value in (("--max-minutes", max_minutes), ("--budget", budget), ("--rate", rate)):
        if value is not None and not math.isfinite(value):
            raise InputError(f"{flag} {value} is no limit", f"give a number, or leave {flag} out")
    price = Rate(rate, "given by --rate") if rate else Rate()
    return RunOptions(
        max_minutes=max_minutes, budget=budget, rate=price, resume=resume, track=track, began=_command_began
    )


def train_and_tell(
    train: Callable[[], dict[str, Any]], out: Path, json: bool, example: str | Callable[[], str]
) -> dict[str, Any]:
    """Trains, and tells the end of the run, for people or for programs; nothing on ranks but the first.

    A program learns of a run that a signal ended, too; people have read a line about it.

    Args:
        example: the command that people will want to type next; a function where it needs what the run left.

    Returns:
        What `train` did.
    """
    from tuppence.tasks.record import describe_result

    try:
        summary = train()
    except Interrupted as interruption:
        if json and interruption.summary:
            console.emit_json(interruption.summary)
        raise
    if summary and json:
        console.emit_json(summary)
    elif summary:
        last = example if isinstance(example, str) else example()
        console.note(describe_result(out, summary, last), lines=True)
    return summary
