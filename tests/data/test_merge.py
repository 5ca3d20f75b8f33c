"""Merged parts hold what one preparation of the whole corpus holds."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.data import chunks
from tuppence.data.batches import Batches
from tuppence.data.merge import merge, merge_into
from tuppence.data.parts import Part
from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards, read_index
from tuppence.tokenizer import Tokenizer

Prepare = Callable[..., Path]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five files; one has most of the rows."""
    random_ = random.Random(0)
    folder = tmp_path / "corpus"
    folder.mkdir()
    for name, count in {"a": 3, "b": 200, "c": 1, "d": 40, "e": 40}.items():
        texts = [
            f"{name}{row} " + " ".join(random_.choices(["dark", "night", "rain", "é"], k=30)) for row in range(count)
        ]
        rows = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"{name}.jsonl").write_text(rows, encoding="utf-8")
    return folder


@pytest.fixture
def prepared(tmp_path: Path, corpus: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """`prepared(NAME, I, N)`: a part below `tmp_path`, with several shards."""
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 1000)

    def make(name: str, number: int = 0, of: int = 0, **options: Any) -> Path:
        part = Part(number, of) if of else None
        defaults: dict[str, Any] = {
            "val_fraction": 0.2,
            "shard_tokens": 3000,
            "inputs": str(corpus),
            "tokenizer": tokenizer,
        }
        options = {**defaults, **options}
        prepare(options.pop("inputs"), options.pop("tokenizer"), tmp_path / name, part=part, **options)
        return tmp_path / name

    return make


def tokens_of(folder: Path, split: str) -> list[int]:
    shards = TokenShards.open(folder, split)
    return list(map(int, shards.window(0, len(shards))))


@pytest.mark.parametrize("of", [1, 2, 5])
def test_the_result_is_that_of_one_preparation(prepared: Prepare, tmp_path: Path, of: int) -> None:
    whole = prepared("whole")
    for number in range(1, of + 1):
        prepared(f"data/p{number}", number, of)
    summary = merge(tmp_path / "data")
    for split in ("train", "val"):
        assert tokens_of(tmp_path / "data", split) == tokens_of(whole, split)
        one, other = (TokenShards.open(folder, split) for folder in (whole, tmp_path / "data"))
        assert other.document_offsets.tolist() == one.document_offsets.tolist()
        assert other.index.splits[split].bytes == one.index.splits[split].bytes
        assert summary.splits[split]["documents"] == one.num_documents
    batches = [
        Batches(TokenShards.open(folder), context_length=16, batch_size=4, seed=1)
        for folder in (whole, tmp_path / "data")
    ]
    for step in range(5):
        first, second = (np.array(each.step(step)) for each in batches)
        np.testing.assert_array_equal(first, second)


def test_parts_elsewhere_are_linked_and_outlive_their_folders(prepared: Prepare, tmp_path: Path) -> None:
    parts = [prepared(f"part{number}", number, 3) for number in (3, 1, 2)]
    for _ in range(2):  # the second time nothing is left to do
        merge_into(parts, tmp_path / "data")
    assert (tmp_path / "data/part-3/train-00000.bin").samefile(tmp_path / "part3/train-00000.bin")
    for part in parts:
        shutil.rmtree(part)
    assert tokens_of(tmp_path / "data", "train") == tokens_of(prepared("whole"), "train")


def test_a_held_out_file_is_shared_among_the_parts(prepared: Prepare, tmp_path: Path, corpus: Path) -> None:
    inputs = [str(corpus / "a.jsonl"), str(corpus / "b.jsonl")]
    options = {"inputs": inputs, "val_inputs": str(corpus / "d.jsonl"), "val_fraction": 0.0}
    whole = prepared("whole", **options)
    for number in (1, 2):
        prepared(f"data/{number}", number, 2, **options)
    merge(tmp_path / "data")
    assert tokens_of(tmp_path / "data", "val") == tokens_of(whole, "val")
    assert len(read_index(tmp_path / "data/1").splits["val"].document_offsets) > 0


def test_the_one_command_finds_the_merged_folder_prepared(
    prepared: Prepare, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepared("data/1", 1, 1)
    merge(tmp_path / "data")
    capsys.readouterr()
    prepared("data")
    assert "is prepared already, nothing to do" in capsys.readouterr().err


def test_a_part_without_text_is_a_part(prepared: Prepare, tmp_path: Path, corpus: Path) -> None:
    whole = prepared("whole", inputs=str(corpus / "a.jsonl"), val_fraction=0.0)
    for number in range(1, 10):
        prepared(f"data/{number}", number, 9, inputs=str(corpus / "a.jsonl"), val_fraction=0.0)
    assert read_index(tmp_path / "data/1").splits == {} or read_index(tmp_path / "data/2").splits == {}
    merge(tmp_path / "data")
    assert tokens_of(tmp_path / "data", "train") == tokens_of(whole, "train")


def test_a_missing_part_is_refused_by_name(prepared: Prepare, tmp_path: Path) -> None:
    for number in (1, 3, 4):
        prepared(f"data/{number}", number, 5)
    with pytest.raises(InputError, match="2 parts are missing: 2/5, 5/5") as caught:
        merge(tmp_path / "data")
    assert "--part 2/5" in caught.value.hint
    assert not (tmp_path / "data/index.json").exists()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"number": 1}, "p1 and p2 are both part 1/2"),
        ({"of": 3}, "are parts 1/2 and 2/3"),
        ({"seed": 1}, "different inputs or settings"),
        ({"shard_tokens": 10}, "different inputs or settings"),
        ({"tokenizer": "other"}, "different tokenizers"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    prepared: Prepare, tmp_path: Path, change: dict[str, Any], complaint: str
) -> None:
    if "tokenizer" in change:
        change = {"tokenizer": Tokenizer.load(_other_tokenizer(tmp_path))}
    prepared("data/p1", 1, 2)
    prepared("data/p2", **({"number": 2, "of": 2} | change))
    with pytest.raises(InputError, match=complaint):
        merge(tmp_path / "data")


def _other_tokenizer(folder: Path) -> Path:
    from tuppence.tokenizer import train_tokenizer

    train_tokenizer(["other words, other merges"], vocab_size=270).save(folder / "tok")
    return folder / "tok"


def test_inputs_that_changed_between_two_parts_are_refused(prepared: Prepare, tmp_path: Path, corpus: Path) -> None:
    prepared("data/1", 1, 2)
    with (corpus / "e.jsonl").open("a") as file:
        file.write('{"text": "more"}\n')
    prepared("data/2", 2, 2)
    with pytest.raises(InputError, match="different inputs or settings"):
        merge(tmp_path / "data")


@pytest.mark.parametrize("name", ["train-00000.bin", "documents-train.bin"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_part_is_refused(prepared: Prepare, tmp_path: Path, name: str, damage: str) -> None:
    path = prepared("data/1", 1, 1) / name
    content = bytearray(path.read_bytes())
    path.unlink()
    if damage == "flipped":
        content[5] ^= 1
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[:-3])
    with pytest.raises(InputError, match=name):
        merge(tmp_path / "data")
    assert not (tmp_path / "data/index.json").exists()


def test_an_index_cannot_name_a_file_elsewhere(prepared: Prepare, tmp_path: Path) -> None:
    prepared("data/1", 1, 1)
    merge(tmp_path / "data")
    index = tmp_path / "data/index.json"
    for name in ("../1/train-00000.bin", "/etc/passwd", "a/b/c.bin", "1/../x.bin", "1//x.bin", "1\\x.bin"):
        content = json.loads(index.read_text())
        content["shards"][0]["file"] = name
        index.write_text(json.dumps(content))
        with pytest.raises(CorruptFileError, match="outside its folder"):
            read_index(tmp_path / "data")


def test_other_content_of_the_result_s_folder_is_not_touched(prepared: Prepare, tmp_path: Path) -> None:
    part = prepared("part", 1, 1)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds other files \(thesis\.txt\)"):
        merge_into([part], tmp_path / "data")
    with pytest.raises(InputError, match="is no part of a corpus"):
        merge_into([prepared("whole")], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_copies_and_one_document_cannot_be_prepared_in_parts(prepared: Prepare, tmp_path: Path, corpus: Path) -> None:
    with pytest.raises(InputError, match="--deduplicate compares all documents"):
        prepared("part", 1, 2, deduplicate=True)
    with pytest.raises(InputError, match="only one document"):
        prepared("part", 1, 2, inputs=str(corpus / "c.jsonl"))


def test_a_killed_part_continues(prepared: Prepare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prepared("whole")
    kills, random_, real = 0, random.Random(0), Path.replace

    def sometimes(path: Path, target: Path) -> Path:
        nonlocal kills
        if random_.random() < 0.3:
            kills += 1
            raise KeyboardInterrupt
        return real(path, target)

    for number in (1, 2):
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", sometimes)
            for _ in range(100):
                try:
                    prepared(f"data/{number}", number, 2)
                    break
                except KeyboardInterrupt:
                    pass
            else:
                pytest.fail("it never ends")
    assert kills >= 3
    merge(tmp_path / "data")
    assert tokens_of(tmp_path / "data", "train") == tokens_of(whole, "train")
