"""Names the encoding of bytes that are not UTF-8, and the command that converts them. For all readers of text."""

from __future__ import annotations

import codecs
import shlex

from tuppence.core.errors import InputError

STDIN = "stdin"
"""The name of stdin in messages."""

_SAMPLE_BYTES = 4096
_UNPACKERS = {".gz": "gzip -dc", ".zst": "zstd -dc"}


def refuse_other_unicode(name: str, beginning: bytes) -> None:
    """Refuses UTF-16 and UTF-32.

    Args:
        name: path of the file, or `STDIN`.
        beginning: its first bytes.

    Raises:
        InputError: they have the byte-order mark of one of these, or the zero bytes of UTF-16 without a mark.
    """
    encoding = _other_unicode(beginning[:_SAMPLE_BYTES])
    if encoding is not None:
        raise InputError(f"{name} is {encoding}, not UTF-8", f"convert it: {conversion(name, encoding)}")


def not_utf8(name: str, where: str) -> InputError:
    """The error for a file with bytes that are not UTF-8.

    Args:
        name: path of the file, or `STDIN`.
        where: what is wrong and where, with the name.
    """
    return InputError(where, f"convert it, for example from Latin-1: {conversion(name, 'LATIN1')}")


def conversion(name: str, encoding: str) -> str:
    """The command that converts a file to UTF-8.

    Example:
        >>> conversion("my mail.csv.gz", "UTF-16")
        "gzip -dc 'my mail.csv.gz' | iconv -f UTF-16 -t UTF-8 > new.csv"
        >>> conversion(STDIN, "UTF-16")
        'iconv -f UTF-16 -t UTF-8 FILE | tuppence …'
    """
    command = f"iconv -f {encoding} -t UTF-8"
    if name == STDIN:
        return f"{command} FILE | tuppence …"
    packed = next((suffix for suffix in _UNPACKERS if name.lower().endswith(suffix)), "")
    stem = name[: len(name) - len(packed)].rpartition("/")[2]
    new = "new" + (f".{stem.rpartition('.')[2]}" if "." in stem.lstrip(".") else "")
    if packed:
        return f"{_UNPACKERS[packed]} {shlex.quote(name)} | {command} > {new}"
    return f"{command} {shlex.quote(name)} > {new}"


def _other_unicode(beginning: bytes) -> str | None:
    if beginning.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "UTF-32"
    if beginning.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16"
    if len(beginning) < 4:
        return None
    first, second = beginning[::2].count(0), beginning[1::2].count(0)
    if first + second <= len(beginning) // 4 or (first and second):
        return None
    return "UTF-16BE" if first else "UTF-16LE"
