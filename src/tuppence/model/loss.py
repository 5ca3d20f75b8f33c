"""Fused head and cross-entropy: losses and log-probabilities, with gradients, without storing the logits of all tokens.

gpt2-124m on 16 sequences of 1,024 tokens has 823 million logits: 3.3 GB in float32, and softmax and its gradient need
the same amount again. The logits are only needed to compute a number and two small gradients from the hidden states.
So they are computed for one piece of the tokens at a time, together with the gradients.

`torch.nn.functional.linear_cross_entropy` (torch 2.13) does the same, with three disadvantages: on a CPU it multiplies
in float32 even under autocast (up to 5 times slower here), under bfloat16 it returns the *sum* in bfloat16 (off by 1 %
at 2,048 tokens), and it breaks `torch.compile(fullgraph=True)`. Checkpointed chunks compute the logits twice. The
figures are in benchmarks/LOG.md, and a test compares our results with torch's.

`summed_cross_entropy` is the loss of language models; `token_log_probabilities_and_entropies` gives each token's own
number, for alignment. With a frozen head (LoRA) neither computes the head's gradient.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from tuppence.data.buckets import IGNORED_TARGET

LOGITS_AT_ONCE = {"cpu": 2**25, "cuda": 2**28}
"""Number of logits in memory at a time: 128 MiB in float32 on a CPU. GPUs need larger matrices; see `allow_logits`."""

BYTES_PER_LOGIT = 8
"""Memory while the gradient is computed: the logit and its gradient in 16 bits, the softmax in float32."""

HEAD_MULTIPLE = {"cuda": 64}
"""For matrix products only, the head is padded with rows of zeros to a multiple of this. Tensor cores are fastest if
the rows of logits begin at aligned addresses: without padding, GPT-2's 50,257 tokens make a whole training step on an
H100 take 1.47 times as long. On a CPU the effect was not measured, and the head is not padded."""


def summed_cross_entropy(hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> Tensor:
    """-Σ log softmax(hidden · headᵀ)[target] over all targets that are not -100, in nats, as a float32 scalar.

    Matrix products run in autocast's precision if it is on; the softmax and the sum are always float32. The function is
    once differentiable.

    Args:
        hidden_ND: hidden states after the final layer norm.
        head_VD: the head's weights: the token embedding.
        targets_N: int64 in [0, V), or -100.

    Example:
        With a head of zeros every token is equally likely, and the loss is N ln V:

        >>> loss = summed_cross_entropy(torch.randn(5, 4), torch.zeros(8, 4), torch.tensor([0, 1, 2, 3, -100]))
        >>> round(loss.item() / 4, 4), round(float(torch.log(torch.tensor(8.0))), 4)
        (2.0794, 2.0794)
    """
    piece = _piece(hidden_ND, head_VD)
    if torch.is_grad_enabled() and (hidden_ND.requires_grad or head_VD.requires_grad):
        fused = _GradientInForward.apply
        loss: Tensor = fused(hidden_ND, head_VD, targets_N, piece, head_VD.requires_grad)  # type: ignore[no-untyped-call]
        return loss
    if not torch.compiler.is_compiling():  # compiled code needs shapes that do not depend on values
        # no logits for tokens that are not scored: in a sliding window these are half of the tokens
        kept_N = targets_N != IGNORED_TARGET
        hidden_ND, targets_N = hidden_ND[kept_N], targets_N[kept_N]
    loss = torch.zeros((), device=hidden_ND.device)
    head_PD = _padded(head_VD)
    for hidden_nD, targets_n in _pieces(hidden_ND, targets_N, piece):
        logits_nV = _logits(hidden_nD, head_PD, len(head_VD)).float()
        loss = loss + F.cross_entropy(logits_nV, targets_n, reduction="sum", ignore_index=IGNORED_TARGET)
    return loss


def token_log_probabilities_and_entropies(
    hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor
) -> tuple[Tensor, Tensor]:
    """log softmax(hidden · headᵀ)[target] of each token, and the entropy of its distribution in nats; float32, (N,).

    The log-probabilities are once differentiable, the entropies have no gradient.

    Args:
        hidden_ND: hidden states after the final layer norm, of the scored tokens only.
        head_VD: the head's weights: the token embedding.
        targets_N: int64 in [0, V).

    Example:
        >>> _, entropies = token_log_probabilities_and_entropies(
        ...     torch.randn(1, 4), torch.zeros(8, 4), torch.tensor([5])
        ... )
        >>> torch.isclose(entropies, torch.tensor(8.0).log())
        tensor([True])
    """
    piece = _piece(hidden_ND, head_VD)
    needs = [torch.is_grad_enabled() and tensor.requires_grad for tensor in (hidden_ND, head_VD)]
    scored: tuple[Tensor, Tensor] = _LogProbabilities.apply(  # type: ignore[no-untyped-call]
        hidden_ND, head_VD, targets_N, piece, *needs
    )
    return scored


@torch.no_grad()
def token_scores(hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor) -> tuple[Tensor, Tensor]:
    """The log-probability of each target, and whether it is the most likely token: (N,) float32 and (N,) bool.

    Of equally likely tokens the first counts as the most likely, as in `argmax`.
    """
    piece, head_PD = _piece(hidden_ND, head_VD), _padded(head_VD)
    log_probabilities, best = [], []
    for hidden_nD, targets_n in _pieces(hidden_ND, targets_N, piece):
        logits_nV = _logits(hidden_nD, head_PD, len(head_VD)).float()
        log_probabilities.append(-F.cross_entropy(logits_nV, targets_n, reduction="none"))
        best.append(logits_nV.argmax(dim=-1) == targets_n)
    return torch.cat(log_probabilities), torch.cat(best)


def allow_logits(device: str) -> None:
    """Allows the logits an eighth of a GPU's memory at a time. Call it before training, because it changes shapes."""
    if device.startswith("cuda"):
        memory = torch.cuda.get_device_properties(device).total_memory
        LOGITS_AT_ONCE["cuda"] = max(2**26, memory // (8 * BYTES_PER_LOGIT))


def padded_rows(vocabulary: int, device_type: str) -> int:
    """Number of rows of the padded head.

    Example:
        >>> padded_rows(50257, "cuda"), padded_rows(50257, "cpu")
        (50304, 50257)
    """
    multiple = HEAD_MULTIPLE.get(device_type, 1)
    return -(-vocabulary // multiple) * multiple


def _padded(head_VD: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The head for matrix products: in `dtype`, with rows of zeros up to `padded_rows`."""
    head_VD = head_VD if dtype is None else head_VD.to(dtype)
    missing = padded_rows(len(head_VD), head_VD.device.type) - len(head_VD)
    return F.pad(head_VD, (0, 0, 0, missing)) if missing else head_VD


def _logits(hidden_nD: Tensor, head_PD: Tensor, vocabulary: int) -> Tensor:
    """hidden · headᵀ, (n, P). Columns from `vocabulary` on have the lowest finite number, so their probability is 0."""
    logits_nP = F.linear(hidden_nD, head_PD)
    if vocabulary < len(head_PD):
        # finite, because an entropy multiplies it by zero
        logits_nP[:, vocabulary:] = torch.finfo(logits_nP.dtype).min
    return logits_nP


def _piece(hidden_ND: Tensor, head_VD: Tensor) -> int:
    """Number of tokens in a piece: equal pieces, as few as `LOGITS_AT_ONCE` allows."""
    rows, device = hidden_ND.shape[0], hidden_ND.device.type
    most = max(1, LOGITS_AT_ONCE.get(device, 2**26) // padded_rows(head_VD.shape[0], device))
    if device != "cuda" or rows <= most:
        return most
    equal = -(-rows // -(-rows // most))
    return min(most, -(-equal // 128) * 128)


def _pieces(hidden_ND: Tensor, targets_N: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    return zip(torch.split(hidden_ND, size), torch.split(targets_N, size), strict=True)


def _computed_dtype(tensor: Tensor) -> torch.dtype:
    """The dtype of matrix products: autocast's if it is on, else the tensor's."""
    device = tensor.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else tensor.dtype


class _GradientInForward(torch.autograd.Function):
    """Computes the logits once: the gradient of the cross-entropy with respect to them is softmax - one_hot(target)."""

    @staticmethod
    def forward(
        ctx: Any, hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor, piece: int, head_is_trained: bool
    ) -> Tensor:
        device, dtype = hidden_ND.device, _computed_dtype(hidden_ND)
        with torch.autocast(device.type, enabled=False):
            head, vocabulary = _padded(head_VD, dtype), head_VD.shape[0]
            loss = torch.zeros((), device=device)
            head_grad = torch.zeros((), device=device)
            hidden_grads = []
            for hidden, targets in _pieces(hidden_ND.to(dtype), targets_N, piece):
                valid_n1 = (targets != IGNORED_TARGET)[:, None]
                logits_nV = _logits(hidden, head, vocabulary)
                losses_n1, gradient_nV = _losses_and_gradient(logits_nV, targets.clamp(min=0))
                loss = loss + (losses_n1 * valid_n1).sum()
                logits_grad_nV = gradient_nV.to(dtype) * valid_n1
                hidden_grads.append(logits_grad_nV @ head)
                if head_is_trained:
                    head_grad = head_grad + (logits_grad_nV.t() @ hidden).float()
        ctx.save_for_backward(torch.cat(hidden_grads), head_grad)
        ctx.dtypes, ctx.vocabulary = (hidden_ND.dtype, head_VD.dtype), vocabulary
        ctx.head_is_trained = head_is_trained
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        hidden_grad, head_grad = ctx.saved_tensors
        hidden_dtype, head_dtype = ctx.dtypes
        to_head = (upstream * head_grad[: ctx.vocabulary]).to(head_dtype) if ctx.head_is_trained else None
        return (upstream * hidden_grad).to(hidden_dtype), to_head, None, None, None


def _losses_and_gradient(logits_nV: Tensor, targets_n: Tensor) -> tuple[Tensor, Tensor]:
    """-log softmax[target], (n, 1), and its gradient in the logits, softmax - one_hot(target), (n, V); in float32.
    Padded columns, as `_logits` makes them, have the gradient zero."""
    targets_n1 = targets_n[:, None]
    if torch.compiler.is_compiling():  # a formula that becomes one kernel, with one exponential for each logit
        logits_nV = logits_nV.float()
        largest_n1 = logits_nV.amax(dim=-1, keepdim=True)
        exponentials_nV = torch.exp(logits_nV - largest_n1)
        sums_n1 = exponentials_nV.sum(dim=-1, keepdim=True)
        one_hot_nV = torch.arange(logits_nV.shape[1], device=logits_nV.device) == targets_n1
        losses_n1 = largest_n1 + sums_n1.log() - logits_nV.gather(1, targets_n1)
        return losses_n1, exponentials_nV / sums_n1 - one_hot_nV.float()
    # else the fewest operations, in place
    log_softmax_nV = torch.log_softmax(logits_nV, dim=-1, dtype=torch.float32)
    losses_n1 = -log_softmax_nV.gather(1, targets_n1)
    return losses_n1, _minus_one_hot(log_softmax_nV.exp_(), targets_n)


def _minus_one_hot(softmax_nV: Tensor, targets_n: Tensor) -> Tensor:
    """softmax - one_hot(target): the gradient of -log softmax[target] in the logits. Overwrites the softmax."""
    softmax_nV[torch.arange(len(targets_n), device=targets_n.device), targets_n] -= 1
    return softmax_nV


class _LogProbabilities(torch.autograd.Function):
    """As above, but each token has its own upstream gradient. For the hidden state it is a factor, so the rest of that
    gradient is computed with the logits of the forward pass. The head's gradient is a sum over tokens, and needs the
    logits a second time."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        head_VD: Tensor,
        targets_N: Tensor,
        piece: int,
        hidden_is_trained: bool,
        head_is_trained: bool,
    ) -> tuple[Tensor, Tensor]:
        given, dtype = hidden_ND.dtype, _computed_dtype(hidden_ND)
        log_probabilities, entropies, normalisers, hidden_grads = [], [], [], []
        with torch.autocast(hidden_ND.device.type, enabled=False):
            hidden_ND, head, vocabulary = hidden_ND.to(dtype), _padded(head_VD, dtype), head_VD.shape[0]
            for hidden, targets in _pieces(hidden_ND, targets_N, piece):
                logits_nV = _logits(hidden, head, vocabulary).float()
                normaliser_n1 = torch.logsumexp(logits_nV, dim=-1, keepdim=True)
                log_probabilities.append((logits_nV.gather(1, targets[:, None]) - normaliser_n1)[:, 0])
                softmax_nV = torch.exp(logits_nV - normaliser_n1)
                entropies.append(normaliser_n1[:, 0] - torch.linalg.vecdot(softmax_nV, logits_nV))
                normalisers.append(normaliser_n1)
                if hidden_is_trained:
                    hidden_grads.append(_minus_one_hot(softmax_nV, targets).neg_().to(dtype) @ head)
        ctx.save_for_backward(
            torch.cat(hidden_grads) if hidden_is_trained else None,
            *((hidden_ND, head_VD, targets_N, torch.cat(normalisers)) if head_is_trained else (None,) * 4),
        )
        ctx.dtypes, ctx.piece = (dtype, given, head_VD.dtype), piece
        out = torch.cat(log_probabilities), torch.cat(entropies)
        ctx.mark_non_differentiable(out[1])
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream_N: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        hidden_grad_ND, hidden_ND, head_VD, targets_N, normalisers_N1 = ctx.saved_tensors
        dtype, hidden_dtype, head_dtype = ctx.dtypes
        to_hidden = to_head = None
        if hidden_grad_ND is not None:
            to_hidden = (upstream_N[:, None] * hidden_grad_ND).to(hidden_dtype)
        if head_VD is not None:
            head, vocabulary = _padded(head_VD, dtype), head_VD.shape[0]
            to_head = torch.zeros(head.shape, device=head.device)
            for start in range(0, len(targets_N), ctx.piece):
                rows = slice(start, start + ctx.piece)
                hidden = hidden_ND[rows]
                softmax_nV = torch.exp(_logits(hidden, head, vocabulary).float() - normalisers_N1[rows])
                logits_grad_nV = _minus_one_hot(softmax_nV, targets_N[rows]) * -upstream_N[rows, None]
                to_head += (logits_grad_nV.to(dtype).t() @ hidden).float()
            to_head = to_head[:vocabulary].to(head_dtype)
        return to_hidden, to_head, None, None, None, None
