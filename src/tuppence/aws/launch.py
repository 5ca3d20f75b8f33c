"""`prepare` decides everything about a job and asks AWS only questions; `submit` uploads and starts it.

The order is: region and prices, the account's bucket and role, quota, inputs and output, what earlier attempts have
spent, time limits from the rest of the cap, code, and the request, which is checked against AWS's own rules.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from tuppence.aws import code
from tuppence.aws.account import Account, find_account
from tuppence.aws.at_output import found_at, spent_at
from tuppence.aws.job import MOST_SECONDS, JobPlan, request_of
from tuppence.aws.order import FILE, InChannel, Order, Word
from tuppence.aws.quotas import Quota, find_quota, require_quota
from tuppence.aws.size import parameters_of
from tuppence.aws.tags import name_of
from tuppence.aws.time_limits import ASSUMED_PARAMETERS, TAIL_SECONDS, TimeLimits, save_seconds, time_limits
from tuppence.aws.uploads import Tree, missing_files, tree_of, upload
from tuppence.aws.validation import validate
from tuppence.aws.verb_line import Place, VerbLine
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.cost.estimate import BYTES_OF_A_CHECKPOINT, LEAD_SECONDS
from tuppence.cost.hardware import instances
from tuppence.cost.rates import price_of
from tuppence.storage import RemoteStore, client, is_remote, join, local_path, open_store, split_url

_RUN = Run(Path())
_NOT_SENT = {_RUN.checkpoints.name, _RUN.tensorboard.name}
"""Folders of a run that only the run itself needs."""
PASSED_ON = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
"""Environment variables that a job gets from here."""


@dataclass(frozen=True)
class Wish:
    """What a person asks for, beside the verb line.

    Attributes:
        instance: type, with `ml.`.
        fallback: types that may take its place, on demand only.
        budget_usd: most dollars of all attempts at the output together.
        max_hours: longest billed time of this job.
        max_wait_hours: of a spot job, waiting for capacity included; by default what the cap buys on demand.
        region: by default that of the environment.
        bucket, role_arn: by default those of the stack.
        wheels: a folder with the wheels that the image lacks; by default they are downloaded once.
        lead_seconds: assumed to be billed before the job's first process.
        with_wheels: False in a rehearsal, whose Python is this one.
    """

    instance: str
    fallback: tuple[str, ...] = ()
    count: int = 1
    spot: bool = False
    budget_usd: float | None = None
    max_hours: float | None = None
    max_wait_hours: float | None = None
    region: str | None = None
    bucket: str | None = None
    role_arn: str | None = None
    wheels: Path | None = None
    lead_seconds: float = LEAD_SECONDS
    with_wheels: bool = True

    @property
    def instances(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self.instance, *self.fallback)))


@dataclass(frozen=True)
class Prepared:
    """A job that can be started.

    Attributes:
        plan, request: what AWS gets.
        account: bucket and role.
        trees: channel → local files, and the folder of the bucket where they go.
        missing_bytes: that have to be uploaded.
        quota: of the first instance type.
        limits: in time.
        cap_usd, spent_usd: of all attempts at the output.
        parameters: of the model; None if unknown.
        prices: one sentence for each instance type.
        found: what is at the output already, to be put after its name; empty if there is no run.
    """

    plan: JobPlan
    request: Mapping[str, Any]
    account: Account
    trees: Mapping[str, tuple[Tree, str]]
    missing_bytes: int
    quota: Quota
    limits: TimeLimits
    cap_usd: float
    spent_usd: float
    parameters: int | None
    prices: tuple[str, ...] = field(default=())
    found: str = ""


def prepare(line: VerbLine, wish: Wish, workplace: Path, *, now: datetime.datetime | None = None) -> Prepared:
    """Decides everything about a job. Nothing is created and nothing is uploaded.

    Args:
        workplace: an empty folder, where the code is packed.
        now: for the job's name.

    Raises:
        InputError: the job is refused; the message says why and what to do.
    """
    region = wish.region or str(client("sagemaker").meta.region_name)
    rate, source, prices = _rate(wish, region)
    _check(line, wish)
    account = find_account(region, wish.bucket, wish.role_arn)
    account.require_instances(wish.instances)
    quota = find_quota(wish.instance, spot=wish.spot, region=region)
    require_quota(quota, wish.count, region)
    store = bucket_of(account)
    words, trees, output = placed(line, account)
    spent = spent_at(output) if line.writes_run else 0.0
    budget = _budget(line, wish, rate, spent)
    parameters = parameters_of(line.values) if line.writes_run else None
    save = save_seconds(parameters or ASSUMED_PARAMETERS) if line.writes_run else 0.0
    limits = time_limits(
        min(budget - spent, rate * wish.max_hours) if wish.max_hours else budget - spent,
        rate,
        spot=wish.spot,
        lead=wish.lead_seconds,
        save=save,
        wait_hours=wish.max_wait_hours,
        most_seconds=account.max_runtime or MOST_SECONDS,
    )
    packed, digest = _code(line, wish, workplace)
    trees = {code.CHANNEL: (packed, f"code/{packed.key}"), **trees}
    order = Order(
        verb=line.verb,
        words=tuple(words),
        line=line.words,
        output=output,
        cap_usd=budget if line.takes_budget else None,
        rate_usd_per_hour=rate,
        rate_source=source,
        instances=wish.instances,
        count=wish.count,
        spot=wish.spot,
        region=region,
        lead_seconds=wish.lead_seconds,
        tail_seconds=TAIL_SECONDS,
        several_ranks=line.several_ranks,
        metrics=line.takes_budget,
        files={channel: tree.facts for channel, (tree, _) in trees.items()},
    )
    name = job_name(line.verb, output, now)
    plan = JobPlan(
        name=name,
        order=order,
        region=region,
        role_arn=account.role_arn,
        code_uri=account.uri(trees[code.CHANNEL][1]),
        order_uri=account.uri(f"jobs/{name}/order"),
        output_uri=account.uri(f"jobs/{name}"),
        code_sha256=digest,
        inputs={channel: account.uri(prefix) for channel, (_, prefix) in trees.items() if channel != code.CHANNEL},
        max_runtime=limits.max_runtime,
        max_wait=limits.max_wait,
        input_bytes=sum(tree.size for tree, _ in trees.values()),
        checkpoint_bytes=BYTES_OF_A_CHECKPOINT * (parameters or ASSUMED_PARAMETERS) if line.writes_run else 0.0,
        environment=_environment(line),
    )
    request = request_of(plan)
    validate("sagemaker", "CreateTrainingJob", request)
    missing = sum(tree.facts[one][0] for tree, prefix in trees.values() for one in missing_files(tree, store, prefix))
    found = found_at(output) if line.writes_run else ""
    return Prepared(
        plan, request, account, trees, missing, quota, limits, budget, spent, parameters, tuple(prices), found
    )


def submit(prepared: Prepared, on_bytes: Callable[[int], object] = lambda count: None) -> str:
    """Uploads what is missing and starts the job; returns its name.

    Args:
        on_bytes: called with the size of each uploaded file.

    Raises:
        InputError: AWS refuses the job.
    """
    store = bucket_of(prepared.account)
    for tree, prefix in prepared.trees.values():
        upload(tree, store, prefix, on_bytes)
    return start(prepared.plan, prepared.request, store)


def start(plan: JobPlan, request: Mapping[str, Any], store: RemoteStore) -> str:
    """Writes the order and starts the job, whose inputs are in S3."""
    store.put_if_absent(f"jobs/{plan.name}/order/{FILE}", plan.order.as_text().encode())
    client("sagemaker", region=plan.region).create_training_job(**request)
    return plan.name


def job_name(verb: str, output: str, now: datetime.datetime | None = None) -> str:
    """The name of a job: verb, output and time.

    Example:
        >>> job_name("finetune classify", "s3://b/runs/spam", datetime.datetime(2026, 11, 28, 12, 0, 5))
        'tuppence-finetune-classify-spam-20261128-120005'
    """
    now = now or datetime.datetime.now(datetime.UTC)
    return name_of(verb, split_url(output.rstrip("/"))[1] or "run", now.strftime("%Y%m%d-%H%M%S"))


def _rate(wish: Wish, region: str) -> tuple[float, str, list[str]]:
    """Dollars an hour of all instances, of the dearest type; where that price is from; a sentence for each type."""
    prices = [price_of(one, "training", region) for one in wish.instances]
    dearest = max(prices, key=lambda price: price.usd)
    source = f"{wish.count} × {dearest.describe()}"
    return (
        dearest.usd * wish.count,
        source,
        [f"{price.item} ${price.usd:g} an hour: {price.describe()}" for price in prices],
    )


def _check(line: VerbLine, wish: Wish) -> None:
    for one in wish.instances:
        if not one.startswith("ml."):
            raise InputError(f"{one} is a machine of EC2", f"SageMaker's name is ml.{one}")
        known = instances().get(one.removeprefix("ml."))
        if known is not None and known.refused:
            raise InputError(f"{one} {known.refused}", "choose another --instance: tuppence plan")
    if wish.count < 1 or (wish.count > 1 and not line.several_ranks):
        raise InputError(f"'{line.verb}' cannot run on {wish.count} machines", "leave --count out")
    if wish.spot and wish.fallback:
        raise InputError("AWS allows no --fallback with --spot", "leave one of them out")
    if wish.spot and not line.writes_run:
        raise InputError(
            f"'{line.verb}' has no checkpoints, and a spot machine can be taken at any moment",
            "leave --spot out",
        )
    if wish.max_wait_hours is not None and not wish.spot:
        raise InputError("--max-wait-hours is for spot jobs", "leave it out, or add --spot")


def _budget(line: VerbLine, wish: Wish, rate: float, spent: float) -> float:
    """The cap in dollars of all attempts together; from `--max-hours` alone it is for this job."""
    given = [one for one in (wish.budget_usd, line.budget_usd) if one is not None]
    if len(set(given)) > 1:
        raise InputError(f"--budget is ${given[0]:g} before the verb and ${given[1]:g} after it", "give it once")
    for name, value in (("--budget", given[0] if given else None), ("--max-hours", wish.max_hours)):
        if value is not None and not 0 < value < 1e6:
            raise InputError(f"{name} {value:g} is no limit", "give a number above zero")
    if not given and wish.max_hours is None:
        raise InputError("the job has no cap", "give --budget USD, --max-hours H, or both")
    return given[0] if given else spent + rate * float(wish.max_hours or 0)


def placed(
    line: VerbLine, account: Account, *, output: str = ""
) -> tuple[list[Word], dict[str, tuple[Tree, str]], str]:
    """The words of the job, the local inputs by channel, and the output.

    Args:
        output: where the job writes, if that is no word of the line.

    Raises:
        InputError: there is no output.
    """
    words: list[Word] = list(line.words)
    trees: dict[str, tuple[Tree, str]] = {}
    output = output_location(output, account) if output else ""
    for place in line.places:
        if place.use == "output":
            output = output_location(place.value, account)
            words[place.index] = f"{place.before}{output}"
        elif not is_remote(place.value):
            channel = f"input-{len(trees)}"
            tree, path = _input(place)
            trees[channel] = (tree, f"inputs/{tree.key}")
            words[place.index] = InChannel(channel, path, place.before)
    if not output:
        raise InputError(f"'{line.verb}' has no output", "give --out: what a job writes elsewhere is lost")
    return words, trees, output


def output_location(place: str, account: Account) -> str:
    """Where a job writes: a remote location as it is, a local one below `runs` in the bucket.

    Example:
        >>> output_location("runs/tiny", Account("tuppence-1", "role", "us-east-1"))
        's3://tuppence-1/runs/tiny'
    """
    if is_remote(place):
        return place.rstrip("/")
    parts = [part for part in PurePosixPath(place.removeprefix("file://")).parts if part not in ("/", ".", "..", "~")]
    kept = parts[-1:] if place.startswith(("/", "~", "..", "file:")) else parts
    if kept[:1] == ["runs"]:
        kept = kept[1:]
    if not kept:
        raise InputError(f"{place!r} names no output", "give a name, such as --out runs/tiny")
    return join(account.uri("runs"), *kept)


def _input(place: Place) -> tuple[Tree, str]:
    """The tree of a local input, and the path of the input in it."""
    path = local_path(place.value)
    if place.use != "run":
        tree = tree_of(path)
        return tree, _top(tree)
    run = Run.of(path)
    tree = tree_of(run.path, lambda name: not _NOT_SENT & set(name.split("/")[:-1]))
    inside = path.resolve().relative_to(run.path.resolve()).as_posix()
    return tree, _top(tree) if inside == "." else f"{_top(tree)}/{inside}"


def _top(tree: Tree) -> str:
    return next(iter(tree.files)).partition("/")[0]


def _code(line: VerbLine, wish: Wish, workplace: Path) -> tuple[Tree, str]:
    names: Sequence[str] = (*code.WHEELS, *code.TRACKERS_WHEELS.get(str(line.values.get("track")), ()))
    wheels = code.find_wheels(names, wish.wheels) if wish.with_wheels else []
    return code.code_tree(workplace, wheels)


def _environment(line: VerbLine) -> dict[str, str]:
    """Variables that the job gets from here. They are shown in the console of AWS, so none may hold a password."""
    if line.values.get("track") != "mlflow":
        return {}
    found = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    if "MLFLOW_TRACKING_URI" not in found:
        raise InputError("--track mlflow needs a server", "set MLFLOW_TRACKING_URI")
    if "@" in found["MLFLOW_TRACKING_URI"]:
        raise InputError(
            "MLFLOW_TRACKING_URI has a password, and a job shows its variables", "use a server without one"
        )
    return found


def bucket_of(account: Account) -> RemoteStore:
    """The bucket of an account."""
    store = open_store(f"s3://{account.bucket}")
    assert isinstance(store, RemoteStore)
    return store
