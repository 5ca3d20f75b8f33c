"""Answers to held-out prompts during training are greedy, and fit into the context."""

from __future__ import annotations

import pytest
import torch

from tuppence.data.records.conversations import Conversation
from tuppence.data.records.encoding import encode_prompt
from tuppence.data.records.preferences import Preference
from tuppence.model.config import ModelConfig
from tuppence.model.generate import generate
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.tasks.answers import SHOWN_PROMPTS, BaseAnswers, answer_samples, greedy_answers, shown_prompts
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.chat_template import Message

CONTEXT = 64


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["Name a fruit. A plum. Name a bird. A wren. " * 5], 280).with_chat_template()


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> GPT:
    torch.manual_seed(0)
    sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=CONTEXT, vocab_size=tokenizer.vocab_size)
    return GPT(sizes).eval()


def preference(prompt: str) -> Preference:
    return Preference((Message("user", prompt),), "A plum.", "A wren.")


def conversation(prompt: str) -> Conversation:
    return Conversation((Message("user", prompt), Message("assistant", "A plum.")))


def test_a_conversation_and_a_preference_ask_the_same(tokenizer: Tokenizer) -> None:
    found = [
        shown_prompts([row], tokenizer, context_length=CONTEXT) for row in (preference("Name"), conversation("Name"))
    ]
    assert found[0] == found[1]
    assert found[0][0].ids == list(encode_prompt(tokenizer, (Message("user", "Name"),)))
    assert found[0][0].text == "Name"


def test_prompts_without_room_for_an_answer_are_left_out(tokenizer: Tokenizer) -> None:
    rows = [preference("Name " * 100), *(preference(f"Name {number}") for number in range(9))]
    shown = shown_prompts(rows, tokenizer, context_length=CONTEXT)
    assert [prompt.row for prompt in shown] == list(range(1, 1 + SHOWN_PROMPTS))
    assert all(4 * len(prompt.ids) <= 3 * CONTEXT for prompt in shown)


def test_answers_are_the_most_likely_tokens_up_to_the_context_length(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = shown_prompts([preference("Name a fruit."), preference("Name")], tokenizer, context_length=CONTEXT)
    state = torch.get_rng_state()
    answers = greedy_answers(model, prompts, tokenizer, max_tokens=10**6)
    assert torch.equal(torch.get_rng_state(), state)
    for prompt, answer in zip(prompts, answers, strict=True):
        room = CONTEXT - max(len(one.ids) for one in prompts)
        end = [tokenizer.end_of_text]
        (alone,) = generate(model, [prompt.ids], Sampling(max_tokens=room, temperature=0.0), stop_ids=end)
        assert answer == tokenizer.decode(alone.ids)


def test_without_tokens_there_are_no_samples(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = shown_prompts([preference("Name a fruit.")], tokenizer, context_length=CONTEXT)
    assert answer_samples(model, prompts, tokenizer, max_tokens=0) == []
    (sample,) = answer_samples(model, prompts, tokenizer, max_tokens=3)
    assert sample.prompt == "Name a fruit.\n→ "
    assert [sample.text] == greedy_answers(model, prompts, tokenizer, max_tokens=3)


def test_answers_of_the_base_are_kept_and_restored_from_a_checkpoint(model: GPT, tokenizer: Tokenizer) -> None:
    prompts = shown_prompts([preference("Name a fruit."), preference("Name")], tokenizer, context_length=CONTEXT)
    kept, resumed = (BaseAnswers(prompts, tokenizer, max_tokens=5) for _ in range(2))
    assert kept.state() == {}
    expected = greedy_answers(model, prompts, tokenizer, max_tokens=5)
    assert kept.texts is None
    assert kept.compute(model) == kept.texts == expected
    resumed.load_state(kept.state())
    assert resumed.texts == expected


def test_answers_of_the_base_to_other_prompts_or_of_another_length_are_dropped(
    model: GPT, tokenizer: Tokenizer
) -> None:
    prompts = shown_prompts([preference("Name a fruit."), preference("Name")], tokenizer, context_length=CONTEXT)
    kept = BaseAnswers(prompts, tokenizer, max_tokens=5)
    kept.compute(model)
    for others in (BaseAnswers(prompts[:1], tokenizer, max_tokens=5), BaseAnswers(prompts, tokenizer, max_tokens=4)):
        others.load_state(kept.state())
        assert others.texts is None
