"""Packed files are unpacked in bounded memory; damaged files and other kinds of files are refused."""

from __future__ import annotations

import gzip
import random
import subprocess
import time
from pathlib import Path

import pytest
import zstandard

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.inputs import find_sources
from tuppence.data.unpacking import read_chunks

TEXT = "".join(random.Random(1).choices("abcdefgh \n", k=3_000_000)).encode()


def content(path: Path) -> bytes:
    return b"".join(read_chunks(find_sources([str(path)])[0]))


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_unpacking_restores_the_bytes_and_counts_the_packed_ones(tmp_path: Path, suffix: str) -> None:
    pack = {"": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}[suffix]
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(pack(TEXT))
    counted: list[int] = []
    chunks = list(read_chunks(find_sources([str(path)])[0], counted.append))
    assert b"".join(chunks) == TEXT
    assert sum(counted) == path.stat().st_size
    assert max(map(len, chunks)) <= 2 * 2**20


def test_several_gzip_members_or_zstd_frames_are_one_text(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"one, ") + gzip.compress(b"two") + b"\0" * 512)
    (tmp_path / "a.txt.zst").write_bytes(zstandard.compress(b"one, ") + zstandard.compress(b"two"))
    assert content(tmp_path / "a.txt.gz") == content(tmp_path / "a.txt.zst") == b"one, two"


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_an_incomplete_packed_file_is_refused(tmp_path: Path, suffix: str, share: float) -> None:
    packed = {".gz": gzip.compress, ".zst": zstandard.compress}[suffix](TEXT)
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(packed[: int(len(packed) * share)])
    with pytest.raises(CorruptFileError, match="ends too early"):
        content(path)


def test_flipped_bits_in_a_packed_file_are_found(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(TEXT))
    packed[-6] ^= 1  # in the checksum at the end
    (tmp_path / "a.txt.gz").write_bytes(packed)
    with pytest.raises(CorruptFileError, match="is not a valid"):
        content(tmp_path / "a.txt.gz")


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_packed_suffix_on_plain_text_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a.txt{suffix}").write_text("plain text, whatever its name says")
    with pytest.raises(InputError, match="is not packed") as caught:
        content(tmp_path / f"a.txt{suffix}")
    assert caught.value.hint.endswith(f"mv {tmp_path}/a.txt{suffix} {tmp_path}/a.txt")


@pytest.mark.parametrize(
    ("begins", "complaint", "hint"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS pointer", "git lfs pull"),
        (gzip.compress(b"text", mtime=0), "is packed as a .gz file", "a.txt.gz"),
        (zstandard.compress(b"text"), "is packed as a .zst file", "a.txt.zst"),
        (b"PK\x03\x04\0\0", "is a zip or Office file", "save its content"),
        (b"%PDF-1.7", "is a PDF", "save its content"),
        (b"PAR1\0\0", "is a parquet file", ".parquet"),
    ],
)
def test_the_error_names_the_kind_of_a_file_with_a_wrong_suffix(
    tmp_path: Path, begins: bytes, complaint: str, hint: str
) -> None:
    (tmp_path / "a.txt").write_bytes(begins)
    with pytest.raises(InputError, match=complaint) as caught:
        content(tmp_path / "a.txt")
    assert hint in caught.value.hint


@pytest.mark.parametrize("name", ["a.txt.gz", "a.jsonl.zst"])
def test_a_git_lfs_pointer_with_a_packed_suffix_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    with pytest.raises(InputError, match="is a Git LFS pointer"):
        content(tmp_path / name)


def test_a_zstd_window_longer_than_the_librarys_limit_is_read(tmp_path: Path) -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=28)
    compressor = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    (tmp_path / "a.txt.zst").write_bytes(compressor.compress(TEXT) + compressor.flush())
    assert content(tmp_path / "a.txt.zst") == TEXT


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_chunks_are_small_for_files_that_are_packed_very_well(tmp_path: Path, suffix: str) -> None:
    pack = {".gz": gzip.compress, ".zst": zstandard.compress}[suffix]
    (tmp_path / f"a.txt{suffix}").write_bytes(pack(bytes(100 * 2**20)))
    chunks = read_chunks(find_sources([f"{tmp_path}/a.txt{suffix}"])[0])
    assert max(map(len, chunks)) <= 18 * 2**20


def test_the_time_to_unpack_is_linear_in_the_number_of_members(tmp_path: Path) -> None:
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"") * 40_000 + gzip.compress(b"end"))
    before = time.process_time()
    assert content(tmp_path / "a.txt.gz") == b"end"
    assert time.process_time() - before < 4  # a quadratic version took 20 s


def test_the_hint_is_a_valid_shell_command(tmp_path: Path) -> None:
    (tmp_path / "my text.txt").write_bytes(gzip.compress(b"text"))
    with pytest.raises(InputError) as caught:
        content(tmp_path / "my text.txt")
    subprocess.run(caught.value.hint.removeprefix("give it this suffix: "), shell=True, check=True)
    assert content(tmp_path / "my text.txt.gz") == b"text"
