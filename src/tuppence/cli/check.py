"""`tuppence check`: grades a learner's own functions."""

from __future__ import annotations

from pathlib import Path
from time import sleep as pause
from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli.flags import Json
from tuppence.cli.places import InputFile, add_verb
from tuppence.core import console
from tuppence.core.errors import InputError

if TYPE_CHECKING:
    from tuppence.exercises.result import Results

MODULE = "my.py"
UNSOLVED = 3
"""Exit code if an exercise is not solved: 1 means a bug in tuppence, 2 a wrong input."""

_WATCH_SECONDS = 0.5
_COLOURS = {"✓": "green", "✗": "red"}


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, check)


def check(
    what: Annotated[
        str | None, typer.Argument(help="A chapter (3) or an exercise (attention); all by default.")
    ] = None,
    module: Annotated[
        InputFile | None, typer.Option(help=f"Python file with your functions; {MODULE} if there is one.")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Check again whenever the file changes; Ctrl-C ends it.")
    ] = False,
    stubs: Annotated[bool, typer.Option("--stubs", help="Print empty functions to fill in.")] = False,
    seed: Annotated[int | None, typer.Option(help="Repeat a check with its random inputs.")] = None,
    json: Json = False,
) -> None:
    """Grade your own implementation.

    Each exercise of the course is a function to write. Its properties are tried on your function, with the smallest
    inputs first. You see the first input where one fails, what your function gave, and a hint; after three tries a
    second hint. Your code runs in a process of its own, with 20 seconds and 2 GiB for each property and no network.

    Without a chapter, an exercise or a file, the exercises are listed. The exit code is 3 if an exercise is not solved,
    and 2 if there is no file with your functions.

    \b
    Examples:
      tuppence check
      tuppence check 3 --stubs > my.py
      tuppence check 3
      tuppence check attention --module my.py --watch
    """
    from tuppence import exercises
    from tuppence.exercises import catalog, finding
    from tuppence.storage import stage

    if what is not None:
        catalog.by_what(catalog.CATALOG, what)  # a wrong name is an error at once: torch takes seconds
    if stubs:
        console.out(exercises.stubs(what), end="")
        return
    if what is None and module is None and not watch:
        _show(exercises.overview(), json)
        return
    if module is None and not Path(MODULE).is_file():
        asked = "" if what is None else f" {what}"
        raise InputError(
            f"there is no file with your functions: no --module, and no {MODULE} here",
            f"give yours with --module FILE, or begin one: tuppence check{asked} --stubs > {MODULE}",
        )
    file = stage(module or MODULE)
    finding.require_python(file)
    results = _check(what, file, seed, json)
    if watch:
        _watch(what, file, seed, json)
    raise typer.Exit(0 if results.passed else UNSOLVED)


def _check(what: str | None, module: Path, seed: int | None, json: bool) -> Results:
    from tuppence import exercises

    results = exercises.check_file(what, module, seed=seed)
    _show(results, json)
    return results


def _watch(what: str | None, module: Path, seed: int | None, json: bool) -> None:
    changed = _changed(module)
    while True:
        pause(_WATCH_SECONDS)
        now = _changed(module)
        if now not in (changed, None):
            changed = now
            console.note(f"{module} has changed")
            _check(what, module, seed, json)


def _changed(module: Path) -> tuple[int, int] | None:
    """Time and size of a file; None while an editor replaces it."""
    try:
        facts = module.stat()
    except OSError:
        return None
    return facts.st_mtime_ns, facts.st_size


def _show(results: Results, json: bool) -> None:
    if json:
        rows = [result.as_json() for result in results]
        console.emit_json({"passed": sum(result.passed for result in results), "total": len(rows), "exercises": rows})
        return
    for line in repr(results).splitlines():
        typer.secho(line[:1], nl=False, fg=_COLOURS.get(line[:1]))
        console.out(line[1:])
