"""`Order`: what a job has to do, as a file in one of its input channels. `launch` writes it, the entry point reads it.

A verb line does not fit into hyperparameters (2,500 characters each), and a file is read by `resume` and `receipt` too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tuppence.core.errors import CorruptFileError

CHANNEL = "order"
FILE = "order.json"
VERSION = 1
LIMIT_BYTES = 16 * 2**20


@dataclass(frozen=True)
class InChannel:
    """A word of a verb line that names an input of the job.

    Attributes:
        channel: the input channel.
        path: below the folder of the channel; empty for the folder itself.
        before: what stands before the path, such as `--data=`.
    """

    channel: str
    path: str = ""
    before: str = ""


Word = str | InChannel


@dataclass(frozen=True)
class Order:
    """What a job has to do, and what it may cost.

    Attributes:
        verb: such as "finetune classify".
        words: the verb line as the job runs it, without `--budget` and `--rate`.
        line: the verb line as it was given.
        output: where the result goes; a location, or empty.
        cap_usd: most US dollars of all attempts at the run together; None if only time ends it, or if the verb has no
            such limit.
        rate_usd_per_hour: of all instances together, on demand.
        rate_source: where the price was read.
        instances: type, and those that may take its place.
        count: of instances.
        spot: whether it is a spot job.
        region: of AWS.
        lead_seconds, tail_seconds: assumed to be billed before the entry point starts and after it ends.
        several_ranks: whether the verb can use several devices.
        metrics: whether the verb trains, and writes lines of metrics.
        files: channel → name → (bytes, sha256) of the files that the job must find there.
    """

    verb: str
    words: tuple[Word, ...]
    line: tuple[str, ...]
    output: str
    cap_usd: float | None
    rate_usd_per_hour: float
    rate_source: str
    instances: tuple[str, ...]
    count: int
    spot: bool
    region: str
    lead_seconds: float
    tail_seconds: float
    several_ranks: bool = False
    metrics: bool = False
    files: Mapping[str, Mapping[str, tuple[int, str]]] = field(default_factory=dict)

    def as_text(self) -> str:
        """The order as JSON."""
        return json.dumps({"version": VERSION, **asdict(self)}, indent=1)

    @classmethod
    def of_text(cls, text: str, where: str = FILE) -> Order:
        """Reads an order.

        Raises:
            CorruptFileError: it is damaged, or from another version.
        """
        try:
            given = json.loads(text)
            version = given.pop("version")
            if version != VERSION:
                raise CorruptFileError(f"{where} is an order of version {version}", "start the job again")
            words = tuple(word if isinstance(word, str) else InChannel(**word) for word in given.pop("words"))
            files = {
                channel: {name: (int(size), str(digest)) for name, (size, digest) in inside.items()}
                for channel, inside in given.pop("files").items()
            }
            line, instances = tuple(given.pop("line")), tuple(given.pop("instances"))
            return cls(words=words, files=files, line=line, instances=instances, **given)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CorruptFileError(f"{where} is damaged: {error!r}", "start the job again") from error

    def verb_line(self, folder_of: Callable[[str], Path]) -> list[str]:
        """The words of the verb line, with the paths of this machine.

        Args:
            folder_of: the folder of a channel.
        """
        return [_resolved(word, folder_of) for word in self.words]

    def as_dict(self) -> dict[str, Any]:
        """For JSON, without the list of files."""
        return {key: value for key, value in asdict(self).items() if key not in ("files", "words")}


def _resolved(word: Word, folder_of: Callable[[str], Path]) -> str:
    if isinstance(word, str):
        return word
    folder = folder_of(word.channel)
    return f"{word.before}{folder / word.path if word.path else folder}"
