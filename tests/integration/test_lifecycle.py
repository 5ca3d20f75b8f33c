"""From text to a report, through the command line alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.integration.command_lines import settings
from tests.integration.conftest import Run


@pytest.fixture(scope="module")
def run(tuppence: Run, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "small"
    done = tuppence(
        *("pretrain", "--data", corpus / "data", "--out", out, "--max-steps", 30, "--rate", 1.5, "--json"),
        *("--track", "tensorboard"),
        *settings("train.eval_every=10"),
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["status"] == "done"
    assert summary["result"]["steps"] == 30
    assert summary["result"]["tokens"] == 30 * 8 * 32
    assert summary["result"]["dollars"] > 0
    assert "validation loss" in done.stderr
    return out


def test_the_run_folder_has_all_its_parts(run: Path) -> None:
    names = {path.name for path in run.iterdir()}
    assert {"run.yaml", "metrics.jsonl", "ledger.jsonl", "samples.jsonl", "checkpoints", "model"} <= names
    assert any((run / "tensorboard").iterdir())
    assert {path.name for path in (run / "model").iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "generation_config.json",
    }


def test_the_loss_falls_and_every_row_has_its_keys(run: Path) -> None:
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [row["loss"] for row in rows if "loss" in row]
    assert losses[-1] < losses[0] - 0.5
    assert {"step", "loss", "learning_rate", "grad_norm", "tokens", "dollars"} <= set(rows[0])
    assert [row["step"] for row in rows if "val_loss" in row] == [10, 20, 30]


def test_transformers_opens_the_result_and_agrees(run: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tuppence.model.weights import load_model

    theirs = transformers.AutoModelForCausalLM.from_pretrained(run / "model").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(run / "model")
    ids = tokenizer("One morning the baker found a key.", return_tensors="pt").input_ids
    ours = load_model(run).eval()
    with torch.no_grad():
        assert torch.allclose(ours(ids), theirs(ids).logits, atol=1e-4)


def test_generate_prints_the_prompt_and_its_continuation(tuppence: Run, run: Path) -> None:
    done = tuppence("generate", run, "--prompt", "One morning", "--max-tokens", 8, "--seed", 3)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("One morning")
    assert len(done.stdout) > len("One morning") + 3
    assert tuppence("generate", run, "--prompt", "One morning", "--max-tokens", 8, "--seed", 3).stdout == done.stdout


def test_evaluate_agrees_with_the_loss_of_training(tuppence: Run, run: Path, corpus: Path) -> None:
    done = tuppence("evaluate", run, "--tasks", "perplexity", "--data", corpus / "data", "--json")
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)["perplexity"]
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    best = min(row["val_loss"] for row in rows if "val_loss" in row)
    assert numbers["loss"] == pytest.approx(best, abs=0.35)  # other windows, and more context for each token
    assert {"perplexity", "bits_per_byte", "tokens", "bytes", "stride"} <= set(numbers)


def test_report_is_one_self_contained_page(tuppence: Run, run: Path) -> None:
    done = tuppence("report", run)
    assert done.returncode == 0, done.stderr
    page = (run / "report.html").read_text()
    assert "<svg" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "src=" not in page


def test_the_same_command_again_says_that_it_is_done(tuppence: Run, run: Path, corpus: Path) -> None:
    line = ("pretrain", "--data", corpus / "data", "--out", run, "--max-steps", 30, "--rate", 1.5)
    done = tuppence(*line, *settings("train.eval_every=10"))
    assert done.returncode == 0
    assert "done already" in done.stderr


def test_a_longer_limit_continues_the_run(tuppence: Run, run: Path, corpus: Path) -> None:
    line = ("pretrain", "--data", corpus / "data", "--out", run, "--max-steps", 34, "--json")
    done = tuppence(*line, *settings("train.eval_every=10"))
    assert done.returncode == 0, done.stderr
    assert "continuing from" in done.stderr
    assert json.loads(done.stdout)["result"]["steps"] == 34


def test_another_setting_for_the_same_run_is_refused(tuppence: Run, run: Path, corpus: Path) -> None:
    line = ("pretrain", "--data", corpus / "data", "--out", run, "--max-steps", 34)
    done = tuppence(*line, *settings("train.eval_every=10", "train.learning_rate=0.5"))
    assert done.returncode == 2
    assert "train.learning_rate" in done.stderr
    assert done.stderr.count("\n") == 2


def test_a_validation_split_shorter_than_the_context_gives_a_warning(
    corpus: Path, tuppence: Run, tmp_path: Path
) -> None:
    (tmp_path / "val.txt").write_text("It was a dark night.")
    words = ["data", "prepare", corpus / "stories.txt", "--tokenizer", corpus / "tok", "--val", tmp_path / "val.txt"]
    done = tuppence(*words, "--out", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    done = tuppence("pretrain", "--data", tmp_path / "data", "--out", tmp_path / "run", "--max-steps", 1, *settings())
    assert done.returncode == 0, done.stderr
    assert "less than one context of 32" in " ".join(done.stderr.split())
