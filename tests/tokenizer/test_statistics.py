from __future__ import annotations

import pytest

from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.statistics import describe_text, describe_vocabulary, readable


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["the cat, the hat " * 9], 264)


def test_the_statistics_of_a_vocabulary_add_up(tokenizer: Tokenizer) -> None:
    figures = describe_vocabulary(tokenizer, longest=2)
    assert figures.vocab_size == tokenizer.vocab_size == 256 + figures.merges + 1
    assert sum(figures.tokens_by_bytes.values()) == 256 + figures.merges
    assert figures.tokens_by_bytes[1] == 256
    total = sum(size * count for size, count in figures.tokens_by_bytes.items())
    assert figures.mean_bytes == pytest.approx(total / (256 + figures.merges))
    assert figures.incomplete == 128
    assert [len(token) for token in figures.longest] == [max(figures.tokens_by_bytes)] * 2
    assert figures.starting_with_space == sum(t.startswith(b" ") for t in tokenizer.vocabulary.ranks)
    assert figures.fingerprint == tokenizer.fingerprint


def test_a_text_is_shown_as_it_is_cut(tokenizer: Tokenizer) -> None:
    cut = describe_text(tokenizer, "the é")
    assert cut.tokens == ["the", " ", "<0xC3>", "<0xA9>"]
    assert cut.ids == tokenizer.encode("the é")
    assert (cut.characters, cut.bytes, cut.bytes_per_token) == (5, 6, 1.5)


def test_the_empty_text_has_no_bytes_per_token(tokenizer: Tokenizer) -> None:
    assert describe_text(tokenizer, "").bytes_per_token == 0.0


def test_readable_tokens_have_no_control_characters() -> None:
    assert readable(b"\r\n\t\x1b[31m") == r"\r\n\t\x1b[31m"
    assert readable("字\u200b".encode()) == r"字\u200b"
    assert readable(b"\xf0\x9f\x99") == "<0xF0><0x9F><0x99>"
