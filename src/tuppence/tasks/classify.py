"""Classification (chapter 6): a base model learns to assign texts to classes.

A new head computes scores from the last token of a text. It is trained alone, or together with the whole base, its
last block, or a LoRA adapter. The rows are split at random into training, validation and test, stratified by label.
RUN/splits keeps the parts, so that every later measurement uses the same test rows. `tuppence finetune classify` calls
`run_classify`, which also measures the result. The rows are in `labelled`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tuppence.core.config import Section
from tuppence.core.console import note
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET, pad
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.rows.labelled import write_splits
from tuppence.evaluation.task import Metrics
from tuppence.model.heads import SequenceScorer, Trained, train_only
from tuppence.model.loaded import ModelInfo, inspect
from tuppence.model.saving import save_scorer
from tuppence.storage import output_path
from tuppence.tasks.augmentation import leave_out
from tuppence.tasks.finetuning import RowJob, RowObjective, RowRecipe, finetuning_flops
from tuppence.tasks.labelled import (
    EncodedLabelled,
    LabelledFiles,
    describe_splits,
    encode_labelled,
    facts_of_splits,
)
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective, Sample

EVALUATIONS = 2
"""Validations per epoch, so that the default patience of four is two epochs without a gain."""

EMBEDDING_RATE_FACTOR = 20 / 3
"""Learning rate of the embeddings as a multiple of `train.learning_rate`, if `train.embedding_learning_rate` is not
given. It is larger because words that are rare in pretraining must become signs of a class."""


class ClassifyConfig(Section):
    """The `finetune` section of a classification recipe."""

    train: Trained = Field("all", description="all, last-block, head or lora; the head is always trained")
    epochs: float = Field(4.0, gt=0, le=1000, description="passes over the rows, if no other limit ends the run")
    dropout: float = Field(0.1, ge=0, lt=1, description="of the model in training")
    word_dropout: float = Field(0.2, ge=0, lt=1, description="share of the tokens of a text left out in training")
    crop: float = Field(0.5, ge=0, le=1, description="share of texts that are cropped in training")
    balance: bool = Field(False, description="leave out rows until all labels are as rare as the rarest")
    fractions: tuple[float, float, float] = Field((0.7, 0.1, 0.2), description="training, validation, test")
    split_seed: int | None = Field(None, ge=0, description="seed of the split; None: train.seed")


class ClassifyRecipe(RowRecipe):
    """A classification recipe."""

    finetune: ClassifyConfig = ClassifyConfig()
    train: TrainConfig = TrainConfig(
        batch_size=16,
        learning_rate=3e-4,
        warmup_steps=20,
        weight_decay=0.01,
        beta2=0.99,
        patience=4,
        log_every=5,
    )


class Classes(RowObjective[EncodedLabelled, SequenceScorer]):
    """Cross-entropy over the classes, with one target per text.

    Args:
        rows, val: training and held-out texts.
        context_length: of the model.
        word_dropout, crop: random deletions in training texts, see `augmentation`.
    """

    metrics = ("accuracy",)
    scores_start = True
    start_is_a_model = False

    def __init__(
        self,
        rows: Sequence[EncodedLabelled],
        val: Sequence[EncodedLabelled],
        context_length: int,
        config: TrainConfig,
        word_dropout: float = 0.0,
        crop: float = 0.0,
    ) -> None:
        super().__init__(rows, val, config)
        self._context, self._word_dropout, self._crop = context_length, word_dropout, crop

    def training_row(self, step: int, number: int) -> EncodedLabelled:
        row = super().training_row(step, number)
        generator = np.random.default_rng([self._config.seed, step, number])
        ids = leave_out(row.ids, generator, word_dropout=self._word_dropout, crop=self._crop)
        return EncodedLabelled(ids, row.label)

    def collate(self, rows: Sequence[EncodedLabelled]) -> Batch:
        tokens_BT = pad([row.ids for row in rows], 0, limit=self._context)
        lengths_B = torch.tensor([len(row.ids) for row in rows])
        return torch.from_numpy(tokens_BT), lengths_B, torch.tensor([row.label for row in rows])

    def tokens(self, batch: Batch) -> int:
        _, lengths_B, targets_B = batch
        return int(lengths_B[targets_B != IGNORED_TARGET].sum())

    def loss(self, model: SequenceScorer, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, lengths_B, targets_B = batch
        scores_BC = model(tokens_BT, lengths_B).float()
        loss = F.cross_entropy(scores_BC, targets_B, ignore_index=IGNORED_TARGET, reduction="sum")
        return loss, {"accuracy": (scores_BC.argmax(dim=-1) == targets_B).sum().float()}

    def samples(self, model: SequenceScorer) -> list[Sample]:
        return []  # a classifier generates no text


class ClassifyJob(RowJob[SequenceScorer]):
    """Trains a classifier and measures it on its test split."""

    verb = "finetune classify"

    def __init__(self, base: ModelInfo, given: LabelledFiles, out: Path, recipe: ClassifyRecipe) -> None:
        finetune = self._finetune = recipe.finetune
        self._lora_shape = recipe.lora.resolve()
        data = given.read(given.data)
        splits = self._splits = given.split(
            data.rows,
            seed=recipe.train.seed if finetune.split_seed is None else finetune.split_seed,
            fractions=finetune.fractions,
            balance=finetune.balance,
        )
        self._train_rows = encode_labelled(base, splits.train, splits, "training")
        self._val_rows = encode_labelled(base, splits.validation, splits, "validation")
        encode_labelled(base, splits.test, splits, "test")  # prints how many texts are cut
        lengths = [len(row.ids) for row in self._train_rows]
        train = _with_embedding_rate(_with_evaluations(recipe.train, len(lengths)))
        lora = self._lora_shape if finetune.train == "lora" else None
        depth = {"head": 0.0, "last-block": 1 / base.config.n_layers}.get(finetune.train, 1.0)
        flops = finetuning_flops(base.config, lengths, logits_share=0.0, frozen=lora is not None, depth=depth)
        super().__init__(
            base,
            given.paths,
            out,
            recipe.model_copy(update={"train": train}),
            rows=splits.train,
            lengths=lengths,
            epochs=finetune.epochs,
            lora=lora,
            flops_per_token=flops,
        )
        self.facts = {
            "splits": facts_of_splits(splits),
            "columns": {"text": data.text_column, "label": data.label_column},
        }
        self.closing = len(splits.test) / max(1, len(splits.validation))
        describe_splits(splits)
        if finetune.train == "all":
            note(
                f"learning rates: {train.embedding_learning_rate:g} for the embeddings"
                f" (train.embedding_learning_rate), {train.learning_rate:g} for all else"
            )

    def build(self, device: str) -> tuple[Objective[SequenceScorer], SequenceScorer]:
        finetune = self._finetune
        model = SequenceScorer(self.load_base(device, dropout=finetune.dropout), len(self._splits.labels))
        train_only(model, finetune.train, self._lora_shape)
        context = self.base.config.context_length
        rows, val = self._train_rows, self._val_rows
        return Classes(rows, val, context, self.train, finetune.word_dropout, finetune.crop), model

    def write_result(self, model: SequenceScorer) -> None:
        run = Run(self.out)
        write_splits(self._splits, run)
        save_scorer(model, run.model, labels=self._splits.labels, tokenizer=self.base.tokenizer)
        self.write_adapter(model.gpt, model.score)

    def measure(self) -> dict[str, Any]:
        return {"evaluation": measure(self.out, self.train.device)}


def run_classify(
    base: str | Path, given: LabelledFiles, out: str | Path, config: ClassifyRecipe, options: RunOptions
) -> dict[str, Any]:
    """Trains a classifier, or continues such a run, and measures it on its test split.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's folder.

    Returns:
        `status`, `ended_because` and `result` of run.yaml, and `evaluation`, the content of RUN/evaluation.json; {} on
        ranks other than 0.

    Raises:
        InputError: base, data, recipe and run folder do not fit together.
        Interrupted: SIGINT, SIGTERM or SIGHUP; the state is saved.
    """
    return train(ClassifyJob(inspect(base, head="lm"), given.staged(), output_path(out), config), options)


def measure(out: Path, device: str) -> dict[str, Metrics]:
    """Measures a run on its test split; returns the metrics by task and writes RUN/evaluation.json."""
    note("measuring on the test split, with baselines")
    return evaluate(out, None, EvalConfig(), device=device)


def _with_evaluations(train: TrainConfig, rows: int) -> TrainConfig:
    """Sets `eval_every` to `EVALUATIONS` per epoch, unless the recipe gives it."""
    if "eval_every" in train.model_fields_set:
        return train
    steps = rows / (train.batch_size * train.accumulation_steps)
    return train.model_copy(update={"eval_every": max(1, round(steps / EVALUATIONS))})


def _with_embedding_rate(train: TrainConfig) -> TrainConfig:
    """Sets the learning rate of the embeddings from `learning_rate`, unless the recipe gives it."""
    if train.embedding_learning_rate is not None:
        return train
    rate = min(10.0, float(f"{EMBEDDING_RATE_FACTOR * train.learning_rate:.6g}"))
    return train.model_copy(update={"embedding_learning_rate": rate})
