"""The labelled rows of a classifier: read from files, split into three parts, and encoded.

Called by `classify`. `data.records.labelled` reads the formats, `data.records.splits` splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuppence.core.console import counted, note, warn
from tuppence.data.records.labelled import LabelledSet, LabelledText, alike_labels, read_labelled
from tuppence.data.records.splits import PARTS, Splits, fixed_splits, split_labelled
from tuppence.data.records.texts import Array, encode_texts
from tuppence.model.loaded import ModelInfo
from tuppence.storage import stage
from tuppence.tasks.rows import say_left_out


@dataclass(frozen=True)
class LabelledFiles:
    """The files of a classifier's rows, and how to read them.

    Attributes:
        data: a file of labelled texts.
        val, test: files of held-out rows; None: a part of `data`.
        text_column, label_column: names of the columns; None: found automatically, if that is possible.
        skip_bad_rows: leave out and count rows that cannot be used, instead of refusing the file.
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
        """The same with local copies of remote files."""
        val, test = (None if path is None else stage(path) for path in (self.val, self.test))
        return replace(self, data=stage(self.data), val=val, test=test)

    def read(self, path: str | Path) -> LabelledSet:
        """The rows of one of the files. Prints which columns were found, and what was left out."""
        found = read_labelled(
            str(path),
            text_column=self.text_column,
            label_column=self.label_column,
            skip_bad_rows=self.skip_bad_rows,
            trained_only=path == self.data,
        )
        if self.text_column is None or self.label_column is None:
            note(f"{path}: the text is column '{found.text_column}', the label column '{found.label_column}'")
        say_left_out(Path(path), found.skipped_rows, found.untrained_rows, found.unused)
        return found

    def split(
        self, rows: Sequence[LabelledText], *, seed: int, fractions: tuple[float, float, float], balance: bool
    ) -> Splits:
        """Splits the rows of `data` into training, validation and test; `val` and `test` replace the last two.

        Args:
            rows: the rows of `data`.
            seed: of the random split.
            fractions: of training, validation and test.
            balance: leave out rows until all labels are as rare as the rarest.

        Raises:
            InputError: a file cannot be read, a part would be empty, or a held-out label is unknown in training.
        """
        val = self.read(self.val).rows if self.val else None
        test = self.read(self.test).rows if self.test else None
        if val is not None and test is not None and not balance:
            return fixed_splits(rows, val, test)
        drawn = split_labelled(rows, seed=seed, fractions=fractions, balance=balance)
        if val is None and test is None:
            return drawn
        not_needed = [*(drawn.validation if val is not None else []), *(drawn.test if test is not None else [])]
        fixed = fixed_splits(
            [*drawn.train, *not_needed],
            drawn.validation if val is None else val,
            drawn.test if test is None else test,
        )
        return replace(
            fixed,
            duplicates=drawn.duplicates + fixed.duplicates,
            contradictions=max(drawn.contradictions, fixed.contradictions),
            dropped_by_balance=drawn.dropped_by_balance,
        )


@dataclass(frozen=True)
class EncodedLabelled:
    """An encoded text.

    Attributes:
        ids: int64, (T,).
        label: the id of its class.
    """

    ids: Array
    label: int


def encode_labelled(base: ModelInfo, rows: Sequence[LabelledText], splits: Splits, name: str) -> list[EncodedLabelled]:
    """Encodes the rows of one part. Prints how many texts were cut.

    Args:
        splits: has the labels in the order of their ids.
        name: of the part, for the message.
    """
    encoded = encode_texts(base.tokenizer, [row.text for row in rows], context_length=base.config.context_length)
    if encoded.truncated_rows:
        texts = counted(encoded.truncated_rows, f"{name} text")
        note(f"{texts} cut at the context's end, by {counted(encoded.truncated_tokens, 'token')} in all")
    id_of = {label: number for number, label in enumerate(splits.labels)}
    return [EncodedLabelled(ids, id_of[row.label]) for ids, row in zip(encoded.rows, rows, strict=True)]


def facts_of_splits(splits: Splits) -> dict[str, Any]:
    """The entry of the split in run.yaml."""
    return {
        "labels": list(splits.labels),
        **{name: len(part) for name, part in _parts(splits).items()},
        "duplicates_removed": splits.duplicates,
        "contradictions": splits.contradictions,
        "dropped_by_balance": splits.dropped_by_balance,
    }


def describe_splits(splits: Splits) -> None:
    """Prints the labels, the sizes of the parts, and how many rows were removed."""
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


def _parts(splits: Splits) -> dict[str, list[LabelledText]]:
    return dict(zip(PARTS, (splits.train, splits.validation, splits.test), strict=True))
