"""Loads a configuration: a pydantic schema, filled from a YAML file and `--set key=value`. Unknown keys are errors.

Used by every training verb. The schemas are defined in other packages.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tuppence.core.console import note
from tuppence.core.errors import InputError
from tuppence.core.recipes import find_recipe

CONFIG_LIMIT_BYTES = 2**20


class Section(BaseModel):
    """Base of every schema: immutable, and an unknown key is an error.

    Attributes:
        short_names: shorter names that are accepted instead of a key.
        former_names: old name of a key → its present name. Old names are accepted, with a note.
    """

    short_names: ClassVar[Mapping[str, str]] = {}
    former_names: ClassVar[Mapping[str, str]] = {}

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), populate_by_name=True)

    @classmethod
    def from_earlier(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the values of a section that an earlier version wrote, under the present names of the keys."""
        return {cls.former_names.get(key, key): value for key, value in values.items()}


Schema = TypeVar("Schema", bound=BaseModel)


def load_config(schema: type[Schema], recipe: str | Path | None = None, overrides: Sequence[str] = ()) -> Schema:
    """Builds a `schema` from its defaults, then a recipe, then `key.subkey=value` overrides.

    `tasks.recipe.load_recipe` also takes a URL.

    Args:
        recipe: a YAML file with a mapping on this machine, or the name of a recipe of the package; None uses the
            defaults only.
        overrides: for example `train.learning_rate=3e-4`; the value is read as YAML.

    Raises:
        InputError: the recipe does not exist, the file cannot be read, a key is unknown (the hint has the nearest known
            key), or a value is invalid.

    Example:
        >>> class Train(Section):
        ...     learning_rate: float = 1e-3
        >>> class Config(Section):
        ...     train: Train = Train()
        >>> load_config(Config, overrides=["train.learning_rate=3e-4"]).train.learning_rate
        0.0003
    """
    path = None if recipe is None else find_recipe(recipe)
    values = _spelled_out(schema, read_yaml(path), path) if path is not None else {}
    for override in overrides:
        _set(schema, values, override)
    try:
        return schema.model_validate(_over_defaults(schema, values))
    except ValidationError as error:
        raise _explain(schema, error, path) from None


def _over_defaults(schema: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """Merges `values` into the default of each section *in this schema*, so that the other keys keep their defaults.

    The class of a section has defaults too, but tasks that share the class have different ones.
    """
    merged = dict(values)
    for name, field in schema.model_fields.items():
        given = merged.get(name)
        if given is None and name in merged and isinstance(field.default, BaseModel):
            del merged[name]  # an empty section
        if isinstance(field.default, BaseModel) and isinstance(given, dict):
            merged[name] = {**field.default.model_dump(exclude_unset=True), **given}
    return merged


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML mapping of at most 1 MiB.

    Raises:
        InputError: the file is missing, too large, not YAML or not a mapping.
    """
    try:
        if path.stat().st_size > CONFIG_LIMIT_BYTES:
            raise InputError(f"{path} is larger than a configuration can be", "is it the right file?")
        values = _parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except yaml.MarkedYAMLError as error:  # its text quotes the file, which may be one of passwords, given by mistake
        mark = error.problem_mark
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark is not None else ""
        said = f"{error.problem or error.context}{where}"
        raise InputError(f"{path} is not valid YAML: {said}", "fix the file, or make it again") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML: {line}", "fix the file, or make it again") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{path} does not hold a mapping of keys to values", "write 'key: value' lines")
    return values


def _parse_yaml(text: str) -> Any:
    """Parses a YAML document.

    Raises:
        yaml.YAMLError: the text is not YAML, or a mapping has the same key twice.
        ValueError: a date or a number does not exist.
        RecursionError: the document is nested too deeply.
    """
    return yaml.load(text, Loader=_OneValueAKey)


class _OneValueAKey(yaml.SafeLoader):
    """A safe loader that rejects duplicate keys. PyYAML silently uses the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' is given twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def dump_yaml(values: Any) -> str:
    """Returns `values` as YAML, with keys in their given order."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _spelled_out(schema: type[BaseModel], values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Returns the sections of a file with all short and former names replaced by the present ones."""
    whole = dict(values)
    for name, given in values.items():
        if isinstance(given, dict):
            whole[name] = {_spell_out(schema, [name], key): value for key, value in given.items()}
            if len(whole[name]) < len(given):
                both = next(key for key in given if _spell_out(schema, [name], key) != key)
                raise InputError(f"{path}: {name}.{both} is given twice, under two names", "write it once")
    return whole


def _spell_out(schema: type[BaseModel], sections: Sequence[str], key: str) -> str:
    """Returns the full name of a key, which may be a short or a former name."""
    for section in sections:
        field = schema.model_fields.get(section)
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return key
        schema = field.annotation
    if not issubclass(schema, Section):
        return key
    if key in schema.former_names:
        note(f"{'.'.join([*sections, key])} is now called {schema.former_names[key]}; the old name still works")
        return schema.former_names[key]
    return schema.short_names.get(key, key)


def _set(schema: type[BaseModel], values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {override!r} is not KEY=VALUE", "for example --set train.learning_rate=3e-4")
    *parents, last = key.strip().split(".")
    place = values
    for parent in parents:
        if place.get(parent) is None:  # absent, or an empty section
            place[parent] = {}
        below = place[parent]
        if not isinstance(below, dict):
            raise InputError(f"--set {override!r}: {parent} is a value, not a section", "check the key")
        place = below
    try:
        place[_spell_out(schema, parents, last)] = _parse_yaml(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"--set {override!r}: the value is not valid YAML", "quote it") from error


def _explain(schema: type[BaseModel], error: ValidationError, path: Path | None) -> InputError:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    where = f" in {path}" if path is not None else ""
    if first["type"] == "extra_forbidden":
        known = list(_known_keys(schema))
        if isinstance(first["input"], dict) and first["input"]:
            key += f".{next(iter(first['input']))}"  # a whole section is unknown
        sections = list(dict.fromkeys(map(_section_of, known)))
        near = nearest(key, known)
        if near is None and _section_of(key) not in sections:
            near = nearest(_section_of(key), sections)
        beside = [one for one in known if _section_of(one) == (_section_of(key) or None)]
        hint = f"did you mean {near}?" if near else f"known keys: {', '.join(beside or known)}"
        return InputError(f"unknown key {key}{where}", hint)
    message = first["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    given = "" if isinstance(first["input"], dict | BaseModel) else f" (it is {first['input']!r:.80})"
    if first["type"] in ("tuple_type", "list_type"):
        return InputError(f"{key}{where}: a list is expected{given}", f"write {key}=[{first['input']}]")
    return InputError(f"{key or 'configuration'}{where}: {message}{given}", "change the value")


def _known_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in schema.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _known_keys(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _section_of(key: str) -> str:
    return key.rpartition(".")[0]


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Returns the known word that is most similar to `word`, or None.

    Example:
        >>> nearest("train.learning_rat", ["train.learning_rate", "train.seed"])
        'train.learning_rate'
    """
    last = word.rpartition(".")[2]
    beside = {key.rpartition(".")[2]: key for key in known if _section_of(key) == _section_of(word)}
    found = [beside[name] for name in difflib.get_close_matches(last, list(beside), n=1, cutoff=0.6)]
    if not found:  # the right name in the wrong section
        by_name = {key.rpartition(".")[2]: key for key in known}
        found = [by_name[name] for name in difflib.get_close_matches(last, list(by_name), n=1, cutoff=0.7)]
    return found[0] if found else None
