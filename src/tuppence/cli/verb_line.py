"""Reads `VERB ARGS…` of `tuppence aws launch`: checks them as the verb itself would, and marks the places in them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from tuppence.cli.command import Command, RecipeChecked
from tuppence.cli.places import Kind, Verb, verbs
from tuppence.core.errors import InputError
from tuppence.storage import is_remote, local_path

if TYPE_CHECKING:
    from tuppence.aws.verb_line import Place, VerbLine

NOT_PLACES = {"resume": ("auto", "never")}
"""Parameter → values that name no place."""
_OURS = ("--budget", "--rate")
_REFUSED = {"chat": "it talks to a person", "check": "it grades files of this machine"}


def read_verb_line(words: Sequence[str]) -> VerbLine:
    """Parses a verb and its arguments.

    Raises:
        InputError: the verb is unknown or cannot be a job, or an argument is a place that a job cannot have.
        UsageError: the arguments are not those of the verb (click's own error).
    """
    from tuppence.aws.verb_line import VerbLine

    name, verb, arguments = _verb_of(words)
    context: Any = verb.make_context(f"tuppence {name}", list(arguments))
    if not any(kind.is_output for kind in verb.places.values()):
        raise InputError(f"'{name}' writes no result that a job could keep", "run it on this machine")
    parameters = {parameter.name for parameter in verb.params}
    if {"budget", "rate"} <= parameters:
        _check_recipe(verb, context)
    places, budget, kept = [], None, []
    skip = False
    for word, parameter, value in _parsed(verb, arguments):
        if skip:
            skip = False
            continue
        option = parameter is not None and parameter.name in ("budget", "rate") and word.partition("=")[0] in _OURS
        if option:
            if parameter.name == "rate":
                raise InputError("--rate is the price of this machine", "leave it out: the instance has a price")
            skip = "=" not in word
            budget = float(context.params["budget"])
            continue
        kept.append(word)
        kind = None if parameter is None else verb.places.get(str(parameter.name))
        if kind is not None and value is not None:
            place = _place(len(kept) - 1, word, value, parameter, kind)
            if place is not None:
                places.append(place)
    return VerbLine(
        verb=name,
        words=tuple(kept),
        places=tuple(places),
        budget_usd=budget,
        takes_budget={"budget", "rate"} <= parameters,
        writes_run=Kind.OUTPUT_RUN in verb.places.values(),
        several_ranks=Kind.OUTPUT_RUN in verb.places.values(),
        values=dict(context.params),
    )


def _check_recipe(verb: Verb, context: Any) -> None:
    """Reads the recipe of a training verb: a wrong key is found here for nothing, and on a machine of AWS for money.

    Raises:
        InputError: a key or a value of the recipe is wrong.
    """
    context.obj = Command(began=time.monotonic(), is_the_program=False, checks_recipe=True)
    with context, contextlib.suppress(RecipeChecked):
        context.invoke(verb.callback, **context.params)


def _verb_of(words: Sequence[str]) -> tuple[str, Verb, Sequence[str]]:
    known = dict(verbs())
    for length in (3, 2, 1):
        name = " ".join(words[:length])
        if length <= len(words) and name in known:
            if name.partition(" ")[0] in ("aws", *_REFUSED):
                why = _REFUSED.get(name, "it controls jobs itself")
                raise InputError(f"'{name}' cannot be a job: {why}", "launch a verb such as pretrain")
            return name, known[name], words[length:]
    given = words[0] if words else ""
    raise InputError(f"there is no verb {given!r} to launch", "for example: tuppence aws launch … pretrain --data DATA")


def _parsed(verb: Verb, arguments: Sequence[str]) -> Iterator[tuple[str, Any, str | None]]:
    """Yields each word with its parameter and, where the word holds a value of it, that value."""
    parameters: list[Any] = verb.params
    options = {word: parameter for parameter in parameters for word in (*parameter.opts, *parameter.secondary_opts)}
    positional = [parameter for parameter in parameters if parameter.param_type_name == "argument"]
    waiting: Any = None
    only_values, seen = False, 0
    for word in arguments:
        if waiting is not None:
            yield word, waiting, word
            waiting = None
        elif word == "--" and not only_values:
            only_values = True
            yield word, None, None
        elif word.startswith("-") and len(word) > 1 and not only_values:
            name, equals, value = word.partition("=")
            parameter = options.get(name)
            yield word, parameter, value if equals else None
            if not equals and parameter is not None and not parameter.is_flag:
                waiting = parameter
        else:
            parameter = positional[min(seen, len(positional) - 1)] if positional else None
            seen += 1
            yield word, parameter, word


def _place(index: int, word: str, value: str, parameter: Any, kind: Kind) -> Place | None:
    """The place in a word; None if its value names none, such as the name of a recipe."""
    from tuppence.aws.verb_line import Place
    from tuppence.core.recipes import recipe_names

    found = kind.place_in(value)
    called = str(parameter.opts[0] if parameter.param_type_name == "option" else parameter.name)
    if kind.is_output:
        return Place(index, word.removesuffix(found), found, "output", called)
    remote = is_remote(found)
    if not remote and (found in NOT_PLACES.get(str(parameter.name), ()) or _is_name_of_recipe(parameter, found)):
        return None
    if found == "-":
        raise InputError(f"{called} - reads what is typed, and a job has no keyboard", "write it to a file")
    if not remote and not local_path(found).exists():
        names = f", and no recipe of: {', '.join(recipe_names())}" if parameter.name == "config" else ""
        raise InputError(f"{called}: there is no file or folder {found}{names}", "a job takes no globs: name a folder")
    return Place(index, word.removesuffix(found), found, "run" if kind is Kind.RUN else "input", called)


def _is_name_of_recipe(parameter: Any, value: str) -> bool:
    from tuppence.core.recipes import recipe_names

    path = local_path(value)
    return parameter.name == "config" and value in recipe_names() and not path.is_file()
