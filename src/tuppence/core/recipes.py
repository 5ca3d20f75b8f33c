"""Recipes by name: the YAML files in `tuppence/configs`, which are part of the package.

`--config` takes the name of one, or the path of a file of one's own. Called by `config.load_config`.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from tuppence.core.errors import InputError

FOLDER = Path(__file__).resolve().parent.parent / "configs"


def recipe_names() -> list[str]:
    """The names of all recipes that come with tuppence, sorted.

    Example:
        >>> {"gpt2-124m", "tiny"} <= set(recipe_names())
        True
    """
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find_recipe(recipe: str | Path) -> Path:
    """The file of a recipe.

    Args:
        recipe: the path of a YAML file, or a name from `recipe_names`. A file comes before a name, a name before a
            folder.

    Raises:
        InputError: there is neither such a file nor such a name.

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
