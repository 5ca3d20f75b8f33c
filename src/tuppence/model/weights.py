"""Models on disk: any Hugging Face GPT-2 folder in, our models out as one.

A folder is looked through before it is believed: the config's sizes decide which tensors there must be and of what
shape, the headers of the files are compared with that, and only then are weights read. No pickle is ever opened.
The names of tensors are translated in `hugging_face`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from tuppence.core import files
from tuppence.core.errors import CorruptFileError, InputError, OutOfSpaceError
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import (
    config_from_hugging_face,
    config_to_hugging_face,
    from_hugging_face,
    is_mask_buffer,
    is_transposed,
    our_name,
    their_name,
    to_hugging_face,
    unexpected_tensor,
)
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.vocabulary import END_OF_TEXT

__all__ = ["from_hugging_face", "load_model", "model_folder", "save_model", "to_hugging_face"]

_FLOATS = ("F16", "BF16", "F32", "F64")
_WEIGHTS = "model.safetensors"
_INDEX = "model.safetensors.index.json"


def model_folder(folder: Path | str) -> Path:
    """The Hugging Face folder meant by `folder`: itself, or RUN/model where `folder` is a run.

    Raises:
        InputError: there is neither.
    """
    folder = Path(folder)
    for place in (folder, folder / "model"):
        if (place / "config.json").is_file():
            return place
    if not folder.exists():
        raise InputError(f"{folder} does not exist", "give a run folder, or a Hugging Face GPT-2 folder")
    if (folder / "adapter_config.json").is_file():
        raise InputError(f"{folder} holds an adapter and no model", "give the folder of the run it belongs to")
    raise InputError(
        f"{folder} holds no model: there is no config.json in it or in its model/ folder",
        "give a run that has ended or stopped, or a Hugging Face GPT-2 folder",
    )


def load_model(
    folder: Path | str, *, dtype: torch.dtype | None = None, device: torch.device | str | None = None
) -> GPT:
    """Reads a Hugging Face GPT-2 folder, or a run's.

    Accepts what `from_pretrained` accepts: sharded weights, names without `transformer.`, an explicit `lm_head`,
    mask buffers of old versions, float16 and bfloat16 files.

    Args:
        folder: config.json with model.safetensors (or its index and shards); or a RUN that has those in RUN/model.
        dtype: of the parameters; float32 unless said otherwise, whatever the file has.
        device: where the parameters go; the CPU by default.

    Returns:
        The model in evaluation mode.

    Raises:
        InputError: not a GPT-2 we implement; the message names the file and the key or tensor.
        CorruptFileError: a file is torn or not what it says.
    """
    place = model_folder(folder)
    config_path = place / "config.json"
    try:
        config = config_from_hugging_face(files.read_json(config_path))
    except CorruptFileError:
        raise
    except InputError as error:
        raise InputError(error.message.replace("config.json", str(config_path), 1), error.hint) from error

    with torch.device("meta"):
        model = GPT(config)
    stored = _tensor_files(place)
    _check_names(stored, model, place)
    state = _read_tensors(stored, _shapes(model), dtype or torch.float32)
    try:
        model.load_state_dict(from_hugging_face(state), assign=True)
    except InputError as error:
        raise InputError(f"{place}: {error.message}", error.hint) from error
    return model.to(device or "cpu").eval()


def save_model(
    model: GPT, folder: Path | str, *, tokenizer: Tokenizer | None = None, dtype: torch.dtype | None = None
) -> None:
    """Writes a Hugging Face folder that `AutoModelForCausalLM.from_pretrained` opens; complete or absent.

    Args:
        model: the bare model (not a DDP or compiled wrapper), on any device.
        folder: replaced as a whole if it exists.
        tokenizer: written beside the weights, and its end of text noted in the configs.
        dtype: of the stored weights; the model's own by default.

    Raises:
        OutOfSpaceError: the disk is full; what stood at `folder` is untouched.
    """
    folder = Path(folder)
    dtype = dtype or model.token_embedding.weight.dtype
    end_of_text = tokenizer.special_tokens.get(END_OF_TEXT) if tokenizer else None
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with files.explain_disk_errors(folder):
            temporary.mkdir(parents=True)
        state = {name: tensor.detach().to("cpu", dtype) for name, tensor in model.state_dict().items()}
        _save_tensors(to_hugging_face(state), temporary / _WEIGHTS)
        config = config_to_hugging_face(model.config, dtype=dtype, end_of_text=end_of_text)
        files.write_json(temporary / "config.json", config)
        files.write_json(
            temporary / "generation_config.json", {"bos_token_id": end_of_text, "eos_token_id": end_of_text}
        )
        if tokenizer is not None:
            tokenizer.save(temporary)
        files.commit_folder(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _save_tensors(tensors: dict[str, Tensor], path: Path) -> None:
    try:
        with files.explain_disk_errors(path):
            save_file(tensors, path, metadata={"format": "pt"})
    except SafetensorError as error:
        if "os error 28" in str(error) or "os error 122" in str(error):  # ENOSPC, EDQUOT: safetensors wraps them
            raise OutOfSpaceError(f"no space left on the disk while writing {path}", "free some space") from error
        raise


def _tensor_files(place: Path) -> dict[str, Path]:
    """Which file holds which tensor, by Hugging Face's names."""
    whole, index = place / _WEIGHTS, place / _INDEX
    if whole.is_file():
        return dict.fromkeys(_header(whole), whole)
    if index.is_file():
        return _read_index(index)
    if (place / "pytorch_model.bin").is_file():
        raise InputError(
            f"{place} has its weights in pytorch_model.bin, a pickle, which can run code when opened",
            "convert it with transformers: model.save_pretrained(folder) writes model.safetensors",
        )
    raise InputError(f"{place} has no {_WEIGHTS}", "give a complete Hugging Face GPT-2 folder")


def _read_index(index: Path) -> dict[str, Path]:
    content = files.read_json(index)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names:
        raise CorruptFileError(f"{index}: weight_map is missing or empty", "restore the file")
    for tensor, name in names.items():
        # a bare file name: anything else could lead out of the folder
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors") or "\\" in name:
            raise InputError(
                f"{index}: tensor {tensor} is said to be in {name!r}, which is not the name of a shard beside it",
                "do not use this model unless you know where it comes from",
            )
    held = {name: _header(index.parent / name) for name in sorted(set(names.values()))}
    for tensor, name in names.items():
        if tensor not in held[name]:
            raise CorruptFileError(f"{index.parent / name}: tensor {tensor} is missing", "restore the shards")
    return {tensor: index.parent / name for tensor, name in names.items()}


def _header(path: Path) -> list[str]:
    """Names of a file's tensors. safetensors checks the header: sizes, overlaps, and the length of the file."""
    if not path.is_file():
        raise InputError(f"{path} is missing", "give a complete Hugging Face GPT-2 folder")
    try:
        with safe_open(path, framework="pt") as opened:
            return list(opened.keys())
    except (SafetensorError, OSError) as error:
        raise CorruptFileError(f"{path} is not a whole safetensors file: {error}", "restore the file") from error


def _shapes(model: GPT) -> dict[str, tuple[int, ...]]:
    """The shape that each of our tensors must have in a Hugging Face file."""
    return {
        name: tuple(reversed(tensor.shape)) if is_transposed(name) else tuple(tensor.shape)
        for name, tensor in model.state_dict().items()
    }


def _check_names(stored: Mapping[str, Path], model: GPT, place: Path) -> None:
    """Every tensor the model needs is there once, and no other.

    Raises:
        InputError: with the first tensor's name.
    """
    wanted = set(model.state_dict())
    found: dict[str, str] = {}
    for name in stored:
        if is_mask_buffer(name) or name == "lm_head.weight":
            continue
        translated = our_name(name)
        if translated is None or translated not in wanted:
            error = unexpected_tensor(name)
            raise InputError(f"{stored[name]}: {error.message}", error.hint)
        if translated in found:
            raise InputError(f"{stored[name]}: {name} is there twice, also as {found[translated]}", "restore the file")
        found[translated] = name
    for name in model.state_dict():
        if name not in found:
            raise InputError(f"{place}: tensor {their_name(name)} is missing", "restore the file")


def _read_tensors(
    stored: Mapping[str, Path], shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Reads and checks every tensor, file by file; masks are skipped."""
    tensors: dict[str, Tensor] = {}
    for path in sorted(set(stored.values())):
        with safe_open(path, framework="pt") as opened:
            for name in (name for name, place in stored.items() if place == path and not is_mask_buffer(name)):
                wanted = shapes[our_name(name) or "token_embedding.weight"]  # lm_head is shaped like the embedding
                tensors[name] = _read_tensor(opened, name, wanted, path).to(dtype)
    return tensors


def _read_tensor(opened: Any, name: str, wanted: tuple[int, ...], path: Path) -> Tensor:
    header = opened.get_slice(name)
    if tuple(header.get_shape()) != wanted:
        raise InputError(
            f"{path}: tensor {name} has shape {tuple(header.get_shape())}, and config.json wants {wanted}",
            "the weights and the config do not belong together",
        )
    if header.get_dtype() not in _FLOATS:
        raise InputError(
            f"{path}: tensor {name} is stored as {header.get_dtype()}",
            f"weights must be floats ({', '.join(_FLOATS)}); quantized files cannot be read",
        )
    tensor: Tensor = opened.get_tensor(name)
    if not tensor.isfinite().all():
        raise InputError(f"{path}: tensor {name} holds NaN or infinity", "the model is broken: restore an older one")
    return tensor
