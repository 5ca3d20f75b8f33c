"""Classification (chapter 6): a base model learns to sort texts into classes.

A new head reads its scores off the last token of a text, and the base is trained with it: all of it, its last block,
or a LoRA adapter; or the head alone. The rows are split into training, validation and test by seed, each label in
proportion, and kept in RUN/splits, so that whoever measures the result measures it on the same rows. `run_classify`
is what `tuppence finetune classify` calls; it ends with that measurement.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from tuppence.core.config import Section
from tuppence.core.console import counted, note, warn
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET, pad
from tuppence.data.records.labelled import LabelledSet, LabelledText, alike_labels, read_labelled
from tuppence.data.records.splits import PARTS, Splits, fixed_splits, split_labelled
from tuppence.data.records.texts import Array, encode_texts
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.task import Metrics
from tuppence.evaluation.tasks.classification import write_splits
from tuppence.model.heads import SequenceScorer, Trained, train_only
from tuppence.model.loaded import ModelInfo
from tuppence.model.weights import save_scorer
from tuppence.storage import output_path, stage, stage_run
from tuppence.tasks.adapter import write_adapter
from tuppence.tasks.augmentation import leave_out
from tuppence.tasks.flops import finetuning_flops
from tuppence.tasks.row_job import RowJob, RowRecipe
from tuppence.tasks.row_objective import RowObjective
from tuppence.tasks.rows import say_skipped, say_unused
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective, Sample

EVALUATIONS = 2
"""Validations an epoch: patience of four of them is two epochs without gain."""

EMBEDDING_RATE_FACTOR = 20 / 3
"""The embeddings' learning rate as a multiple of `train.learning_rate`, where `train.embedding_learning_rate` does not
say it: a word that the base hardly met must become a sign."""


class ClassifyConfig(Section):
    """The `finetune` section of a classification recipe."""

    train: Trained = Field("all", description="all, last-block, head or lora; the head is always trained")
    epochs: float = Field(4.0, gt=0, le=1000, description="where no other limit ends the run")
    dropout: float = Field(0.1, ge=0, lt=1, description="of the model while it is trained")
    word_dropout: float = Field(
        0.2, ge=0, lt=1, description="the share of a text's tokens left out while it is trained"
    )
    crop: float = Field(0.5, ge=0, le=1, description="the share of texts of which a part alone is trained on")
    balance: bool = Field(False, description="leave out rows until all labels are as rare as the rarest")
    fractions: tuple[float, float, float] = Field((0.7, 0.1, 0.2), description="training, validation, test")
    split_seed: int | None = Field(None, ge=0, description="who goes into which part; None: train.seed")


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


@dataclass(frozen=True)
class LabelledFiles:
    """What a person gave to learn from.

    Attributes:
        data: a file of labelled texts.
        val, test: held-out rows; parts of `data` where there are none.
        text_column, label_column: their names; found automatically where that is possible.
        skip_bad_rows: leave out rows that cannot be used, and count them, instead of refusing the file.
    """

    data: str | Path
    val: str | Path | None = None
    test: str | Path | None = None
    text_column: str | None = None
    label_column: str | None = None
    skip_bad_rows: bool = False

    @property
    def paths(self) -> list[Path]:
        return [Path(path) for path in (self.data, self.val, self.test) if path is not None]

    def staged(self) -> LabelledFiles:
        """The same with local files."""
        val, test = (None if path is None else stage(path) for path in (self.val, self.test))
        return replace(self, data=stage(self.data), val=val, test=test)

    def read(self, path: str | Path) -> LabelledSet:
        """The rows of one of the files; says which columns were found, and what was left out."""
        found = read_labelled(
            str(path),
            text_column=self.text_column,
            label_column=self.label_column,
            skip_bad_rows=self.skip_bad_rows,
        )
        if self.text_column is None or self.label_column is None:
            note(f"{path}: the text is column '{found.text_column}', the label column '{found.label_column}'")
        say_unused(Path(path), found.unused)
        say_skipped(Path(path), found.skipped_rows)
        return found


@dataclass(frozen=True)
class EncodedLabelled:
    """A text as the model reads it.

    Attributes:
        ids: int64, (T,).
        label: the id of its class.
    """

    ids: Array
    label: int


class Classes(RowObjective[EncodedLabelled, SequenceScorer]):
    """Name the class of each text: one target a text.

    Args:
        word_dropout, crop: what of the texts is left out while the model is trained, see `augmentation`.
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
        super().__init__(rows, [len(row.ids) for row in rows], val, [len(row.ids) for row in val], config)
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
        return []  # a classifier writes nothing


class ClassifyJob(RowJob[SequenceScorer]):
    """Trains a classifier, and measures it on its test split."""

    verb = "finetune classify"

    def __init__(self, base: Path, given: LabelledFiles, out: Path, recipe: ClassifyRecipe) -> None:
        choice = self._choice = recipe.finetune
        super().__init__(base, out, given.paths, recipe, epochs=choice.epochs, adapter=choice.train == "lora")
        self._lora_shape = recipe.lora.resolve()
        data = given.read(given.data)
        splits = self._splits = _split(data.rows, given, recipe)
        self._train_rows, self._val_rows, _ = (
            _encode(self.base, part, splits, name) for name, part in _parts(splits).items()
        )
        self.train = _with_embedding_rate(_with_evaluations(recipe.train, len(self._train_rows)))
        self.facts = {"splits": _facts(splits), "columns": {"text": data.text_column, "label": data.label_column}}
        self.closing = len(splits.test) / max(1, len(splits.validation))
        self.set_rows(splits.train, [len(row.ids) for row in self._train_rows])
        _describe(splits)
        if choice.train == "all":
            note(
                f"learning rates: {self.train.embedding_learning_rate:g} for the embeddings"
                f" (train.embedding_learning_rate), {self.train.learning_rate:g} for all else"
            )

    def count_flops(self) -> float:
        config, trained = self.base.config, self._choice.train
        depth = {"head": 0.0, "last-block": 1 / config.n_layers}.get(trained, 1.0)
        return finetuning_flops(
            config, length=self.mean_length, logits_share=0.0, frozen=self.lora is not None, depth=depth
        )

    def build(self, device: str) -> tuple[Objective[SequenceScorer], SequenceScorer]:
        choice = self._choice
        model = SequenceScorer(self.load_base(device, dropout=choice.dropout), len(self._splits.labels))
        train_only(model, choice.train, self._lora_shape)
        context = self.base.config.context_length
        rows, val = self._train_rows, self._val_rows
        return Classes(rows, val, context, self.train, choice.word_dropout, choice.crop), model

    def write_result(self, model: SequenceScorer) -> None:
        run = Run(self.out)
        write_splits(self._splits, run)
        save_scorer(model, run.model, labels=self._splits.labels, tokenizer=self.base.tokenizer)
        if self.lora is not None:
            write_adapter(model.gpt, run, self.base, self.lora, model.score)

    def measure(self) -> dict[str, Any]:
        return {"evaluation": measure(self.out, self.train.device)}


def run_classify(
    base: str | Path, given: LabelledFiles, out: str | Path, config: ClassifyRecipe, options: RunOptions
) -> dict[str, Any]:
    """Trains a classifier, or continues to, and measures it on its test split.

    Args:
        base: a run, a Hugging Face GPT-2 folder, or an adapter's.

    Returns:
        run.yaml's `result`, `status` and `ended_because`, and `evaluation`: the content of RUN/evaluation.json. {} on
        ranks but the first.

    Raises:
        InputError: base, data, recipe and run folder do not fit together.
        Interrupted: SIGINT or SIGTERM; the state is saved.
    """
    return train(ClassifyJob(stage_run(base), given.staged(), output_path(out), config), options)


def measure(out: Path, device: str) -> dict[str, Metrics]:
    """The numbers of a run on its own test split, by task; kept in RUN/evaluation.json."""
    note("measuring on the test split, beside the baselines")
    return evaluate(out, None, EvalConfig(), device=device)


def _with_evaluations(train: TrainConfig, rows: int) -> TrainConfig:
    """Evaluates `EVALUATIONS` times an epoch where the recipe does not say how often: data sets differ in size."""
    if "eval_every" in train.model_fields_set:
        return train
    steps = rows / (train.batch_size * train.accumulation_steps)
    return train.model_copy(update={"eval_every": max(1, round(steps / EVALUATIONS))})


def _with_embedding_rate(train: TrainConfig) -> TrainConfig:
    """A rate for the embeddings that follows `learning_rate`, unless the recipe has one of their own."""
    if train.embedding_learning_rate is not None:
        return train
    rate = min(10.0, float(f"{EMBEDDING_RATE_FACTOR * train.learning_rate:.6g}"))
    return train.model_copy(update={"embedding_learning_rate": rate})


# ---- the rows ----------------------------------------------------------------------------------------------------


def _split(rows: Sequence[LabelledText], given: LabelledFiles, config: ClassifyRecipe) -> Splits:
    """The three parts. `rows`, those of `given.data`, fill those for which no file was given."""
    val = given.read(given.val).rows if given.val else None
    test = given.read(given.test).rows if given.test else None
    choice, seed = config.finetune, config.finetune.split_seed
    if val is not None and test is not None and not choice.balance:
        return fixed_splits(rows, val, test)
    drawn = split_labelled(
        rows,
        seed=config.train.seed if seed is None else seed,
        fractions=choice.fractions,
        balance=choice.balance,
    )
    if val is None and test is None:
        return drawn
    train = [*drawn.train, *(drawn.validation if val is not None else []), *(drawn.test if test is not None else [])]
    fixed = fixed_splits(train, drawn.validation if val is None else val, drawn.test if test is None else test)
    return Splits(
        fixed.train,
        fixed.validation,
        fixed.test,
        fixed.labels,
        duplicates=drawn.duplicates + fixed.duplicates,
        contradictions=max(drawn.contradictions, fixed.contradictions),
        dropped_by_balance=drawn.dropped_by_balance,
    )


def _parts(splits: Splits) -> dict[str, list[LabelledText]]:
    return dict(zip(PARTS, (splits.train, splits.validation, splits.test), strict=True))


def _encode(base: ModelInfo, rows: Sequence[LabelledText], splits: Splits, name: str) -> list[EncodedLabelled]:
    encoded = encode_texts(base.tokenizer, [row.text for row in rows], context_length=base.config.context_length)
    if encoded.truncated_rows:
        texts = counted(encoded.truncated_rows, f"{name} text")
        note(f"{texts} cut at the context's end, by {counted(encoded.truncated_tokens, 'token')} in all")
    id_of = {label: number for number, label in enumerate(splits.labels)}
    return [EncodedLabelled(ids, id_of[row.label]) for ids, row in zip(encoded.rows, rows, strict=True)]


def _facts(splits: Splits) -> dict[str, Any]:
    """For run.yaml: how the rows were split."""
    return {
        "labels": list(splits.labels),
        **{name: len(part) for name, part in _parts(splits).items()},
        "duplicates_removed": splits.duplicates,
        "contradictions": splits.contradictions,
        "dropped_by_balance": splits.dropped_by_balance,
    }


def _describe(splits: Splits) -> None:
    sizes = ", ".join(f"{len(part):,} {name}" for name, part in _parts(splits).items())
    shown = ", ".join(splits.labels[:6]) + (", …" if len(splits.labels) > 6 else "")
    note(f"labels: {shown} ({len(splits.labels)} in all) · {sizes} rows")
    for spellings in alike_labels(splits.labels):
        warn(f"{' and '.join(spellings)} are {len(spellings)} labels: they differ in case or white space alone")
    if splits.duplicates:
        note(f"removed {counted(splits.duplicates, 'row')} that are also in a later part")
    if splits.contradictions:
        note(f"{counted(splits.contradictions, 'text')} with two different labels: kept as they are")
    if splits.dropped_by_balance:
        note(f"left out {counted(splits.dropped_by_balance, 'row')} to balance the labels")
