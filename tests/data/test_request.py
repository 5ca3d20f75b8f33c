"""A request is checked before anything is read; equal requests have equal digests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.data.pieces import ReadReport
from tuppence.data.request import Request, selected_pieces
from tuppence.data.selection import Deduplicator
from tuppence.tokenizer import Tokenizer


@pytest.fixture
def request_of_a(tmp_path: Path) -> Request:
    (tmp_path / "a.txt").write_text("one\n<|endoftext|>\ntwo\n<|endoftext|>\none")
    return Request((str(tmp_path / "a.txt"),), (), 0.0, False, False, "text", 100, 0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"val_fraction": 0.5, "val_inputs": ("b.txt",)}, "exclude each other"),
        ({"val_fraction": 1.0}, "is not between 0 and 1"),
        ({"val_fraction": -0.1}, "is not between 0 and 1"),
        ({"shard_tokens": 0}, "is not positive"),
        ({"seed": -1}, "--seed -1 is not between"),
    ],
)
def test_invalid_settings_are_refused(request_of_a: Request, options: dict[str, Any], complaint: str) -> None:
    request_of_a.check()
    with pytest.raises(InputError, match=complaint):
        replace(request_of_a, **options).check()


def test_the_digest_depends_on_settings_and_files(request_of_a: Request, tokenizer: Tokenizer, tmp_path: Path) -> None:
    digest = request_of_a.digest(tokenizer)
    assert replace(request_of_a).digest(tokenizer) == digest
    assert replace(request_of_a, seed=1).digest(tokenizer) != digest
    (tmp_path / "a.txt").write_text("another text")
    assert request_of_a.digest(tokenizer) != digest


def test_deduplicate_selects_copies_once(request_of_a: Request, tmp_path: Path) -> None:
    def texts(request: Request) -> list[tuple[str, str]]:
        pieces = selected_pieces(request, ReadReport(), Deduplicator(tmp_path), lambda size: None)
        return [(split, piece.text.strip()) for split, piece in pieces]

    assert texts(request_of_a) == [("train", "one"), ("train", "two"), ("train", "one")]
    assert texts(replace(request_of_a, deduplicate=True)) == [("train", "one"), ("train", "two")]
