from __future__ import annotations

from tuppence.exercises import attempts
from tuppence.exercises.catalog import CATALOG
from tuppence.exercises.progress import overview


def test_solved_exercises_are_marked_and_counted() -> None:
    attempts.record("7/merge", "a", passed=True)
    results = overview()
    assert results.title == f"1 of {len(CATALOG)} exercises are solved"
    assert [result.exercise.key for result in results if result.solved_before] == ["7/merge"]
    assert "✓ merge: chapter 7, 10 minutes" in repr(results)
    assert "○ merge: chapter 2, 10 minutes" in repr(results)
