"""`tuppence report`: a run on one page."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.places import InputRun, OutputFile, add_verb
from tuppence.core import console


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, report)


def report(
    run: Annotated[InputRun, typer.Argument(help="A run: the --out of a training verb, or of the quickstart.")],
    out: Annotated[OutputFile | None, typer.Option(help="The page to write; report.html in the run if absent.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open the page in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Writes RUN/report.html: curves, samples, evaluation, receipt and settings on one page, and prints its path.

    The page is complete in itself: it needs no network, and can be mailed or kept. A run that is still training, or
    was killed, can be reported too.

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
    path = write(folder, out)
    if json:
        console.emit_json({"report": str(path)})
    else:
        console.out(str(path))
    if show:
        import webbrowser

        webbrowser.open(path.resolve().as_uri())
