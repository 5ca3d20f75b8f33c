from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Call, assert_refused

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.tokenizer import train_tokenizer


@pytest.fixture
def run(tmp_path: Path) -> Path:
    config = ModelConfig(n_layers=1, n_heads=2, d_model=8, context_length=16, vocab_size=260)
    save_model(GPT(config), tmp_path / "run" / "model", tokenizer=train_tokenizer(["the cat and the hat"], 260))
    return tmp_path / "run"


def test_a_page_is_written_and_its_path_printed(run: Path, tmp_path: Path, call: Call) -> None:
    page = tmp_path / "page.html"
    code, out, errors = call("export", run, "--to", "page", "--out", page)
    assert (code, out) == (0, f"{page}\n"), errors
    assert errors == f"{page.stat().st_size / 1e3:.0f} kB\n"
    assert 'id="live-models"' in page.read_text()
    assert call("export", run, "--to", "page", "--out", page)[0] == 0  # again: replaced


def test_a_program_gets_path_and_size(run: Path, tmp_path: Path, call: Call) -> None:
    code, out, _ = call("export", run, "--to", "page", "--beside", run, "--out", tmp_path / "both", "--json")
    page = tmp_path / "both" / "index.html"
    assert code == 0
    assert json.loads(out) == {"path": str(page), "bytes": page.stat().st_size}


def test_a_hugging_face_folder_is_written(run: Path, tmp_path: Path, call: Call) -> None:
    code, out, errors = call("export", run, "--to", "hf", "--out", tmp_path / "hf")
    assert (code, out) == (0, f"{tmp_path / 'hf'}\n"), errors
    copied = {path.name: path.read_bytes() for path in (tmp_path / "hf").iterdir()}
    assert copied == {path.name: path.read_bytes() for path in (run / "model").iterdir()}


def test_what_cannot_be_exported_is_wrong_input(run: Path, tmp_path: Path, call: Call) -> None:
    out = ("--out", tmp_path / "out")
    assert_refused(call("export", run, "--to", "peft", *out), "has no adapter")
    assert_refused(call("export", tmp_path / "nowhere", "--to", "page", *out), "does not exist")
    assert_refused(
        call("export", run, "--to", "hf", "--beside", run, *out), "only a page can have a model beside another"
    )
    assert_refused(call("export", run, "--to", "gguf", *out), "'gguf' is no target of an export")


def test_the_name_of_another_file_makes_no_folder(run: Path, tmp_path: Path, call: Call) -> None:
    for to, name in (("page", "page.txt"), ("page", "page.json"), ("hf", "model.safetensors"), ("hf", "model.html")):
        assert_refused(call("export", run, "--to", to, "--out", tmp_path / name), f"{name} is the name of a")
        assert not (tmp_path / name).exists()
    (tmp_path / "old.bin").mkdir()
    for name in ("v1.2", "notes.txt/", "old.bin"):  # a folder
        code, out, errors = call("export", run, "--to", "page", "--out", f"{tmp_path}/{name}")
        assert code == 0, errors
        assert Path(out.strip()).name == "index.html"
