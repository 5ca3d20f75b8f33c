"""`tuppence finetune …`: trains a base model for a task."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli import classify
from tuppence.cli.places import InputFile, add_verb
from tuppence.cli.training import AdapterFlags, Base, FinetuneFlags, training_verb


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    finetune = typer.Typer(help="Train a base model to follow instructions or to classify.", no_args_is_help=True)
    add_verb(finetune, classify.finetune_classify, "classify")
    add_verb(finetune, instruct)
    app.add_typer(finetune, name="finetune")


@training_verb
def instruct(
    base: Base,
    data: Annotated[
        InputFile,
        typer.Option(help="Conversations in the format of Alpaca, Dolly, ShareGPT, messages or prompt-completion."),
    ],
    adapter: AdapterFlags,
    training: FinetuneFlags,
    val: Annotated[InputFile | None, typer.Option(help="Held-out conversations; by default a tenth of --data.")] = None,
) -> None:
    """Finetune a base model to follow instructions.

    The loss covers the responses and the end of text after each. RUN/model is the whole model with its chat template;
    RUN/adapter is the LoRA adapter, which peft opens. RUN/held-out.jsonl has the held-out rows.

    \b
    Examples:
      tuppence finetune instruct --base runs/tiny --data instructions.json --lora 16 --out runs/instruct
      tuppence finetune instruct --base ./gpt2 --data dolly.jsonl.gz --full --epochs 2 --out runs/dolly
    """
    from tuppence.tasks.instruct import InstructRecipe, run_instruct

    recipe = training.recipe(
        InstructRecipe, finetune__full=adapter.full or None, finetune__epochs=training.epochs, lora__rank=adapter.lora
    )
    out, skip = training.out, training.skip_bad_rows
    summary = run_instruct(base, data, out, recipe, training.options(), val=val, skip_bad_rows=skip)
    training.tell(summary, f"tuppence chat {out}")
