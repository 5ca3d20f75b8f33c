"""What all objectives that start from a trained model share: the base, what of it is trained, and rows in batches.

A finetune reads *rows* (texts, conversations, pairs) of different lengths, all held in memory; pretraining reads one
stream of tokens and needs none of this. Used by `classify`, `instruct`, `reward`, `dpo` and `ppo`.
"""

from __future__ import annotations

import shutil
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from pydantic import Field
from torch import nn

from tuppence.core.config import Section
from tuppence.core.console import counted, note, warn
from tuppence.core.errors import InputError
from tuppence.core.files import sha256_file
from tuppence.core.run import Run
from tuppence.data.buckets import IGNORED_TARGET, Buckets, batches_by_length
from tuppence.data.records.leaks import count_shared, lessons_of, normalise, opening_of, prompt_of
from tuppence.data.records.splits import hold_out
from tuppence.data.records.unused import Unused
from tuppence.model.adapters import is_adapter, save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.loaded import ModelInfo
from tuppence.model.lora import TARGETS, LoRA
from tuppence.model.weights import model_folder
from tuppence.storage import location_of
from tuppence.tokenizer import Tokenizer
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective

Row = TypeVar("Row")


class LoRAChoice(Section):
    """The `lora` section: the adapter's shape, where one is trained."""

    rank: int = Field(16, ge=1, le=4096)
    alpha: float | None = Field(None, gt=0, description="None: twice the rank")
    dropout: float = Field(0.0, ge=0, lt=1)
    targets: tuple[str, ...] = TARGETS

    def resolve(self) -> LoRA:
        """The adapter to build.

        Raises:
            InputError: a target is unknown.
        """
        return LoRA(self.rank, self.alpha or 2.0 * self.rank, self.dropout, tuple(self.targets))


def base_inputs(base: ModelInfo) -> dict[str, dict[str, Any]]:
    """For run.yaml: which base, and which tokenizer."""
    return {
        "base": {"path": location_of(base.folder), "fingerprint": base.fingerprint},
        "tokenizer": {"fingerprint": base.tokenizer.fingerprint, "vocab_size": base.tokenizer.vocab_size},
    }


def conversation_tokenizer(base: ModelInfo) -> Tokenizer:
    """The base's tokenizer with the chat template that conversations are written in; says which one, where the base has
    one that is not ours.

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


def write_adapter(gpt: GPT, out: Path, base: ModelInfo, lora: LoRA, score: nn.Linear | None = None) -> None:
    """RUN/adapter, as `peft` opens it. None where the base is an adapter itself: what this one was trained on lies in
    no folder that it could name.

    Args:
        score: the head of a classifier or a reward model.
    """
    run = Run(out)
    if is_adapter(base.folder):
        shutil.rmtree(run.adapter, ignore_errors=True)
        note(f"no {run.adapter}: its base is an adapter too. {run.model} holds both, merged")
        return
    place = model_folder(base.folder)
    save_adapter(gpt, run.adapter, lora, base=place, base_sha256=base.fingerprint, score=score)


def rows_input(files: Sequence[Path | str], rows: int) -> dict[str, Any]:
    """For run.yaml: which rows were trained on. The fingerprint is of the files' contents, not of their names."""
    digests = [sha256_file(Path(file)) for file in files]
    return {"path": ", ".join(map(location_of, files)), "fingerprint": "+".join(digests), "rows": rows}


def part_rows(
    read: Callable[[Path], Sequence[Row]],
    data: Path,
    val: Path | None,
    *,
    fraction: float,
    seed: int,
    key: Callable[[object], str],
    noun: str,
) -> tuple[list[Row], list[Row]]:
    """Training and held-out rows; none of the held-out ones is trained on.

    Args:
        read: the rows of a file.
        val: the file of the held-out rows; without one, `fraction` of `data` is held out by a hash of how they open,
            so that dialogues that begin alike are on one side, as far as that leaves about the share that is wanted.
        key: what makes two rows of `data` and `val` the same. A dialogue of `data` is left out, too, where one of `val`
            is its beginning.
        noun: what a row is called.

    Raises:
        InputError: nothing is left to train on, or to hold out.
    """
    rows = list(read(data))
    if val is None:
        kept, held_out = hold_out(rows, fraction, seed=seed, key=opening_of, finer_key=prompt_of)
        if not 0.5 <= len(held_out) / max(1, round(fraction * len(rows))) <= 2:
            warn(
                f"{len(held_out):,} of {counted(len(rows), noun)} held out, where {fraction:.0%} was asked for:"
                " too many of them begin alike"
            )
        return kept, held_out
    held_out = list(read(val))
    shared = count_shared((key(lesson) for row in rows for lesson in lessons_of(row)), [key(row) for row in held_out])
    if shared.count:
        known = {normalise(key(row)) for row in held_out}
        rows = [row for row in rows if not any(normalise(key(lesson)) in known for lesson in lessons_of(row))]
        warn(f"{counted(shared.count, noun)} of {val} also in {data}: left out of training")
    if not rows:
        raise InputError(f"every {noun} of {data} is in {val}", "give another validation file, or none")
    return rows, held_out


def say_skipped(path: Path, skipped_rows: int) -> None:
    """Tells how many bad rows `--skip-bad-rows` left out."""
    if skipped_rows:
        warn(f"skipped {counted(skipped_rows, 'bad row')} of {path}")


def say_unused(path: Path, unused: Unused) -> None:
    """Tells what the rows of a file say that training does not use."""
    if unused.rows:
        note(f"not used of {path}: {unused}")


def forward_flops(sizes: ModelConfig, *, length: float, heads: float) -> float:
    """Floating-point operations to read one token of a row: 2 N + 4 L d T, as `ModelConfig.flops_per_token` counts.

    Args:
        length: of a row, in tokens: attention reaches no further.
        heads: the share of the tokens for which logits are computed; 0 where a score takes their place.
    """
    head = sizes.vocab_size * sizes.d_model
    weights = sizes.parameter_count() - head + heads * head
    return 2.0 * weights + 4.0 * sizes.n_layers * sizes.d_model * length


def finetuning_flops(
    sizes: ModelConfig, *, length: float, heads: float, frozen: bool = False, depth: float = 1.0
) -> float:
    """Floating-point operations to train on one token of a row, forward and backward.

    Backward costs twice as much as forward: once to the activations and once to the weights, which an adapter's base
    is spared. Attention has no weights, and pays both.

    Args:
        length, heads: as in `forward_flops`.
        frozen: the weights of the base need no gradient.
        depth: the share of the blocks through which gradients flow.
    """
    forward = forward_flops(sizes, length=length, heads=heads)
    attention = 4.0 * sizes.n_layers * sizes.d_model * length
    backward = forward + attention if frozen else 2 * forward
    return forward + depth * backward


class RowObjective(Objective[Any], Generic[Row]):
    """An objective over rows of different lengths: batches bucketed by length, held-out rows the longest first.

    Args:
        train, val: the rows.
        lengths, val_lengths: of each, in tokens.
    """

    def __init__(
        self,
        train: Sequence[Row],
        lengths: Sequence[int],
        val: Sequence[Row],
        val_lengths: Sequence[int],
        config: TrainConfig,
    ) -> None:
        self._train, self._val, self._config = train, val, config
        self._val_lengths = np.array(val_lengths, dtype=np.int64)
        self.buckets = Buckets(
            np.array(lengths, dtype=np.int64),
            batch_size=config.batch_size,
            seed=config.seed,
            accumulation_steps=config.accumulation_steps,
        )

    @abstractmethod
    def collate(self, rows: Sequence[Row]) -> Batch:
        """One batch of one row or more, padded; its last tensor holds the targets."""

    def training_row(self, step: int, number: int) -> Row:
        """A row as it is trained on in a step."""
        return self._train[number]

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        return [self._batch(step, numbers) for numbers in self.buckets.step(step, rank, world_size)]

    def evaluation(self) -> Iterator[Batch]:
        for numbers in batches_by_length(self._val_lengths, self._config.batch_size):
            yield self.collate([self._val[number] for number in numbers])

    def _batch(self, step: int, numbers: Any) -> Batch:
        if len(numbers):
            return self.collate([self.training_row(step, int(number)) for number in numbers])
        *inputs, targets = self.collate([self._train[0]])  # the epoch's last batch had fewer rows than ranks
        return (*inputs, torch.full_like(targets, IGNORED_TARGET))
