"""A step that is not finite changes no weight, also if the host learns of it later; fp16 scales its loss."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.toy import Bigram, Toy, toy_loop, weights
from tuppence.core.errors import NonFiniteError
from tuppence.core.json_lines import read_json_lines
from tuppence.cost.limits import Limits
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.precision import autocast
from tuppence.training.checkpoint import list_checkpoints, load_checkpoint
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution
from tuppence.training.optim import Optimizers
from tuppence.training.precision import LossScale
from tuppence.training.step import Step

FP16 = Execution("cpu", "fp16", compile=False)


class Late:
    """An event of a device whose values can be read only after `synchronize`."""

    def __init__(self) -> None:
        self.waited_for = False

    def synchronize(self) -> None:
        self.waited_for = True


class AsynchronousExecution(Execution):
    """A CPU whose results arrive as late as those of a GPU."""

    events: list[Late] = []  # noqa: RUF012

    def fetch(self, values: Tensor) -> tuple[Tensor, Late]:  # type: ignore[override]
        self.events.append(Late())
        return values, self.events[-1]


def overflowing(step: int) -> float:
    """A loss that float32 holds and whose gradient fp16 does not, at any loss scale from 1 up."""
    return 1e7


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_step_that_is_not_finite_changes_no_weight_no_moment_and_no_count(optimizer: str) -> None:
    torch.manual_seed(0)
    model = Bigram()
    optimizers = Optimizers(model.named_parameters(), TrainConfig(optimizer=optimizer), "cpu")
    for finite in (True, False, True):
        before = [tensor.clone() for tensor in (*model.parameters(), *optimizers.state().values())]
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        if not finite:
            model.blocks[0].weight.grad[0, 0] = math.inf  # type: ignore[index,union-attr]
            model.embedding.weight.grad[1] = math.nan  # type: ignore[index]
        optimizers.step(torch.tensor(finite))
        after = [*model.parameters(), *optimizers.state().values()]
        if not finite:
            assert all(torch.equal(old, new) for old, new in zip(before, after, strict=True))
        else:
            assert all(bool(tensor.isfinite().all()) for tensor in after)
            assert not any(torch.equal(old, new) for old, new in zip(before, after, strict=False))


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_finite_decision_gives_the_bits_of_a_step_without_one(optimizer: str) -> None:
    results = []
    for finite in (None, torch.tensor(True)):
        torch.manual_seed(0)
        model = Bigram()
        optimizers = Optimizers(model.named_parameters(), TrainConfig(optimizer=optimizer), "cpu")
        for _ in range(3):
            for parameter in model.parameters():
                parameter.grad = torch.randn_like(parameter)
            optimizers.step(finite)
        results.append(torch.cat([parameter.detach().flatten() for parameter in model.parameters()]))
    assert torch.equal(*results)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_fp16_that_overflows_at_every_scale_stops_the_run(tmp_path: Path, optimizer: str) -> None:
    objective = Toy()
    objective.scale = lambda step: 1.0 if step < 4 else overflowing(step)
    loop = toy_loop(
        tmp_path, objective, Limits(max_steps=300), execution=FP16, optimizer=optimizer, checkpoint_every=4, log_every=1
    )
    with pytest.raises(NonFiniteError, match="fp16") as caught:
        loop.run()
    assert "float32" in caught.value.hint
    assert loop.state.step <= 4 + 20
    rows = [row for row in read_json_lines(tmp_path / "metrics.jsonl") if "loss_scale" in row]
    assert [row["loss_scale"] for row in rows[3:6]] == [65536.0, 32768.0, 16384.0]
    assert [row["skipped_steps"] for row in rows[3:6]] == [0, 1, 2]
    last = load_checkpoint(list_checkpoints(tmp_path / "checkpoints")[-1])
    assert all(torch.equal(value, last.model[name]) for name, value in loop.model.state_dict().items())


def test_a_few_skipped_steps_do_not_stop_fp16(tmp_path: Path) -> None:
    objective = Toy()
    objective.scale = lambda step: 3e3 if step < 2 else 1.0  # too much for a scale of 65,536, not for less
    loop = toy_loop(tmp_path, objective, Limits(max_steps=8), execution=FP16)
    loop.run()
    assert loop.step.scaler.skipped == 2
    tokens_per_step = sum(map(objective.tokens, objective.batches(0, 0, 1)))
    assert (loop.state.step, loop.state.tokens) == (8, 6 * tokens_per_step)  # of skipped steps nothing was learned
    kept = load_checkpoint(list_checkpoints(tmp_path / "checkpoints")[-1]).state["scaler"]
    assert (kept["skipped"], kept["scale"]) == (2, 16384.0)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_run_of_another_precision_continues_in_fp16_with_the_initial_scale(tmp_path: Path, precision: str) -> None:
    before = toy_loop(tmp_path / "a", execution=Execution("cpu", precision, compile=False), checkpoint_every=4)
    before.run()
    origin = tmp_path / "a" / "checkpoints" / "step-00000012"
    after = toy_loop(tmp_path / "b", limits=Limits(max_steps=14), resume=origin, execution=FP16)
    after.run()
    assert after.state.step == 14
    assert after.step.scaler.get_scale() == 65536.0


def test_the_loss_scale_is_that_of_torch() -> None:
    ours, theirs = LossScale("cpu", enabled=True, growth_interval=3), torch.amp.GradScaler("cpu", growth_interval=3)
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([parameter], lr=0.1)
    for value in (1.0, 1.0, math.inf, 2.0, 2.0, 2.0, 2.0, math.nan, math.inf, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0):
        loss = torch.tensor(value)
        assert torch.equal(ours.scale(loss).nan_to_num(), theirs.scale(loss).nan_to_num())
        parameter.grad = torch.full((3,), value)
        copy = parameter.grad.clone()
        theirs.unscale_(optimizer)
        ours.unscale_([copy])
        assert torch.equal(copy.nan_to_num(), parameter.grad.nan_to_num())
        theirs.step(optimizer)
        theirs.update()
        ours.update(torch.tensor(value).isfinite())
        assert ours.get_scale() == theirs.get_scale()
        assert theirs.state_dict().items() <= ours.state_dict().items()
    again = LossScale("cpu", enabled=True, growth_interval=3)
    again.load_state_dict(theirs.state_dict())
    assert again.state_dict() == {**theirs.state_dict(), "skipped": 0, "skipped_in_a_row": 0}


def test_fp16_gradients_are_float32_s_and_small_ones_survive_by_the_scale() -> None:
    torch.manual_seed(0)
    model = GPT(ModelConfig(n_layers=2, n_heads=2, d_model=32, context_length=16, vocab_size=300))
    tokens, targets = torch.randint(0, 300, (2, 4, 16))

    def gradients(precision: str, factor: float, scale: LossScale) -> Tensor:
        model.zero_grad()
        with autocast("cpu", precision):
            loss = model.loss(tokens, targets)
        scale.scale(loss * factor).backward()
        present = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        scale.unscale_(present)
        return torch.cat([gradient.flatten() for gradient in present]) / factor

    off, on = LossScale("cpu", enabled=False), LossScale("cpu", enabled=True)
    expected = gradients("float32", 1 / 64, off)
    assert (gradients("fp16", 1 / 64, on) - expected).norm() < 5e-3 * expected.norm()
    # a step of half a million targets divides by as much: without a scale most gradients fall below fp16's smallest
    tiny = 1 / 2**19
    assert (gradients("fp16", tiny, on) - expected).norm() < 5e-3 * expected.norm()
    assert (gradients("fp16", tiny, off) - expected).norm() > 2e-2 * expected.norm()


def test_a_non_finite_step_reported_late_changes_no_weight_and_no_checkpoint(tmp_path: Path) -> None:
    objective = Toy()
    objective.scale = lambda step: math.nan if step == 5 else 1.0
    execution = AsynchronousExecution("cpu", "float32", compile=False)
    loop = toy_loop(tmp_path, objective, execution=execution, log_every=100, checkpoint_every=2)
    seen: dict[int, Tensor] = {}
    update = loop.step.update

    def watched(gradients: object) -> None:
        update(gradients)  # type: ignore[arg-type]
        seen[loop.state.step] = weights(loop).clone()

    loop.step.update = watched  # type: ignore[method-assign,assignment]
    with pytest.raises(NonFiniteError, match="step 5"):
        loop.run()
    assert torch.equal(seen[4], seen[5])
    checkpoints = list_checkpoints(tmp_path / "checkpoints")
    assert checkpoints[-1].name == "step-00000004"
    assert all(bool(tensor.isfinite().all()) for tensor in load_checkpoint(checkpoints[-1]).model.values())


def test_late_outcomes_give_the_same_rows_and_weights(tmp_path: Path) -> None:
    settings = {"log_every": 3, "eval_every": 4, "checkpoint_every": 5}
    prompt = toy_loop(tmp_path / "prompt", **settings)
    late = toy_loop(tmp_path / "late", execution=AsynchronousExecution("cpu", "float32", compile=False), **settings)
    for loop in (prompt, late):
        loop.run()
    assert torch.equal(weights(prompt), weights(late))
    kept = ("step", "loss", "val_loss", "learning_rate", "grad_norm", "tokens")
    rows = [
        [{key: row.get(key) for key in kept} for row in read_json_lines(tmp_path / name / "metrics.jsonl")]
        for name in ("prompt", "late")
    ]
    assert rows[0] == rows[1]


def test_the_host_does_not_wait_for_a_step_before_it_starts_the_next(tmp_path: Path) -> None:
    execution = AsynchronousExecution("cpu", "float32", compile=False)
    execution.events.clear()
    loop = toy_loop(tmp_path, execution=execution, log_every=100)
    loop.training_step(0.0)  # the loop waits for the first one, because it is timed separately
    for step in range(1, 4):
        loop.training_step(0.0)
        assert [event.waited_for for event in execution.events] == [True] * step + [False]
    loop.read_outcomes(wait=True)
    assert all(event.waited_for for event in execution.events)


def test_near_its_limit_a_run_waits_for_every_step(tmp_path: Path) -> None:
    execution = AsynchronousExecution("cpu", "float32", compile=False)
    execution.events.clear()
    loop = toy_loop(tmp_path, limits=Limits(max_seconds=3600.0), execution=execution, log_every=100)
    for _ in range(3):
        loop.training_step(0.0)
    assert [event.waited_for for event in execution.events] == [True, True, False]
    loop.deadline.seconds_left = lambda *_, **__: 4 * (loop.deadline.meter.step_seconds or 1.0)  # type: ignore[method-assign]
    loop.training_step(0.0)
    assert all(event.waited_for for event in execution.events)


class Watched(Toy):
    """Records the mode in which torch computes each part."""

    def __init__(self) -> None:
        super().__init__()
        self.modes: dict[str, tuple[bool, bool]] = {}

    def note(self, what: str) -> None:
        strict = torch.are_deterministic_algorithms_enabled()
        self.modes[what] = strict, torch.is_deterministic_algorithms_warn_only_enabled()

    def prepare(self, step: int, model: torch.nn.Module) -> None:
        self.note("prepare")

    def loss(self, model: torch.nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        self.note("training" if model.training else "evaluation")
        loss, metrics = super().loss(model, *batch)
        if model.training:
            loss.register_hook(lambda _: self.note("backward"))
        return loss, metrics

    def samples(self, model: torch.nn.Module) -> list[object]:  # type: ignore[override]
        self.note("samples")
        return []


@pytest.mark.parametrize("wanted", [True, False])
def test_kernels_are_ordered_strictly_in_forward_and_backward_and_nowhere_else(tmp_path: Path, wanted: bool) -> None:
    objective = Watched()
    toy_loop(tmp_path, objective, Limits(max_steps=2), eval_every=1, deterministic=wanted).run()
    strict = {what for what, mode in objective.modes.items() if mode == (True, False)}
    assert strict == ({"training", "backward"} if wanted else set())
    assert set(objective.modes) == {"prepare", "training", "backward", "evaluation", "samples"}


@pytest.mark.parametrize("clip", [1e-3, 0.3, 1e3])
def test_skipping_a_clipping_factor_of_one_changes_no_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clip: float
) -> None:
    def trained(out: Path) -> Tensor:
        loop = toy_loop(out, gradient_clip=clip, max_steps=6)
        loop.run()
        return weights(loop)

    ours = trained(tmp_path / "ours")
    monkeypatch.setattr(Step, "_is_small", lambda step, norm: False)
    assert torch.equal(ours, trained(tmp_path / "torch"))
