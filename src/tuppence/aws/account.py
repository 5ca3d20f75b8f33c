"""The bucket and the role that jobs use: those of the stack, or those that the user names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tuppence.aws.stack import outputs
from tuppence.core.errors import InputError


@dataclass(frozen=True)
class Account:
    """What a job needs of an account.

    Attributes:
        bucket: name.
        role_arn: of the role that the job runs with.
        region: of both.
        instances: the types that the launcher's policy allows; empty if that is not known.
        max_runtime: the longest job that it allows, in seconds; None if that is not known.
    """

    bucket: str
    role_arn: str
    region: str
    instances: tuple[str, ...] = ()
    max_runtime: int | None = None

    def require_instances(self, types: Iterable[str]) -> None:
        """Checks that the launcher's policy allows some instance types.

        Raises:
            InputError: AWS would refuse the job.
        """
        for one in types:
            if self.instances and one not in self.instances:
                flags = " ".join(f"--instances {each}" for each in (*self.instances, one))
                raise InputError(
                    f"the stack in {self.region} does not allow {one}", f"allow it: tuppence aws init {flags}"
                )

    def uri(self, key: str) -> str:
        """A location in the bucket.

        Example:
            >>> Account("tuppence-1", "role", "us-east-1").uri("runs/tiny")
            's3://tuppence-1/runs/tiny'
        """
        return f"s3://{self.bucket}/{key}"


def find_account(region: str, bucket: str | None = None, role_arn: str | None = None) -> Account:
    """Finds bucket and role; both are asked of the stack unless both are given.

    Raises:
        InputError: only one is given, or there is no stack.
    """
    if (bucket is None) != (role_arn is None):
        raise InputError("--bucket and --role belong together", "give both, or neither after 'tuppence aws init'")
    if bucket is not None and role_arn is not None:
        return Account(bucket.removeprefix("s3://").rstrip("/"), role_arn, region)
    found = outputs(region)
    return Account(found.bucket, found.role_arn, region, found.instances, found.max_runtime_seconds)
