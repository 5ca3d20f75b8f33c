"""Tries are counted once for each version of a function, and a damaged file is no error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuppence.exercises import attempts


def test_the_same_code_is_one_try_and_a_solution_begins_again() -> None:
    versions = [("a", False, 1), ("a", False, 1), ("b", False, 2), ("a", False, 3), ("c", True, 0), ("a", False, 1)]
    assert [attempts.record("3/attention", digest, passed=passed) for digest, passed, _ in versions] == [
        tries for _, _, tries in versions
    ]
    assert attempts.solved() == {"3/attention"}


def test_a_function_without_code_counts_every_time() -> None:
    assert [attempts.record("3/attention", "", passed=False) for _ in range(3)] == [1, 2, 3]


def test_exercises_are_counted_apart() -> None:
    attempts.record("2/merge", "a", passed=True)
    assert attempts.record("7/merge", "a", passed=False) == 1
    assert attempts.solved() == {"2/merge"}


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{", '{"3/attention": 5}', '{"3/attention": {"failed": "x"}}', '{"3/attention": {"failed": -4}}'],
)
def test_a_damaged_file_begins_again(content: str, cache: Path) -> None:
    cache.mkdir(parents=True)
    (cache / attempts.FILE).write_text(content)
    assert attempts.record("3/attention", "a", passed=False) == 1
    assert json.loads((cache / attempts.FILE).read_text())["3/attention"]["failed"] == 1
