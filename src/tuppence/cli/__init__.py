"""The command line: one file per group of verbs. A verb parses arguments, calls a function and prints the result.

`main` converts errors to exit codes (see `endings`): 0 success, 2 wrong input, 130/143 interrupted with a checkpoint
saved, 1 a bug in tuppence. Large packages (torch, numpy, pydantic) are imported inside the verbs, so that
`tuppence --help` is fast.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import cache
from typing import Any

import typer
from typer.core import TyperGroup

from tuppence.cli import endings
from tuppence.cli.command import Command
from tuppence.core import console
from tuppence.core.errors import Interrupted, OtherRankError, TuppenceError
from tuppence.core.interrupts import repeat_lost_interrupts
from tuppence.core.memory import out_of_memory
from tuppence.core.process import exit_process
from tuppence.core.streams import Messages, discard, finish_streams, prepare_streams

LIFE = (
    *("doctor", "plan", "quickstart", "tokenizer", "data", "pretrain", "finetune", "align"),
    *("generate", "chat", "classify", "evaluate", "export", "report", "check", "aws"),
)


class InOrderOfLife(TyperGroup):
    """Lists the verbs in the order of a model's life. By default typer lists all groups after the single verbs."""

    def list_commands(self, ctx: Any) -> list[str]:
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: LIFE.index(name) if name in LIFE else len(LIFE))


app = typer.Typer(
    name="tuppence",
    cls=InOrderOfLife,
    help="Build, pretrain, evaluate and talk to a GPT-2-scale language model, from scratch and within a budget.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

# typer includes click since 0.2x and does not export UsageError, but exports its subclass BadParameter
_UsageError: Any = typer.BadParameter.__mro__[1]


@app.callback()
def _root() -> None:
    """Keeps `tuppence VERB` a group of verbs, however many there are."""


def command_line() -> Any:
    """Returns the command line as one click command with all verbs below it."""
    _register_verbs()
    return typer.main.get_command(app)


@cache  # once per process, even if `main` is called several times
def _register_verbs() -> None:
    from tuppence.cli import (
        align,
        aws,
        check,
        classify,
        data,
        doctor,
        evaluate,
        export,
        finetune,
        generate,
        plan,
        pretrain,
        quickstart,
        report,
        tokenizer,
    )

    early, late = (doctor, plan, quickstart, tokenizer, data), (generate, classify, evaluate, export, report, check)
    for verbs in (*early, pretrain, finetune, align, *late, aws):
        verbs.register(app)


def main(arguments: list[str] | None = None) -> None:
    """Runs one command line and exits with its exit code.

    Args:
        arguments: the words after `tuppence`; `sys.argv[1:]` by default.
    """
    command = Command.now(is_the_program=arguments is None)
    prepare_streams()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    if debug:
        arguments.remove("--debug")
    try:
        with repeat_lost_interrupts() if command.is_the_program else nullcontext():
            code = _run(arguments, command, debug)
    except Exception:
        if not command.is_the_program:
            raise
        code = endings.show_traceback()
    unwritten = finish_streams()
    if unwritten is not None and code == 0:
        error = endings.unwritable_stdout(unwritten)
        code = endings.complain(error.message, error.hint, error.exit_code)
    if command.is_the_program:
        exit_process(code)
    sys.exit(code)


def _run(arguments: list[str], command: Command, debug: bool) -> int:
    try:
        _register_verbs()
        endings.refuse_undecodable(arguments)
        result: Any = app(arguments, standalone_mode=False, prog_name="tuppence", obj=command)
        return result if isinstance(result, int) else 0
    except SystemExit as ended:  # click exits with 1 on a broken pipe
        if isinstance(ended.__context__, BrokenPipeError):
            return 0
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except typer.Exit as finished:
        return finished.exit_code
    except _UsageError as error:
        if error.ctx is not None and type(error).__name__ == "NoArgsIsHelpError":
            Messages().write(error.ctx.get_help() + "\n")
            return 2
        verb = error.ctx.command_path if error.ctx else "tuppence"
        return endings.complain(" ".join(error.format_message().split()), f"try '{verb} --help'", 2)
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except Interrupted as interruption:
        return interruption.exit_code
    except OtherRankError as error:
        return error.exit_code
    except TuppenceError as error:
        if debug:
            raise
        return endings.complain(error.message, error.hint, error.exit_code)
    except BrokenPipeError:  # `tuppence … | head`: the reader closed the pipe, which is not an error
        discard(sys.stdout)
        return 0
    except Exception as error:
        if debug:
            raise
        short = out_of_memory(error, "end other programs, or use a smaller model, a smaller batch or shorter texts")
        if short is not None:
            return endings.complain(short.message, short.hint, short.exit_code)
        rank = endings.lost_rank(error)
        if rank is not None:
            console.note(f"rank {rank} stops: another rank has ended, and says why")
            return 1
        situation = endings.explain(error, command.outputs)
        if situation is not None:
            return endings.complain(situation.message, situation.hint, situation.exit_code)
        hint = "this is a defect of ours: run again with --debug and report what it prints"
        return endings.complain(f"{type(error).__name__}: {error}", hint, 1)
