"""`tuppence plan`: what a training run costs, before anything starts."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from tuppence.cli.flags import NO_RATE, HourlyRate, Json
from tuppence.cli.places import InputRun, add_verb
from tuppence.core import console
from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.core.memory import keep_freed_memory


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, plan)


def plan(
    model: Annotated[
        str | None, typer.Option(metavar="PRESET", help="Model size, such as gpt2-124m; by default the best one.")
    ] = None,
    tokens: Annotated[
        str | None, typer.Option(metavar="N", help="Tokens to train on, such as 2.5B; by default 20 a parameter.")
    ] = None,
    budget: Annotated[float | None, typer.Option(metavar="USD", help="Most US dollars to spend.")] = None,
    on: Annotated[
        list[str] | None,
        typer.Option(metavar="INSTANCE", help="Instance type; ml.… is SageMaker, without ml. it is EC2. Repeatable."),
    ] = None,
    region: Annotated[str, typer.Option(help="AWS region of the prices.")] = "us-east-1",
    measure: Annotated[
        bool, typer.Option("--measure", help="Train a few steps here, and show this machine in the first row.")
    ] = False,
    rate: HourlyRate = NO_RATE,
    own: Annotated[
        list[InputRun] | None,
        typer.Option("--fit", help="A finished run of yours; four or more give a law for your data. Repeatable."),
    ] = None,
    prices: Annotated[bool, typer.Option("--prices", help="Show prices with source and age, and no plan.")] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="First read the region's prices of today from AWS.")
    ] = False,
    save_speed: Annotated[
        float | None,
        typer.Option(metavar="MB", help="Measured MB a second of a checkpoint to S3; by default 150 is assumed."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what a training run costs: hours, dollars and expected loss on each instance, before anything starts.

    With a budget alone, it shows the best model that the budget buys. Prices have a source and a date. Speeds are
    published or assumed, and the table says which. The expected loss is for English web text and GPT-2's tokenizer;
    outside the range of the published law there is none. --refresh needs no AWS account for the prices of SageMaker
    and S3; those of EC2 need boto3 and credentials. The new prices are kept in the user's cache folder with their date.
    --measure takes half a minute, or minutes for a model that is large for this machine. If no machine can do it, the
    exit code is 2.

    \b
    Examples:
      tuppence plan --budget 100
      tuppence plan --model gpt2-124m --tokens 10B --on ml.g5.xlarge --on ml.p5.4xlarge
      tuppence plan --model tiny --tokens 10M --measure
    """
    from tuppence.core.table import WIDTH
    from tuppence.cost.law import FINEWEB, fit_law
    from tuppence.cost.price_table import price_table, prices_as_dicts
    from tuppence.tasks import planning

    if rate.rate_usd_per_hour and not measure:
        raise InputError("--rate is the price of an hour of this machine", "add --measure, or leave it out")
    if refresh:
        from tuppence.cost.refresh import refresh as read_prices

        done = read_prices(region)
        counts = ", ".join(f"{count} of {service}" for service, count in done.counts.items())
        console.note(f"{counted(len(done.prices), 'price')} in {region} ({counts}) saved in {done.path}")
        for missing in done.missing:
            console.warn(missing)
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else WIDTH
    if prices:
        if json:
            console.emit_json(prices_as_dicts(*(on or ()), region=region))
        else:
            console.out(price_table(*(on or ()), region=region).text(columns))
        return
    law = FINEWEB if not own else fit_law(planning.own_runs(own))
    here = None
    if measure:
        keep_freed_memory()
        from tuppence.tasks.measuring import measure_for

        model, here = measure_for(model, tokens, rate, say=_say)
    answer = planning.plan(model, tokens, budget, on, here=here, law=law, region=region, save_mb_per_second=save_speed)
    if json:
        console.emit_json(answer.as_dict())
    elif answer.best is None:
        console.out(answer.table().text(columns))
    else:
        console.out(answer.text(columns))
    if answer.best is None:
        raise InputError(*answer.refusal)


def _say(text: str) -> None:
    """Prints a line on stderr, also while the notes of a training loop are kept back."""
    console.console().print(console.one_line(text), markup=False)
