"""The number of parameters of the model that a verb line trains, as far as it can be read before the job starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tuppence.core.errors import InputError, TuppenceError
from tuppence.core.files import read_json
from tuppence.core.recipes import find_recipe
from tuppence.core.run import Run
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.storage import is_remote, local_path, open_store

_MOST_BYTES = 64 * 2**20
_NAMES = {"n_layer": "n_layers", "n_head": "n_heads", "n_embd": "d_model", "n_positions": "context_length"}
"""Keys of a Hugging Face config → ours."""


def parameters_of(values: Mapping[str, object]) -> int | None:
    """Counts the parameters; None if they are not known here, for example of a base in S3.

    Args:
        values: name of each option of the verb → its value.

    Raises:
        InputError: the sizes of a recipe do not fit together.
    """
    try:
        base = values.get("base")
        if isinstance(base, str):
            return None if is_remote(base) else _of_folder(local_path(base))
        return _of_recipe(values)
    except ValidationError as error:
        problem = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InputError(f"model: {problem}", "change the model section") from error
    except (TuppenceError, OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return None  # the verb itself will say what is wrong


def _of_folder(folder: Path) -> int | None:
    for place in (Run(folder).model, folder):
        if (place / "config.json").is_file():
            given = read_json(place / "config.json", 2**20)
            sizes = {ours: given[theirs] for theirs, ours in _NAMES.items()}
            return ModelConfig(**sizes, vocab_size=given["vocab_size"]).parameter_count()
    return None


def _of_recipe(values: Mapping[str, object]) -> int:
    config, data = values.get("config"), values.get("data")
    sizes: dict[str, Any] = {}
    if isinstance(config, str) and not is_remote(config):
        recipe = yaml.safe_load(find_recipe(config).read_text(encoding="utf-8")) or {}
        sizes |= recipe.get("model") or {}
    given = values.get("set_")
    for word in given if isinstance(given, list | tuple) else ():
        key, _, value = str(word).partition("=")
        if key.startswith("model."):
            sizes[key.removeprefix("model.")] = yaml.safe_load(value)
    preset = PRESETS[str(sizes.pop("preset", "tiny"))].model_dump()
    if isinstance(data, str) and "vocab_size" not in sizes:
        with open_store(data).open("index.json") as stream:
            preset["vocab_size"] = json.loads(stream.read(_MOST_BYTES))["vocab_size"]
    return ModelConfig(**{**preset, **sizes}).parameter_count()
