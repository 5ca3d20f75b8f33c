"""Chapter 5: its surprise holds for other seeds, and a fault in the library makes it fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from tests.notebooks.cells import Cells, chapter_at
from torch import Tensor
from torch.nn import functional as F

import tuppence as tp
from tuppence.training import reference

PRETRAINING = "05_Pretraining"


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_for_one_price_two_shapes_end_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chapter_at("laptop", tmp_path, monkeypatch):
        cells = Cells(PRETRAINING)
        cells.run("import importlib", "import copy")
        cells.run("def loss_of")
        loss_of = cells.names["loss_of"]
        for seed in (2, 3):
            big, long, small = (loss_of(*spec, seed)[0].loss for spec in ((96, 2, 400), (48, 2, 800), (16, 1, 400)))
            assert abs(big - long) < 0.15, (seed, big, long)
            assert small > max(big, long) + 0.5, (seed, small)


# ---- faults in the library -------------------------------------------------------------------------------------------


def mean_of_targets(logits: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


def without_the_shift(logits: Tensor, targets: Tensor) -> Tensor:
    probabilities = logits.exp() / logits.exp().sum(dim=-1, keepdim=True)
    return -probabilities.gather(-1, targets[..., None]).log().sum()


def _adamw(  # the library's with faults to choose from
    parameter: Tensor,
    gradient: Tensor,
    mean: Tensor,
    square: Tensor,
    step: int,
    *,
    fault: str,
    lr: float = 1e-3,
    weight_decay: float = 0.1,
) -> None:
    if fault == "decay in the gradient":
        gradient = gradient + weight_decay * parameter
    else:
        parameter *= 1 - lr * weight_decay
    mean += 0.1 * (gradient - mean)
    square += 0.05 * (gradient**2 - square)
    started = step - 1 if fault == "step from zero" else step
    if fault == "no bias correction":
        parameter -= lr * mean / (square.sqrt() + 1e-8)
    else:
        parameter -= lr * mean / (1 - 0.9 ** max(started, 1)) / ((square / (1 - 0.95 ** max(started, 1))).sqrt() + 1e-8)


def adamw_with(fault: str) -> Any:
    def step(*arguments: Any, **options: Any) -> None:
        with torch.no_grad():
            _adamw(*arguments, fault=fault, **options)

    return step


def test_the_faulty_adamw_without_a_fault_is_the_librarys() -> None:
    torch.manual_seed(0)
    one, other = torch.randn(4), torch.zeros(4)
    twin, averages, twins = one.clone(), (other.clone(), other.clone()), (other.clone(), other.clone())
    for step in (1, 2, 3):
        gradient = torch.randn(4)
        adamw_with("none")(one, gradient, *averages, step, lr=0.1)
        reference.adamw_step(twin, gradient, *twins, step, lr=0.1)
    assert torch.allclose(one, twin)


@pytest.mark.usefixtures("at_test_scale")
@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("cross_entropy", mean_of_targets),
        ("cross_entropy", without_the_shift),
        ("adamw_step", adamw_with("no bias correction")),
        ("adamw_step", adamw_with("decay in the gradient")),
        ("adamw_step", adamw_with("step from zero")),
    ],
)
def test_chapter_5_finds_a_fault_in_a_step(name: str, fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp, name, fault, raising=False)
    with pytest.raises(AssertionError):
        Cells(PRETRAINING).run_before("steps = chapter.pick(test=4")


@pytest.mark.usefixtures("at_test_scale")
def test_nothing_is_found_in_the_library_itself() -> None:
    Cells(PRETRAINING).run_before("steps = chapter.pick(test=4")
