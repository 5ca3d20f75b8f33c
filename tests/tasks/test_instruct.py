"""The loss of responses against transformers', and what a short run prints and writes. More: tests/integration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.data.records.conversations import read_conversations
from tuppence.data.records.encoding import EncodedConversation
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import to_hugging_face
from tuppence.model.saving import save_model
from tuppence.model.weights import fingerprint, load_model
from tuppence.tasks.instruct import InstructConfig, InstructRecipe, Responses, response_loss, run_instruct
from tuppence.tasks.run_options import RunOptions
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.training.config import TrainConfig

SIZES = ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=96, vocab_size=280)
TRAIN = TrainConfig(batch_size=4, max_steps=1, precision="float32", learning_rate=0.01, warmup_steps=0, sample_tokens=3)


def encoded(ids: list[int], trained: list[int]) -> EncodedConversation:
    """A conversation of which the tokens at some places are trained."""
    targets = [ids[place + 1] if place + 1 in trained else -100 for place in range(len(ids) - 1)]
    return EncodedConversation(np.array(ids[:-1]), np.array(targets), truncated=0)


ROWS = [
    encoded([5, 6, 7, 8, 9, 10], trained=[4, 5]),
    encoded([11, 12, 13, 14, 15, 16, 17, 18, 19, 20], trained=[2, 3, 8, 9]),  # two turns
    encoded([21, 22], trained=[1]),
]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return train_tokenizer(["### Instruction: Response: Name fruits. plum No."], 280).with_chat_template()


def objective(tokenizer: Tokenizer, rows: list[EncodedConversation]) -> Responses:
    return Responses(rows, rows[:1], [], tokenizer, SIZES.context_length, TRAIN)


def test_the_loss_and_its_gradient_are_those_of_transformers_on_the_same_labels(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    model = GPT(SIZES)
    save_model(model, tmp_path / "model")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "model").train()
    tokens_BT, targets_BT = objective(tokenizer, ROWS).collate(ROWS)
    loss, _ = objective(tokenizer, ROWS).loss(model, tokens_BT, targets_BT)
    loss.backward()
    labels_BT = torch.cat([torch.full((len(ROWS), 1), -100), targets_BT], dim=1)  # theirs are shifted inside
    inputs_BT = torch.nn.functional.pad(tokens_BT, (0, 1))
    their_loss = theirs(inputs_BT, labels=labels_BT).loss * 7  # theirs is the mean of the 7 targets
    their_loss.backward()
    assert loss.item() == pytest.approx(their_loss.item(), rel=1e-5)
    gradients = to_hugging_face({name: parameter.grad for name, parameter in model.named_parameters()})
    for name, parameter in theirs.named_parameters():
        torch.testing.assert_close(gradients[name], parameter.grad, rtol=1e-4, atol=1e-5, msg=name)


def test_a_batch_without_any_target_adds_nothing() -> None:
    model = GPT(SIZES)
    loss = response_loss(model, torch.tensor([[1, 2, 3]]), torch.full((1, 3), -100))
    loss.backward()
    assert loss.item() == 0
    assert all(parameter.grad is None or not parameter.grad.any() for parameter in model.parameters())


def test_rows_are_padded_at_the_end_and_tokens_count_up_to_the_last_target(tokenizer: Tokenizer) -> None:
    batch = objective(tokenizer, ROWS).collate(ROWS)
    for tensor, name, padding in zip(batch, ("ids", "targets"), (0, -100), strict=True):
        for row, content in zip(tensor, ROWS, strict=True):
            expected = getattr(content, name).tolist()
            assert row.tolist() == expected + [padding] * (len(row) - len(expected))
    assert objective(tokenizer, ROWS).tokens(batch) == 5 + 9 + 1


def run(folder: Path, tokenizer: Tokenizer, rows: list[dict[str, str]], full: bool = False) -> dict[str, Any]:
    torch.manual_seed(0)
    save_model(GPT(SIZES), folder / "base", tokenizer=tokenizer)
    (folder / "tasks.json").write_text(json.dumps(rows))
    recipe = InstructRecipe(finetune=InstructConfig(full=full, val_fraction=0.25), train=TRAIN)
    return run_instruct(folder / "base", folder / "tasks.json", folder / "run", recipe, RunOptions())


def tasks(count: int) -> list[dict[str, str]]:
    return [{"instruction": f"Name {number} fruits.", "output": "plum " * number} for number in range(1, count + 1)]


def test_an_adapter_is_merged_into_the_model_and_written_beside_it(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokens_BT = torch.tensor([[5, 6, 7, 8]])
    for name, full in (("lora", False), ("full", True)):
        run(tmp_path / name, tokenizer, tasks(8), full=full)
        result = load_model(tmp_path / name / "run")(tokens_BT)
        assert (tmp_path / name / "run" / "adapter").exists() is not full
        assert not torch.allclose(result, load_model(tmp_path / name / "base")(tokens_BT))
    merged, beside = (load_model(tmp_path / "lora" / "run" / name) for name in ("model", "adapter"))
    torch.testing.assert_close(merged(tokens_BT), beside(tokens_BT))


def test_no_adapter_is_written_if_the_base_is_an_adapter(
    tokenizer: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, tokenizer, tasks(8))
    first = tmp_path / "run" / "adapter"
    config = InstructRecipe(train=TRAIN)
    summary = run_instruct(first, tmp_path / "tasks.json", tmp_path / "second", config, RunOptions())
    assert summary["status"] == "done"
    assert not (tmp_path / "second" / "adapter").exists()
    assert "its base is an adapter too" in " ".join(capsys.readouterr().err.split())
    record = (tmp_path / "second" / "run.yaml").read_text()
    assert fingerprint(first) in record
    assert fingerprint(tmp_path / "base") not in record


def test_held_out_rows_can_be_read_again_and_are_some_of_the_given_rows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    run(tmp_path, tokenizer, tasks(8))
    given = read_conversations(tmp_path / "tasks.json").rows
    held_out = read_conversations(tmp_path / "run" / "held-out.jsonl").rows
    assert len(held_out) == 2
    assert all(row in given for row in held_out)


def test_cut_and_left_out_conversations_are_printed(
    tokenizer: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        *({**row, "instruction": f"Name fruits, {row['instruction']}"} for row in tasks(6)),
        *({"instruction": f"Name {number}.", "output": "x" * 300} for number in range(6)),
        *({"instruction": f"{number} " * 300, "output": "No."} for number in range(6)),
    ]
    run(tmp_path, tokenizer, rows)
    said = " ".join(capsys.readouterr().err.split())
    for name in ("training", "held-out"):
        assert f"{name} conversation" in said
    assert "cut at the context's end" in said
    assert "the prompt alone fills the context" in said


def test_prompts_that_all_fill_the_context_are_refused_before_a_run_starts(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="prompts are longer than the context of 96 tokens"):
        run(tmp_path, tokenizer, [{"instruction": f"{n} " * 300, "output": "No."} for n in range(8)])
    assert not (tmp_path / "run").exists()
