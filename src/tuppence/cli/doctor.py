"""`tuppence doctor`: checks this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from tuppence.cli.flags import Json
from tuppence.cli.places import add_verb
from tuppence.core import console


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    add_verb(app, doctor)


def doctor(
    aws: Annotated[bool, typer.Option("--aws", help="Also ask AWS: identity, region, stack, quotas.")] = False,
    json: Json = False,
) -> None:
    """Check this machine and its installation.

    Checks Python, torch, device, precision, memory, disk, platform, AWS credentials and optional packages. Each line is
    ok, warn (something will be slow or is missing) or fail (fix this first; the exit code is 2). Only --aws uses the
    network; it asks AWS and changes nothing.

    \b
    Examples:
      tuppence doctor
      tuppence doctor --aws --json
    """
    from dataclasses import asdict
    from pathlib import Path

    from tuppence.core import checkup

    checks = checkup.examine(Path())
    if aws:
        from tuppence.aws import checkup as aws_checkup

        checks += aws_checkup.examine()
    status = checkup.verdict(checks)
    if json:
        console.emit_json({"status": status, "checks": [asdict(check) for check in checks]})
    else:
        width = max(len(check.name) for check in checks)
        for check in checks:
            typer.secho(
                f"{check.status:<4}", nl=False, fg={"ok": "green", "warn": "yellow", "fail": "red"}[check.status]
            )
            console.out(f"  {check.name:<{width}}  {check.value}")
            if check.hint:
                console.out(f"{'':<{width + 8}}→ {check.hint}")
    raise typer.Exit(2 if status == "fail" else 0)
