"""Shard folders with known tokens, for the tests that read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from tuppence.core.files import write_json
from tuppence.data.shards import INDEX_NAME, ShardIndex, SplitInfo
from tuppence.data.writer import EncodedChunk, Progress, ShardWriter, write_document_offsets
from tuppence.tokenizer import Tokenizer, train_tokenizer

END_OF_TEXT = 256

ShardMaker = Callable[..., Path]


@pytest.fixture
def make_shards(tmp_path: Path) -> ShardMaker:
    """`make_shards(documents, shard_tokens=…, split=…)`: writes a finished shard folder from lists of tokens."""

    def make(
        documents: Sequence[Sequence[int]], *, shard_tokens: int = 2**20, split: str = "train", vocab_size: int = 257
    ) -> Path:
        folder = tmp_path / "shards"
        dtype = "uint16" if vocab_size <= 2**16 else "uint32"
        state = Progress(folder, "a request", dtype)
        with ShardWriter(folder, split, dtype, shard_tokens, state) as writer:
            for document in documents:
                writer.add(EncodedChunk(split, np.array([*document, END_OF_TEXT]), 1, len(document)))
        infos = [shard.info for shard in state.of(split)]
        name, sha256 = write_document_offsets(folder, split, infos, dtype, END_OF_TEXT)
        tokens = sum(len(document) + 1 for document in documents)
        characters = sum(map(len, documents))
        index = ShardIndex(
            tokenizer_sha256="f" * 64,
            vocab_size=vocab_size,
            end_of_text=END_OF_TEXT,
            dtype=dtype,
            request="a request",
            duplicates=0,
            skipped_rows=0,
            splits={split: SplitInfo(tokens, characters, len(documents), name, sha256)},
            shards=infos,
        )
        write_json(folder / INDEX_NAME, index.to_json())
        state.path.unlink()
        return folder

    return make


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    """A small tokenizer with some merges, so that a wrong cut changes the tokens."""
    return train_tokenizer(["It was a dark and stormy night; the rain fell in torrents."] * 3, vocab_size=300)
