"""A prepared job as text for a person who decides whether to pay for it, and as JSON."""

from __future__ import annotations

import shlex
from typing import Any

from tuppence.aws.job import GRACE_SECONDS
from tuppence.aws.launch import Prepared
from tuppence.core.numbers import duration
from tuppence.cost.estimate import SPOT_SEEN
from tuppence.storage import save_time


def summary_text(prepared: Prepared) -> str:
    """What the job does, what it may cost at most, and who stops it. One line each."""
    plan, order, limits = prepared.plan, prepared.plan.order, prepared.limits
    left = prepared.cap_usd - prepared.spent_usd
    machines = f"{order.count} × {' or '.join(order.instances)}"
    again = "; again after each interruption" if order.spot else ""
    local = {name: tree for name, (tree, _) in prepared.trees.items() if name.startswith("input-")}
    lines = [
        f"{plan.name}",
        f"  tuppence {order.verb} {shlex.join(order.line)}",
        f"  on        {machines}, {'spot' if order.spot else 'on demand'}, in {plan.region}",
        *(f"  price     {one}" for one in prepared.prices),
        f"  cap       ${left:,.2f}{_of_cap(prepared)}: {duration(limits.cap_seconds)} at ${order.rate_usd_per_hour:g}"
        " an hour",
        f"  lead      {duration(order.lead_seconds)} of image, data and start are billed first: "
        f"${order.lead_seconds / 3600 * order.rate_usd_per_hour:.2f}, assumed{again}",
        f"  AWS stops {_stops(prepared)}",
        f"  at most   ${plan.worst_case_usd:,.2f} by AWS's own limits, if ours fail",
    ]
    if order.spot:
        low, high = SPOT_SEEN
        lines.append(
            f"  spot      AWS bills fewer seconds, {low:.0%} to {high:.0%} were seen; the cap does not count on it"
        )
    if prepared.parameters is not None:
        save = save_time(prepared.parameters)
        enough = "enough" if save.fits else "too long: an interruption loses up to one checkpoint"
        lines.append(
            f"  saves     {prepared.parameters:,} parameters take about {duration(save.seconds)} (assumed) of the "
            f"{GRACE_SECONDS:.0f} s before a machine is taken: {enough}"
        )
    lines += [f"  input     {tree.describe()}: {next(iter(tree.files)).partition('/')[0]}" for tree in local.values()]
    quota = "not known" if prepared.quota.value is None else f"{prepared.quota.value:g}"
    lines += [
        f"  upload    {prepared.missing_bytes / 1e6:,.3g} MB that are not in S3 yet, code included",
        f"  output    {order.output}{prepared.found}",
        f"  quota     {prepared.quota.name}: {quota}",
    ]
    return "\n".join(lines)


def summary_dict(prepared: Prepared) -> dict[str, Any]:
    """For JSON: the decisions and the whole request."""
    plan, limits = prepared.plan, prepared.limits
    return {
        "job": plan.name,
        "region": plan.region,
        **plan.order.as_dict(),
        "cap_usd": prepared.cap_usd,
        "spent_usd": round(prepared.spent_usd, 6),
        "worst_case_usd": round(plan.worst_case_usd, 6),
        "max_runtime_seconds": limits.max_runtime,
        "max_wait_seconds": limits.max_wait,
        "missing_bytes": prepared.missing_bytes,
        "parameters": prepared.parameters,
        "quota": {"name": prepared.quota.name, "value": prepared.quota.value},
        "request": prepared.request,
    }


def _of_cap(prepared: Prepared) -> str:
    if prepared.spent_usd < 0.005:
        return ""
    return f" left of ${prepared.cap_usd:,.2f}, after ${prepared.spent_usd:,.2f} for earlier attempts at this output"


def _stops(prepared: Prepared) -> str:
    limits = prepared.limits
    text = f"the job after {duration(limits.max_runtime)}"
    if limits.max_wait is not None:
        text += f", and {duration(limits.max_wait)} after the launch, waiting for a spot machine included"
    return text
