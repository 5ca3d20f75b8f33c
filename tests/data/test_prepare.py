"""Prepared tokens are those of the tokenizer, for any workers, shard sizes and kills."""

from __future__ import annotations

import dataclasses
import errno
import gzip
import json
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.kills import kill_until_done

from tuppence.core.errors import InputError, OutOfSpaceError
from tuppence.data import chunks
from tuppence.data import prepare as preparing
from tuppence.data.prepare import PrepareSummary, prepare
from tuppence.data.shards import TokenShards, tokenizer_folder
from tuppence.data.writer import Progress, ShardWriter
from tuppence.tokenizer import Tokenizer, train_tokenizer

SENTENCE = "It was a dark and stormy night ; the rain fell in torrents , or so they said — café 雨 🌧"

Prepare = Callable[..., PrepareSummary]


def made_up(count: int, seed: int = 0, words: int = 60) -> list[str]:
    """Distinct documents."""
    random_ = random.Random(seed)
    return [f"{number}: " + " ".join(random_.choices(SENTENCE.split(), k=words)) for number in range(count)]


def write(path: Path, texts: list[str]) -> str:
    path.write_text("\n<|endoftext|>\n".join(texts))
    return str(path)


def documents_of(folder: Path, split: str, tokenizer: Tokenizer) -> list[str]:
    shards = TokenShards.open(folder, split)
    tokens = shards.window(0, len(shards))
    parts = np.split(tokens, np.flatnonzero(tokens == tokenizer.end_of_text) + 1)
    assert len(parts.pop()) == 0, "the last document has no end"
    assert [int(part[-1]) for part in parts] == [tokenizer.end_of_text] * len(parts)
    return [tokenizer.decode(part[:-1].tolist()) for part in parts]


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(tmp_path: Path, tokenizer: Tokenizer) -> Prepare:
    return lambda inputs, **options: prepare(
        [inputs] if isinstance(inputs, str) else inputs, tokenizer, options.pop("out", tmp_path / "out"), **options
    )


def test_every_document_is_encoded_with_an_end_of_text(tmp_path: Path, run: Prepare, tokenizer: Tokenizer) -> None:
    texts = made_up(500)
    summary = run(write(tmp_path / "a.txt", texts), shard_tokens=1000)
    shards = TokenShards.open(tmp_path / "out")
    wanted = [token for text in texts for token in [*tokenizer.encode(text), tokenizer.end_of_text]]
    assert shards.window(0, len(shards)).tolist() == wanted
    assert shards.tokenizer_fingerprint == tokenizer.fingerprint
    assert summary.splits["train"] == {
        "tokens": len(wanted),
        "bytes": sum(len(text.encode()) for text in texts),
        "documents": 500,
    }
    shards.require_tokenizer(Tokenizer.load(tokenizer_folder(tmp_path / "out")))


def test_a_document_of_many_pieces_has_the_tokens_of_the_whole(
    tmp_path: Path, run: Prepare, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuppence.data.pieces.PIECE_CHARACTERS", 100)
    text = " ".join(made_up(50))
    run(write(tmp_path / "a.txt", [text]))
    shards = TokenShards.open(tmp_path / "out")
    assert shards.num_documents == 1
    assert shards.window(0, len(shards)).tolist() == [*tokenizer.encode(text), tokenizer.end_of_text]


def test_a_special_token_in_a_row_is_plain_text(tmp_path: Path, run: Prepare, tokenizer: Tokenizer) -> None:
    text = "before <|endoftext|> after"
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text}))
    assert run(str(tmp_path / "a.jsonl")).splits["train"]["documents"] == 1
    assert documents_of(tmp_path / "out", "train", tokenizer) == [text]


@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 5}])
def test_the_result_does_not_depend_on_the_number_of_workers(
    tmp_path: Path, run: Prepare, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 500)
    inputs = write(tmp_path / "a.txt", made_up(300))
    run(inputs, val_fraction=0.2, shard_tokens=2000)
    run(inputs, val_fraction=0.2, shard_tokens=2000, out=tmp_path / "other", **options)
    assert files_of(tmp_path / "out") == files_of(tmp_path / "other")


def test_a_held_out_file_is_the_validation_split(tmp_path: Path, run: Prepare, tokenizer: Tokenizer) -> None:
    train, val = made_up(20), made_up(5, seed=1)
    run(write(tmp_path / "a.txt", train), val_inputs=[write(tmp_path / "b.txt", val)])
    assert documents_of(tmp_path / "out", "train", tokenizer) == train
    assert documents_of(tmp_path / "out", "val", tokenizer) == val


def test_train_and_validation_together_have_all_documents(tmp_path: Path, run: Prepare, tokenizer: Tokenizer) -> None:
    texts = made_up(400)
    run(write(tmp_path / "a.txt", texts), val_fraction=0.25)
    train, val = (documents_of(tmp_path / "out", split, tokenizer) for split in ("train", "val"))
    assert 60 < len(val) < 140
    assert sorted(train + val) == sorted(texts)


def test_the_end_of_the_only_document_is_held_out(
    tmp_path: Path, run: Prepare, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "\n".join(made_up(100))
    run(write(tmp_path / "a.txt", [text]), val_fraction=0.1)
    (train,), (val,) = (documents_of(tmp_path / "out", split, tokenizer) for split in ("train", "val"))
    assert train + val == text
    assert 0.08 < len(val) / len(text) < 0.13
    assert train.endswith("\n")
    assert "only one document: its last 10.0% is the validation split" in capsys.readouterr().err


def test_copies_of_one_text_are_held_out_only_after_deduplication(
    tmp_path: Path, run: Prepare, tokenizer: Tokenizer
) -> None:
    text = "\n".join(made_up(20))
    inputs = write(tmp_path / "a.txt", [text] * 5)
    with pytest.raises(InputError, match="all 5 documents are the same text") as caught:
        run(inputs, val_fraction=0.2)
    assert "--deduplicate" in caught.value.hint
    run(inputs, val_fraction=0.2, deduplicate=True)
    (train,), (val,) = (documents_of(tmp_path / "out", split, tokenizer) for split in ("train", "val"))
    assert train + val == text


def test_files_and_rows_that_are_left_out_are_reported(
    tmp_path: Path, run: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "rows.jsonl").write_text('{"text": "one"}\n{"body": "two"}\n{"text": 3}\n')
    (folder / "notes.csv").write_text("a,b\n")
    (folder / "page.txt").write_text("<!DOCTYPE html><title>404 Not Found</title>")
    run([str(folder)], skip_bad_rows=True)
    said = capsys.readouterr().err
    assert "skipped 2 bad rows; the first:" in said
    assert "rows.jsonl, line 2: no key 'text' (it has body)" in said
    assert said.count("passed over 1 file of other kinds") == 1
    assert "page.txt looks like a web page" in said


def test_copies_are_dropped_within_and_across_splits(tmp_path: Path, run: Prepare, tokenizer: Tokenizer) -> None:
    texts = made_up(30)
    inputs = write(tmp_path / "a.txt", texts + texts[:10])
    summary = run(inputs, val_inputs=[write(tmp_path / "b.txt", texts[25:])], deduplicate=True)
    assert documents_of(tmp_path / "out", "train", tokenizer) == texts[:25]
    assert documents_of(tmp_path / "out", "val", tokenizer) == texts[25:]
    assert summary.duplicates == 15


def test_skipped_rows_are_counted(tmp_path: Path, run: Prepare) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "one"}\n{"text": 1}\nnot json\n{"text": "two"}\n')
    with pytest.raises(InputError, match="line 2"):
        run(str(tmp_path / "a.jsonl"))
    summary = run(str(tmp_path / "a.jsonl"), skip_bad_rows=True)
    assert (summary.skipped_rows, summary.splits["train"]["documents"]) == (2, 2)


def test_a_refused_input_leaves_nothing_where_nothing_was(
    tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 100)
    rows = [json.dumps({"text": text}) for text in made_up(50)]
    (tmp_path / "a.jsonl").write_text("\n".join([*rows, "not json"]))
    (tmp_path / "empty").mkdir()
    for out in ("deep/out", "empty"):
        with pytest.raises(InputError, match="line 51"):
            run(str(tmp_path / "a.jsonl"), shard_tokens=1000, out=tmp_path / out)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.jsonl", "empty"]


def test_a_refused_lock_removes_nothing_of_the_command_that_holds_it(
    tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write(tmp_path / "a.txt", made_up(20))

    def held(folder: Path, doing: str) -> None:  # another command began at the same moment
        (folder / "train-00000.bin").write_bytes(b"its shard")
        raise InputError(f"another process is {doing} {folder}", "wait for it")

    monkeypatch.setattr(preparing, "lock_folder", held)
    with pytest.raises(InputError, match="another process"):
        run(inputs)
    assert (tmp_path / "out/train-00000.bin").read_bytes() == b"its shard"


def test_an_error_leaves_no_partial_shard_and_the_corrected_input_is_continued(
    tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 100)
    rows = [json.dumps({"text": text}) for text in made_up(50)]
    (tmp_path / "a.jsonl").write_text("\n".join([*rows, "not json"]))
    with pytest.raises(InputError, match="line 51"):
        run(str(tmp_path / "a.jsonl"), shard_tokens=1000)
    assert not list((tmp_path / "out").glob("**/.*.tmp"))
    assert not (tmp_path / "out/index.json").exists()
    (tmp_path / "a.jsonl").write_text("\n".join(rows))
    assert (
        run(str(tmp_path / "a.jsonl"), shard_tokens=1000).resumed_shards == 0
    )  # the input has changed, so it is another request


def test_a_preparation_continues_after_a_full_disk(
    tmp_path: Path, run: Prepare, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 500)
    inputs = write(tmp_path / "a.txt", made_up(200))
    add, added = ShardWriter.add, []

    def full(self: ShardWriter, chunk: Any) -> None:
        add(self, chunk)
        added.append(chunk)
        if self._out is not None and len(added) in (30, 31):  # a shard is open at one of them
            added.extend([chunk, chunk])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ShardWriter, "add", full)
    with pytest.raises(OutOfSpaceError, match=r"no space left on the disk while writing .*train-\d+\.bin"):
        run(inputs, shard_tokens=1000)
    assert not list((tmp_path / "out").glob(".*.tmp"))
    assert run(inputs, shard_tokens=1000).resumed_shards > 5
    assert documents_of(tmp_path / "out", "train", tokenizer) == made_up(200)


def test_a_finished_folder_is_not_prepared_again(tmp_path: Path, run: Prepare) -> None:
    inputs = write(tmp_path / "a.txt", made_up(20))
    first = run(inputs)
    before = files_of(tmp_path / "out")
    again = run(inputs)
    assert dataclasses.replace(again, seconds=first.seconds, resumed_shards=0) == first
    assert again.seconds == 0
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize("name", ["train-00000.bin", "documents-train.bin"])
def test_a_finished_folder_with_a_damaged_file_is_prepared_again(
    tmp_path: Path, run: Prepare, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = write(tmp_path / "a.txt", made_up(20))
    run(inputs)
    before = files_of(tmp_path / "out")
    damaged = tmp_path / "out" / name
    damaged.write_bytes(damaged.read_bytes()[:-4])
    run(inputs)
    assert files_of(tmp_path / "out") == before
    assert f"{name} is " in (said := " ".join(capsys.readouterr().err.split()))
    assert f"preparing {tmp_path / 'out'} again" in said


def test_a_kill_before_the_state_is_written_loses_no_finished_shard(
    tmp_path: Path, run: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = write(tmp_path / "a.txt", made_up(200))
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 500)
    whole = prepare_and_list(run, inputs, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")

    class Killed(BaseException):
        pass

    real, saves = Progress.save, [0]

    def killed(self: Progress) -> None:
        saves[0] += 1
        if saves[0] in (4, 5):  # after some shards, and then at the next save
            raise Killed
        real(self)

    monkeypatch.setattr(Progress, "save", killed)
    for _ in range(2):
        with pytest.raises(Killed):
            run(inputs, shard_tokens=1000)
    assert prepare_and_list(run, inputs, tmp_path / "out") == whole


def prepare_and_list(run: Prepare, inputs: str, out: Path) -> object:
    run(inputs, shard_tokens=1000)
    return files_of(out)


def test_a_finished_folder_of_another_request_is_not_changed(tmp_path: Path, run: Prepare) -> None:
    inputs = write(tmp_path / "a.txt", made_up(20))
    run(inputs)
    before = files_of(tmp_path / "out")
    other = train_tokenizer(["another text altogether"], vocab_size=270)
    with pytest.raises(InputError, match="other inputs or settings"):
        run(inputs, deduplicate=True)
    with pytest.raises(InputError, match="shards of another tokenizer"):
        prepare([inputs], other, tmp_path / "out")
    assert files_of(tmp_path / "out") == before


def test_a_folder_with_other_files_is_not_changed(tmp_path: Path, run: Prepare) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match=r"holds other files \(thesis\.tex\)"):
        run(write(tmp_path / "a.txt", ["one"]))
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is a file"):
        run(write(tmp_path / "a.txt", ["one"]), out=tmp_path / "file")
    assert (tmp_path / "out/thesis.tex").read_text() == "years of work"


def test_only_files_of_a_preparation_are_removed(tmp_path: Path, run: Prepare) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name in (".gitignore", ".train-00000.bin.4711.tmp", "train-00003.bin", "unfinished.json"):
        (out / name).write_text("x")
    run(write(tmp_path / "a.txt", ["one"]))
    assert (out / ".gitignore").read_text() == "x"
    assert sorted(path.name for path in out.glob("*")) == [
        ".gitignore",
        "documents-train.bin",
        "index.json",
        "tokenizer",
        "train-00000.bin",
    ]


def test_a_folder_with_another_tokenizer_is_not_changed(tmp_path: Path, run: Prepare) -> None:
    (tmp_path / "out/tokenizer").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds other files \(tokenizer\)"):
        run(write(tmp_path / "a.txt", ["one"]))


def test_a_second_process_cannot_write_to_the_same_folder(tmp_path: Path, run: Prepare) -> None:
    inputs = write(tmp_path / "a.txt", ["one"])
    with preparing._locked(tmp_path / "out"), pytest.raises(InputError, match="another process is writing"):
        run(inputs)
    run(inputs)


def test_a_split_without_text_is_refused(tmp_path: Path, run: Prepare) -> None:
    with pytest.raises(InputError, match="no text is left for the 'val' split of 20 documents"):
        run(write(tmp_path / "a.txt", made_up(20)), val_fraction=1e-9)


def test_many_kills_do_not_change_the_result(
    tmp_path: Path, tokenizer: Tokenizer, tuppence: Any, start_tuppence: Any
) -> None:
    tokenizer.save(tmp_path / "tok")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress("\n<|endoftext|>\n".join(made_up(30_000)).encode()))

    def command(out: Path) -> list[str]:
        options = ["--val-fraction", "0.1", "--deduplicate", "--shard-tokens", "150000", "--workers", "1"]
        inputs = ["--tokenizer", str(tmp_path / "tok"), "--out", str(out)]
        return ["data", "prepare", str(tmp_path / "a.txt.gz"), *inputs, *options]

    whole = tuppence(*command(tmp_path / "whole"))
    assert whole.returncode == 0, whole.stderr

    def shards(out: Path) -> int:
        return len(list(out.glob("train-*.bin")))

    # first a kill at the start of the program, then kills soon after a shard was finished
    start = partial(start_tuppence, *command(tmp_path / "killed"))
    kill_until_done(start, tmp_path / "killed", 1, 5, progress=shards, patience=(0, 2))
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")
    assert len(TokenShards.open(tmp_path / "whole").index.shards) > 10


def test_a_resumed_run_does_not_encode_finished_shards_again(
    tmp_path: Path, run: Prepare, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 500)
    inputs = write(tmp_path / "a.txt", made_up(200))
    calls: list[str] = []
    encode = Tokenizer.encode_to_array

    def counted(self: Tokenizer, text: str) -> Any:
        calls.append(text)
        if len(calls) == 150:
            raise KeyboardInterrupt
        return encode(self, text)

    monkeypatch.setattr(Tokenizer, "encode_to_array", counted)
    with pytest.raises(KeyboardInterrupt):
        run(inputs, shard_tokens=1000, workers=1)
    first_time = len(calls)
    summary = run(inputs, shard_tokens=1000, workers=1)
    assert summary.resumed_shards > 5
    assert len(calls) - first_time < 200 - 100
    assert documents_of(tmp_path / "out", "train", tokenizer) == made_up(200)


def test_the_tokens_of_the_novels_are_those_of_the_tokenizer(
    tmp_path: Path, tokenizer: Tokenizer, shared_data: Path
) -> None:
    path = shared_data / "text/english-novels/val.txt"
    summary = prepare([str(path)], tokenizer, tmp_path / "out")
    texts = path.read_text().split("\n<|endoftext|>\n")
    shards = TokenShards.open(tmp_path / "out")
    wanted = np.concatenate([[*tokenizer.encode(text), tokenizer.end_of_text] for text in texts])
    assert np.array_equal(shards.window(0, len(shards)), wanted)
    assert summary.splits["train"]["documents"] == len(texts) == 7


def test_an_out_that_cannot_be_created_is_an_input_error(tmp_path: Path, run: Prepare) -> None:
    file = write(tmp_path / "a.txt", ["some text"])
    with pytest.raises(InputError, match="cannot write"):
        run(file, out=Path(file) / "inside")


def test_a_file_in_both_splits_gives_a_warning(
    tmp_path: Path, run: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "corpus").mkdir()
    alone = write(tmp_path / "corpus" / "a.txt", ["one text"])
    val = write(tmp_path / "corpus" / "val.txt", ["another text"])
    run([tmp_path / "corpus"], out=tmp_path / "leaks", val_inputs=[val])
    assert "val.txt is both trained on and held out" in capsys.readouterr().err
    run([tmp_path / "corpus"], out=tmp_path / "sound", val_inputs=[val], deduplicate=True)
    run(alone, out=tmp_path / "apart", val_inputs=[val])
    assert "held out" not in capsys.readouterr().err
