"""`receipt`: what a job has cost by the run's ledger, and by AWS's billable seconds; and why they differ.

AWS's bill is BillableTimeInSeconds × instances × on-demand price. Of a spot job, AWS bills fewer seconds than it ran.
The ledger counts every second at the on-demand price, so that a cap is kept without counting on a discount.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tuppence.aws.at_output import attempts_at
from tuppence.aws.jobs import Job
from tuppence.aws.order import FILE, Order
from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.cost.ledger import Attempt
from tuppence.cost.rates import Price, price_of
from tuppence.storage import open_store


@dataclass(frozen=True)
class Receipt:
    """A bill and a ledger.

    Attributes:
        job, order: what ran.
        price: on demand, of the type that SageMaker selected.
        attempts: of the run's ledger that belong to this job.
        run_usd: of all attempts of the run, other jobs included.
    """

    job: Job
    order: Order
    price: Price
    attempts: tuple[Attempt, ...]
    run_usd: float

    @property
    def billed_seconds(self) -> float:
        """Of one instance."""
        return self.job.billed_seconds()

    @property
    def billed_usd(self) -> float:
        return self.billed_seconds / 3600 * self.job.count * self.price.usd

    @property
    def unreduced_usd(self) -> float:
        """The bill without the discount of spot."""
        seconds = self.job.training_seconds
        return self.billed_usd if seconds is None else seconds / 3600 * self.job.count * self.price.usd

    @property
    def ledger_usd(self) -> float:
        return sum(attempt.dollars for attempt in self.attempts)

    @property
    def saved_share(self) -> float:
        """Of spot: 1 − billable / training seconds."""
        return 1 - self.billed_usd / self.unreduced_usd if self.unreduced_usd else 0.0

    def differences(self) -> list[str]:
        """Sentences that explain why ledger and bill differ."""
        found = []
        if self.saved_share > 0.001:
            found.append(
                f"spot: AWS billed {self.saved_share:.0%} fewer seconds than the job ran, "
                f"${self.unreduced_usd - self.billed_usd:.4f} less; the ledger does not count on it"
            )
        rest = self.ledger_usd - self.unreduced_usd
        if abs(rest) >= 5e-5 and self.attempts:
            what = "more" if rest > 0 else "less"
            found.append(
                f"the ledger has ${abs(rest):.4f} {what} than the seconds that the job ran: it assumes "
                f"{self.order.tail_seconds:g} s of upload after each attempt, and asks AWS or assumes when one began"
            )
        if self.order.rate_usd_per_hour != self.price.usd * self.job.count:
            found.append(
                f"the ledger counts ${self.order.rate_usd_per_hour:g} an hour, the dearest type of the request"
            )
        if not self.order.metrics:
            found.append(f"'{self.order.verb}' keeps no ledger")
        elif not self.attempts:
            found.append("the ledger has no line of this job: it did not come as far")
        killed = sum(not attempt.ended for attempt in self.attempts)
        if killed:
            found.append(
                f"{killed} of {len(self.attempts)} attempts were killed; they are charged beyond their last line"
            )
        if not self.job.ended:
            found.append("the job has not ended: these numbers grow")
        return found

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **self.job.as_dict(),
            "verb": self.order.verb,
            "output": self.order.output,
            "cap_usd": self.order.cap_usd,
            "training_seconds": self.job.training_seconds,
            "price": {"usd_per_hour": self.price.usd, "source": self.price.describe()},
            "billed_usd": round(self.billed_usd, 6),
            "without_spot_usd": round(self.unreduced_usd, 6),
            "saved_by_spot": round(self.saved_share, 4),
            "ledger_usd": round(self.ledger_usd, 6),
            "ledger_seconds": round(sum(attempt.seconds for attempt in self.attempts), 3),
            "attempts": len(self.attempts),
            "run_usd": round(self.run_usd, 6),
            "differences": self.differences(),
        }

    def text(self) -> str:
        """For a person."""
        job, order = self.job, self.order
        seconds = self.job.training_seconds
        ran = "" if seconds is None else f", ran {duration(seconds)}"
        cap = "no cap in dollars" if order.cap_usd is None else f"cap ${order.cap_usd:,.2f}"
        lines = [
            f"{job.name}: {job.status}{f' ({job.failure})' if job.failure else ''}",
            f"  on       {job.count} × {job.instance}{', spot' if job.spot else ''}: {self.price.describe()}",
            f"  AWS      {duration(self.billed_seconds)} billed{ran} × {job.count} × ${self.price.usd:g} an hour "
            f"= ${self.billed_usd:.4f}",
            f"  ledger   ${self.ledger_usd:.4f} in {counted(len(self.attempts), 'attempt')}; "
            f"the whole run ${self.run_usd:.4f}, {cap}",
            *(f"  because  {one}" for one in self.differences()),
            f"  output   {order.output}",
        ]
        return "\n".join(lines)


def receipt_of(job: Job) -> Receipt:
    """Makes the receipt of a job.

    Raises:
        InputError: the job was not started by `tuppence aws launch`, or there is no price of its type.
    """
    order = order_of(job)
    attempts = attempts_at(order.output)
    own = tuple(attempt for attempt in attempts if attempt.job == job.name)
    price = price_of(job.instance, "training", job.region)
    return Receipt(job, order, price, own, sum(attempt.dollars for attempt in attempts))


def order_of(job: Job) -> Order:
    """Reads the order of a job from the folder of its channel in S3.

    Raises:
        InputError: it has none.
    """
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in job.description.get("InputDataConfig", [])
        if "S3DataSource" in channel.get("DataSource", {})
    }
    place = channels.get("order")
    if place is None:
        raise InputError(f"{job.name} has no order", "it was not started by 'tuppence aws launch'")
    with open_store(place.rstrip("/")).open(FILE) as stream:
        return Order.of_text(stream.read().decode("utf-8"), f"{place}{FILE}")
