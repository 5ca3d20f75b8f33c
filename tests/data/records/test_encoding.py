"""The targets and cuts of encoded rows; transformers gives the same ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tuppence.core.errors import InputError
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.data.records.encoding import (
    PromptTooLongError,
    encode_conversation,
    encode_conversations,
    encode_preference,
    encode_prompt,
)
from tuppence.data.records.preferences import Preference
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message

WORDS = st.text(alphabet="the rain fell.\n 'é#", max_size=40)


def turns(*contents: str) -> list[Message]:
    return [Message("assistant" if row % 2 else "user", content) for row, content in enumerate(contents)]


@pytest.fixture(scope="session")
def peer(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("chat")
    tokenizer.with_chat_template().save(folder)
    return AutoTokenizer.from_pretrained(folder)


@given(contents=st.lists(WORDS.filter(str.strip), min_size=2, max_size=6).filter(lambda rows: len(rows) % 2 == 0))
def test_transformers_gives_the_same_ids(tokenizer: Tokenizer, peer: Any, contents: list[str]) -> None:
    encoded = encode_conversation(tokenizer, turns(*contents), context_length=10_000)
    messages = [{"role": message.role, "content": message.content} for message in turns(*contents)]
    expected = peer.apply_chat_template(messages, tokenize=True, return_dict=True)["input_ids"]
    assert [*encoded.ids.tolist(), encoded.targets[-1]] == expected
    asked = peer.apply_chat_template(messages[:-1], tokenize=True, add_generation_prompt=True, return_dict=True)
    assert encode_prompt(tokenizer, turns(*contents)[:-1]) == asked["input_ids"]
    assert encoded.ids.tolist()[: len(asked["input_ids"])] == asked["input_ids"]


def test_targets_are_the_next_tokens_of_responses_and_their_ends(tokenizer: Tokenizer) -> None:
    encoded = encode_conversation(tokenizer, turns("dark?", "the night", "wet?", "rain"), context_length=500)
    trained = encoded.targets != IGNORED_TARGET
    assert tokenizer.decode(encoded.targets[trained]) == "the night<|endoftext|>rain<|endoftext|>"
    places = np.flatnonzero(trained[:-1])
    assert (encoded.targets[places] == encoded.ids[places + 1]).all()
    assert encoded.ids.dtype == encoded.targets.dtype == np.int64
    assert encoded.truncated == 0


def test_an_end_of_text_inside_a_message_is_plain_text(tokenizer: Tokenizer) -> None:
    typed = "stop<|endoftext|>now"
    encoded = encode_conversation(tokenizer, turns(typed, typed), context_length=500)
    assert (encoded.ids == tokenizer.end_of_text).sum() == 0
    assert (encoded.targets == tokenizer.end_of_text).sum() == 1
    assert tokenizer.decode(encoded.ids).count(typed) == 2


@given(context_length=st.integers(1, 120))
def test_a_long_conversation_is_cut_at_the_right_and_counted(tokenizer: Tokenizer, context_length: int) -> None:
    whole = encode_conversation(tokenizer, turns("dark?", "a dark and stormy night"), context_length=1000)
    first = int(np.flatnonzero(whole.targets != IGNORED_TARGET)[0])
    if context_length <= first:
        with pytest.raises(PromptTooLongError, match=rf"the prompt has {first + 1} tokens, and the context is"):
            encode_conversation(tokenizer, turns("dark?", "a dark and stormy night"), context_length=context_length)
        return
    cut = encode_conversation(tokenizer, turns("dark?", "a dark and stormy night"), context_length=context_length)
    assert cut.ids.tolist() == whole.ids[:context_length].tolist()
    assert cut.targets.tolist() == whole.targets[:context_length].tolist()
    assert cut.truncated == len(whole.ids) - len(cut.ids)


def test_conversations_that_are_cut_or_left_out_are_counted(tokenizer: Tokenizer) -> None:
    short, long, hopeless = turns("a", "b"), turns("a", "rain " * 100), turns("rain " * 100, "b")
    encoded = encode_conversations(tokenizer, [short, long, hopeless], context_length=60)
    whole = encode_conversation(tokenizer, long, context_length=1000)
    assert len(encoded.rows) == 2
    assert encoded.skipped_rows == 1
    assert encoded.truncated_rows == 1
    assert encoded.truncated_tokens == len(whole.ids) - 60
    assert encoded.lengths.tolist() == [len(encoded.rows[0].ids), 60]
    with pytest.raises(PromptTooLongError, match="conversation 3: the prompt has"):
        encode_conversations(tokenizer, [short, long, hopeless], context_length=60, skip_too_long=False)
    with pytest.raises(PromptTooLongError, match="all 2 prompts are longer than the context of 60 tokens"):
        encode_conversations(tokenizer, [hopeless, hopeless], context_length=60)


def test_a_conversation_without_a_response_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="a conversation has no response"):
        encode_conversation(tokenizer, turns("a"), context_length=100)


def test_a_preference_that_fits_is_not_cut(tokenizer: Tokenizer) -> None:
    encoded = encode_preference(tokenizer, Preference(tuple(turns("dark?")), " yes ", "no, no"), context_length=200)
    assert encoded.prompt_ids.tolist() == encode_prompt(tokenizer, turns("dark?"))
    assert tokenizer.decode(encoded.chosen_ids) == "yes<|endoftext|>"
    assert tokenizer.decode(encoded.rejected_ids) == "no, no<|endoftext|>"
    assert encoded.chosen_ids[-1] == encoded.rejected_ids[-1] == tokenizer.end_of_text
    assert encoded.truncated == 0


@given(
    prompt=st.integers(0, 80), chosen=st.integers(1, 80), rejected=st.integers(1, 80), context_length=st.integers(2, 90)
)
def test_a_long_preference_keeps_the_end_of_the_prompt_and_the_beginning_of_the_answers(
    tokenizer: Tokenizer, prompt: int, chosen: int, rejected: int, context_length: int
) -> None:
    preference = Preference(tuple(turns("x" * prompt)), "y" * chosen, "z" * rejected)
    whole = encode_preference(tokenizer, preference, context_length=1000)
    cut = encode_preference(tokenizer, preference, context_length=context_length)
    longest = max(len(cut.chosen_ids), len(cut.rejected_ids))
    assert len(cut.prompt_ids) + longest <= context_length
    assert cut.prompt_ids.tolist() == whole.prompt_ids[len(whole.prompt_ids) - len(cut.prompt_ids) :].tolist()
    assert len(cut.prompt_ids) >= min(len(whole.prompt_ids), context_length - context_length // 2)
    for short, full in ((cut.chosen_ids, whole.chosen_ids), (cut.rejected_ids, whole.rejected_ids)):
        assert short.tolist() == full[: len(short)].tolist()
        assert len(short) >= min(len(full), context_length // 2)
    if cut.truncated:  # the context is filled
        assert len(cut.prompt_ids) + longest == context_length
    sizes = [len(part) for kept in (whole, cut) for part in (kept.prompt_ids, kept.chosen_ids, kept.rejected_ids)]
    assert cut.truncated == sum(sizes[:3]) - sum(sizes[3:])
