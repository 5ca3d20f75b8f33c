"""Each machine of a job prepares its part; whoever finds all parts merges them. S3 is in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.aws.test_processing import ORDER

from tuppence.aws import processing_entry
from tuppence.aws.container import Hosts
from tuppence.aws.entry import Child
from tuppence.aws.order import InChannel
from tuppence.cli import main
from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards
from tuppence.tokenizer import Tokenizer, train_tokenizer

Machine = Callable[[int], int]


@pytest.fixture
def tokenizer() -> Tokenizer:
    return train_tokenizer(["It was a dark and stormy night."] * 3, vocab_size=290)


@pytest.fixture
def corpus(tmp_path: Path, objects: dict[str, bytes]) -> Path:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("a", "b", "c"):
        rows = "".join(json.dumps({"text": f"Night {name} {row}."}) + "\n" for row in range(100))
        (folder / f"{name}.jsonl").write_text(rows)
        objects[f"s3://b/texts/{name}.jsonl"] = rows.encode()
    return folder


@pytest.fixture
def machine(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Machine:
    """`machine(1)` runs the entry of the second machine in this process; returns the exit code."""

    def in_process(self: Child, command: Sequence[str], environment: Mapping[str, str]) -> int:
        with monkeypatch.context() as patch, pytest.raises(SystemExit) as left:
            patch.setenv("XDG_CACHE_HOME", environment["XDG_CACHE_HOME"])
            main(list(command[3:]))
        self._lines.extend(capsys.readouterr().err.splitlines())
        return int(left.value.code or 0)

    monkeypatch.setattr(Child, "run", in_process)
    words = ("s3://b/texts", "--tokenizer", InChannel("input-0", "tok"), "--val-fraction", "0.1")
    order = replace(ORDER, words=words, count=3)

    def run(number: int) -> int:
        base = tmp_path / f"machine-{number}"
        tokenizer.save(base / "processing/input/input-0/tok")
        (base / "processing/input/order").mkdir(exist_ok=True)
        (base / "processing/input/order/order.json").write_text(order.as_text())
        (base / "config").mkdir(exist_ok=True)
        hosts = {"current_host": f"algo-{number + 1}", "hosts": ["algo-3", "algo-1", "algo-2"]}
        (base / "config/resourceconfig.json").write_text(json.dumps(hosts))
        monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(base))
        return processing_entry.main()

    return run


def test_the_last_machine_merges_the_parts(
    machine: Machine, corpus: Path, objects: dict[str, bytes], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    assert machine(2) == 0
    assert processing_entry.unfinished_parts("s3://b/data", 3) == [1, 2]
    assert machine(0) == 0
    assert "s3://b/data/index.json" not in objects
    assert machine(1) == 0
    prepare(str(corpus), tokenizer, tmp_path / "whole", val_fraction=0.1)
    for split in ("train", "val"):
        merged, whole = TokenShards.open("s3://b/data", split), TokenShards.open(tmp_path / "whole", split)
        np.testing.assert_array_equal(merged.window(0, len(merged)), whole.window(0, len(whole)))
        np.testing.assert_array_equal(merged.document_offsets, whole.document_offsets)
    assert Tokenizer.load("s3://b/data/tokenizer").fingerprint == tokenizer.fingerprint


@pytest.mark.usefixtures("corpus")
def test_a_machine_that_is_started_again_changes_nothing(machine: Machine, objects: dict[str, bytes]) -> None:
    for number in (0, 1, 2):
        machine(number)
    before = dict(objects)
    assert [machine(number) for number in (1, 0, 2)] == [0, 0, 0]
    assert objects == before


@pytest.mark.usefixtures("corpus")
def test_a_failure_leaves_one_useful_line(machine: Machine, objects: dict[str, bytes], tmp_path: Path) -> None:
    objects["s3://b/texts/b.jsonl"] = b"not json\n" * 1000
    assert machine(1) == 2
    assert "not valid JSON" in (tmp_path / "machine-1/output/message").read_text()


def test_a_damaged_order_is_refused(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_BASE_DIR", str(tmp_path))
    assert processing_entry.main() == 2
    assert "there is no" in (tmp_path / "output/message").read_text()


def test_the_part_is_the_place_among_the_sorted_hosts(tmp_path: Path) -> None:
    container = processing_entry.ProcessingContainer(tmp_path)
    hosts = Hosts("algo-2", ("algo-1", "algo-2"), "", "lo")
    command = processing_entry.prepare_command(ORDER, container, hosts)
    assert command[3:] == ["data", "prepare", "--part", "2/2", "--out", "s3://b/data/part-2", "s3://b/texts"]
