"""LAMBADA against transformers' own generation and logits."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tuppence.core.errors import InputError
from tuppence.data.records.rows import Row
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.rows.files import RowFile
from tuppence.evaluation.tasks.lambada import Passage, read_passages
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.tokenizer import train_tokenizer

EXACT = {"device": "cpu", "precision": "float32"}


def passage_of(row: dict[str, Any]) -> Passage:
    return read_passages(RowFile("rows.jsonl", "", [Row("rows.jsonl, line 1", row)]))[0]


def test_both_formats_of_a_row_give_the_same_passage() -> None:
    expected = Passage("rows.jsonl, line 1", "It rained on the", " lamp")
    assert passage_of({"text": "It rained on the lamp"}) == expected
    assert passage_of({"context": "It rained on the", "continuation": "lamp"}) == expected
    assert passage_of({"context": "It rained on the", "continuation": " lamp"}) == expected


@pytest.mark.parametrize(
    "row", [{"text": "word"}, {"context": "a"}, {"text": 3}, {"context": " ", "continuation": "b"}]
)
def test_an_error_names_the_bad_row(row: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"rows\.jsonl, line 1"):
        passage_of(row)


def test_accuracy_and_perplexity_are_those_of_transformers(world: Any, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(world.model).eval()
    encode = world.tokenizer.encode
    texts = [
        "The lamp was lit, and",
        "It rained again; nobody",
        "A third, short",
        "stayed open. The lamp was lit, and the café",
    ]
    rows, right, log_probabilities = [], [], []
    for index, context in enumerate(texts):
        ids = encode(context)
        with torch.no_grad():
            greedy = model.generate(torch.tensor([ids]), max_new_tokens=1, do_sample=False)[0, len(ids) :].tolist()
        word = world.tokenizer.decode(greedy) if index % 2 else " minded"
        if not word.startswith(" ") or encode(context + word)[: len(ids)] != ids:
            word = " rain"
        continuation = encode(context + word)[len(ids) :]
        with torch.no_grad():
            table_TV = model(torch.tensor([ids + continuation])).logits[0].log_softmax(-1)[len(ids) - 1 : -1]
        log_probabilities.append(table_TV[torch.arange(len(continuation)), torch.tensor(continuation)].sum().item())
        right.append(table_TV.argmax(-1).tolist() == continuation)
        rows.append({"text": context + word})
    file = tmp_path / "passages.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    numbers = evaluate(world.model, ["lambada"], EvalConfig(data=str(file)), **EXACT)["lambada"]
    assert numbers["accuracy"] == numbers["acc"] == sum(right) / 4
    assert numbers["perplexity"] == pytest.approx(math.exp(-sum(log_probabilities) / 4), rel=1e-4)
    assert numbers["rows"] == 4


def test_the_greedy_continuation_is_right(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["It rained. It was rain. It was open. " * 9], 280)
    (wanted,) = tokenizer.encode(" rain")
    model = GPT(ModelConfig(n_layers=1, n_heads=1, d_model=8, context_length=16, vocab_size=280))
    with torch.no_grad():  # after anything comes " rain"
        model.final_norm.weight.zero_()
        model.final_norm.bias.copy_(torch.eye(8)[0])
        model.token_embedding.weight[:, 0] = 0
        model.token_embedding.weight[wanted, 0] = 20
    save_model(model, tmp_path / "model", tokenizer=tokenizer)
    file = tmp_path / "rows.jsonl"
    file.write_text('{"text": "It rained. It was rain"}\n{"text": "It rained. It was open"}\n')
    numbers = evaluate(tmp_path / "model", ["lambada"], EvalConfig(data=str(file)), **EXACT)["lambada"]
    assert numbers["accuracy"] == 0.5
    assert numbers["stderr"] == pytest.approx(0.5)  # of two rows: √(0.5 / 2)
