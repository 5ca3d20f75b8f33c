from __future__ import annotations

import shutil
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tuppence.model import loss as loss_module
from tuppence.model.loss import (
    padded_rows,
    summed_cross_entropy,
    token_log_probabilities_and_entropies,
    token_scores,
)


def token_log_probabilities(*arguments: torch.Tensor) -> torch.Tensor:
    return token_log_probabilities_and_entropies(*arguments)[0]


def example(tokens: int = 37, width: int = 12, vocabulary: int = 29) -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    hidden_ND = torch.randn(tokens, width, requires_grad=True)
    head_VD = torch.randn(vocabulary, width, requires_grad=True)
    targets_N = torch.randint(0, vocabulary, (tokens,))
    targets_N[::5] = -100
    return hidden_ND, head_VD, targets_N


def plain(hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
    """The definition, all logits at once."""
    return F.cross_entropy((hidden_ND @ head_VD.t()).float(), targets_N, reduction="sum", ignore_index=-100)


@pytest.mark.parametrize("logits_at_once", [1, 29 * 8, 2**25])
def test_loss_and_gradients_are_those_of_cross_entropy_whatever_the_piece(
    logits_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loss_module.LOGITS_AT_ONCE, "cpu", logits_at_once)
    hidden_ND, head_VD, targets_N = example()
    loss, expected = (f(hidden_ND, head_VD, targets_N) for f in (summed_cross_entropy, plain))
    torch.testing.assert_close(loss, expected)
    # scaled, as a caller's division by the global token count does
    got = torch.autograd.grad(loss / 3, (hidden_ND, head_VD))
    wanted = torch.autograd.grad(expected / 3, (hidden_ND, head_VD))
    torch.testing.assert_close(got, wanted)


def test_loss_and_gradients_are_those_of_torchs_own_fused_loss() -> None:
    if not hasattr(F, "linear_cross_entropy"):
        pytest.skip("this torch has no linear_cross_entropy")
    hidden_ND, head_VD, targets_N = example()
    theirs = F.linear_cross_entropy(hidden_ND, head_VD, targets_N, reduction="sum", ignore_index=-100)
    ours = summed_cross_entropy(hidden_ND, head_VD, targets_N)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, (hidden_ND, head_VD)), torch.autograd.grad(theirs, (hidden_ND, head_VD))
    )


def test_gradients_pass_numerical_differentiation() -> None:
    hidden_ND, head_VD, targets_N = example(5, 3, 4)
    inputs = hidden_ND.double().detach().requires_grad_(), head_VD.double().detach().requires_grad_()
    # the sum itself is float32, so differences are taken widely and compared loosely
    assert torch.autograd.gradcheck(
        lambda hidden, head: summed_cross_entropy(hidden, head, targets_N), inputs, eps=1e-2, atol=1e-2, rtol=1e-2
    )


def test_without_gradients_the_loss_is_the_same() -> None:
    hidden_ND, head_VD, targets_N = example()
    with torch.no_grad():
        loss = summed_cross_entropy(hidden_ND, head_VD, targets_N)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, plain(hidden_ND, head_VD, targets_N).detach())


def test_without_gradients_only_scored_targets_get_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 0
    linear = F.linear

    def counting(*arguments: Tensor) -> Tensor:
        nonlocal rows
        rows += arguments[0].shape[0]
        return linear(*arguments)

    monkeypatch.setattr(loss_module.F, "linear", counting)
    hidden_ND, head_VD, targets_N = example()
    with torch.no_grad():
        summed_cross_entropy(hidden_ND, head_VD, targets_N)
        assert rows == (targets_N != -100).sum()
        assert summed_cross_entropy(hidden_ND, head_VD, torch.full_like(targets_N, -100)).item() == 0


@pytest.mark.parametrize("logits_at_once", [1, 29 * 8, 2**25])
def test_token_scores_are_those_of_the_whole_softmax(logits_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss_module.LOGITS_AT_ONCE, "cpu", logits_at_once)
    hidden_ND, head_VD, _ = example()
    logits_NV = (hidden_ND @ head_VD.t()).detach()
    targets_N = torch.where(torch.arange(37) % 3 == 0, logits_NV.argmax(-1), torch.arange(37) % 29)
    log_probabilities_N, best_N = token_scores(hidden_ND, head_VD, targets_N)
    expected_N = logits_NV.log_softmax(-1)[torch.arange(37), targets_N]
    torch.testing.assert_close(log_probabilities_N, expected_N)
    torch.testing.assert_close(token_log_probabilities(hidden_ND, head_VD, targets_N), expected_N)
    assert best_N.tolist() == (logits_NV.argmax(-1) == targets_N).tolist()
    assert not log_probabilities_N.requires_grad


@pytest.mark.parametrize("logits_at_once", [1, 29 * 8, 2**25])
def test_log_probabilities_and_their_gradients_are_those_of_the_whole_softmax(
    logits_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loss_module.LOGITS_AT_ONCE, "cpu", logits_at_once)
    hidden_ND, head_VD, _ = example()
    targets_N = torch.arange(37) % 29
    expected_NV = (hidden_ND @ head_VD.t()).log_softmax(-1)
    expected_N = expected_NV[torch.arange(37), targets_N]
    got_N, entropies_N = token_log_probabilities_and_entropies(hidden_ND, head_VD, targets_N)
    torch.testing.assert_close(got_N, expected_N)
    torch.testing.assert_close(entropies_N, torch.distributions.Categorical(logits=expected_NV).entropy())
    upstream_N = torch.randn(37)
    torch.testing.assert_close(
        torch.autograd.grad(got_N, (hidden_ND, head_VD), upstream_N),
        torch.autograd.grad(expected_N, (hidden_ND, head_VD), upstream_N),
    )


def test_log_probabilities_under_bfloat16_autocast_are_float32_and_close() -> None:
    hidden_ND, head_VD, _ = example(2000, 32, 500)
    targets_N = torch.arange(2000) % 500
    with torch.autocast("cpu", torch.bfloat16):
        got_N = token_log_probabilities(hidden_ND, head_VD, targets_N)
    expected_N = (hidden_ND @ head_VD.t()).log_softmax(-1)[torch.arange(2000), targets_N]
    assert got_N.dtype == torch.float32
    assert (got_N - expected_N).abs().max() < 0.15
    grads = [torch.autograd.grad(value.sum(), (hidden_ND, head_VD)) for value in (got_N, expected_N)]
    for ours, theirs in zip(*grads, strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 1e-2


@pytest.mark.parametrize("score", [summed_cross_entropy, token_log_probabilities])
def test_no_gradient_is_computed_for_a_frozen_head(
    score: Callable[..., Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden_ND, head_VD, _ = example()
    targets_N = torch.arange(37) % 29
    wanted = torch.autograd.grad(score(hidden_ND, head_VD, targets_N).sum(), hidden_ND)
    transposed = 0

    def counting(tensor: Tensor) -> Tensor:
        nonlocal transposed
        transposed += 1
        return tensor.transpose(0, 1)

    monkeypatch.setattr(Tensor, "t", counting)
    loss = score(hidden_ND, head_VD.detach(), targets_N).sum()
    torch.testing.assert_close(torch.autograd.grad(loss, hidden_ND), wanted)
    assert transposed == 0  # a head's gradient is the one product with a transposed matrix


def test_targets_that_are_all_ignored_add_nothing() -> None:
    hidden_ND, head_VD, targets_N = example()
    loss = summed_cross_entropy(hidden_ND, head_VD, torch.full_like(targets_N, -100))
    loss.backward()
    assert loss.item() == 0
    assert hidden_ND.grad is not None
    assert not hidden_ND.grad.any()
    assert head_VD.grad is not None
    assert not head_VD.grad.any()


def test_under_bfloat16_autocast_the_sum_stays_float32_and_close() -> None:
    hidden_ND, head_VD, targets_N = example(2000, 32, 500)
    with torch.autocast("cpu", torch.bfloat16):
        loss = summed_cross_entropy(hidden_ND, head_VD, targets_N)
    expected = plain(hidden_ND, head_VD, targets_N)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(expected.item(), rel=2e-3)
    got, wanted = (torch.autograd.grad(value, (hidden_ND, head_VD)) for value in (loss, expected))
    for ours, theirs in zip(got, wanted, strict=True):
        assert ours.dtype == torch.float32
        assert (ours - theirs).norm() / theirs.norm() < 1e-2


def test_no_more_logits_than_allowed_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss_module.LOGITS_AT_ONCE, "cpu", 29 * 8)
    largest = 0
    linear = F.linear

    def counting(*arguments: Tensor) -> Tensor:
        nonlocal largest
        out = linear(*arguments)
        largest = max(largest, out.numel())
        return out

    monkeypatch.setattr(loss_module.F, "linear", counting)
    summed_cross_entropy(*example()).backward()
    assert largest == 29 * 8


@pytest.fixture
def padded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The head is padded as on a GPU; the rows of the heads that are multiplied with from now on."""
    monkeypatch.setitem(loss_module.HEAD_MULTIPLE, "cpu", 64)
    rows: list[int] = []
    linear = F.linear

    def counting(*arguments: Tensor) -> Tensor:
        rows.append(len(arguments[1]))
        return linear(*arguments)

    monkeypatch.setattr(loss_module.F, "linear", counting)
    return rows


@pytest.mark.parametrize("precision", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("logits_at_once", [29 * 8, 2**25])
def test_a_padded_head_gives_the_same_losses_scores_and_gradients(
    precision: torch.dtype | None,
    logits_at_once: int,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setitem(loss_module.LOGITS_AT_ONCE, "cpu", logits_at_once)
    hidden_ND, head_VD, targets_N = example()
    given_N = torch.arange(37) % 29

    def everything() -> list[Tensor]:
        with torch.autocast("cpu", precision or torch.bfloat16, enabled=precision is not None):
            loss = summed_cross_entropy(hidden_ND, head_VD, targets_N)
            with torch.no_grad():
                evaluated = summed_cross_entropy(hidden_ND, head_VD, targets_N)
                scores_N, best_N = token_scores(hidden_ND, head_VD, given_N)
            each_N, entropies_N = token_log_probabilities_and_entropies(hidden_ND, head_VD, given_N)
        gradients = [
            *torch.autograd.grad(loss / 3, (hidden_ND, head_VD)),
            *torch.autograd.grad(each_N, (hidden_ND, head_VD), torch.linspace(-1, 1, 37)),
        ]
        return [loss.detach(), evaluated, scores_N, best_N, each_N.detach(), entropies_N, *gradients]

    plain_ones = everything()
    rows = request.getfixturevalue("padded")
    padded_ones = everything()
    assert set(rows) == {64}
    rounding = 1e-5 if precision is None else 1e-2  # other sums in 16 bits
    for one, other in zip(plain_ones, padded_ones, strict=True):
        assert one.shape == other.shape
        assert (one.float() - other.float()).norm() <= rounding * one.float().norm()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_a_padded_head_compiles_to_the_same_loss_and_gradients(padded: list[int]) -> None:
    hidden_ND, head_VD, targets_N = example()
    compiled = torch.compile(summed_cross_entropy, fullgraph=True)
    loss, expected = compiled(hidden_ND, head_VD, targets_N), plain(hidden_ND, head_VD, targets_N)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(
        torch.autograd.grad(loss, (hidden_ND, head_VD)), torch.autograd.grad(expected, (hidden_ND, head_VD))
    )


def test_a_gpu_computes_its_logits_in_few_equal_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss_module.LOGITS_AT_ONCE, "cuda", 2**28)
    cuda = SimpleNamespace(device=SimpleNamespace(type="cuda"), shape=(16 * 1024, 768))
    head = SimpleNamespace(shape=(50257, 768))
    piece = loss_module._piece(cuda, head)  # type: ignore[arg-type]
    assert piece % 128 == 0
    assert piece * padded_rows(50257, "cuda") <= 2**28
    assert [min(piece, 16 * 1024 - start) for start in range(0, 16 * 1024, piece)] == [4096] * 4
