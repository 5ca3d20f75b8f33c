"""`tuppence aws init` and `tuppence aws sweep`: what jobs need, and nothing left running. Parts of the group `aws`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli.flags import Json
from tuppence.cli.places import add_verb
from tuppence.core import console
from tuppence.core.console import counted
from tuppence.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection

    from tuppence.aws.findings import Finding
    from tuppence.aws.stack import ChangeSet, StackOutputs
    from tuppence.aws.sweep import Cleared, Report
    from tuppence.aws.teardown import Doomed
    from tuppence.aws.template import StackSettings

Region = Annotated[str | None, typer.Option(help="AWS region; by default that of the environment or the profile.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def register(aws: typer.Typer) -> None:
    """Adds this file's verbs to the group `aws`."""
    add_verb(aws, init)
    add_verb(aws, sweep)


def init(
    region: Region = None,
    name: Annotated[str, typer.Option(help="Short name; the stack is tuppence-NAME.")] = "stack",
    instances: Annotated[
        list[str] | None,
        typer.Option(
            "--instances", metavar="TYPE", help="Instance type that jobs may use, such as ml.g5.xlarge. Repeatable."
        ),
    ] = None,
    max_hours: Annotated[float, typer.Option(metavar="H", help="Longest job, in hours.")] = 24.0,
    budget: Annotated[
        float | None, typer.Option(metavar="USD", help="Dollars a month at which AWS sends emails. Needs --email.")
    ] = None,
    email: Annotated[str | None, typer.Option(help="Address for the emails of the budget.")] = None,
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Delete the stack with its bucket and everything in it.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the template, or what --destroy would delete, and change nothing.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """Create or update what jobs need in an AWS account: a bucket, a role, a policy for people, a budget.

    The bucket is private, encrypted and versioned. Old versions end after a week, incomplete uploads after two days.
    The role lets a job use this bucket, its logs and its image, and nothing else. The policy lets a person launch jobs
    of bounded length on the chosen instance types; AWS itself refuses all others. The budget is an alarm and no limit:
    AWS knows costs 8 to 12 hours late. The same command again changes only what is different.

    \b
    Examples:
      tuppence aws init --dry-run
      tuppence aws init --region us-east-1 --budget 100 --email me@example.org
      tuppence aws init --instances ml.g5.xlarge --instances ml.m5.large --max-hours 6
      tuppence aws init --destroy
    """
    from tuppence.aws import stack, teardown
    from tuppence.aws.template import DEFAULT_INSTANCES, StackSettings, as_text, render
    from tuppence.storage import client

    where = region or str(client("cloudformation").meta.region_name)
    if destroy:
        doomed = teardown.examine(where, name)
        _destroy(doomed, where, dry_run, yes, json)
        return
    settings = StackSettings(where, name, tuple(instances or DEFAULT_INSTANCES), max_hours, budget, email)
    stack.require_instances(settings)
    template = render(settings)
    if dry_run:
        console.emit_json(template) if json else console.out(as_text(template), end="")
        return
    change = stack.prepare(settings)
    if change is not None:
        try:
            agreed = yes or _agrees(change, settings)
        except BaseException:
            stack.discard(change)
            raise
        if not agreed:
            stack.discard(change)
            console.note("nothing was changed")
            raise typer.Exit(130)
        stack.execute(change, _tell)
    made = stack.outputs(where, name)
    if json:
        console.emit_json({"changed": change is not None, **made.as_dict()})
        return
    console.out(f"{made.stack} in {made.region}: " + ("no changes" if change is None else "ready"))
    _show(made, settings)


def _agrees(change: ChangeSet, settings: StackSettings) -> bool:
    from tuppence.aws.stack import dearest_job

    verb = "create" if change.creates else "change"
    for action, resource, kind in change.changes:
        console.note(f"{action.lower():<8}{resource:<16}{kind}")
    dearest = dearest_job(settings)
    if dearest is not None:
        console.note(
            f"jobs may then last {settings.max_hours:g} h: up to ${dearest[1]:.2f} for each {dearest[0]} of a job"
            " (AWS cannot bound the number of machines; 'launch' does)"
        )
    return console.confirm(f"{verb} the stack {change.stack} in {change.region}?")


def _tell(resource: str, kind: str, status: str) -> None:
    console.note(f"{status.lower().replace('_', ' '):<24}{resource} ({kind})")


def _show(made: StackOutputs, settings: StackSettings) -> None:
    from tuppence.aws.tags import OWNER

    console.out(f"bucket   s3://{made.bucket}")
    console.out(f"role     {made.role_arn}")
    console.out(f"policy   {made.launcher_policy_arn}")
    console.out(f"jobs     up to {made.max_runtime_seconds / 3600:g} h on {', '.join(made.instances)}")
    console.note(
        "let a user launch jobs: aws iam attach-user-policy --user-name NAME --policy-arn " + made.launcher_policy_arn
    )
    if settings.budget_usd is None:
        console.note("no budget: add --budget USD --email ADDRESS to be warned, 8 to 12 hours late")
    else:
        console.note(
            f"the budget counts what has the tag {OWNER[0]}, once that is active as a cost allocation tag: "
            "aws ce update-cost-allocation-tags-status --cost-allocation-tags-status "
            f"TagKey={OWNER[0]},Status=Active (a day after the first job)"
        )


def _destroy(doomed: Doomed | None, region: str, dry_run: bool, yes: bool, json: bool) -> None:
    from tuppence.aws import teardown

    if doomed is None:
        console.emit_json({"deleted": []}) if json else console.out(f"no such stack in {region}: nothing to delete")
        return
    names = [f"{kind} {name}" for kind, name in doomed.resources]
    for line in names:
        console.note(line)
    for bucket, contents in doomed.contents.items():
        console.note(f"in {bucket}: {contents.describe()}")
    for kind, name, _ in doomed.attached:
        console.note(f"the policy is attached to the {kind} {name}, and will be detached")
    if dry_run:
        console.emit_json({"would_delete": names}) if json else console.out("nothing was deleted")
        return
    count = sum(one.objects + one.old_versions for one in doomed.contents.values())
    question = f"delete the stack {doomed.stack} in {doomed.region} and {counted(count, 'version')} in its bucket?"
    if not (yes or console.confirm(question)):
        console.note("nothing was deleted")
        raise typer.Exit(130)
    with console.progress("versions") as bar:
        task = bar.add_task("emptying the bucket", total=None)
        teardown.destroy(doomed, _tell, lambda more: bar.advance(task, more))
    if json:
        console.emit_json({"deleted": names})
    else:
        console.out(f"{doomed.stack} in {doomed.region} is deleted; each of its resources was looked for and is gone")


def sweep(
    region: Annotated[
        str | None, typer.Option(help="AWS region, or 'all'; by default that of the environment or the profile.")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete what tuppence made, and look again.")] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND/NAME", help="Do not delete this although tuppence made it. Repeatable."),
    ] = None,
    include: Annotated[
        list[str] | None, typer.Option(metavar="KIND/NAME", help="Delete this although others made it. Repeatable.")
    ] = None,
    max_minutes: Annotated[float, typer.Option(min=0, metavar="M", help="Wait no longer for deletions.")] = 60.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what --delete would delete, and delete nothing.")
    ] = False,
    yes: Yes = False,
    json: Json = False,
) -> None:
    """List everything that costs money, with dollars a day, and delete what tuppence made.

    Jobs, warm pools, endpoints, notebooks, Studio apps and spaces, MLflow servers, images, logs, buckets with their
    old versions and incomplete uploads, and the stack of 'init'. What tuppence made is known by the prefix tuppence-
    and by its tag. What others made is listed apart, and is deleted only if --include names it. --delete waits for
    what is still being created, looks again, and ends with exit code 0 only if nothing is left.

    \b
    Examples:
      tuppence aws sweep
      tuppence aws sweep --region all --json
      tuppence aws sweep --delete --keep bucket/tuppence-stack-bucket-1abc
    """
    from tuppence.aws import sweep as sweeping

    kept, included = keep or [], include or []
    where = sweeping.places(region)
    if len(where) > 1:
        console.note(f"looking at {len(where)} regions")
    report = sweeping.look(where)
    targets = [one.id for one in sweeping.choose(report, kept, included)]
    if not delete or dry_run:
        if json:
            console.emit_json(report.as_dict() | ({"would_delete": targets} if dry_run else {}))
        else:
            _show_report(report)
        if dry_run and not json:
            console.out("would delete: " + (", ".join(targets) or "nothing"))
        if report.unseen:
            raise InputError("not everything could be looked at", "allow the calls above, or give another --region")
        return
    if targets and not yes:
        _show_report(report)
        if not console.confirm(f"delete {counted(len(targets), 'resource')} for ever: {', '.join(targets)}?"):
            console.note("nothing was deleted")
            raise typer.Exit(130)
    done = sweeping.clear(where, kept, included, _tell_step, most_seconds=max_minutes * 60)
    if json:
        console.emit_json(done.as_dict())
    else:
        _show_cleared(done, kept)
    if not done.is_proven:
        what = f"{counted(len(done.left), 'resource')} not deleted" if done.left else "the last look was incomplete"
        raise InputError(what, "see above, and run 'tuppence aws sweep --delete' again")


def _tell_step(one: Finding, step: str) -> None:
    console.note(f"{one.id} in {one.region}: {step}")


def _show_cleared(done: Cleared, kept: Collection[str]) -> None:
    for one, why in done.left:
        console.out(f"left: {one.id} in {one.region} ({_dollars(one.usd_per_day)} a day): {why}")
    for region, kind, reason in done.report.unseen:
        console.out(f"not seen: {kind} in {region}: {reason}")
    if done.is_proven:
        places = done.report.regions
        names = ", ".join(places) if len(places) < 4 else counted(len(places), "region")
        rest = "nothing of tuppence" + (" but what was kept" if kept else "")
        console.out(f"{counted(len(done.removed), 'resource')} deleted; a last look finds {rest} in {names}")
    for one in done.report.ours:
        if one.id in kept:
            console.out(f"kept: {one.id} ({_dollars(one.usd_per_day)} a day)")


def _show_report(report: Report) -> None:
    from tuppence.aws.sweep import usd_per_day

    for title, found in (("made by tuppence", report.ours), ("made by others", report.others)):
        if not found:
            console.out(f"{title}: nothing")
            continue
        unknown = sum(one.usd_per_day is None for one in found)
        more = f", and {counted(unknown, 'unknown price')}" if unknown else ""
        console.out(f"{title}: {_dollars(usd_per_day(found))} a day{more}")
        for one in found:
            status = f" {one.status}," if one.status else ""
            console.out(f"  {_dollars(one.usd_per_day):>10}  {one.id} in {one.region}:{status} {one.basis}")
    if report.passed_over:
        console.note(f"not enabled in this account: {', '.join(report.passed_over)}")
    for region, kind, reason in report.unseen:
        console.warn(f"{kind} in {region} could not be listed: {reason}")


def _dollars(usd: float | None) -> str:
    return "unknown" if usd is None else f"${usd:.2f}"
