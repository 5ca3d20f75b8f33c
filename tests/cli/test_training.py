"""The flags of all training verbs: how they arrive in a task, and the output at the end of a run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import SUMMARY

from tuppence.cli.command import Command
from tuppence.cli.training import AdapterFlags, Base, FinetuneFlags, TrainingFlags, training_verb
from tuppence.core.errors import InputError, Interrupted
from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.tasks.dpo import DPORecipe
from tuppence.tasks.run_options import RunOptions


def flags(out: str = "runs/x", **given: Any) -> TrainingFlags:
    return TrainingFlags(out=out, **given)


def test_a_flag_overrides_set_and_set_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("train: {max_steps: 1, seed: 5}\nalign: {beta: 0.3}")
    given = flags(config=str(tmp_path / "mine.yaml"), set_=["train.max_steps=3", "align.beta=0.2"], max_steps=9)
    config = given.recipe(DPORecipe, align__beta=None, align__full=True)
    assert (config.train.max_steps, config.train.seed, config.align.beta, config.align.full) == (9, 5, 0.2, True)
    assert flags().recipe(DPORecipe, align__beta=None) == DPORecipe()


def test_a_flag_of_zero_or_false_is_given() -> None:
    assert flags(set_=["align.full=true"]).recipe(DPORecipe, align__full=False).align.full is False


def test_the_rate_is_that_of_the_flag_or_empty() -> None:
    given = flags(max_minutes=2.0, budget=1.0, rate=Rate(0.7364, "given by --rate"), resume="never").options()
    assert given == RunOptions(2.0, 1.0, Rate(0.7364, "given by --rate"), "never", "none")
    assert flags().options() == RunOptions()


def test_the_time_of_a_run_counts_from_the_start_of_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(time, "monotonic", lambda: 7.0)
        command = Command.now(is_the_program=False)
    options = flags(command=command).options()
    assert (options.began, options.whole_process) == (7.0, False)


def test_lora_and_full_exclude_each_other() -> None:
    with pytest.raises(InputError, match="--full and --lora"):
        AdapterFlags(lora=8, full=True)


def test_a_training_verb_gets_its_flags_as_objects() -> None:
    seen: dict[str, Any] = {}

    @training_verb
    def verb(base: Base, data: str, adapter: AdapterFlags, training: FinetuneFlags, val: str | None = None) -> None:
        seen.update(locals())

    command = Command(1.0, False)
    context = type("Context", (), {"obj": command})()
    shared = {"set_": None, "config": None, "max_steps": 3, "max_minutes": None, "budget": None, "rate": Rate()}
    shared |= {"resume": "auto", "track": "none", "json": False, "skip_bad_rows": True, "epochs": None}
    verb(context=context, data="d", val="v", lora=4, full=False, base="b", out="o", **shared)
    assert (seen["base"], seen["data"], seen["val"], seen["adapter"]) == ("b", "d", "v", AdapterFlags(lora=4))
    training = seen["training"]
    assert (training.out, training.max_steps, training.command) == ("o", 3, command)


def test_the_end_of_a_run_goes_to_people_on_stderr_or_to_programs_on_stdout(
    capsys: pytest.CaptureFixture[str],
) -> None:
    flags().tell(SUMMARY, "tuppence chat runs/x")
    out, errors = capsys.readouterr()
    assert out == ""
    assert errors.startswith("runs/x: reached --max-steps 7 after 7 steps (700 tokens)")
    assert errors.endswith("next: tuppence chat runs/x\n")
    flags(json=True).tell(SUMMARY, "tuppence chat runs/x")
    out, errors = capsys.readouterr()
    assert (json.loads(out), errors) == (SUMMARY, "")


@pytest.mark.parametrize("as_json", [False, True])
def test_ranks_other_than_0_print_nothing(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    flags(json=as_json).tell({}, "tuppence chat runs/x")
    assert capsys.readouterr() == ("", "")


def test_a_run_without_a_recorded_end_prints_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"status": "stopped", "ended_because": "was killed", "result": None}
    flags().tell(refused, "tuppence chat runs/x")
    assert capsys.readouterr() == ("", "")


def test_an_interrupted_run_prints_json_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @training_verb
    def stopped(training: TrainingFlags) -> None:
        raise Interrupted(15)

    context = type("Context", (), {"obj": Command(1.0, False)})()
    unset = dict.fromkeys(("set_", "config", "max_steps", "max_minutes", "budget"))

    def said(as_json: bool) -> str:
        with pytest.raises(Interrupted):
            stopped(
                context=context,
                out=str(tmp_path / "run"),
                json=as_json,
                **unset,
                rate=Rate(),
                resume="auto",
                track="none",
            )
        out, errors = capsys.readouterr()
        assert errors == ""
        return out

    assert said(as_json=True) == ""  # a signal before the run began
    run = Run(tmp_path / "run")
    run.create()
    run.update(**{**SUMMARY, "status": "stopped"})
    assert json.loads(said(as_json=True)) == {**SUMMARY, "status": "stopped"}
    assert said(as_json=False) == ""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert said(as_json=True) == ""


@pytest.mark.parametrize("number", [float("inf"), float("nan"), -float("inf")])
@pytest.mark.parametrize("flag", ["--max-minutes", "--budget", "--rate"])
def test_a_limit_or_a_rate_must_be_finite(number: float, flag: str) -> None:
    with pytest.raises(InputError, match=flag):
        given: Any = Rate(number) if flag == "--rate" else number
        flags(**{flag.removeprefix("--").replace("-", "_"): given}).options()


def test_a_rate_can_be_an_instance(tuppence: Any, tmp_path: Path) -> None:
    command = ("pretrain", "--data", "none", "--out", tmp_path / "run", "--budget", "1", "--rate")
    unknown = tuppence(*command, "ml.g4nd.xlarge")
    assert unknown.returncode == 2
    assert "ml.g4dn.xlarge" in unknown.stderr.splitlines()[1]
    assert "--rate" not in tuppence(*command, "ml.g4dn.xlarge").stderr
