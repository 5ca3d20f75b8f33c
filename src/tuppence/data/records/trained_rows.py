"""RUN/trained-on.txt: digests of the prompts of a training run, so that an evaluation can count repeated prompts.

One line for each prompt: 16 hexadecimal digits of the sha256 of its normalised text. Digests are stored because the
training file can be moved or changed later. With a million trained prompts, the probability that a new prompt has the
digest of one of them is about 1 in 10^13.
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
    """Writes the digests of the rows' prompts into a run's folder; for a conversation, one for each response.

    Args:
        rows: of any type that `leaks.prompt_of` accepts.
        origin: another run that this run continues; its digests are added.
    """
    digests = {digest_of(prompt_of(lesson)) for row in rows for lesson in lessons_of(row)}
    digests |= read_trained_rows(run) | (read_trained_rows(origin) if origin is not None else frozenset())
    write_text(Run(run).trained_on_file, "".join(f"{digest}\n" for digest in sorted(digests)))


def read_trained_rows(run: Path) -> frozenset[str]:
    """The digests of the prompts that a run was trained on; empty if the file does not exist."""
    path = Run(run).trained_on_file
    if not path.is_file():
        return frozenset()
    with explain_disk_errors(path):
        return frozenset(line.decode() for line in _LINE.findall(path.read_bytes()))


def digest_of(prompt: str) -> str:
    """The digest of a prompt, independent of its white space and case.

    Example:
        >>> digest_of("Name a fruit.") == digest_of(" name A\\n fruit. ")
        True
    """
    return hashlib.sha256(normalise(prompt).encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
