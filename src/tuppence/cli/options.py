"""The options that every training verb has, and what it does with them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.core import console
from tuppence.core.errors import InputError, Interrupted
from tuppence.core.process import process_began

if TYPE_CHECKING:
    from tuppence.cost.ledger import Ledger, Rate
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
_is_the_program = False
_ledger: Ledger | None = None


def begin(*, is_the_program: bool = False) -> None:
    """Notes when the command line began: time and money count from there, imports and all.

    Args:
        is_the_program: whether the process does nothing else; what it took to start up is then on the bill too.
    """
    global _command_began, _is_the_program
    _is_the_program = is_the_program
    _command_began = process_began() if is_the_program else time.monotonic()


def metered(verb: Callable[..., None]) -> Callable[..., None]:
    """Decorates a training verb: its bill is opened before anything heavy is imported, where there is a budget.

    A run whose money is gone says so, and nothing else happens. Ranks other than 0 keep no books.
    """

    @wraps(verb)
    def with_bill(**arguments: Any) -> None:
        budget, rate = arguments["budget"], arguments["rate"]
        several = os.environ.get("WORLD_SIZE", "") not in ("", "1")
        if budget is None or (several and os.environ.get("RANK", "0") != "0"):
            return verb(**arguments)
        from tuppence.core.run import Run
        from tuppence.cost.limits import Limits
        from tuppence.tasks.bill import money_is_gone, open_bill, settle_run_file, summary_of

        global _ledger
        run, price = Run(arguments["out"]), _price(rate)
        _require_finite(arguments["max_minutes"], budget, rate)
        Limits(max_dollars=budget, dollars_per_hour=rate)
        gone = money_is_gone(run, price, budget)
        if gone is not None and several:
            return verb(**arguments)  # all ranks leave together, in `session`
        if gone is not None:
            release = run.claim()
            try:
                record = settle_run_file(run)
            finally:
                release()
            console.note(gone)
            if arguments["json"]:
                console.emit_json(summary_of(record))
            return None
        with open_bill(run, price, budget, began=_command_began, whole_process=_is_the_program) as ledger:
            try:
                _ledger = ledger
                return verb(**arguments)
            finally:
                _ledger = None

    return with_bill


def overrides(given: list[str] | None, **flags: Any) -> list[str]:
    """What stands over the recipe: `--set`, then each flag that was given, by its key ("train__max_steps")."""
    named = [f"{key.replace('__', '.')}={value}" for key, value in flags.items() if value is not None]
    return [*(given or []), *named]


def run_options(max_minutes: float | None, budget: float | None, rate: float, resume: str, track: str) -> RunOptions:
    """What the command line adds to a recipe."""
    from tuppence.tasks.job import RunOptions

    _require_finite(max_minutes, budget, rate)
    return RunOptions(
        max_minutes=max_minutes,
        budget=budget,
        rate=_price(rate),
        resume=resume,
        track=track,
        began=_command_began,
        ledger=_ledger,
        whole_process=_is_the_program,
    )


def _require_finite(max_minutes: float | None, budget: float | None, rate: float) -> None:
    for flag, value in (("--max-minutes", max_minutes), ("--budget", budget), ("--rate", rate)):
        if value is not None and not math.isfinite(value):
            raise InputError(f"{flag} {value} is no limit", f"give a number, or leave {flag} out")


def _price(rate: float) -> Rate:
    from tuppence.cost.ledger import Rate

    return Rate(rate, "given by --rate") if rate else Rate()


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
    from tuppence.tasks.run_file import describe_result

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
