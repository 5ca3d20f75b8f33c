"""The pieces of a document depend only on its text."""

from __future__ import annotations

import json
from pathlib import Path

from tests.data.reading import pieces_of, write

from tuppence.data.pieces import PIECE_CHARACTERS
from tuppence.data.text_files import SEPARATOR


def test_the_pieces_of_a_document_do_not_depend_on_its_position(tmp_path: Path) -> None:
    long = "It was a dark and stormy night; the rain fell in torrents. " * 50_000
    texts = {
        "alone.txt": long,
        "after.txt": f"A short one.\n{SEPARATOR}\n{long}",
        "before.txt": f"{long}\n{SEPARATOR}\nA short one.",
        "row.jsonl": json.dumps({"text": long}),
    }
    cuts = []
    for name, content in texts.items():
        pieces = pieces_of(write(tmp_path / name, content))
        cuts.append([len(piece.text) for piece in pieces if len(piece.text) > 100])
    assert len(cuts[0]) == 3
    assert max(cuts[0]) <= PIECE_CHARACTERS
    assert cuts.count(cuts[0]) == len(cuts)


def test_a_text_without_a_safe_cut_is_cut_at_the_limit(tmp_path: Path) -> None:
    pieces = pieces_of(write(tmp_path / "a.txt", "a" * (PIECE_CHARACTERS + 100)))
    assert [len(piece.text) for piece in pieces] == [PIECE_CHARACTERS, 100]
