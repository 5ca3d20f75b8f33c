"""Texts encoded for a classifier."""

from __future__ import annotations

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.texts import encode_texts
from tuppence.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["see you at noon, you have won a prize"] * 5, vocab_size=280)


def test_no_special_token_is_added_to_texts(tokenizer: Tokenizer) -> None:
    texts = ["see you", "won <|endoftext|> a prize", "é\n雨"]
    encoded = encode_texts(tokenizer, texts, context_length=64)
    assert [tokenizer.decode(row.tolist()) for row in encoded.rows] == texts
    assert all(tokenizer.end_of_text not in row for row in encoded.rows)
    assert (encoded.truncated_rows, encoded.truncated_tokens) == (0, 0)


def test_texts_longer_than_the_context_are_cut_at_the_right_and_counted(tokenizer: Tokenizer) -> None:
    whole = encode_texts(tokenizer, ["see you at noon", "won"], context_length=64)
    cut = encode_texts(tokenizer, ["see you at noon", "won"], context_length=3)
    assert cut.rows[0].tolist() == whole.rows[0][:3].tolist()
    assert cut.truncated_rows == sum(whole.lengths > 3)
    assert cut.truncated_tokens == sum(whole.lengths) - sum(cut.lengths)


@pytest.mark.parametrize("empty", ["", " \n\t"])
def test_the_error_names_the_number_of_an_empty_text(tokenizer: Tokenizer, empty: str) -> None:
    with pytest.raises(InputError, match="text 2 is empty"):
        encode_texts(tokenizer, ["see you", empty], context_length=8)
