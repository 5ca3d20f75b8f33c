"""How long it takes to bring a run's state to a store, and whether that fits before a machine is taken.

SageMaker sends SIGTERM, and SIGKILL 120 seconds later. A checkpoint of float32 weights with AdamW has 12 bytes for each
trained parameter, and the result 4 bytes for each parameter. The time on the disk comes first, then the upload.
"""

from __future__ import annotations

from dataclasses import dataclass

SIGTERM_SECONDS = 120.0
"""Between SIGTERM and SIGKILL in a SageMaker training job."""
ASSUMED_BYTES_PER_SECOND = 150e6
"""Upload to S3 from a machine of the same region before anything was measured. An assumption."""
ASSUMED_DISK_BYTES_PER_SECOND = 200e6
"""Write, flush and verify a checkpoint on the disk of an instance. An assumption."""
CHECKPOINT_BYTES_PER_PARAMETER = 12
RESULT_BYTES_PER_PARAMETER = 4
_FIXED_SECONDS = 5.0
"""The step that was under way, and small files."""


@dataclass(frozen=True)
class SaveTime:
    """The time to save a run after SIGTERM.

    Attributes:
        bytes: of the checkpoint and the result.
        disk_seconds, upload_seconds: to write them, and to bring them to the store.
        measured: whether the speed of the upload was measured.
    """

    bytes: int
    disk_seconds: float
    upload_seconds: float
    measured: bool

    @property
    def seconds(self) -> float:
        """All together."""
        return _FIXED_SECONDS + self.disk_seconds + self.upload_seconds

    @property
    def fits(self) -> bool:
        """Whether SIGTERM leaves enough time. If not, only checkpoints by the clock limit what is lost."""
        return self.seconds <= SIGTERM_SECONDS


def save_time(
    parameters: int,
    *,
    trained_parameters: int | None = None,
    bytes_per_second: float | None = None,
    disk_bytes_per_second: float = ASSUMED_DISK_BYTES_PER_SECOND,
) -> SaveTime:
    """Computes the time to save a model of this size after SIGTERM.

    Args:
        trained_parameters: fewer than `parameters` for an adapter.
        bytes_per_second: measured speed of the upload; by default an assumed one.

    Example:
        >>> small = save_time(124_439_808)
        >>> round(small.seconds), small.fits
        (28, True)
        >>> save_time(1_557_611_200).fits
        False
    """
    trained = parameters if trained_parameters is None else trained_parameters
    size = CHECKPOINT_BYTES_PER_PARAMETER * trained + RESULT_BYTES_PER_PARAMETER * parameters
    speed = bytes_per_second or ASSUMED_BYTES_PER_SECOND
    return SaveTime(size, size / disk_bytes_per_second, size / speed, bytes_per_second is not None)
