"""Recipes from keyword arguments: `learning_rate=1e-3` finds its section by itself, `lora__rank=4` names it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tuppence.core.config import Section, load_config, nearest
from tuppence.core.errors import InputError
from tuppence.core.recipes import FOLDER

Recipe = TypeVar("Recipe", bound=Section)


def recipe_of(schema: type[Recipe], name: str | Path | None, keys: Mapping[str, Any]) -> Recipe:
    """Builds a recipe.

    Args:
        schema: the recipe's class, such as `PretrainRecipe`.
        name: a recipe of the package, or a YAML file; None for the defaults.
        keys: key → value. A key is the name of a setting (`learning_rate`), with its section (`lora__dropout`) if two
            sections have it. None leaves the value of the recipe.

    Raises:
        InputError: a key is unknown or ambiguous, or a value is invalid.

    Example:
        >>> from tuppence.tasks.instruct import InstructRecipe
        >>> recipe = recipe_of(InstructRecipe, None, {"rank": 4, "lr": 1e-3, "finetune__dropout": 0.1})
        >>> recipe.lora.rank, recipe.train.learning_rate, recipe.finetune.dropout
        (4, 0.001, 0.1)
    """
    given = {key: value for key, value in keys.items() if value is not None}
    overrides = [f"{_place(schema, key)}={json.dumps(value)}" for key, value in given.items()]
    packaged = FOLDER / f"{name}.yaml"  # by path: a file of that name in the working directory is not meant
    return load_config(schema, packaged if packaged.exists() else name, overrides)


def _place(schema: type[Section], key: str) -> str:
    section, separator, name = key.partition("__")
    if separator:
        return f"{section}.{name}"
    sections = {name: field.annotation for name, field in schema.model_fields.items()}
    names = {name: _names(kind) for name, kind in sections.items() if isinstance(kind, type)}
    having = [name for name, known in names.items() if key in known]
    if len(having) > 1:
        ways = " or ".join(f"{name}__{key}" for name in having)
        raise InputError(f"{key} is a setting of {' and of '.join(having)}", f"write {ways}")
    if not having:
        near = nearest(key, sorted({each for known in names.values() for each in known}))
        raise InputError(f"there is no setting {key}", f"did you mean {near}?" if near else "see `run.config`")
    return f"{having[0]}.{key}"


def _names(kind: type) -> set[str]:
    if not issubclass(kind, Section):
        return set()
    return {*kind.model_fields, *kind.short_names}
