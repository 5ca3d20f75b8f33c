"""`tuppence pretrain`: from prepared text to a model that writes."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from tuppence.cli import options


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    app.command()(pretrain)


@options.metered
def pretrain(
    data: Annotated[Path, typer.Option(help="A folder that 'tuppence data prepare' wrote.")],
    out: options.Out,
    config: options.Recipe = None,
    set_: options.Set = None,
    max_steps: options.MaxSteps = None,
    max_minutes: options.MaxMinutes = None,
    budget: options.Budget = None,
    rate: options.HourlyRate = 0.0,
    resume: options.Resume = "auto",
    track: options.Track = "none",
    json: options.Json = False,
) -> None:
    """Train a model on prepared text. Without a limit it sees the text once.

    The run ends at the first of its limits, with a checkpoint saved; a killed one goes on where it was when the
    same command is given again. Several GPUs: torchrun --nproc-per-node N -m tuppence pretrain …

    \b
    Examples:
      tuppence pretrain --data DATA --out RUN --config tiny --max-minutes 10
      tuppence pretrain --data DATA --out RUN --budget 5 --rate 0.7364 --set train.learning_rate=3e-4
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.core.config import load_config
    from tuppence.tasks.pretrain import PretrainConfig, run_pretraining

    recipe = load_config(PretrainConfig, config, options.overrides(set_, train__max_steps=max_steps))
    run = options.run_options(max_minutes, budget, rate, resume, track)
    options.train_and_tell(
        lambda: run_pretraining(data, out, recipe, run),
        out,
        json,
        lambda: _next_command(data, out),
    )


def _next_command(data: Path, out: Path) -> str:
    """Lets the model continue the opening of a text of its own kind; empty where the data are gone."""
    from tuppence.core.console import opening
    from tuppence.core.errors import TuppenceError
    from tuppence.tasks.pretrain import held_out_text

    try:
        prompt = opening(held_out_text(data), words=4)
    except (TuppenceError, OSError):
        return ""
    return f"tuppence generate {shlex.quote(str(out))} --prompt {shlex.quote(prompt)}"
