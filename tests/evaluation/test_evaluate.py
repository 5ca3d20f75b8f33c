from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional as F
from transformers import AutoModelForCausalLM, AutoTokenizer

from tuppence.core.errors import InputError
from tuppence.evaluation.evaluate import RESULTS_NAME, ROWS_FOLDER, TASKS, Settings, check_tasks, evaluate
from tuppence.model.gpt import GPT

EXACT = {"device": "cpu", "precision": "float32"}


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


def test_numbers_equal_those_of_transformers_on_the_same_folder_and_text(world: Any) -> None:
    nats, tokens = nats_by_transformers(world, 32)
    result = evaluate(world.model, settings=Settings(data=str(world.text), stride=32), **EXACT)["perplexity"]
    text_bytes = sum(len(document.encode()) for document in world.documents)
    assert (result["tokens"], result["bytes"]) == (tokens, text_bytes)
    assert result["loss"] == pytest.approx(nats / tokens, rel=1e-5)
    assert result["perplexity"] == pytest.approx(math.exp(nats / tokens), rel=1e-4)
    assert result["bits_per_byte"] == pytest.approx(nats / (math.log(2) * text_bytes), rel=1e-5)
    assert (result["context_length"], result["stride"], result["precision"]) == (32, 32, "float32")


def test_the_text_and_the_data_prepared_from_it_give_the_same_numbers(world: Any) -> None:
    results = [
        evaluate(world.model, settings=Settings(data=str(data), stride=8), **EXACT)["perplexity"]
        for data in (world.text, world.data)
    ]
    for key in ("loss", "bits_per_byte", "tokens", "bytes"):
        assert results[0][key] == pytest.approx(results[1][key], rel=1e-6)


def test_a_run_is_evaluated_on_its_own_data_and_keeps_the_numbers(world: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(world.run, run)
    (run / RESULTS_NAME).write_text('{"other": {"accuracy": 0.5}, "perplexity": {"loss": 1}}')
    results = evaluate(run, **EXACT)
    assert results["perplexity"]["data"] == str(world.data)
    assert json.loads((run / RESULTS_NAME).read_text()) == {"other": {"accuracy": 0.5}, **results}


def test_a_damaged_file_of_earlier_numbers_is_replaced(world: Any, tmp_path: Path) -> None:
    shutil.copytree(world.run, tmp_path / "run")
    (tmp_path / "run" / RESULTS_NAME).write_text('{"perplexity": ')
    results = evaluate(tmp_path / "run", settings=Settings(max_tokens=5), **EXACT)
    assert json.loads((tmp_path / "run" / RESULTS_NAME).read_text()) == results
    assert results["perplexity"]["tokens"] == 5


def test_a_hugging_face_folder_is_not_written_to(world: Any) -> None:
    before = {path: path.stat().st_mtime_ns for path in world.model.iterdir()}
    evaluate(world.model, settings=Settings(data=str(world.text), max_tokens=5), **EXACT)
    assert {path: path.stat().st_mtime_ns for path in world.model.iterdir()} == before


def test_without_any_data_the_way_out_is_named(world: Any) -> None:
    with pytest.raises(InputError, match="needs a text") as refusal:
        evaluate(world.model, **EXACT)
    assert "--data" in refusal.value.hint


@pytest.mark.parametrize(
    ("tasks", "hint"),
    [
        (["perplexty"], "did you mean perplexity?"),
        (["hellswag"], "did you mean hellaswag?"),
        (["xyz"], f"known tasks: {', '.join(TASKS)}"),
        ([], f"known tasks: {', '.join(TASKS)}"),
    ],
)
def test_an_unknown_task_is_refused_before_anything_is_loaded(tasks: list[str], hint: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        evaluate(tmp_path / "no such run", tasks)
    assert refusal.value.hint == hint
    check_tasks(["perplexity"])


def test_a_killed_perplexity_goes_on_where_it_stopped_with_the_same_numbers(
    world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(stride=8, batch_size=1)
    whole = evaluate(world.run, ["perplexity"], settings, out=tmp_path / "whole", **EXACT)["perplexity"]
    scored: list[int] = []
    loss = GPT.loss

    def counted(self: GPT, *batch: torch.Tensor) -> torch.Tensor:
        scored.append(1)
        if len(scored) == 7:
            raise KeyboardInterrupt
        return loss(self, *batch)

    monkeypatch.setattr(GPT, "loss", counted)
    with pytest.raises(KeyboardInterrupt):
        evaluate(world.run, ["perplexity"], settings, out=tmp_path / "cut", **EXACT)
    again = evaluate(world.run, ["perplexity"], settings, out=tmp_path / "cut", **EXACT)["perplexity"]
    blocks = len((tmp_path / "whole" / ROWS_FOLDER / "perplexity.jsonl").read_text().splitlines()) - 1
    assert len(scored) == blocks + 1  # the one that was interrupted, twice
    assert {**again, "seconds": 0} == {**whole, "seconds": 0}


def test_a_text_that_changed_is_scored_anew_from_where_it_changed(world: Any, tmp_path: Path) -> None:
    text, settings = tmp_path / "text.txt", {"stride": 8, "batch_size": 1}
    text.write_text(world.documents[0])
    evaluate(world.run, ["perplexity"], Settings(data=str(text), **settings), out=tmp_path / "log", **EXACT)
    text.write_text(world.documents[0][:200] + world.documents[1])
    again = evaluate(world.run, ["perplexity"], Settings(data=str(text), **settings), out=tmp_path / "log", **EXACT)
    fresh = evaluate(world.run, ["perplexity"], Settings(data=str(text), **settings), out=tmp_path / "fresh", **EXACT)
    assert again["perplexity"]["loss"] == fresh["perplexity"]["loss"]
    assert again["perplexity"]["tokens"] == fresh["perplexity"]["tokens"]
