"""`tp.launch`: `tuppence aws launch` as a call in a notebook.

It is here because only the command line knows which words of a verb line name inputs and outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuppence.course.cloud import CloudJob


def launch(
    *line: str | int | float | Path,
    instance: str = "ml.g4dn.xlarge",
    spot: bool = False,
    budget: float | None = None,
    max_hours: float | None = None,
    interruptions: int = 0,
) -> CloudJob:
    """Runs a verb as a training job of SageMaker in the cloud that `tp.cloud()` has opened, and waits for its end.

    Args:
        line: the verb and its arguments, as on the command line.
        instance: type, with `ml.`.
        spot: whether AWS may take the machine at any moment, and bills fewer seconds.
        budget: most US dollars of all attempts at the output together.
        max_hours: longest billed time of the job.
        interruptions: in a rehearsal of a spot job, how often the machine is taken: each time when a new checkpoint
            has arrived in S3.

    Raises:
        InputError: no cloud is open, or the job is refused; the message says why and what to do.
        TuppenceError: the job has failed.

    Example:
        >>> tp.launch("pretrain", "--data", "DATA", "--out", "runs/tiny", spot=True, budget=2)  # doctest: +SKIP
    """
    from tuppence.aws.launch import Wish
    from tuppence.cli.verb_line import read_verb_line
    from tuppence.course.cloud import run_job

    wish = Wish(instance=instance, spot=spot, budget_usd=budget, max_hours=max_hours)
    return run_job(read_verb_line([str(word) for word in line]), wish, interruptions=interruptions)
