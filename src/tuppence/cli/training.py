"""Code that all training verbs share: their flags, the ledger that is opened first, and the output at the end of a run.

A verb takes `training: TrainingFlags` (or `FinetuneFlags`, `AdapterFlags`) and is decorated with `training_verb`, which
adds the fields of these classes to the verb's parameters.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from typer.models import ParameterInfo

from tuppence.cli.places import InputFile, InputFolder, InputRun, OutputRun, flat_annotations
from tuppence.core import console
from tuppence.core.errors import InputError, Interrupted
from tuppence.core.process import process_began

if TYPE_CHECKING:
    from tuppence.core.config import Section
    from tuppence.cost.ledger import Rate
    from tuppence.tasks.run_options import RunOptions

    Recipe = TypeVar("Recipe", bound=Section)

Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@dataclass(frozen=True)
class Command:
    """The running command line.

    Attributes:
        began: start in seconds of `time.monotonic`. Time and cost are counted from here, including imports.
        is_the_program: whether the process runs only this command; the cost then includes the start of the process.
    """

    began: float
    is_the_program: bool

    @classmethod
    def now(cls, *, is_the_program: bool) -> Command:
        """Returns a command that begins now, or that began with the process if it is the program."""
        return cls(process_began() if is_the_program else time.monotonic(), is_the_program)


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """The flags of every training verb, the command line, and the open ledger."""

    out: Annotated[OutputRun, typer.Option(help="The run folder; the same command again continues it.")]
    config: Annotated[
        InputFile | None,
        typer.Option("--config", metavar="RECIPE", help="A YAML file, or a recipe by name, such as gpt2-124m."),
    ] = None
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE on top of the recipe; repeatable.")] = None
    max_steps: Annotated[int | None, typer.Option(min=1, help="End after so many optimizer steps.")] = None
    max_minutes: Annotated[float | None, typer.Option(help="End after so many minutes, saving included.")] = None
    budget: Annotated[float | None, typer.Option(help="Never spend more dollars than this; needs --rate.")] = None
    rate: Annotated[float, typer.Option(help="What an hour of this machine costs, in dollars.")] = 0.0
    resume: Annotated[
        InputFolder, typer.Option(metavar="FOLDER", help="auto, never, or the folder of a checkpoint.")
    ] = "auto"
    track: Annotated[str, typer.Option(help="none or tensorboard.")] = "none"
    json: Json = False

    command: Command | None = None
    ledger: Any = None  # a `Ledger`, which is imported only if there is a budget

    def recipe(self, schema: type[Recipe], **flags: Any) -> Recipe:
        """Loads the recipe of `--config`. `--set` overrides its values, and flags override both.

        Args:
            flags: key of the recipe ("train__max_steps") → value of the flag; None for a flag that was not given.
        """
        from tuppence.core.config import CONFIG_LIMIT_BYTES, load_config
        from tuppence.storage import stage

        named = {**flags, "train__max_steps": self.max_steps}
        over = [f"{key.replace('__', '.')}={value}" for key, value in named.items() if value is not None]
        config = None if self.config is None else stage(self.config, most_bytes=CONFIG_LIMIT_BYTES)
        return load_config(schema, config, [*(self.set_ or []), *over])

    def options(self) -> RunOptions:
        """Returns the options that come from the command line and not from a recipe.

        Raises:
            InputError: a limit is not a finite number.
        """
        from tuppence.tasks.run_options import RunOptions

        for flag, value in (("--max-minutes", self.max_minutes), ("--budget", self.budget), ("--rate", self.rate)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"{flag} {value} is no limit", f"give a number, or leave {flag} out")
        return RunOptions(
            max_minutes=self.max_minutes,
            budget_usd=self.budget,
            rate=self.price(),
            resume=self.resume,
            track=self.track,
            began=None if self.command is None else self.command.began,
            ledger=self.ledger,
            whole_process=self.command is not None and self.command.is_the_program,
        )

    def price(self) -> Rate:
        """Returns the rate of `--rate`, or an empty rate."""
        from tuppence.cost.ledger import Rate

        return Rate(self.rate, "given by --rate") if self.rate else Rate()

    def carry_out(self, train: Callable[[], dict[str, Any]], example: str | Callable[[], str]) -> dict[str, Any]:
        """Trains, and prints the result on rank 0, as text or as JSON.

        After an interruption by a signal, only JSON is printed; the text was printed before.

        Args:
            example: a useful next command; a function if it depends on the finished run.

        Returns:
            The return value of `train`.
        """
        from tuppence.tasks.run_file import describe_result

        try:
            summary = train()
        except Interrupted as interruption:
            if self.json and interruption.summary:
                console.emit_json(interruption.summary)
            raise
        if summary and self.json:
            console.emit_json(summary)
        elif summary:
            last = example if isinstance(example, str) else example()
            console.note(describe_result(Path(self.out), summary, last), lines=True)
        return summary


@dataclass(frozen=True, kw_only=True)
class FinetuneFlags(TrainingFlags):
    """The flags of every verb that trains a base model on rows."""

    base: Annotated[InputRun, typer.Option(help="The model to start from: a run, or a Hugging Face GPT-2 folder.")]
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows we cannot use, and count them.")
    ] = False
    epochs: Annotated[
        float | None, typer.Option(help="How often to see the rows, where nothing else ends the run.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class AdapterFlags:
    """Flags that choose between an adapter and full finetuning.

    Raises:
        InputError: both flags are given.
    """

    lora: Annotated[int | None, typer.Option(min=1, help="Train an adapter of this rank; 16 if absent.")] = None
    full: Annotated[
        bool, typer.Option("--full", help="Train every weight instead; best at a lower --set train.lr.")
    ] = False

    def __post_init__(self) -> None:
        if self.full and self.lora is not None:
            raise InputError("--full and --lora exclude each other", "train an adapter, or every weight")


def training_verb(verb: Callable[..., None]) -> Callable[..., None]:
    """Decorates a training verb: collects flags in the classes above, and opens the ledger first.

    In the verb's signature, every parameter that is annotated with a dataclass is replaced by the fields of that class.
    """
    hints = flat_annotations(verb)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if dataclasses.is_dataclass(hint)}
    fields = {name: list(_flags_of(group)) for name, group in groups.items()}
    own = [
        parameter.replace(annotation=hints[name], kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(verb).parameters.items()
        if name not in groups
    ]
    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = sorted([*own, *(one for name in groups for one in fields[name])], key=_order)

    @wraps(verb)
    def run(context: typer.Context, **given: Any) -> None:
        made = {
            name: groups[name](**{one.name: given.pop(one.name) for one in parameters})
            for name, parameters in fields.items()
        }
        training = dataclasses.replace(made["training"], command=context.obj)
        with _billed(training) as billed:
            if billed is not None:
                verb(**given, **{**made, "training": billed})

    run.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in [context, *parameters]}
    return run


def _flags_of(group: Any) -> Iterator[inspect.Parameter]:
    """Yields the fields of a class that are flags, as parameters of a verb."""
    hints = flat_annotations(group)
    own = vars(group)["__annotations__"]
    for field in sorted(dataclasses.fields(group), key=lambda field: field.name not in own):  # own fields first
        if any(isinstance(one, ParameterInfo) for one in getattr(hints[field.name], "__metadata__", ())):
            yield inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default,
                annotation=hints[field.name],
            )


def _order(parameter: inspect.Parameter) -> tuple[bool, bool]:
    """Sort key for `--help`: required parameters first, beginning with the base, then optional ones."""
    return parameter.default is not inspect.Parameter.empty, parameter.name != "base"


@contextmanager
def _billed(training: TrainingFlags) -> Iterator[TrainingFlags | None]:
    """Yields the flags with an open ledger if there is a budget, before torch is imported: imports cost money too.

    Yields None and prints a message if the budget is used up. Only rank 0 keeps a ledger.
    """
    several = os.environ.get("WORLD_SIZE", "") not in ("", "1")
    if training.budget is None or (several and os.environ.get("RANK", "0") != "0"):
        yield training
        return
    from tuppence.core.run import Run
    from tuppence.cost.limits import Limits
    from tuppence.storage import output_path
    from tuppence.tasks.bill import money_is_gone, open_bill, settle_run_file, summary_of

    options = training.options()
    run, price = Run(output_path(training.out)), options.rate
    Limits(budget_usd=training.budget, rate_usd_per_hour=training.rate)
    gone = money_is_gone(run, price, training.budget)
    if gone is not None and several:
        yield training  # all ranks exit together, in `session`
        return
    if gone is not None:
        release = run.claim()
        try:
            record = settle_run_file(run)
        finally:
            release()
        console.note(gone)
        if training.json:
            console.emit_json(summary_of(record))
        yield None
        return
    with open_bill(run, price, training.budget, began=options.began, whole_process=options.whole_process) as ledger:
        yield dataclasses.replace(training, ledger=ledger)
