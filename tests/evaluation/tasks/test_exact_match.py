"""Exact match against transformers' greedy generation on the same prompts, and resuming."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tuppence.data.records.encoding import encode_prompt
from tuppence.evaluation.config import EvalConfig
from tuppence.evaluation.evaluate import evaluate
from tuppence.evaluation.scoring import answers
from tuppence.evaluation.tasks.exact_match import is_exact
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.tokenizer.chat_template import Message

EXACT = {"device": "cpu", "precision": "float32"}
QUESTIONS = ["It?", "The lamp", "Open?", "Nobody minded", "A", "Rain"]


@pytest.fixture(scope="module")
def run(world: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose context holds a prompt."""
    folder = tmp_path_factory.mktemp("answers") / "run"
    torch.manual_seed(1)
    model = GPT(
        ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=96, vocab_size=world.tokenizer.vocab_size)
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)
    save_model(model, folder / "model", tokenizer=world.tokenizer)
    (folder / "run.yaml").write_text("status: done\n")
    return folder


def answers_of_transformers(world: Any, run: Path, count: int) -> list[str]:
    model = AutoModelForCausalLM.from_pretrained(run / "model").eval()
    texts = []
    for question in QUESTIONS:
        ids = encode_prompt(world.tokenizer, [Message("user", question)])
        with torch.no_grad():
            out = model.generate(
                torch.tensor([ids]),
                max_new_tokens=count,
                do_sample=False,
                eos_token_id=world.tokenizer.end_of_text,
                pad_token_id=0,
            )
        new = out[0, len(ids) :].tolist()
        texts.append(
            world.tokenizer.decode(new[: new.index(end)] if (end := world.tokenizer.end_of_text) in new else new)
        )
    return texts


@pytest.fixture
def file(world: Any, run: Path, tmp_path: Path) -> Path:
    """Instructions whose response is, for every other one, what the model will say (with other case and full stop)."""
    said = answers_of_transformers(world, run, 4)
    rows = [
        {"instruction": question, "output": f" {answer.upper()}." if index % 2 == 0 else answer + " no"}
        for index, (question, answer) in enumerate(zip(QUESTIONS, said, strict=True))
    ]
    path = tmp_path / "instructions.json"
    path.write_text(json.dumps(rows))
    return path


@pytest.mark.parametrize("batch_size", [1, 4])
def test_answers_are_greedy_and_logged(batch_size: int, world: Any, run: Path, file: Path, tmp_path: Path) -> None:
    settings = EvalConfig(data=str(file), answer_tokens=4, batch_size=batch_size)
    numbers = evaluate(run, ["exact_match"], settings, **EXACT, out=tmp_path / "out")["exact_match"]
    assert numbers["exact_match"] == numbers["accuracy"] == 0.5
    assert (numbers["rows"], numbers["answer_tokens"], numbers["precision"]) == (6, 4, "float32")
    lines = (tmp_path / "out" / "evaluation" / "exact_match.jsonl").read_text().splitlines()
    kept = {row["row"]: row for row in map(json.loads, lines[1:])}
    assert [kept[index]["answer"] for index in range(6)] == answers_of_transformers(world, run, 4)
    assert all(QUESTIONS[index] in kept[index]["prompt"] for index in range(6))


@pytest.mark.parametrize(
    ("answer", "reference", "same"),
    [
        ("Paris", "paris.", True),
        ("  Paris \n", "Paris", True),
        ("STRASSE", "straße", True),
        ("Paris..", "Paris", False),
        ("Paris!", "Paris", False),
        ("a  b", "a b", False),
        ("", ".", True),
    ],
)
def test_exact_match_ignores_only_case_outer_white_space_and_one_full_stop(
    answer: str, reference: str, same: bool
) -> None:
    assert is_exact(answer, reference) is same


def test_a_killed_evaluation_continues_where_it_stopped(
    run: Path, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = EvalConfig(data=str(file), answer_tokens=4, batch_size=2)
    whole = evaluate(run / "model", ["exact_match"], settings, **EXACT)["exact_match"]
    run = shutil.copytree(run, tmp_path / "run")
    real, asked = answers.generate, []

    def counting(model: Any, prompts: Any, *rest: Any, **options: Any) -> Any:
        asked.append(len(prompts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return real(model, prompts, *rest, **options)

    monkeypatch.setattr(answers, "generate", counting)
    with pytest.raises(KeyboardInterrupt):
        evaluate(run, ["exact_match"], settings, **EXACT)
    assert not (run / "evaluation.json").exists()
    resumed = evaluate(run, ["exact_match"], settings, **EXACT)["exact_match"]
    assert asked == [2, 2, 2, 2]  # the two batches before the kill are not done again
    assert {**resumed, "seconds": 0} == {**whole, "seconds": 0}
