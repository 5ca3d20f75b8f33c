"""Tokenizers that several tests share."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
import tiktoken

from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.patterns import PatternName


@pytest.fixture(scope="session")
def languages(shared_data: Path) -> dict[str, str]:
    """The Universal Declaration of Human Rights in 387 languages, the beginning of each."""
    with gzip.open(shared_data / "tokenizer" / "udhr-multilingual.jsonl.gz", "rt", encoding="utf-8") as rows:
        return {row["lang"]: row["text"][:2000] for row in map(json.loads, rows)}


@pytest.fixture(scope="session", params=["gpt2", "gpt4", "gpt4-2023"])
def trained(request: pytest.FixtureRequest) -> Tokenizer:
    """A small tokenizer learned from text that the tests carry themselves."""
    pattern: PatternName = request.param
    texts = [
        f"It's {row} o'clock, and all's well; naïve café, 字幕 {row * 7}!\n\n  We'll see.\r\n" for row in range(300)
    ]
    return train_tokenizer(texts, 500, pattern=pattern, special_tokens=("<|endoftext|>", "<|user|>"))


def read_ranks(path: Path) -> dict[bytes, int]:
    """A *.tiktoken file, read as tiktoken itself reads it."""
    return {
        base64.b64decode(token): int(rank) for token, rank in (line.split() for line in path.read_bytes().splitlines())
    }


@pytest.fixture(scope="session")
def openai_r50k(shared_data: Path) -> tiktoken.Encoding:
    """OpenAI's GPT-2 encoding, by tiktoken alone; the pattern as its 0.14 has it."""
    return tiktoken.Encoding(
        "r50k_base",
        pat_str=r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s",
        mergeable_ranks=read_ranks(shared_data / "tokenizer" / "tiktoken" / "r50k_base.tiktoken"),
        special_tokens={"<|endoftext|>": 50256},
    )


@pytest.fixture(scope="session")
def openai_cl100k(shared_data: Path) -> tiktoken.Encoding:
    """OpenAI's GPT-4 encoding, by tiktoken alone; the pattern as its 0.14 has it."""
    return tiktoken.Encoding(
        "cl100k_base",
        pat_str=r"""'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|"""
        r"""\s*[\r\n]|\s+(?!\S)|\s""",
        mergeable_ranks=read_ranks(shared_data / "tokenizer" / "tiktoken" / "cl100k_base.tiktoken"),
        special_tokens={},
    )
