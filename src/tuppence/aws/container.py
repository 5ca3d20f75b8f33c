"""What a training container finds: folders, channels, hosts (docs.aws.amazon.com, "How Amazon SageMaker AI provides
training information").

SAGEMAKER_BASE_DIR names another folder than /opt/ml, as for AWS's own toolkit; the local SageMaker sets it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tuppence.aws.order import CHANNEL, FILE, LIMIT_BYTES, Order
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import read_json, sha256_file
from tuppence.cost.hardware import instances

BASE_VARIABLE = "SAGEMAKER_BASE_DIR"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Hosts:
    """The machines of a job, from resourceconfig.json.

    Attributes:
        current: the name of this one.
        all: the names, sorted, so that every machine has the same order.
        instance: the type.
        interface: the network interface between them.
    """

    current: str
    all: tuple[str, ...]
    instance: str
    interface: str

    @property
    def rank(self) -> int:
        return self.all.index(self.current)


@dataclass(frozen=True)
class Container:
    """The folder /opt/ml, or the one that takes its place."""

    base: Path

    @classmethod
    def here(cls, environ: Mapping[str, str] | None = None) -> Self:
        """The container of this process."""
        return cls(Path((os.environ if environ is None else environ).get(BASE_VARIABLE) or "/opt/ml"))

    @property
    def model(self) -> Path:
        """Uploaded by SageMaker when the job ends, while it is billed."""
        return self.base / "model"

    @property
    def failure_file(self) -> Path:
        """Its first 1,024 characters become the FailureReason."""
        return self.base / "output" / "failure"

    @property
    def inputs(self) -> Path:
        """Has a folder for each input channel."""
        return self.base / "input" / "data"

    def channel(self, name: str) -> Path:
        """The folder of an input channel.

        Raises:
            CorruptFileError: the name is no channel.
        """
        if not _PLAIN_NAME.fullmatch(name) or name in (".", ".."):
            raise CorruptFileError(f"{name!r} is no name of an input channel", "start the job again")
        return self.inputs / name

    def order(self) -> Order:
        """Reads what the job has to do.

        Raises:
            InputError: the channel is missing: the job was not started by `tuppence aws launch`.
        """
        path = self.channel(CHANNEL) / FILE
        if not path.is_file():
            raise InputError(f"there is no {path}", "start the job with 'tuppence aws launch'")
        if path.stat().st_size > LIMIT_BYTES:
            raise CorruptFileError(f"{path} is too large for an order", "start the job again")
        return Order.of_text(path.read_text(encoding="utf-8"), str(path))

    def hosts(self) -> Hosts:
        """Reads resourceconfig.json; one machine of unknown type if it is missing."""
        return read_hosts(self.base / "input" / "config" / "resourceconfig.json")

    def verify(self, order: Order) -> int:
        """Compares the files in the channels with their sha256 at the launch, and returns how many they are.

        Raises:
            CorruptFileError: a file is missing or damaged. SageMaker does not promise that files arrive whole.
        """
        count = 0
        for channel, files in order.files.items():
            folder = self.channel(channel)
            for name, (size, digest) in files.items():
                path = folder / name
                if not path.resolve().is_relative_to(folder.resolve()):
                    raise CorruptFileError(f"the order names {name!r}, outside its channel", "start the job again")
                if not path.is_file() or path.stat().st_size != size or sha256_file(path) != digest:
                    what = "is damaged" if path.is_file() else "is missing"
                    raise CorruptFileError(f"{path} {what}", "start the job again; S3 still has the file")
                count += 1
        return count


def read_hosts(path: Path) -> Hosts:
    """Reads a resourceconfig.json; one machine of unknown type if it is missing."""
    if not path.is_file():
        return Hosts("algo-1", ("algo-1",), "", "lo")
    given = read_json(path, 2**20)
    if not isinstance(given, dict):
        raise CorruptFileError(f"{path} is damaged", "report it to AWS")
    return _hosts(given, path)


def devices(instance: str) -> int:
    """Processes that a machine runs for one training: one for each GPU, at least one.

    Args:
        instance: the type; for one that is not in our table, the device files of NVIDIA's driver are counted.
    """
    known = instances().get(instance.removeprefix("ml."))
    if known is not None:
        present = len(list(Path("/dev").glob("nvidia[0-9]*")))
        return min(known.gpus, present) if present else 1  # a rehearsed g5.12xlarge has no GPU
    return max(len(list(Path("/dev").glob("nvidia[0-9]*"))), 1)


def _hosts(given: Mapping[str, Any], path: Path) -> Hosts:
    try:
        names = tuple(sorted(map(str, given["hosts"])))
        found = Hosts(
            str(given["current_host"]),
            names,
            str(given.get("current_instance_type", "")),
            str(given.get("network_interface_name", "eth0")),
        )
        _ = found.rank
    except (KeyError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path} names no hosts: {error!r}", "report it to AWS") from error
    return found
