"""Data in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import tuppence as tp
from tuppence.core.errors import InputError
from tuppence.data.batches import Batches
from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards
from tuppence.tokenizer import Tokenizer


def test_the_sets_are_those_of_data_synth() -> None:
    assert tp.stories(2) == tp.stories(3)[:2]
    assert {row.label for row in tp.sms(50)} == {"ham", "spam"}
    assert tp.instructions(1)[0].output
    assert tp.preferences(1)[0].chosen != tp.preferences(1)[0].rejected


def test_tokens_and_windows_are_those_of_prepared_data(tmp_path: Path, texts: list[str], tokenizer: Tokenizer) -> None:
    (tmp_path / "texts.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    prepare([str(tmp_path / "texts.jsonl")], tokenizer, tmp_path / "data")
    shards = TokenShards.open(tmp_path / "data", "train")
    tokens = tp.tokens(texts, tokenizer)
    assert np.array_equal(tokens.numpy(), shards.window(0, len(shards)))
    theirs = Batches(shards, context_length=16, batch_size=5, seed=3)
    ours = tp.windows(tokens, 16, 5, seed=3)
    for step in range(3 + theirs.windows_per_epoch // 5):  # into the second epoch
        ((inputs, targets),) = theirs.step(step)
        x, y = next(ours)
        assert np.array_equal(x.numpy(), inputs)
        assert np.array_equal(y.numpy(), targets)


def test_too_few_tokens_for_a_window_are_refused_at_once() -> None:
    with pytest.raises(InputError, match="8 tokens are fewer than one window of 8"):
        tp.windows(torch.arange(8), 8, 1)


def test_shown_tokens_join_to_the_text_and_are_safe(tokenizer: Tokenizer) -> None:
    text = "<b>café</b>\n\x1b[31m"
    strip = tp.show_tokens(tokenizer, text)
    assert b"".join(strip.contents).decode() == text
    assert len(strip) == len(tokenizer.encode(text))
    assert "\x1b" not in repr(strip)
    page = strip._repr_html_()
    assert "<b>" not in page
    assert "\x1b" not in page
    assert tp.show_tokens(tokenizer, torch.tensor(strip.ids)) == strip


def test_a_tokenizer_is_found_by_path(tmp_path: Path, tokenizer: Tokenizer) -> None:
    tokenizer.save(tmp_path / "tok")
    for path in (tmp_path / "tok", str(tmp_path / "tok" / "tokenizer.json")):
        assert tp.load_tokenizer(path).fingerprint == tokenizer.fingerprint
