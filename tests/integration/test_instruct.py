"""`finetune instruct` as a person uses it: kills, equivalences, what others open, and bad input."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.integration.command_lines import finetune_line, losses
from tests.integration.conftest import Check, Run, Start
from tests.ranks import as_ranks

from tuppence.core.json_lines import read_json_lines
from tuppence.model.weights import load_model

STEPS = 24


@pytest.fixture(scope="session")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty little tasks, in Alpaca's form."""
    path = tmp_path_factory.mktemp("tasks") / "tasks.json"
    words = ["cat", "tree", "moon", "fish", "house", "bird"]
    rows = [
        {"instruction": f"Say {word} {count} times.", "input": "", "output": " ".join([word] * count)}
        for word in words
        for count in range(1, 11)
    ]
    path.write_text(json.dumps(rows))
    return path


line = partial(finetune_line, "finetune instruct", steps=STEPS)


def test_the_result_is_a_chat_model_with_an_adapter_that_peft_opens(
    tuppence: Run, base: Path, tasks: Path, tmp_path: Path
) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    out = tmp_path / "run"
    done = tuppence(*line(base, tasks, out, "--lora", 4, train__eval_every="8", train__learning_rate="0.02"))
    assert done.returncode == 0, done.stderr
    scores = [row["val_loss"] for row in read_json_lines(out / "metrics.jsonl") if "val_loss" in row]
    assert scores[2] < scores[1] < scores[0]
    assert len(list(read_json_lines(out / "held-out.jsonl"))) == 6

    merged = load_model(out)
    tokens = torch.tensor([[5, 6, 7, 8]])
    plain = transformers.AutoModelForCausalLM.from_pretrained(base / "model")
    theirs = peft.PeftModel.from_pretrained(plain, out / "adapter").eval()
    with torch.no_grad():
        assert (theirs(tokens).logits - merged(tokens)).abs().max() < 1e-5
        assert (load_model(out / "adapter")(tokens) - merged(tokens)).abs().max() < 1e-5
    assert transformers.AutoTokenizer.from_pretrained(out / "model").chat_template

    checkpoint = load_file(out / "checkpoints" / f"step-{STEPS:08d}" / "model.safetensors")
    assert all(".lora_" in name for name in checkpoint)
    said = tuppence("chat", out, "--temperature", 0, input="Say moon 2 times.\n")
    assert said.returncode == 0, said.stderr
    assert tuppence("report", out).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("full", [False, True])
def test_kills_change_no_bit(assert_kills_change_no_bit: Check, base: Path, tasks: Path, full: bool) -> None:
    options = {"train__checkpoint_every": "3", "train__eval_every": "9", "finetune__dropout": "0.1"}
    more = ["--full"] if full else ["--lora", "4"]
    assert_kills_change_no_bit(
        lambda out: line(base, tasks, out, *more, **options), steps=STEPS, kills=3, more="held-out.jsonl"
    )


@pytest.mark.slow
def test_one_large_batch_equals_eight_small_ones_and_two_ranks(
    tuppence: Run, start_tuppence: Start, base: Path, tasks: Path, tmp_path: Path
) -> None:
    sizes = {"1x8": (8, 1), "8x1": (1, 8)}
    for name, (batch, steps) in sizes.items():
        options = {"train__batch_size": str(batch), "train__accumulation_steps": str(steps)}
        done = tuppence(*line(base, tasks, tmp_path / name, "--lora", 4, steps=10, **options))
        assert done.returncode == 0, done.stderr
    rank = line(base, tasks, tmp_path / "ranks", "--lora", 4, steps=10, train__batch_size="4")
    for done in as_ranks(start_tuppence, [rank, rank]):
        assert done.returncode == 0, done.stderr[-2000:]
    # 54 rows make six whole batches and one of six: ranks and steps share that one out, too
    whole = losses(tmp_path / "1x8")
    assert len(whole) == 10
    assert losses(tmp_path / "8x1") == pytest.approx(whole, abs=2e-5)
    assert losses(tmp_path / "ranks") == pytest.approx(whole, abs=2e-5)


def test_held_out_rows_are_never_trained_on(tuppence: Run, base: Path, tasks: Path, tmp_path: Path) -> None:
    rows = json.loads(tasks.read_text())
    (tmp_path / "val.json").write_text(json.dumps(rows[:5]))
    out = tmp_path / "run"
    done = tuppence(*line(base, tasks, out, "--val", tmp_path / "val.json", steps=1))
    assert done.returncode == 0, done.stderr
    assert "5 rows" in done.stderr
    assert "left out of training" in done.stderr
    assert "rows: 55" in (out / "run.yaml").read_text()


@pytest.mark.parametrize(
    ("rows", "word"),
    [
        ([{"instruction": "Add.", "output": ""}], "row 1"),
        ([{"instruction": "Add."}], "instructions"),
        ([{"instruction": "Add.", "output": "5"}] * 3, "cannot be split in two"),
        ([{"instruction": f"{n} " * 200, "output": "5"} for n in range(4)], "context"),
    ],
)
def test_bad_rows_end_in_one_line(
    tuppence: Run, base: Path, tmp_path: Path, rows: list[dict[str, str]], word: str
) -> None:
    (tmp_path / "bad.json").write_text(json.dumps(rows))
    done = tuppence(*line(base, tmp_path / "bad.json", tmp_path / "run"))
    assert done.returncode == 2
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "run").exists()


def test_bad_rows_are_left_out_on_request_and_counted(tuppence: Run, base: Path, tasks: Path, tmp_path: Path) -> None:
    rows = [*json.loads(tasks.read_text()), {"instruction": "Add.", "output": ""}, {"output": "5"}]
    (tmp_path / "some-bad.json").write_text(json.dumps(rows))
    done = tuppence(*line(base, tmp_path / "some-bad.json", tmp_path / "run", "--skip-bad-rows", steps=1))
    assert done.returncode == 0, done.stderr
    assert "skipped 2 bad rows" in done.stderr


def test_run_is_not_continued_with_another_base_data_or_recipe(
    tuppence: Run, base: Path, tasks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    assert tuppence(*line(base, tasks, out, steps=1)).returncode == 0
    other = tmp_path / "other.json"
    other.write_text(tasks.read_text().replace("moon", "star"))
    for changed in (
        line(base, other, out, steps=2),
        line(base, tasks, out, "--lora", 8, steps=2),
        line(out, tasks, out, steps=2),
    ):
        done = tuppence(*changed)
        assert done.returncode == 2
        assert "was started" in done.stderr
    done = tuppence(*line(base, tasks, out, "--full", "--lora", 8))
    assert (done.returncode, "exclude" in done.stderr) == (2, True)
