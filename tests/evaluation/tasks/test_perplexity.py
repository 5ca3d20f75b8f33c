"""The task from a text or prepared data to its numbers, against transformers' own model and tokenizer."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuppence.core.errors import InputError
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.task import TaskResult
from tuppence.evaluation.tasks.perplexity import data_of_run, text_perplexity
from tuppence.model.gpt import GPT
from tuppence.model.loaded import load


def score(model: Path, settings: EvalConfig | None = None, folder: Path | None = None) -> TaskResult:
    return text_perplexity(load(model, "cpu", "float32", head="lm"), settings or EvalConfig(), folder)


def nats_by_transformers(world: Any, context: int) -> tuple[float, int]:
    """Plain chunks of the whole text, with transformers' model and transformers' tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(world.model)
    model = AutoModelForCausalLM.from_pretrained(world.model).eval()
    end = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    stream = [token for document in world.documents for token in (end, *tokenizer(document)["input_ids"])]
    nats, count = 0.0, 0
    for start in range(0, len(stream) - 1, context):
        inputs = torch.tensor([stream[start : min(start + context, len(stream) - 1)]])
        targets = torch.tensor(stream[start + 1 : start + 1 + inputs.shape[1]])
        with torch.no_grad():
            losses = F.cross_entropy(model(inputs).logits[0], targets, reduction="none")
        nats += losses[targets != end].sum().item()
        count += int((targets != end).sum())
    return nats, count


def test_metrics_equal_those_of_transformers(world: Any) -> None:
    nats, tokens = nats_by_transformers(world, 32)
    result = score(world.model, EvalConfig(data=str(world.text), stride=32)).metrics
    text_bytes = sum(len(document.encode()) for document in world.documents)
    assert (result["tokens"], result["bytes"]) == (tokens, text_bytes)
    assert result["loss"] == pytest.approx(nats / tokens, rel=1e-5)
    assert result["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert result["bits_per_byte"] == pytest.approx(nats / (math.log(2) * text_bytes), rel=1e-5)
    assert (result["context_length"], result["stride"], result["precision"]) == (32, 32, "float32")


def test_a_text_and_the_data_prepared_from_it_give_the_same_metrics(world: Any) -> None:
    results = [score(world.model, EvalConfig(data=str(data), stride=8)).metrics for data in (world.text, world.data)]
    for key in ("loss", "bits_per_byte", "tokens", "bytes"):
        assert results[0][key] == pytest.approx(results[1][key], rel=1e-6)


def test_the_error_without_data_names_the_data_option(world: Any) -> None:
    with pytest.raises(InputError, match="needs a text") as refusal:
        score(world.model)
    assert "--data" in refusal.value.hint


def test_data_of_the_task_comes_before_common_data_and_data_of_the_run(world: Any, tmp_path: Path) -> None:
    named, general = tmp_path / "named.txt", tmp_path / "general.txt"
    named.write_text("It rained.")
    general.write_text("It rained again.")
    both = EvalConfig(data=str(general), task_data={"perplexity": str(named)})
    for settings, data, size in (
        (both, named, 10),
        (EvalConfig(data=str(general)), general, 16),
        (EvalConfig(), world.data, sum(len(document.encode()) for document in world.documents)),
    ):
        numbers = score(world.run, settings).metrics
        assert (numbers["data"], numbers["bytes"]) == (str(data), size)


def test_scores_of_the_windows_sum_to_bits_per_byte_also_with_a_limit(world: Any) -> None:
    settings = EvalConfig(data=str(world.text), stride=8, batch_size=2)
    whole, part = score(world.model, settings), score(world.model, replace(settings, max_tokens=20))
    for result in (whole, part):
        blocks = result.scores["bits_per_byte"]
        assert blocks.weights.sum() == result.metrics["bytes"]
        assert blocks.values.sum() / blocks.weights.sum() == pytest.approx(result.metrics["bits_per_byte"])
    assert (part.metrics["tokens"], part.metrics["max_tokens"]) == (20, 20)
    assert whole.metrics["tokens"] > 20


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has an entry for each batch that a model scores; the 7th is interrupted."""
    batches: list[int] = []
    losses = GPT.row_losses

    def counted(self: GPT, *batch: torch.Tensor) -> torch.Tensor:
        batches.append(1)
        if len(batches) == 7:
            raise KeyboardInterrupt
        return losses(self, *batch)

    monkeypatch.setattr(GPT, "row_losses", counted)
    return batches


def test_a_killed_evaluation_continues_with_the_same_perplexity(world: Any, tmp_path: Path, scored: list[int]) -> None:
    settings = EvalConfig(stride=8, batch_size=1)
    with pytest.raises(KeyboardInterrupt):
        score(world.run, settings, tmp_path / "cut")
    again = score(world.run, settings, tmp_path / "cut").metrics
    used = len(scored)
    whole = score(world.run, settings, tmp_path / "whole").metrics
    blocks = len((tmp_path / "whole" / "perplexity.jsonl").read_text().splitlines()) - 1
    assert len(scored) - used == blocks
    assert used == blocks + 1  # the one that was interrupted, twice
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_only_changed_blocks_of_a_text_are_scored_again(world: Any, tmp_path: Path, scored: list[int]) -> None:
    scored += [1] * 7  # nothing is interrupted here
    text = tmp_path / "text.txt"
    settings = EvalConfig(data=str(text), stride=8, batch_size=1)
    text.write_text(world.documents[0])
    score(world.run, settings, tmp_path / "log")
    text.write_text(world.documents[0][:200] + world.documents[1])
    counts = []
    numbers = []
    for folder in ("log", "fresh"):
        before = len(scored)
        numbers.append({**score(world.run, settings, tmp_path / folder).metrics, "seconds": 0})
        counts.append(len(scored) - before)
    assert numbers[0] == numbers[1]
    assert 0 < counts[0] < counts[1]


@pytest.mark.parametrize("content", ["verb: pretrain", "data: x", "data: {path: 3}", "data: [1]"])
def test_a_run_that_does_not_name_its_data_has_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(content)
    assert data_of_run(tmp_path) is None


def test_the_data_of_a_run_is_read_from_its_run_file(world: Any) -> None:
    assert data_of_run(world.run) == str(world.data)
    assert data_of_run(world.model) is None
