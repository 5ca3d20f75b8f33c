"""Selects documents: drops exact copies, and assigns each document to a split.

Works on streams of pieces. A document larger than a piece is never held in memory as a whole. The first piece decides
its split. If an earlier document begins with the same piece, the document is written to a temporary file until its
digest shows whether it is a copy.
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
    """Assigns every document to one split."""
    return lambda first: split


def assign_by_hash(val_fraction: float, seed: int) -> Assign:
    """Assigns about `val_fraction` of the documents to "val", by a hash of their first piece.

    Equal texts get the same split, in any order and number, so no validation document is a copy of a training document.
    """
    key = seed.to_bytes(8, "little")

    def assign(first: Piece) -> str:
        digest = hashlib.blake2b(first.text.encode(), digest_size=8, key=key).digest()
        return "val" if int.from_bytes(digest, "little") < val_fraction * 2**64 else "train"

    return assign


class Deduplicator:
    """Drops exact copies of earlier documents. Memory: one set entry of 16 bytes for each document.

    Args:
        scratch: the folder for temporary files; by default the system's. A file is needed only for a document longer
            than a piece that begins with the same piece as an earlier one.
    """

    def __init__(self, scratch: Path | None = None) -> None:
        self.dropped = 0
        self._scratch = scratch
        self._seen: set[bytes] = set()
        self._beginnings: set[bytes] = set()  # digests of the first pieces of documents longer than a piece

    def unique(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Yields the pieces of the new documents, in order. Several streams can be filtered one after the other."""
        for first in pieces:
            digest = hashlib.blake2b(first.text.encode(), digest_size=16)
            if first.last:
                if self._is_new(digest.digest()):
                    yield first
            elif digest.digest() in self._beginnings:
                yield from self._stored(first, pieces)
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

    def _stored(self, first: Piece, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Stores a document in a temporary file until its digest is known; yields its pieces if it is new."""
        digest = hashlib.blake2b(first.text.encode(), digest_size=16)
        with tempfile.TemporaryFile("w+", encoding="utf-8", dir=self._scratch) as stored:
            _store(first, stored)
            for piece in _rest_of_document(pieces):
                digest.update(piece.text.encode())
                _store(piece, stored)
            if self._is_new(digest.digest()):
                stored.seek(0)
                for line in stored:
                    yield Piece(*json.loads(line))


def _store(piece: Piece, stored: IO[str]) -> None:
    stored.write(json.dumps(piece, ensure_ascii=False) + "\n")


def _rest_of_document(pieces: Iterator[Piece]) -> Iterator[Piece]:
    for piece in pieces:
        yield piece
        if piece.last:
            return


def assign_splits(pieces: Iterator[Piece], assign: Assign) -> Iterator[tuple[str, Piece]]:
    """Yields (split, piece) for every piece. All pieces of a document have the same split."""
    for first in pieces:
        split = assign(first)
        yield split, first
        if not first.last:
            for piece in _rest_of_document(pieces):
                yield split, piece


@dataclass(frozen=True)
class OneText:
    """Inputs in which every document has the same text.

    Attributes:
        characters: length of the text.
        copies: number of documents.
    """

    characters: int
    copies: int


def only_text(pieces: Iterator[Piece]) -> OneText | None:
    """The only text of the documents; None if there are two different texts, or none."""
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
    """Splits the only document: about the first `train_characters` for "train", the rest for "val".

    The cut is after the last line break of the piece before that place; without a line break, between two tokens.

    Args:
        pieces: of the document.
        train_characters: fewer than the document has.
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
