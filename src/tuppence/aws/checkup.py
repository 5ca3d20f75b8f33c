"""The checks of `tuppence doctor --aws`: who we are, where, whether the stack exists, and what the quotas allow.

They ask AWS, and change nothing. A check never raises.
"""

from __future__ import annotations

from collections.abc import Callable

from tuppence.aws import stack
from tuppence.aws.quotas import training_quotas
from tuppence.aws.regions import require_region
from tuppence.core.checkup import Check
from tuppence.core.errors import TuppenceError
from tuppence.storage import client

MOST_SHOWN = 6
ROOT = "the root user"
_ASK = "ask for more: aws service-quotas list-service-quotas --service-code sagemaker"


def examine() -> list[Check]:
    """Runs the checks. Without an identity, the others are left out."""
    identity = _survive("aws identity", _identity)
    if identity.value != ROOT and identity.status != "ok":
        return [identity]
    steps: tuple[tuple[str, Callable[[], Check]], ...] = (
        ("aws region", _region),
        ("aws stack", _stack),
        ("aws quota", lambda: _quota(spot=False)),
        ("aws spot quota", lambda: _quota(spot=True)),
    )
    return [identity, *(_survive(name, step) for name, step in steps)]


def _identity() -> Check:
    arn = str(client("sts").get_caller_identity()["Arn"])
    who = arn.rpartition(":")[2]
    if who == "root":
        return Check("aws identity", "warn", ROOT, "make a user or a role for daily work")
    return Check("aws identity", "ok", who)


def _region() -> Check:
    return Check("aws region", "ok", require_region(str(client("sts").meta.region_name)))


def _stack() -> Check:
    found = stack.outputs()
    hours = found.max_runtime_seconds / 3600
    return Check("aws stack", "ok", f"{found.stack}: s3://{found.bucket}, jobs of up to {hours:g} h")


def _quota(*, spot: bool) -> Check:
    name = "aws spot quota" if spot else "aws quota"
    found = training_quotas(spot=spot)
    if not found:
        return Check(name, "warn", "no training instance is allowed (new accounts begin so)", _ASK)
    shown = ", ".join(f"{value:g} × {instance}" for instance, value in list(found.items())[:MOST_SHOWN])
    more = f" and {len(found) - MOST_SHOWN} other types" if len(found) > MOST_SHOWN else ""
    return Check(name, "ok", shown + more)


def _survive(name: str, step: Callable[[], Check]) -> Check:
    try:
        return step()
    except TuppenceError as error:
        return Check(name, "warn", error.message, error.hint)
    except Exception as error:
        return Check(name, "warn", f"could not be examined: {type(error).__name__}: {error}")
