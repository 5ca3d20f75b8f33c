"""Byte-level BPE: learned from texts, read from files, and applied.

`trainer` learns (`counting` counts the words for it), `reference` says in plain code what encoding is,
`vocabulary` keeps what determines ids and makes sure that everyone reads it alike, `tokenizer` encodes at
tiktoken's speed, `huggingface` and `imports` read and write files.
"""

from tuppence.tokenizer.tokenizer import Tokenizer
from tuppence.tokenizer.trainer import train_tokenizer

__all__ = ["Tokenizer", "train_tokenizer"]
