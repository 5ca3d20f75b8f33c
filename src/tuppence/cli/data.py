"""`tuppence data …`: public data sets, generated data, and token shards."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tuppence.cli.flags import Json, SkipBadRows, TextKey
from tuppence.cli.places import Input, InputFile, InputFolder, OutputFile, OutputFolder, add_verb
from tuppence.core import console

if TYPE_CHECKING:
    from tuppence.data.parts import Part
    from tuppence.data.prepare import PrepareSummary
    from tuppence.data.records.tables import Table


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    data = typer.Typer(help="Get, generate and prepare training data.", no_args_is_help=True)
    add_verb(data, list_sets, "list")
    for verb in (get, synth, prepare, merge):
        add_verb(data, verb)
    app.add_typer(data, name="data")


def list_sets(json: Json = False) -> None:
    """List the public data sets for 'data get'.

    Shows size, licence, origin and use of each set.

    \b
    Example:
      tuppence data list
    """
    from tuppence.data.catalog import load_catalog

    sets = load_catalog()
    if json:
        console.emit_json([asdict(one) for one in sets])
        return
    for one in sets:
        size = "size not known" if one.bytes is None else _size(one.bytes)
        checked = "sha256 known" if one.sha256 else "sha256 not known"
        console.out(f"{one.name}  ({one.kind}, {size}, {checked})\n    {one.title}")
        console.out(f"    licence: {one.licence}; {one.origin}" + (f"; {one.note}" if one.note else ""))
        console.out(f"    {one.use.format(file=one.file)}")


def get(
    name: Annotated[str, typer.Argument(help="Name of a set in 'tuppence data list'.")],
    out: Annotated[OutputFile, typer.Option(help="File to write.")],
    json: Json = False,
) -> None:
    """Download a public data set and verify its sha256. The same command again continues an interrupted download.

    \b
    Example:
      tuppence data get tiny-shakespeare --out tinyshakespeare.txt
    """
    from tuppence.data import catalog

    public = catalog.find_set(name)
    with console.progress("bytes") as bar:
        task = bar.add_task(public.name, total=public.bytes)
        done = catalog.get(
            public, out, lambda have, total: bar.update(task, completed=have, total=total or public.bytes)
        )
    if not done.verified:
        console.warn(f"sha256 {done.sha256} could not be verified: no published value is known for {public.name}")
    if json:
        console.emit_json({"name": public.name, "licence": public.licence, **asdict(done), "path": str(done.path)})
        return
    checked = "sha256 verified" if done.verified else f"sha256 {done.sha256}, not verified"
    console.out(f"{done.path}: {_size(done.bytes)}, {checked}; licence {public.licence}")
    console.note(f"next: {public.use.format(file=done.path)}")


def synth(
    what: Annotated[str, typer.Argument(help="stories, sms, instructions or preferences.")],
    out: Annotated[OutputFile, typer.Option(help="File to write; its suffix determines the format.")],
    count: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of items; by default 20,000 stories, 5,000 sms, 6,000 instructions or 3,000 preferences.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random choices.")] = 0,
    plots: Annotated[
        int | None,
        typer.Option(
            min=1, help="For stories: number of plots, 1 to 46; 46 by default. Fewer plots are easier to learn."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    json: Json = False,
) -> None:
    """Generate training data, without a download. The same count and seed give the same file on every machine.

    \b
    stories       text to pretrain on         .txt .jsonl
    sms           messages, ham or spam       .tsv .csv .jsonl   label, text
    instructions  tasks with one right answer .json .jsonl       instruction, input, output
    preferences   a good and a flawed answer  .json .jsonl       prompt, chosen, rejected

    \b
    Examples:
      tuppence data synth stories --out stories.txt --count 5000 --plots 8
      tuppence data synth sms --out sms.tsv
      tuppence data synth instructions --out instructions.json --seed 1
      tuppence data synth preferences --out preferences.jsonl
    """
    from tuppence.core.errors import InputError
    from tuppence.storage import output_path
    from tuppence.synthetic.sets import find_set, write_set

    made = find_set(what)
    if output_path(out).exists() and not overwrite:
        raise InputError(f"{out} exists already", "choose another --out, or replace it with --overwrite")
    count = count or made.count
    with console.progress(made.items) as bar:
        task = bar.add_task("writing", total=count)
        written = write_set(made, out, count, seed, lambda: bar.advance(task), plots)
    if json:
        console.emit_json({"out": out, "documents": count, "bytes": written, "seed": seed})
        return
    console.out(f"{out}: {count:,} {made.items}, {_size(written)}")
    console.note(f"next: {made.use.format(file=out)}")


def prepare(
    inputs: Annotated[list[Input], typer.Argument(metavar="INPUT...", help="Files, folders or quoted globs.")],
    tokenizer: Annotated[Input, typer.Option(help="Folder of the tokenizer, or its tokenizer.json.")],
    out: Annotated[OutputFolder, typer.Option(help="Folder of token shards to write.")],
    val: Annotated[list[Input] | None, typer.Option(help="Held-out file, folder or glob. Repeatable.")] = None,
    val_fraction: Annotated[
        float, typer.Option(help="Instead of --val: share of the documents to hold out, chosen by a hash.")
    ] = 0.0,
    deduplicate: Annotated[
        bool, typer.Option("--deduplicate", help="Drop documents that are exact copies of others.")
    ] = False,
    skip_bad_rows: SkipBadRows = False,
    text_key: TextKey = "text",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Number of threads that encode; by default one per core.")
    ] = None,
    shard_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens in a shard; by default 16,777,216.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the hash for --val-fraction.")] = 0,
    evaluation: Annotated[
        list[InputFile] | None,
        typer.Option(help="File of evaluation rows: warns if INPUT contains some of them. Repeatable."),
    ] = None,
    part: Annotated[
        str | None,
        typer.Option(metavar="I/N", help="Prepare only part I of N, as one of N machines; 'data merge' ends it."),
    ] = None,
    json: Json = False,
) -> None:
    """Encode documents into token shards, which pretraining reads.

    Reads .txt, .md, .jsonl and .parquet files; all but .parquet also compressed as .gz or .zst. Each row is a document;
    in .txt and .md files a line <|endoftext|> separates documents. If the command is killed, the same command continues
    it.

    \b
    Examples:
      tuppence data prepare novels.txt.gz --tokenizer TOK --out DATA --val held-out.txt
      tuppence data prepare 'crawl/**/*.jsonl.zst' --tokenizer TOK --out DATA --val-fraction 0.005 --deduplicate
      tuppence data prepare crawl --tokenizer TOK --out DATA/part-2 --part 2/5
    """
    from tuppence.data import prepare as preparing
    from tuppence.data.parts import Part
    from tuppence.data.records.tables import read_table
    from tuppence.data.request import SHARD_TOKENS
    from tuppence.tokenizer import Tokenizer

    of_corpus = None if part is None else Part.of_text(part)
    tables = [read_table(path, skip_bad_rows=skip_bad_rows) for path in evaluation or ()]
    summary = preparing.prepare(
        inputs,
        Tokenizer.load(tokenizer),
        out,
        val_inputs=val or (),
        val_fraction=val_fraction,
        deduplicate=deduplicate,
        skip_bad_rows=skip_bad_rows,
        text_key=text_key,
        workers=workers,
        shard_tokens=shard_tokens or SHARD_TOKENS,
        seed=seed,
        part=of_corpus,
    )
    leaks = {table.path: _leak(inputs, table, text_key, skip_bad_rows, of_corpus) for table in tables}
    if json:
        console.emit_json(asdict(summary) | ({"leaks": leaks} if leaks else {}))
        return
    _tell_splits(summary)
    if deduplicate:
        console.out(f"dropped {console.counted(summary.duplicates, 'duplicate')}")
    if summary.seconds:
        read = sum(split["bytes"] for split in summary.splits.values())
        speed = "" if summary.resumed_shards else f", {_size(round(read / summary.seconds))}/s"
        console.note(f"{console.counted(summary.shards, 'shard')} in {out}, {summary.seconds:.1f} s{speed}")


def merge(
    parts: Annotated[
        list[InputFolder],
        typer.Argument(metavar="PART...", help="Folders of the parts; without --out, the folder that holds them all."),
    ],
    out: Annotated[
        OutputFolder | None, typer.Option(help="Folder to link or copy the parts to; by default they stay.")
    ] = None,
    json: Json = False,
) -> None:
    """Put the parts of 'data prepare --part' together, as one folder of token shards.

    Only an index is written. It has the documents in the order of one 'data prepare' of all inputs. Every part must be
    there, and of the same inputs, tokenizer and options.

    \b
    Examples:
      tuppence data merge DATA
      tuppence data merge s3://BUCKET/DATA
      tuppence data merge PART1 PART2 PART3 --out DATA
    """
    from tuppence.core.errors import InputError
    from tuppence.data import merge as merging

    if out is None and len(parts) > 1:
        raise InputError("there is no place for the merged parts", "give --out, or name the one folder that holds them")
    summary = merging.merge(parts[0]) if out is None else merging.merge_into(parts, out)
    if json:
        console.emit_json(asdict(summary))
        return
    _tell_splits(summary)
    console.note(f"{console.counted(summary.shards, 'shard')} in {summary.out}")


def _tell_splits(summary: PrepareSummary) -> None:
    for name, split in summary.splits.items():
        console.out(
            f"{name}: {split['tokens']:,} tokens of {console.counted(split['documents'], 'document')},"
            f" {_size(split['bytes'])}, {split['bytes'] / max(split['tokens'], 1):.2f} bytes per token"
        )


def _leak(inputs: list[str], table: Table, text_key: str, skip_bad_rows: bool, part: Part | None) -> dict[str, Any]:
    """Counts the rows of an evaluation file that are in the text, and prints the number."""
    from tuppence.data.records.leaks import count_rows_in_corpus
    from tuppence.data.sources import iter_pieces

    pieces = iter_pieces(
        inputs, text_key=text_key, skip_bad_rows=skip_bad_rows, part=part
    )  # prints nothing: `prepare` has reported bad rows
    leak = count_rows_in_corpus((piece.text for piece in pieces), table)
    if leak.count:
        rows = console.counted(leak.compared, "row")
        console.warn(f"{leak.count:,} of {rows} of {table.path} are in the text: a score on them has no meaning")
        console.note(f"  for example: {leak.examples[0][:160]}")
    else:
        console.note(f"no row of {table.path} is in the text ({leak.compared:,} were compared)")
    return asdict(leak)


def _size(count: int) -> str:
    for unit, scale in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.2f} {unit}"
    return f"{count} bytes"
