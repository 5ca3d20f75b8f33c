"""`tuppence aws …`: the same verbs as training jobs of SageMaker, what they cost, and how they end."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli import aws_stack
from tuppence.cli.flags import Json
from tuppence.cli.places import add_verb
from tuppence.core import console

Region = Annotated[str | None, typer.Option(help="AWS region; by default that of the environment or the profile.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    aws = typer.Typer(help="Train on Amazon SageMaker under a cap, and leave nothing running.", no_args_is_help=True)
    add_verb(aws, jobs)
    add_verb(aws, stop)
    aws_stack.register(aws)
    app.add_typer(aws, name="aws")


def jobs(
    region: Region = None,
    most: Annotated[int, typer.Option(min=1, max=100, help="Show at most so many jobs, the newest first.")] = 20,
    json: Json = False,
) -> None:
    """List the training jobs that tuppence started, with what they have cost so far.

    The dollars are billed seconds times instances times the on-demand price; spot's discount is in the seconds.

    \b
    Examples:
      tuppence aws jobs
      tuppence aws jobs --region eu-west-1 --json
    """
    from tuppence.aws.jobs import list_jobs
    from tuppence.core.numbers import duration
    from tuppence.core.table import Table

    found = list(list_jobs(region, most))
    if json:
        console.emit_json([job.as_dict() for job in found])
        return
    if not found:
        console.note("no training jobs of tuppence in this region")
        return
    rows = []
    for job in found:
        dollars = job.dollars()
        machines = f"{job.count} × {job.instance}{', spot' if job.spot else ''}"
        status = job.status if job.status == job.secondary else f"{job.status}, {job.secondary}"
        price = "no price" if dollars is None else f"${dollars:.2f}"
        created = job.created.strftime("%Y-%m-%d %H:%M")
        rows.append((job.name, created, status, duration(job.billed_seconds()), price, machines))
    columns = ("job", "created", "status", "billed", "US dollars", "on")
    title = f"Training jobs in {found[0].region}"
    console.out(Table(columns, rows, title=title, right=("billed", "US dollars")).text())


def stop(
    job: Annotated[str, typer.Argument(help="Name of a training job.")],
    region: Region = None,
    json: Json = False,
) -> None:
    """Stop a training job. It saves a checkpoint first, for which it has two minutes.

    'tuppence aws resume JOB' continues it. A job that has ended already is left as it is.

    \b
    Examples:
      tuppence aws stop tuppence-pretrain-tiny-20261128-120000
    """
    from tuppence.aws.jobs import stop as stop_job

    stopped = stop_job(job, region)
    if json:
        console.emit_json(stopped.as_dict())
    else:
        console.out(f"{stopped.name}: {stopped.status}")
