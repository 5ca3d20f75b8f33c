"""Results show themselves in a terminal, in a page and as data, without control characters."""

from __future__ import annotations

import json

from tuppence.exercises.catalog import CATALOG
from tuppence.exercises.result import Result, Results

FAILED = Result(
    CATALOG[0],
    "failed",
    "it does\x1b[2J not hold",
    2,
    (
        ("Input", "x = 1\ny = 2"),
        ("It gave", "<b>"),
    ),
    1,
    7,
)


def test_a_terminal_gets_aligned_lines() -> None:
    assert list(FAILED.lines()) == [
        "✗ count_parameters: it does\\x1b[2J not hold",
        "    Input    x = 1",
        "             y = 2",
        "    It gave  <b>",
    ]


def test_marks_and_colours_tell_the_states_apart() -> None:
    states = {"passed": "✓", "failed": "✗", "no function": "✗", "wrong signature": "✗", "not written": "○"}
    for status, mark in states.items():
        result = Result(CATALOG[0], status, "…")  # type: ignore[arg-type]
        assert next(result.lines()).startswith(mark)
        assert mark in result.html()
        assert result.passed == (status == "passed")


def test_a_page_gets_escaped_texts_and_a_program_plain_data() -> None:
    assert "&lt;b&gt;" in FAILED.html()
    assert "\x1b" not in FAILED.html()
    row = json.loads(json.dumps(FAILED.as_json()))
    assert (row["exercise"], row["status"], row["properties_held"], row["properties"]) == (
        "count_parameters",
        "failed",
        2,
        5,
    )


def test_all_are_passed_only_if_each_is() -> None:
    passed = Result(CATALOG[1], "passed", "all hold")
    assert Results((passed, passed)).passed
    results = Results((passed, FAILED), title="1 of 2")
    assert not results.passed
    assert repr(results).startswith("1 of 2\n✓ training_cost")
