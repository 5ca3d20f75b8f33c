from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tuppence import cli
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluate")
    text = "the rain in spain falls mainly on the plain, they say. " * 20
    (folder / "val.txt").write_text(text)
    tokenizer = train_tokenizer([text], 270)
    torch.manual_seed(0)
    model = GPT(ModelConfig(n_layers=1, n_heads=2, d_model=8, context_length=16, vocab_size=270))
    save_model(model, folder / "model", tokenizer=tokenizer)
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as finished:
        cli.main(["evaluate", *map(str, arguments)])
    printed = capsys.readouterr()
    assert isinstance(finished.value.code, int)
    return finished.value.code, printed.out, printed.err


def test_json_has_the_numbers_other_programs_read(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, folder / "model", "--data", folder / "val.txt", "--stride", 4, "--json")
    assert code == 0
    numbers = json.loads(out)["perplexity"]
    assert {"loss", "perplexity", "bits_per_byte", "tokens", "bytes", "context_length", "stride"} <= set(numbers)
    assert numbers["bytes"] == (folder / "val.txt").stat().st_size
    assert (numbers["context_length"], numbers["stride"]) == (16, 4)


def test_the_text_output_is_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, folder / "model", "--data", folder / "val.txt", "--max-tokens", 30)
    assert code == 0
    assert out.startswith("perplexity\n  loss")
    assert "bits per byte" in out
    assert "tokens          30\n" in out


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--tasks", "perplexiti", "--data", "val.txt"], "did you mean perplexity?"),
        (["--tasks", ""], "no task was named"),
        (["--data", "absent.txt"], "absent.txt"),
        ([], "--data"),
        (["--data", "val.txt", "--stride", "99"], "stride 99"),
        (["--data", "val.txt", "--precision", "int3"], "unknown precision"),
        (["--data", "val.txt", "--device", "tpu"], "unknown device"),
    ],
)
def test_wrong_input_exits_2_with_a_line_and_a_hint(
    arguments: list[str],
    complaint: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, "model", *arguments)
    assert (code, out) == (2, "")
    assert complaint in err
    assert len(err.splitlines()) == 2


@pytest.fixture(scope="module")
def rows(folder: Path) -> Path:
    path = folder / "rows.jsonl"
    row = {"query": "the rain in", "choices": ["spain", "the plain"], "gold": 0}
    path.write_text("".join(json.dumps({**row, "gold": index % 2}) + "\n" for index in range(12)))
    return path


def test_several_models_are_a_table_with_intervals(
    folder: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    tokenizer = train_tokenizer([(folder / "val.txt").read_text()], 270)
    other = GPT(ModelConfig(n_layers=1, n_heads=2, d_model=8, context_length=16, vocab_size=270))
    save_model(other, folder / "other", tokenizer=tokenizer)
    tasks = ["--tasks", "perplexity,choices", "--data", folder / "val.txt", "--task-data", f"choices={rows}"]
    code, out, _ = run(capsys, folder / "model", folder / "other", *tasks)
    assert code == 0
    assert "perplexity" in out
    assert out.splitlines()[0].split() == ["perplexity", "model", "other"]
    assert "bits per byte: other - model" in out
    assert "paired bootstrap" in out
    code, out, _ = run(capsys, folder / "model", folder / "other", *tasks, "--json")
    found = json.loads(out)
    assert set(found["runs"]) == {"model", "other"}
    assert {"difference", "low", "high"} <= set(found["comparison"]["tasks"]["choices"]["acc"]["other"])


def test_a_task_of_rows_prints_its_numbers(folder: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, folder / "model", "--tasks", "choices", "--data", rows, "--limit", 8, "--json")
    numbers = json.loads(out)["choices"]
    assert code == 0
    assert {"acc", "acc_norm", "accuracy", "stderr", "acc_norm_stderr", "rows", "data_sha256"} <= set(numbers)
    assert (numbers["rows"], numbers["limit"]) == (8, 8)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--tasks", "choices", "--task-data", "choices"], "'choices' is not TASK=FILE"),
        (["--tasks", "choices", "--data", "val.txt"], "val.txt"),
        (["--tasks", "lambada"], "tuppence data get lambada"),
        (["--tasks", "judge", "--data", "rows.jsonl"], "judge needs a judge"),
        (["model", "--data", "val.txt"], "twice"),
    ],
)
def test_wrong_rows_exit_2_with_a_line_and_a_hint(
    arguments: list[str],
    complaint: str,
    folder: Path,
    rows: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    code, out, err = run(capsys, "model", *arguments)
    assert (code, out) == (2, "")
    assert complaint in err
    assert len(err.splitlines()) == 2
