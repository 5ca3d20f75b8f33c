"""Runs command lines in this process; shows what they print and how they call the tasks."""

from __future__ import annotations

import inspect
import io
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tuppence.cli import main

Called = tuple[int, str, str]
Call = Callable[..., Called]
Intercept = Callable[..., dict[str, Any]]

SUMMARY = {
    "status": "done",
    "ended_because": "reached --max-steps 7",
    "result": {
        "steps": 7,
        "tokens": 700,
        "best_val_loss": 1.5,
        "best_step": 6,
        "seconds": 90.0,
        "attempts": 1,
        "dollars": 0.25,
        "tokens_per_second": None,
    },
}
"""The summary that a task returns for a finished run."""


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Runs a command line in this process, which need not import torch again: (exit code, stdout, stderr)."""

    def run(*arguments: object, stdin: str | None = None) -> Called:
        if stdin is not None:
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as finished:
            main([str(argument) for argument in arguments])
        return finished.value.code, *capsys.readouterr()  # type: ignore[return-value]

    return run


@pytest.fixture
def intercept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Intercept:
    """`intercept("tuppence.tasks.dpo", "run_dpo")` replaces a task by one that keeps its arguments, by name."""

    monkeypatch.chdir(tmp_path)  # a budget opens the run's ledger

    def replace(module: str, name: str, answer: Any = SUMMARY) -> dict[str, Any]:
        asked: dict[str, Any] = {}
        signature = inspect.signature(getattr(import_module(module), name))

        def task(*arguments: Any, **named: Any) -> Any:
            bound = signature.bind(*arguments, **named)
            bound.apply_defaults()
            asked.update(bound.arguments)
            return answer

        monkeypatch.setattr(import_module(module), name, task)
        return asked

    return replace


def assert_refused(answer: Called, message: str) -> None:
    """Checks that an error of one line and a hint of one line are printed, nothing else, and the exit code is 2."""
    code, out, errors = answer
    assert (code, out) == (2, ""), errors
    first, second = errors.splitlines()
    assert first.startswith("error: ")
    assert message in first
    assert second.startswith("  hint: ")
    assert second != "  hint: "


RUN_FLAGS = [
    *("--max-steps", 7, "--max-minutes", 2.5, "--budget", 3, "--rate", 0.7364, "--resume", "never"),
    *("--track", "tensorboard", "--set", "train.learning_rate=3e-4"),
]
"""The flags that all training verbs share."""


def assert_run_flags_arrived(asked: dict[str, Any], out: Path) -> None:
    """Checks that a task got the values of all `RUN_FLAGS`."""
    options = asked["options"]
    assert (options.max_minutes, options.budget_usd, options.rate.rate_usd_per_hour) == (2.5, 3, 0.7364)
    assert (options.resume, options.track) == ("never", "tensorboard")
    assert (asked["config"].train.max_steps, asked["config"].train.learning_rate) == (7, 3e-4)
    assert asked["out"] == str(out)
