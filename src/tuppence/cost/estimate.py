"""`estimate_aws_cost`: the cost calculator of the course's first chapter, and what is right beside it.

`Estimate` has two halves. The first is the calculator as the course that this one follows has it: EC2's price, spot at
a fixed 65 % off, 4 bytes of storage a parameter while training lasts. The second is what such a run costs as a
SageMaker training job: SageMaker's price, the minutes before the first step, the checkpoints until they are deleted,
and the tokens that the hours buy, because epochs and hours alone say nothing about the model.
"""

from __future__ import annotations

import datetime
import numbers
from dataclasses import dataclass

from tuppence.core.errors import InputError
from tuppence.core.table import Table
from tuppence.cost.hardware import Instance, Speed, instances
from tuppence.cost.rates import Price, price_of, storage_price

COURSE_SPOT_DISCOUNT = 0.65
SPOT_DISCOUNT = 0.50
"""What a plan assumes; 32 to 64 % off were seen, and AWS says "up to" 80 or 90 %."""
SPOT_SEEN = (0.32, 0.64)
LEAD_SECONDS = 300.0
"""Billed seconds of a training job before and after its work: image, data, upload. Assumed until it is measured."""
KEPT_CHECKPOINTS = 3
BYTES_OF_A_CHECKPOINT = 12
"""A parameter in float32 and the two moments of AdamW."""
COURSE_BYTES = 4
HOURS_OF_A_MONTH = 720.0
TOKENS_FOR_EACH_PARAMETER = 20
"""Tokens a parameter of a model that is trained compute-optimally (Hoffmann et al. 2022, arXiv:2203.15556)."""
ATTENTION_SHARE = 0.14
"""Attention on top of 6 N: 15 % of gpt2-124m and 14 % of gpt2-355m, at a context of 1,024 tokens."""


@dataclass(frozen=True, repr=False)
class Estimate:
    """What a training run costs on AWS; it shows itself as a table.

    Attributes:
        model_params_millions, epochs, hours_per_epoch, instance_type, use_spot: as given.
        hours: epochs times hours of an epoch.
        rate: EC2's on-demand price of an hour.
        compute, storage, total, on_demand, saved: its dollars: of the hours, of the weights while training lasts, of
            both, without spot, and the difference.
        sagemaker: the price of the same machine as a SageMaker training job.
        sagemaker_on_demand, sagemaker_spot: dollars of that job with its lead time; spot at 50 % off.
        checkpoints_usd_per_month: dollars a month for three checkpoints in S3, until they are deleted.
        tokens: tokens that the hours train on, at `speed`.
        tokens_wanted: 20 for each parameter.
        speed: of one GPU for a model of this size; published by somebody, or assumed.
        today: the day from which the age of prices is counted.
        refused: why the machine cannot run our image; None if it can.
    """

    model_params_millions: float
    epochs: float
    hours_per_epoch: float
    instance_type: str
    use_spot: bool
    ec2: Price
    sagemaker: Price
    instance: Instance
    today: datetime.date

    @property
    def hours(self) -> float:
        return self.epochs * self.hours_per_epoch

    @property
    def rate(self) -> float:
        return self.ec2.usd

    @property
    def compute(self) -> float:
        return self.on_demand * (1 - COURSE_SPOT_DISCOUNT if self.use_spot else 1)

    @property
    def on_demand(self) -> float:
        return self.hours * self.rate

    @property
    def saved(self) -> float:
        return self.on_demand - self.compute

    @property
    def storage(self) -> float:
        return self._gigabytes(COURSE_BYTES) * _storage().usd * self.hours / HOURS_OF_A_MONTH

    @property
    def total(self) -> float:
        return self.compute + self.storage

    @property
    def sagemaker_on_demand(self) -> float:
        return (self.hours + LEAD_SECONDS / 3600) * self.sagemaker.usd

    @property
    def sagemaker_spot(self) -> float:
        return self.sagemaker_on_demand * (1 - SPOT_DISCOUNT)

    @property
    def checkpoints_usd_per_month(self) -> float:
        return KEPT_CHECKPOINTS * self._gigabytes(BYTES_OF_A_CHECKPOINT) * _storage().usd

    @property
    def speed(self) -> Speed:
        return self.instance.accelerator.speed_for(1e6 * self.model_params_millions)

    @property
    def tokens(self) -> float:
        flops = 6e6 * self.model_params_millions * (1 + ATTENTION_SHARE)
        return self.hours * 3600 * self.instance.gpus * self.speed.flops_per_second / flops

    @property
    def tokens_wanted(self) -> float:
        return TOKENS_FOR_EACH_PARAMETER * 1e6 * self.model_params_millions

    @property
    def refused(self) -> str | None:
        return self.instance.refused

    def table(self) -> Table:
        """Both halves as one table with notes."""
        spot = f"spot, {COURSE_SPOT_DISCOUNT:.0%} off assumed" if self.use_spot else "on demand"
        month = f"{KEPT_CHECKPOINTS} checkpoints, {KEPT_CHECKPOINTS * self._gigabytes(BYTES_OF_A_CHECKPOINT):.1f} GB"
        low, high = (f"${self.sagemaker_on_demand * (1 - off):.2f}" for off in reversed(SPOT_SEEN))
        rows = (
            ("Quick estimate: hours of EC2", f"{self.hours:g} h of EC2 {self.ec2.item} at ${self.rate:g}", ""),
            ("compute", spot, f"${self.compute:.2f}"),
            ("storage", "4 bytes a parameter while training lasts", f"${self.storage:.2f}"),
            ("total", f"${self.saved:.2f} less than on demand", f"${self.total:.2f}"),
            ("As a SageMaker training job", f"{self.sagemaker.item} at ${self.sagemaker.usd:g}", ""),
            (
                "on demand",
                f"{self.hours:g} h and {LEAD_SECONDS / 60:g} minutes of lead, assumed",
                f"${self.sagemaker_on_demand:.2f}",
            ),
            ("on spot", f"{SPOT_DISCOUNT:.0%} off assumed; seen {low} to {high}", f"${self.sagemaker_spot:.2f}"),
            ("storage", f"{month}, each month until deleted", f"${self.checkpoints_usd_per_month:.2f}"),
        )
        speed = f"{self.speed.flops_per_second / 1e12:.3g} TFLOP/s a GPU, {self.speed.basis}: {self.speed.source}"
        bought = (
            f"The hours train on about {_billions(self.tokens)} billion tokens ({speed}; attention adds"
            f" {ATTENTION_SHARE:.0%} to 6 operations a parameter, assumed)."
            f" {TOKENS_FOR_EACH_PARAMETER} for each parameter are {_billions(self.tokens_wanted)} billion."
        )
        old = f"{self.ec2.describe(self.today)}. {self.sagemaker.describe(self.today)}."
        warning = (f"{self.instance_type} {self.refused}.",) if self.refused else ()
        spot_or_not = "spot" if self.use_spot else "on demand"
        title = (
            f"{self.model_params_millions:g}M parameters, {self.epochs:g} epochs of {self.hours_per_epoch:g} h on"
            f" {self.instance_type} ({spot_or_not})"
        )
        columns = ("for", "what", "US dollars")
        return Table(columns, rows, title=title, notes=(bought, *warning, old), right=("US dollars",))

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def _gigabytes(self, bytes_each: int) -> float:
        return self.model_params_millions * 1e6 * bytes_each / 1e9


def estimate_aws_cost(
    model_params_millions: float,
    epochs: float,
    hours_per_epoch: float,
    instance_type: str = "g4dn.xlarge",
    use_spot: bool = True,
    *,
    today: datetime.date | None = None,
) -> Estimate:
    """Estimates what a training run costs on AWS, quickly by hours of EC2, and as a SageMaker job beside it.

    Args:
        model_params_millions: size of the model in millions of parameters.
        epochs, hours_per_epoch: their product is the time of the run.
        instance_type: with or without `ml.`.
        use_spot: whether the first half is for a spot instance; the second half has both.
        today: the day from which the age of prices is counted.

    Raises:
        InputError: a number is not positive, an argument has another type, or the instance type is unknown. There is no
            default price.

    Example:
        >>> small = estimate_aws_cost(124, epochs=10, hours_per_epoch=2)
        >>> f"${small.total:.2f}, as a SageMaker job ${small.hours * small.sagemaker.usd:.2f}"
        '$3.68, as a SageMaker job $14.73'
    """
    size = _positive("model_params_millions", model_params_millions)
    times = _positive("epochs", epochs), _positive("hours_per_epoch", hours_per_epoch)
    if not isinstance(instance_type, str):
        raise InputError(f"instance_type must be a text, it is {instance_type!r}", "give for example 'g4dn.xlarge'")
    if not isinstance(use_spot, bool):
        raise InputError(f"use_spot must be True or False, it is {use_spot!r}", "give one of the two")
    bare = instance_type.removeprefix("ml.")
    ec2, sagemaker = price_of(bare), price_of(f"ml.{bare}")
    if bare not in instances():
        raise InputError(
            f"{instance_type} has no GPU that we know", "choose one of " + ", ".join(list(instances())[:6])
        )
    return Estimate(
        size, *times, instance_type, use_spot, ec2, sagemaker, instances()[bare], today or datetime.date.today()
    )


def _positive(name: str, number: object) -> float:
    if isinstance(number, bool) or not isinstance(number, numbers.Real):
        raise InputError(f"{name} must be a number, it is {number!r}", "give for example 10")
    value = float(number)
    if not 0 < value < 1e15:
        raise InputError(f"{name} must be above zero and below 1e15, it is {value:g}", "give for example 10")
    return value


def _billions(tokens: float) -> str:
    """Billions in two digits, without an exponent."""
    return f"{float(f'{tokens / 1e9:.2g}'):,.10g}"


def _storage() -> Price:
    return storage_price()
