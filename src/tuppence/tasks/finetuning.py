"""What all finetunes share: `RowJob`, `RowObjective`, and the count of their floating-point operations.

A finetune starts from a trained model and learns from rows, which are held in memory. `classify`, `instruct`, `reward`,
`dpo` and `ppo` build on this module. Pretraining reads a stream of tokens instead.
"""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import nn

from tuppence.core.config import Section
from tuppence.core.console import note, warn
from tuppence.core.files import sha256_file
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET, Array, Buckets, batches_by_length
from tuppence.model.adapters import save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo
from tuppence.model.lora import TARGETS, LoRA
from tuppence.model.weights import load_model
from tuppence.storage import location_of
from tuppence.tasks.job import Job
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Model, Objective


class LoRAConfig(Section):
    """The `lora` section: the shape of the adapter, if one is trained."""

    rank: int = Field(16, ge=1, le=4096)
    alpha: float | None = Field(None, gt=0, description="None: twice the rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = TARGETS

    def resolve(self) -> LoRA:
        """The shape of the adapter.

        Raises:
            InputError: a target is unknown.
        """
        return LoRA(self.rank, self.alpha or 2.0 * self.rank, self.dropout, tuple(self.targets))


class RowRecipe(Section):
    """The sections that the recipes of all finetunes have."""

    lora: LoRAConfig = LoRAConfig()
    train: TrainConfig


class RowJob(Job[Model]):
    """A run that finetunes a base on rows.

    Args:
        base: the model that training starts from.
        files: the files of rows, which run.yaml records.
        out: the run folder.
        rows: the training rows.
        lengths: the encoded length of each training row, in tokens.
        epochs: passes over the rows of a run that no other limit ends.
        lora: the adapter to train; None: the weights of the base are trained.
        flops_per_token: floating-point operations of training on one token.
        inputs: further entries of `Job.inputs`.

    Attributes:
        sequences_per_step: rows of an optimizer step on one rank.
    """

    compiles = False

    def __init__(
        self,
        base: ModelInfo,
        files: Sequence[Path],
        out: Path,
        recipe: RowRecipe,
        *,
        rows: Sequence[object],
        lengths: Sequence[int],
        epochs: float,
        lora: LoRA | None,
        flops_per_token: float,
        inputs: Mapping[str, Mapping[str, Any]] = {},
    ) -> None:
        self.base, self.lora, self.rows = base, lora, rows
        self.out, self.train, self.flops_per_token = out, recipe.train, flops_per_token
        self.settings = {name: getattr(recipe, name) for name in type(recipe).model_fields if name != "train"}
        self.inputs = {
            "base": {"path": location_of(base.folder), "fingerprint": base.fingerprint},
            "tokenizer": {"fingerprint": base.tokenizer.fingerprint, "vocab_size": base.tokenizer.vocab_size},
            "data": {
                "path": ", ".join(map(location_of, files)),
                "fingerprint": "+".join(map(sha256_file, files)),  # of the content, not of the names
                "rows": len(rows),
            },
            **inputs,
        }
        self.sequences_per_step = self.train.batch_size * self.train.accumulation_steps
        self.tokens_per_step = round(self.sequences_per_step * (sum(lengths) / len(lengths)))
        self._sequences = epochs * len(lengths)

    def default_steps(self, ranks: int) -> int:
        return max(1, round(self._sequences / (self.sequences_per_step * ranks)))

    def write_adapter(self, gpt: GPT, score: nn.Linear | None = None) -> None:
        """Writes RUN/adapter in PEFT's layout, if an adapter was trained.

        Writes none if the base is an adapter itself: adapter_config.json names the folder of a whole model, and there
        is no folder with the merged base.

        Args:
            score: the head of a classifier or a reward model.
        """
        run = Run(self.out)
        if self.lora is None:
            return
        if self.base.adapter is not None:
            shutil.rmtree(run.adapter, ignore_errors=True)
            note(f"no {run.adapter}: its base is an adapter too. {run.model} holds both, merged")
            return
        save_adapter(gpt, run.adapter, self.lora, base=self.base.place, base_sha256=self.base.fingerprint, score=score)

    def load_base(self, device: str, *, dropout: float = 0.0) -> GPT:
        """Reads the weights of the base."""
        model = load_model(self.base, device=device, dropout=dropout)
        model.activation_checkpointing = self.train.activation_checkpointing
        return model


class EncodedRow(Protocol):
    """A row as the model reads it."""

    @property
    def ids(self) -> Array: ...


Row = TypeVar("Row", bound=EncodedRow)


def lengths_of(rows: Sequence[EncodedRow]) -> Array:
    """The length of each row in tokens, int64."""
    return np.array([len(row.ids) for row in rows], dtype=np.int64)


class RowObjective(Objective[Model], Generic[Row, Model]):
    """An objective over rows. Training batches have rows of similar length; held-out batches begin with the longest.

    Args:
        train, val: the encoded training rows and held-out rows.
    """

    def __init__(self, train: Sequence[Row], val: Sequence[Row], config: TrainConfig) -> None:
        self._train, self._val, self._config = train, val, config
        self._buckets = Buckets(
            lengths_of(train),
            batch_size=config.batch_size,
            seed=config.seed,
            accumulation_steps=config.accumulation_steps,
        )

    @abstractmethod
    def collate(self, rows: Sequence[Row]) -> Batch:
        """One padded batch of one or more rows; its last tensor holds the targets."""

    def training_row(self, step: int, number: int) -> Row:
        """The row as it is used in a training step."""
        return self._train[number]

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        return [self._batch(step, numbers) for numbers in self._buckets.step(step, rank, world_size)]

    def evaluation(self) -> Iterator[Batch]:
        for numbers in batches_by_length(lengths_of(self._val), self._config.batch_size):
            yield self.collate([self._val[number] for number in numbers])

    def _batch(self, step: int, numbers: Any) -> Batch:
        if len(numbers):
            return self.collate([self.training_row(step, int(number)) for number in numbers])
        *inputs, targets = self.collate([self._train[0]])  # the epoch's last batch had fewer rows than ranks
        return (*inputs, torch.full_like(targets, IGNORED_TARGET))


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


def conversation_tokenizer(base: ModelInfo) -> Tokenizer:
    """The base's tokenizer with a chat template. Prints a line if the base has another template than tuppence's own.

    Raises:
        InputError: the vocabulary has no end of text.
    """
    tokenizer = base.tokenizer.with_chat_template()
    if tokenizer.foreign_template is not None:
        end = tokenizer.end_of_text_name
        note(f"conversations are written in the chat template of {base.folder}; responses end with {end}")
    elif base.tokenizer.chat_template is not None and tokenizer.chat_template != base.tokenizer.chat_template:
        warn(
            f"{base.folder} was tuned with another chat template, which cannot be read without running it: rows are"
            " written in tuppence's own, and the result has that one"
        )
    return tokenizer
