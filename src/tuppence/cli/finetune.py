"""`tuppence finetune …`: a base model learns a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuppence.cli import classify, options


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    finetune = typer.Typer(help="Teach a base model to answer, or to classify.", no_args_is_help=True)
    finetune.command("classify")(classify.finetune_classify)
    finetune.command()(instruct)
    app.add_typer(finetune, name="finetune")


@options.metered
def instruct(
    base: options.Base,
    data: Annotated[Path, typer.Option(help="Conversations: Alpaca, Dolly, ShareGPT, messages, prompt-completion.")],
    out: options.Out,
    val: Annotated[Path | None, typer.Option(help="Held-out conversations; a tenth of --data if absent.")] = None,
    lora: Annotated[int | None, typer.Option(min=1, help="Train an adapter of this rank; 16 if absent.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Train every weight instead.")] = False,
    skip_bad_rows: options.SkipBadRows = False,
    epochs: options.Epochs = None,
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
    """Teach a base model to follow instructions.

    The loss falls on the responses and on the end behind each. RUN/model is the whole model, ready for use and with
    the chat template beside it; RUN/adapter is the LoRA adapter, which peft opens. What was held out stands in
    RUN/held-out.jsonl.

    \b
    Examples:
      tuppence finetune instruct --base runs/tiny --data instructions.json --lora 16 --out runs/instruct
      tuppence finetune instruct --base ./gpt2 --data dolly.jsonl.gz --full --epochs 2 --out runs/dolly
    """
    from tuppence.core.errors import InputError

    if full and lora is not None:
        raise InputError("--full and --lora exclude each other", "train an adapter, or every weight")
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory(large_pages=False)
    from tuppence.core.config import load_config
    from tuppence.tasks.instruct import InstructConfig, run_instruct

    over = options.overrides(
        set_,
        finetune__full=True if full else None,
        finetune__epochs=epochs,
        lora__rank=lora,
        train__max_steps=max_steps,
    )
    recipe = load_config(InstructConfig, config, over)
    run = options.run_options(max_minutes, budget, rate, resume, track)
    options.train_and_tell(
        lambda: run_instruct(base, data, out, recipe, run, val=val, skip_bad_rows=skip_bad_rows),
        out,
        json,
        f"tuppence chat {out}",
    )
