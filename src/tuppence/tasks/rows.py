"""The files of rows of a finetune, and their split into training and held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tuppence.core.console import counted, note, warn
from tuppence.core.errors import InputError
from tuppence.data.bad_rows import warn_of_skipped
from tuppence.data.records.leaks import count_shared, lessons_of, normalise, opening_of, prompt_of
from tuppence.data.records.splits import hold_out
from tuppence.data.records.unused import Unused
from tuppence.storage import stage

Row = TypeVar("Row")


@dataclass(frozen=True)
class RowFiles:
    """The files of rows of a finetune, on this machine.

    Attributes:
        data: the file of training rows.
        val: the file of held-out rows; None: a part of `data` is held out.
        skip_bad_rows: leave out and count rows that cannot be used, instead of refusing the file.
    """

    data: Path
    val: Path | None = None
    skip_bad_rows: bool = False

    @classmethod
    def staged(cls, data: str | Path, val: str | Path | None, *, skip_bad_rows: bool) -> RowFiles:
        """The files at these locations. Remote ones are copied to this machine."""
        return cls(stage(data), None if val is None else stage(val), skip_bad_rows)

    @property
    def paths(self) -> list[Path]:
        return [self.data] if self.val is None else [self.data, self.val]

    def split(
        self,
        read: Callable[[Path], Sequence[Row]],
        *,
        fraction: float,
        seed: int,
        key: Callable[[object], str],
        noun: str,
    ) -> tuple[list[Row], list[Row]]:
        """Training rows and held-out rows. No row is in both.

        Args:
            read: returns the rows of a file.
            fraction: share of `data` to hold out if there is no `val`. A hash of the beginning of a row decides:
                dialogues that begin alike are on one side if about the wanted share can be held out that way.
            seed: of that hash.
            key: rows of `data` and `val` with equal keys are the same row. A dialogue of `data` is also left out if a
                row of `val` is its beginning.
            noun: the name of a row in messages.

        Raises:
            InputError: no row is left for training, or none can be held out.
        """
        rows = list(read(self.data))
        if self.val is None:
            kept, held_out = hold_out(rows, fraction, seed=seed, key=opening_of, finer_key=prompt_of)
            if not 0.5 <= len(held_out) / max(1, round(fraction * len(rows))) <= 2:
                warn(
                    f"{len(held_out):,} of {counted(len(rows), noun)} held out instead of {fraction:.0%}:"
                    " too many of them begin alike"
                )
            return kept, held_out
        held_out = list(read(self.val))
        lessons = (key(lesson) for row in rows for lesson in lessons_of(row))
        shared = count_shared(lessons, [key(row) for row in held_out])
        if shared.count:
            known = {normalise(key(row)) for row in held_out}
            rows = [row for row in rows if not any(normalise(key(lesson)) in known for lesson in lessons_of(row))]
            warn(f"{counted(shared.count, noun)} of {self.val} also in {self.data}: left out of training")
        if not rows:
            raise InputError(f"every {noun} of {self.data} is in {self.val}", "give another validation file, or none")
        return rows, held_out


def say_left_out(path: Path, skipped_rows: int, untrained_rows: int, unused: Unused) -> None:
    """Prints how many rows of a file `--skip-bad-rows` and a weight of 0 left out, and its unused columns."""
    warn_of_skipped(path, skipped_rows)
    if untrained_rows:
        note(f"left out {counted(untrained_rows, 'row')} of {path} with weight 0, or train, training or loss false")
    if unused.rows:
        note(f"not used of {path}: {unused}")
