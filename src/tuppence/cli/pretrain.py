"""`tuppence pretrain`: from prepared text to a model that writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuppence.cli import options


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    app.command()(pretrain)


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
        f"tuppence generate {out} --prompt 'Once upon a time'",
    )
