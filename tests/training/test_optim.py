"""Which optimizer updates which parameter, and how its state is restored."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.training.toy import Bigram
from tuppence.training.config import TrainConfig
from tuppence.training.optim import Optimizers


def build(model: nn.Module, **settings: object) -> Optimizers:
    return Optimizers(model.named_parameters(), TrainConfig(**settings), "cpu")  # type: ignore[arg-type]


def step(model: nn.Module, optimizers: Optimizers) -> None:
    torch.manual_seed(1)
    model(torch.arange(10)).pow(2).sum().backward()
    optimizers.step()
    optimizers.zero_grad()


def test_weight_decay_applies_to_matrices_only() -> None:
    model = Bigram()
    optimizers = build(model, weight_decay=0.5, learning_rate=0.1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizers.step()
    for name, parameter in model.named_parameters():
        expected = before[name] * (1 - 0.1 * 0.5) if parameter.ndim == 2 else before[name]
        assert torch.allclose(parameter, expected), name


def test_adamw_equals_torch_s_plain_one() -> None:
    torch.manual_seed(0)
    ours, theirs = Bigram().eval(), Bigram().eval()
    theirs.load_state_dict(ours.state_dict())
    optimizers = build(ours, weight_decay=0.1, learning_rate=0.01)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim == 2], "weight_decay": 0.1},
        {"params": [p for p in theirs.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.01, betas=(0.9, 0.95), foreach=False, fused=False)
    for _ in range(3):
        step(ours, optimizers)
        theirs(torch.arange(10)).pow(2).sum().backward()
        reference.step()
        reference.zero_grad()
    for left, right in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(left, right, atol=1e-6)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_embeddings_may_have_a_rate_of_their_own(optimizer: str) -> None:
    torch.manual_seed(0)
    plain, quick = Bigram(), Bigram()
    quick.load_state_dict(plain.state_dict())
    settings = {"optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.0}
    for model, more in ((plain, {}), (quick, {"embedding_learning_rate": 0.05})):
        optimizers = build(model, **settings, **more)
        assert optimizers.set_rate(0.5) == pytest.approx(0.005)
        torch.manual_seed(1)
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        optimizers.step()
        moved = {name: float((p.detach() - before[name]).abs().max()) for name, p in model.named_parameters()}
        expected = 0.5 * float(more.get("embedding_learning_rate", 0.01))  # Adam's first step is the rate itself
        assert moved["embedding.weight"] == pytest.approx(expected, rel=1e-3)
        assert all(moved[name] < 0.02 for name in moved if name != "embedding.weight")


def test_muon_trains_the_matrices_of_the_blocks_and_adamw_heads_embeddings_and_vectors() -> None:
    model = Bigram()
    optimizers = build(model, optimizer="muon")
    step(model, optimizers)
    kinds = {name.rpartition(".")[0]: name.rpartition(".")[2] for name in optimizers.state()}
    assert kinds["blocks.0.weight"] == "momentum_buffer"
    assert kinds["head.weight"] != "momentum_buffer"
    assert kinds["embedding.weight"] != "momentum_buffer"
    assert kinds["blocks.0.bias"] != "momentum_buffer"


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_restored_state_continues_bit_for_bit(optimizer: str) -> None:
    torch.manual_seed(0)
    model, copy = Bigram().eval(), Bigram().eval()
    optimizers = build(model, optimizer=optimizer)
    step(model, optimizers)
    copy.load_state_dict(model.state_dict())
    restored = build(copy, optimizer=optimizer)
    restored.load_state(optimizers.state())
    step(model, optimizers)
    step(copy, restored)
    for left, right in zip(model.parameters(), copy.parameters(), strict=True):
        assert torch.equal(left, right)


def test_state_of_another_model_is_refused() -> None:
    optimizers = build(Bigram())
    with pytest.raises(ValueError, match="no trained parameter"):
        optimizers.load_state({"other.weight.exp_avg": torch.zeros(2)})
    with pytest.raises(ValueError, match="shape"):
        optimizers.load_state({"blocks.0.weight.exp_avg": torch.zeros(2, 2)})


def test_state_of_another_optimizer_is_refused() -> None:
    model = Bigram()
    optimizers = build(model, optimizer="muon")
    step(model, optimizers)
    with pytest.raises(ValueError, match="another optimizer"):
        build(model, optimizer="adamw").load_state(optimizers.state())


def test_rates_are_shares_of_their_own_peaks() -> None:
    optimizers = build(Bigram(), optimizer="muon", learning_rate=0.01, muon_learning_rate=0.04)
    assert optimizers.set_rate(0.5) == pytest.approx(0.005)
    assert sorted({group["lr"] for group in optimizers._groups()}) == pytest.approx([0.005, 0.02])


def test_frozen_parameters_are_left_out() -> None:
    model = Bigram()
    model.embedding.weight.requires_grad_(False)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert len(build(model).parameters()) == len(names)
