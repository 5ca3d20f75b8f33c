"""Files of rows: split into training and held-out rows, and described for run.yaml."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tuppence.core.console import counted, note, warn
from tuppence.core.errors import InputError
from tuppence.core.files import sha256_file
from tuppence.data.records.leaks import count_shared, lessons_of, normalise, opening_of, prompt_of
from tuppence.data.records.splits import hold_out
from tuppence.data.records.unused import Unused
from tuppence.storage import location_of, stage

Row = TypeVar("Row")


def rows_input(files: Sequence[Path | str], rows: int) -> dict[str, Any]:
    """For run.yaml: which rows were trained on. The fingerprint is of the files' contents, not of their names."""
    digests = [sha256_file(Path(file)) for file in files]
    return {"path": ", ".join(map(location_of, files)), "fingerprint": "+".join(digests), "rows": rows}


@dataclass(frozen=True)
class RowFiles:
    """The files of rows that a finetune learns from, on this machine.

    Attributes:
        data: the file of rows.
        val: the file of held-out rows; None: a part of `data` is held out.
        skip_bad_rows: leave out rows that cannot be used, and count them, instead of refusing the file.
    """

    data: Path
    val: Path | None = None
    skip_bad_rows: bool = False

    @classmethod
    def staged(cls, data: str | Path, val: str | Path | None, *, skip_bad_rows: bool) -> RowFiles:
        """The files of these locations, copied here from another storage."""
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
        """Training and held-out rows; rows that are also held out are left out of training.

        Args:
            read: the rows of a file.
            fraction: held out of `data` where there is no `val`, by a hash of how rows begin: dialogues that begin
                alike are on one side, as far as that leaves about the wanted share.
            key: what makes two rows of `data` and `val` the same. A dialogue of `data` is also left out where one of
                `val` is its beginning.
            noun: what a row is called.

        Raises:
            InputError: nothing is left to train on, or to hold out.
        """
        rows = list(read(self.data))
        if self.val is None:
            kept, held_out = hold_out(rows, fraction, seed=seed, key=opening_of, finer_key=prompt_of)
            if not 0.5 <= len(held_out) / max(1, round(fraction * len(rows))) <= 2:
                warn(
                    f"{len(held_out):,} of {counted(len(rows), noun)} held out, where {fraction:.0%} was asked for:"
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


def say_skipped(path: Path, skipped_rows: int) -> None:
    """Prints how many bad rows `--skip-bad-rows` left out."""
    if skipped_rows:
        warn(f"skipped {counted(skipped_rows, 'bad row')} of {path}")


def say_unused(path: Path, unused: Unused) -> None:
    """Prints which columns of a file training does not use."""
    if unused.rows:
        note(f"not used of {path}: {unused}")
