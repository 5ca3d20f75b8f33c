"""Logs with one JSON object per line, complete and incomplete."""

from __future__ import annotations

import math
from pathlib import Path

from tuppence.core.json_lines import append_json, read_json_lines, read_json_lines_tolerantly


def test_an_incomplete_last_line_is_skipped(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    log.write_bytes(b'{"step": 1}\n[1]\n{"step": 2, "lo')
    assert list(read_json_lines(log)) == [{"step": 1}]
    assert list(read_json_lines(tmp_path / "none.jsonl")) == []


def test_numbers_that_are_not_finite_are_logged_as_null(tmp_path: Path) -> None:
    append_json(tmp_path / "log.jsonl", {"loss": math.nan, "of": [math.inf, 1.0]})
    assert list(read_json_lines(tmp_path / "log.jsonl")) == [{"loss": None, "of": [None, 1.0]}]


def test_a_line_after_an_incomplete_one_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(b'{"step": 1}\n{"step": 2, "lo')
    append_json(log, {"step": 3})
    assert [row["step"] for row in read_json_lines(log)] == [1, 3]


def test_damaged_lines_are_counted_except_the_last(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    problems: list[str] = []
    assert read_json_lines_tolerantly(log, problems) == []
    log.write_bytes(b'{"step": 1}\nx\n\n{"step": 2}\n{"step": 3, "lo')
    assert [row["step"] for row in read_json_lines_tolerantly(log, problems)] == [1, 2]
    assert problems == ["log.jsonl: 1 damaged lines were left out"]
