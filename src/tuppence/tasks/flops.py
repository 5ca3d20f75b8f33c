"""Counts the floating-point operations of a finetune on one token of a row."""

from __future__ import annotations

from collections.abc import Sequence

from tuppence.model.config import ModelConfig


def forward_flops(sizes: ModelConfig, lengths: Sequence[int], *, logits_share: float) -> float:
    """Operations of a forward pass on one token: 2 N + 4 L d T, counted as in `ModelConfig.flops_per_token`.

    Args:
        lengths: length of each row in tokens; T is their mean.
        logits_share: share of the tokens for which logits are computed; 0 if the model has a score head.
    """
    length = sum(lengths) / len(lengths)
    head = sizes.vocab_size * sizes.d_model
    weights = sizes.parameter_count() - head + logits_share * head
    return 2.0 * weights + 4.0 * sizes.n_layers * sizes.d_model * length


def finetuning_flops(
    sizes: ModelConfig, lengths: Sequence[int], *, logits_share: float, frozen: bool = False, depth: float = 1.0
) -> float:
    """Operations of training on one token, forward and backward.

    A backward pass costs twice a forward pass: once for the gradients of the activations, once for those of the
    weights. Frozen weights need no gradient. Attention has no weights; both of its operands are activations.

    Args:
        lengths, logits_share: as in `forward_flops`.
        frozen: whether the weights of the base are frozen.
        depth: share of the blocks that have a backward pass.
    """
    forward = forward_flops(sizes, lengths, logits_share=logits_share)
    attention = 4.0 * sizes.n_layers * sizes.d_model * sum(lengths) / len(lengths)
    backward = forward + attention if frozen else 2 * forward
    return forward + depth * backward
