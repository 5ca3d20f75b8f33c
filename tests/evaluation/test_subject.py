from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from tuppence.core.errors import InputError
from tuppence.evaluation.subject import data_of_run, load_subject
from tuppence.tokenizer import train_tokenizer


def test_a_run_and_a_hugging_face_folder_are_loaded_alike(world: Any) -> None:
    for folder in (world.run, world.model):
        subject = load_subject(folder, "cpu", "float32")
        assert subject.tokenizer.fingerprint == world.tokenizer.fingerprint
        assert subject.model.config.vocab_size == world.tokenizer.vocab_size
        assert (subject.device, subject.precision.name) == ("cpu", "float32")


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bf16", torch.bfloat16)])
def test_matrix_products_are_made_in_the_precision_asked_for(precision: str, dtype: torch.dtype, world: Any) -> None:
    subject = load_subject(world.model, "cpu", precision)
    with subject.arithmetic():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_tokenizer_with_more_ids_than_the_model_is_refused(world: Any, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(world.model, folder)
    train_tokenizer([chr(code) * 3 + "abc" * code for code in range(200, 400)], 330).save(folder)
    with pytest.raises(InputError, match="has 330 ids, the model only 300"):
        load_subject(folder, "cpu")


def test_a_folder_without_tokenizer_is_refused(world: Any, tmp_path: Path) -> None:
    shutil.copytree(world.model, tmp_path / "model", ignore=shutil.ignore_patterns("tokenizer*"))
    with pytest.raises(InputError, match="tokenizer"):
        load_subject(tmp_path / "model", "cpu")


@pytest.mark.parametrize("content", ["verb: pretrain", "data: x", "data: {path: 3}", "data: [1]"])
def test_a_run_that_does_not_name_its_data_has_none(content: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(content)
    assert data_of_run(tmp_path) is None


def test_the_data_of_a_run_are_those_it_names(world: Any) -> None:
    assert data_of_run(world.run) == str(world.data)
    assert data_of_run(world.model) is None
