"""What a PPO recipe can say, and which defaults it has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tuppence.core.config import Section
from tuppence.tasks.row_job import RowRecipe
from tuppence.training.config import TrainConfig


class PPOConfig(Section):
    """The `align` section. A *rollout* is a set of answers that the policy writes, is paid for, and learns from."""

    former_names: ClassVar[Mapping[str, str]] = {
        "rollout_epochs": "num_ppo_epochs",
        "missing_end_penalty": "missing_eos_penalty",
        "clip": "cliprange",
        "value_weight": "vf_coef",
        "discount": "gamma",
        "trace": "gae_lambda",
    }

    full: bool = Field(False, description="train every weight instead of an adapter")
    rollout_prompts: int = Field(
        128, ge=1, le=65_536, description="prompts that are answered at a time, over all ranks"
    )
    num_ppo_epochs: int = Field(2, ge=1, le=64, description="how often a rollout is learned from")
    epochs: float = Field(1.0, gt=0, le=1000, description="how often to answer each prompt, where nothing else ends it")
    max_new_tokens: int = Field(48, ge=1, le=65_536, description="of an answer, its end of text included")
    temperature: float = Field(1.0, gt=0, le=10, description="1 is the policy itself; others make the ratios biased")
    kl_coefficient: float = Field(0.1, ge=0, description="β at the start: the price of a nat away from the base")
    target_kl: float | None = Field(3.0, gt=0, description="nats per answer that β is steered to; None: β stays")
    kl_gain: float = Field(0.1, gt=0, le=5, description="how fast β follows: by a fifth of this per rollout, at most")
    normalise_scores: bool = Field(True, description="scores in standard deviations from the base's mean score")
    missing_eos_penalty: float = Field(1.0, ge=0, description="what an answer without an end of text loses")
    cliprange: float = Field(0.2, gt=0, lt=1, description="ε of the policy's ratio")
    value_clip: float = Field(0.2, gt=0, description="how far a value may move from where it was at the rollout")
    vf_coef: float = Field(0.1, ge=0, description="of the value's loss beside the policy's")
    gamma: float = Field(1.0, gt=0, le=1, description="γ")
    gae_lambda: float = Field(0.95, ge=0, le=1, description="λ of the generalised advantage estimation")
    val_fraction: float = Field(0.1, gt=0, lt=1, description="held out by a hash of the prompt, where no file is given")
    eval_prompts: int = Field(128, ge=1, le=65_536, description="held-out prompts that an evaluation answers, at most")


class PPORecipe(RowRecipe):
    """A PPO recipe. `train.batch_size` counts answers, as everywhere per rank and accumulation step.

    The defaults were found on a model of 2.2M parameters. With β = 0.05, or steered to 6 nats, the reward rose further,
    and the answers fell apart: perplexity under the base doubled. With rollouts of 64 and batches of 16 most of the way
    from the base was noise.
    """

    align: PPOConfig = PPOConfig()
    train: TrainConfig = TrainConfig(
        batch_size=32,
        learning_rate=1e-3,
        warmup_steps=8,
        weight_decay=0.0,
        beta2=0.99,
        eval_every=32,
        log_every=4,
    )
