"""`tuppence aws prepare`: decides about a processing job that prepares a corpus, and starts it.

As `launch` for training jobs: `plan_preparation` creates nothing, `submit` uploads what is missing and starts the job.
"""

from __future__ import annotations

import datetime
import math
import shlex
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuppence.aws import code
from tuppence.aws.account import Account, find_account
from tuppence.aws.follow import POLL_SECONDS, LogReader
from tuppence.aws.job import GRACE_SECONDS, SMALLEST_VOLUME_GB, has_local_storage
from tuppence.aws.launch import bucket_of, job_name, placed
from tuppence.aws.order import CHANNEL as ORDER_CHANNEL
from tuppence.aws.order import FILE, Order
from tuppence.aws.processing import LARGEST_VOLUME_GB, MOST_MACHINES, MOST_SECONDS, ProcessingPlan, request_of
from tuppence.aws.quotas import Quota, find_quota, require_quota
from tuppence.aws.time_limits import TAIL_SECONDS
from tuppence.aws.uploads import Tree, missing_files, tree_of, upload
from tuppence.aws.validation import validate
from tuppence.aws.verb_line import Place, VerbLine
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.cost.estimate import LEAD_SECONDS
from tuppence.cost.rates import price_of
from tuppence.data.inputs import COMPRESSIONS, find_sources
from tuppence.storage import client, is_remote, local_path

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
USE = "processing job"
LEAST_SECONDS = 300
"""A job that AWS would stop sooner is refused."""
TEXTS = ("inputs", "--val")
"""Arguments of `data prepare` that name text. Each machine reads its part of it in S3."""
ENDED = ("Completed", "Failed", "Stopped")
GROWTH, GROWTH_PACKED = 1.0, 4.0
"""Disk for the tokens of a part, in bytes for a byte of text and of packed text. Tokens of two bytes have half of the
size of their text, those of four bytes all of it; packed text is taken to be a quarter of its text."""


@dataclass(frozen=True)
class PreparationWish:
    """What a person asks for, beside the arguments of `data prepare`.

    Attributes:
        instance, count: type and number of machines.
        budget_usd: most dollars of the job.
        max_hours: longest billed time.
        price_usd: dollars an hour of one machine, where no price is known.
        region, bucket, role_arn, wheels, with_wheels: as for a training job.
    """

    instance: str
    count: int = 1
    budget_usd: float | None = None
    max_hours: float | None = None
    price_usd: float | None = None
    region: str | None = None
    bucket: str | None = None
    role_arn: str | None = None
    wheels: Path | None = None
    with_wheels: bool = True


@dataclass(frozen=True)
class Preparation:
    """A job that can be started.

    Attributes:
        plan, request: what AWS gets.
        account: bucket and role.
        trees: channel, or place of a local corpus → local files, and the folder of the bucket where they go.
        missing_bytes: that have to be uploaded.
        corpus_bytes: of all text to read, as it is in S3.
        quota: of the instance type.
        cap_usd: of the job.
    """

    plan: ProcessingPlan
    request: Mapping[str, Any]
    account: Account
    trees: Mapping[str, tuple[Tree, str]]
    missing_bytes: int
    corpus_bytes: int
    quota: Quota
    cap_usd: float


def plan_preparation(
    line: VerbLine, wish: PreparationWish, workplace: Path, *, now: datetime.datetime | None = None
) -> Preparation:
    """Decides everything about a job. Nothing is created and nothing is uploaded.

    Args:
        line: of `data prepare`.
        workplace: an empty folder, where the code is packed.
        now: for the job's name.

    Raises:
        InputError: the job is refused; the message says why and what to do.
    """
    region = wish.region or str(client("sagemaker").meta.region_name)
    rate, source = _rate(wish, region)
    cap = _cap(wish, rate)
    _check(line, wish)
    account = find_account(region, wish.bucket, wish.role_arn)
    quota = find_quota(wish.instance, spot=False, region=region, use=USE)
    require_quota(quota, wish.count, region)
    corpus, in_bucket = _corpus(line, account)
    words, trees, output = placed(_without_output(in_bucket), account, output=_output(line).value)
    wheels = code.find_wheels(code.WHEELS, wish.wheels) if wish.with_wheels else []
    packed, digest = code.code_tree(workplace, wheels)
    trees = {code.CHANNEL: (packed, f"code/{packed.key}"), **trees}
    name = job_name(line.verb, output, now)
    order = Order(
        verb=line.verb,
        words=tuple(words),
        line=line.words,
        output=output,
        cap_usd=cap,
        rate_usd_per_hour=rate,
        rate_source=source,
        instances=(wish.instance,),
        count=wish.count,
        spot=False,
        region=region,
        lead_seconds=LEAD_SECONDS,
        tail_seconds=TAIL_SECONDS,
        files={channel: tree.facts for channel, (tree, _) in trees.items()},
    )
    folders = {channel: account.uri(prefix) for channel, (_, prefix) in trees.items()}
    sizes = [(name, size) for tree, _ in corpus.values() for name, (size, _) in tree.facts.items()]
    sizes += _remote_sizes(line)
    corpus_bytes = sum(size for _, size in sizes)
    plan = ProcessingPlan(
        name=name,
        order=order,
        region=region,
        role_arn=account.role_arn,
        code_sha256=digest,
        inputs={**folders, ORDER_CHANNEL: account.uri(f"jobs/{name}/order")},
        max_runtime=_max_runtime(cap, rate),
        volume_gb=volume_gb(tokens_bytes(sizes) / wish.count, wish.instance),
    )
    request = request_of(plan)
    validate("sagemaker", "CreateProcessingJob", request)
    store = bucket_of(account)
    trees |= corpus
    missing = sum(tree.facts[one][0] for tree, prefix in trees.values() for one in missing_files(tree, store, prefix))
    return Preparation(plan, request, account, trees, missing, corpus_bytes, quota, cap)


def submit(found: Preparation, on_bytes: Callable[[int], object] = lambda count: None) -> str:
    """Uploads what is missing and starts the job; returns its name.

    Args:
        on_bytes: called with the size of each uploaded file.

    Raises:
        InputError: AWS refuses the job.
    """
    store = bucket_of(found.account)
    for tree, prefix in found.trees.values():
        upload(tree, store, prefix, on_bytes)
    store.put_if_absent(f"jobs/{found.plan.name}/order/{FILE}", found.plan.order.as_text().encode())
    client("sagemaker", region=found.plan.region).create_processing_job(**found.request)
    return found.plan.name


def summary_text(found: Preparation) -> str:
    """What the job does and what it may cost at most. One line each."""
    plan, order = found.plan, found.plan.order
    share = found.corpus_bytes / order.count
    quota = "not known" if found.quota.value is None else f"{found.quota.value:g}"
    return "\n".join(
        [
            f"{plan.name}",
            f"  tuppence {order.verb} {shlex.join(order.line)}",
            f"  on        {order.count} × {order.instances[0]}, {plan.volume_gb} GB each, in {plan.region}",
            f"  corpus    {found.corpus_bytes / 1e9:,.3g} GB, {share / 1e9:,.3g} GB a machine",
            f"  price     {order.rate_source}",
            f"  cap       ${found.cap_usd:,.2f} at ${order.rate_usd_per_hour:g} an hour, lead and end included",
            f"  AWS stops the job after {duration(plan.max_runtime)}; at most ${plan.worst_case_usd:,.2f}",
            f"  upload    {found.missing_bytes / 1e6:,.3g} MB that are not in S3 yet, code included",
            f"  output    {order.output}: a folder for each part, and their index",
            f"  quota     {found.quota.name}: {quota}",
        ]
    )


def summary_dict(found: Preparation) -> dict[str, Any]:
    """For JSON: the decisions and the whole request."""
    plan = found.plan
    return {
        "job": plan.name,
        **plan.order.as_dict(),
        "cap_usd": found.cap_usd,
        "worst_case_usd": round(plan.worst_case_usd, 6),
        "max_runtime_seconds": plan.max_runtime,
        "corpus_bytes": found.corpus_bytes,
        "missing_bytes": found.missing_bytes,
        "quota": {"name": found.quota.name, "value": found.quota.value},
        "request": found.request,
    }


@dataclass(frozen=True)
class Ended:
    """How a processing job ended.

    Attributes:
        status: Completed, Failed or Stopped.
        reason: why it failed; empty otherwise.
        seconds: from its start to its end, of one machine.
        usd: of all machines, from these seconds. The bill may count more seconds.
    """

    status: str
    reason: str
    seconds: float
    usd: float


def follow(
    plan: ProcessingPlan,
    on_line: Callable[[str], object] = lambda line: None,
    *,
    sleep: Callable[[float], object] = time.sleep,
) -> Ended:
    """Waits until a job has ended.

    Args:
        on_line: called with each line of the log.
    """
    reader = LogReader(plan.name, plan.region, LOG_GROUP)
    while True:
        found = client("sagemaker", region=plan.region).describe_processing_job(ProcessingJobName=plan.name)
        for text in reader.new_lines():
            on_line(text)
        if found["ProcessingJobStatus"] in ENDED:
            break
        sleep(POLL_SECONDS)
    start, end = found.get("ProcessingStartTime"), found.get("ProcessingEndTime")
    seconds = (end - start).total_seconds() if start and end else 0.0
    reason = str(found.get("ExitMessage") or found.get("FailureReason") or "")
    usd = seconds / 3600 * plan.order.rate_usd_per_hour
    return Ended(found["ProcessingJobStatus"], reason, round(seconds, 1), round(usd, 6))


def tokens_bytes(sizes: Iterable[tuple[str, int]]) -> float:
    """Largest expected size of the tokens of some files.

    Args:
        sizes: name and bytes of each file.

    Example:
        >>> tokens_bytes([("a.jsonl", 100), ("b.jsonl.zst", 100), ("c.parquet", 100)])
        900.0
    """
    packed = (*COMPRESSIONS, ".parquet")
    return sum(size * (GROWTH_PACKED if name.lower().endswith(packed) else GROWTH) for name, size in sizes)


def volume_gb(tokens: float, instance: str) -> int:
    """Gigabytes of the volume of each machine; the least for a type with disks of its own.

    Args:
        tokens: bytes of the tokens of a part.

    Example:
        >>> volume_gb(0, "ml.m5.xlarge"), volume_gb(200e9, "ml.m5.xlarge"), volume_gb(200e9, "ml.r5d.large")
        (30, 210, 30)
    """
    if has_local_storage(instance):
        return SMALLEST_VOLUME_GB
    return min(max(SMALLEST_VOLUME_GB, math.ceil(tokens / 1e9) + 10), LARGEST_VOLUME_GB)


def _rate(wish: PreparationWish, region: str) -> tuple[float, str]:
    """Dollars an hour of all machines, and where the price is from."""
    if not wish.instance.startswith("ml."):
        raise InputError(f"{wish.instance} is a machine of EC2", f"SageMaker's name is ml.{wish.instance}")
    if not 1 <= wish.count <= MOST_MACHINES:
        raise InputError(f"--count {wish.count} is not between 1 and {MOST_MACHINES}", "AWS allows no more in a job")
    if wish.price_usd is not None:
        if not 0 < wish.price_usd < 1e4:
            raise InputError(f"--price {wish.price_usd:g} is no price", "give dollars an hour of one machine")
        return wish.price_usd * wish.count, f"{wish.count} × ${wish.price_usd:g} an hour, as given by --price"
    try:
        price, whose = price_of(wish.instance, "processing", region), ""
    except InputError:
        try:
            price = price_of(wish.instance, "training", region)
        except InputError as error:
            hint = f"give it with --price USD, from aws.amazon.com/sagemaker/pricing; or {error.hint}"
            raise InputError(f"no price of {wish.instance} in {region} is known", hint) from error
        whose = " (of training; the price of processing is not known here and may differ: --price)"
    return price.usd * wish.count, f"{wish.count} × ${price.usd:g} an hour, {price.describe()}{whose}"


def _cap(wish: PreparationWish, rate: float) -> float:
    for name, value in (("--budget", wish.budget_usd), ("--max-hours", wish.max_hours)):
        if value is not None and not 0 < value < 1e6:
            raise InputError(f"{name} {value:g} is no limit", "give a number above zero")
    caps = [one for one in (wish.budget_usd, wish.max_hours and wish.max_hours * rate) if one is not None]
    if not caps:
        raise InputError("the job has no cap", "give --budget USD, --max-hours H, or both")
    return min(caps)


def _max_runtime(cap: float, rate: float) -> int:
    """The seconds that AWS may let the job run; what it bills before and after them is taken off the cap."""
    around = LEAD_SECONDS + GRACE_SECONDS + TAIL_SECONDS
    seconds = math.floor(cap / rate * 3600 - around)
    if seconds < LEAST_SECONDS:
        least = math.ceil((around + LEAST_SECONDS) / 3600 * rate * 100) / 100
        raise InputError(
            f"${cap:.2f} at ${rate:g} an hour is too little to start and to end ({duration(around)})",
            f"give at least ${least:.2f}, or fewer machines",
        )
    return min(seconds, MOST_SECONDS)


def _check(line: VerbLine, wish: PreparationWish) -> None:
    if line.values.get("part") is not None:
        raise InputError("--part is the place of a machine in the job", "leave it out, and give --count")
    if wish.count > 1 and line.values.get("deduplicate"):
        raise InputError("--deduplicate compares all documents, and a machine reads only its part", "leave it out")


def _corpus(line: VerbLine, account: Account) -> tuple[dict[str, tuple[Tree, str]], VerbLine]:
    """Local text by its place, with the folder of the bucket where it goes; and the line that reads it there."""
    trees, words, places = {}, list(line.words), list(line.places)
    for number, place in enumerate(line.places):
        if place.name not in TEXTS or is_remote(place.value):
            continue
        tree = tree_of(local_path(place.value))
        prefix = f"inputs/{tree.key}"
        trees[place.value] = (tree, prefix)
        there = account.uri(f"{prefix}/{next(iter(tree.files)).partition('/')[0]}")
        words[place.index], places[number] = f"{place.before}{there}", replace(place, value=there)
    return trees, replace(line, words=tuple(words), places=tuple(places))


def _remote_sizes(line: VerbLine) -> list[tuple[str, int]]:
    places = [place.value for place in line.places if place.name in TEXTS and is_remote(place.value)]
    return [(one.path, one.size) for one in find_sources(places)] if places else []


def _output(line: VerbLine) -> Place:
    return next(place for place in line.places if place.use == "output")


def _without_output(line: VerbLine) -> VerbLine:
    """The line without `--out`: each machine has an output of its own."""
    out = _output(line)
    first = out.index - (0 if out.before else 1)
    gone = out.index - first + 1
    places = [place for place in line.places if place is not out]
    moved = [replace(one, index=one.index - gone) if one.index > out.index else one for one in places]
    return replace(line, words=line.words[:first] + line.words[out.index + 1 :], places=tuple(moved))
