"""Pairs: preferences read from files, split, encoded, and laid out so that the prompt of a pair is computed once.

Used by `reward` and `dpo`, which define the loss. The forward pass on this layout is in `model.branches`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from tuppence.core.config import Section
from tuppence.core.console import counted, note, warn
from tuppence.core.errors import InputError
from tuppence.data.buckets import IGNORED_TARGET, Array, pad
from tuppence.data.records.encoding import EncodedPreference, encode_preference, without_end
from tuppence.data.records.leaks import content_of
from tuppence.data.records.preferences import Preference, read_preferences
from tuppence.model.branches import PADDING
from tuppence.tasks.rows import RowFiles, say_left_out
from tuppence.tokenizer import Tokenizer
from tuppence.training.objective import Batch


class PairsConfig(Section):
    """The `align` section of a recipe that learns from preferences."""

    full: bool = Field(False, description="train every weight instead of an adapter")
    epochs: float = Field(1.0, gt=0, le=1000, description="passes over the rows, if no other limit ends the run")
    val_fraction: float = Field(0.1, gt=0, lt=1, description="held-out share, if no file is given")


@dataclass(frozen=True)
class EncodedPair:
    """One encoded preference.

    Attributes:
        number: its number among all pairs; training pairs come first.
        ids: tokens of prompt, chosen and rejected answer, int64, (T,).
        branches: 0 for the prompt, 1 for chosen, 2 for rejected, as in `model.branches`, (T,).
    """

    number: int
    ids: Array
    branches: Array


@dataclass(frozen=True)
class Pairs:
    """Encoded preferences.

    Attributes:
        train, val: training and held-out pairs, numbered from 0 throughout.
        trained, held_out: the preferences of `train` and `val`.
    """

    train: list[EncodedPair]
    val: list[EncodedPair]
    trained: list[Preference]
    held_out: list[Preference]

    def __len__(self) -> int:
        return len(self.train) + len(self.val)

    @property
    def lengths(self) -> list[int]:
        """The length of each training pair in tokens."""
        return [len(pair.ids) for pair in self.train]

    @property
    def answered(self) -> float:
        """The share of these tokens that belong to answers."""
        return sum(int((pair.branches > 0).sum()) for pair in self.train) / sum(len(pair.ids) for pair in self.train)


def read_pairs(
    files: RowFiles,
    tokenizer: Tokenizer,
    *,
    context_length: int,
    val_fraction: float,
    seed: int,
    with_end: bool,
) -> Pairs:
    """Reads, splits and encodes preferences. Prints how many were left out or cut.

    Args:
        files: in any format that `read_preferences` knows.
        context_length: longer prompts lose their beginning, longer answers their end.
        val_fraction, seed: of the split, if there is no file of held-out preferences.
        with_end: whether the answers end with the end of text.

    Raises:
        InputError: a file cannot be read, or nothing is left to train on.
    """
    rows, held_out = files.split(
        lambda path: _read(path, files),
        fraction=val_fraction,
        seed=seed,
        key=content_of,
        noun="pair",
    )
    encoded = [
        [(row, encode_preference(tokenizer, row, context_length=context_length)) for row in part]
        for part in (rows, held_out)
    ]
    found = [one for part in encoded for _, one in part]
    cut_prompts, cut_answers = sum(one.cut_prompt for one in found), sum(one.cut_answers for one in found)
    equal = sum(one.is_equal for one in found)
    if cut_prompts or cut_answers:
        note(
            f"cut to the context of {context_length:,} tokens: {counted(cut_prompts, 'prompt')} at the left,"
            f" the answers of {counted(cut_answers, 'pair')} at the right"
        )
    if equal:
        warn(f"left out {counted(equal, 'pair')} whose answers are equal within the context")
    kept = [[(row, one) for row, one in part if not one.is_equal] for part in encoded]
    if not all(kept):
        raise InputError(
            f"{files.data}: no pair is left that differs within the context", "use a model with a longer context"
        )
    numbers, removed = itertools.count(), None if with_end else tokenizer.end_of_text
    train, val = ([_lay_out(one, next(numbers), removed) for _, one in part] for part in kept)
    return Pairs(train, val, [row for row, _ in kept[0]], [row for row, _ in kept[1]])


def collate_pairs(rows: Sequence[EncodedPair]) -> tuple[Tensor, Tensor, Tensor]:
    """A batch of pairs: tokens (B, T), branches (B, T), and the numbers of the pairs (B,), which are the targets."""
    tokens_BT = pad([row.ids for row in rows], 0)
    branches_BT = pad([row.branches for row in rows], PADDING)
    return torch.from_numpy(tokens_BT), torch.from_numpy(branches_BT), torch.tensor([row.number for row in rows])


def count_pair_tokens(batch: Batch) -> int:
    """The number of tokens of a batch, without padding and without pairs that are not trained on."""
    _, branches_BT, numbers_B = batch
    return int((branches_BT[numbers_B != IGNORED_TARGET] != PADDING).sum())


def _read(path: Path, files: RowFiles) -> list[Preference]:
    """The preferences of a file. Prints what was left out or cut."""
    found = read_preferences(str(path), skip_bad_rows=files.skip_bad_rows, trained_only=path == files.data)
    say_left_out(path, found.skipped_rows, found.untrained_rows, found.unused)
    if found.equal_pairs:
        note(f"left out {counted(found.equal_pairs, 'pair')} of {path}: chosen and rejected are the same")
    if found.cut_pairs:
        note(f"cut {counted(found.cut_pairs, 'pair')} of {path} after the first answer in which the two differ")
    return found.rows


def _lay_out(encoded: EncodedPreference, number: int, without: int | None) -> EncodedPair:
    """Concatenates prompt, chosen and rejected answer.

    Args:
        without: the end of text if it is removed from the answers.
    """
    parts = [encoded.prompt_ids, encoded.chosen_ids, encoded.rejected_ids]
    if without is not None:
        parts[1:] = [without_end(ids, without) for ids in parts[1:]]
    branches = [np.full(len(part), branch, dtype=np.int64) for branch, part in enumerate(parts)]
    return EncodedPair(number, np.concatenate(parts), np.concatenate(branches))
