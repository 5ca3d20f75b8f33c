from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from tuppence import cli
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.weights import save_model
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


def test_a_person_reads_a_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
