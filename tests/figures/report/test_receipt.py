from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tuppence.cost.ledger import KILLED_SECONDS
from tuppence.figures.report import receipt
from tuppence.figures.report.page import render_report
from tuppence.figures.run_data import read_run


def test_the_receipt_adds_up_all_attempts(tmp_path: Path, make_run: Any) -> None:
    found = receipt.read_receipt(read_run(make_run(tmp_path)))
    killed_after = 120 + KILLED_SECONDS
    assert [attempt.seconds for attempt in found.attempts] == [killed_after, 240]
    assert [attempt.ended for attempt in found.attempts] == [False, True]
    assert found.dollars == pytest.approx((killed_after + 240) / 3600 * 0.736)
    assert (found.rate_usd_per_hour, found.rate_source, found.budget_usd) == (0.736, "--rate 0.736", 0.1)


def test_a_run_without_a_ledger_has_an_empty_receipt(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text("")
    found = receipt.read_receipt(read_run(tmp_path))
    assert (list(found.attempts), found.seconds, found.dollars, found.budget_usd) == ([], 0, 0, None)


def test_an_edited_ledger_costs_nothing(tmp_path: Path, lines: Any) -> None:
    lines(tmp_path / "metrics.jsonl", [])
    lines(tmp_path / "ledger.jsonl", [{"attempt": 1, "seconds": 5, "rate_usd_per_hour": "lots"}, {"attempt": [2]}])
    assert receipt.read_receipt(read_run(tmp_path)).dollars == 0


def test_time_spent_adds_up_to_the_time_of_all_attempts(tmp_path: Path, make_run: Any) -> None:
    run = read_run(make_run(tmp_path))
    found = receipt.read_receipt(run)
    spent = receipt.time_spent(run, found)
    assert list(spent) == ["training", "start-up", "evaluation", "checkpoints", "everything else"]
    assert sum(spent.values()) == pytest.approx(found.seconds)


def test_times_of_an_unfinished_run_come_from_the_metrics(tmp_path: Path, lines: Any) -> None:
    lines(tmp_path / "metrics.jsonl", [{"step": 1, "train_seconds": 30, "evaluation_seconds": 10}])
    run = read_run(tmp_path)
    assert receipt.time_spent(run, receipt.read_receipt(run)) == {"training": 30, "evaluation": 10}


def test_dollars_continue_where_the_attempt_before_stopped(tmp_path: Path, make_run: Any) -> None:
    seconds, dollars = receipt.dollars_by_time(read_run(make_run(tmp_path)))
    assert all(later >= earlier for earlier, later in pairwise(seconds))
    assert seconds[-1] == 360
    assert dollars[-1] == pytest.approx(360 / 3600 * 0.736)


def test_a_machine_without_a_rate_has_no_figure_of_dollars(tmp_path: Path, make_run: Any, lines: Any) -> None:
    run = make_run(tmp_path)
    assert "Dollars spent" in render_report(read_run(run))
    rows = [json.loads(line) for line in (run / "ledger.jsonl").read_text().splitlines()]
    lines(run / "ledger.jsonl", [{**row, "dollars": 0.0, "rate_usd_per_hour": 0.0} for row in rows])
    assert "Dollars spent" not in render_report(read_run(run))
    (run / "ledger.jsonl").unlink()
    assert "Dollars spent" not in render_report(read_run(run))
