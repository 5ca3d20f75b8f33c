"""Decides which documents are kept, and which split each belongs to. Pure Python over streams of pieces.

A document larger than a piece is never held whole: its split follows from its first piece, and only when an
earlier document began with the same million characters is the rest parked in a temporary file until its digest
says whether it is a duplicate.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tuppence.data.pieces import Piece
from tuppence.tokenizer.patterns import safe_cut

Assign = Callable[[Piece], str]
"""Maps a document's first piece to the name of its split."""


def assign_all(split: str) -> Assign:
    """Every document into one split."""
    return lambda first: split


def assign_by_hash(val_fraction: float, seed: int) -> Assign:
    """About `val_fraction` of the documents into "val", by a hash of their text.

    The same text is in the same split, wherever and however often it occurs, so that no copy of a training
    document is found in the validation split.
    """
    key = seed.to_bytes(8, "little")

    def assign(first: Piece) -> str:
        digest = hashlib.blake2b(first.text.encode(), digest_size=8, key=key).digest()
        return "val" if int.from_bytes(digest, "little") < val_fraction * 2**64 else "train"

    return assign


class Deduplicator:
    """Drops documents whose text was seen before, to the letter. Holds 16 bytes and a set's slot per document.

    Args:
        scratch: the folder for the rare document that has to be parked; the system's own by default.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self.dropped = 0
        self._scratch = scratch
        self._seen: set[bytes] = set()
        self._beginnings: set[bytes] = set()  # digests of the first pieces of documents longer than a piece

    def unique(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """The pieces of the documents that were not seen before, in order; call it on several streams in turn."""
        for first in pieces:
            digest = hashlib.blake2b(first.text.encode(), digest_size=16)
            if first.last:
                if self._is_new(digest.digest()):
                    yield first
            elif digest.digest() in self._beginnings:
                yield from self._parked(first, pieces)
            else:
                self._beginnings.add(digest.digest())
                yield first
                for piece in _rest_of_document(pieces):
                    digest.update(piece.text.encode())
                    yield piece
                self._seen.add(digest.digest())

    def _is_new(self, digest: bytes) -> bool:
        if digest in self._seen:
            self.dropped += 1
            return False
        self._seen.add(digest)
        return True

    def _parked(self, first: Piece, pieces: Iterator[Piece]) -> Iterator[Piece]:
        digest = hashlib.blake2b(first.text.encode(), digest_size=16)
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._scratch) as parked:
            _park(first, parked)
            for piece in _rest_of_document(pieces):
                digest.update(piece.text.encode())
                _park(piece, parked)
            if self._is_new(digest.digest()):
                parked.seek(0)
                for line in parked:
                    yield Piece(*json.loads(line))


def _park(piece: Piece, parked: IO[str]) -> None:
    parked.write(json.dumps(piece, ensure_ascii=False) + "\n")


def _rest_of_document(pieces: Iterator[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield piece
        if piece.last:
            return


def assign_splits(pieces: Iterator[Piece], assign: Assign) -> Iterator[tuple[str, Piece]]:
    """(split, piece) for every piece; the pieces of a document stay together."""
    for first in pieces:
        split = assign(first)
        yield split, first
        if not first.last:
            for piece in _rest_of_document(pieces):
                yield split, piece


@dataclass(frozen=True)
class OneText:
    """Inputs that hold one text only.

    Attributes:
        characters: of the text.
        copies: how many documents there are, all of this text.
    """

    characters: int
    copies: int


def only_text(pieces: Iterator[Piece]) -> OneText | None:
    """The only text there is; None as soon as a document of another text ends."""
    known: tuple[bytes, int] | None = None  # its digest and length
    copies = characters = 0
    digest = hashlib.blake2b(digest_size=16)
    for piece in pieces:
        digest.update(piece.text.encode())
        characters += len(piece.text)
        if piece.last:
            found = digest.digest(), characters
            if known not in (None, found):
                return None
            known, copies = found, copies + 1
            digest, characters = hashlib.blake2b(digest_size=16), 0
    return OneText(known[1], copies) if known else None


def split_tail(pieces: Iterator[Piece], train_characters: int) -> Iterator[tuple[str, Piece]]:
    """Cuts the only document in two: about `train_characters`, fewer than it has, for "train", the rest for "val".

    The cut lies at the last line break before that place, or else where no token can lie across it.
    """
    before = 0
    for piece in pieces:
        after = before + len(piece.text)
        if after <= train_characters or before > train_characters:
            yield ("train" if after <= train_characters else "val"), piece
        else:
            head = piece.text[: train_characters - before]
            cut = head.rfind("\n") + 1 or safe_cut(head) or len(head)
            yield "train", piece._replace(text=piece.text[:cut], last=True)
            yield "val", piece._replace(text=piece.text[cut:])
        before = after
