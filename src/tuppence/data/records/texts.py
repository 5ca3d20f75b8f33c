"""Encodes texts as ids for a classifier. Each text is cut to the context; no special token is added.

A classifier computes its scores at the last token of the text, as `GPT2ForSequenceClassification` does. Therefore no
end-of-text token follows the text. Used in training, evaluation and prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tuppence.core.errors import InputError
from tuppence.tokenizer import Tokenizer

Array = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class EncodedTexts:
    """Encoded texts.

    Attributes:
        rows: the ids of each text, int64, (T,); at least one.
        truncated_rows, truncated_tokens: number of texts that were cut, and number of tokens that were cut in total.
    """

    rows: list[Array]
    truncated_rows: int
    truncated_tokens: int

    @property
    def lengths(self) -> Array:
        """Length of each text, in tokens."""
        return np.array([len(row) for row in self.rows], dtype=np.int64)


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], *, context_length: int) -> EncodedTexts:
    """Encodes every text, cut at the right to `context_length`. Special tokens in a text are plain text.

    Raises:
        InputError: a text is empty or only white space.

    Example:
        >>> from tuppence.tokenizer import train_tokenizer
        >>> tokenizer = train_tokenizer(["You have WON a prize."], vocab_size=260)
        >>> encoded = encode_texts(tokenizer, ["You", "You have WON"], context_length=4)
        >>> encoded.lengths.tolist(), encoded.truncated_rows, encoded.truncated_tokens
        ([3, 4], 1, 6)
    """
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            raise InputError(f"text {number:,} is empty", "give a text with at least one visible character")
    rows: list[Array] = []
    truncated: list[int] = []
    for ids in tokenizer.encode_batch(list(texts)):
        rows.append(np.array(ids[:context_length], dtype=np.int64))
        if len(ids) > context_length:
            truncated.append(len(ids) - context_length)
    return EncodedTexts(rows, truncated_rows=len(truncated), truncated_tokens=sum(truncated))
