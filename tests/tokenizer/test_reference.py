from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.tokenizer.patterns import GPT2
from tuppence.tokenizer.reference import encode, encode_word, learn_merges, merge, recover_merges
from tuppence.tokenizer.trainer import pairs_of_bytes
from tuppence.tokenizer.vocabulary import Vocabulary


def test_merging_is_done_from_left_to_right() -> None:
    assert merge(list("aaaab"), ("a", "a"), "aa") == ["aa", "aa", "b"]
    assert merge([], (1, 2), 3) == []


def test_the_paper_example_is_learned() -> None:
    # Sennrich et al. 2016, section 3.2, without their end-of-word mark
    words = {b"low": 5, b"lower": 2, b"newest": 6, b"widest": 3}
    assert pairs_of_bytes(learn_merges(words, 4)) == [(b"e", b"s"), (b"es", b"t"), (b"l", b"o"), (b"lo", b"w")]


def test_equal_counts_go_to_the_lowest_pair_of_ids() -> None:
    assert learn_merges({b"cd": 1, b"ab": 1, b"ad": 1}, 3) == [(97, 98), (97, 100), (99, 100)]


def test_overlapping_pairs_are_each_counted() -> None:
    # (x, x) occurs twice in "xxx", as often as (y, z): the lower pair of ids wins
    assert learn_merges({b"xxx": 1, b"yz": 2}, 1) == [(120, 120)]


@given(st.dictionaries(st.text(alphabet="ab", min_size=1, max_size=9).map(str.encode), st.integers(1, 9), max_size=6))
def test_merges_recovered_from_ranks_are_those_learned(words: dict[bytes, int]) -> None:
    merges = pairs_of_bytes(learn_merges(words, 12))
    assert recover_merges(Vocabulary.from_merges(merges, GPT2, []).ranks) == merges


def test_a_token_that_cannot_be_merged_is_named() -> None:
    ranks = {bytes([value]): value for value in range(256)} | {b"ab": 256, b"abcd": 257}
    with pytest.raises(InputError, match=r"'abcd' \(rank 257\) cannot be merged from two older ones.*3 tokens"):
        recover_merges(ranks)


def test_the_lowest_rank_is_merged_first_and_of_equals_the_left_one() -> None:
    ranks = {b"a": 0, b"b": 1, b"ba": 2, b"ab": 3}
    assert encode_word(b"abab", ranks) == [b"a", b"ba", b"b"]
    assert encode(["ab", "aba"], ranks) == [3, 0, 2]


def test_the_numbers_of_the_ranks_may_have_gaps() -> None:
    ranks = {b"a": 97, b"b": 98, b"c": 99, b"bc": 261, b"abc": 9000}
    assert encode_word(b"cbcabc", ranks) == [b"c", b"bc", b"abc"]
