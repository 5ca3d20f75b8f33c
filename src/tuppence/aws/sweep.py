"""Looks for everything that costs money, removes what tuppence made, and looks again until nothing of it is left.

`look` lists; `clear` removes. A removal is made of rounds: look, make the next step of each removal (a notebook is
stopped, then deleted; an endpoint that is being created is waited for), look again. So the proof that nothing is left
is the same listing that found it, and a program that is interrupted can simply be started again.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tuppence.aws import regions, teardown
from tuppence.aws.findings import Finding, Kind, Place
from tuppence.aws.other_kinds import OTHER_KINDS
from tuppence.aws.sagemaker_kinds import SAGEMAKER_KINDS
from tuppence.core.errors import InputError
from tuppence.storage import AwsError, client

ALL = "all"
KINDS: tuple[Kind, ...] = (*SAGEMAKER_KINDS, *OTHER_KINDS)

POLL_SECONDS = 15.0
MOST_SECONDS = 3600.0
"""How long `clear` waits. A failing endpoint can stay in Creating for most of an hour."""

_THREADS = 8
_NOT_ENABLED = (
    *("UnrecognizedClientException", "InvalidClientTokenId", "OptInRequired", "AuthFailure"),
    *("RegionDisabledException", "SubscriptionRequiredException"),
)
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403")
_JOBS = ("tuning-job", "training-job", "processing-job", "transform-job")
_AFTER: dict[str, tuple[str, ...]] = {
    "endpoint": ("inference-component",),
    "endpoint-config": ("endpoint",),
    "model": ("endpoint", "endpoint-config", "transform-job"),
    "space": ("app",),
    "log-streams": _JOBS,
    "log-group": ("endpoint", "notebook", *_JOBS),
    "stack": (*_JOBS, "endpoint"),
    "bucket": ("stack", *_JOBS, "endpoint"),
}
"""Kind → the kinds that must be gone from its region before it is removed."""

OnStep = Callable[[Finding, str], object]
Pause = Callable[[float], object]


@dataclass(frozen=True)
class Report:
    """What a look found.

    Attributes:
        regions: the regions that were looked at.
        findings: in the order of removal.
        passed_over: regions that the account has not enabled.
        unseen: (region, kind, reason) of what could not be listed.
    """

    regions: tuple[str, ...]
    findings: tuple[Finding, ...]
    passed_over: tuple[str, ...] = ()
    unseen: tuple[tuple[str, str, str], ...] = ()

    @property
    def ours(self) -> tuple[Finding, ...]:
        """What tuppence made."""
        return tuple(one for one in self.findings if one.ours)

    @property
    def others(self) -> tuple[Finding, ...]:
        """What somebody else made."""
        return tuple(one for one in self.findings if not one.ours)

    def as_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return {
            "regions": list(self.regions),
            "ours": [one.as_dict() for one in self.ours],
            "others": [one.as_dict() for one in self.others],
            "usd_per_day": usd_per_day(self.ours),
            "passed_over": list(self.passed_over),
            "unseen": [dict(zip(("region", "kind", "reason"), one, strict=True)) for one in self.unseen],
        }


@dataclass(frozen=True)
class Cleared:
    """The result of a removal.

    Attributes:
        report: the last look.
        removed: what was found before and is found no more.
        left: what should be gone and is not, each with the last step or error.
    """

    report: Report
    removed: tuple[Finding, ...]
    left: tuple[tuple[Finding, str], ...]

    @property
    def is_proven(self) -> bool:
        """Whether everything was looked at, and nothing that should be gone is left."""
        return not self.left and not self.report.unseen

    def as_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return {
            "proven": self.is_proven,
            "removed": [one.id for one in self.removed],
            "left": [{**one.as_dict(), "reason": why} for one, why in self.left],
            "last_look": self.report.as_dict(),
        }


def usd_per_day(findings: Collection[Finding]) -> float:
    """Sums the known dollars a day."""
    return sum(one.usd_per_day or 0.0 for one in findings)


def places(region: str | None) -> list[Place]:
    """Returns the places to look at.

    Args:
        region: a region, "all" for every region of the table in the account's partition, or None for the region of the
            environment or the profile.

    Raises:
        AwsError: AWS does not accept the credentials, or no region is set.
    """
    identity = client("sts", region=None if region in (None, ALL) else region)
    identity.get_caller_identity()
    home = str(identity.meta.region_name)
    if region != ALL:
        return [Place(home)]
    others = (one for one in regions.regions() if regions.is_china(one) == regions.is_china(home) and one != home)
    return [Place(home), *(Place(one) for one in others)]


def look(where: Sequence[Place]) -> Report:
    """Lists everything in some places, several regions at a time.

    Raises:
        AwsError: there is one place only, and the account has not enabled the region.
    """
    with ThreadPoolExecutor(max(min(_THREADS, len(where)), 1), thread_name_prefix="sweep") as pool:
        looks = list(pool.map(_look_at, where))
    if len(where) == 1 and isinstance(looks[0], AwsError):
        raise looks[0]
    passed = tuple(place.region for place, found in zip(where, looks, strict=True) if isinstance(found, AwsError))
    reports = [found for found in looks if isinstance(found, Report)]
    findings = sorted((one for report in reports for one in report.findings), key=_order)
    return Report(
        regions=tuple(one for report in reports for one in report.regions),
        findings=tuple(findings),
        passed_over=passed,
        unseen=tuple(one for report in reports for one in report.unseen),
    )


def choose(report: Report, keep: Collection[str], include: Collection[str]) -> list[Finding]:
    """Returns what is to be removed: what tuppence made without `keep`, and what `include` names of others.

    Raises:
        InputError: a name is not among the findings, or tuppence cannot remove it.
    """
    known = {one.id for one in report.findings}
    for name in (*keep, *include):
        if name not in known:
            raise InputError(f"the sweep found no {name}", "give KIND/NAME as the list shows it")
    chosen = [one for one in report.findings if (one.ours and one.id not in keep) or one.id in include]
    for one in chosen:
        if one.id in include and _kind(one).remove is None:
            raise InputError(f"tuppence cannot delete a {one.kind}", "delete it in AWS's console")
    kept_buckets = {name.removeprefix("bucket/") for name in keep if name.startswith("bucket/")}
    if not kept_buckets:
        return chosen
    return [  # a stack takes its bucket with it
        one
        for one in chosen
        if not (one.kind == "stack" and kept_buckets & teardown.bucket_names(one.region, one.name))
    ]


def clear(
    where: Sequence[Place],
    keep: Collection[str] = (),
    include: Collection[str] = (),
    on_step: OnStep | None = None,
    *,
    pause: Pause = time.sleep,
    most_seconds: float = MOST_SECONDS,
) -> Cleared:
    """Removes what tuppence made, in rounds, until a look finds nothing of it.

    Args:
        where: the places to clear.
        keep: identifiers of what stays although tuppence made it.
        include: identifiers of what goes although somebody else made it.
        on_step: called with each finding and what was done with it, such as "stopping".
        pause: called with the seconds between two rounds.
        most_seconds: the time after which what is left is reported.

    Raises:
        InputError: `keep` or `include` names what the first look does not find.
    """
    report = look(where)
    where = [place for place in where if place.region not in report.passed_over]
    passed_over = report.passed_over
    first = choose(report, keep, include)
    targets, steps, waited = first, {}, 0.0
    while targets and waited < most_seconds:
        denied = 0
        for one in targets:
            step, error = _step(one, targets, where)
            steps[one.region, one.id] = step
            denied += error in _DENIED or _kind(one).remove is None
            if on_step is not None:
                on_step(one, step)
        if denied == len(targets):
            break
        slow = any(steps[one.region, one.id].startswith(("waiting", "failed")) for one in targets)
        seconds = POLL_SECONDS if slow else 1.0
        pause(seconds)
        waited += seconds
        busy = {one.region for one in targets}
        report = look([place for place in where if place.region in busy])
        targets = _still_there(report, first)
        if targets:
            continue
        if len(busy) < len(where):
            report = look(where)  # the last look sees every region
        # what appeared meanwhile, such as the log streams of a job that was stopped
        found = {one.id for one in report.findings}
        targets = choose(report, [one for one in keep if one in found], ())
        known = {(one.region, one.id) for one in first}
        first += [one for one in targets if (one.region, one.id) not in known]
    left = [(one, steps.get((one.region, one.id), "found at the end")) for one in targets]
    named = {(one.region, one.id) for one in targets}
    gone = [one for one in first if (one.region, one.id) not in named]
    return Cleared(dataclasses.replace(report, passed_over=passed_over), tuple(gone), tuple(left))


def _still_there(report: Report, first: Sequence[Finding]) -> list[Finding]:
    """Returns the findings of a look that an earlier look has found, too."""
    known = {(one.region, one.id) for one in first}
    return [one for one in report.findings if (one.region, one.id) in known]


def _step(one: Finding, targets: Sequence[Finding], where: Sequence[Place]) -> tuple[str, str]:
    """Makes the next step of a removal; returns what was done, and AWS's code if it failed."""
    before = [two for two in targets if two.region == one.region and two.kind in _AFTER.get(one.kind, ())]
    if before:
        return f"waiting: {before[0].id} first", ""
    remove = _kind(one).remove
    if remove is None:
        return f"failed: tuppence cannot delete a {one.kind}; use AWS's console", ""
    place = next(place for place in where if place.region == one.region)
    try:
        return remove(place, one), ""
    except AwsError as error:
        return f"failed: {error.message}", error.code
    except InputError as error:
        return f"failed: {error.message}", ""


def _look_at(place: Place) -> Report | AwsError:
    """Looks at one region; returns AWS's error if the account has not enabled it."""
    unseen: list[tuple[str, str, str]] = []
    findings: list[Finding] = []
    try:
        place.client("sagemaker").list_training_jobs(MaxResults=1)
    except AwsError as error:
        if error.code in _NOT_ENABLED:
            return error
    place.forget_tags()
    try:
        _ = place.tagged
    except InputError as error:
        unseen.append((place.region, "tags", error.message))
        place.forget_tags(frozenset())
    for kind in KINDS:
        try:
            findings.extend(kind.find(place))
        except InputError as error:
            unseen.append((place.region, kind.name, error.message))
    return Report((place.region,), tuple(findings), (), tuple(unseen))


def _kind(one: Finding) -> Kind:
    return next(kind for kind in KINDS if kind.name == one.kind)


def _order(one: Finding) -> tuple[int, str, str]:
    return [kind.name for kind in KINDS].index(one.kind), one.region, one.name
