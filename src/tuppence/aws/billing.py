"""Since when this machine is billed, asked of AWS or assumed, for the ledger (`cost.billing`)."""

from __future__ import annotations

import datetime
import time

from tuppence.aws.jobs import BILLED, billed_lives, describe
from tuppence.aws.order import Order
from tuppence.core.errors import TuppenceError
from tuppence.cost.billing import Billing


def find_billing(order: Order, job: str, region: str | None, scale: float = 1.0) -> Billing:
    """Finds the billing of this machine.

    AWS tells the start of each phase of a job to whoever may call DescribeTrainingJob. Without that right, or without
    an answer, `order.lead_seconds` are assumed, and what earlier machines of the job were billed for is not known.

    Args:
        job: the name of the job; empty if it is unknown.
        scale: seconds of a rehearsed clock in a second of this machine.
    """
    now, tail = time.time(), order.tail_seconds / scale
    lives: list[float] = []
    why = "the job has no name"
    if job:
        try:
            phases = describe(job, region).phases
            lives = billed_lives(phases, datetime.datetime.fromtimestamp(now, datetime.UTC))
            if lives and phases[-1].status in BILLED:
                since = now - lives[-1]
                return Billing(job, since, sum(lives[:-1]), tail, "DescribeTrainingJob", order.rate_source)
            why = "AWS does not list a billed phase yet"
        except TuppenceError as error:
            why = error.message
    basis = f"{order.lead_seconds:g} s of lead are assumed: {why}"
    return Billing(job, now - order.lead_seconds / scale, sum(lives), tail, basis, order.rate_source)
