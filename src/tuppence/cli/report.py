"""`tuppence report`: writes a report of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.flags import Json
from tuppence.cli.places import InputRun, OutputFile, add_verb
from tuppence.core import console


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, report)


def report(
    run: Annotated[InputRun, typer.Argument(help="A run: the --out of a training verb or of quickstart.")],
    out: Annotated[OutputFile | None, typer.Option(help="Page to write; by default report.html in the run.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    live: Annotated[
        bool, typer.Option(help="Make a language model of up to 3M parameters part of the page, and run it there.")
    ] = True,
    json: Json = False,
) -> None:
    """Write a report of a run: one HTML page.

    RUN/report.html has curves, samples, evaluation, receipt and settings; its path is printed. The page needs no
    network. A small language model is part of it: you can write with it. The run can be finished, killed or still
    training.

    \b
    Examples:
      tuppence report runs/tiny
      tuppence report runs/tiny --open
    """
    from tuppence.figures.quickstart_report.data import LifeState
    from tuppence.figures.quickstart_report.page import write_quickstart_report
    from tuppence.figures.report.page import write_report
    from tuppence.storage import stage_run

    folder = stage_run(run)
    write = write_quickstart_report if LifeState.exists(folder) else write_report
    path = write(folder, out, live=live)
    if json:
        console.emit_json({"report": str(path)})
    else:
        console.out(str(path))
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
