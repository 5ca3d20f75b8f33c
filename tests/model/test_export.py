from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.model.adapters import save_adapter
from tuppence.model.config import ModelConfig
from tuppence.model.export import export_adapter, export_model
from tuppence.model.gpt import GPT
from tuppence.model.lora import LoRA, add_lora
from tuppence.model.saving import save_model
from tuppence.model.weights import fingerprint, load_model
from tuppence.tokenizer import Tokenizer, train_tokenizer

Lively = Callable[..., GPT]
TOKENS = torch.tensor([[5, 6, 7, 8]])


@pytest.fixture
def tokenizer() -> Tokenizer:
    return train_tokenizer(["the cat and the hat"], 260)


@pytest.fixture
def run(lively: Lively, tokenizer: Tokenizer, tmp_path: Path) -> Path:
    """A run folder with a model and an adapter that was trained from it."""
    config = ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=260)
    base = tmp_path / "base"
    save_model(lively(config), base, tokenizer=tokenizer)
    tuned, lora = lively(config), LoRA(2, 4.0)
    add_lora(tuned, lora)
    for name, parameter in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter)
    folder = tmp_path / "run"
    save_model(tuned, folder / "model", tokenizer=tokenizer)
    (folder / "run.yaml").write_text("status: done\n")
    save_adapter(tuned, folder / "adapter", lora, base=base, base_sha256=fingerprint(base))
    return folder


def test_a_copy_of_a_runs_model_opens_in_transformers_with_the_same_logits(run: Path, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    (run / "model" / "pytorch_model.bin").write_bytes(b"a pickle can run code")
    assert export_model(run, tmp_path / "out") == tmp_path / "out"
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        assert torch.allclose(theirs(TOKENS).logits, load_model(run)(TOKENS), atol=1e-4)
    assert not (tmp_path / "out" / "pytorch_model.bin").exists()


def test_an_adapter_folder_is_merged_with_its_base(run: Path, tokenizer: Tokenizer, tmp_path: Path) -> None:
    export_model(run / "adapter", tmp_path / "out")
    with torch.no_grad():
        merged, trained = load_model(tmp_path / "out")(TOKENS), load_model(run)(TOKENS)
        base = load_model(tmp_path / "base")(TOKENS)
    assert torch.allclose(merged, trained, atol=1e-4)
    assert not torch.allclose(merged, base, atol=1e-2)
    assert Tokenizer.load(tmp_path / "out").fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize("named", ["run", "run/adapter", "run/model"])
def test_a_copied_adapter_opens_in_peft(named: str, run: Path, tmp_path: Path) -> None:
    peft, transformers = pytest.importorskip("peft"), pytest.importorskip("transformers")
    export_adapter(tmp_path / named, tmp_path / "out")
    base = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "base")
    theirs = peft.PeftModel.from_pretrained(base, tmp_path / "out").eval()
    with torch.no_grad():
        assert torch.allclose(theirs(TOKENS).logits, load_model(run)(TOKENS), atol=1e-4)


def test_what_cannot_be_exported_is_refused(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no adapter"):
        export_adapter(tmp_path / "base", tmp_path / "out")
    with pytest.raises(InputError, match="holds no model"):
        export_model(tmp_path, tmp_path / "out")
    with pytest.raises(InputError, match="is not empty"):
        export_model(run, tmp_path / "base")
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        export_model(run, tmp_path / "file")
    assert not (tmp_path / "out").exists()
