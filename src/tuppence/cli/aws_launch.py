"""`tuppence aws launch` and `resume`: start training jobs of SageMaker, after their plan was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.cli.aws import Bucket, DryRun, JobName, MaxHours, Region, Rehearse, Role, Wait, Wheels, Yes, reaching
from tuppence.cli.flags import Json
from tuppence.core import console
from tuppence.core.errors import InputError

if TYPE_CHECKING:
    from tuppence.aws.jobs import Job
    from tuppence.aws.launch import Wish
    from tuppence.aws.verb_line import VerbLine


def launch(
    line: Annotated[list[str], typer.Argument(metavar="VERB", help="A verb with its arguments, as on this machine.")],
    instance: Annotated[str, typer.Option(help="Instance type, such as ml.g5.xlarge.")] = "ml.g4dn.xlarge",
    fallback: Annotated[
        list[str] | None, typer.Option(help="Type to take if that one has no capacity; on demand only. Repeatable.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of machines.")] = 1,
    spot: Annotated[bool, typer.Option("--spot", help="Spot machines: AWS bills less, and may take them.")] = False,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="Most US dollars of all attempts at the output together.")
    ] = None,
    max_hours: MaxHours = None,
    max_wait_hours: Annotated[
        float | None,
        typer.Option(help="Longest time of a spot job, waiting included; by default what the cap buys on demand."),
    ] = None,
    region: Region = None,
    bucket: Bucket = None,
    role: Role = None,
    wheels: Wheels = None,
    wait: Wait = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    rehearse: Rehearse = False,
    interrupt: Annotated[
        list[float] | None,
        typer.Option(metavar="SECONDS", help="In a rehearsal of --spot: take the machine so long after it began."),
    ] = None,
    json: Json = False,
) -> None:
    """Run a verb as a SageMaker training job, under a cap in dollars.

    The flags of the job come before the verb. Local inputs are uploaded once. A local --out becomes a folder of the
    bucket; the same command again continues the run there. The plan is shown first: what it may cost at most, and who
    stops it.

    \b
    Examples:
      tuppence aws launch --spot --budget 5 pretrain --data DATA --out runs/tiny
      tuppence aws launch --instance ml.g5.xlarge --budget 20 --wait finetune instruct --base RUN --data FILE --out RUN2
      tuppence aws launch --budget 5 --dry-run pretrain --data s3://BUCKET/DATA --out s3://BUCKET/runs/tiny
      tuppence aws launch --rehearse --spot --interrupt 20 --budget 5 pretrain --data DATA --out runs/tiny
    """
    from tuppence.aws.launch import Wish
    from tuppence.cli.verb_line import read_verb_line
    from tuppence.storage import stage

    if interrupt and not (rehearse and spot):
        raise InputError("--interrupt is for a rehearsal of a spot job", "add --rehearse --spot, or leave it out")
    read = read_verb_line(line)
    with reaching(rehearse, interrupt or ()) as local:
        wish = Wish(
            instance=instance,
            fallback=tuple(fallback or ()),
            count=count,
            spot=spot,
            budget_usd=budget,
            max_hours=max_hours,
            max_wait_hours=max_wait_hours,
            region=region if local is None else local.region,
            bucket=bucket if local is None else local.bucket,
            role_arn=role if local is None else local.role_arn,
            wheels=None if wheels is None else stage(wheels),
            with_wheels=local is None or wheels is not None,
        )
        _launch(read, wish, wait=wait or rehearse, yes=yes, dry_run=dry_run, json=json)


def _launch(line: VerbLine, wish: Wish, *, wait: bool, yes: bool, dry_run: bool, json: bool) -> None:
    import tempfile
    from pathlib import Path

    from tuppence.aws.launch import prepare, submit
    from tuppence.aws.summary import summary_dict, summary_text

    with tempfile.TemporaryDirectory() as workplace:
        prepared = prepare(line, wish, Path(workplace))
        if not json or not (dry_run or yes):
            console.note(summary_text(prepared), lines=True)
        if dry_run:
            if json:
                console.emit_json(summary_dict(prepared))
            return
        _confirm(yes)
        with console.progress("bytes") as bar:
            task = bar.add_task("uploading", total=prepared.missing_bytes)
            name = submit(prepared, lambda count: bar.advance(task, count))
    _tell(name, prepared.plan.region, summary_dict(prepared), wait=wait, json=json)


def resume(
    job: JobName,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="New cap of all attempts together; by default as before.")
    ] = None,
    max_wait_hours: Annotated[float | None, typer.Option(help="Longest time of a spot job, waiting included.")] = None,
    region: Region = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show the log until the job has ended.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and start nothing.")] = False,
    rehearse: Rehearse = False,
    json: Json = False,
) -> None:
    """Continue the run of a job that was stopped, in another job with what is left of its cap.

    Code, inputs and machine are those of the earlier job.

    \b
    Examples:
      tuppence aws resume tuppence-pretrain-tiny-20261128-120000
      tuppence aws resume tuppence-pretrain-tiny-20261128-120000 --budget 10 --wait
    """
    from tuppence.aws.jobs import describe
    from tuppence.aws.resume import prepare_resumption

    with reaching(rehearse):
        prepared = prepare_resumption(describe(job, region), budget_usd=budget, max_wait_hours=max_wait_hours)
        left, plan = prepared.cap_usd - prepared.spent_usd, prepared.plan
        console.note(
            f"{plan.name} continues {plan.order.output} with ${left:,.2f} of ${prepared.cap_usd:,.2f}; "
            f"at most ${plan.worst_case_usd:,.2f} by AWS's own limits"
        )
        if dry_run:
            if json:
                console.emit_json(prepared.as_dict())
            return
        _confirm(yes)
        _tell(prepared.start(), plan.region, prepared.as_dict(), wait=wait or rehearse, json=json)


def _confirm(yes: bool) -> None:
    if not yes and not console.confirm("start this job?"):
        console.note("nothing was started")
        raise typer.Exit(130)


def _tell(name: str, region: str, facts: dict[str, Any], *, wait: bool, json: bool) -> None:
    """Prints the name of a job; waits for its end if that is asked for.

    Raises:
        Exit: the job has failed.
    """
    ended = _follow(name, region) if wait else None
    if json:
        console.emit_json(facts | ({} if ended is None else ended.as_dict()))
    else:
        console.out(name)
    if ended is None:
        console.note(f"follow it: tuppence aws logs {name} --follow")
    elif ended.status == "Failed":
        raise typer.Exit(1)


def _follow(name: str, region: str) -> Job:
    """Shows phases and log of a job until it has ended, and its receipt."""
    from tuppence.aws.follow import follow
    from tuppence.aws.receipt import receipt_of
    from tuppence.training.tracking import METRIC_LINE

    ended = follow(
        name,
        region,
        on_phase=lambda phase: console.note(f"{name}: {phase.status}{f', {phase.message}' if phase.message else ''}"),
        on_line=lambda text: None if text.startswith(METRIC_LINE) else console.note(f"  {text}"),
    )
    console.note(receipt_of(ended).text(), lines=True)
    return ended
