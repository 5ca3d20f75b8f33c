"""Writes documents as a text file that `sources` reads back document for document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.core.files import atomic_file
from tuppence.data.readers import SEPARATOR


def write_documents(out: Path, texts: Iterable[str], on_document: Callable[[], object] = lambda: None) -> int:
    """Writes one file, complete or absent, and returns its size in bytes.

    Args:
        out: .txt, each document followed by a line `<|endoftext|>`; or .jsonl, one {"text": …} a line.
        texts: drawn one by one.
        on_document: called after each, for a progress bar.

    Raises:
        InputError: another suffix, or a text for .txt that holds the separator itself.
    """
    if out.suffix not in (".txt", ".jsonl"):
        raise InputError(f"{out}: we write .txt and .jsonl", "choose one of them for --out")
    with atomic_file(out) as file:
        for number, text in enumerate(texts):
            if out.suffix == ".jsonl":
                file.write(json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n")
            else:
                if SEPARATOR in text:
                    raise InputError(f"document {number + 1:,} holds {SEPARATOR} itself", "write .jsonl instead")
                file.write(f"{text}\n{SEPARATOR}\n".encode())
            on_document()
        return file.tell()
