"""All exercises with what is solved, as `tuppence check` and `tp.check()` list them. It needs no torch."""

from __future__ import annotations

from tuppence.exercises import attempts
from tuppence.exercises.catalog import CATALOG
from tuppence.exercises.result import Result, Results


def overview() -> Results:
    """All exercises, with what is solved."""
    solved = attempts.solved()
    count = sum(entry.key in solved for entry in CATALOG)
    results = tuple(
        Result(
            entry,
            "passed" if entry.key in solved else "not written",
            f"chapter {entry.chapter}, {entry.minutes} minutes",
            solved_before=entry.key in solved,
        )
        for entry in CATALOG
    )
    return Results(results, title=f"{count} of {len(CATALOG)} exercises are solved")
