"""`tuppence quickstart`: the whole life of a small model, in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tuppence.core import console


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    app.command()(quickstart)


def quickstart(
    out: Annotated[Path, typer.Option(help="Where to put everything.")] = Path("runs/quickstart"),
    minutes: Annotated[float, typer.Option(min=0.05, help="How long to pretrain.")] = 2.5,
    stories: Annotated[int, typer.Option(min=100, help="How many stories to make.")] = 20_000,
    max_steps: Annotated[int | None, typer.Option(min=1, help="End pretraining after so many steps, too.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Make stories, learn a tokenizer, pretrain a GPT, read what it writes: under five minutes on two cores.

    Stopped at any point, the same command continues.

    \b
    Example:
      tuppence quickstart --out runs/quickstart
    """
    from tuppence.core.memory import keep_freed_memory

    keep_freed_memory()
    from tuppence.quickstart import quickstart as run

    results = run(out, minutes=minutes, stories=stories, max_steps=max_steps)
    if json:
        console.emit_json(results)
    else:
        typer.echo(results["report"]["sample"])
