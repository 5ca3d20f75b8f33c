"""Floating-point operations of a finetune on one token of a row."""

from __future__ import annotations

from collections.abc import Sequence

from tuppence.model.config import ModelConfig


def forward_flops(sizes: ModelConfig, lengths: Sequence[int], *, logits_share: float) -> float:
    """Floating-point operations to read one token of a row: 2 N + 4 L d T, as `ModelConfig.flops_per_token` counts.

    Args:
        lengths: of the rows, in tokens: attention reaches no further.
        logits_share: the share of the tokens for which logits are computed; 0 where a score takes their place.
    """
    length = sum(lengths) / len(lengths)
    head = sizes.vocab_size * sizes.d_model
    weights = sizes.parameter_count() - head + logits_share * head
    return 2.0 * weights + 4.0 * sizes.n_layers * sizes.d_model * length


def finetuning_flops(
    sizes: ModelConfig, lengths: Sequence[int], *, logits_share: float, frozen: bool = False, depth: float = 1.0
) -> float:
    """Floating-point operations to train on one token of a row, forward and backward.

    Backward costs twice as much as forward: once for the activations and once for the weights. The weights of a frozen
    base cost nothing. Attention has no weights, and pays both.

    Args:
        lengths, logits_share: as in `forward_flops`.
        frozen: the weights of the base need no gradient.
        depth: the share of the blocks through which gradients flow.
    """
    forward = forward_flops(sizes, lengths, logits_share=logits_share)
    attention = 4.0 * sizes.n_layers * sizes.d_model * sum(lengths) / len(lengths)
    backward = forward + attention if frozen else 2 * forward
    return forward + depth * backward
