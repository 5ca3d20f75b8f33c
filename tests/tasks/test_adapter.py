"""The shape of an adapter from a recipe, and when RUN/adapter is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tasks.preferences import SIZES

from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.model.adapters import base_of, is_adapter, save_adapter
from tuppence.model.gpt import GPT
from tuppence.model.loaded import inspect
from tuppence.model.lora import LoRA, add_lora
from tuppence.model.saving import save_model
from tuppence.model.weights import load_model
from tuppence.tasks.adapter import LoRAConfig, write_adapter
from tuppence.tokenizer import train_tokenizer

SHAPE = LoRA(rank=2, alpha=4.0)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    tokenizer = train_tokenizer(["yes no"], 257)
    save_model(GPT(SIZES.model_copy(update={"vocab_size": 257})), tmp_path / "base", tokenizer=tokenizer)
    return tmp_path / "base"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    run = Run(tmp_path / "run")
    run.create()
    return run


def adapted(base: Path) -> GPT:
    model = load_model(base)
    add_lora(model, SHAPE)
    return model


def test_alpha_is_twice_the_rank_unless_it_is_given() -> None:
    assert [LoRAConfig(rank=8, alpha=alpha).resolve().alpha for alpha in (None, 5.0)] == [16.0, 5.0]


def test_an_unknown_target_is_refused() -> None:
    with pytest.raises(InputError, match="nowhere"):
        LoRAConfig(targets=("nowhere",)).resolve()


def test_an_adapter_names_its_base_and_is_written_only_if_one_was_trained(base: Path, run: Run) -> None:
    write_adapter(adapted(base), run, inspect(base, head="lm"), lora=None)
    assert not run.adapter.exists()
    write_adapter(adapted(base), run, inspect(base, head="lm"), SHAPE)
    assert is_adapter(run.adapter)
    assert base_of(run.adapter) == base


def test_no_adapter_is_written_on_a_base_that_is_an_adapter_and_an_earlier_one_is_removed(
    base: Path, run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_adapter(adapted(base), tmp_path / "first", SHAPE, base=base, base_sha256="")
    write_adapter(adapted(base), run, inspect(base, head="lm"), SHAPE)
    write_adapter(adapted(base), run, inspect(tmp_path / "first", head="lm"), SHAPE)
    assert not run.adapter.exists()
    assert "its base is an adapter too" in " ".join(capsys.readouterr().err.split())
