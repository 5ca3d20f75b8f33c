"""The weight files of a Hugging Face folder, as transformers and safetensors write them, complete and damaged."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.model.config import ModelConfig
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import their_name
from tuppence.model.tensor_files import check_names, check_shapes, find_tensors, read_tensors, shapes

Saved = Callable[..., tuple[Any, Path]]
EMBEDDING = "transformer.wte.weight"


def spoil_index(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    index = folder / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    changed = change(content)
    index.write_text(json.dumps(content if changed is None else changed))


def paths(folder: Path) -> dict[str, Path]:
    return {name: tensor.path for name, tensor in find_tensors(folder).items()}


def test_each_tensor_is_looked_for_where_transformers_put_it(small_config: ModelConfig, saved: Saved) -> None:
    theirs, folder = saved(small_config, max_shard_size="9KB")
    shards = {path: set(load_file(path)) for path in folder.glob("*.safetensors")}
    assert len(shards) > 2
    assert paths(folder) == {name: path for path, names in shards.items() for name in names}
    shutil.rmtree(folder)
    theirs.save_pretrained(folder)
    whole = folder / "model.safetensors"
    assert paths(folder) == dict.fromkeys(load_file(whole), whole)


def test_the_shapes_wanted_are_those_of_a_file_that_transformers_wrote(small_config: ModelConfig, saved: Saved) -> None:
    _, folder = saved(small_config)
    wanted = {their_name(name): shape for name, shape in shapes(GPT(small_config)).items()}
    assert wanted == {name: tuple(tensor.shape) for name, tensor in load_file(folder / "model.safetensors").items()}


def test_tensors_are_read_from_all_files_in_the_type_asked_for_and_masks_are_not(
    small_config: ModelConfig, saved: Saved
) -> None:
    _, folder = saved(small_config, max_shard_size="9KB")
    first = min(folder.glob("*.safetensors"))
    tensors = load_file(first)
    first.unlink()  # it may still be mapped into memory
    save_file({**tensors, "transformer.h.0.attn.bias": torch.ones(1, 1, 32, 32, dtype=torch.uint8)}, first)
    spoil_index(folder, lambda index: index["weight_map"].update({"transformer.h.0.attn.bias": first.name}))
    stored, model = find_tensors(folder), GPT(small_config)
    check_names(stored, model, folder)
    check_shapes(stored, shapes(model))
    expected = {name: tensor for path in folder.glob("*.safetensors") for name, tensor in load_file(path).items()}
    del expected["transformer.h.0.attn.bias"]
    found = read_tensors(stored, torch.bfloat16)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor.bfloat16()) for name, tensor in expected.items())


@pytest.mark.parametrize("content", [{}, [], {"weight_map": {}}, {"weight_map": [EMBEDDING]}])
def test_an_index_without_names_is_damaged(content: Any, small_config: ModelConfig, saved: Saved) -> None:
    _, folder = saved(small_config, max_shard_size="9KB")
    spoil_index(folder, lambda _: content)
    with pytest.raises(CorruptFileError, match="weight_map is missing or empty"):
        find_tensors(folder)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/x.safetensors", "a\\b.safetensors", "x.bin", 7, ""])
def test_an_index_that_points_out_of_its_folder_is_refused(
    name: object, small_config: ModelConfig, saved: Saved
) -> None:
    _, folder = saved(small_config, max_shard_size="9KB")
    shutil.copy(next(folder.glob("*.safetensors")), folder.parent / "secret.safetensors")
    spoil_index(folder, lambda index: index["weight_map"].update({EMBEDDING: name}))
    with pytest.raises(InputError, match=r"transformer\.wte\.weight is in"):
        find_tensors(folder)


def test_shards_that_do_not_hold_what_the_index_says_are_refused(small_config: ModelConfig, saved: Saved) -> None:
    _, folder = saved(small_config, max_shard_size="9KB")
    stored = paths(folder)
    wrong = next(path.name for path in stored.values() if path != stored[EMBEDDING])
    for name, error, message in (
        (wrong, CorruptFileError, r"tensor transformer\.wte\.weight is missing"),
        ("gone.safetensors", InputError, r"gone\.safetensors is missing"),
    ):
        spoil_index(folder, lambda index, name=name: index["weight_map"].update({EMBEDDING: name}))
        with pytest.raises(error, match=message):
            find_tensors(folder)


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_incomplete_weights_are_refused(cut: int, small_config: ModelConfig, saved: Saved) -> None:
    file = saved(small_config)[1] / "model.safetensors"
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(CorruptFileError, match=r"model\.safetensors is not a complete safetensors file"):
        find_tensors(file.parent)


def test_a_header_with_wrong_sizes_is_refused(small_config: ModelConfig, saved: Saved) -> None:
    file = saved(small_config)[1] / "model.safetensors"
    file.write_bytes((2**62).to_bytes(8, "little") + file.read_bytes()[8:])
    with pytest.raises(CorruptFileError, match=r"model\.safetensors is not a complete safetensors file"):
        find_tensors(file.parent)


def test_a_folder_without_weights_is_told_from_one_with_a_pickle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no model\.safetensors$"):
        find_tensors(tmp_path)
    for name in ("pytorch_model.bin", "pytorch_model.bin.index.json"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(InputError, match=f"{name}: pickles, which can run code") as refusal:
            find_tensors(tmp_path)
        assert "save_pretrained" in refusal.value.hint
        (tmp_path / name).unlink()
