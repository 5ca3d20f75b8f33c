"""The documents of .txt and .md files, and the decoding of UTF-8 in bounded memory."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from tuppence.core.encodings import not_utf8, refuse_other_unicode
from tuppence.core.errors import InputError
from tuppence.data.inputs import Source
from tuppence.data.pieces import PIECE_CHARACTERS, Piece, ReadReport, cut_document, cut_of
from tuppence.data.unpacking import OnBytes, read_chunks
from tuppence.tokenizer.vocabulary import END_OF_TEXT

SEPARATOR = END_OF_TEXT
"""Separates the documents of a .txt or .md file, anywhere in it. It includes one line break on each side."""

_SEPARATOR_SLACK = len("\r\n" + SEPARATOR)
_WEB_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_WEB_PAGE_BYTES = 2**16  # error pages of servers are smaller


def text_pieces(source: Source, report: ReadReport, on_bytes: OnBytes | None) -> Iterator[Piece]:
    """Yields the documents of a .txt or .md file; notes in the report whether it looks like a web page."""
    rest = ""  # of the current document; its first line break can be part of the separator
    number, follows_separator, begun = 1, False, False
    at_beginning = True
    for chunk in decoded_text(source, on_bytes):
        if at_beginning and len(chunk) < _WEB_PAGE_BYTES and _WEB_PAGE.match(chunk):
            report.web_pages.append(source.path)
        at_beginning = False
        *complete, rest = (rest + chunk).split(SEPARATOR)
        for text in complete:
            text = _without_end_of_line(_without_start_of_line(text) if follows_separator else text)
            yield from _finish(source, number, text, begun)
            number, follows_separator, begun = number + 1, True, False
        while len(rest) > PIECE_CHARACTERS + _SEPARATOR_SLACK:
            if follows_separator:
                rest, follows_separator = _without_start_of_line(rest), False
                continue
            cut = cut_of(rest)
            yield Piece(source.path, number, rest[:cut], last=False)
            rest, begun = rest[cut:], True
    yield from _finish(source, number, _without_start_of_line(rest) if follows_separator else rest, begun)


def _finish(source: Source, number: int, text: str, begun: bool) -> Iterator[Piece]:
    """Yields the last pieces of a document. If earlier pieces have been yielded, an empty end is a piece, too."""
    pieces = list(cut_document(source.path, number, text))
    if begun and not pieces:
        pieces = [Piece(source.path, number, text, last=True)]
    yield from pieces


def _without_start_of_line(text: str) -> str:
    return text[2:] if text.startswith("\r\n") else text.removeprefix("\n")


def _without_end_of_line(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")


def decoded_text(source: Source, on_bytes: OnBytes | None) -> Iterator[str]:
    """Yields UTF-8 text in chunks, without a byte-order mark and with its line ends unchanged.

    Raises:
        InputError: a zero byte, or bytes that are not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = lines = 0
    for chunk in read_chunks(source, on_bytes):
        if offset == 0:
            refuse_other_unicode(source.path, chunk)
            if chunk.startswith(codecs.BOM_UTF8):
                chunk, offset = chunk[3:], 3
        zero = chunk.find(b"\0")
        if zero >= 0:
            raise InputError(
                f"{source.path} is binary: a zero byte at offset {offset + zero:,}", "name a UTF-8 text file"
            )
        pending = len(decoder.getstate()[0])  # bytes of a character that began in the last chunk
        try:
            text = decoder.decode(chunk)
        except UnicodeDecodeError as error:
            raise _not_utf8(source, offset - pending, lines, error) from error
        offset += len(chunk)
        lines += chunk.count(b"\n")
        yield text
    pending = len(decoder.getstate()[0])
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise _not_utf8(source, offset - pending, lines, error) from error


def _not_utf8(source: Source, offset: int, lines: int, error: UnicodeDecodeError) -> InputError:
    line = lines + error.object[: error.start].count(b"\n") + 1
    byte = f"byte 0x{error.object[error.start]:02x} at offset {offset + error.start:,} (line {line:,})"
    return not_utf8(source.path, f"{source.path} is not UTF-8: {byte}")
