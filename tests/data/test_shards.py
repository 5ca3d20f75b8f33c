"""Shards are read as one array; damage on the disk is found, and the error names the file."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data.shards import TokenShards, dtype_of, read_index

DOCUMENTS = [list(range(length)) for length in (5, 1, 40, 7, 100, 3)]
TOKENS = [token for document in DOCUMENTS for token in [*document, 256]]


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), shard_tokens=st.integers(1, 200))
def test_a_window_can_span_shards(make_shards: Any, data: st.DataObject, shard_tokens: int) -> None:
    shards = TokenShards.open(make_shards(DOCUMENTS, shard_tokens=shard_tokens))
    start = data.draw(st.integers(0, len(TOKENS)))
    length = data.draw(st.integers(0, len(TOKENS) - start))
    window = shards.window(start, length)
    assert window.dtype == np.int64
    assert window.tolist() == TOKENS[start : start + length]


def test_the_index_has_the_counts_of_the_folder(make_shards: Any) -> None:
    shards = TokenShards.open(make_shards(DOCUMENTS, shard_tokens=50))
    assert len(shards.index.shards) > 2
    assert len(shards) == shards.num_tokens == len(TOKENS)
    assert shards.num_documents == len(DOCUMENTS)
    assert shards.num_bytes == sum(map(len, DOCUMENTS))
    assert (shards.vocab_size, shards.end_of_text, shards.tokenizer_fingerprint) == (257, 256, "f" * 64)


def test_documents_begin_after_each_end_of_text(make_shards: Any) -> None:
    shards = TokenShards.open(make_shards(DOCUMENTS, shard_tokens=50))
    begins = np.cumsum([0] + [len(document) + 1 for document in DOCUMENTS])[:-1]
    assert shards.document_offsets.tolist() == begins.tolist()
    file = shards.folder / "documents-train.bin"
    file.write_bytes(bytes(reversed(file.read_bytes())))
    with pytest.raises(CorruptFileError, match="is damaged"):
        _ = shards.document_offsets


@pytest.mark.parametrize(("vocab_size", "wanted"), [(257, "uint16"), (65_536, "uint16"), (65_537, "uint32")])
def test_ids_have_the_smallest_type_for_the_vocabulary(vocab_size: int, wanted: str) -> None:
    assert dtype_of(vocab_size) == wanted


def test_a_large_vocabulary_reads_back(make_shards: Any) -> None:
    folder = make_shards([[70_000, 1, 99_999]], vocab_size=100_000)
    assert (folder / "train-00000.bin").stat().st_size == 4 * 4
    assert TokenShards.open(folder).window(0, 3).tolist() == [70_000, 1, 99_999]


def test_a_flipped_bit_is_found(make_shards: Any) -> None:
    folder = make_shards(DOCUMENTS, shard_tokens=50)
    path = folder / "train-00001.bin"
    content = bytearray(path.read_bytes())
    content[10] ^= 4
    path.write_bytes(content)
    with pytest.raises(CorruptFileError, match=r"train-00001\.bin is damaged"):
        TokenShards.open(folder)
    assert len(TokenShards.open(folder, verify="size")) == len(TOKENS)


def test_a_truncated_shard_is_found_without_reading_it(make_shards: Any) -> None:
    folder = make_shards(DOCUMENTS)
    path = folder / "train-00000.bin"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(CorruptFileError, match=r"train-00000\.bin is truncated: 322 of 324 bytes"):
        TokenShards.open(folder, verify="size")


def test_the_error_names_a_missing_shard(make_shards: Any) -> None:
    folder = make_shards(DOCUMENTS)
    (folder / "train-00000.bin").unlink()
    with pytest.raises(CorruptFileError, match=r"train-00000\.bin is missing"):
        TokenShards.open(folder)


def test_the_error_for_a_missing_split_says_how_to_make_one(make_shards: Any) -> None:
    with pytest.raises(InputError, match=r"no split 'val' \(it has train\)") as caught:
        TokenShards.open(make_shards(DOCUMENTS), "val")
    assert "--val" in caught.value.hint


def test_shards_of_another_tokenizer_are_refused(make_shards: Any) -> None:
    shards = TokenShards.open(make_shards(DOCUMENTS))
    shards.require_tokenizer(SimpleNamespace(fingerprint="f" * 64))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="was made by another tokenizer"):
        shards.require_tokenizer(SimpleNamespace(fingerprint="e" * 64))  # type: ignore[arg-type]


def test_a_folder_without_an_index_is_refused_as_unfinished(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a finished folder of token shards"):
        TokenShards.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"format": "something else"}, "does not describe token shards"),
        ({"version": 99}, "format version 99, we read 1"),
        ({"vocab_size": "257"}, "'vocab_size' is not int"),
        ({"shards": [{"file": "train-00000.bin"}]}, "not a valid index"),
        ({"splits": None}, "not a valid index"),
        ({"dtype": "object"}, "a type that token shards do not have: 'object'"),
    ],
)
def test_a_damaged_index_is_refused(make_shards: Any, change: dict[str, Any], complaint: str) -> None:
    folder = make_shards(DOCUMENTS)
    content = json.loads((folder / "index.json").read_text())
    (folder / "index.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(InputError, match=complaint):
        read_index(folder)


def test_an_index_with_a_path_outside_its_folder_is_refused(make_shards: Any) -> None:
    folder = make_shards(DOCUMENTS)
    content = json.loads((folder / "index.json").read_text())
    content["shards"][0]["file"] = "../secret.bin"
    (folder / "index.json").write_text(json.dumps(content))
    with pytest.raises(CorruptFileError, match=r"outside its folder: '\.\./secret\.bin'"):
        read_index(folder)


def test_the_fingerprint_depends_on_the_tokens(make_shards: Any) -> None:
    one = TokenShards.open(make_shards(DOCUMENTS)).fingerprint
    again = TokenShards.open(make_shards(DOCUMENTS)).fingerprint
    other = TokenShards.open(make_shards(DOCUMENTS[1:])).fingerprint
    assert one == again != other
