"""Byte-level BPE: learned from texts, read from files, and applied.

`trainer` learns merges from the words that `counting` counts. `reference` defines encoding in plain code. `vocabulary`
holds everything that determines ids, and checks that all readers of its files give the same ids. `tokenizer` encodes at
tiktoken's speed. `huggingface`, `huggingface_reader` and `imports` write and read files.
"""

from tuppence.tokenizer.tokenizer import Tokenizer
from tuppence.tokenizer.trainer import train_tokenizer

__all__ = ["Tokenizer", "train_tokenizer"]
