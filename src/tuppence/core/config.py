"""Configuration: a pydantic schema, filled from a YAML file and `--set key=value`, and refused where it is unknown.

Used by every training verb. It does not know any schema itself: the rooms define theirs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from tuppence.core.errors import InputError

CONFIG_LIMIT_BYTES = 2**20


class Section(BaseModel):
    """Base of every schema: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), populate_by_name=True)


Schema = TypeVar("Schema", bound=BaseModel)


def load_config(schema: type[Schema], path: Path | None = None, overrides: Sequence[str] = ()) -> Schema:
    """Builds a `schema` from its defaults, then a YAML file, then `key.subkey=value` overrides.

    Args:
        path: a YAML file that holds a mapping; None for the defaults alone.
        overrides: such as `train.learning_rate=3e-4`; the value is read as YAML.

    Raises:
        InputError: the file cannot be read, a key is unknown (the nearest known one is named), or a value does not fit.

    Example:
        >>> class Train(Section):
        ...     learning_rate: float = 1e-3
        >>> class Config(Section):
        ...     train: Train = Train()
        >>> load_config(Config, overrides=["train.learning_rate=3e-4"]).train.learning_rate
        0.0003
    """
    values = read_yaml(path) if path is not None else {}
    for override in overrides:
        _set(values, override)
    try:
        return schema.model_validate(_over_defaults(schema, values))
    except ValidationError as error:
        raise _explain(schema, error, path) from None


def _over_defaults(schema: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """`values` on top of each section's default *in this schema*: a recipe that sets one key keeps the others.

    A section's own class has defaults too, but two tasks that share the class have different ones.
    """
    merged = dict(values)
    for name, field in schema.model_fields.items():
        given = merged.get(name)
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
        values = yaml.load(path.read_text(encoding="utf-8"), _OneValueAKey)  # a SafeLoader
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        line = " ".join(str(error).split())
        raise InputError(f"{path} is not valid YAML: {line}", "see configs/ for examples") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{path} does not hold a mapping of keys to values", "see configs/ for examples")
    return values


class _OneValueAKey(yaml.SafeLoader):
    """A safe loader that refuses a key given twice: plain YAML quietly takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' stands twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def dump_yaml(values: Any) -> str:
    """`values` as YAML in the order given."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def _set(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set {override!r} is not KEY=VALUE", "for example --set train.learning_rate=3e-4")
    *parents, last = key.strip().split(".")
    place = values
    for parent in parents:
        below = place.setdefault(parent, {})
        if not isinstance(below, dict):
            raise InputError(f"--set {override!r}: {parent} is a value, not a section", "check the key")
        place = below
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
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
        return InputError(f"{key}{where}: a list is wanted{given}", f"write {key}=[{first['input']}]")
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
    """The known word that `word` most likely meant, or None.

    Example:
        >>> nearest("train.learning_rat", ["train.learning_rate", "train.seed"])
        'train.learning_rate'
        >>> nearest("train.lrr", ["train.learning_rate", "train.seed"])  # the initials, nearly
        'train.learning_rate'
    """
    last = word.rpartition(".")[2]
    beside = {key.rpartition(".")[2]: key for key in known if _section_of(key) == _section_of(word)}
    found = [beside[name] for name in difflib.get_close_matches(last, list(beside), n=1, cutoff=0.6)]
    if not found:  # the right name in the wrong section
        by_name = {key.rpartition(".")[2]: key for key in known}
        found = [by_name[name] for name in difflib.get_close_matches(last, list(by_name), n=1, cutoff=0.7)]
    if not found:
        by_initials = {"".join(part[0] for part in name.split("_")): key for name, key in beside.items() if "_" in name}
        found = [by_initials[name] for name in difflib.get_close_matches(last, list(by_initials), n=1, cutoff=0.75)]
    return found[0] if found else None
