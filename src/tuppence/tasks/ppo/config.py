"""The recipe of PPO and its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field

from tuppence.core.config import Section
from tuppence.tasks.finetuning import RowRecipe
from tuppence.training.config import TrainConfig


class PPOConfig(Section):
    """The `align` section. A *rollout* is a set of answers that the policy generates and is then trained on."""

    former_names: ClassVar[Mapping[str, str]] = {
        "rollout_epochs": "num_ppo_epochs",
        "missing_end_penalty": "missing_eos_penalty",
        "clip": "cliprange",
        "value_weight": "vf_coef",
        "discount": "gamma",
        "trace": "gae_lambda",
    }

    full: bool = Field(False, description="train every weight instead of an adapter")
    rollout_prompts: int = Field(128, ge=1, le=65_536, description="prompts of a rollout, over all ranks")
    num_ppo_epochs: int = Field(2, ge=1, le=64, description="passes over a rollout")
    epochs: float = Field(1.0, gt=0, le=1000, description="answers to each prompt, if no other limit ends the run")
    max_new_tokens: int = Field(48, ge=1, le=65_536, description="of an answer, its end of text included")
    temperature: float = Field(1.0, gt=0, le=10, description="1 is the policy itself; others make the ratios biased")
    kl_coefficient: float = Field(0.1, ge=0, description="initial β, the strength of the KL penalty")
    target_kl: float | None = Field(3.0, gt=0, description="nats per answer at which β is held; None: β is constant")
    kl_gain: float = Field(0.1, gt=0, le=5, description="speed of β: it changes by at most a fifth of this per rollout")
    normalise_scores: bool = Field(True, description="scores in standard deviations from the base's mean score")
    missing_eos_penalty: float = Field(
        1.0, ge=0, description="subtracted from the reward of an answer without an end of text"
    )
    cliprange: float = Field(0.2, gt=0, lt=1, description="ε of the policy's ratio")
    value_clip: float = Field(0.2, gt=0, description="largest change of a value since the rollout")
    vf_coef: float = Field(0.1, ge=0, description="weight of the value loss")
    gamma: float = Field(1.0, gt=0, le=1, description="γ")
    gae_lambda: float = Field(0.95, ge=0, le=1, description="λ of the generalised advantage estimation")
    val_fraction: float = Field(0.1, gt=0, lt=1, description="held-out share, if no file is given")
    eval_prompts: int = Field(128, ge=1, le=65_536, description="largest number of held-out prompts in an evaluation")


class PPORecipe(RowRecipe):
    """A PPO recipe. `train.batch_size` counts answers, per rank and accumulation step.

    The defaults were chosen on a model of 2.2M parameters. With β = 0.05, or a target of 6 nats, the reward rose
    further, but the answers degenerated: their perplexity under the base doubled. With rollouts of 64 and batches of 16
    most of the change was noise.
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
