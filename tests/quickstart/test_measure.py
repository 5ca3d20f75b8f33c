"""The evaluation of the quickstart, on random models and with known answers."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.cli import main
from tuppence.core.run import Run
from tuppence.data.prepare import prepare
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.sampling import Sampling
from tuppence.model.saving import save_model
from tuppence.model.text import generate_text
from tuppence.model.weights import load_model
from tuppence.quickstart import measure
from tuppence.quickstart.measure import SHOWN_TASKS, command, evaluate_models
from tuppence.synthetic.instructions import iter_instructions
from tuppence.tokenizer import Tokenizer, train_tokenizer

MADE, SEED, ASKED = 40, 3, 30
NAMES = ("pretrain", "instruct", "dpo")


def conversation(prompt: str, answer: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]}


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data and three random models; of the held-out tasks every third has the answer that the DPO model gives."""
    root = tmp_path_factory.mktemp("quickstart")
    text = root / "stories.txt"
    text.write_text("It rained, and the lamp was lit. " * 40)
    tokenizer = train_tokenizer([text.read_text()], 280).with_chat_template()
    prepare([str(text)], tokenizer, root / "data", val_inputs=[str(text)], workers=1)
    sizes = ModelConfig(n_layers=1, n_heads=2, d_model=16, context_length=256, vocab_size=280)
    for seed, name in enumerate(NAMES):
        torch.manual_seed(seed)
        model = GPT(sizes)
        with torch.no_grad():
            model.position_embedding.weight.normal_(std=2)  # or it would repeat one token
        save_model(model, root / name / "model", tokenizer=tokenizer)
        Run(root / name).update(status="done")
    rows = []
    for number, task in enumerate(iter_instructions(MADE, SEED)):
        prompt = f"{task.instruction}\n\n{task.input}" if task.input else task.instruction
        answer = said(root / "dpo", prompt) if number % 3 == 0 else task.output
        rows.append(conversation(prompt, answer))
    write_lines(root / "instruct" / "held-out.jsonl", rows)
    pairs = [{"prompt": f"Name {number} lamps.", "chosen": f"lamp {number}", "rejected": "no"} for number in range(9)]
    write_lines(root / "dpo" / "held-out.jsonl", pairs)
    return root


def said(run: Path, prompt: str) -> str:
    """What a model answers greedily to an instruction."""
    tokenizer = Tokenizer.load(run / "model")
    asked = f"### Instruction:\n{prompt}\n\n### Response:\n"
    (found,) = generate_text(
        load_model(run), tokenizer, [asked], Sampling(max_tokens=measure.ANSWER_TOKENS, temperature=0)
    )
    return found.text


@pytest.fixture(scope="module", autouse=True)
def little() -> Any:
    """Fewer tokens and rows, for speed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "SCORED_TOKENS", 10)
        patch.setattr(measure, "ANSWER_TOKENS", 6)
        yield


@pytest.fixture(scope="module")
def found(root: Path, little: Any) -> dict[str, Any]:
    return evaluate_models(root, [root / name for name in NAMES], MADE, SEED, ASKED)


def test_the_metrics_equal_those_of_the_printed_command(
    root: Path, found: dict[str, Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = shlex.split(command(root, [root / name for name in NAMES], ASKED))
    with pytest.raises(SystemExit) as left:
        main([*words[1:], "--out", str(tmp_path), "--json"])
    assert left.value.code == 0
    theirs = json.loads(capsys.readouterr().out)
    assert list(theirs["runs"]) == list(NAMES)
    for name in NAMES:
        for task, numbers in theirs["runs"][name].items():
            assert {**found["runs"][name][task], "seconds": 0} == {**numbers, "seconds": 0}
    assert found["comparison"] == theirs["comparison"]


def test_tasks_are_counted_by_kind_and_their_shares_sum_to_the_exact_match(found: dict[str, Any]) -> None:
    expected = Counter(task.kind for task in list(iter_instructions(MADE, SEED))[:ASKED])
    assert {kind: one["rows"] for kind, one in found["kinds"].items()} == expected
    for run, numbers in found["runs"].items():
        right = sum(kind["rows"] * kind["right"][run] for kind in found["kinds"].values())
        assert right == pytest.approx(numbers["exact_match"]["accuracy"] * ASKED)
    assert (
        found["runs"]["dpo"]["exact_match"]["accuracy"] >= 10 / ASKED
    )  # every third answer was set to the model's own


def test_the_answers_shown_are_those_to_the_first_task_of_each_kind(root: Path, found: dict[str, Any]) -> None:
    tasks = list(iter_instructions(MADE, SEED))[:ASKED]
    first = {task.kind: number for number, task in reversed(list(enumerate(tasks)))}
    in_order = list(dict.fromkeys(task.kind for task in tasks))
    assert [row["kind"] for row in found["answers"]] == in_order[:SHOWN_TASKS]
    for row in found["answers"]:
        number = first[row["kind"]]
        assert row["prompt"].startswith(tasks[number].instruction)
        assert row["answers"] == {name: said(root / name, row["prompt"]) for name in NAMES}
        assert row["right"]["dpo"] == (number % 3 == 0)


def test_the_first_held_out_preferences_are_answered_by_every_model(root: Path, found: dict[str, Any]) -> None:
    asked = found["preferences"]
    assert [row["prompt"] for row in asked] == [f"Name {number} lamps." for number in range(len(asked))]
    assert len(asked) == 4
    for number, row in enumerate(asked):
        assert row["reference"] == f"lamp {number}"
        assert row["answers"] == {name: said(root / name, row["prompt"]) for name in NAMES}


def test_without_an_instruction_model_only_perplexity_is_measured(root: Path) -> None:
    found = evaluate_models(root, [root / "pretrain"], MADE, SEED, ASKED)
    assert found.keys() == {"runs", "comparison"}
    assert found["runs"]["pretrain"].keys() == {"perplexity"}
    assert "exact_match" not in command(root, [root / "pretrain"], ASKED)


def test_a_task_that_is_not_synthetic_has_the_kind_other(root: Path) -> None:
    found = evaluate_models(root, [root / "instruct"], 1, SEED, ASKED)
    (made,) = iter_instructions(1, SEED)
    assert {kind: one["rows"] for kind, one in found["kinds"].items()} == {made.kind: 1, "other": ASKED - 1}
