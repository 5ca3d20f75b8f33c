"""What a preparation was asked for, and the pieces of text that follow from it. Called by `prepare`.

Everything here is a pure function of the request and of its input files: the same request selects the same pieces in
the same order.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tuppence.core.console import note, warn
from tuppence.core.errors import InputError
from tuppence.data import selection
from tuppence.data.chunks import CHUNK_CHARACTERS
from tuppence.data.inputs import find_sources
from tuppence.data.pieces import Piece, ReadReport
from tuppence.data.sources import iter_pieces

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

SHARD_TOKENS = 2**24


@dataclass(frozen=True)
class Request:
    """What decides the shards' content: equal requests give equal bytes."""

    inputs: tuple[str, ...]
    val_inputs: tuple[str, ...]
    val_fraction: float
    deduplicate: bool
    skip_bad_rows: bool
    text_key: str
    shard_tokens: int
    seed: int

    def digest(self, tokenizer: Tokenizer) -> str:
        """sha256 over the settings, the tokenizer and the size and version of every input file."""
        files = [source.identity for source in find_sources([*self.val_inputs, *self.inputs])]
        content = json.dumps([asdict(self), tokenizer.fingerprint, CHUNK_CHARACTERS, files], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def check(self) -> None:
        """Refuses settings that make no sense.

        Raises:
            InputError: with the flag.
        """
        if self.val_inputs and self.val_fraction:
            raise InputError("--val and --val-fraction exclude each other", "give one of them")
        if not 0 <= self.val_fraction < 1:
            raise InputError(
                f"--val-fraction {self.val_fraction} is not between 0 and 1", "0.01 keeps 1 % for validation"
            )
        if not 0 <= self.seed < 2**63:
            raise InputError(f"--seed {self.seed} is not in 0..2^63", "0 is as good as any")
        if self.shard_tokens < 1:
            raise InputError(f"--shard-tokens {self.shard_tokens} is not positive", f"{SHARD_TOKENS:,} is usual")

    def warn_of_leaks(self) -> None:
        """Warns of a held-out file that is trained on as well: its validation loss would say nothing."""
        if not self.val_inputs or self.deduplicate:
            return
        trained = {os.path.realpath(source.path) for source in find_sources(self.inputs)}
        for source in find_sources(self.val_inputs):
            if os.path.realpath(source.path) in trained:
                warn(f"{source.path} is trained on and held out: keep it out of the inputs, or pass --deduplicate")


def selected_pieces(
    request: Request,
    report: ReadReport,
    deduplicator: selection.Deduplicator,
    on_bytes: Callable[[int], object],
) -> Iterator[tuple[str, Piece]]:
    """All pieces that are kept, each with its split; the validation files first."""

    def stream(inputs: Sequence[str]) -> Iterator[Piece]:
        pieces = iter_pieces(
            inputs,
            text_key=request.text_key,
            skip_bad_rows=request.skip_bad_rows,
            on_bytes=on_bytes,
            report=report,
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
            f"all {only.copies:,} documents are the same text: none can be held out of the others",
            "pass --deduplicate to cut the one text in two, or hold out a file with --val FILE",
        )
    if only is None:
        by_hash = selection.assign_by_hash(request.val_fraction, request.seed)
        yield from selection.assign_splits(stream(request.inputs), by_hash)
        return
    note(f"there is one document only: its last {request.val_fraction:.1%} is the validation split")
    train_characters = min(round(only.characters * (1 - request.val_fraction)), only.characters - 1)
    yield from selection.split_tail(stream(request.inputs), train_characters)
