"""`tuppence aws prepare`: `data prepare` on several machines, as a processing job of SageMaker."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from tuppence.cli.aws import Bucket, DryRun, MaxHours, Region, Rehearse, Role, Wait, Wheels, Yes, reaching
from tuppence.cli.flags import Json
from tuppence.core import console


def prepare(
    line: Annotated[
        list[str], typer.Argument(metavar="INPUT… --tokenizer TOK --out DATA", help="Arguments of 'data prepare'.")
    ],
    instance: Annotated[str, typer.Option(help="Instance type, such as ml.m5.xlarge.")] = "ml.m5.xlarge",
    count: Annotated[int, typer.Option(min=1, help="Number of machines; each prepares a part.")] = 1,
    budget: Annotated[float | None, typer.Option(metavar="USD", help="Most US dollars of the job.")] = None,
    max_hours: MaxHours = None,
    price: Annotated[
        float | None, typer.Option(metavar="USD", help="Price of a machine an hour, where none is known.")
    ] = None,
    region: Region = None,
    bucket: Bucket = None,
    role: Role = None,
    wheels: Wheels = None,
    wait: Wait = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    rehearse: Rehearse = False,
    json: Json = False,
) -> None:
    """Prepare a corpus on several machines of SageMaker, under a cap in dollars.

    The flags of the job come before the arguments of 'data prepare'. Each machine prepares a part; the last one merges
    them, so that DATA is one folder of token shards. The plan is shown first.

    \b
    Examples:
      tuppence aws prepare --count 10 --budget 20 s3://BUCKET/crawl --tokenizer TOK --out s3://BUCKET/DATA
      tuppence aws prepare --count 2 --max-hours 1 --dry-run s3://BUCKET/crawl --tokenizer TOK --out s3://BUCKET/DATA
    """
    import tempfile
    from pathlib import Path

    from tuppence.aws.preparation import (
        PreparationWish,
        follow,
        plan_preparation,
        submit,
        summary_dict,
        summary_text,
    )
    from tuppence.cli.verb_line import read_verb_line
    from tuppence.storage import stage

    with reaching(rehearse) as local, tempfile.TemporaryDirectory() as workplace:
        wish = PreparationWish(
            instance=instance,
            count=count,
            budget_usd=budget,
            max_hours=max_hours,
            price_usd=price,
            region=region if local is None else local.region,
            bucket=bucket if local is None else local.bucket,
            role_arn=role if local is None else local.role_arn,
            wheels=None if wheels is None else stage(wheels),
            with_wheels=local is None or wheels is not None,
        )
        found = plan_preparation(read_verb_line(["data", "prepare", *line]), wish, Path(workplace))
        if not json or not (dry_run or yes):
            console.note(summary_text(found), lines=True)
        if dry_run:
            if json:
                console.emit_json(summary_dict(found))
            return
        if not yes and not typer.confirm("Start this job?", err=True):
            raise typer.Abort
        with console.progress("bytes") as bar:
            task = bar.add_task("uploading", total=found.missing_bytes)
            name = submit(found, lambda size: bar.advance(task, size))
        ended = None
        if wait or rehearse:
            ended = follow(found.plan, lambda text: console.note(f"  {text}"))
    if json:
        console.emit_json(summary_dict(found) | ({} if ended is None else asdict(ended)))
    else:
        console.out(name)
    if ended is None:
        console.note(f"stop it: aws sagemaker stop-processing-job --processing-job-name {name}")
        return
    console.note(f"{name}: {ended.status} after {ended.seconds:,.0f} s of {count} × {instance}, ${ended.usd:.2f}")
    if ended.status != "Completed":
        console.warn(ended.reason or "no reason was given")
        raise typer.Exit(1)
