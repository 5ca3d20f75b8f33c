"""Which prompts a run was trained on: RUN/trained-on.txt, so that an evaluation can count those that it asks again.

A line for each prompt, 16 hexadecimal digits of the sha256 of its normalised text: the file that was trained on may
have gone or changed since. Among a million prompts, a new one has the digits of an old one by a chance of 1 in 10^13.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from tuppence.core.files import explain_disk_errors, write_text
from tuppence.core.run import Run
from tuppence.data.records.leaks import lessons_of, normalise, prompt_of

_DIGITS = 16
_LINE = re.compile(rb"^[0-9a-f]{%d}$" % _DIGITS, re.MULTILINE)


def write_trained_rows(run: Path, rows: Iterable[object], *, origin: Path | None = None) -> None:
    """Notes the prompts of rows in a run's folder; of a conversation, one for each response.

    Args:
        rows: anything that `leaks.prompt_of` knows.
        origin: another run that this one continues: what it was trained on is noted, too.
    """
    digests = {digest_of(prompt_of(lesson)) for row in rows for lesson in lessons_of(row)}
    digests |= read_trained_rows(run) | (read_trained_rows(origin) if origin is not None else frozenset())
    write_text(Run(run).trained_on_file, "".join(f"{digest}\n" for digest in sorted(digests)))


def read_trained_rows(run: Path) -> frozenset[str]:
    """The digests of the prompts that a run was trained on; none where nothing is noted."""
    path = Run(run).trained_on_file
    if not path.is_file():
        return frozenset()
    with explain_disk_errors(path):
        return frozenset(line.decode() for line in _LINE.findall(path.read_bytes()))


def digest_of(prompt: str) -> str:
    """The digits of a prompt, whatever its white space and case.

    Example:
        >>> digest_of("Name a fruit.") == digest_of(" name A\\n fruit. ")
        True
    """
    return hashlib.sha256(normalise(prompt).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
