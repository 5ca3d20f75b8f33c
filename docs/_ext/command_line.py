"""Sphinx extension: writes one page for each verb of the command line, into reference/cli.

The pages come from the same objects as `tuppence VERB --help`, so they cannot differ from it. An option has a target:
``{option}`tuppence pretrain --budget` `` links to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import written_pages
from sphinx.application import Sphinx

from tuppence import cli

PROGRAM = "tuppence"


def escaped(text: str) -> str:
    """Text whose characters mean nothing in Markdown."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~@])", r"\\\1", text)


def paragraphs(help_text: str) -> Iterator[str]:
    """The paragraphs of a help text as Markdown. A paragraph after `\\b` is kept as it is: headings and examples."""
    for block in help_text.replace("\f", "").strip().split("\n\n"):
        lines = block.splitlines()
        if lines[0].strip() != "\b":
            yield escaped(" ".join(line.strip() for line in lines))
            continue
        for line in lines[1:]:
            if not line.startswith(" "):
                yield f"**{escaped(line.strip().removesuffix(':'))}**"
        code = [line.strip() for line in lines[1:] if line.startswith(" ")]
        if code:
            yield "\n".join(["```bash", *code, "```"])


def page(command: Any, path: str, context: Any) -> str:
    """One verb, and below it the verbs that belong to it."""
    parts = [f"# {path}", *verb(command, path, context)]
    for name in getattr(command, "commands", {}):
        below = command.commands[name]
        parts += [f"## {path} {name}", *verb(below, f"{path} {name}", context)]
    return "\n\n".join(parts) + "\n"


def verb(command: Any, path: str, parent: Any) -> Iterator[str]:
    """What `--help` says: usage, description, arguments and options."""
    context = type(parent)(command, info_name=path)
    command.get_help(context)  # gives the parameters their final names of values
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```text\n{path} {usage}\n```"
    yield from paragraphs(command.help or "")
    yield f"```{{program}} {path}\n```"
    for parameter in command.params:
        yield from option(parameter, context)


def option(parameter: Any, context: Any) -> Iterator[str]:
    """One argument or option: its names, and its help with default, range and whether it is required."""
    if getattr(parameter, "hidden", False):
        return
    record = parameter.get_help_record(context)
    if record is None:  # an argument without a help text
        record = (parameter.make_metavar(context), "")
    names, text = record
    described = escaped(" ".join(text.split()))
    if parameter.param_type_name == "argument":
        yield f"**{escaped(names)}**\n: {described or 'required'}"
        return
    yield f"````{{option}} {names}\n{described}\n````"


def write_pages(app: Sphinx) -> None:
    """Writes the pages and their index, in the order of a model's life."""
    command = cli.command_line()
    context = command.make_context(PROGRAM, [next(iter(command.commands))], resilient_parsing=True)
    names = command.list_commands(context)
    pages = {f"{name}.md": page(command.commands[name], f"{PROGRAM} {name}", context) for name in names}
    pages["index.md"] = "\n".join(index({name: command.commands[name] for name in names}))
    written_pages.write(Path(app.srcdir) / "reference" / "cli", pages)


def index(verbs: dict[str, Any]) -> Iterator[str]:
    """A table of the verbs with the first sentences of their help."""
    yield "# Command line\n"
    yield "| Verb | |\n|---|---|"
    for name, command in verbs.items():
        yield f"| [{PROGRAM} {name}]({name}.md) | {escaped(command.get_short_help_str(200))} |"
    yield "\n`--debug` after any verb shows the traceback of an error. Results go to stdout, all else to stderr.\n"
    yield "```{toctree}\n:hidden:\n"
    yield from verbs
    yield "```\n"


def setup(app: Sphinx) -> dict[str, bool]:
    """Writes the pages before Sphinx looks for its sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
