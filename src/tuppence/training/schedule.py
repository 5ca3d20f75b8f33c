"""The learning rate as a pure function of the step and of the share of the run that is done."""

from __future__ import annotations

import math

from tuppence.training.config import TrainConfig

LONGEST_WARMUP = 0.1
"""Longest warm-up as a share of the run, for any `warmup_steps` of the recipe."""


def learning_rate_factor(config: TrainConfig, step: int, progress: float) -> float:
    """The learning rate of the step after `step` finished steps, as a share of the peak.

    Warm-up is linear over `warmup_steps`, or over the first tenth of the run if that is shorter. Then, with u the
    share done:
    - cosine: final + (1 - final) (1 + cos πu) / 2 (Loshchilov and Hutter 2017, arXiv:1608.03983)
    - wsd: 1 until the last `decay_fraction`, then linear to final (warm-up–stable–decay, Hu et al. 2024,
      arXiv:2404.06395; linear as in Hägele et al. 2024, arXiv:2405.18392)
    - constant: 1

    Args:
        step: optimizer steps done.
        progress: the share of the run that is done, 0 to 1, from `Limits.progress`.

    Returns:
        A factor in (0, 1].

    Example:
        >>> config = TrainConfig(warmup_steps=10, schedule="wsd", decay_fraction=0.5, min_lr_factor=0.0)
        >>> [learning_rate_factor(config, step, step / 100) for step in (0, 9, 50, 75)]
        [0.1, 1.0, 1.0, 0.5]
    """
    done = min(max(progress, 0.0), 1.0)
    warmup = min(1.0, max((step + 1) / config.warmup_steps, done / LONGEST_WARMUP)) if config.warmup_steps else 1.0
    low = config.min_lr_factor
    if config.schedule == "cosine":
        decay = low + (1 - low) * (1 + math.cos(math.pi * done)) / 2
    elif config.schedule == "wsd":
        decay = low + (1 - low) * min(1.0, (1 - done) / config.decay_fraction)
    else:
        decay = 1.0
    return warmup * decay


def schedule_surprises(
    config: TrainConfig, *, max_steps: int | None, step: int, progress: float, last_factor: float | None
) -> list[str]:
    """Messages for the user about a learning rate that differs from what the recipe suggests.

    Args:
        max_steps: the limit of steps; None for no limit.
        step: optimizer steps done.
        progress: the share of the run that is done.
        last_factor: `learning_rate_factor` of the last step; None before the first.
    """
    said = []
    longest = math.ceil(LONGEST_WARMUP * max_steps) if max_steps else math.inf
    if "warmup_steps" in config.model_fields_set and config.warmup_steps > longest:
        said.append(
            f"warm-up takes {longest:,} of the recipe's {config.warmup_steps:,} steps: at most a tenth of the run"
        )
    if config.patience and not config.eval_every:
        said.append("train.patience has no effect: train.eval_every is 0")
    factor = learning_rate_factor(config, step, progress)
    warm = step >= config.warmup_steps or progress >= LONGEST_WARMUP
    if last_factor is not None and factor > 1.05 * last_factor and warm:
        peak = config.learning_rate
        said.append(
            f"the learning rate rises again, from {last_factor * peak:.2g} to {factor * peak:.2g}: "
            "the schedule now stretches over the longer run"
        )
    return said
