"""Loads the recipe of a training task. The command line and notebooks call it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from tuppence.core.config import CONFIG_LIMIT_BYTES, Section, load_config
from tuppence.storage import stage

Recipe = TypeVar("Recipe", bound=Section)


def load_recipe(schema: type[Recipe], recipe: str | Path | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Builds the recipe of a task from its defaults, then a YAML file, then `key.subkey=value` overrides.

    Args:
        schema: the recipe's class, such as `PretrainRecipe`.
        recipe: a path or a URL of a YAML file, or the name of a recipe of the package; None uses the defaults only.
        overrides: for example `train.learning_rate=3e-4`.

    Raises:
        InputError: the recipe does not exist or cannot be read, a key is unknown, or a value is invalid.

    Example:
        >>> from tuppence.tasks.pretrain import PretrainRecipe
        >>> load_recipe(PretrainRecipe, "tiny", ["train.lr=3e-4"]).train.learning_rate
        0.0003
    """
    file = None if recipe is None else stage(recipe, most_bytes=CONFIG_LIMIT_BYTES)
    return load_config(schema, file, overrides)
