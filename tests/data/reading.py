"""Reads and writes files for the tests of the readers."""

from __future__ import annotations

from pathlib import Path

from tuppence.data.inputs import find_sources
from tuppence.data.pieces import Piece, ReadReport
from tuppence.data.readers import read_pieces


def pieces_of(path: Path, *, skip: bool = False, key: str = "text", report: ReadReport | None = None) -> list[Piece]:
    source = find_sources([str(path)])[0]
    return list(read_pieces(source, text_key=key, skip_bad_rows=skip, report=report or ReadReport()))


def documents_of(path: Path, **options: object) -> list[str]:
    texts, text = [], ""
    for piece in pieces_of(path, **options):  # type: ignore[arg-type]
        text += piece.text
        if piece.last:
            texts.append(text)
            text = ""
    assert text == "", "the last document does not end"
    return texts


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path
