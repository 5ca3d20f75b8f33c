from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.convert_slow_tokenizer import bytes_to_unicode

from tuppence.core.errors import InputError
from tuppence.tokenizer.byte_alphabet import CHARACTER_OF_BYTE, to_bytes, to_characters


def test_the_alphabet_is_the_one_of_transformers() -> None:
    assert dict(enumerate(CHARACTER_OF_BYTE)) == bytes_to_unicode()


@given(st.binary())
def test_every_token_is_read_back(token: bytes) -> None:
    assert to_bytes(to_characters(token)) == token


def test_a_character_outside_the_alphabet_is_named() -> None:
    with pytest.raises(InputError, match="'字', which represents no byte"):
        to_bytes("a字")


def test_gpt2s_own_file_uses_the_alphabet(shared_data: Path) -> None:
    vocabulary = json.loads((shared_data / "tokenizer" / "gpt2" / "encoder.json").read_text(encoding="utf-8"))
    assert to_bytes(next(token for token, identity in vocabulary.items() if identity == 262)) == b" the"
