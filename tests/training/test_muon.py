"""Our Muon equals torch's, but computes matrices of the same shape together."""

from __future__ import annotations

import pytest
import torch

from tuppence.training import muon
from tuppence.training.muon import Muon, orthogonalize

SHAPES = [(24, 8), (24, 8), (8, 24), (16, 16), (24, 8)]


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch.optim.Muon is newer than this torch")
def test_updates_equal_those_of_torch() -> None:
    torch.manual_seed(0)
    start = [torch.randn(shape) for shape in SHAPES]
    ours = [tensor.clone().requires_grad_() for tensor in start]
    theirs = [tensor.clone().requires_grad_() for tensor in start]
    settings = {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}
    mine = Muon(ours, **settings)
    other = torch.optim.Muon(theirs, adjust_lr_fn="match_rms_adamw", **settings)  # type: ignore[arg-type]
    for _ in range(5):
        for left, right in zip(ours, theirs, strict=True):
            left.grad = torch.randn_like(left)
            right.grad = left.grad.clone()
        mine.step()
        other.step()
    moved = max(float((a - b).detach().abs().max()) for a, b in zip(ours, start, strict=True))
    apart = max(float((a - b).detach().abs().max()) for a, b in zip(ours, theirs, strict=True))
    assert apart < 0.02 * moved  # both iterate in bf16, and batched products round differently


def test_singular_values_come_close_to_one() -> None:
    torch.manual_seed(0)
    stack = torch.randn(3, 32, 64)
    values = torch.linalg.svdvals(orthogonalize(stack).float())
    assert values.min() > 0.5
    assert values.max() < 1.3


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float16), ((6, 0), torch.float32)])
def test_gpus_without_bf16_iterate_in_float16_or_float32(
    capability: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert muon.iteration_dtype(torch.device("cuda")) == dtype
    monkeypatch.setattr(muon, "iteration_dtype", lambda device: dtype)
    torch.manual_seed(0)
    for scale in (1e-6, 1.0, 1e4):  # of gradients; the iteration begins with a division by the norm
        found = orthogonalize(scale * torch.randn(3, 32, 64))
        assert found.dtype == dtype
        values = torch.linalg.svdvals(found.float())
        assert values.min() > 0.5
        assert values.max() < 1.3


def test_each_matrix_of_a_stack_is_treated_as_if_it_were_alone() -> None:
    torch.manual_seed(0)
    stack = torch.randn(4, 16, 48)
    alone = torch.cat([orthogonalize(matrix[None]) for matrix in stack])
    assert torch.allclose(orthogonalize(stack).float(), alone.float(), atol=0.02)


def test_only_matrices_are_accepted() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.zeros(3, requires_grad=True)])


def test_a_parameter_without_gradient_stays() -> None:
    still, moving = torch.ones(4, 4, requires_grad=True), torch.ones(4, 4, requires_grad=True)
    moving.grad = torch.randn(4, 4)
    Muon([still, moving], lr=0.1).step()
    assert torch.equal(still, torch.ones(4, 4))
    assert not torch.equal(moving, torch.ones(4, 4))
