"""Evaluates IAM policies as AWS documents it, for what our policies use; anything else is an error, never a guess.

Source: "IAM JSON policy elements: Condition operators", "Multivalued context keys" and "Policy evaluation logic" of
AWS's IAM user guide. moto checks actions and resources, and ignores most conditions; this evaluator checks conditions.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from typing import Any

Values = str | list[str]


def allowed(
    policies: Iterable[Mapping[str, Any]], action: str, resource: str, context: Mapping[str, Values] | None = None
) -> bool:
    """Whether a request is allowed: a statement allows it, and none denies it."""
    effects = {
        statement["Effect"]
        for policy in policies
        for statement in policy["Statement"]
        if _applies(statement, action, resource, context or {})
    }
    return "Allow" in effects and "Deny" not in effects


def resolve(value: Any, names: Mapping[str, str]) -> Any:
    """Returns a part of a template with Ref, Fn::GetAtt and Fn::Sub replaced by values: `{"Bucket.Arn": "arn:…"}`."""
    if isinstance(value, list):
        return [resolve(one, names) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        return names[value["Ref"]]
    if value.keys() == {"Fn::GetAtt"}:
        return names[".".join(value["Fn::GetAtt"])]
    if value.keys() == {"Fn::Sub"}:
        return re.sub(r"\$\{([^}]+)\}", lambda found: names[found[1]], value["Fn::Sub"])
    return {key: resolve(one, names) for key, one in value.items()}


def _applies(statement: Mapping[str, Any], action: str, resource: str, context: Mapping[str, Values]) -> bool:
    unknown = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    assert not unknown, unknown
    return (
        any(_like(pattern.lower(), action.lower()) for pattern in _list(statement["Action"]))
        and any(_like(pattern, resource) for pattern in _list(statement["Resource"]))
        and all(
            _holds(operator, context.get(key), _list(wanted))
            for operator, block in statement.get("Condition", {}).items()
            for key, wanted in block.items()
        )
    )


def _holds(operator: str, given: Values | None, wanted: list[str]) -> bool:
    if operator == "Null":
        assert len(wanted) == 1
        return (given is None) == (wanted[0] == "true")
    every, some = operator.startswith("ForAllValues:"), operator.startswith("ForAnyValue:")
    name = operator.rpartition(":")[2]
    if name.endswith("IfExists"):
        if given is None:
            return True
        name = name.removesuffix("IfExists")
    if every:
        return all(_compare(name, one, wanted) for one in _list(given or []))  # true without the key
    if some:
        return any(_compare(name, one, wanted) for one in _list(given or []))  # false without the key
    if given is None:
        return name in ("StringNotEquals", "NumericNotEquals")  # of the operators, only the negated ones match
    assert isinstance(given, str), f"{operator} needs a single value, or ForAllValues or ForAnyValue"
    return _compare(name, given, wanted)


def _compare(name: str, given: str, wanted: list[str]) -> bool:
    if name == "StringEquals":
        return given in wanted
    if name == "StringNotEquals":
        return given not in wanted
    if name == "Bool":
        return given.lower() in [one.lower() for one in wanted]
    numeric = {
        "NumericLessThanEquals": lambda a, b: a <= b,
        "NumericLessThan": lambda a, b: a < b,
        "NumericGreaterThan": lambda a, b: a > b,
    }[name]
    return any(numeric(float(given), float(one)) for one in wanted)


def _like(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _list(value: Values) -> list[str]:
    return [value] if isinstance(value, str) else value
