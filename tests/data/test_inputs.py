"""Files, folders and globs are found; packed files are unpacked, and damaged ones refused by name."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
import zstandard

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.inputs import find_sources, read_chunks

TEXT = "".join(random.Random(1).choices("abcdefgh \n", k=3_000_000)).encode()


def names(*inputs: str) -> list[str]:
    return [source.path for source in find_sources(inputs)]


def content(path: Path) -> bytes:
    return b"".join(read_chunks(find_sources([str(path)])[0]))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.md", "deep/c.jsonl", "deep/er/d.parquet", "e.txt.gz", "f.jsonl.zst", "picture.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "empty.txt").touch()
    return tmp_path


def test_a_folder_is_read_recursively_in_sorted_order_and_only_what_we_read(corpus: Path) -> None:
    wanted = ["a.md", "b.txt", "deep/c.jsonl", "deep/er/d.parquet", "e.txt.gz", "f.jsonl.zst"]
    assert names(str(corpus)) == [f"{corpus}/{name}" for name in wanted]


def test_json_in_a_folder_is_metadata_and_rows_only_when_named(corpus: Path) -> None:
    (corpus / "info.json").write_text("{}")
    assert f"{corpus}/info.json" not in names(str(corpus))
    assert names(f"{corpus}/info.json") == [f"{corpus}/info.json"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.txt", ["b.txt"]),
        ("*.txt*", ["b.txt", "e.txt.gz"]),
        ("**/*.jsonl*", ["deep/c.jsonl", "f.jsonl.zst"]),
        ("deep/*.jsonl", ["deep/c.jsonl"]),
        ("d*/er/?.parquet", ["deep/er/d.parquet"]),
        ("[ab].*", ["a.md", "b.txt"]),
        ("[!b].md", ["a.md"]),
    ],
)
def test_a_glob_means_what_it_means_in_a_shell(corpus: Path, pattern: str, wanted: list[str]) -> None:
    assert names(f"{corpus}/{pattern}") == [f"{corpus}/{name}" for name in wanted]


def test_a_relative_glob_starts_in_the_working_folder(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(corpus)
    assert names("*.md", "deep/**/*.parquet") == ["a.md", "deep/er/d.parquet"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "part[1].txt").write_text("x")
    assert names(f"{tmp_path}/part[1].txt") == [f"{tmp_path}/part[1].txt"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing.txt", "does not exist"),
        ("*.csv", "no file matches"),
        ("[z-a].txt", "is no pattern"),
        ("picture.png", "do not read files of this kind"),
        ("empty.txt", "is empty"),
    ],
)
def test_what_cannot_be_read_is_named(corpus: Path, name: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        names(f"{corpus}/{name}")
    assert name in caught.value.message
    assert caught.value.hint


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_text("x")
    with pytest.raises(InputError, match="holds no file that we can read"):
        names(str(tmp_path))


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_unpacking_gives_the_bytes_back_and_counts_the_packed_ones(tmp_path: Path, suffix: str) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[suffix]
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(pack(TEXT))
    counted: list[int] = []
    chunks = list(read_chunks(find_sources([str(path)])[0], counted.append))
    assert b"".join(chunks) == TEXT
    assert sum(counted) == path.stat().st_size
    assert max(map(len, chunks)) <= 2 * 2**20


def test_several_gzip_members_and_zstd_frames_are_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one, ") + gzip.compress(b"two") + b"\0" * 512)
    (tmp_path / "a.txt.zst").write_bytes(zstandard.compress(b"one, ") + zstandard.compress(b"two"))
    assert content(tmp_path / "a.txt.gz") == content(tmp_path / "a.txt.zst") == b"one, two"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_half_a_packed_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}[suffix](TEXT)
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(packed[: int(len(packed) * share)])
    with pytest.raises(CorruptFileError, match="ends too early"):
        content(path)


def test_flipped_bits_in_a_packed_file_are_found(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 1  # in the checksum at the end
    (tmp_path / "a.txt.gz").write_bytes(packed)
    with pytest.raises(CorruptFileError, match="not a sound"):
        content(tmp_path / "a.txt.gz")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_packed_suffix_on_plain_text_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.txt{suffix}").write_text("plain text, whatever its name says")
    with pytest.raises(CorruptFileError, match="not a sound"):
        content(tmp_path / f"a.txt{suffix}")


@pytest.mark.parametrize("url", ["s3://bucket/a.txt", "s3://bucket/*.txt", "https://example.org/a.txt?x=1"])
def test_a_storage_that_this_build_cannot_read_is_named_in_full(url: str) -> None:
    with pytest.raises(InputError, match="cannot read") as caught:
        names(url)
    assert caught.value.message.startswith(f"{url}: ")
