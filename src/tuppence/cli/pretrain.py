"""`tuppence pretrain`: from prepared text to a model that writes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuppence.core import console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    app.command()(pretrain)


def pretrain(
    data: Annotated[Path, typer.Option(help="A folder that 'tuppence data prepare' wrote.")],
    out: Annotated[Path, typer.Option(help="The run folder; the same command again continues it.")],
    config: Annotated[Path | None, typer.Option(help="A recipe, such as configs/tiny.yaml.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE on top of the recipe; repeatable.")] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End after so many optimizer steps.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="End after so many minutes, saving included.")] = None,
    budget: Annotated[float | None, typer.Option(help="Never spend more dollars than this; needs --rate.")] = None,
    rate: Annotated[float, typer.Option(help="What an hour of this machine costs, in dollars.")] = 0.0,
    resume: Annotated[str, typer.Option(help="auto, never, or the folder of a checkpoint.")] = "auto",
    track: Annotated[str, typer.Option(help="none or tensorboard.")] = "none",
    json: Json = False,
) -> None:
    """Train a model on prepared text. Without a limit it sees the text once.

    The run ends at the first of its limits, with a checkpoint saved; a killed one goes on where it was when the
    same command is given again. Several GPUs: torchrun --nproc-per-node N -m tuppence pretrain …

    \b
    Examples:
      tuppence pretrain --data DATA --out RUN --config configs/tiny.yaml --max-minutes 10
      tuppence pretrain --data DATA --out RUN --budget 5 --rate 0.7364 --set train.learning_rate=3e-4
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.core.config import load_config
    from tuppence.cost.ledger import Rate
    from tuppence.tasks.pretrain import PretrainConfig, run_pretraining
    from tuppence.tasks.session import RunOptions, describe_result

    overrides = list(set_ or [])
    if max_steps is not None:
        overrides.append(f"train.max_steps={max_steps}")
    recipe = load_config(PretrainConfig, config, overrides)
    price = Rate(rate, "given by --rate") if rate else Rate()
    options = RunOptions(max_minutes=max_minutes, budget=budget, rate=price, resume=resume, track=track)
    summary = run_pretraining(data, out, recipe, options)
    if not summary:
        return  # another rank speaks
    if json:
        console.emit_json(summary)
    else:
        console.note(describe_result(out, summary, f"tuppence generate {out} --prompt 'Once upon a time'"))
