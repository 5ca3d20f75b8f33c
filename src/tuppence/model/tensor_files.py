"""Writes safetensors files, and checks and reads those of a Hugging Face folder.

The config's sizes determine the names and shapes of the tensors. The headers of the files are compared with them before
any weights are read. Pickles are never opened. `weights` is the entry point for whole folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuppence.core import files, git_lfs
from tuppence.core.errors import CorruptFileError, InputError, naming
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import (
    TOKEN_EMBEDDING,
    is_mask_buffer,
    is_transposed,
    our_name,
    their_name,
    unexpected_tensor,
)

WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")
_FLOATS = ("F16", "BF16", "F32", "F64")


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Writes a safetensors file, with the metadata that transformers and `peft` expect. Call it in `atomic_folder`.

    Raises:
        OSError: the disk is full, or the file cannot be written; safetensors has only the number in a message.
    """
    try:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


def tensor_files(place: Path) -> dict[str, Path]:
    """Returns the file of each tensor in a folder, by Hugging Face's names.

    Raises:
        InputError: there are no weights or only pickled ones, or an index points out of the folder.
        CorruptFileError: a file is incomplete.
    """
    whole, index = place / WEIGHTS, place / _INDEX
    if whole.is_file():
        return dict.fromkeys(tensor_names(whole), whole)
    if index.is_file():
        return _read_index(index)
    pickled = next((name for name in _PICKLED if (place / name).is_file()), None)
    if pickled is not None:
        raise InputError(
            f"{place} has its weights in {pickled}: pickles, which can run code when opened",
            "convert it with transformers: model.save_pretrained(folder) writes model.safetensors",
        )
    raise InputError(f"{place} has no {WEIGHTS}", "give a complete Hugging Face GPT-2 folder")


def _read_index(index: Path) -> dict[str, Path]:
    content = files.read_json(index)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names:
        raise CorruptFileError(f"{index}: weight_map is missing or empty", "restore the file")
    for tensor, name in names.items():
        # only a file name without a folder: anything else could point out of the folder
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors") or "\\" in name:
            raise InputError(
                f"{index}: tensor {tensor} is in {name!r}, which is not the name of a shard in the same folder",
                "do not use this model unless you know where it comes from",
            )
    held = {name: tensor_names(index.parent / name) for name in sorted(set(names.values()))}
    for tensor, name in names.items():
        if tensor not in held[name]:
            raise CorruptFileError(f"{index.parent / name}: tensor {tensor} is missing", "restore the shards")
    return {tensor: index.parent / name for tensor, name in names.items()}


def tensor_names(path: Path, hint: str = "give a complete Hugging Face GPT-2 folder") -> list[str]:
    """Returns the names of a file's tensors. safetensors checks the header: sizes, overlaps, and the file's length.

    Args:
        hint: what to do if there is no such file.

    Raises:
        InputError: there is no such file, or it is a Git LFS pointer.
        CorruptFileError: the file is incomplete.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing", hint)
    git_lfs.refuse_pointer(path)  # opens the file: safetensors reports every failure to open as a missing file
    try:
        with safe_open(path, framework="pt") as opened:
            return list(opened.keys())
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(f"{path} is not a complete safetensors file: {error}", "restore the file") from error


def shapes(model: GPT) -> dict[str, tuple[int, ...]]:
    """The shape that each of our tensors must have in a Hugging Face file."""
    return {
        name: tuple(reversed(tensor.shape)) if is_transposed(name) else tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
    }


def check_names(stored: Mapping[str, Path], model: GPT, place: Path) -> None:
    """Checks that every tensor of the model is there exactly once, and no other tensor.

    Raises:
        InputError: names the first wrong tensor.
    """
    wanted = set(model.state_dict())
    found: dict[str, str] = {}
    for name in stored:
        if is_mask_buffer(name) or name == "lm_head.weight":
            continue
        translated = our_name(name)
        if translated is None or translated not in wanted:
            with naming(stored[name]):
                raise unexpected_tensor(name)
        if translated in found:
            raise InputError(f"{stored[name]}: {name} is there twice, also as {found[translated]}", "restore the file")
        found[translated] = name
    if "lm_head.weight" in stored:
        found.setdefault(TOKEN_EMBEDDING, "lm_head.weight")
    for name in model.state_dict():
        if name not in found:
            raise InputError(f"{place}: tensor {their_name(name)} is missing", "restore the file")


def check_shapes(stored: Mapping[str, Path], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Compares shape and type of every tensor with what the model needs; reads headers only.

    Args:
        stored: file by Hugging Face's tensor name.
        shapes: by our names, or by Hugging Face's names for tensors that have no name of ours.

    Raises:
        InputError: names the first wrong tensor.
    """
    for path in sorted(set(stored.values())):
        with safe_open(path, framework="pt") as opened:
            for name in (name for name, place in stored.items() if place == path and not is_mask_buffer(name)):
                key = name if name in shapes else our_name(name) or TOKEN_EMBEDDING  # lm_head has the embedding's shape
                _check_header(opened.get_slice(name), name, shapes[key], path)


def _check_header(header: Any, name: str, wanted: tuple[int, ...], path: Path) -> None:
    if tuple(header.get_shape()) != wanted:
        raise InputError(
            f"{path}: tensor {name} has shape {tuple(header.get_shape())}, and config.json requires {wanted}",
            "the weights and the config do not belong together",
        )
    if header.get_dtype() not in _FLOATS:
        raise InputError(
            f"{path}: tensor {name} is stored as {header.get_dtype()}",
            f"weights must be floats ({', '.join(_FLOATS)}); quantized files cannot be read",
        )


def read_tensors(stored: Mapping[str, Path], dtype: torch.dtype) -> dict[str, Tensor]:
    """Reads every tensor, file by file; masks are skipped. Call `check_shapes` first.

    Raises:
        InputError: a tensor holds NaN or infinity.
    """
    tensors: dict[str, Tensor] = {}
    for path in sorted(set(stored.values())):
        with safe_open(path, framework="pt") as opened:
            for name in (name for name, place in stored.items() if place == path and not is_mask_buffer(name)):
                tensor: Tensor = opened.get_tensor(name)
                if not tensor.isfinite().all():
                    raise InputError(
                        f"{path}: tensor {name} holds NaN or infinity", "the model is broken: restore an older one"
                    )
                tensors[name] = tensor.to(dtype)
    return tensors
