"""Texts to classify: from lines and from tables."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.records.unlabelled import iter_lines, iter_unlabelled

TEXTS = ["See you at noon", 'You have "WON", call', "Ärger; mit\u2028Umlauten"]


def test_every_line_that_is_not_blank_is_a_text(tmp_path: Path) -> None:
    content = "\ufeff" + "\r\n \n".join(TEXTS)
    for name in ("mail.txt", "mail", "mail.txt.gz"):
        data = content.encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        assert list(iter_unlabelled(str(tmp_path / name))) == TEXTS


@pytest.mark.parametrize("column", ["body", "1"])
def test_the_named_column_of_a_table_is_read(tmp_path: Path, column: str) -> None:
    rows = [{"id": number, "body": text, "text": "another"} for number, text in enumerate(TEXTS)]
    (tmp_path / "mail.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "mail.json").write_text(json.dumps(rows))
    quoted = [
        "id,body,text",
        *(f'{row["id"]},"{str(row["body"]).replace(chr(34), chr(34) * 2)}",another' for row in rows),
    ]
    (tmp_path / "mail.csv").write_text("\n".join(quoted))
    for name in ("mail.jsonl", "mail.json", "mail.csv"):
        assert list(iter_unlabelled(str(tmp_path / name), text_column=column)) == TEXTS


def test_the_text_column_has_a_usual_name_or_is_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": 1, "Message": "hello"}\n')
    (tmp_path / "b.jsonl").write_text('{"anything": "hello"}\n')
    assert [list(iter_unlabelled(str(tmp_path / name))) for name in ("a.jsonl", "b.jsonl")] == [["hello"], ["hello"]]


def test_lines_can_end_with_carriage_returns(tmp_path: Path) -> None:
    (tmp_path / "mail.txt").write_bytes("\r\r".join(TEXTS).encode())
    assert list(iter_unlabelled(str(tmp_path / "mail.txt"))) == TEXTS


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.jsonl", '{"x": "1", "y": "2"}\n', None, "which column is the text. It has x, y"),
        ("a.jsonl", '{"x": "1", "y": "2"}\n', "z", "no column 'z' .it has x, y."),
        ("a.jsonl", '{"text": "ok"}\n{"text": " "}\n', None, "line 2: the text is empty"),
        ("a.jsonl", '{"text": "ok"}\n{"text": 7}\n', None, "line 2: 'text' is not a string but a number"),
        ("a.txt", "hello\n", "text", "has no columns"),
    ],
)
def test_bad_files_are_refused_in_one_line(
    tmp_path: Path, name: str, content: str, column: str | None, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        list(iter_unlabelled(str(tmp_path / name), text_column=column))


def test_a_missing_file_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such file"):
        list(iter_unlabelled(str(tmp_path / "none.txt")))
    with pytest.raises(InputError, match=r"stdin, line 2: not UTF-8 .byte 2"):
        list(iter_lines(io.BytesIO(b"ok\na\xe9\n"), "stdin"))
    with pytest.raises(InputError, match="line 1: binary"):
        list(iter_lines(io.BytesIO(b"some text\0 and more\n"), "stdin"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
def test_the_error_names_utf_16_for_files_and_stdin(tmp_path: Path, encoding: str) -> None:
    content = "one\ntwo\n".encode(encoding)
    (tmp_path / "u.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"u\.txt is UTF-16.*, not UTF-8") as caught:
        list(iter_unlabelled(str(tmp_path / "u.txt")))
    assert caught.value.hint.endswith(f"{tmp_path / 'u.txt'} > new.txt")
    with pytest.raises(InputError, match="stdin is UTF-16"):
        list(iter_lines(io.BytesIO(content), "stdin"))


def test_a_line_above_the_limit_is_refused() -> None:
    class Endless(io.RawIOBase):
        def readline(self, size: int | None = -1, /) -> bytes:
            return b"x" * (size or 1)

    with pytest.raises(InputError, match="line 1: longer than 16 MiB"):
        list(iter_lines(Endless(), "stdin"))  # type: ignore[arg-type]


def test_a_long_stream_of_lines_is_read_in_bounded_memory() -> None:
    class Lines(io.RawIOBase):
        left = 20_000

        def readline(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return b"y" * 999 + b"\n" if self.left >= 0 else b""

    def count(texts: Iterator[str]) -> int:
        return sum(1 for _ in texts)

    tracemalloc.start()
    assert count(iter_lines(Lines(), "stdin")) == 20_000  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20
