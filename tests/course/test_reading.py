"""What a model says, against plain forward passes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

import tuppence as tp
from tuppence.model.gpt import GPT
from tuppence.tokenizer import Tokenizer


def test_next_tokens_are_the_softmax_of_the_last_logits(model: GPT, tokenizer: Tokenizer) -> None:
    text = "One morning"
    table = tp.next_tokens(model, tokenizer, text, k=3)
    shares = model(torch.tensor([tokenizer.encode(text)]))[0, -1].softmax(dim=-1)
    assert table.column("id") == shares.topk(3).indices.tolist()
    assert table.column("probability") == pytest.approx(shares.topk(3).values.tolist())
    assert table[0]["token"] == repr(tokenizer.decode([table[0]["id"]]))


def test_next_tokens_reads_the_end_of_a_long_text_and_of_none(model: GPT, tokenizer: Tokenizer) -> None:
    long = "One morning " * 40
    last = tokenizer.encode(long)[-model.config.context_length :]
    assert tp.next_tokens(model, tokenizer, long)[0]["id"] == int(model(torch.tensor([last]))[0, -1].argmax())
    assert len(tp.next_tokens(model, tokenizer, "", k=10_000)) == tokenizer.vocab_size


def test_perplexity_is_the_mean_cross_entropy_of_a_short_text(model: GPT, tokenizer: Tokenizer) -> None:
    text = "One morning the fox"
    ids = torch.tensor([*tokenizer.start_ids, *tokenizer.encode(text)])
    loss = float(F.cross_entropy(model(ids[None, :-1])[0], ids[1:]).detach())
    found = tp.perplexity(model, tokenizer, text)
    assert found.loss == pytest.approx(loss, rel=1e-5)
    nats = loss * (len(ids) - 1)
    assert found.bits_per_byte == pytest.approx(nats / math.log(2) / len(text.encode()), rel=1e-5)


def test_writing_is_repeatable_and_begins_with_the_prompt(model: GPT, tokenizer: Tokenizer) -> None:
    texts = {tp.write(model, tokenizer, "One", max_tokens=8, seed=seed) for seed in (0, 0, 1)}
    assert len(texts) == 2
    assert all(text.startswith("One") for text in texts)


def test_a_greedy_answer_follows_the_template(model: GPT, tokenizer: Tokenizer) -> None:
    instructed = tokenizer.with_chat_template()
    assert tp.answer(model, instructed, "Name a fruit.", 6) == tp.answer(model, instructed, "Name a fruit.", 6)
