from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SUMMARY

from tuppence.cli import options
from tuppence.cli.options import begin, overrides, run_options, train_and_tell
from tuppence.core.config import load_config
from tuppence.core.errors import InputError, Interrupted
from tuppence.cost.ledger import Rate
from tuppence.tasks.dpo import DPOConfig
from tuppence.tasks.job import RunOptions


def test_a_flag_stands_over_set_and_one_that_was_not_given_over_nothing() -> None:
    over = overrides(["train.max_steps=3", "align.beta=0.2"], train__max_steps=9, align__beta=None, align__full=True)
    config = load_config(DPOConfig, overrides=over)
    assert (config.train.max_steps, config.align.beta, config.align.full) == (9, 0.2, True)
    assert overrides(None, train__max_steps=None) == []


def test_a_flag_of_zero_or_false_is_given() -> None:
    assert overrides(None, train__max_steps=0, align__full=False) == ["train.max_steps=0", "align.full=False"]


@pytest.fixture(autouse=True)
def no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(options, "_command_began", None)


def test_the_rate_is_the_person_s_or_unknown() -> None:
    given = run_options(2.0, 1.0, 0.7364, "never", "none")
    assert given == RunOptions(2.0, 1.0, Rate(0.7364, "given by --rate"), "never", "none")
    assert run_options(None, None, 0.0, "auto", "none") == RunOptions()


def test_a_run_s_time_counts_from_the_beginning_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as standing:
        standing.setattr(time, "monotonic", lambda: 7.0)
        begin()
    assert run_options(None, None, 0.0, "auto", "none").began == 7.0


def test_the_end_of_a_run_goes_to_people_on_stderr_or_to_programs_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    train_and_tell(lambda: SUMMARY, Path("runs/x"), json=False, example="tuppence chat runs/x")
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("runs/x: reached --max-steps 7 after 7 steps (700 tokens)")
    assert errors.endswith("next: tuppence chat runs/x\n")
    train_and_tell(lambda: SUMMARY, Path("runs/x"), json=True, example="tuppence chat runs/x")
    out, errors = capsys.readouterr()
    assert (json.loads(out), errors) == (SUMMARY, "")


@pytest.mark.parametrize("as_json", [False, True])
def test_ranks_but_the_first_say_nothing(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    train_and_tell(dict, Path("runs/x"), json=as_json, example="tuppence chat runs/x")
    assert capsys.readouterr() == ("", "")


def test_a_program_learns_of_a_run_that_a_signal_ended(capsys: pytest.CaptureFixture[str]) -> None:
    def stopped() -> dict[str, object]:
        interruption = Interrupted(15)
        interruption.summary = {**SUMMARY, "status": "stopped"}
        raise interruption

    for as_json in (True, False):
        with pytest.raises(Interrupted):
            train_and_tell(stopped, Path("runs/x"), json=as_json, example="tuppence chat runs/x")
        out, errors = capsys.readouterr()
        assert (json.loads(out)["status"] if as_json else out) == ("stopped" if as_json else "")
        assert errors == ""


@pytest.mark.parametrize("number", [float("inf"), float("nan"), -float("inf")])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_limit_or_a_rate_that_is_no_number_is_refused(number: float, place: int) -> None:
    given = [None, None, 1.0]
    given[place] = number
    flag = ["--max-minutes", "--budget", "--rate"][place]
    with pytest.raises(InputError, match=flag):
        run_options(*given, "auto", "none")
