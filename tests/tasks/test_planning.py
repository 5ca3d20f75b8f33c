"""The question of `tuppence plan`: presets, tokens and instances by name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.cost.hardware import INSTANCES
from tuppence.cost.law import fit_law
from tuppence.model.config import PRESETS
from tuppence.tasks.planning import own_runs, plan, size_of, token_count


def test_nothing_asked_is_gpt2_124m_with_20_tokens_a_parameter() -> None:
    answer = plan()
    assert [row.machine.name for row in answer.rows] == list(INSTANCES)
    assert {(row.size.name, row.tokens) for row in answer.rows} == {("gpt2-124m", 20 * 124_439_808)}


@pytest.mark.parametrize(
    ("tokens", "model"),
    [("2.5B", "gpt2-124m"), ("7B", "gpt2-355m"), (30e6, "nano"), ("270M", "tiny"), ("40B", "gpt2-1558m")],
)
def test_tokens_alone_choose_the_size_that_they_suit(tokens: float | str, model: str) -> None:
    assert plan(tokens=tokens, on=["ml.p5.48xlarge"]).rows[0].size.name == model


def test_sizes_can_be_a_config() -> None:
    config = PRESETS["tiny"].model_copy(update={"vocab_size": 50257})
    size = size_of(config)
    assert (size.name, size.parameters) == ("this model", 30_044_544)
    assert plan(config, 1e9, on=["ml.g5.xlarge"]).rows[0].size == size


def test_ec2_and_sagemaker_are_told_apart() -> None:
    sagemaker, ec2 = plan("gpt2-124m", on=["ml.g5.xlarge", "g5.xlarge"]).rows
    assert (sagemaker.machine.usd_per_hour, ec2.machine.usd_per_hour) == (1.408, 1.006)
    assert sagemaker.hours == ec2.hours


@pytest.mark.parametrize("text", ["", "lots", "-1B", "0", "1e", "2.5X", "1 2"])
def test_a_number_of_tokens_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no number of tokens"):
        token_count(text)


def test_numbers_of_tokens() -> None:
    assert [token_count(text) for text in ("2.5B", "500m", "1e9", "10_000", "3,000", 7)] == [
        2.5e9,
        5e8,
        1e9,
        1e4,
        3e3,
        7.0,
    ]


@pytest.mark.parametrize(("asked", "what"), [({"model": "gpt3"}, "unknown model"), ({"on": ["ml.m5.large"]}, "no GPU")])
def test_an_unknown_name_is_refused(asked: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=what):
        plan(**asked)  # type: ignore[arg-type]


def test_the_hint_for_an_unknown_model_names_all() -> None:
    with pytest.raises(InputError) as refused:
        plan("nan")
    assert refused.value.hint == f"the models are {', '.join(PRESETS)}"


def test_a_measured_speed_of_saves_is_used() -> None:
    assumed, measured = (plan("gpt2-124m", on=["ml.g5.xlarge"], save_mb_per_second=mb).rows[0] for mb in (None, 75))
    saves = [next(line.seconds for line in row.lines if line.name == "saves") for row in (assumed, measured)]
    assert saves[1] == pytest.approx(2 * saves[0])
    for wrong in (0, -1, float("nan"), 1e9):
        with pytest.raises(InputError, match="the speed of a save must be above zero"):
            plan(save_mb_per_second=wrong)


def test_a_plan_needs_no_torch() -> None:
    code = "import sys; from tuppence.tasks.planning import plan; plan(budget=100); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def write_run(folder: Path, parameters: float, tokens: float, loss: float | None, /, **changes: object) -> Path:
    result = {"tokens": tokens, "final_val_loss": loss}
    content = {"verb": "pretrain", "status": "done", "parameters": parameters, "result": result} | changes
    folder.mkdir()
    (folder / "run.yaml").write_text(json.dumps(content))
    return folder


def test_own_runs_give_a_law(tmp_path: Path) -> None:
    grid = [(n, d) for n in (200_000, 800_000) for d in (1_000_000, 4_000_000)]
    runs = [write_run(tmp_path / f"{n}-{d}", n, d, 1.5 + 20 / n**0.3 + 200 / d**0.4) for n, d in grid]
    points = own_runs(runs)
    assert [(point.parameters, point.tokens) for point in points] == grid
    law = fit_law(points)
    (row,) = plan("nano", "8M", on=["ml.g5.xlarge"], law=law).rows
    assert row.loss is not None
    assert row.loss == pytest.approx(1.5 + 20 / 1_350_400**0.3 + 200 / 8e6**0.4, abs=0.1)


@pytest.mark.parametrize(
    "changes", [{"verb": "finetune classify"}, {"status": "stopped"}, {"result": None}, {"parameters": None}]
)
def test_a_run_that_is_no_point_of_a_law_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    run = write_run(tmp_path / "run", 1e6, 1e6, 3.0, **changes)
    with pytest.raises(InputError, match="no finished pretraining run"):
        own_runs([run])


def test_a_run_without_a_validation_split_or_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finished pretraining run"):
        own_runs([write_run(tmp_path / "run", 1e6, 1e6, None)])
    with pytest.raises(InputError, match="is no run"):
        own_runs([tmp_path / "nothing"])
