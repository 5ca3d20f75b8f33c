"""`tuppence evaluate`: how good a model is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tuppence.core import console


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    app.command()(evaluate)


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run, or a Hugging Face GPT-2 folder with its tokenizer.")],
    tasks: Annotated[str, typer.Option(help="Names, separated by commas.")] = "perplexity",
    data: Annotated[
        str | None,
        typer.Option(
            help="DATA (its validation split), a text file, a folder or a glob; the run's own data if absent."
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(min=1, help="Tokens from one window's start to the next; half the context length if absent."),
    ] = None,
    context_length: Annotated[
        int | None, typer.Option(min=1, help="The longest window, in tokens; the model's if absent.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Stop after this many scored tokens.")] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Windows at once; 4,096 tokens' worth if absent.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, mps, cuda or cuda:N.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, bf16, fp16 or float32.")] = "auto",
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Perplexity and bits per byte of a model on a text.

    Every token of the text is scored once, in windows that slide over it; a smaller stride gives each token
    more context and takes longer. Bits per byte compares models of different tokenizers; loss (nats per token)
    and perplexity only those of the same one. The report finds the numbers in RUN/evaluation.json.

    \b
    Examples:
      tuppence evaluate runs/tiny
      tuppence evaluate runs/tiny --data val.txt --stride 128
      tuppence evaluate ./gpt2 --data val.txt --max-tokens 100000 --json
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.evaluation.evaluate import Settings, evaluate

    settings = Settings(
        data=data, context_length=context_length, stride=stride, batch_size=batch_size, max_tokens=max_tokens
    )
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    results = evaluate(run, names, settings, device=device, precision=precision)
    if json:
        console.emit_json(results)
        return
    for task, numbers in results.items():
        typer.echo(task)
        for name, value in numbers.items():
            if value is not None:
                typer.echo(f"  {name.replace('_', ' '):<16}{_shown(value)}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
