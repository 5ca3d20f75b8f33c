"""`tuppence pretrain`: from prepared text to a model that writes."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from tuppence.cli.places import InputFolder, add_verb
from tuppence.cli.training import TrainingFlags, training_verb


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, pretrain)


@training_verb
def pretrain(
    data: Annotated[InputFolder, typer.Option(help="A folder that 'tuppence data prepare' wrote.")],
    training: TrainingFlags,
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
    from tuppence.tasks.pretrain import PretrainRecipe, run_pretraining

    recipe, options, out = training.recipe(PretrainRecipe), training.options(), training.out
    training.carry_out(lambda: run_pretraining(data, out, recipe, options), lambda: _next_command(data, out))


def _next_command(data: str, out: str) -> str:
    """Lets the model continue the opening of a text of its own kind; empty where the data are gone."""
    from tuppence.core.console import opening
    from tuppence.core.errors import TuppenceError
    from tuppence.tasks.pretrain import held_out_text

    try:
        prompt = opening(held_out_text(data), words=4)
    except (TuppenceError, OSError):
        return ""
    return f"tuppence generate {shlex.quote(out)} --prompt {shlex.quote(prompt)}"
