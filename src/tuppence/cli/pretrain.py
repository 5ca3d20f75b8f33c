"""`tuppence pretrain`: trains a language model on prepared text."""

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
    data: Annotated[InputFolder, typer.Option(help="Folder of token shards, written by 'tuppence data prepare'.")],
    training: TrainingFlags,
) -> None:
    """Train a language model on prepared text. Without a limit, one pass over the text.

    The run ends at the first of its limits and saves a checkpoint. If it is killed, the same command continues it. For
    several GPUs: torchrun --nproc-per-node N -m tuppence pretrain …

    \b
    Examples:
      tuppence pretrain --data DATA --out RUN --config tiny --max-minutes 10
      tuppence pretrain --data DATA --out RUN --budget 5 --rate ml.g4dn.xlarge --set train.learning_rate=3e-4
    """
    from tuppence.tasks.pretrain import PretrainRecipe, run_pretraining

    recipe, out = training.recipe(PretrainRecipe), training.out
    training.tell(run_pretraining(data, out, recipe, training.options()), lambda: _next_command(data, out))


def _next_command(data: str, out: str) -> str:
    """Returns a command that continues the opening of a held-out text; empty if the data are gone."""
    from tuppence.core.console import opening
    from tuppence.core.errors import TuppenceError
    from tuppence.tasks.pretrain import held_out_text

    try:
        prompt = opening(held_out_text(data), words=4)
    except (TuppenceError, OSError):
        return ""
    return f"tuppence generate {shlex.quote(out)} --prompt {shlex.quote(prompt)}"
