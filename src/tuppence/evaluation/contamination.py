"""Contamination: counts the rows of an evaluation file whose prompts the model was trained on.

A run keeps hashes of the prompts it was trained on (`data.records.trained_rows`), and so does the run it started from.
Pretraining reads text and keeps none: `tuppence data prepare --evaluation` searches the text. A folder that is not a
run keeps none either.
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
    """Warns where some of the rows were trained on.

    Args:
        folder: of the model that is asked: a run, or its `model` folder.
        path: of the rows' file, for the message.
        rows: anything that `leaks.prompt_of` knows.

    Returns:
        {"rows_trained_on": how many}; None where no run says what it was trained on, or one of them is gone.
    """
    known, lost = _trained_on(folder)
    digests = [digest_of(prompt_of(row)) for row in rows]
    count = sum(digest in known for digest in digests)
    if count:
        console.warn(
            f"{folder} was trained on {count:,} of the {console.counted(len(digests), 'row')} of {path}:"
            " what it answers there says little of new ones"
        )
    elif known and lost:
        console.warn(f"{lost}, which {folder} comes from, is not here: whether it was trained on {path} is not known")
    return {"rows_trained_on": None if not known or (lost and not count) else count}


def _trained_on(folder: Path) -> tuple[set[str], str | None]:
    """The digests of a run and of those that it comes from; and the base that is not to be found, if there is one."""
    known: set[str] = set()
    lost: str | None = None
    for run, record in Run.of(folder).lineage(find_input):
        known |= read_trained_rows(run.path)
        named = run.named(record, "base")
        lost = named if named is not None and find_input(run, named) is None else None
    return known, lost
