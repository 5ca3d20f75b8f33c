"""`tuppence export`: a model for other programs, or live in a page."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.flags import Json
from tuppence.cli.places import InputRun, OutputFolder, add_verb
from tuppence.core import console


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, export)


def export(
    run: Annotated[InputRun, typer.Argument(help="A run, a Hugging Face GPT-2 folder or an adapter folder.")],
    to: Annotated[
        str,
        typer.Option(
            metavar="TARGET",
            help="page: one HTML file in which the model runs; hf: a Hugging Face folder; peft: the adapter.",
        ),
    ],
    out: Annotated[
        OutputFolder,
        typer.Option(metavar="PATH", help="Folder to write; for a page also a file that ends with .html."),
    ],
    beside: Annotated[
        InputRun | None, typer.Option(help="A second model in the page, such as the base of an aligned one.")
    ] = None,
    json: Json = False,
) -> None:
    """Write a model as one page, or as a folder that other programs open.

    A page has the model in int8, its tokenizer and a GPT in JavaScript: it is opened from the disk and needs no server
    and no network. You can write with the model, see what each attention head looked at, and choose another token to
    go on from there. A page can have a model of up to 60M parameters. hf copies RUN/model, or merges an adapter folder
    with its base; peft copies the adapter.

    \b
    Examples:
      tuppence export runs/tiny --to page --out tiny.html
      tuppence export runs/dpo --to page --beside runs/tiny --out pages/aligned
      tuppence export runs/chat --to hf --out chat-model
    """
    from tuppence.figures.export import export as write

    path = write(run, to, out, beside=beside)
    size = sum(one.stat().st_size for one in ([path] if path.is_file() else path.iterdir()))
    if json:
        console.emit_json({"path": str(path), "bytes": size})
        return
    console.note(f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB")
    console.out(str(path))
