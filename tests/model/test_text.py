from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tuppence.model.config import ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.model.text import TextDecoder, TextStream, generate_text
from tuppence.tokenizer import Tokenizer, train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["the cat sat on the mat, and the dog sat on the cat. été à Zürich"], vocab_size=280)


@pytest.fixture
def model(tokenizer: Tokenizer, lively: Callable[..., GPT]) -> GPT:
    return lively(ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=64, vocab_size=tokenizer.vocab_size))


def run(pieces: list[bytes], stop: list[str]) -> tuple[list[str], bool]:
    stream = TextStream(lambda ids: pieces[ids[0]], stop)
    shown = [stream.push(index) for index in range(len(pieces))]
    return [*shown, stream.finish()], stream.stopped


def cut(text: str, stop: list[str]) -> str:
    """The definition: the text up to the stop string that is complete first."""
    for end in range(len(text) + 1):
        for candidate in sorted(stop, key=len, reverse=True):
            if text[:end].endswith(candidate):
                return text[: end - len(candidate)]
    return text


@given(
    st.text(alphabet="abé€\n", max_size=20),
    st.lists(st.text(alphabet="abé€\n", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 60), max_size=12),
)
def test_stop_strings_cut_the_same_however_the_bytes_are_cut_into_tokens(
    text: str, stop: list[str], cuts: list[int]
) -> None:
    data = text.encode()
    borders = sorted({0, len(data), *(border for border in cuts if border < len(data))})
    pieces = [data[a:b] for a, b in itertools.pairwise(borders)]
    shown, stopped = run(pieces, stop)
    assert "".join(shown) == cut(text, stop)
    assert stopped == any(candidate in text for candidate in stop)


def test_an_incomplete_character_is_held_back_until_it_is_complete() -> None:
    shown, _ = run([b"caf", b"\xc3", b"\xa9", b"\xe2\x82", b"\xac!"], [])
    assert shown == ["caf", "", "é", "", "€!", ""]


def test_an_incomplete_character_at_the_end_becomes_a_replacement_character() -> None:
    assert run([b"a", b"\xe2\x82"], []) == (["a", "", "\ufffd"], False)


def test_only_the_possible_beginning_of_a_stop_string_is_held_back() -> None:
    shown, stopped = run([b"one\n", b"two\n\n", b"Us", b"er", b"s are", b"\n\nUser:", b" no"], ["\n\nUser:"])
    assert shown == ["one", "\ntwo", "", "", "\n\nUsers are", "", "", ""]
    assert stopped


def test_the_streamed_pieces_join_to_the_returned_text(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = ["the cat", "on the", ""]
    streamed = [""] * 3

    def on_text(index: int, piece: str) -> None:
        assert piece
        streamed[index] += piece

    completions = generate_text(
        model, tokenizer, prompts, [Sampling(max_tokens=40, seed=seed) for seed in (1, 2, 3)], on_text=on_text
    )
    assert streamed == [completion.text for completion in completions]
    assert [completion.prompt for completion in completions] == prompts
    assert completions[2].prompt_tokens == 1  # an empty prompt becomes the end-of-text token


def test_what_was_held_back_is_shown_when_its_own_text_ends(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = [tokenizer.encode(text) for text in ("the cat", "on the")]
    short = generate_text(model, tokenizer, ["on the"], Sampling(max_tokens=6, seed=3))[0].text
    stop = short[-1:] + "never"  # the last character may begin it, and is held back
    samplings = [Sampling(max_tokens=40, seed=3), Sampling(max_tokens=6, seed=3, stop=(stop,))]
    pieces = list(TextDecoder(model, tokenizer, prompts, samplings))
    assert "".join(piece for index, piece in pieces if index == 1) == short
    assert pieces[-1][0] == 0  # the long text was still written


def test_a_cancelled_text_gets_no_more_tokens(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = [tokenizer.encode(text) for text in ("the cat", "on the")]
    decoder = TextDecoder(model, tokenizer, prompts, Sampling(max_tokens=20, seed=1))
    decoder.step()
    decoder.cancel(0)
    before = decoder.texts[0]
    for index, _ in decoder:
        assert index == 1
    assert decoder.texts[0] == before
    assert [len(one.ids) for one in decoder.generations()] == [1, 20]


def test_a_stop_string_ends_only_its_own_sequence(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = ["the cat", "on the"]
    whole = generate_text(model, tokenizer, prompts, Sampling(max_tokens=40, seed=3))
    stop = whole[0].text[11:13]
    assert stop
    stopped = generate_text(model, tokenizer, prompts, Sampling(max_tokens=40, seed=3, stop=(stop,)))
    assert stopped[0].text == whole[0].text[: whole[0].text.index(stop)]
    assert stopped[0].finish_reason == "stop"
    assert stopped[0].completion_tokens < 40
    if stop not in whole[1].text:
        assert stopped[1] == whole[1]


def test_the_end_of_text_ends_the_text_and_is_not_shown(model: GPT, tokenizer: Tokenizer) -> None:
    with torch.no_grad():  # a model that can generate nothing else
        model.final_norm.weight.zero_()
        model.final_norm.bias.copy_(model.token_embedding.weight[tokenizer.end_of_text] * 100)
    completion = generate_text(model, tokenizer, ["the cat"], Sampling(max_tokens=9, temperature=0))[0]
    assert (completion.text, completion.finish_reason, completion.completion_tokens) == ("", "stop", 0)


def test_every_stop_id_ends_the_text_and_none_is_shown(model: GPT, tokenizer: Tokenizer) -> None:
    free = generate_text(model, tokenizer, ["the"], Sampling(max_tokens=8, temperature=0))[0]
    stop = generate(model, [tokenizer.encode("the")], Sampling(max_tokens=8, temperature=0))[0].ids[2]
    ends = Tokenizer(tokenizer.vocabulary, stop_ids=[tokenizer.end_of_text, stop])
    cut_short = generate_text(model, ends, ["the", ""], Sampling(max_tokens=8, temperature=0))
    assert cut_short[0].finish_reason == "stop"
    assert cut_short[0].completion_tokens < free.completion_tokens
    assert free.text.startswith(cut_short[0].text)
    assert cut_short[1].prompt_tokens == 1  # a new text starts after the end of another, not after all stop ids


def test_special_tokens_in_a_prompt_are_plain_text(model: GPT, tokenizer: Tokenizer) -> None:
    completion = generate_text(model, tokenizer, ["<|endoftext|>"], Sampling(max_tokens=1))[0]
    assert completion.prompt_tokens == len(tokenizer.encode("<|endoftext|>")) > 1


def test_a_padded_vocabulary_never_draws_what_the_tokenizer_cannot_decode(
    tokenizer: Tokenizer, lively: Callable[..., GPT]
) -> None:
    padded = ModelConfig(n_layers=1, n_heads=1, d_model=8, context_length=32, vocab_size=5000)
    completion = generate_text(lively(padded), tokenizer, ["the"], Sampling(max_tokens=50, temperature=9.0, seed=0))[0]
    assert completion.finish_reason in ("length", "stop")
