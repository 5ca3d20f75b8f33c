"""The training loop: equivalences, exact resume, signals, limits, and no loss of good checkpoints."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.toy import Toy, toy_loop, weights
from tuppence.core.errors import InputError, Interrupted, NonFiniteError
from tuppence.core.json_lines import read_json_lines
from tuppence.cost.limits import Limits
from tuppence.training.checkpoint import list_checkpoints, load_checkpoint
from tuppence.training.execution import Execution


def rows(folder: Path) -> list[dict[str, float]]:
    return list(read_json_lines(folder / "metrics.jsonl"))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_eight_small_batches_equal_one_large_batch(tmp_path: Path, optimizer: str) -> None:
    large = toy_loop(tmp_path / "1x8", Toy(accumulation=1), optimizer=optimizer)
    small = toy_loop(tmp_path / "8x1", Toy(accumulation=8), optimizer=optimizer)
    for loop in (large, small):
        loop.model.dropout.p = 0.0  # type: ignore[union-attr,assignment]
        loop.run()
    # Muon's bf16 iteration rounds a last-bit difference up
    assert torch.allclose(weights(large), weights(small), atol=1e-5 if optimizer == "adamw" else 2e-2)
    losses = [[row["loss"] for row in rows(tmp_path / name) if "loss" in row] for name in ("1x8", "8x1")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-5 if optimizer == "adamw" else 2e-2)


def test_the_logged_loss_is_the_mean_over_valid_targets(tmp_path: Path) -> None:
    objective = Toy()
    loop = toy_loop(tmp_path, objective, Limits(max_steps=1))
    loop.model.dropout.p = 0.0  # type: ignore[union-attr,assignment]
    inputs, targets = objective.sequences(0)
    expected = torch.nn.functional.cross_entropy(loop.model(inputs).flatten(0, 1), targets.flatten())
    loop.run()
    assert rows(tmp_path)[0]["loss"] == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("stop_at", [1, 5, 11])
@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_stopped_and_continued_run_ends_in_the_same_bits(
    tmp_path: Path, stop_at: int, number: int, optimizer: str
) -> None:
    settings = {"optimizer": optimizer, "eval_every": 4, "log_every": 3}
    whole = toy_loop(tmp_path / "whole", **settings)
    whole.run()

    def stop(step: int) -> None:
        if step == stop_at:
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted) as caught:
        toy_loop(tmp_path / "cut", Toy(on_loss=stop), **settings).run()
    assert caught.value.exit_code == 128 + number
    assert (tmp_path / "cut" / "written.txt").exists()
    continued = toy_loop(tmp_path / "cut", **settings)
    continued.run()
    assert torch.equal(weights(whole), weights(continued))
    kept = ("step", "loss", "val_loss", "learning_rate", "grad_norm", "tokens")
    assert [{k: row.get(k) for k in kept} for row in rows(tmp_path / "cut")] == [
        {k: row.get(k) for k in kept} for row in rows(tmp_path / "whole")
    ]


def test_a_signal_in_the_first_step_ends_the_run_at_once_with_nothing_updated(tmp_path: Path) -> None:
    def slow(step: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    loop = toy_loop(tmp_path, Toy(on_loss=slow))
    before = weights(loop).clone()
    started = time.monotonic()
    with pytest.raises(Interrupted):
        loop.run()
    assert time.monotonic() - started < 20
    assert torch.equal(weights(loop), before)
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["step-00000000"]


def test_a_signal_during_evaluation_leaves_a_checkpoint_of_that_step(tmp_path: Path) -> None:
    objective = Toy()
    objective.on_evaluation = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
        toy_loop(tmp_path, objective, eval_every=3).run()
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["step-00000003"]
    continued = toy_loop(tmp_path, eval_every=3)
    continued.run()
    whole = toy_loop(tmp_path / "whole", eval_every=3)
    whole.run()
    assert torch.equal(weights(whole), weights(continued))
    assert [row["val_loss"] for row in rows(tmp_path) if "val_loss" in row] == [
        row["val_loss"] for row in rows(tmp_path / "whole") if "val_loss" in row
    ]


def test_a_run_is_not_done_after_a_signal_in_the_last_evaluation(tmp_path: Path) -> None:
    objective = Toy()
    objective.on_evaluation = lambda: os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted):
        toy_loop(tmp_path, objective).run()
    continued, whole = toy_loop(tmp_path), toy_loop(tmp_path / "whole")
    for loop in (continued, whole):
        loop.run()
    assert torch.equal(weights(whole), weights(continued))
    assert whole.state.evaluated_step == continued.state.evaluated_step == 12
    assert whole.state.best_val_loss == continued.state.best_val_loss


def test_evaluating_and_checkpointing_often_changes_nothing(tmp_path: Path) -> None:
    never = toy_loop(tmp_path / "never", eval_every=0)
    always = toy_loop(tmp_path / "always", eval_every=1, checkpoint_every=1)
    never.run()
    always.run()
    last = load_checkpoint(list_checkpoints(tmp_path / "always" / "checkpoints")[-1]).model
    assert all(torch.equal(value, last[name]) for name, value in never.model.state_dict().items())


def test_the_result_has_the_best_weights_and_best_and_last_are_kept(tmp_path: Path) -> None:
    objective = Toy()
    objective.scale = lambda step: 1.0 if step < 6 else -1.0  # from step 6 on, everything gets worse
    loop = toy_loop(tmp_path, objective, eval_every=2, keep_checkpoints=1)
    loop.run()
    scores = {int(row["step"]): row["val_loss"] for row in rows(tmp_path) if "val_loss" in row}
    best_step = min(scores, key=lambda step: scores[step])
    assert 2 < best_step < 12
    assert loop.state.best_step == best_step
    paths = list_checkpoints(tmp_path / "checkpoints")
    assert [path.name for path in paths] == [f"step-{best_step:08d}", "step-00000012"]
    best = load_checkpoint(paths[0]).model
    assert all(torch.equal(value, best[name]) for name, value in loop.model.state_dict().items())


def test_patience_ends_the_run(tmp_path: Path) -> None:
    objective = Toy()
    objective.scale = lambda step: 1.0 if step < 3 else -1.0
    loop = toy_loop(tmp_path, objective, Limits(max_steps=50), eval_every=1, patience=2)
    assert "2 evaluations" in loop.run()
    assert loop.state.best_step is not None
    assert loop.state.step == loop.state.best_step + 2 < 50


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_run_and_spares_the_checkpoints(tmp_path: Path, wrong: float) -> None:
    objective = Toy()
    objective.scale = lambda step: 1.0 if step < 5 else wrong
    loop = toy_loop(tmp_path, objective, checkpoint_every=2)
    with pytest.raises(NonFiniteError, match="step 5"):
        loop.run()
    assert (loop.state.step, loop.state.tokens) == (5, 5 * rows(tmp_path)[0]["tokens"])
    checkpoints = list_checkpoints(tmp_path / "checkpoints")
    assert checkpoints[-1].name == "step-00000004"
    assert all(bool(tensor.isfinite().all()) for tensor in load_checkpoint(checkpoints[-1]).model.values())


def test_a_weight_that_is_not_finite_is_never_saved(tmp_path: Path) -> None:
    loop = toy_loop(tmp_path)
    with torch.no_grad():
        loop.model.head.weight[0, 0] = math.nan  # type: ignore[index,union-attr,operator]
    with pytest.raises(NonFiniteError, match="weight"):
        loop.save()
    assert list_checkpoints(tmp_path / "checkpoints") == []


def test_a_step_that_would_pass_the_limit_is_discarded(tmp_path: Path) -> None:
    def slow(step: int) -> None:
        if step == 1:
            time.sleep(60)

    started = time.monotonic()
    loop = toy_loop(tmp_path, Toy(on_loss=slow), Limits(max_seconds=5.0))
    assert "minutes" in loop.run()
    assert time.monotonic() - started < 5.0 + 1.0
    assert loop.state.step == 1
    assert list_checkpoints(tmp_path / "checkpoints")[-1].name == "step-00000001"


def test_a_budget_is_kept_over_attempts(tmp_path: Path) -> None:
    limits = Limits(budget_usd=5.0, rate_usd_per_hour=3600.0)  # a dollar a second
    loop = toy_loop(tmp_path, limits=limits)
    assert "budget" in loop.run()
    assert loop.state.step > 0
    spent = loop.ledger.dollars()
    loop.ledger.end("done")
    again = toy_loop(tmp_path, limits=limits)
    assert "budget" in again.run()
    assert again.ledger.attempt == 2
    assert spent <= again.ledger.dollars() <= 5.0


def test_a_run_continues_from_the_checkpoint_that_is_named(tmp_path: Path) -> None:
    whole = toy_loop(tmp_path / "a", checkpoint_every=4, keep_checkpoints=9)
    whole.run()
    other = toy_loop(tmp_path / "b", resume=tmp_path / "a" / "checkpoints" / "step-00000004")
    other.run()
    assert torch.equal(weights(whole), weights(other))
    back = toy_loop(tmp_path / "a", resume=tmp_path / "a" / "checkpoints" / "step-00000004", checkpoint_every=4)
    back.run()
    assert torch.equal(weights(whole), weights(back))
    assert [row["step"] for row in rows(tmp_path / "a") if "loss" in row] == list(range(1, 13))


def test_fp16_scaling_state_survives_a_checkpoint(tmp_path: Path) -> None:
    # the CPU has no fast fp16, but its scaler works the same way
    execution = Execution("cpu", "fp16", compile=False)
    loop = toy_loop(tmp_path, execution=execution)
    loop.run()
    continued = toy_loop(tmp_path, limits=Limits(max_steps=13), execution=execution)
    continued.restore()
    assert continued.step.scaler.state_dict() == loop.step.scaler.state_dict()
    assert continued.step.scaler.get_scale() > 1


class Measured(Toy):
    """Counts correct predictions, and keeps a running total that every step depends on."""

    metrics = ("accuracy",)

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.kept = torch.zeros(2)
        self.prepared: list[int] = []

    def prepare(self, step: int, model: torch.nn.Module) -> None:
        self.prepared.append(step)
        self.kept = torch.stack([torch.tensor(float(step + 1)), next(model.parameters()).detach().sum()])

    def gauges(self) -> dict[str, float]:
        return {"kept": float(self.kept[1])}

    def state(self) -> dict[str, torch.Tensor]:
        return {"kept": self.kept}

    def load_state(self, tensors: dict[str, torch.Tensor]) -> None:
        self.kept = tensors["kept"]

    def loss(self, model: torch.nn.Module, *batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        inputs, targets = batch
        loss, _ = super().loss(model, *batch)
        right = (model(inputs).argmax(-1) == targets).sum()
        return loss, {"accuracy": right.float()}


def test_metrics_are_means_over_targets_in_training_and_in_evaluation(tmp_path: Path) -> None:
    objective = Measured(accumulation=2)
    loop = toy_loop(tmp_path, objective, Limits(max_steps=1), eval_every=1)
    loop.model.dropout.p = 0.0  # type: ignore[union-attr,assignment]
    inputs, targets = objective.sequences(0)
    right = (loop.model(inputs).argmax(-1) == targets).sum() / (targets != -100).sum()
    loop.run()
    merged = {key: value for row in rows(tmp_path) for key, value in row.items()}
    assert merged["accuracy"] == pytest.approx(float(right))
    held_out = [objective.sequences(1_000_000 + index) for index in range(3)]
    loop.model.eval()
    counts = [((loop.model(i).argmax(-1) == t).sum(), (t != -100).sum()) for i, t in held_out]
    expected = float(sum(r for r, _ in counts) / sum(n for _, n in counts))
    assert merged["val_accuracy"] == loop.state.best_metrics["accuracy"] == pytest.approx(expected)


class MeasuredApart(Toy):
    """Measures one thing while it trains and another on held-out batches."""

    metrics, evaluation_metrics = ("training",), ("held_out",)

    def loss(self, model: torch.nn.Module, *batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss, _ = super().loss(model, *batch)
        return loss, {"training" if model.training else "held_out": 2.0 * (batch[-1] != -100).sum()}


def test_an_evaluation_may_measure_other_things_than_training(tmp_path: Path) -> None:
    toy_loop(tmp_path, MeasuredApart(), Limits(max_steps=1), eval_every=1).run()
    merged = {key: value for row in rows(tmp_path) for key, value in row.items()}
    assert merged["training"] == merged["val_held_out"] == 2.0
    assert not {"held_out", "val_training"} & merged.keys()


def test_an_objective_s_own_state_survives_a_stop_with_its_gauges(tmp_path: Path) -> None:
    whole = toy_loop(tmp_path / "whole", Measured())
    whole.run()

    def stop(step: int) -> None:
        if step == 4:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted):
        toy_loop(tmp_path / "cut", Measured(on_loss=stop)).run()
    kept = load_checkpoint(list_checkpoints(tmp_path / "cut" / "checkpoints")[-1]).objective["kept"]
    assert kept[0] == 5  # prepared, and then the step was discarded
    continued = Measured()
    toy_loop(tmp_path / "cut", continued).run()
    assert continued.prepared[0] == 4
    assert torch.equal(
        load_checkpoint(list_checkpoints(tmp_path / "cut" / "checkpoints")[-1]).objective["kept"],
        load_checkpoint(list_checkpoints(tmp_path / "whole" / "checkpoints")[-1]).objective["kept"],
    )
    assert [row.get("kept") for row in rows(tmp_path / "cut")] == [row.get("kept") for row in rows(tmp_path / "whole")]


def test_frozen_weights_are_neither_changed_nor_kept_in_checkpoints(tmp_path: Path) -> None:
    loop = toy_loop(tmp_path)
    for name, parameter in loop.model.named_parameters():
        parameter.requires_grad_(name.startswith("head"))
    frozen = toy_loop(tmp_path / "frozen", model=loop.model)
    before = {name: value.clone() for name, value in loop.model.state_dict().items()}
    frozen.run()
    kept = load_checkpoint(list_checkpoints(tmp_path / "frozen" / "checkpoints")[-1])
    assert set(kept.model) == {"head.weight", "head.bias"}
    assert all(name.startswith("head.") for name in kept.optimizer)
    after = frozen.model.state_dict()
    assert [name for name in after if not torch.equal(after[name], before[name])] == ["head.weight", "head.bias"]


def test_a_checkpoint_of_other_trained_weights_is_refused_by_name(tmp_path: Path) -> None:
    toy_loop(tmp_path).run()
    loop = toy_loop(tmp_path)
    for parameter in loop.model.embedding.parameters():  # type: ignore[union-attr]
        parameter.requires_grad_(False)
    with pytest.raises(InputError, match=r"embedding\.weight is not one of this model"):
        loop.run()


def test_extended_run_keeps_what_its_last_evaluation_found(tmp_path: Path) -> None:
    objective = Toy()
    objective.scale = lambda step: 1.0 if step < 5 else -1.0  # from step 5 on, everything gets worse
    settings: dict[str, Any] = {"eval_every": 200, "schedule": "constant", "keep_checkpoints": 1}
    first = toy_loop(tmp_path, objective, Limits(max_steps=5), **settings)
    first.run()
    best = weights(first).clone()
    longer = toy_loop(tmp_path, objective, Limits(max_steps=30), **settings)
    longer.run()
    assert (longer.state.best_step, longer.state.best_val_loss) == (5, first.state.best_val_loss)
    assert [row["step"] for row in rows(tmp_path) if "val_loss" in row] == [5, 30]
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["step-00000005", "step-00000030"]
    assert torch.equal(weights(longer), best)
    assert longer.selected is not None
    assert longer.selected.step == 5


def test_extra_evaluation_at_the_end_of_a_run_costs_no_patience(tmp_path: Path) -> None:
    objective = Toy()
    objective.scale = lambda step: 1.0 if step < 2 else -5.0
    settings: dict[str, Any] = {"eval_every": 4, "patience": 2, "schedule": "constant"}
    for steps in (4, 5, 6, 7):
        loop = toy_loop(tmp_path, objective, Limits(max_steps=steps), **settings)
        loop.run()
        assert (loop.state.best_step, loop.state.evals_since_best) == (4, 0)


@pytest.mark.parametrize("falls", [True, False])
def test_last_weights_that_were_not_scored_are_taken_if_the_training_loss_fell(tmp_path: Path, falls: bool) -> None:
    objective = Toy()
    loop = toy_loop(tmp_path, objective, Limits(max_steps=40), eval_every=4, sample_every=1000)
    loop.model.dropout.p = 0.0  # type: ignore[union-attr,assignment]

    def stop(step: int) -> None:
        if step == 36:
            os.kill(os.getpid(), signal.SIGTERM)
        if step == 30:
            loop.config = loop.config.model_copy(update={"eval_every": 0})
            loop.checkpoints._config = loop.config
            objective.scale = lambda step: 1.0 if falls else 5.0

    objective.on_loss = stop
    with pytest.raises(Interrupted):
        loop.run()
    assert loop.selected is not None
    assert (loop.state.best_step, loop.selected.step) == (28, 36 if falls else 28)
    assert "not scored" in loop.selected.because
    assert ("the training loss fell from" in loop.selected.because) == falls


def test_the_initial_weights_are_scored_where_they_may_be_better_than_the_trained_ones(tmp_path: Path) -> None:
    objective = Toy()
    objective.scores_start = True
    objective.scale = lambda step: -1.0
    loop = toy_loop(tmp_path, objective, Limits(max_steps=8), eval_every=4)
    before = weights(loop).clone()
    loop.run()
    assert [row["step"] for row in rows(tmp_path) if "val_loss" in row] == [0, 4, 8]
    assert torch.equal(weights(loop), before)
    assert loop.selected is not None
    assert (loop.selected.step, "before the first step" in loop.selected.because) == (0, True)


def test_checkpoint_of_another_run_brings_weights_and_no_scores(tmp_path: Path) -> None:
    toy_loop(tmp_path / "a", eval_every=4).run()
    loop = toy_loop(
        tmp_path / "b",
        resume=tmp_path / "a" / "checkpoints" / "step-00000012",
        limits=Limits(max_steps=20),
        eval_every=4,
    )
    loop.run()
    assert [row["step"] for row in rows(tmp_path / "b") if "val_loss" in row] == [12, 16, 20]
    assert loop.state.best_step in (12, 16, 20)
    assert (tmp_path / "b" / "checkpoints" / f"step-{loop.state.best_step:08d}").is_dir()
    assert loop.state.clock.train < 60


def test_run_that_is_limited_in_time_saves_early(tmp_path: Path) -> None:
    seen: list[list[str]] = []
    objective = Toy(on_loss=lambda step: seen.append([p.name for p in list_checkpoints(tmp_path / "checkpoints")]))
    toy_loop(tmp_path, objective, Limits(max_steps=4, max_seconds=1000.0)).run()
    assert seen[:2] == [[], ["step-00000001"]]


def test_signal_while_the_result_is_written_is_not_swallowed(tmp_path: Path) -> None:
    loop = toy_loop(tmp_path)
    write = loop.write_result

    def stopped(model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        write(model)

    loop.write_result = stopped
    with pytest.raises(Interrupted):
        loop.run()
    assert (tmp_path / "written.txt").exists()


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="needs POSIX")
def test_sighup_saves_and_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        toy_loop(tmp_path, Toy(on_loss=lambda step: os.kill(os.getpid(), signal.SIGHUP) if step == 3 else None)).run()
    assert caught.value.exit_code == 129
    assert [path.name for path in list_checkpoints(tmp_path / "checkpoints")] == ["step-00000003"]


def test_run_ends_without_a_result_where_nothing_was_trained(tmp_path: Path) -> None:
    loop = toy_loop(tmp_path, limits=Limits(max_seconds=1e-3))
    loop.run()
    assert loop.selected is None
    assert not (tmp_path / "written.txt").exists()


def test_an_infinite_metric_can_be_logged_and_saved(tmp_path: Path) -> None:
    class Infinite(Measured):
        def loss(self, model: torch.nn.Module, *batch: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
            loss, metrics = super().loss(model, *batch)
            return loss, {name: value * math.inf for name, value in metrics.items()}

    toy_loop(tmp_path, Infinite(), eval_every=4, checkpoint_every=3, log_every=5).run()
    toy_loop(tmp_path, Infinite(), Limits(max_steps=14), eval_every=4, checkpoint_every=3, log_every=5).run()
    assert [row["accuracy"] for row in rows(tmp_path) if "accuracy" in row] == [None, None]


def test_a_rate_that_rises_again_gives_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings: dict[str, Any] = {"schedule": "wsd", "decay_fraction": 0.7, "min_lr_factor": 0.0}
    toy_loop(tmp_path, limits=Limits(max_steps=20), **settings).run()
    toy_loop(tmp_path, limits=Limits(max_steps=20), **settings).run()
    assert "rises again" not in capsys.readouterr().err
    toy_loop(tmp_path, limits=Limits(max_steps=40), **settings).run()
    assert "the learning rate rises again, from 0.0036 to 0.036" in " ".join(capsys.readouterr().err.split())


def test_a_setting_without_effect_gives_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toy_loop(tmp_path, limits=Limits(max_steps=20), warmup_steps=10, patience=3).run()
    told = " ".join(capsys.readouterr().err.split())
    assert "warm-up takes 2 of the recipe's 10 steps" in told
    assert "train.patience has no effect" in told


def test_weights_with_a_new_head_are_scored_but_cannot_be_the_result(tmp_path: Path) -> None:
    objective = Toy()
    objective.scores_start, objective.start_is_a_model = True, False
    objective.scale = lambda step: -1.0
    loop = toy_loop(tmp_path, objective, Limits(max_steps=4), eval_every=4)
    loop.run()
    again = toy_loop(tmp_path, objective, Limits(max_steps=8), eval_every=4)
    again.run()
    assert [row["step"] for row in rows(tmp_path) if "val_loss" in row] == [0, 4, 8]
    for one in (loop, again):
        assert one.selected is not None
        assert one.selected.step == 4
        assert "before the first step it was" in one.selected.because


def test_patience_counts_alike_after_a_kill_behind_the_last_evaluation(tmp_path: Path) -> None:
    def going_bad() -> Toy:
        objective = Toy()
        objective.scale = lambda step: 1.0 if step < 3 else -5.0
        return objective

    settings: dict[str, Any] = {"eval_every": 2, "patience": 2, "schedule": "constant"}
    whole = toy_loop(tmp_path, going_bad(), Limits(max_steps=50), **settings)
    ending = whole.run()
    assert "ran out of patience" in ending
    again = toy_loop(tmp_path, going_bad(), Limits(max_steps=50), **settings)  # as if killed before the result
    assert again.run() == ending
    assert again.state.step == whole.state.step
