"""Writes safetensors files, and checks and reads those of a Hugging Face folder.

The config's sizes determine the names and shapes of the tensors. The headers of the files are compared with them before
any weights are read. Pickles are never opened. `weights` is the entry point for whole folders.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a safetensors file, as the header of the file describes it.

    Attributes:
        path: the file.
        shape: as it is stored.
        dtype: the type by safetensors' name, such as "F32".
    """

    path: Path
    shape: tuple[int, ...]
    dtype: str


def find_tensors(place: Path) -> dict[str, StoredTensor]:
    """Returns the tensors in the files of a folder, by Hugging Face's names.

    Raises:
        InputError: there are no weights or only pickled ones, or an index points out of the folder.
        CorruptFileError: a file is incomplete.
    """
    whole, index = place / WEIGHTS, place / _INDEX
    if whole.is_file():
        return read_header(whole)
    if index.is_file():
        return _read_index(index)
    pickled = next((name for name in _PICKLED if (place / name).is_file()), None)
    if pickled is not None:
        raise InputError(
            f"{place} has its weights in {pickled}: pickles, which can run code when opened",
            "convert it with transformers: model.save_pretrained(folder) writes model.safetensors",
        )
    raise InputError(f"{place} has no {WEIGHTS}", "give a complete Hugging Face GPT-2 folder")


def _read_index(index: Path) -> dict[str, StoredTensor]:
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
    held = {name: read_header(index.parent / name) for name in sorted(set(names.values()))}
    for tensor, name in names.items():
        if tensor not in held[name]:
            raise CorruptFileError(f"{index.parent / name}: tensor {tensor} is missing", "restore the shards")
    return {tensor: held[name][tensor] for tensor, name in names.items()}


def read_header(path: Path, hint: str = "give a complete Hugging Face GPT-2 folder") -> dict[str, StoredTensor]:
    """Returns the tensors of a file, by name. safetensors checks the header: sizes, overlaps, and the file's length.

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
            slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  it is no dictionary
            return {name: StoredTensor(path, tuple(one.get_shape()), one.get_dtype()) for name, one in slices.items()}
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(f"{path} is not a complete safetensors file: {error}", "restore the file") from error


def shapes(model: GPT) -> dict[str, tuple[int, ...]]:
    """The shape that each of our tensors must have in a Hugging Face file."""
    return {
        name: tuple(reversed(tensor.shape)) if is_transposed(name) else tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
    }


def check_names(stored: Mapping[str, StoredTensor], model: GPT, place: Path) -> None:
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
            with naming(stored[name].path):
                raise unexpected_tensor(name)
        if translated in found:
            raise InputError(
                f"{stored[name].path}: {name} is there twice, also as {found[translated]}", "restore the file"
            )
        found[translated] = name
    if "lm_head.weight" in stored:
        found.setdefault(TOKEN_EMBEDDING, "lm_head.weight")
    for name in model.state_dict():
        if name not in found:
            raise InputError(f"{place}: tensor {their_name(name)} is missing", "restore the file")


def check_shapes(stored: Mapping[str, StoredTensor], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Compares shape and type of every tensor with what the model needs.

    Args:
        stored: by Hugging Face's tensor names.
        shapes: by our names, or by Hugging Face's names for tensors that have no name of ours.

    Raises:
        InputError: names the first wrong tensor.
    """
    for name, tensor in stored.items():
        if is_mask_buffer(name):
            continue
        wanted = shapes[name if name in shapes else our_name(name) or TOKEN_EMBEDDING]  # lm_head: as the embedding
        if tensor.shape != wanted:
            raise InputError(
                f"{tensor.path}: tensor {name} has shape {tensor.shape}, and config.json requires {wanted}",
                "the weights and the config do not belong together",
            )
        if tensor.dtype not in _FLOATS:
            raise InputError(
                f"{tensor.path}: tensor {name} is stored as {tensor.dtype}",
                f"weights must be floats ({', '.join(_FLOATS)}); quantized files cannot be read",
            )


def read_tensors(stored: Mapping[str, StoredTensor], dtype: torch.dtype) -> dict[str, Tensor]:
    """Reads every tensor, file by file; masks are skipped. Call `check_shapes` first.

    Raises:
        InputError: a tensor holds NaN or infinity.
    """
    tensors: dict[str, Tensor] = {}
    for path in sorted({one.path for one in stored.values()}):
        with safe_open(path, framework="pt") as opened:
            for name in (name for name, one in stored.items() if one.path == path and not is_mask_buffer(name)):
                tensor: Tensor = opened.get_tensor(name)
                if not tensor.isfinite().all():
                    raise InputError(
                        f"{path}: tensor {name} holds NaN or infinity", "the model is broken: restore an older one"
                    )
                tensors[name] = tensor.to(dtype)
    return tensors
