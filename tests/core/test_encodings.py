"""Encodings other than UTF-8 are named, with the command that converts the file."""

from __future__ import annotations

import pytest

from tuppence.core.encodings import STDIN, not_utf8, refuse_other_unicode
from tuppence.core.errors import InputError


@pytest.mark.parametrize(
    ("encoding", "name"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16LE"),  # without a byte-order mark, as some editors write it
        ("utf-16-be", "UTF-16BE"),
        ("utf-32", "UTF-32"),
    ],
)
def test_other_unicode_is_named_with_the_command_that_converts_it(encoding: str, name: str) -> None:
    with pytest.raises(InputError, match=rf"my mail\.csv is {name}, not UTF-8") as caught:
        refuse_other_unicode("mail/my mail.csv", "a mail\n".encode(encoding))
    assert caught.value.hint == f"convert it: iconv -f {name} -t UTF-8 'mail/my mail.csv' > new.csv"


@pytest.mark.parametrize(
    "content", [b"", b"abc", "été, 日本語\n".encode(), b"\0\0\0\0\0\0", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"]
)
def test_text_and_binary_content_are_no_other_unicode(content: bytes) -> None:
    refuse_other_unicode("a.txt", content)


def test_the_command_for_latin_1_names_the_file_or_reads_from_a_pipe() -> None:
    assert not_utf8("mail", "x").hint.endswith("from Latin-1: iconv -f LATIN1 -t UTF-8 mail > new")
    assert not_utf8("a.txt.gz", "x").hint.endswith("gzip -dc a.txt.gz | iconv -f LATIN1 -t UTF-8 > new.txt")
    assert not_utf8(STDIN, "x").hint.endswith("iconv -f LATIN1 -t UTF-8 FILE | tuppence …")
