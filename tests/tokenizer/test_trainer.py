from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import rustbpe
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Regex, decoders, pre_tokenizers, trainers
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers.models import BPE

from tuppence.core.errors import InputError
from tuppence.tokenizer import counting, reference, train_tokenizer
from tuppence.tokenizer.byte_alphabet import to_bytes
from tuppence.tokenizer.patterns import GPT2, GPT4_2023
from tuppence.tokenizer.trainer import learn_merges, pairs_of_bytes, usable_cores, without_overlaps

WORDS = st.dictionaries(
    st.text(alphabet="abc", min_size=1, max_size=14).map(str.encode), st.integers(1, 5), max_size=12
)
RUNS = st.dictionaries(
    st.lists(st.sampled_from([b"a", b"aa", b"aab", b"b"]), min_size=1, max_size=9).map(b"".join),
    st.integers(1, 3),
    max_size=8,
)


@settings(max_examples=300)
@given(st.one_of(WORDS, RUNS), st.integers(0, 40))
def test_merges_equal_those_of_the_reference(words: dict[bytes, int], count: int) -> None:
    assert learn_merges(words, count) == reference.learn_merges(words, count)


def test_merges_of_a_novel_equal_those_of_the_reference(shared_data: Path) -> None:
    text = (shared_data / "text" / "the-verdict.txt").read_text(encoding="utf-8")
    words = counting.count_words([text], GPT2)
    assert learn_merges(words, 300) == reference.learn_merges(words, 300)


@pytest.mark.parametrize("piece", [0, 1_000_000])
def test_rustbpe_learns_the_same_tokens(shared_data: Path, piece: int) -> None:
    text = (shared_data / "text" / "english-novels" / "val.txt").read_text(encoding="utf-8")
    text = text[piece : piece + 500_000].replace("<|endoftext|>", "")
    peer = rustbpe.Tokenizer()
    peer.train_from_iterator(iter([text]), 1500, pattern=GPT2.published)
    ours = train_tokenizer([text], 1500, special_tokens=())
    assert {bytes(token): rank for token, rank in peer.get_mergeable_ranks()} == ours.vocabulary.ranks


def test_hugging_face_learns_the_same_tokens(shared_data: Path) -> None:
    # its ids of bytes differ from ours, so ties have another winner: in this text no merge is a tie
    text = (shared_data / "text" / "english-novels" / "val.txt").read_text(encoding="utf-8")[:400_000]
    peer = HuggingFaceTokenizer(BPE())
    peer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=256 + 150, initial_alphabet=alphabet, show_progress=False)
    peer.train_from_iterator([text], trainer)
    ours = train_tokenizer([text], 256 + 150, special_tokens=())
    assert {to_bytes(token) for token in peer.get_vocab()} == set(ours.vocabulary.ranks)


def test_the_number_of_workers_and_the_order_of_texts_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BLOCK_BYTES", 2**12)
    texts = [f"the {row % 17} cats sat on {row % 5} mats, and {row} dogs did not.\n" * 3 for row in range(400)]
    one = train_tokenizer(texts, 700, workers=1)
    assert one.fingerprint == train_tokenizer(texts, 700, workers=3).fingerprint
    assert one.fingerprint == train_tokenizer(reversed(texts), 700, workers=2).fingerprint


def test_ids_are_bytes_then_merges_then_special_tokens() -> None:
    tokenizer = train_tokenizer(["aaa bbb " * 9], 261, special_tokens=("<|endoftext|>", "<|user|>"))
    assert [tokenizer.decode([identity]) for identity in (97, 98, 99)] == ["a", "b", "c"]
    assert tokenizer.special_tokens == {"<|endoftext|>": 259, "<|user|>": 260}
    assert tokenizer.vocab_size == 261


def test_learning_stops_when_every_word_is_one_token() -> None:
    tokenizer = train_tokenizer(["to be or not to be"], 8192)
    # "to", " to", " be", " or", " not" and the halves that lead there
    assert tokenizer.vocab_size < 275
    assert len(tokenizer.encode("to be or not to be")) == 6
    assert tokenizer.end_of_text == tokenizer.vocab_size - 1


def test_the_smallest_vocabulary_has_no_merge() -> None:
    assert train_tokenizer(["abc"], 257).vocab_size == 257


@pytest.mark.parametrize("vocab_size", [0, 256, -1])
def test_a_vocabulary_without_room_for_the_bytes_is_refused(vocab_size: int) -> None:
    with pytest.raises(InputError, match="no room for the 256 bytes and 1 special token") as caught:
        train_tokenizer(["abc"], vocab_size)
    assert "at least 257" in caught.value.hint


@pytest.mark.parametrize("texts", [[], [""], ["<|endoftext|>"]])
def test_training_without_text_is_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match="no text to learn"):
        train_tokenizer(texts, 300)


@pytest.mark.parametrize("name", ["e", "/", "the", "été"])
def test_a_special_token_that_is_ordinary_text_is_refused_before_the_work(name: str) -> None:
    # a tokenizer.json would contain a single letter twice; a word would cut every text that contains it
    with pytest.raises(InputError, match=f"'{name}' is a piece of ordinary text"):
        train_tokenizer(["some text"], 300, special_tokens=("<|endoftext|>", name))


@pytest.mark.parametrize("specials", [("<|endoftext|>", ""), ("<a>", "<a>")])
def test_bad_special_tokens_are_refused(specials: tuple[str, ...]) -> None:
    with pytest.raises(InputError, match="empty or given twice"):
        train_tokenizer(["abc"], 300, special_tokens=specials)


def test_progress_reports_bytes_then_merges() -> None:
    seen: list[tuple[str, int, int | None]] = []
    tokenizer = train_tokenizer(["low lower lowest " * 50], 270, on_progress=lambda *step: seen.append(step))
    assert seen == [("counting", 850, None), ("merging", len(tokenizer.vocabulary.merges), 13)]


def test_gpt4_pattern_keeps_numbers_in_threes() -> None:
    tokenizer = train_tokenizer(["123456 " * 100], 300, pattern="gpt4")
    assert [tokenizer.decode([identity]) for identity in tokenizer.encode("123456")] == ["123", "456"]


@given(st.lists(st.booleans(), max_size=30))
def test_every_second_of_overlapping_pairs_is_kept(is_x: list[bool]) -> None:
    # a row of x and y; the pair (x, x) is at each place where two neighbours are x
    row = ["x" if each else "y" for each in is_x]
    places = [place for place in range(len(row) - 1) if row[place : place + 2] == ["x", "x"]]
    kept = without_overlaps(np.array(places, dtype=np.int32), np.arange(1, len(row) + 1, dtype=np.int32)).tolist()
    merged = reference.merge(row, ("x", "x"), "xx")
    assert [row[place : place + 2] for place in kept] == [["x", "x"]] * merged.count("xx")
    assert all(later - earlier >= 2 for earlier, later in pairwise(kept))


def test_merges_of_ids_become_merges_of_bytes() -> None:
    assert pairs_of_bytes([(97, 98), (256, 99), (257, 256)]) == [(b"a", b"b"), (b"ab", b"c"), (b"abc", b"ab")]


def test_at_least_one_core_is_usable() -> None:
    assert usable_cores() >= 1


def test_a_pattern_of_2023_is_trained_as_hugging_face_cuts(shared_data: Path) -> None:
    text = (shared_data / "text" / "tinyshakespeare.txt").read_text(encoding="utf-8")[:200_000]
    peer = HuggingFaceTokenizer(BPE())
    peer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(GPT4_2023.published), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    peer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + 60, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    peer.train_from_iterator([text], trainer)
    ours = train_tokenizer([text], 256 + 60, pattern="gpt4-2023", special_tokens=())
    assert {to_bytes(token) for token in peer.get_vocab()} == set(ours.vocabulary.ranks)
