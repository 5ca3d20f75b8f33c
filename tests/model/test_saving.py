"""Saved models: transformers opens them with the same logits, and our reader with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, GenerationConfig

from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.saving import save_model
from tuppence.model.weights import load_model
from tuppence.tokenizer import Tokenizer, train_tokenizer

SIZES = [
    ModelConfig(n_layers=1, n_heads=1, d_model=3, context_length=5, vocab_size=7),
    ModelConfig(n_layers=2, n_heads=2, d_model=16, context_length=32, vocab_size=61),
    ModelConfig(n_layers=3, n_heads=5, d_model=35, context_length=17, vocab_size=101, layer_norm_epsilon=1e-3),
]


@pytest.mark.parametrize("config", SIZES)
def test_logits_equal_transformers_for_a_model_that_we_saved(
    config: ModelConfig, lively: Callable[..., GPT], tmp_path: Path
) -> None:
    model = lively(config)
    save_model(model, tmp_path / "model")
    theirs, report = AutoModelForCausalLM.from_pretrained(tmp_path / "model", output_loading_info=True)
    assert type(theirs).__name__ == "GPT2LMHeadModel"
    assert not any(report.values()), report
    tokens_BT = torch.randint(0, config.vocab_size, (3, config.context_length))
    with torch.no_grad():
        torch.testing.assert_close(model(tokens_BT), theirs.eval()(tokens_BT).logits, rtol=0, atol=1e-4)


def test_the_files_are_those_of_a_hugging_face_folder(lively: Callable[..., GPT], tmp_path: Path) -> None:
    save_model(lively(SIZES[0]), tmp_path / "model")
    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == ["config.json", "generation_config.json", "model.safetensors"]
    with safe_open(tmp_path / "model" / "model.safetensors", framework="pt") as opened:
        assert opened.metadata() == {"format": "pt"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_saving_and_loading_is_the_identity_bit_for_bit(lively: Callable[..., GPT], tmp_path: Path) -> None:
    model = lively(SIZES[2])
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.config == model.config
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in loaded.state_dict().items())
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters())


def test_saving_replaces_the_folder_as_a_whole(lively: Callable[..., GPT], tmp_path: Path) -> None:
    place = tmp_path / "run" / "model"
    save_model(lively(SIZES[0]), place)
    (place / "stale.txt").write_text("of an older model")
    save_model(lively(SIZES[1]), place)
    assert load_model(place).config == SIZES[1]
    assert not (place / "stale.txt").exists()


def test_a_failed_save_leaves_the_old_model_and_no_temporary_files(
    lively: Callable[..., GPT], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(lively(SIZES[0]), tmp_path / "model")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tuppence.model.saving.save_tensors", full)
    with pytest.raises(Exception, match="no space left"):
        save_model(lively(SIZES[1]), tmp_path / "model")
    assert load_model(tmp_path / "model").config == SIZES[0]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_all_stop_ids_are_written_and_read_back(lively: Callable[..., GPT], tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["abc"], 258, special_tokens=("<|endoftext|>", "<|im_end|>"))
    several = Tokenizer(tokenizer.vocabulary, stop_ids=[256, 257])
    config = SIZES[1].model_copy(update={"vocab_size": 258})
    save_model(lively(config), tmp_path / "model", tokenizer=several)
    assert Tokenizer.load(tmp_path / "model").stop_ids == [256, 257]
    assert GenerationConfig.from_pretrained(tmp_path / "model").eos_token_id == [256, 257]
    save_model(lively(config), tmp_path / "model", tokenizer=tokenizer)
    assert GenerationConfig.from_pretrained(tmp_path / "model").eos_token_id == 256
