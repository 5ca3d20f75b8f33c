"""What the simulated AWS does to jobs: capacity, spot interruptions, the discount, and its slownesses and failures.

AWS decides these things; a rehearsal gets them from a plan or a seed, so that it can be repeated.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from tuppence.core.errors import InputError

PHASES = ("Downloading", "Training", "Uploading")
GRACE_SECONDS = 120.0  # between SIGTERM and SIGKILL (documentation of StopTrainingJob)


@dataclass(frozen=True)
class Interruption:
    """AWS takes back the spot instances of one attempt.

    Attributes:
        seconds: scaled seconds after the phase began.
        phase: one of `PHASES`. An attempt whose phase ends earlier is not interrupted.
    """

    seconds: float
    phase: str = "Training"

    def __post_init__(self) -> None:
        if self.phase not in PHASES or not self.seconds >= 0:
            raise InputError(
                f"an interruption after {self.seconds} seconds of {self.phase!r} is not possible",
                f"give seconds from 0 and one of the phases {', '.join(PHASES)}",
            )


@dataclass(frozen=True)
class Conditions:
    """All seconds are scaled.

    Attributes:
        interruptions: those of a job's attempts, in order; None spares an attempt. Spot jobs only.
        capacity_seconds: how long each attempt of a job waits for its instances; the later attempts do not wait.
        no_capacity: instance types that AWS does not have; spot jobs wait for them until their MaxWaitTimeInSeconds.
        patience_seconds: how long an on-demand job waits for a type without capacity before it fails.
        lead_seconds: least time of the phase Downloading, for the image and the start of the instances' software.
        upload_seconds: least time of the phase Uploading.
        grace_seconds: between SIGTERM and SIGKILL.
        spot_discount: 1 - billable seconds / training seconds of a spot job.
        runtime_restarts: whether MaxRuntimeInSeconds counts anew after an interruption. AWS does not document it; True
            is the case that costs more.
        sync_seconds: between two synchronizations of the checkpoint folder.
        sync_ends_after: the synchronization silently stops after this time; None: it does not.
        final_sync: whether the folder is synchronized once more after an interruption; None: by chance.
        internal_errors: attempts (from 1) in which SageMaker itself fails as training begins.
        throttle_every: every n-th call is answered by ThrottlingException; 0: none.
        quotas: instances by the name of the quota, for example `ml.g5.xlarge for spot training job usage`.
        default_quota: instances of all other quotas.
        seed: of the chances.
    """

    interruptions: tuple[Interruption | None, ...] = ()
    capacity_seconds: tuple[float, ...] = ()
    no_capacity: frozenset[str] = frozenset()
    patience_seconds: float = 3600.0
    lead_seconds: float = 5.0
    upload_seconds: float = 0.0
    grace_seconds: float = GRACE_SECONDS
    spot_discount: float = 0.5
    runtime_restarts: bool = True
    sync_seconds: float = 10.0
    sync_ends_after: float | None = None
    final_sync: bool | None = None
    internal_errors: frozenset[int] = frozenset()
    throttle_every: int = 0
    quotas: dict[str, float] = field(default_factory=dict)
    default_quota: float = 8.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.spot_discount < 1:
            raise InputError(
                f"a spot discount of {self.spot_discount} is not possible", "give a share from 0 to below 1"
            )

    def interruption(self, attempt: int, phase: str) -> float | None:
        """Scaled seconds after the start of a phase at which the attempt (from 1) is interrupted, or None."""
        planned = self.interruptions[attempt - 1] if attempt <= len(self.interruptions) else None
        return planned.seconds if planned is not None and planned.phase == phase else None

    def capacity(self, attempt: int) -> float:
        """Scaled seconds that an attempt (from 1) waits for instances."""
        return self.capacity_seconds[attempt - 1] if attempt <= len(self.capacity_seconds) else 0.0

    def syncs_at_end(self, job: str, attempt: int) -> bool:
        """Whether the checkpoint folder is synchronized after an interruption."""
        if self.final_sync is not None:
            return self.final_sync
        return random.Random(f"{self.seed}/{job}/{attempt}").random() < 0.5


def random_interruptions(
    seed: int, count: int, within_seconds: float, phases: tuple[str, ...] = ("Training",)
) -> Iterator[Interruption]:
    """Yields `count` interruptions, uniform in time within a phase that is drawn from `phases`.

    Args:
        within_seconds: scaled seconds of a phase in which it is interrupted.
    """
    chance = random.Random(seed)
    for _ in range(count):
        yield Interruption(chance.uniform(0, within_seconds), chance.choice(phases))
