"""What is at the output of a job already: a run, and what its earlier attempts have cost."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from tuppence.core.config import CONFIG_LIMIT_BYTES
from tuppence.core.run import Run
from tuppence.cost.ledger import Attempt, read_attempts
from tuppence.storage import open_store

_RUN = Run(Path())


def found_at(output: str) -> str:
    """What is at an output already: a run that the job continues, or one that is done."""
    store = open_store(output)
    if store.describe(_RUN.run_file.name) is None:
        return ""
    with store.open(_RUN.run_file.name) as stream:
        content = yaml.safe_load(stream.read(CONFIG_LIMIT_BYTES))
    status = content.get("status") if isinstance(content, dict) else None
    if status != "done":
        return ", where a run is: the job continues it"
    return f", where a run is done: it {content.get('ended_because')}; only a larger limit continues it"


def spent_at(output: str) -> float:
    """Dollars that all earlier attempts at a run have cost, from its ledger."""
    return sum(attempt.dollars for attempt in attempts_at(output))


def attempts_at(output: str) -> list[Attempt]:
    """The attempts in the ledger of a run; none if it has no ledger yet."""
    store = open_store(output)
    name = _RUN.ledger_file.name
    if store.describe(name) is None:
        return []
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary) / name
        with store.open(name) as stream:
            copy.write_bytes(stream.read())
        return read_attempts(copy)
