"""The first process of a machine of a processing job: prepares this machine's part of a corpus.

The number of the part is the place of the machine among the hosts of the job. It goes to `OUTPUT/part-I`. The machine
that finds all parts there merges them. Several machines may find that at the same time; they write the same bytes. If
the job is stopped, started again it leaves finished parts as they are.
"""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from tuppence.aws.container import Container, Hosts, read_hosts
from tuppence.aws.entry import Child, say
from tuppence.aws.failure import failure_line
from tuppence.aws.order import Order
from tuppence.core.errors import TuppenceError
from tuppence.data.shards import INDEX_NAME
from tuppence.storage import join, open_store

MESSAGE_BYTES = 1000
"""AWS keeps a kilobyte of the message."""


class ProcessingContainer(Container):
    """The folder /opt/ml of a processing job."""

    @property
    def inputs(self) -> Path:
        return self.base / "processing" / "input"

    @property
    def resources_file(self) -> Path:
        return self.base / "config" / "resourceconfig.json"

    @property
    def message_file(self) -> Path:
        """Its content becomes the ExitMessage of the job."""
        return self.base / "output" / "message"

    @property
    def cache(self) -> Path:
        """On the volume of the job: parts and the merged positions are written here before they go to S3."""
        return self.base / "processing" / "tuppence"


def main() -> int:
    """Prepares the part of this machine; returns the exit code."""
    container = ProcessingContainer.here()
    child = Child()
    with child.forwarding():
        try:
            order, hosts = container.order(), read_hosts(container.resources_file)
            count = container.verify(order)
            say(f"{count} input files verified; machine {hosts.rank + 1} of {len(hosts.all)}")
            code = _prepared(child, container, order, hosts)
        except TuppenceError as error:
            line = failure_line([f"error: {error.message}", f"  hint: {error.hint}"], error.exit_code)
            say(f"error: {line}")
            _write_message(container, line)
            return error.exit_code
    if code:
        _write_message(container, failure_line(child.last_lines(), code))
    return code


def part_folder(output: str, number: int) -> str:
    """Where a part goes.

    Example:
        >>> part_folder("s3://bucket/data", 3)
        's3://bucket/data/part-3'
    """
    return join(output, f"part-{number}")


def prepare_command(order: Order, container: Container, hosts: Hosts) -> list[str]:
    """The command that prepares the part of this machine."""
    number, of = hosts.rank + 1, len(hosts.all)
    place = ["--part", f"{number}/{of}", "--out", part_folder(order.output, number)]
    words = order.verb_line(container.channel)
    return [sys.executable, "-m", "tuppence", *order.verb.split(), *place, *words]


def _prepared(child: Child, container: ProcessingContainer, order: Order, hosts: Hosts) -> int:
    container.cache.mkdir(parents=True, exist_ok=True)
    on_volume = dict.fromkeys(("XDG_CACHE_HOME", "TMPDIR"), str(container.cache))
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", **on_volume}
    code = child.run(prepare_command(order, container, hosts), environment)
    if code:
        return code
    missing = unfinished_parts(order.output, len(hosts.all))
    if missing:
        say(f"{len(missing)} of {len(hosts.all)} parts are not there yet; the last machine merges them")
        return 0
    return child.run([sys.executable, "-m", "tuppence", "data", "merge", order.output], environment)


def unfinished_parts(output: str, of: int) -> list[int]:
    """The numbers of the parts that are not finished: their index is not there."""
    store = open_store(output)
    return [number for number in range(1, of + 1) if store.describe(f"part-{number}/{INDEX_NAME}") is None]


def _write_message(container: ProcessingContainer, line: str) -> None:
    with contextlib.suppress(OSError):
        container.message_file.parent.mkdir(parents=True, exist_ok=True)
        container.message_file.write_bytes(line.encode()[:MESSAGE_BYTES])


if __name__ == "__main__":
    sys.exit(main())
