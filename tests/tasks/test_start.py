"""The start of an attempt: the run that it continues, the checkpoint that it starts from, and its limits."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.tasks.toy_job import ToyJob, toy_job
from torch import nn

from tuppence.core.config import Section
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.cost.limits import Limits
from tuppence.tasks.run_file import limits_asked
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.start import (
    FREE_TO_CHANGE,
    Start,
    announce,
    check_continues,
    check_origin,
    find_start,
    limits_of,
    same_limits,
)
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution


def test_keys_that_may_change_exist() -> None:
    assert set(TrainConfig.model_fields) >= FREE_TO_CHANGE


class Finetune(Section):
    former_names: ClassVar[Mapping[str, str]] = {"drop": "dropout"}

    epochs: float = 1.0
    dropout: float = 0.0


def job(out: Path, **train: Any) -> ToyJob:
    inputs = {"data": {"path": "rows.tsv", "fingerprint": "rows"}}
    return ToyJob(out, TrainConfig(**train), {"finetune": Finetune()}, inputs)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that `job` began."""
    run, begun = Run(tmp_path), job(tmp_path)
    run.create()
    run.update(
        verb=begun.verb,
        config={"finetune": {"epochs": 1.0}, "train": begun.train.model_dump(mode="json")},
        **{name: dict(value) for name, value in begun.inputs.items()},
    )
    return run


def test_a_new_folder_has_no_run_file(tmp_path: Path) -> None:
    assert check_continues(Run(tmp_path / "new"), job(tmp_path / "new"), RunOptions(resume="never")) == {}


def test_the_same_job_is_continued_with_another_limit_too(run: Run) -> None:
    for again in (job(run.path), job(run.path, max_steps=9, eval_every=3, patience=1)):
        assert check_continues(run, again, RunOptions())["verb"] == "toy"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": {"data": {"path": "other.tsv", "fingerprint": "other"}}}, "started on other data than other.tsv"),
        ({"settings": {"finetune": Finetune(dropout=0.2)}}, r"started with finetune.dropout=0\.0, and now it is 0\.2"),
        ({"train": TrainConfig(learning_rate=0.5)}, "train.learning_rate=0.001, and now it is 0.5"),
    ],
)
def test_another_run_in_the_folder_is_refused(run: Run, change: Mapping[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        check_continues(run, dataclasses.replace(job(run.path), **change), RunOptions())
    assert "choose another --out" in caught.value.hint


def test_a_run_of_another_verb_is_refused(run: Run) -> None:
    run.update(verb="align dpo")
    with pytest.raises(InputError, match="was not made by toy"):
        check_continues(run, job(run.path), RunOptions())


def test_resume_never_refuses_a_folder_with_a_run(run: Run) -> None:
    with pytest.raises(InputError, match="holds a run already"):
        check_continues(run, job(run.path), RunOptions(resume="never"))


def test_epochs_may_be_extended_as_steps_may(run: Run) -> None:
    longer = dataclasses.replace(job(run.path), settings={"finetune": Finetune(epochs=2.0)})
    assert check_continues(run, longer, RunOptions())["verb"] == "toy"


def test_run_is_done_until_one_of_its_limits_differs() -> None:
    def asked(steps: int, patience: int = 0, **more: Any) -> dict[str, Any]:
        return limits_asked(TrainConfig(patience=patience), RunOptions(**more), Limits(max_steps=steps))

    record = {"limits": asked(5, max_minutes=2.0)}
    assert same_limits(record, asked(5, max_minutes=2.0))
    for other in (
        asked(6, max_minutes=2.0),
        asked(5),
        asked(5, max_minutes=2.0, budget_usd=1.0),
        asked(5, 3, max_minutes=2.0),
    ):
        assert not same_limits(record, other)


def test_limits_in_a_run_file_of_an_earlier_version_are_understood() -> None:
    record = {
        "limits": {"max_steps": None, "max_minutes": None, "budget_usd": None},
        "config": {"train": {"patience": 2}},
        "result": {"steps": 40},
    }
    asked = limits_asked(TrainConfig(patience=2), RunOptions(), Limits(max_steps=40))
    assert same_limits(record, asked)
    assert not same_limits(record, {**asked, "patience": 9})
    assert not same_limits(record, {**asked, "max_steps": 80})


def test_a_checkpoint_of_a_run_on_other_data_is_a_warning(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = run.checkpoints / "step-00000004"
    assert check_origin(checkpoint, job(run.path)) == run
    assert capsys.readouterr().err == ""
    other = dataclasses.replace(job(run.path), inputs={"data": {"path": "mine.tsv", "fingerprint": "mine"}})
    check_origin(checkpoint, other)
    assert "is of a run on other data: it continues here on mine.tsv" in " ".join(capsys.readouterr().err.split())


def test_a_checkpoint_of_a_run_from_another_base_is_refused(run: Run) -> None:
    run.update(base={"path": "runs/first", "fingerprint": "first"})
    other = dataclasses.replace(job(run.path), inputs={"base": {"path": "runs/second", "fingerprint": "second"}})
    with pytest.raises(InputError, match="is of a run with another base, runs/first"):
        check_origin(run.checkpoints / "step-00000004", other)


def started(run: Run, of: ToyJob, leave_out: str = "") -> None:
    """A run that was started with this job, by a version that did not know the key to leave out."""
    train = {key: value for key, value in of.train.model_dump(mode="json").items() if key != leave_out}
    run.create()
    run.update(verb="toy", data={"fingerprint": "rows"}, config={"train": train, "finetune": {"epochs": 1.0}})


def test_batch_size_may_change_if_the_sequences_of_a_step_do_not(tmp_path: Path) -> None:
    run = Run(tmp_path)
    started(run, job(tmp_path, batch_size=8, accumulation_steps=2))
    smaller = job(tmp_path, batch_size=4, accumulation_steps=4, activation_checkpointing=True)
    check_continues(run, smaller, RunOptions())
    with pytest.raises(InputError, match="batch_size"):
        check_continues(run, job(tmp_path, batch_size=4, accumulation_steps=2), RunOptions())


def test_another_number_of_ranks_continues_only_with_the_same_sequences_in_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path)
    started(run, job(tmp_path, batch_size=4, accumulation_steps=2))
    run.update(machine={"ranks": 2})
    monkeypatch.setenv("WORLD_SIZE", "4")
    check_continues(run, job(tmp_path, batch_size=2, accumulation_steps=2), RunOptions())
    assert "was started on 2 ranks, and now there are 4" in capsys.readouterr().err
    with pytest.raises(InputError, match="a step would have 32 sequences instead of 16"):
        check_continues(run, job(tmp_path, batch_size=4, accumulation_steps=2), RunOptions())
    monkeypatch.setattr(ToyJob, "scales", False)
    with pytest.raises(InputError, match="was started on 2 ranks"):
        check_continues(run, job(tmp_path, batch_size=2, accumulation_steps=2), RunOptions())


def test_a_key_that_an_older_version_did_not_have_gets_its_default(tmp_path: Path) -> None:
    run = Run(tmp_path)
    started(run, job(tmp_path), leave_out="beta2")
    check_continues(run, job(tmp_path), RunOptions())
    with pytest.raises(InputError, match=r"beta2=0\.95"):
        check_continues(run, job(tmp_path, beta2=0.9), RunOptions())


def test_a_key_that_was_renamed_is_compared_under_its_new_name(tmp_path: Path) -> None:
    run = Run(tmp_path)
    started(run, job(tmp_path))
    content = run.read()["config"]
    content["train"]["final_learning_rate"] = content["train"].pop("min_lr_factor")
    run.update(config={**content, "finetune": {"epochs": 1.0, "drop": 0.5}})
    same = dataclasses.replace(job(tmp_path), settings={"finetune": Finetune(dropout=0.5)})
    check_continues(run, same, RunOptions())
    with pytest.raises(InputError, match=r"finetune\.dropout=0\.5, and now it is 0\.0"):
        check_continues(run, job(tmp_path), RunOptions())


def test_without_a_limit_the_run_has_its_default_steps() -> None:
    assert limits_of(TrainConfig(), RunOptions(), default_steps=33).max_steps == 33
    assert limits_of(TrainConfig(), RunOptions(max_minutes=2.0), 33).max_steps is None
    assert limits_of(TrainConfig(max_steps=7), RunOptions(max_minutes=2.0), 33).max_steps == 7


def test_other_ranks_get_the_start_as_json() -> None:
    start = Start({"status": "done"}, "runs/x/checkpoints/step-00000004", None)
    assert Start(**json.loads(json.dumps(dataclasses.asdict(start)))) == start


def test_the_checkpoint_of_resume_must_exist(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no checkpoint"):
        find_start(Run(tmp_path), toy_job(tmp_path), RunOptions(resume=str(tmp_path / "step-00000001")))


def test_the_announcement_says_sizes_and_the_most_it_can_cost(capsys: pytest.CaptureFixture[str]) -> None:
    execution = Execution("cpu", "float32", compile=False)
    rate = Rate(3.0, "test")
    limits = limits_of(TrainConfig(), RunOptions(max_minutes=60.0, rate=rate), default_steps=1)
    announce(nn.Linear(3, 4), limits, 100, execution)
    said = " ".join(capsys.readouterr().err.split())
    assert "16 parameters · 100 tokens a step" in said
    assert "at most $3.0000" in said
    announce(nn.Linear(3, 4), Limits(max_steps=5, rate_usd_per_hour=3.0), 100, execution)
    assert "5 steps (500 tokens) · no budget, at $3 an hour" in " ".join(capsys.readouterr().err.split())
