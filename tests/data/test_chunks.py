"""Chunks depend only on the text, and their order does not depend on the number of threads."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tuppence.data import chunks
from tuppence.data.chunks import PIECE_OVERHEAD, Chunk, chunk_pieces, encode_chunks
from tuppence.data.pieces import Piece
from tuppence.tokenizer import Tokenizer

NONE_DONE = {"train": 0, "val": 0}


def stream(*documents: tuple[str, str]) -> Iterator[tuple[str, Piece]]:
    return ((split, Piece("a.txt", number, text, last=True)) for number, (split, text) in enumerate(documents))


def texts(chunk: Chunk) -> list[str]:
    return [piece.text for piece in chunk.pieces]


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 2 * PIECE_OVERHEAD + 8)


def test_a_chunk_ends_at_its_size_and_has_one_split() -> None:
    documents = [("train", "aaaa"), ("val", "bbbb"), ("train", "cccc"), ("train", "dd"), ("val", "ee")]
    found = [(chunk.split, texts(chunk)) for chunk in chunk_pieces(stream(*documents), NONE_DONE)]
    assert found == [("train", ["aaaa", "cccc"]), ("train", ["dd"]), ("val", ["bbbb", "ee"])]


def test_tiny_documents_do_not_make_huge_chunks() -> None:
    found = list(chunk_pieces(stream(*[("train", "a")] * 100), NONE_DONE))
    assert max(len(chunk.pieces) for chunk in found) <= 3


def test_finished_chunks_are_left_out_and_the_others_unchanged() -> None:
    documents = [(random.Random(number).choice(["train", "val"]), "text" * 3) for number in range(50)]
    whole = [(chunk.split, texts(chunk)) for chunk in chunk_pieces(stream(*documents), NONE_DONE)]
    rest = [(chunk.split, texts(chunk)) for chunk in chunk_pieces(stream(*documents), {"train": 3, "val": 1})]
    train, val = ([chunk for chunk in whole if chunk[0] == split] for split in ("train", "val"))
    assert [chunk for chunk in rest if chunk[0] == "train"] == train[3:]
    assert [chunk for chunk in rest if chunk[0] == "val"] == val[1:]


def test_results_are_in_order_if_threads_finish_out_of_order(
    tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode, threads = Tokenizer.encode_to_array, set()

    def slow(self: Tokenizer, text: str) -> Any:
        threads.add(threading.get_ident())
        time.sleep(random.random() * 0.01)
        return encode(self, text)

    monkeypatch.setattr(Tokenizer, "encode_to_array", slow)
    documents = [("train", f"It was night number {number}. " * 4) for number in range(60)]
    encoded = list(encode_chunks(chunk_pieces(stream(*documents), NONE_DONE), tokenizer, workers=4))
    wanted = [token for _, text in documents for token in [*tokenizer.encode(text), tokenizer.end_of_text]]
    assert np.concatenate([chunk.tokens for chunk in encoded]).tolist() == wanted
    assert sum(chunk.documents for chunk in encoded) == 60
    assert sum(chunk.bytes for chunk in encoded) == sum(len(text) for _, text in documents)
    assert len(threads) > 2


def test_only_a_few_chunks_are_read_ahead(tokenizer: Tokenizer) -> None:
    drawn: list[int] = []

    def endless() -> Iterator[tuple[str, Piece]]:
        for number in range(10_000):
            drawn.append(number)
            yield "train", Piece("a.txt", number, "text " * 40, last=True)

    next(encode_chunks(chunk_pieces(endless(), NONE_DONE), tokenizer, workers=2))
    assert len(drawn) < 20
