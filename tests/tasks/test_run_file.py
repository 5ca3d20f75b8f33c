"""The content of run.yaml, and the end of a run as text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from tuppence.tasks.run_file import describe_result, model_sizes, say_what_differs


def test_the_end_of_a_run_is_described_with_its_receipt() -> None:
    result = {"steps": 5, "tokens": 500, "best_val_loss": 1.5, "best_step": 4, "seconds": 90, "attempts": 2}
    summary: dict[str, Any] = {
        "status": "done",
        "ended_because": "reached",
        "result": {**result, "dollars": 0.25, "tokens_per_second": 1234.0},
    }
    text = describe_result(Path("runs/x"), summary, "tuppence generate runs/x")
    for part in ("1.5000", "$0.2500", "1 min 30 s", "2 attempts", "1,234 tokens", "tuppence generate runs/x"):
        assert part in text
    skipped = describe_result(Path("runs/x"), {**summary, "result": {**summary["result"], "skipped_steps": 2}}, "")
    untrained = describe_result(
        Path("runs/x"), {**summary, "result": {**summary["result"], "steps": 0}}, "tuppence chat x"
    )
    assert "next:" not in untrained
    assert "after 5 steps, 2 of them skipped because fp16 overflowed (500 tokens)" in skipped


def test_another_number_of_threads_or_version_is_a_warning(capsys: pytest.CaptureFixture[str]) -> None:
    here = {"device": "cpu", "cpu": "A", "threads": 2, "torch": "2.13.0", "tuppence": "1"}
    say_what_differs({"attempts": [here]})
    say_what_differs({"attempts": [here, here]})
    assert capsys.readouterr().err == ""
    say_what_differs({"attempts": [here, {**here, "threads": 1, "torch": "2.14.0"}]})
    told = " ".join(capsys.readouterr().err.split())
    assert "continued with threads 1 (was 2), torch 2.14.0 (was 2.13.0): the weights may differ" in told
    gpu = {**here, "device": "cuda:0", "gpu": "T4"}
    say_what_differs({"attempts": [gpu, {**gpu, "threads": 8, "cpu": "B"}]})
    assert capsys.readouterr().err == ""


def test_trained_parameters_are_counted_if_not_all_are_trained() -> None:
    model = nn.Linear(3, 4)
    assert model_sizes(model) == {"parameters": 16}
    model.weight.requires_grad_(False)
    assert model_sizes(model) == {"parameters": 16, "trained_parameters": 4}
