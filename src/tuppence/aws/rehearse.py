"""`--rehearse`: the verbs of `tuppence aws` against a SageMaker on this machine, for $0.

Jobs are real processes of this machine, S3 is a server of this machine, and everything is kept in one folder, so that
a rehearsed job can be resumed later. It shows what our code does, and nothing about AWS.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuppence.aws.account import Account
from tuppence.aws.local import ACCOUNT, Conditions, Interruption, LocalSageMaker
from tuppence.core.cache import cache_folder
from tuppence.core.errors import InputError

FOLDER_VARIABLE = "TUPPENCE_REHEARSAL"
BUCKET = "tuppence-rehearsal"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tuppence-rehearsal"


def rehearsal_folder() -> Path:
    """Where jobs, logs and objects of rehearsals are: the folder of TUPPENCE_REHEARSAL, or one in the user's cache.

    Raises:
        InputError: there is no home folder.
    """
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        return Path(given)
    cache = cache_folder()
    if cache is None:
        raise InputError("there is no home folder for a rehearsal", f"set {FOLDER_VARIABLE} to a folder")
    return cache / "rehearsal"


@contextlib.contextmanager
def rehearsal(interruptions: Sequence[float] = (), *, scale: float = 1.0) -> Iterator[Account]:
    """Points this process's boto3 at a local SageMaker while the block runs; yields its bucket and role.

    Args:
        interruptions: spot machines are taken so many seconds after the training of each attempt began.
        scale: seconds of the rehearsed clock in a second of this machine.
    """
    conditions = Conditions(interruptions=tuple(Interruption(seconds * scale) for seconds in interruptions))
    with rehearsed(LocalSageMaker(rehearsal_folder(), conditions=conditions, scale=scale)) as account:
        yield account


@contextlib.contextmanager
def rehearsed(sagemaker: LocalSageMaker) -> Iterator[Account]:
    """Starts a local SageMaker, points this process's boto3 at it while the block runs, and yields bucket and role."""
    with sagemaker, sagemaker.applied():
        s3 = sagemaker.client("s3")
        if BUCKET not in [one["Name"] for one in s3.list_buckets().get("Buckets", [])]:
            s3.create_bucket(Bucket=BUCKET)
        yield Account(BUCKET, ROLE, sagemaker.region)
