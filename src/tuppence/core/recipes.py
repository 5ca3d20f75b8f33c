"""Finds recipes by name. Recipes are the YAML files in `tuppence/configs`, which are part of the package.

`--config` takes the name of a recipe or the path of a YAML file. Called by `config.load_config`.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from tuppence.core.errors import InputError

FOLDER = Path(__file__).resolve().parent.parent / "configs"


def recipe_names() -> list[str]:
    """Returns the sorted names of all recipes in the package.

    Example:
        >>> {"gpt2-124m", "tiny"} <= set(recipe_names())
        True
    """
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find_recipe(recipe: str | Path) -> Path:
    """Returns the file of a recipe.

    Args:
        recipe: the path of a YAML file, or a name from `recipe_names`. An existing file is preferred to a recipe with
            the same name; an existing folder is not.

    Raises:
        InputError: neither a file nor a recipe has this name.

    Example:
        >>> find_recipe("tiny").name
        'tiny.yaml'
    """
    path = Path(recipe)
    if path.exists() and not path.is_dir():
        return path
    names = recipe_names()
    if str(recipe) in names:
        return FOLDER / f"{recipe}.yaml"
    near = difflib.get_close_matches(path.stem, names, n=1)
    hint = f"did you mean --config {near[0]}?" if near else f"name a file, or a recipe: {', '.join(names)}"
    raise InputError(f"there is no file and no recipe {str(recipe)!r}", hint)
