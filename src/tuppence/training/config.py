"""The `train` section of every recipe: the settings of the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from tuppence.core.config import Section


class TrainConfig(Section):
    """Settings of the training loop. Sizes are in sequences, times in steps, unless the name has another unit."""

    batch_size: int = Field(
        8,
        ge=1,
        le=65_536,
        description="sequences per rank and accumulation step; auto: as many as fit, and accumulation_steps gives the "
        "sequences of a step",
    )
    accumulation_steps: int = Field(
        1, ge=1, le=65_536, description="batches whose gradients are summed for one optimizer step"
    )
    batches_at_once: int | Literal["auto"] = Field(
        1, description="batches of equal shape computed as one; auto: as many as fit; set by batch_size=auto"
    )
    learning_rate: float = Field(1e-3, gt=0, le=10, description="peak learning rate; also called lr")
    min_lr_factor: float = Field(0.1, ge=0, le=1, description="learning rate at the end, as a share of the peak")
    warmup_steps: int = Field(100, ge=0, description="linear from zero to the peak")
    schedule: Literal["cosine", "wsd", "constant"] = "cosine"
    decay_fraction: float = Field(0.5, gt=0, le=1, description="wsd: last share of the run, in which the rate falls")
    max_steps: int | None = Field(None, ge=1, description="optimizer steps; None: one epoch, or until another limit")
    optimizer: Literal["adamw", "muon"] = "adamw"
    embedding_learning_rate: float | None = Field(
        None, gt=0, le=10, description="for the embeddings; None: learning_rate"
    )
    muon_learning_rate: float | None = Field(None, gt=0, description="for the matrices; None: learning_rate")
    muon_momentum: float = Field(0.95, ge=0, lt=1)
    weight_decay: float = Field(0.1, ge=0, description="on matrices only, decoupled")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    gradient_clip: float = Field(1.0, ge=0, description="largest norm of the gradient; 0: no clipping")
    precision: Literal["auto", "bf16", "fp16", "float32"] = "auto"
    device: str = Field("auto", description="auto, cpu, cuda, cuda:1, mps")
    compile: bool | Literal["auto"] = Field("auto", description="use torch.compile; auto: if the run is long enough")
    deterministic: bool = Field(True, description="sum in a fixed order, so that a resumed run has the same bits")
    parallel: Literal["ddp", "fsdp"] = Field(
        "ddp",
        description="with several ranks: ddp, each has the whole model; fsdp, they divide weights, gradients and "
        "optimizer state",
    )
    activation_checkpointing: bool = Field(False, description="save memory by a second forward pass")
    log_every: int = Field(10, ge=1)
    eval_every: int = Field(200, ge=0, description="0: only at the end")
    eval_tokens: int = Field(65_536, ge=1, description="validation tokens per evaluation")
    sample_every: int = Field(0, ge=0, description="0: with every evaluation")
    sample_prompts: tuple[str, ...] = ("Once upon a time",)
    sample_tokens: int = Field(60, ge=0)
    patience: int = Field(
        0, ge=0, description="end the run after this many evaluations without a better loss; 0: never"
    )
    checkpoint_every: int = Field(0, ge=0, description="0: only by checkpoint_minutes and with every evaluation")
    checkpoint_minutes: float = Field(5.0, ge=0, description="wall time between checkpoints; 0: no limit")
    keep_checkpoints: int = Field(2, ge=1, description="number of newest checkpoints to keep; the best is kept too")
    seed: int = Field(1, ge=0, lt=2**31)

    short_names: ClassVar[Mapping[str, str]] = {"lr": "learning_rate"}
    former_names: ClassVar[Mapping[str, str]] = {"final_learning_rate": "min_lr_factor"}

    @model_validator(mode="before")
    @classmethod
    def _split_a_step(cls, values: Any) -> Any:
        """Replaces `batch_size: auto` by small batches that are computed together."""
        if not isinstance(values, Mapping) or values.get("batch_size") != "auto":
            return values
        sequences = values.get("accumulation_steps")
        if not isinstance(sequences, int) or sequences < 1:
            raise ValueError(
                "train.batch_size=auto needs train.accumulation_steps: the sequences of a step on one rank"
            )
        size = next(size for size in (8, 4, 2, 1) if sequences % size == 0)
        split = {"batch_size": size, "accumulation_steps": sequences // size, "batches_at_once": "auto"}
        return {**values, **split}

    @model_validator(mode="after")
    def _fits_together(self) -> TrainConfig:
        if self.batches_at_once != "auto" and self.batches_at_once < 1:
            raise ValueError("train.batches_at_once is 1 or more, or auto")
        if self.optimizer != "muon" and self.muon_learning_rate is not None:
            raise ValueError("train.muon_learning_rate needs train.optimizer=muon")
        return self
