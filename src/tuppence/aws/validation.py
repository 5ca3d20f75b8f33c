"""Checks the parameters of a call to AWS against AWS's own description of the operation, before the call.

botocore ships a description of each service: which members a call has, which are required, their types, enumerations,
patterns and bounds. botocore itself checks required members, types and lower bounds only; AWS refuses the rest after
the call. `problems` checks all of them. It does not know the rules that no description holds, for example which
members exclude each other.

The helpers that call AWS use `validate`. The local SageMaker (`tuppence.aws.local`) answers with `as_aws_says`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import regex

from tuppence.core.console import one_line
from tuppence.core.errors import InputError, MissingExtraError

LONGEST_SHOWN = 60
MOST_SHOWN = 8  # names of an enumeration


@dataclass(frozen=True)
class Problem:
    """A parameter that AWS would refuse.

    Attributes:
        path: the members that lead to the value, list positions from 0, for example `("Tags", 0, "Key")`.
        value: what was given; None for a required member that is absent.
        rule: what AWS asks for, for people.
        constraint: the same in the words of AWS's ValidationException.
        secret: whether the value must not be shown.
    """

    path: tuple[str | int, ...]
    value: object
    rule: str
    constraint: str
    secret: bool = False

    def name(self) -> str:
        """The path as text, for example `Tags[0].Key`; control characters of a given name are escaped and it is cut."""
        text = ""
        for part in self.path:
            text += f"[{part}]" if isinstance(part, int) else f".{shown(part, quoted=False)}"
        return text.removeprefix(".") or "the request"

    def sentence(self) -> str:
        """Parameter, value and rule in one sentence."""
        if self.value is None:
            return f"{self.name()} {self.rule}"
        return f"{self.name()} is {'a value not shown here' if self.secret else shown(self.value)}, which {self.rule}"


def validate(service: str, operation: str, parameters: Mapping[str, object]) -> None:
    """Raises an error if AWS would refuse these parameters of an operation.

    Args:
        service: as boto3 names it, for example `sagemaker`.
        operation: as AWS names it, for example `CreateTrainingJob`.
        parameters: the keyword arguments of the call.

    Raises:
        InputError: with the path, the value and the rule of the first parameter that AWS would refuse.
        MissingExtraError: boto3 is not installed.

    Example:
        >>> validate("sagemaker", "ListTrainingJobs", {"SortBy": "Price"})
        Traceback (most recent call last):
            ...
        tuppence.core.errors.InputError: SortBy is 'Price', which is none of Name, CreationTime, Status
    """
    found = problems(service, operation, parameters)
    if found:
        others = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise InputError(found[0].sentence() + others, f"AWS refuses {operation} with it; give another value")


def problems(service: str, operation: str, parameters: Mapping[str, object]) -> list[Problem]:
    """All parameters of an operation that AWS would refuse, in the order of the parameters.

    Raises:
        InputError: no such service or operation.
        MissingExtraError: boto3 is not installed.
    """
    shape = _input_shape(service, operation)
    if shape is None:
        return [Problem((str(name),), None, "is unknown", "Member is unknown") for name in parameters]
    return list(_check(shape, parameters, (), frozenset()))


def as_aws_says(found: list[Problem]) -> str:
    """The message of AWS's ValidationException for these problems, in the form that its services use.

    Example:
        >>> as_aws_says(problems("sagemaker", "StopTrainingJob", {"TrainingJobName": ""}))  # doctest: +ELLIPSIS
        "2 validation errors detected: Value '' at 'trainingJobName' failed to satisfy constraint: Member must have ...
    """
    errors = []
    for problem in found:
        names = [
            f"{part + 1}.member" if isinstance(part, int) else shown(part[:1].lower() + part[1:], quoted=False)
            for part in problem.path
        ]
        given = "***" if problem.secret else shown(problem.value, quoted=False)
        value = "null" if problem.value is None else f"'{given}'"
        errors.append(f"Value {value} at '{'.'.join(names)}' failed to satisfy constraint: {problem.constraint}")
    return f"{len(found)} validation error{'s' * (len(found) > 1)} detected: {'; '.join(errors)}"


def shown(value: object, *, quoted: bool = True) -> str:
    """A value for a message: on one line, control characters as escapes, cut after `LONGEST_SHOWN` characters.

    Example:
        >>> shown("a\\x1b[31m"), shown("x" * 300, quoted=False)[-25:]
        ("'a\\\\x1b[31m'", 'xxxxx... (300 characters)')
    """
    text = value if isinstance(value, str) else f"of type {type(value).__name__}" if _is_nested(value) else str(value)
    end = f"... ({len(text):,} characters)" if len(text) > LONGEST_SHOWN else ""
    text = one_line(text[:LONGEST_SHOWN])
    return (f"'{text}'" if quoted and isinstance(value, str) else text) + end


def _is_nested(value: object) -> bool:
    return isinstance(value, Mapping | list | tuple | bytes | bytearray)


@lru_cache(maxsize=64)
def _input_shape(service: str, operation: str) -> Any:
    model = service_model(service)
    if operation not in model.operation_names:
        raise InputError(f"AWS's {service} has no operation {shown(operation)}", "give the name as AWS spells it")
    return model.operation_model(operation).input_shape


@lru_cache(maxsize=1)
def descriptions() -> Any:
    """botocore's loader of descriptions, which parses each file once; a session of botocore's own parses it anew."""
    from botocore.loaders import Loader

    return Loader(include_default_search_paths=True)


@lru_cache(maxsize=16)
def service_model(service: str) -> Any:
    """botocore's description of a service (`botocore.model.ServiceModel`).

    Raises:
        InputError: botocore knows no such service.
        MissingExtraError: boto3 is not installed.
    """
    try:
        import botocore.session
        from botocore.exceptions import UnknownServiceError
    except ImportError as error:
        raise MissingExtraError("boto3", "aws", "a call to AWS") from error
    session = botocore.session.Session()
    session.register_component("data_loader", descriptions())
    try:
        return session.get_service_model(service)
    except UnknownServiceError as error:
        raise InputError(f"AWS has no service {shown(service)}", "give the name that boto3 uses") from error


_OF_TYPE: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "structure": ("a structure", Mapping),
    "map": ("a map", Mapping),
    "list": ("a list", (list, tuple)),
    "string": ("a string", str),
    "integer": ("a whole number", int),
    "long": ("a whole number", int),
    "float": ("a number", (int, float)),
    "double": ("a number", (int, float)),
    "boolean": ("true or false", bool),
    "timestamp": ("a time", (datetime, int, float, str)),
}
_NUMBERS = ("integer", "long", "float", "double")


def _check(shape: Any, value: object, path: tuple[str | int, ...], around: frozenset[str]) -> Iterator[Problem]:
    """Yields the problems of a value and of all that it contains. `around`: the shapes that surround it."""
    secret = "sensitive" in shape.metadata or any("Environment" in name for name in around)
    kind = shape.type_name
    noun, allowed = _OF_TYPE.get(kind, ("", object))
    unlike = isinstance(value, bool) and kind in (*_NUMBERS, "timestamp")
    if not isinstance(value, allowed) or unlike:
        yield Problem(path, _or_text(value), f"is not {noun}", f"Member must be {noun}", secret)
        return
    around = around | {shape.name}
    if kind == "structure" and isinstance(value, Mapping):
        yield from _check_structure(shape, value, path, around)
    elif kind == "map" and isinstance(value, Mapping):
        yield from _check_size(shape, value, len(value), path, "entries", secret)
        for key, inside in value.items():
            yield from _check(shape.key, key, (*path, str(key)), around - {shape.name})
            yield from _check(shape.value, inside, (*path, str(key)), around)
    elif kind == "list" and isinstance(value, list | tuple):
        yield from _check_size(shape, value, len(value), path, "items", secret)
        for position, inside in enumerate(value):
            yield from _check(shape.member, inside, (*path, position), around)
    elif kind == "string" and isinstance(value, str):
        yield from _check_text(shape, value, path, secret)
    elif kind in _NUMBERS and isinstance(value, int | float):
        yield from _check_number(shape, value, path, secret)


def _check_structure(
    shape: Any, value: Mapping[str, object], path: tuple[str | int, ...], around: frozenset[str]
) -> Iterator[Problem]:
    for name in shape.metadata.get("required", []):
        if value.get(name) is None:
            yield Problem((*path, name), None, "is missing", "Member must not be null")
    for name, inside in value.items():
        if name not in shape.members:
            known = ", ".join(shape.members) if len(shape.members) <= MOST_SHOWN else "others"
            yield Problem((*path, str(name)), None, f"is unknown; known are {known}", "Member is unknown")
        elif inside is not None or name not in shape.metadata.get("required", []):
            yield from _check(shape.members[name], inside, (*path, name), around)
    if getattr(shape, "is_tagged_union", False) and len(value) != 1:
        yield Problem(path, value, "must have exactly one member", "Member must have exactly one member set")


def _check_size(
    shape: Any, value: object, size: int, path: tuple[str | int, ...], unit: str, secret: bool
) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    has = f"has {size:,} {unit}"
    if least is not None and size < least:
        rule = f"{has}, fewer than {least:,}"
        yield Problem(path, value, rule, f"Member must have length greater than or equal to {least}", secret)
    if most is not None and size > most:
        rule = f"{has}, more than {most:,}"
        yield Problem(path, value, rule, f"Member must have length less than or equal to {most}", secret)


def _check_text(shape: Any, value: str, path: tuple[str | int, ...], secret: bool) -> Iterator[Problem]:
    yield from _check_size(shape, value, len(value), path, "characters", secret)
    names = getattr(shape, "enum", [])
    if names and value not in names:
        few = ", ".join(names) if len(names) <= MOST_SHOWN else f"AWS's {len(names):,} names for a {shape.name}"
        all_names = f"Member must satisfy enum value set: [{', '.join(names)}]"
        yield Problem(path, value, f"is none of {few}", all_names, secret)
    pattern = shape.metadata.get("pattern")
    compiled = _compiled(pattern) if pattern else None
    if compiled is not None and not compiled.fullmatch(value):
        rule = f"does not match {one_line(pattern)}"
        yield Problem(path, value, rule, f"Member must satisfy regular expression pattern: {pattern}", secret)


def _check_number(shape: Any, value: float, path: tuple[str | int, ...], secret: bool) -> Iterator[Problem]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if not math.isfinite(value):
        yield Problem(path, value, "is not finite", "Member must be a finite number", secret)
        return
    if least is not None and value < least:
        rule, constraint = f"is below {least:,}", f"Member must have value greater than or equal to {least}"
        yield Problem(path, value, rule, constraint, secret)
    if most is not None and value > most:
        yield Problem(path, value, f"is above {most:,}", f"Member must have value less than or equal to {most}", secret)


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> regex.Pattern[str] | None:
    """A pattern of AWS, which is written for Java; None where Python cannot read it, and it is not checked then."""
    try:
        return regex.compile(pattern)
    except regex.error:
        return None


def _or_text(value: object) -> object:
    return "nothing" if value is None else value
