"""Converts text files and token shards to the stream of tokens that `perplexity` scores.

Both give the same stream for the same text: `<|endoftext|>` comes first, and between documents. Memory is limited for
files and documents of any size. Called by `tasks.perplexity`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tuppence.core.errors import InputError
from tuppence.data.inputs import find_sources, warn_of_passed_over
from tuppence.data.shards import INDEX_NAME, TokenShards
from tuppence.data.sources import iter_documents
from tuppence.evaluation.scoring.windows import Tokens
from tuppence.storage import open_store

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

_PIECE = 2**18
_ROW_HINT = "an evaluation reads all rows, each with its text under the key 'text': fix the file, or give a .txt file"


@dataclass(frozen=True)
class TokenStream:
    """The tokens to score.

    Attributes:
        pieces: one sequence of token ids, in pieces; it begins with `<|endoftext|>`.
        total_bytes: bytes of the text, for a progress bar; None if they are not known in advance.
    """

    pieces: Iterator[Tokens]
    total_bytes: int | None


def open_stream(data: str, tokenizer: Tokenizer) -> TokenStream:
    """Opens the stream of a DATA folder's validation split, or of a text file, folder or glob.

    Raises:
        InputError: there is no such data, it has no text, or another tokenizer was used for it.
    """
    if open_store(data).describe(INDEX_NAME) is not None:
        shards = TokenShards.open(data, "val")
        shards.require_tokenizer(tokenizer)
        return TokenStream(shard_tokens(shards), shards.num_bytes)
    sources = find_sources([data])
    warn_of_passed_over([data])
    plain = all(source.kind == "text" and not source.compression for source in sources)
    return TokenStream(text_tokens(data, tokenizer), sum(source.entry.size for source in sources) if plain else None)


def text_tokens(data: str, tokenizer: Tokenizer) -> Iterator[Tokens]:
    """Yields `<|endoftext|>` and the tokens of each document of a text file, folder or glob.

    Raises:
        InputError: a file or row cannot be read, or a row has no text under the key "text".
    """
    try:
        for document in iter_documents([data]):
            yield np.array([tokenizer.end_of_text], dtype=np.int64)
            for block in document.blocks:
                yield tokenizer.encode_to_array(block).astype(np.int64)
    except InputError as error:
        options = ("--text-key", "--skip-bad-rows")  # options of `data prepare` that `evaluate` does not have
        hint = _ROW_HINT if any(option in error.hint for option in options) else error.hint
        raise type(error)(error.message, hint) from error


def shard_tokens(shards: TokenShards) -> Iterator[Tokens]:
    """Yields `<|endoftext|>` and the tokens of a split, where each document ends with `<|endoftext|>`."""
    yield np.array([shards.end_of_text], dtype=np.int64)
    for start in range(0, shards.num_tokens, _PIECE):
        yield shards.window(start, min(_PIECE, shards.num_tokens - start))


def bytes_of_tokens(tokenizer: Tokenizer) -> NDArray[np.int64]:
    """Returns the number of UTF-8 bytes of each id, (V,); 0 for special tokens, which are not part of a text."""
    counts = np.array([len(tokenizer.decode_bytes([token])) for token in range(tokenizer.vocab_size)], dtype=np.int64)
    counts[list(tokenizer.special_tokens.values())] = 0
    return counts
