"""The ledger of an attempt: opened before the work, guarded, and refused if the budget is spent."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.cost.billing import Billing
from tuppence.cost.ledger import KILLED_SECONDS, Ledger, Rate, read_attempts
from tuppence.tasks.attempt import (
    budget_refusal,
    charge_refused,
    done_without_budget,
    open_ledger,
    settle_run_file,
    summary_of,
)

RATE = Rate(3600.0, "a dollar a second")


def test_folder_made_for_a_ledger_is_removed_if_no_run_started(tmp_path: Path) -> None:
    run = Run(tmp_path / "deep" / "run")
    with pytest.raises(InputError, match="bad data"), open_ledger(run, RATE, None):
        assert run.ledger_file.exists()
        raise InputError("bad data", "")
    assert list(tmp_path.iterdir()) == []


def test_failed_attempt_of_a_run_is_in_its_ledger(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with open_ledger(run, RATE, 5.0):
        run.update(status="running")
    with pytest.raises(InputError), open_ledger(run, RATE, 5.0):
        raise InputError("bad data", "")
    assert [attempt.reason for attempt in read_attempts(run.ledger_file)] == [
        "the command ended",
        "InputError: bad data",
    ]


def test_lock_is_released_after_an_error(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), open_ledger(run, RATE, None):
            run.update(status="running")
            raise ZeroDivisionError


def test_second_process_is_refused_before_it_costs_anything(tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    with open_ledger(run, RATE, 5.0), pytest.raises(InputError, match="another process"), open_ledger(run, RATE, 5.0):
        pass
    assert len(read_attempts(run.ledger_file)) <= 1


def spend(run: Run, seconds: float, *, startup: float = 0.0, finish: float = 0.0, budget: float = 10.0) -> None:
    now = [0.0]
    ledger = Ledger(run.ledger_file, RATE, budget, clock=lambda: now[0])
    ledger.startup_seconds, ledger.finish_seconds = startup, finish
    now[0] = seconds
    ledger.end("done")


def test_attempt_that_cannot_start_and_finish_under_its_budget_is_refused(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert budget_refusal(run, RATE, 10.0) is None
    spend(run, 5.0, startup=2.0, finish=0.4)
    assert budget_refusal(run, RATE, 10.0) is None
    spend(run, 0.2)  # refused by its input: says nothing of start and finish
    refusal = budget_refusal(run, RATE, 10.0)
    assert refusal is not None
    assert "has spent $5.20 of its budget of $10.00" in refusal
    assert "a --budget of $10.11 or more continues from there" in refusal
    assert budget_refusal(run, RATE, 10.11) is None
    assert budget_refusal(run, RATE, None) is None


def test_run_that_its_steps_have_ended_is_done_if_the_same_command_has_no_budget_left(tmp_path: Path) -> None:
    run = Run(tmp_path)
    limits = {"max_steps": 4, "max_minutes": None, "budget_usd": 10.0}
    run.update(status="done", ended_because="reached its limit of 4 steps", limits=limits)

    def said(**other: float) -> str | None:
        return done_without_budget(run, **{**limits, **other})  # type: ignore[arg-type]

    assert said() is None  # without a model
    run.model.mkdir()
    (run.model / "config.json").write_text("{}")
    assert f"{run.path} is done already: it reached its limit of 4 steps;" in str(said())
    assert said(max_steps=5) is said(budget_usd=9.0) is said(max_minutes=1.0) is None
    run.update(ended_because="reached its budget of $10.00")
    assert said() is None


def test_first_attempt_whose_budget_does_not_pay_for_its_start_and_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"budget of \$4.00 is too little to start") as refused:
        budget_refusal(Run(tmp_path), RATE, 4.0, whole_process=True)
    least = float((refused.value.hint or "").split("a --budget of $")[1].split()[0])
    assert 4.0 < least < 10.0
    assert budget_refusal(Run(tmp_path), RATE, least, whole_process=True) is None
    with pytest.raises(InputError):
        budget_refusal(Run(tmp_path), RATE, least - 0.011, whole_process=True)
    assert budget_refusal(Run(tmp_path), RATE, 4.0) is None


def test_run_file_of_a_killed_attempt_becomes_stopped(tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert settle_run_file(run) == {}
    run.update(status="running", ended_because=None)
    Ledger(run.ledger_file, RATE)
    assert settle_run_file(run)["ended_because"] == "was killed"
    assert summary_of(run.read()) == {"status": "stopped", "ended_because": "was killed", "result": None}


def test_guard_ends_a_busy_process_at_the_budget(tmp_path: Path) -> None:
    program = f"""
import time
from pathlib import Path
from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.tasks.attempt import open_ledger
with open_ledger(Run(Path({str(tmp_path / "run")!r})), Rate(3600.0, "test"), 2.0, whole_process=True) as ledger:
    ledger.doing = "saving"
    time.sleep(600)
"""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert "reached its budget of $2.00 while saving; the process ends here" in done.stderr
    assert time.monotonic() - began < 30
    (attempt,) = read_attempts(tmp_path / "run" / "ledger.jsonl")
    assert attempt.ended
    assert attempt.dollars <= 2.0


def test_kill_is_charged_up_to_the_budget(tmp_path: Path) -> None:
    run = Run(tmp_path)
    Ledger(run.ledger_file, RATE, budget_usd=1e6)
    assert sum(attempt.seconds for attempt in read_attempts(run.ledger_file)) == pytest.approx(KILLED_SECONDS, abs=0.5)
    assert budget_refusal(run, RATE, KILLED_SECONDS) is not None


def test_the_lead_of_a_job_counts_against_its_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run(tmp_path)
    spend(run, 5.0, startup=2.0, finish=0.4)
    monkeypatch.setenv("TUPPENCE_BILLING", Billing("tuppence-1", since=time.time() - 60, tail_seconds=30).as_text())
    assert budget_refusal(run, RATE, 90.0) is not None  # 5 s before, 60 s of lead, 30 s of upload
    assert budget_refusal(run, RATE, 110.0) is None
    charge_refused(run, RATE)
    assert 60 + 30 <= read_attempts(run.ledger_file)[-1].seconds < 60 + 30 + 10


def test_a_job_begins_with_its_billing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUPPENCE_BILLING", Billing("tuppence-1", since=time.time() - 300).as_text())
    with open_ledger(Run(tmp_path / "run"), RATE, None, began=time.monotonic()) as ledger:
        assert ledger.seconds() >= 300
