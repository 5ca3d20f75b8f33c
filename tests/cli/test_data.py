"""`tuppence data`: what a person types, sees and can pipe on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuppence.tokenizer import train_tokenizer

Verb = Callable[..., Any]


@pytest.fixture
def tok(tmp_path: Path) -> Path:
    train_tokenizer(["It was a dark and stormy night."] * 3, vocab_size=290).save(tmp_path / "tok")
    return tmp_path / "tok"


def test_prepare_reports_on_stdout_and_in_json(tmp_path: Path, tok: Path, tuppence: Verb) -> None:
    (tmp_path / "a.txt").write_text("It was a dark night.\n<|endoftext|>\nIt was not.\n<|endoftext|>\nIt was not.")
    arguments = ["data", "prepare", tmp_path / "a.txt", "--tokenizer", tok, "--deduplicate"]
    plain = tuppence(*arguments, "--out", tmp_path / "one")
    assert plain.returncode == 0, plain.stderr
    assert "of 2 documents, 31 bytes" in plain.stdout
    assert "dropped 1 duplicate" in plain.stdout
    done = tuppence(*arguments, "--out", tmp_path / "two", "--json")
    summary = json.loads(done.stdout)
    assert summary["splits"]["train"]["documents"] == 2
    assert summary["duplicates"] == 1


def test_parts_are_prepared_and_merged(tmp_path: Path, tok: Path, tuppence: Verb) -> None:
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": f"Night {row}."}) + "\n" for row in range(20)))
    for part in ("1/2", "2/2"):
        done = tuppence(
            *("data", "prepare", tmp_path / "a.jsonl", "--tokenizer", tok),
            *("--out", tmp_path / "data" / part[0], "--part", part),
        )
        assert done.returncode == 0, done.stderr
    merged = tuppence("data", "merge", tmp_path / "data", "--json")
    assert json.loads(merged.stdout)["splits"]["train"]["documents"] == 20
    both = [tmp_path / "data" / "1", tmp_path / "data" / "2"]
    assert "of 20 documents" in tuppence("data", "merge", *both, "--out", tmp_path / "linked").stdout
    refused = tuppence("data", "merge", *both)
    assert refused.returncode == 2
    assert "there is no place for the merged parts" in refused.stderr


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b"\x00\x01\x02", "is binary"),
        ("a.txt", "café".encode("latin-1"), "is not UTF-8: byte 0xe9 at offset 3 (line 1)"),
        ("a.txt.gz", b"\x1f\x8b\x08\x00", "ends too early"),
        ("a.jsonl", b'{"title": "x"}\n', "line 1: no key 'text'"),
        ("a.pdf", b"%PDF", "files of this kind cannot be read"),
    ],
)
def test_bad_input_is_one_line_a_hint_and_exit_2(
    tmp_path: Path, tok: Path, tuppence: Verb, name: str, content: bytes, complaint: str
) -> None:
    (tmp_path / name).write_bytes(content)
    done = tuppence("data", "prepare", tmp_path / name, "--tokenizer", tok, "--out", tmp_path / "out")
    error, hint = done.stderr.strip().splitlines()[-2:]
    assert done.returncode == 2
    assert error.startswith("error: ")
    assert complaint in error
    assert hint.startswith("  hint: ")
    assert done.stdout == ""


def test_stories_are_the_same_for_the_same_seed(tmp_path: Path, tuppence: Verb) -> None:
    for name, seed in (("one.txt", 1), ("again.txt", 1), ("other.txt", 2)):
        done = tuppence("data", "synth", "stories", "--out", tmp_path / name, "--count", 20, "--seed", seed)
        assert done.returncode == 0, done.stderr
    one, again, other = ((tmp_path / name).read_text() for name in ("one.txt", "again.txt", "other.txt"))
    assert one == again != other
    assert one.count("\n<|endoftext|>\n") == 20


def test_a_generated_set_does_not_depend_on_the_process(tmp_path: Path, tuppence: Verb) -> None:
    for name in ("sms.tsv", "instructions.json", "preferences.jsonl"):
        made = []
        for hash_seed in ("1", "2"):
            out = tmp_path / hash_seed / name
            out.parent.mkdir(exist_ok=True)
            environment = os.environ | {"PYTHONHASHSEED": hash_seed}
            done = tuppence("data", "synth", out.stem, "--out", out, "--count", 300, env=environment)
            assert done.returncode == 0, done.stderr
            assert f"{out}: 300 " in done.stdout
            made.append(out.read_bytes())
        assert made[0] == made[1]


def test_a_generated_set_has_its_standard_columns_and_size(tmp_path: Path, tuppence: Verb) -> None:
    done = tuppence("data", "synth", "sms", "--out", tmp_path / "sms.csv", "--json")
    assert json.loads(done.stdout)["documents"] == 5_000
    assert (tmp_path / "sms.csv").read_text().startswith("label,text\nham,")
    for what, keys in (
        ("instructions", ["instruction", "input", "output"]),
        ("preferences", ["prompt", "chosen", "rejected"]),
    ):
        tuppence("data", "synth", what, "--out", tmp_path / f"{what}.json", "--count", 7)
        rows = json.loads((tmp_path / f"{what}.json").read_text())
        assert [list(row) for row in rows] == [keys] * 7


@pytest.mark.parametrize(
    ("what", "file", "complaint", "hint"),
    [
        (
            "sonnets",
            "a.txt",
            "there is no embedded set 'sonnets'",
            "the sets are stories, sms, instructions, preferences",
        ),
        ("preference", "a.json", "there is no embedded set 'preference'", "did you mean 'preferences'?"),
        ("sms", "a.txt", "we write sms as .tsv, .csv and .jsonl", "choose one of them for --out"),
        ("instructions", "a.tsv", "we write instructions as .json and .jsonl", "choose one of them"),
    ],
)
def test_an_unknown_set_or_format_is_refused(
    tmp_path: Path, tuppence: Verb, what: str, file: str, complaint: str, hint: str
) -> None:
    done = tuppence("data", "synth", what, "--out", tmp_path / file)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert hint in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_catalog_is_listed_for_people_and_programs(tuppence: Verb) -> None:
    plain = tuppence("data", "list").stdout
    assert "tiny-shakespeare  (text, 1.12 MB, sha256 known)" in plain
    assert "licence: CC BY-SA 3.0" in plain
    sets = json.loads(tuppence("data", "list", "--json").stdout)
    assert {"name", "url", "licence", "sha256", "bytes", "use"} <= set(sets[0])


def test_an_unknown_set_is_refused_with_the_nearest(tmp_path: Path, tuppence: Verb) -> None:
    done = tuppence("data", "get", "tiny-shakespear", "--out", tmp_path / "a.txt")
    assert done.returncode == 2
    assert "did you mean 'tiny-shakespeare'?" in done.stderr


@pytest.mark.parametrize("verb", ["list", "get", "synth", "prepare"])
def test_every_help_shows_an_example(tuppence: Verb, verb: str) -> None:
    assert f"tuppence data {verb}" in tuppence("data", verb, "--help").stdout.split("Example")[1]


def test_generated_data_replace_a_file_only_with_overwrite(tuppence: Verb, tmp_path: Path) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("years of work")
    words = ("data", "synth", "stories", "--count", 1, "--out", mine)
    assert "exists already" in tuppence(*words).stderr
    assert mine.read_text() == "years of work"
    assert tuppence(*words, "--overwrite").returncode == 0
    assert mine.read_text() != "years of work"


@pytest.mark.slow
def test_a_bad_parquet_row_ends_every_process_with_exit_2_on_a_busy_machine(
    start_tuppence: Callable[..., Any], tmp_path: Path
) -> None:
    """An unfinished reader of pyarrow's could end the process with SIGABRT on its way out."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"text": ["hello", None, "x"]}), tmp_path / "rows.parquet")
    train_tokenizer(["hello"], vocab_size=256 + 2).save(tmp_path / "tok")
    words = ["data", "prepare", "rows.parquet", "--tokenizer", "tok", "--out"]
    for _ in range(2):
        for process in [start_tuppence(*words, out, cwd=tmp_path) for out in range(5)]:
            _, errors = process.communicate(timeout=120)
            assert "row 2" in errors
            assert process.returncode == 2, errors
