"""Annotation types for parameters of verbs that name a location (an input or an output), by kind.

A verb declares `data: Annotated[InputFolder, typer.Option(...)]`. `places_of` returns a table of these annotations;
`tuppence aws launch VERB ARGS` uses it to rewrite arguments. `Verb` is the command class of every verb. Before the verb
starts, it checks that each location can be read or written, and gives the verb a local path for a remote output.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

import typer
from typer.core import TyperCommand

from tuppence.cli.command import Command
from tuppence.core.errors import InputError


class Kind(Enum):
    """The kind of location that a parameter names."""

    INPUT_FILE = "input file"
    INPUT_FOLDER = "input folder"
    INPUT = "input file or folder"
    NAMED_INPUT_FILE = "input file after NAME="
    RUN = "run to read"
    OUTPUT_RUN = "output run"
    OUTPUT_FOLDER = "output folder"
    OUTPUT_FILE = "output file"

    @property
    def is_output(self) -> bool:
        """Whether the verb writes to the location."""
        return self.name.startswith("OUTPUT")

    @property
    def metavar(self) -> str:
        """The placeholder of the value in `--help`."""
        return "PATH" if self is Kind.INPUT else self.name.rpartition("_")[2]

    def place_in(self, value: str) -> str:
        """Returns the location in the value of a parameter of this kind.

        Example:
            >>> Kind.NAMED_INPUT_FILE.place_in("lambada=s3://bucket/rows.jsonl")
            's3://bucket/rows.jsonl'
        """
        return value.partition("=")[2] if self is Kind.NAMED_INPUT_FILE else value


InputFile = Annotated[str, Kind.INPUT_FILE]
InputFolder = Annotated[str, Kind.INPUT_FOLDER]
NamedInputFile = Annotated[str, Kind.NAMED_INPUT_FILE]
"""NAME=FILE."""
Input = Annotated[str, Kind.INPUT]
"""A file, a folder or a glob."""
InputRun = Annotated[str, Kind.RUN]
"""A run, its `model` folder, a Hugging Face folder or an adapter folder."""
OutputRun = Annotated[str, Kind.OUTPUT_RUN]
OutputFolder = Annotated[str, Kind.OUTPUT_FOLDER]
OutputFile = Annotated[str, Kind.OUTPUT_FILE]


class Verb(TyperCommand):
    """The command class of verbs. It knows which parameters name locations."""

    @cached_property
    def places(self) -> dict[str, Kind]:
        """Name of each parameter that names a location → its kind."""
        hints = get_type_hints(self.callback, include_extras=True)
        found = {name: [one for one in _metadata(hint) if isinstance(one, Kind)] for name, hint in hints.items()}
        return {name: kinds[0] for name, kinds in found.items() if kinds}

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help, with the kinds of locations as metavars."""
        for parameter in self.params:
            kind = self.places.get(str(parameter.name))
            if kind is not None and parameter.metavar is None:
                parameter.metavar = kind.metavar
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Checks the locations, notes the outputs in the `Command`, and runs the verb.

        A remote output is replaced by a local path, which is copied to the location.

        Raises:
            InputError: a location is empty, its scheme is unknown, or an output cannot be created.
        """
        with ExitStack() as remote:
            self._check_inputs(ctx)
            outputs = self._open_outputs(ctx, remote)
            if isinstance(ctx.obj, Command):
                ctx.obj.outputs.extend(outputs)
            return super().invoke(ctx)

    def _check_inputs(self, ctx: Any) -> None:
        """Raises an InputError if a location is empty, or the scheme of an input is unknown."""
        from tuppence.storage import require_known_scheme

        for name, kind in self.places.items():
            value = ctx.params.get(name)
            for given in [value] if isinstance(value, str) else value or ():
                if not given:  # Path("") is the working folder
                    raise InputError(
                        f"{self._word_of(name)} is empty", "give a path; is a variable of the shell unset?"
                    )
                if not kind.is_output:
                    require_known_scheme(kind.place_in(given))

    def _open_outputs(self, ctx: Any, remote: ExitStack) -> list[Path]:
        """Returns the local paths of the outputs.

        Args:
            remote: copies what is written there to a remote location when it ends.

        Raises:
            InputError: an output cannot be created.
        """
        from tuppence.core.files import explain_disk_errors
        from tuppence.core.outputs import refuse_unwritable
        from tuppence.storage import can_be_written, is_remote, output_path, remote_output

        outputs = []
        for name, kind in self.places.items():
            place = ctx.params.get(name)
            if not kind.is_output or place is None:
                continue
            is_run, is_file = kind is Kind.OUTPUT_RUN, kind is Kind.OUTPUT_FILE
            if is_remote(place) and can_be_written(place):
                output = remote.enter_context(remote_output(place, is_run=is_run, is_file=is_file))
                ctx.params[name] = str(output)
            else:
                output = output_path(place)
            with explain_disk_errors(output):
                if not output.exists():  # a verb that finds its result there writes nothing
                    refuse_unwritable(output, file=is_file)
            outputs.append(output)
        return outputs

    def _word_of(self, name: str) -> str:
        """How a parameter is called in `--help`."""
        parameter = next(one for one in self.params if one.name == name)
        return parameter.opts[0] if parameter.param_type_name == "option" else str(parameter.metavar or name)


def add_verb(group: typer.Typer, verb: Any, name: str | None = None, *, ends_with_line: bool = False) -> None:
    """Adds a function to a group of the command line.

    Args:
        ends_with_line: whether its last argument is another verb line, whose flags are not its own.
    """
    verb.__annotations__ = flat_annotations(verb)
    group.command(name, cls=Verb, context_settings={"allow_interspersed_args": not ends_with_line})(verb)


def flat_annotations(function: Any) -> dict[str, Any]:
    """Returns the annotations of a function or class with all metadata moved to the outermost level.

    typer ignores metadata inside other types.

    Example:
        >>> def verb(files: Annotated[list[InputFile] | None, "more"]) -> None: ...
        >>> flat_annotations(verb)["files"]
        typing.Annotated[list[str] | None, <Kind.INPUT_FILE: 'input file'>, 'more']
    """
    plain, whole = get_type_hints(function), get_type_hints(function, include_extras=True)
    found = {name: tuple(_metadata(hint)) for name, hint in whole.items()}
    return {name: Annotated[plain[name], *found[name]] if found[name] else plain[name] for name in plain}


def places_of(verb: str) -> Mapping[str, Kind]:
    """Returns the parameters of a verb that name a location, with their kinds.

    Some values are not locations: `--resume auto`, a recipe's name after `--config`, `-` for stdin.

    Example:
        >>> {name: kind.value for name, kind in places_of("classify").items()}
        {'run': 'run to read', 'file': 'input file'}
    """
    return dict(verbs())[verb].places


def verbs() -> Iterator[tuple[str, Verb]]:
    """Yields every verb with the words that call it, such as "finetune classify"."""
    from tuppence.cli import command_line

    def walk(command: Any, words: str) -> Iterator[tuple[str, Verb]]:
        for name, below in getattr(command, "commands", {}).items():
            yield from walk(below, f"{words} {name}".strip())
        if isinstance(command, Verb):
            yield words, command

    yield from walk(command_line(), "")


def _metadata(hint: Any) -> Iterator[Any]:
    """Yields the metadata of an annotation at all levels, innermost first."""
    for part in getattr(hint, "__args__", ()):
        yield from _metadata(part)
    if get_origin(hint) is Annotated:
        yield from hint.__metadata__
