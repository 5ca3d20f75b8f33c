"""What it costs to prepare a corpus: seconds, CPU seconds and memory per gigabyte, and how parts and their merge scale.

    python benchmarks/prepare.py [--input novels.txt.gz] [--megabytes 300] [--parts 1 2] [--workers 1]

The text is repeated to `--megabytes` of rows of about 4,000 characters in one `.jsonl` file; a number before each row
makes it unique. Without --input the text is made-up stories. Without --tokenizer, 8,192 tokens are learned from it. For
each number of parts, as many processes run `data prepare --part` at the same time, each with `--workers` threads; then
`data merge` runs. On a machine that others use, compare CPU seconds, and look at the load beside them.

The last table measures the merge alone: an index of many made-up shards, and positions of many documents. From both,
the figures of guide/data.md for 10 TB are computed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tuppence.core.files import write_json
from tuppence.core.table import Table
from tuppence.data.shards import INDEX_NAME, PartInfo, ShardIndex, ShardInfo, SplitInfo
from tuppence.synthetic import iter_stories
from tuppence.tokenizer import Tokenizer, train_tokenizer

ROW_CHARACTERS = 4000
MEASURED = """
import sys
from tuppence.cli import main
try:
    main(sys.argv[1:])
finally:
    status = open("/proc/self/status").read()
    print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""
"""Runs a command and prints the peak of its memory in kB; Linux only. getrusage would count the parent's, too."""


@dataclass(frozen=True)
class Cost:
    """Of one command or of several at the same time; memory is the largest of one process."""

    wall_seconds: float
    cpu_seconds: float
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, help="a text, .txt or .txt.gz")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer's folder")
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--shards", type=int, default=20_000, help="for the merge of made-up parts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        text = "\n".join(iter_stories(20_000, seed=0)) if options.input is None else read(options.input)
        size = write_rows(text, place / "corpus.jsonl", options.megabytes * 10**6)
        if options.tokenizer is None:
            train_tokenizer([text[: 5 * 10**6]], vocab_size=8192).save(place / "tok")
        tokenizer = options.tokenizer or place / "tok"
        vocabulary = Tokenizer.load(tokenizer).vocab_size
        print(f"{size / 1e6:.0f} MB of text, {vocabulary:,} tokens in the vocabulary, {os.cpu_count()} cores\n")
        rows = []
        for parts in options.parts:
            load = os.getloadavg()[0]
            cost = run(prepare_commands(place, tokenizer, parts, options.workers))
            merged = run([["data", "merge", str(place / f"data-{parts}")]])
            gigabytes = size / 1e9
            rows.append(
                (
                    *(str(parts), f"{cost.wall_seconds:.1f}", f"{cost.wall_seconds / gigabytes:.0f}"),
                    *(f"{cost.cpu_seconds / gigabytes:.0f}", f"{cost.peak_mb:.0f}"),
                    *(f"{merged.wall_seconds:.1f}", f"{merged.peak_mb:.0f}", f"{load:.1f}"),
                )
            )
        columns = ("processes", "seconds", "s/GB", "CPU s/GB", "peak MB", "merge s", "merge MB", "load before")
        print(Table(columns, rows, title="Preparing", right=columns).text())
        print()
        print(merge_table(place / "many", options.shards))


def read(path: Path) -> str:
    content = path.read_bytes()
    return (gzip.decompress(content) if path.suffix == ".gz" else content).decode()


def write_rows(text: str, path: Path, wanted: int) -> int:
    """Writes rows until they have `wanted` bytes of text; returns the bytes."""
    pieces = [text[at : at + ROW_CHARACTERS] for at in range(0, len(text), ROW_CHARACTERS)]
    size = number = 0
    with path.open("w", encoding="utf-8") as out:
        while size < wanted:
            row = f"{number} {pieces[number % len(pieces)]}"
            out.write(json.dumps({"text": row}, ensure_ascii=False) + "\n")
            size, number = size + len(row.encode()), number + 1
    return size


def prepare_commands(place: Path, tokenizer: Path, parts: int, workers: int) -> list[list[str]]:
    words = ["data", "prepare", str(place / "corpus.jsonl"), "--tokenizer", str(tokenizer), "--workers", str(workers)]
    out = place / f"data-{parts}"
    return [[*words, "--out", str(out / f"part-{n}"), "--part", f"{n}/{parts}"] for n in range(1, parts + 1)]


def run(commands: Sequence[Sequence[str]]) -> Cost:
    """Runs commands of tuppence at the same time."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MEASURED, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for words in commands
    ]
    peaks = []
    for process in started:
        out, errors = process.communicate()
        if process.returncode:
            sys.exit(errors)
        peaks.append(int(out.split()[-1]) / 1024)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(time.perf_counter() - began, cpu, max(peaks))


def merge_table(place: Path, shards: int) -> str:
    """Merges two parts with many tiny shards, and with few shards and many documents."""
    rows = []
    for name, count, documents in (("shards", shards, 1), ("documents", 10, 2_000_000)):
        folder = place / name
        for number in (1, 2):
            write_part(folder / f"part-{number}", number, count // 2, documents)
        cost = run([["data", "merge", str(folder)]])
        index = (folder / INDEX_NAME).stat().st_size
        rows.append(
            (
                *(f"{count:,}", f"{count * documents:,}", f"{cost.wall_seconds:.1f}", f"{cost.peak_mb:.0f}"),
                f"{index / 1e6:.2f}",
            )
        )
    columns = ("shards", "documents", "seconds", "peak MB", "index MB")
    return Table(columns, rows, title="Merging made-up parts", right=columns).text()


def write_part(folder: Path, number: int, shards: int, documents: int) -> None:
    """A part whose shards have documents of one token."""
    folder.mkdir(parents=True)
    (folder / "tokenizer").mkdir()
    tokens = np.zeros(documents, "<u2").tobytes()
    digest = hashlib.sha256(tokens).hexdigest()
    infos = []
    for shard in range(shards):
        name = f"train-{shard:05d}.bin"
        (folder / name).write_bytes(tokens)
        infos.append(ShardInfo(name, "train", documents, documents, documents, digest))
    offsets = np.arange(shards * documents, dtype="<u8").tobytes()
    (folder / "documents-train.bin").write_bytes(offsets)
    count = shards * documents
    split = SplitInfo(count, count, count, "documents-train.bin", hashlib.sha256(offsets).hexdigest())
    part = PartInfo(number, 2, "made up", "train")
    index = ShardIndex("f" * 64, 300, 256, "uint16", f"part {number}", 0, 0, {"train": split}, infos, part)
    write_json(folder / INDEX_NAME, index.to_json())


if __name__ == "__main__":
    main()
