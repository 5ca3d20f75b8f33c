"""Chapter 8: a fault in the library makes it fail, and the hacked reward is hacked with other seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.notebooks.cells import Cells, chapter_at
from torch import Tensor
from torch.nn import functional as F

import tuppence as tp
from tuppence.tasks.ppo import equations

ALIGNMENT = "08_Alignment"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("test", tmp_path, monkeypatch):
        yield


def cells_with_imports() -> Cells:
    """The chapter without its base model, which the equations do not need."""
    cells = Cells(ALIGNMENT)
    cells.names.update(tp=tp, torch=torch, math=math, F=F)
    return cells


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_reward_alone_is_hacked_and_a_leash_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with chapter_at("laptop", tmp_path, monkeypatch):
        cells = Cells(ALIGNMENT)
        cells.run("import importlib", "import copy", "def chase")
        chase = cells.names["chase"]
        for seed in (1, 2):
            rewards, divergences, _ = chase(0.0, 60, seed)
            assert rewards[-1] > 4 > 1 > rewards[0]
            assert divergences[-1] > 30
            _, held, _ = chase(0.3, 60, seed)
            assert held[-1] < 12


# ---- faults in the library -------------------------------------------------------------------------------------------


def rejected_preferred(logps_B2: Tensor, reference_B2: Tensor, *, beta: float, label_smoothing: float = 0) -> Tensor:
    margins_B2 = beta * (logps_B2 - reference_B2)
    return -F.logsigmoid(margins_B2[:, 1] - margins_B2[:, 0])


def without_reference(logps_B2: Tensor, reference_B2: Tensor, *, beta: float, label_smoothing: float = 0) -> Tensor:
    return -F.logsigmoid(beta * (logps_B2[:, 0] - logps_B2[:, 1]))


def beta_outside(logps_B2: Tensor, reference_B2: Tensor, *, beta: float, label_smoothing: float = 0) -> Tensor:
    margins_B2 = logps_B2 - reference_B2
    return -beta * F.logsigmoid(margins_B2[:, 0] - margins_B2[:, 1])


def without_the_logarithm(logps_B2: Tensor, reference_B2: Tensor, *, beta: float, label_smoothing: float = 0) -> Tensor:
    margins_B2 = beta * (logps_B2 - reference_B2)
    return -torch.sigmoid(margins_B2[:, 0] - margins_B2[:, 1])


@pytest.mark.parametrize("fault", [rejected_preferred, without_reference, beta_outside, without_the_logarithm])
def test_chapter_8_finds_a_fault_in_the_loss_of_dpo(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tp, "dpo_losses", fault, raising=False)
    with pytest.raises(AssertionError):
        cells_with_imports().run("def pair_loss", "policy_B2 = torch.tensor")


RIGHT = equations.generalised_advantages


def forwards(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, gae_lambda: float) -> Tensor:
    return RIGHT(rewards.flip(1), values.flip(1), mask, gamma=gamma, gae_lambda=gae_lambda).flip(1)


def behind_the_end(rewards: Tensor, values: Tensor, mask: Tensor, *, gamma: float, gae_lambda: float) -> Tensor:
    advantages, following = torch.zeros_like(rewards), torch.zeros_like(rewards[:, 0])
    next_value = values[:, -1]
    for column in reversed(range(rewards.shape[1])):
        following = rewards[:, column] + gamma * next_value - values[:, column] + gamma * gae_lambda * following
        next_value = values[:, column]
        advantages[:, column] = following
    return advantages


def clip_on_both_sides(new: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    return -advantages * torch.exp(new - old).clamp(1 - clip, 1 + clip)


def minimum_of_losses(new: Tensor, old: Tensor, advantages: Tensor, clip: float) -> Tensor:
    ratios = torch.exp(new - old)
    return torch.minimum(-advantages * ratios, -advantages * ratios.clamp(1 - clip, 1 + clip))


@pytest.mark.parametrize(
    ("name", "fault", "cell"),
    [
        ("generalised_advantages", forwards, "def advantages_by_hand"),
        ("generalised_advantages", behind_the_end, "def advantages_by_hand"),
        ("clipped_policy_loss", clip_on_both_sides, "for ratio, advantage, expected in"),
        ("clipped_policy_loss", minimum_of_losses, "for ratio, advantage, expected in"),
    ],
)
def test_chapter_8_finds_a_fault_in_the_equations(
    name: str, fault: Any, cell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(equations, name, fault)
    with pytest.raises(AssertionError):
        cells_with_imports().run(cell)


def test_nothing_is_found_in_the_library_itself() -> None:
    cells_with_imports().run(
        "def pair_loss", "policy_B2 = torch.tensor", "def advantages_by_hand", "for ratio, advantage, expected in"
    )
