"""`tuppence tokenizer …`: learn one, import one, look at one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tuppence.cli.places import Input, OutputFolder, add_verb
from tuppence.core import console
from tuppence.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from tuppence.tokenizer import Tokenizer
    from tuppence.tokenizer.statistics import TextStatistics, VocabularyStatistics

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    """Adds this file's verbs to the command line."""
    tokenizer = typer.Typer(help="Learn a tokenizer from text, import one, look at one.", no_args_is_help=True)
    add_verb(tokenizer, train)
    add_verb(tokenizer, import_, "import")
    add_verb(tokenizer, show)
    app.add_typer(tokenizer, name="tokenizer")


def train(
    inputs: Annotated[
        list[Input],
        typer.Argument(metavar="INPUT...", help="Files (.txt .md .jsonl .parquet, .gz .zst), folders or globs."),
    ],
    vocab_size: Annotated[int, typer.Option(help="Tokens in all: 256 bytes, the merges, the special tokens.")],
    out: Annotated[OutputFolder, typer.Option(help="The folder to write.")],
    pattern: Annotated[str, typer.Option(help="How text is cut into words: gpt2 or gpt4.")] = "gpt2",
    special_token: Annotated[
        list[str] | None,
        typer.Option(help="A special token beside <|endoftext|>; may be given several times.", show_default=False),
    ] = None,
    text_key: Annotated[str, typer.Option(help="The key or column of the text, in .jsonl and .parquet.")] = "text",
    skip_bad_rows: Annotated[bool, typer.Option("--skip-bad-rows", help="Leave out rows we cannot use.")] = False,
    workers: Annotated[
        int, typer.Option(min=0, help="Processes that count words; 0: one for each core.", show_default=False)
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another tokenizer in the folder.")] = False,
    json: Json = False,
) -> None:
    """Learn a byte-level BPE tokenizer. The same input gives the same tokenizer, on any number of cores.

    A folder that holds another tokenizer is left alone: data and models made with it would no longer fit.

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
        raise _holds_another(folder)  # known before anything is read
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
            pattern=pattern,  # type: ignore[arg-type]  # a name that is none of ours is refused there
            special_tokens=specials,
            workers=workers or None,
            on_progress=on_progress,
        )
    seconds = time.perf_counter() - started
    _save(tokenizer, folder, there)
    if tokenizer.vocab_size < vocab_size:
        console.warn(
            f"the text holds no more than {tokenizer.vocab_size:,} tokens: every word of it is one token already"
        )
    statistics = describe_vocabulary(tokenizer)
    if json:
        console.emit_json({"path": out, "seconds": seconds, **vars(statistics)})
        return
    console.out(f"{out}: {tokenizer.vocab_size:,} tokens, learned in {seconds:.1f} s")
    _print_vocabulary(statistics)
    console.note(f"next: tuppence data prepare INPUT... --tokenizer {out} --out DATA")


def _tokenizer_in(folder: Path) -> Tokenizer | None:
    """The tokenizer that a folder holds, in whatever layout.

    Raises:
        InputError: it holds one that we cannot read, and so another one than ours.
    """
    from tuppence.tokenizer import Tokenizer
    from tuppence.tokenizer.folders import holds_tokenizer

    if not holds_tokenizer(folder):
        return None
    try:
        return Tokenizer.load(folder)
    except InputError as error:
        raise _holds_another(folder) from error


def _save(tokenizer: Tokenizer, out: Path, there: Tokenizer | None) -> None:
    """Writes a tokenizer; leaves a folder as it is that holds the same.

    Args:
        there: what `out` holds and must not lose; None where it may be replaced.

    Raises:
        InputError: that is another tokenizer, or has another end of text or chat template.
    """
    if there is None:
        tokenizer.save(out)
    elif _traits(there) != _traits(tokenizer):
        raise _holds_another(out)
    else:
        console.note(f"{out} holds this tokenizer already")


def _traits(tokenizer: Tokenizer) -> tuple[str, str | None, str | None]:
    return tokenizer.fingerprint, tokenizer.end_of_text_name, tokenizer.chat_template


def _holds_another(folder: Path) -> InputError:
    return InputError(f"{folder} holds another tokenizer", "choose a new --out, or replace it with --overwrite")


def import_(
    paths: Annotated[
        list[Input],
        typer.Argument(
            metavar="FILE...",
            help="tokenizer.json, a *.tiktoken, a folder, encoder.json + vocab.bpe, or vocab.json + merges.txt.",
        ),
    ],
    out: Annotated[OutputFolder, typer.Option(help="The folder to write.")],
    pattern: Annotated[
        str, typer.Option(help="gpt2 or gpt4, for a *.tiktoken file whose name does not tell.", show_default=False)
    ] = "",
    end_of_text: Annotated[
        str, typer.Option(metavar="NAME", help="The special token that ends a text; added where it is a new one.")
    ] = "",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace another tokenizer in the folder.")] = False,
    json: Json = False,
) -> None:
    """Bring a tokenizer of others into our layout, if it is byte-level BPE and everyone would read it alike.

    Its end of text and its chat template come with it. A folder that holds another tokenizer is left alone.

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
    path: Annotated[Input, typer.Argument(metavar="TOK", help="A tokenizer's or a model's folder, or tokenizer.json.")],
    text: Annotated[str, typer.Argument(help="A text to cut; '-' reads it from stdin.", show_default=False)] = "",
    json: Json = False,
) -> None:
    """Statistics of a tokenizer; and how it cuts a text, if one is given.

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
    """The tokens side by side: in turning colours on a terminal, with bars between them elsewhere."""
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
