"""`tuppence aws init`: the stack that jobs need. It is a part of the group `tuppence aws`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli.flags import Json
from tuppence.cli.places import add_verb
from tuppence.core import console
from tuppence.core.console import counted

if TYPE_CHECKING:
    from tuppence.aws.stack import ChangeSet, StackOutputs
    from tuppence.aws.teardown import Doomed
    from tuppence.aws.template import StackSettings

Region = Annotated[str | None, typer.Option(help="AWS region; by default that of the environment or the profile.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]


def register(aws: typer.Typer) -> None:
    """Adds this file's verbs to the group `aws`."""
    add_verb(aws, init)


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
