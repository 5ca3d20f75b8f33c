"""Code that all training verbs share: their flags, the ledger that is opened first, and the output at the end of a run.

A verb takes `training: TrainingFlags` (or `FinetuneFlags`, `AdapterFlags`) and is decorated with `training_verb`, which
adds the fields of these classes to the verb's parameters. It calls its task, and `tell` with the result.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import typer
from typer.models import ParameterInfo

from tuppence.cli.command import Command, RecipeChecked
from tuppence.cli.flags import NO_RATE, HourlyRate, Json, SkipBadRows
from tuppence.cli.places import InputFile, InputFolder, InputRun, OutputRun, flat_annotations
from tuppence.core import console
from tuppence.core.errors import InputError, Interrupted
from tuppence.core.memory import keep_freed_memory

if TYPE_CHECKING:
    from tuppence.core.config import Section
    from tuppence.tasks.run_options import RunOptions

    Recipe = TypeVar("Recipe", bound=Section)

Base = Annotated[InputRun, typer.Option(help="Model to start from: a run, or a Hugging Face GPT-2 folder.")]
"""The type of the parameter `base` of every verb that finetunes."""


@dataclass(frozen=True, kw_only=True)
class TrainingFlags:
    """The flags of every training verb, the command line, and the open ledger."""

    out: Annotated[OutputRun, typer.Option(help="Run folder to write; the same command again continues the run.")]
    config: Annotated[
        InputFile | None,
        typer.Option(
            "--config", metavar="RECIPE", help="YAML file with settings, or the name of a recipe such as gpt2-124m."
        ),
    ] = None
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE; overrides the recipe. Repeatable.")] = None
    max_steps: Annotated[int | None, typer.Option(min=1, help="Stop after this many optimizer steps.")] = None
    max_minutes: Annotated[float | None, typer.Option(help="Stop after this many minutes, including saving.")] = None
    budget: Annotated[float | None, typer.Option(help="Most US dollars to spend; needs --rate.")] = None
    rate: HourlyRate = NO_RATE
    resume: Annotated[
        InputFolder,
        typer.Option(metavar="FOLDER", help="auto (continue the run in --out), never, or the folder of a checkpoint."),
    ] = "auto"
    track: Annotated[str, typer.Option(help="Also log metrics to: none, tensorboard or mlflow.")] = "none"
    json: Json = False

    large_pages: ClassVar[bool] = True  # every step has the same shapes; see `keep_freed_memory`

    command: Command | None = None
    ledger: Any = None  # a `Ledger`, which is imported only if there is a budget

    def recipe(self, schema: type[Recipe], **flags: Any) -> Recipe:
        """Loads the recipe of `--config`. `--set` overrides its values, and flags override both.

        Args:
            flags: key of the recipe ("train__max_steps") → value of the flag; None for a flag that was not given.
        """
        from tuppence.tasks.recipe import load_recipe

        named = {**flags, "train__max_steps": self.max_steps}
        over = [f"{key.replace('__', '.')}={value}" for key, value in named.items() if value is not None]
        recipe = load_recipe(schema, self.config, [*(self.set_ or []), *over])
        if self.command is not None and self.command.checks_recipe:
            raise RecipeChecked
        return recipe

    def options(self) -> RunOptions:
        """Returns the options that come from the command line and not from a recipe.

        Raises:
            InputError: a limit is not a finite number.
        """
        from tuppence.tasks.run_options import RunOptions

        rate = self.rate.rate_usd_per_hour
        for flag, value in (("--max-minutes", self.max_minutes), ("--budget", self.budget), ("--rate", rate)):
            if value is not None and not math.isfinite(value):
                raise InputError(f"{flag} {value} is no limit", f"give a number, or leave {flag} out")
        return RunOptions(
            max_minutes=self.max_minutes,
            budget_usd=self.budget,
            rate=self.rate,
            resume=self.resume,
            track=self.track,
            began=None if self.command is None else self.command.began,
            ledger=self.ledger,
            whole_process=self.command is not None and self.command.is_the_program,
        )

    def tell(self, summary: dict[str, Any], example: str | Callable[[], str]) -> None:
        """Prints the result of a run, as text or as JSON.

        Args:
            summary: what the task returned; {} on ranks other than 0.
            example: a useful next command; a function if it depends on the finished run.
        """
        from tuppence.storage import output_path
        from tuppence.tasks.run_file import describe_result

        if summary and self.json:
            console.emit_json(summary)
        elif summary.get("result") is not None:  # None: no attempt has recorded its end, and the task has said why
            last = example if isinstance(example, str) else example()
            console.note(describe_result(output_path(self.out), summary, last), lines=True)

    def tell_interrupted(self) -> None:
        """Prints the end of an interrupted run as JSON if that is asked for: the text was printed before.

        The end is that in the run file. Nothing is printed if no attempt has ended, or on ranks other than 0.
        """
        from tuppence.core.run import Run
        from tuppence.storage import output_path
        from tuppence.tasks.attempt import summary_of

        if self.json and _is_rank_0():
            recorded = Run(output_path(self.out)).read_tolerantly([])
            if recorded.get("status") not in (None, "running"):
                console.emit_json(summary_of(recorded))


@dataclass(frozen=True, kw_only=True)
class FinetuneFlags(TrainingFlags):
    """The flags of every verb that trains a base model on rows, beside `--base` and `--data`."""

    large_pages: ClassVar[bool] = False  # batches differ in length

    skip_bad_rows: SkipBadRows = False
    epochs: Annotated[
        float | None, typer.Option(help="Passes over the rows, if no other limit ends the run before.")
    ] = None


@dataclass(frozen=True, kw_only=True)
class AdapterFlags:
    """Flags that choose between an adapter and full finetuning.

    Raises:
        InputError: both flags are given.
    """

    lora: Annotated[int | None, typer.Option(min=1, help="Rank of the LoRA adapter to train; 16 by default.")] = None
    full: Annotated[
        bool, typer.Option("--full", help="Train all weights instead of an adapter; use a lower --set train.lr.")
    ] = False

    def __post_init__(self) -> None:
        if self.full and self.lora is not None:
            raise InputError("--full and --lora exclude each other", "train an adapter, or all weights")


def training_verb(verb: Callable[..., None]) -> Callable[..., None]:
    """Decorates a training verb: collects flags in the classes above, sets the allocator, and opens the ledger.

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
        if isinstance(context.obj, Command) and context.obj.checks_recipe:
            verb(**given, **{**made, "training": training})
            return
        keep_freed_memory(large_pages=training.large_pages)
        with _with_ledger(training) as opened:
            if opened is None:
                return
            try:
                verb(**given, **{**made, "training": opened})
            except Interrupted:
                opened.tell_interrupted()
                raise

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
def _with_ledger(training: TrainingFlags) -> Iterator[TrainingFlags | None]:
    """Yields the flags with an open ledger if there is a budget, before torch is imported: imports cost money too.

    Yields None and prints a message if the budget is used up. Only rank 0 keeps a ledger.
    """
    if training.budget is None or not _is_rank_0():
        yield training
        return
    from tuppence.core.run import Run
    from tuppence.cost.limits import Limits
    from tuppence.storage import output_path
    from tuppence.tasks.attempt import (
        budget_refusal,
        charge_refused,
        done_without_budget,
        open_ledger,
        settle_run_file,
        summary_of,
    )

    options = training.options()
    run, price = Run(output_path(training.out)), options.rate
    Limits(budget_usd=training.budget, rate_usd_per_hour=price.rate_usd_per_hour)
    refusal = budget_refusal(run, price, training.budget, whole_process=options.whole_process)
    if refusal is not None and _has_several_ranks():
        yield training  # all ranks exit together, in `session`
        return
    if refusal is not None:
        release = run.claim()
        try:
            charge_refused(run, price)
            content = settle_run_file(run)
        finally:
            release()
        done = done_without_budget(
            run, max_steps=training.max_steps, max_minutes=training.max_minutes, budget_usd=training.budget
        )
        console.note(done or refusal)
        if training.json:
            console.emit_json(summary_of(content))
        yield None
        return
    with open_ledger(run, price, training.budget, began=options.began, whole_process=options.whole_process) as ledger:
        yield dataclasses.replace(training, ledger=ledger)


def _has_several_ranks() -> bool:
    return os.environ.get("WORLD_SIZE", "") not in ("", "1")


def _is_rank_0() -> bool:
    return not _has_several_ranks() or os.environ.get("RANK", "0") == "0"
