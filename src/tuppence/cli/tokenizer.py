"""`tuppence tokenizer …`: train, import and inspect tokenizers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli.flags import Json, SkipBadRows, TextKey
from tuppence.cli.places import Input, OutputFolder, add_verb
from tuppence.core import console
from tuppence.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from tuppence.tokenizer import Tokenizer
    from tuppence.tokenizer.statistics import TextStatistics, VocabularyStatistics

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace another tokenizer in the folder.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    tokenizer = typer.Typer(help="Train, import and inspect tokenizers.", no_args_is_help=True)
    add_verb(tokenizer, train)
    add_verb(tokenizer, import_, "import")
    add_verb(tokenizer, show)
    app.add_typer(tokenizer, name="tokenizer")


def train(
    inputs: Annotated[
        list[Input],
        typer.Argument(metavar="INPUT...", help="Files (.txt .md .jsonl .parquet, .gz .zst), folders or globs."),
    ],
    vocab_size: Annotated[int, typer.Option(help="Number of tokens in all: 256 bytes, merges and special tokens.")],
    out: Annotated[OutputFolder, typer.Option(help="Folder to write.")],
    pattern: Annotated[str, typer.Option(help="Pattern that splits text into words: gpt2 or gpt4.")] = "gpt2",
    special_token: Annotated[
        list[str] | None,
        typer.Option(help="Special token besides <|endoftext|>. Repeatable.", show_default=False),
    ] = None,
    text_key: TextKey = "text",
    skip_bad_rows: SkipBadRows = False,
    workers: Annotated[
        int,
        typer.Option(min=0, help="Number of processes that count words; by default one per core.", show_default=False),
    ] = 0,
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Train a byte-level BPE tokenizer. The same input gives the same tokenizer on any number of cores.

    A folder with another tokenizer is not overwritten, because data and models made with that one would not fit any
    more.

    \b
    Examples:
      tuppence tokenizer train novels.txt.gz --vocab-size 8192 --out runs/tok
      tuppence tokenizer train 'corpus/*.parquet' --vocab-size 50257 --pattern gpt4 --out tok
    """
    import time
    from contextlib import ExitStack

    from tuppence.data.sources import iter_texts, total_bytes
    from tuppence.storage import output_path
    from tuppence.tokenizer.statistics import describe_vocabulary
    from tuppence.tokenizer.trainer import train_tokenizer
    from tuppence.tokenizer.vocabulary import END_OF_TEXT

    specials = list(dict.fromkeys([END_OF_TEXT, *(special_token or [])]))
    folder = output_path(out)
    there = None if overwrite else _tokenizer_in(folder)
    if there and (
        there.vocab_size > vocab_size or there.pattern.name != pattern or [*there.special_tokens] != specials
    ):
        raise _holds_another(folder)  # before the text is read
    started = time.perf_counter()
    with ExitStack() as shown:
        bar = shown.enter_context(console.progress("bytes"))
        task = bar.add_task("reading", total=total_bytes(inputs))

        def on_bytes(count: int) -> None:
            bar.advance(task, count)

        def on_progress(stage: str, done: int, total: int | None) -> None:
            nonlocal bar, task
            if stage == "merging":
                if bar.tasks[task].description == "reading":
                    shown.close()  # a terminal shows one bar at a time
                    bar = shown.enter_context(console.progress("merges"))
                    task = bar.add_task("merging", total=total)
                bar.update(task, completed=done)

        tokenizer = train_tokenizer(
            iter_texts(inputs, text_key=text_key, skip_bad_rows=skip_bad_rows, on_bytes=on_bytes),
            vocab_size,
            pattern=pattern,  # type: ignore[arg-type]  # `train_tokenizer` rejects other names
            special_tokens=specials,
            workers=workers or None,
            on_progress=on_progress,
        )
    seconds = time.perf_counter() - started
    _save(tokenizer, folder, there)
    if tokenizer.vocab_size < vocab_size:
        console.warn(
            f"the tokenizer has only {tokenizer.vocab_size:,} tokens: every word of the text is already one token"
        )
    statistics = describe_vocabulary(tokenizer)
    if json:
        console.emit_json({"path": out, "seconds": seconds, **vars(statistics)})
        return
    console.out(f"{out}: {tokenizer.vocab_size:,} tokens, learned in {seconds:.1f} s")
    _print_vocabulary(statistics)
    console.note(f"next: tuppence data prepare INPUT... --tokenizer {out} --out DATA")


def _tokenizer_in(folder: Path) -> Tokenizer | None:
    """Returns the tokenizer in a folder, in any layout; None if there is none.

    Raises:
        InputError: the tokenizer cannot be read, so it is not ours; or the folder is a run or holds token shards, which
            have a tokenizer of their own below.
    """
    from tuppence.core.run import Run
    from tuppence.data.shards import INDEX_NAME
    from tuppence.tokenizer import Tokenizer
    from tuppence.tokenizer.folders import holds_tokenizer

    if not holds_tokenizer(folder):
        if Run(folder).exists() or (folder / INDEX_NAME).exists():
            kind = "is a run" if Run(folder).exists() else "holds token shards"
            raise InputError(f"{folder} {kind}, not a tokenizer", "choose a new --out")
        return None
    try:
        return Tokenizer.load(folder)
    except InputError as error:
        raise _holds_another(folder) from error


def _save(tokenizer: Tokenizer, out: Path, there: Tokenizer | None) -> None:
    """Writes a tokenizer. A folder that has the same one is not changed.

    Args:
        there: the tokenizer in `out`; None if there is none, or if it may be replaced.

    Raises:
        InputError: `there` is another tokenizer, or has another end of text or chat template.
    """
    if there is None:
        tokenizer.save(out)
    elif _traits(there) != _traits(tokenizer):
        raise _holds_another(out)
    else:
        console.note(f"{out} has this tokenizer already")


def _traits(tokenizer: Tokenizer) -> tuple[str, str | None, str | None]:
    return tokenizer.fingerprint, tokenizer.end_of_text_name, tokenizer.chat_template


def _holds_another(folder: Path) -> InputError:
    return InputError(f"{folder} has another tokenizer", "choose a new --out, or replace it with --overwrite")


def import_(
    paths: Annotated[
        list[Input],
        typer.Argument(
            metavar="FILE...",
            help="tokenizer.json, a *.tiktoken, a folder, encoder.json + vocab.bpe, or vocab.json + merges.txt.",
        ),
    ],
    out: Annotated[OutputFolder, typer.Option(help="Folder to write.")],
    pattern: Annotated[
        str, typer.Option(help="gpt2 or gpt4, for a *.tiktoken file whose name does not show it.", show_default=False)
    ] = "",
    end_of_text: Annotated[
        str, typer.Option(metavar="NAME", help="Special token that ends a text; added if it does not exist.")
    ] = "",
    overwrite: Overwrite = False,
    json: Json = False,
) -> None:
    """Import the tokenizer of another library, if it is byte-level BPE and can be converted without a difference.

    End of text and chat template are imported too. A folder with another tokenizer is not overwritten.

    \b
    Examples:
      tuppence tokenizer import encoder.json vocab.bpe --out tok
      tuppence tokenizer import cl100k_base.tiktoken --out tok
      tuppence tokenizer import ./model --end-of-text '</s>' --out tok
    """
    from tuppence.storage import output_path
    from tuppence.tokenizer.imports import import_tokenizer
    from tuppence.tokenizer.statistics import describe_vocabulary

    tokenizer = import_tokenizer(paths, pattern or None)
    if end_of_text:
        tokenizer = tokenizer.with_end_of_text(end_of_text)
    folder = output_path(out)
    _save(tokenizer, folder, None if overwrite else _tokenizer_in(folder))
    statistics = describe_vocabulary(tokenizer)
    if json:
        console.emit_json({"path": out, **vars(statistics)})
        return
    console.out(f"{out}: {tokenizer.vocab_size:,} tokens")
    _print_vocabulary(statistics)


def show(
    path: Annotated[
        Input, typer.Argument(metavar="TOK", help="Folder of a tokenizer or a model, or a tokenizer.json.")
    ],
    text: Annotated[
        str, typer.Argument(help="Text to split into tokens; '-' reads it from stdin.", show_default=False)
    ] = "",
    json: Json = False,
) -> None:
    """Print statistics of a tokenizer, or, if a text is given, the tokens of the text.

    \b
    Examples:
      tuppence tokenizer show runs/tok
      tuppence tokenizer show runs/tok "It was a dark and stormy night."
    """
    from tuppence.tokenizer import Tokenizer
    from tuppence.tokenizer.statistics import describe_text, describe_vocabulary

    if text == "-":
        text = console.read_stdin()
    tokenizer = Tokenizer.load(path)
    statistics = describe_vocabulary(tokenizer)
    cut = describe_text(tokenizer, text) if text else None
    if json:
        console.emit_json({**vars(statistics), **({"text": vars(cut)} if cut else {})})
        return
    if cut:
        _print_cut(cut)
    else:
        _print_vocabulary(statistics)


def _print_vocabulary(statistics: VocabularyStatistics) -> None:
    specials = ", ".join(f"{name} = {identity}" for name, identity in statistics.special_tokens.items())
    console.out(f"  pattern      {statistics.pattern}")
    console.out(f"  tokens       {statistics.vocab_size:,}: 256 bytes, {statistics.merges:,} merges")
    console.out(f"  special      {specials or 'none'}")
    console.out(f"  with space   {statistics.starting_with_space:,} begin with a space")
    console.out(f"  incomplete   {statistics.incomplete:,} are parts of characters")
    console.out(f"  longest      {' '.join(repr(token[:24]) for token in statistics.longest[:5])}")
    console.out(f"  fingerprint  {statistics.fingerprint}")
    console.out(f"  bytes per token, {statistics.mean_bytes:.2f} on average over the vocabulary:")
    most = max(statistics.tokens_by_bytes.values())
    shown = {size: count for size, count in statistics.tokens_by_bytes.items() if size <= 16}
    longer = sum(statistics.tokens_by_bytes.values()) - sum(shown.values())
    for label, count in [
        *((str(size), count) for size, count in shown.items()),
        *([(">16", longer)] if longer else []),
    ]:
        console.out(f"  {label:>5} {count:>8,} {'█' * max(1, round(40 * count / most))}")


def _print_cut(cut: TextStatistics) -> None:
    """Prints the tokens of a text, in alternating colours on a terminal, else with bars between them."""
    import sys

    if sys.stdout.isatty():
        colours = ["blue", "magenta", "cyan", "green", "yellow"]
        for place, token in enumerate(cut.tokens):
            typer.secho(console.one_line(token), nl=False, bg=colours[place % len(colours)], fg="black")
        console.out()
    else:
        console.out("|".join(cut.tokens))
    console.out(" ".join(map(str, cut.ids)))
    console.out(
        f"{len(cut.ids):,} tokens, {cut.characters:,} characters, {cut.bytes:,} bytes:"
        f" {cut.bytes_per_token:.2f} bytes per token"
    )
