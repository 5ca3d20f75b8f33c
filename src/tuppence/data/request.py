"""The request of a preparation, and the pieces of text that it selects. Called by `prepare`.

The selection is a pure function of the request and of its input files: the same request selects the same pieces in the
same order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from tuppence.core.console import note, warn
from tuppence.core.errors import InputError
from tuppence.data import selection
from tuppence.data.chunks import CHUNK_CHARACTERS
from tuppence.data.inputs import find_sources
from tuppence.data.parts import Part
from tuppence.data.pieces import Piece, ReadReport
from tuppence.data.sources import iter_pieces

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

SHARD_TOKENS = 2**24


@dataclass(frozen=True)
class Request:
    """The settings that determine the content of the shards: equal requests give equal bytes."""

    inputs: tuple[str, ...]
    val_inputs: tuple[str, ...]
    val_fraction: float
    deduplicate: bool
    skip_bad_rows: bool
    text_key: str
    shard_tokens: int
    seed: int
    part: Part | None = None

    @property
    def whole(self) -> Request:
        """The request for the whole corpus."""
        return replace(self, part=None)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that the shards must have."""
        return ("train", "val") if self.val_inputs or self.val_fraction else ("train",)

    def digest(self, tokenizer: Tokenizer) -> str:
        """The sha256 of the settings, the tokenizer, and the sizes and versions of all input files."""
        files = [source.identity for source in find_sources([*self.val_inputs, *self.inputs])]
        settings = asdict(self)
        if self.part is None:
            del settings["part"]
        content = json.dumps([settings, tokenizer.fingerprint, CHUNK_CHARACTERS, files], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def check(self) -> None:
        """Checks the settings.

        Raises:
            InputError: a setting is out of range, or two settings exclude each other.
        """
        if self.val_inputs and self.val_fraction:
            raise InputError("--val and --val-fraction exclude each other", "give only one of them")
        if self.part is not None and self.deduplicate:
            raise InputError(
                "--deduplicate compares all documents, and --part reads only some of them",
                "leave one of them out; a copy is then in both parts",
            )
        if not 0 <= self.val_fraction < 1:
            raise InputError(
                f"--val-fraction {self.val_fraction} is not between 0 and 1", "0.01 holds out 1 % for validation"
            )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"--seed {self.seed} is not between 0 and 2^63", "choose another seed, for example 0")
        if self.shard_tokens < 1:
            raise InputError(f"--shard-tokens {self.shard_tokens} is not positive", f"the default is {SHARD_TOKENS:,}")

    def warn_of_leaks(self) -> None:
        """Warns of a file that is in both splits: its validation loss has no meaning."""
        if not self.val_inputs or self.deduplicate:
            return
        trained = {os.path.realpath(source.path) for source in find_sources(self.inputs)}
        for source in find_sources(self.val_inputs):
            if os.path.realpath(source.path) in trained:
                warn(f"{source.path} is both trained on and held out: remove it from the inputs, or pass --deduplicate")


def selected_pieces(
    request: Request,
    report: ReadReport,
    deduplicator: selection.Deduplicator,
    on_bytes: Callable[[int], object],
) -> Iterator[tuple[str, Piece]]:
    """Yields (split, piece) for all selected pieces, those of the validation files first."""

    def stream(inputs: Sequence[str]) -> Iterator[Piece]:
        pieces = iter_pieces(
            inputs,
            text_key=request.text_key,
            skip_bad_rows=request.skip_bad_rows,
            on_bytes=on_bytes,
            report=report,
            part=request.part,
        )
        return deduplicator.unique(pieces) if request.deduplicate else pieces

    if request.val_inputs:
        yield from selection.assign_splits(stream(request.val_inputs), selection.assign_all("val"))
    if not request.val_fraction:
        yield from selection.assign_splits(stream(request.inputs), selection.assign_all("train"))
        return
    only = selection.only_text(
        iter_pieces(request.inputs, text_key=request.text_key, skip_bad_rows=request.skip_bad_rows)
    )
    if only is not None and only.copies > 1 and not request.deduplicate:
        raise InputError(
            f"all {only.copies:,} documents are the same text: none can be held out",
            "pass --deduplicate to split this text in two, or hold out a file with --val FILE",
        )
    if only is not None and request.part is not None:
        raise InputError(
            "there is only one document: it has no parts", "leave out --part, or hold out a file with --val"
        )
    if only is None:
        by_hash = selection.assign_by_hash(request.val_fraction, request.seed)
        yield from selection.assign_splits(stream(request.inputs), by_hash)
        return
    note(f"there is only one document: its last {request.val_fraction:.1%} is the validation split")
    train_characters = min(round(only.characters * (1 - request.val_fraction)), only.characters - 1)
    yield from selection.split_tail(stream(request.inputs), train_characters)
