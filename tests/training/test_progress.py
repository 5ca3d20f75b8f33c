"""The live line of a run."""

from __future__ import annotations

import pytest

from tuppence.training.progress import ProgressLine, describe


def test_the_line_shows_all_that_is_known() -> None:
    line = describe(
        {
            "step": 5,
            "max_steps": 10,
            "loss": 3.0,
            "val_loss": 3.5,
            "tokens_per_second": 1234.5,
            "mfu": 0.31,
            "seconds_left": 3700,
            "rate": 1.0,
            "dollars": 0.01,
            "dollars_left": 0.5,
        }
    )
    for part in ("step 5/10", "loss 3.000", "val 3.500", "1,23", "MFU 31%", "1 h 1 min to go", "$0.0100", "$0.5000"):
        assert part in line


def test_outside_a_terminal_a_line_is_printed_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        for step in range(50):
            line.show({"step": step})
    assert capsys.readouterr().err.count("step") == 1


def test_a_silent_line_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine(silent=True) as line:
        line.show({"step": 1})
        line.say("hello")
    assert capsys.readouterr().err == ""
