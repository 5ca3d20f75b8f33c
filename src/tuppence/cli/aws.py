"""`tuppence aws …`: the same verbs as training jobs of SageMaker, what they cost, and how they end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli import aws_stack
from tuppence.cli.flags import Json
from tuppence.cli.places import InputFolder, add_verb
from tuppence.core import console

if TYPE_CHECKING:
    from tuppence.aws.account import Account

JobName = Annotated[str, typer.Argument(metavar="JOB", help="Name of a training job.")]
Rehearse = Annotated[bool, typer.Option("--rehearse", help="Use the SageMaker of this machine, which costs nothing.")]
Region = Annotated[str | None, typer.Option(help="AWS region; by default that of the environment or the profile.")]
Bucket = Annotated[str | None, typer.Option(help="Bucket; by default that of 'tuppence aws init'.")]
Role = Annotated[str | None, typer.Option(metavar="ARN", help="Role of the job; goes with --bucket.")]
Wheels = Annotated[
    InputFolder | None, typer.Option(help="Folder with wheels for the image; by default they are downloaded once.")
]
MaxHours = Annotated[float | None, typer.Option(help="Longest billed time of the job.")]
Wait = Annotated[bool, typer.Option("--wait", help="Show the log until the job has ended.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan, and start nothing.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    from tuppence.cli import aws_launch, aws_prepare

    aws = typer.Typer(help="Train on Amazon SageMaker under a cap, and leave nothing running.", no_args_is_help=True)
    add_verb(aws, aws_launch.launch, ends_with_line=True)
    add_verb(aws, aws_prepare.prepare, ends_with_line=True)
    add_verb(aws, jobs)
    add_verb(aws, logs)
    add_verb(aws, stop)
    add_verb(aws, aws_launch.resume)
    add_verb(aws, receipt)
    aws_stack.register(aws)
    app.add_typer(aws, name="aws")


def jobs(
    region: Region = None,
    rehearse: Rehearse = False,
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

    with reaching(rehearse):
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
        price = "no price" if dollars is None else f"${dollars:.{2 if dollars >= 0.1 else 4}f}"
        created = job.created.strftime("%Y-%m-%d %H:%M")
        rows.append((job.name, created, status, duration(job.billed_seconds()), price, machines))
    columns = ("job", "created", "status", "billed", "US dollars", "on")
    title = f"Training jobs in {found[0].region}"
    console.out(Table(columns, rows, title=title, right=("billed", "US dollars")).text())


def stop(
    job: JobName,
    region: Region = None,
    rehearse: Rehearse = False,
    json: Json = False,
) -> None:
    """Stop a training job. It saves a checkpoint first, for which it has two minutes.

    'tuppence aws resume JOB' continues it. A job that has ended already is left as it is.

    \b
    Examples:
      tuppence aws stop tuppence-pretrain-tiny-20261128-120000
    """
    from tuppence.aws.jobs import stop as stop_job

    with reaching(rehearse):
        stopped = stop_job(job, region)
    if json:
        console.emit_json(stopped.as_dict())
    else:
        console.out(f"{stopped.name}: {stopped.status}")


def logs(
    job: JobName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    region: Region = None,
    rehearse: Rehearse = False,
    json: Json = False,
) -> None:
    """Print the log of a training job; with --follow until it has ended.

    \b
    Examples:
      tuppence aws logs tuppence-pretrain-tiny-20261128-120000 --follow
    """
    from tuppence.aws.follow import LogReader
    from tuppence.aws.follow import follow as follow_job
    from tuppence.aws.jobs import describe

    lines: list[str] = []

    def show(line: str) -> None:
        lines.append(line) if json else console.out(console.visible(line))

    with reaching(rehearse):
        if follow:
            ended = follow_job(job, region, on_line=show)
        else:
            ended = describe(job, region)
            for line in LogReader(job, region).new_lines():
                show(line)
    if json:
        console.emit_json({**ended.as_dict(), "lines": lines})


def receipt(
    job: JobName,
    region: Region = None,
    rehearse: Rehearse = False,
    json: Json = False,
) -> None:
    """Show what a training job has cost: by AWS's billed seconds and by the run's ledger, and why they differ.

    \b
    Examples:
      tuppence aws receipt tuppence-pretrain-tiny-20261128-120000
    """
    from tuppence.aws.jobs import describe
    from tuppence.aws.receipt import receipt_of

    with reaching(rehearse):
        found = receipt_of(describe(job, region))
    console.emit_json(found.as_dict()) if json else console.out(console.visible(found.text()))


@contextlib.contextmanager
def reaching(rehearse: bool, interruptions: Sequence[float] = ()) -> Iterator[Account | None]:
    """Points boto3 at a local SageMaker in the block if this is a rehearsal, and yields its bucket and role."""
    if not rehearse:
        yield None
        return
    from tuppence.aws.rehearse import rehearsal, rehearsal_folder

    console.note(f"a rehearsal on this machine, kept in {rehearsal_folder()}; the dollars are those of AWS's prices")
    with rehearsal(interruptions) as account:
        yield account
