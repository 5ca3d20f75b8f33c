from __future__ import annotations

import itertools
import random

import pytest
import tiktoken
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer
from tokenizers.models import BPE

from tuppence.core.errors import InputError
from tuppence.tokenizer.byte_alphabet import to_characters
from tuppence.tokenizer.patterns import GPT2, GPT4
from tuppence.tokenizer.reference import encode_word, learn_merges, recover_merges
from tuppence.tokenizer.trainer import pairs_of_bytes
from tuppence.tokenizer.vocabulary import Merge, Vocabulary, check_merges_are_reached, name_of

BYTES = {bytes([value]): value for value in range(256)}
TEXTS_OF_AB = [bytes(letters) for size in range(1, 10) for letters in itertools.product(b"ab", repeat=size)]
SMALL_WORDS = st.dictionaries(
    st.text(alphabet="ab", min_size=1, max_size=16).map(str.encode), st.integers(1, 4), min_size=1, max_size=8
)


def ids_by_merges(merges: list[Merge], words: list[bytes]) -> list[list[int]]:
    """The ids that Hugging Face's BPE gives, which knows merges and no ranks."""
    ranks = BYTES | {left + right: 256 + row for row, (left, right) in enumerate(merges)}
    written = {to_characters(token): rank for token, rank in ranks.items()}
    pairs = [(to_characters(left), to_characters(right)) for left, right in merges]
    peer = HuggingFaceTokenizer(BPE(vocab=written, merges=pairs))
    return [peer.encode(to_characters(word)).ids for word in words]


def ids_by_ranks(merges: list[Merge], words: list[bytes]) -> list[list[int]]:
    """The ids that tiktoken gives, which knows ranks and no merges."""
    ranks = BYTES | {left + right: 256 + row for row, (left, right) in enumerate(merges)}
    peer = tiktoken.Encoding("peer", pat_str=r"[ab]+", mergeable_ranks=ranks, special_tokens={})
    return [peer.encode_ordinary(word.decode()) for word in words]


def random_merges(seed: int) -> list[Merge]:
    """A list of merges that is in order but that no training need have found."""
    chance = random.Random(seed)
    tokens, merges = [b"a", b"b"], []
    for _ in range(chance.randint(1, 7)):
        left, right = chance.choice(tokens), chance.choice(tokens)
        if left + right not in tokens and len(left + right) <= 8:
            merges.append((left, right))
            tokens.append(left + right)
    return merges


@settings(max_examples=60, deadline=None)
@given(SMALL_WORDS, st.integers(0, 25))
@example({b"aaaaaaa": 1, b"aaaa": 2, b"aaaaaaaaaaaaaaaa": 1, b"baaab": 2}, 25)
def test_merge_lists_ranks_and_our_reference_agree_on_trained_vocabularies(words: dict[bytes, int], count: int) -> None:
    merges = pairs_of_bytes(learn_merges(words, count))
    vocabulary = Vocabulary.from_merges(merges, GPT2, [])
    texts = [*words, *TEXTS_OF_AB[::7]]
    by_ranks = ids_by_ranks(merges, texts)
    assert by_ranks == ids_by_merges(merges, texts)
    assert by_ranks == [[vocabulary.ranks[token] for token in encode_word(text, vocabulary.ranks)] for text in texts]


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**32))
def test_a_merge_list_is_accepted_exactly_if_ranks_would_give_back_its_merges(seed: int) -> None:
    merges = random_merges(seed)
    ranks = BYTES | {left + right: 256 + row for row, (left, right) in enumerate(merges)}
    try:
        sound = recover_merges(ranks) == merges
    except InputError:
        sound = False
    try:
        check_merges_are_reached(merges)
        accepted = True
    except InputError:
        accepted = False
    assert accepted == sound


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32))
def test_ranks_and_merges_give_the_same_ids_for_an_accepted_merge_list(seed: int) -> None:
    merges = random_merges(seed)
    try:
        check_merges_are_reached(merges)
    except InputError:
        assume(False)
    assert ids_by_ranks(merges, TEXTS_OF_AB) == ids_by_merges(merges, TEXTS_OF_AB)


def test_a_merge_list_that_peers_read_differently_is_refused() -> None:
    # ab is merged before ba, so a + ba never occurs
    merges = [(b"a", b"b"), (b"b", b"a"), (b"a", b"ba")]
    assert ids_by_merges(merges, [b"aba"]) != ids_by_ranks(merges, [b"aba"])
    with pytest.raises(InputError, match=r"the merge 'a' \+ 'ba' is never reached: 'ab' is merged first"):
        check_merges_are_reached(merges)


def test_two_merges_of_one_token_are_refused() -> None:
    merges = [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c"), (b"a", b"bc")]
    with pytest.raises(InputError, match="two merges make the same token"):
        check_merges_are_reached(merges)


SOUND = [(b"a", b"b"), (b"ab", b"c")]


def test_a_missing_byte_is_named() -> None:
    with pytest.raises(InputError, match="no token for the byte 0x41"):
        Vocabulary({token: rank for token, rank in BYTES.items() if token != b"A"}, [], GPT2, {})


@pytest.mark.parametrize(
    ("changes", "specials", "message"),
    [
        ({b"abc": 256}, {}, "the tokens 'ab' and 'abc' both have the id 256"),
        ({b"abc": 258}, {}, "no token has the id 257, but 'abc' has 258"),
        ({}, {"<|end|>": 257}, r"the tokens 'abc' and '<\|end\|>' both have the id 257"),
        ({}, {"<|end|>": 300}, r"no token has the id 258, but '<\|end\|>' has 300"),
        ({b"abc": -1}, {}, "the token 'abc' has the id -1"),
        ({}, {"": 258}, "the token with id 258 is empty"),
    ],
)
def test_doubled_and_missing_ids_are_named(changes: dict[bytes, int], specials: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vocabulary(BYTES | {b"ab": 256, b"abc": 257} | changes, SOUND, GPT2, specials)


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        (SOUND[:1], "1 merges cannot make 2 tokens"),
        ([SOUND[0], (b"ab", b"d")], r"the merge 'ab' \+ 'd' makes a token that the vocabulary lacks"),
        ([(b"a", b"b"), (b"a", b"bc")], r"the merge 'a' \+ 'bc' comes before its part 'bc' exists"),
        (SOUND[::-1], "the id 256 of 'ab' is not in the order of the merges"),
    ],
)
def test_merges_that_do_not_fit_the_tokens_are_refused(merges: list[Merge], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Vocabulary(BYTES | {b"ab": 256, b"abc": 257}, merges, GPT2, {})


def test_the_fingerprint_depends_on_all_that_determines_ids_and_on_nothing_else() -> None:
    vocabulary = Vocabulary.from_merges(SOUND, GPT2, ["<|end|>"])
    shuffled = dict(reversed(list(vocabulary.ranks.items())))
    assert vocabulary.fingerprint == Vocabulary(shuffled, SOUND, GPT2, {"<|end|>": 258}).fingerprint
    others = [
        Vocabulary.from_merges(SOUND, GPT4, ["<|end|>"]),
        Vocabulary.from_merges(SOUND, GPT2, ["<|stop|>"]),
        Vocabulary.from_merges(SOUND, GPT2, []),
        Vocabulary.from_merges(SOUND[:1], GPT2, ["<|end|>"]),
        Vocabulary.from_merges([(b"b", b"c"), (b"a", b"bc")], GPT2, ["<|end|>"]),
    ]
    assert len({vocabulary.fingerprint, *(other.fingerprint for other in others)}) == 6


def test_ranks_alone_give_the_vocabulary_they_came_from() -> None:
    vocabulary = Vocabulary.from_merges(SOUND, GPT2, [])
    assert Vocabulary.from_ranks(vocabulary.ranks, GPT2, {}) == vocabulary
    assert vocabulary.size == 258


def test_names_of_tokens_are_short_and_readable() -> None:
    assert name_of(b"\xff a") == r"'\\xff a'"
    assert name_of("x" * 100) == "'" + "x" * 40 + "…'"


def test_a_special_token_is_not_named_as_files_write_a_learned_one() -> None:
    merges = [(b" ", b"!")]
    with pytest.raises(InputError, match="the special token 'Ġ!' is how files write the token ' !'"):
        Vocabulary.from_merges(merges, GPT2, ["Ġ!"])
    assert Vocabulary.from_merges(merges, GPT2, ["Ġ?", " !"]).size == 259
