"""Folders that we write give the same ids in `tokenizers` and `AutoTokenizer`."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer
from transformers import AutoTokenizer, GPT2Config, PreTrainedTokenizerFast

from tuppence.tokenizer import Tokenizer, train_tokenizer

# Hugging Face's engine has an older Unicode than ours: texts of characters that Python's own knows
TEXT = st.one_of(
    st.text(alphabet="It's 12 \n\r\tx.é字", max_size=60),
    st.text(st.characters(exclude_categories=["Cs", "Cn"], max_codepoint=0x2FFFF), max_size=40),
)


@pytest.fixture(scope="session")
def saved(trained: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tok")
    trained.save(folder)
    return folder


@pytest.fixture(scope="session")
def peer(saved: Path) -> HuggingFaceTokenizer:
    return HuggingFaceTokenizer.from_file(str(saved / "tokenizer.json"))


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_tokenizers_gives_our_ids(trained: Tokenizer, peer: HuggingFaceTokenizer, text: str) -> None:
    ids = trained.encode(text)
    assert peer.encode(text).ids == ids
    assert peer.decode(ids) == text


def test_tokenizers_gives_our_ids_in_387_languages(
    trained: Tokenizer, peer: HuggingFaceTokenizer, languages: dict[str, str]
) -> None:
    for language, text in languages.items():
        assert peer.encode(text).ids == trained.encode(text), language


def test_special_tokens_mean_the_same_to_tokenizers(trained: Tokenizer, peer: HuggingFaceTokenizer) -> None:
    text = "well <|endoftext|> <|user|>We'll see."
    assert peer.encode(text).ids == trained.encode(text, allow_special=True)
    peer = copy.deepcopy(peer)
    peer.encode_special_tokens = True
    assert peer.encode(text).ids == trained.encode(text)


@pytest.mark.parametrize("beside_a_model", [False, True])
def test_auto_tokenizer_loads_a_folder_and_gives_our_ids(
    trained: Tokenizer, saved: Path, tmp_path: Path, beside_a_model: bool
) -> None:
    trained.save(tmp_path)
    if beside_a_model:
        GPT2Config(vocab_size=500, n_embd=8, n_layer=1, n_head=1).save_pretrained(tmp_path)
    text = "It's 12 o'clock,\n\n  and naïve 字幕 12345!\r\n  "
    auto = AutoTokenizer.from_pretrained(tmp_path)
    assert auto(text)["input_ids"] == trained.encode(text)
    assert auto.decode(trained.encode(text)) == text
    assert auto.eos_token_id == auto.bos_token_id == trained.end_of_text
    assert auto.pad_token is None
    assert len(auto) == auto.vocab_size == trained.vocab_size
    assert PreTrainedTokenizerFast.from_pretrained(tmp_path)(text)["input_ids"] == trained.encode(text)


def test_what_auto_tokenizer_saves_is_read_back(trained: Tokenizer, saved: Path, tmp_path: Path) -> None:
    AutoTokenizer.from_pretrained(saved).save_pretrained(tmp_path)
    assert Tokenizer.load(tmp_path).fingerprint == trained.fingerprint


def test_both_files_are_written_and_nothing_else(saved: Path) -> None:
    assert sorted(path.name for path in saved.iterdir()) == ["tokenizer.json", "tokenizer_config.json"]


def test_without_an_end_of_text_the_config_names_none(tmp_path: Path) -> None:
    train_tokenizer(["abc"], 257, special_tokens=("<s>",)).save(tmp_path)
    assert "eos_token" not in json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert AutoTokenizer.from_pretrained(tmp_path).eos_token is None
