"""LoRA adapters on disk, in PEFT's layout: adapter_config.json and adapter_model.safetensors.

`peft` can open our files, and we can open its files for a GPT-2. The tensors determine which matrices have an adapter;
the config determines rank and scaling. An unknown option, or a value that is not implemented, raises an error.
`base.json` has the sha256 of the base, so that an adapter is not added to another model by mistake.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from tuppence.core import files
from tuppence.core.errors import CorruptFileError, InputError, naming
from tuppence.core.folders import atomic_folder
from tuppence.model.gpt import GPT
from tuppence.model.hugging_face import our_name, their_name
from tuppence.model.lora import TARGETS, LoRA, add_lora, lora_layers
from tuppence.model.tensor_files import read_header, save_tensors
from tuppence.storage import absolute_location, stage_run

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
BASE = "base.json"
"""Our own file, for two reasons: the metadata of the weights file have no fixed order of keys, and `peft` complains
about unknown keys in its config."""
_PREFIX = "base_model.model."
_LARGEST = 2**20
"""Largest rank or alpha: far above any trained adapter, and far below an overflow."""
_THEIR_TARGETS = dict(zip(TARGETS, ("c_attn", "attn.c_proj", "c_fc", "mlp.c_proj"), strict=True))
_THEIR_NAMES = frozenset({*_THEIR_TARGETS.values(), "attn.c_attn", "c_proj", "mlp.c_fc"})
"""Names of the matrices of every block that `target_modules` can contain."""

_READ: dict[str, tuple[Any, ...]] = {
    "peft_type": ("LORA",),
    "fan_in_fan_out": (True,),
    "bias": ("none", None),
    "use_rslora": (False, None, True),
    "init_lora_weights": (True, False, None, "gaussian", "orthogonal", "eva"),  # the others change the base as well
}
"""Options of PEFT that change the result of an adapter, with the values that we implement."""

_NOT_DECIDING = frozenset(
    (
        # read below
        *("r", "lora_alpha", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern"),
        *("base_model_name_or_path", "revision", "peft_version", "task_type", "auto_mapping", "inference_mode"),
        # only for training
        *("lora_dropout", "eva_config", "corda_config", "loftq_config", "lora_ga_config"),
        # parts of other options
        *("megatron_core", "qalora_group_size", "ensure_weight_tying", "runtime_config"),
    )
)
"""Options that do not change the result of a trained adapter. Any other option raises an error unless it is empty."""


def save_adapter(
    model: nn.Module, folder: Path, lora: LoRA, *, base: Path, base_sha256: str, score: nn.Linear | None = None
) -> None:
    """Writes the adapter of `model` as a folder that `peft` opens; complete or absent.

    Args:
        model: a bare GPT.
        base: the folder of the base model.
        base_sha256: `weights.fingerprint` of the base model.
        score: a classifier's head, stored in the same file, because the base has none.

    Raises:
        OutOfSpaceError: the disk is full; earlier content of `folder` is unchanged.
    """
    tensors = {}
    for name, layer in lora_layers(model):
        stem = _PREFIX + their_name(f"{name}.weight").removesuffix(".weight")
        for part in ("lora_A", "lora_B"):
            tensors[f"{stem}.{part}.weight"] = getattr(layer, part).detach().float().cpu()
    if score is not None:
        tensors[f"{_PREFIX}score.weight"] = score.weight.detach().float().cpu()
    with atomic_folder(folder) as temporary:
        save_tensors(tensors, temporary / WEIGHTS)
        files.write_json(temporary / BASE, {"sha256": base_sha256})
        files.write_json(temporary / CONFIG, _config(lora, base, scores=score is not None))


def _config(lora: LoRA, base: Path, *, scores: bool) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": "SEQ_CLS" if scores else "CAUSAL_LM",
        "base_model_name_or_path": absolute_location(base),
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "target_modules": [_THEIR_TARGETS[target] for target in lora.targets],
        "fan_in_fan_out": True,
        "bias": "none",
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": ["score"] if scores else None,
        "use_dora": False,
        "use_rslora": False,
    }


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no model."""
    return (folder / CONFIG).is_file() and not (folder / "config.json").is_file()


def base_of(folder: Path) -> Path:
    """Returns the folder of the base model that an adapter names.

    Raises:
        InputError: the adapter names no base, or the base is not on this machine.
    """
    named = _read_config(folder).get("base_model_name_or_path")
    if not isinstance(named, str) or not named:
        raise InputError(f"{folder / CONFIG} names no base model", "give the folder of the base model")
    for place in (stage_run(named), folder / named):
        if (place / "config.json").is_file():
            return place
    raise InputError(f"{folder} is an adapter of {named}, which is not here", "bring the base model to that place")


def load_adapter(model: GPT, folder: Path, *, base_sha256: str | None = None) -> LoRA:
    """Adds the adapter of a folder to `model`; its adapter layers are then trainable, as after `add_lora`.

    Args:
        base_sha256: hash of the model's folder; compared with the hash in the adapter's `base.json`, if both are known.

    Raises:
        InputError: an option is not implemented, or the adapter belongs to another model.
        CorruptFileError: a file is incomplete or has the wrong format.
    """
    config = _read_config(folder)
    if config.get("modules_to_save") == ["score"]:
        raise InputError(f"{folder} is the adapter of a classifier", "give the run's own folder, or its model/")
    with naming(folder / CONFIG):
        _check_options(config)
        rank, alpha = _number(config, "r", int), _number(config, "lora_alpha", float)
    tensors, noted = _read_tensors(folder / WEIGHTS), _noted_base(folder)
    if noted is not None and base_sha256 is not None and noted != base_sha256:
        raise InputError(
            f"{folder} is an adapter of another base: sha256 {noted[:12]}…, and this model has {base_sha256[:12]}…",
            "use it with the model it was trained on",
        )
    with naming(folder / WEIGHTS):
        placed = _placed(tensors)
        layers = _layers(config, placed, model.config.n_layers)
    targets = tuple(target for target in TARGETS if any(name.endswith(target) for name, _ in placed))
    if config.get("use_rslora") and rank > 0:
        alpha *= math.sqrt(rank)  # scaled by α / √r instead of α / r (Kalajdzievski 2023, arXiv:2312.03732)
    lora = LoRA(rank, alpha, targets=targets)
    add_lora(model, lora, layers)
    with naming(folder / WEIGHTS):
        _fill(model, placed)
    return lora


def _check_options(config: Mapping[str, Any]) -> None:
    """Refuses an option that changes the result and is not implemented."""
    for key, value in config.items():
        if key in _READ and value not in _READ[key]:
            raise InputError(f"{key} is {value!r:.80}", f"only {_READ[key][0]!r} is implemented")
        if key not in _READ and key not in _NOT_DECIDING and value:
            raise InputError(f"{key} is {value!r:.80}", "this option of PEFT is not implemented")


def _layers(config: Mapping[str, Any], placed: Mapping[tuple[str, str], Tensor], blocks: int) -> set[str]:
    """Returns the names of the layers for which there are tensors. Checks that no layer of the config is missing.

    There is no check if `target_modules` is a pattern or names single layers.
    """
    names = {name for name, _ in placed}
    modules, chosen = config.get("target_modules"), config.get("layers_to_transform")
    if (
        isinstance(modules, list)
        and all(isinstance(name, str) and name in _THEIR_NAMES for name in modules)
        and not config.get("exclude_modules")
    ):
        numbers = range(blocks) if chosen is None else chosen if isinstance(chosen, list) else [chosen]
        for target in TARGETS:
            of_target = {f"blocks.{number}.{target}" for number in numbers}
            missing = sorted(of_target - names)
            if missing and any(name.endswith(target) for name in names):
                raise InputError(f"no adapter for {missing[0]}", "give a whole adapter of this base")
    return names


def _fill(model: GPT, placed: Mapping[tuple[str, str], Tensor]) -> None:
    """Copies the tensors into the adapter layers of a model.

    Raises:
        InputError: a tensor is missing, has another shape, or has no layer.
    """
    names = [(name, part) for name, _ in lora_layers(model) for part in ("lora_A", "lora_B")]
    for name, part in names:
        parameter, tensor = getattr(model.get_submodule(name), part), placed.get((name, part))
        if tensor is None:
            raise InputError(f"no {part} for {name}", "restore the file")
        if tensor.shape != parameter.shape:
            raise InputError(
                f"{part} of {name} has shape {tuple(tensor.shape)}, and this model needs {tuple(parameter.shape)}",
                "it is an adapter of another base",
            )
        with torch.no_grad():
            parameter.copy_(tensor)
    without_layer = [".".join(key) for key in placed if key not in names]
    if without_layer:
        raise InputError(f"no {without_layer[0]} in this model", "it is an adapter of another base")


def _placed(tensors: Mapping[str, Tensor]) -> dict[tuple[str, str], Tensor]:
    """The tensors by our layer's name and "lora_A" or "lora_B"."""
    placed = {}
    for name, tensor in tensors.items():
        match = re.fullmatch(r"(?:base_model\.model\.)?(.+)\.(lora_[AB])(?:\.default)?\.weight", name)
        ours = our_name(f"{match[1]}.weight") if match else None
        if match is None or ours is None or not ours.removesuffix(".weight").endswith(TARGETS):
            raise InputError(f"unexpected tensor {name}", "only LoRA on GPT-2's blocks can be read")
        placed[ours.removesuffix(".weight"), match[2]] = tensor
    if not placed:
        raise CorruptFileError("it holds no adapter", "restore the file")
    return placed


def _read_config(folder: Path) -> dict[str, Any]:
    config = files.read_json(folder / CONFIG, limit=2**20)
    if not isinstance(config, dict):
        raise CorruptFileError(f"{folder / CONFIG} does not hold an object", "restore the file")
    return config


def _number(config: Mapping[str, Any], key: str, kind: type) -> Any:
    value = config.get(key)
    if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
        raise InputError(f"{key} is {value!r:.80}, not a number", "restore the file")
    if not -_LARGEST <= value <= _LARGEST:  # NaN, too
        raise InputError(f"{key} is {value!r:.80}, which no adapter has", "restore the file")
    return kind(value)


def _noted_base(folder: Path) -> str | None:
    """Returns the sha256 of the base from `base.json`, or None: folders written by PEFT have no such file."""
    if not (folder / BASE).is_file():
        return None
    noted = files.read_json(folder / BASE, limit=2**20)
    value = noted.get("sha256") if isinstance(noted, dict) else None
    return value if isinstance(value, str) else None


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if path.with_name("adapter_model.bin").is_file() and not path.is_file():
        raise InputError(f"{path.parent} has its weights in a pickle, which can run code", "save it as safetensors")
    names = read_header(path, hint="give a complete adapter folder")
    with safe_open(path, framework="pt") as opened:
        tensors = {name: opened.get_tensor(name) for name in names}
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise InputError(f"{path}: tensor {name} holds NaN, infinity or whole numbers", "the adapter is broken")
    return tensors
