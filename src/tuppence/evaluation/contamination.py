"""Contamination: counts the rows of an evaluation file whose prompts the model was trained on.

A run has the hashes of its training prompts (`data.records.trained_rows`), and so has its base. A pretraining run has
none, because it reads plain text: `tuppence data prepare --evaluation` searches that text. Other model folders have no
hashes either.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tuppence.core import console
from tuppence.core.run import Run
from tuppence.data.records.leaks import prompt_of
from tuppence.data.records.trained_rows import digest_of, read_trained_rows
from tuppence.evaluation.task import Metrics
from tuppence.storage import find_input


def contamination(folder: Path, path: str, rows: Iterable[object]) -> Metrics:
    """Counts the rows whose prompts the model was trained on, and warns if there are any.

    Args:
        folder: of the evaluated model: a run, or its `model` folder.
        path: the file of the rows, for the message.
        rows: rows of any type that `leaks.prompt_of` supports.

    Returns:
        `{"rows_trained_on": count}`. The count is None if it is unknown: no run has hashes, or a base is missing.
    """
    known, lost = _trained_on(folder)
    digests = [digest_of(prompt_of(row)) for row in rows]
    count = sum(digest in known for digest in digests)
    if count:
        console.warn(
            f"{folder} was trained on {count:,} of the {console.counted(len(digests), 'row')} of {path}:"
            " the results on those rows say little about new ones"
        )
    elif known and lost:
        console.warn(f"the base {lost} of {folder} was not found: whether it was trained on {path} is unknown")
    return {"rows_trained_on": None if not known or (lost and not count) else count}


def _trained_on(folder: Path) -> tuple[set[str], str | None]:
    """Returns the hashes of a run and of its bases, and the path of a base that was not found."""
    known: set[str] = set()
    lost: str | None = None
    for run, content in Run.of(folder).lineage(find_input):
        known |= read_trained_rows(run.path)
        named = run.named(content, "base")
        lost = named if named is not None and find_input(run, named) is None else None
    return known, lost
